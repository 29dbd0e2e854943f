// Package lifepay hands documents to LIFE PAY, a cloud register, by its "cloud
// print" interface (LIFE PAY reference 1 to 6). Section numbers in comments are
// those of the vendor reference kept with the project.
//
// A document is sent under ext_id, which is on disk before. The same request
// goes out again until the service answers it; the second and later ones get
// the name of the first document. No request asks what became of a document:
// callbacks tell.
//
// What of a document goes where. A requisite without a field is refused, never
// dropped, so that a route can try its next backend.
//
//	document                    field                              note
//	CloudKey                    ext_id                             ≤ 50
//	ID                          callback_data
//	Kind                        type                               corrections: sell_correction …
//	Cashier.Name                cashier_name
//	Cashier.INN                 cashier_inn                        UNVERIFIED but for shifts
//	Customer                    customer_phone, customer_email     7 and ten digits; ≤ 100
//	Buyer.Name                  customer_name                      1.2: with the INN only
//	Buyer.INN                   Names.BuyerINN                     two spellings in the sources
//	Taxation                    tax_system                         default Options.Taxation
//	Internet (1125)             Names.Internet                     refused without a name
//	Place (1187)                payment_place
//	Additional (1192)           Names.Additional                   refused without a name
//	NoPrint                     mode email                         needs a contact
//	Payments.Cash + Change      cash_amount                        the service computes the change
//	Payments.Card               card_amount                        with pos: no terminal, no slip
//	Payments.Prepayment, Credit prepayment_amount, credit_amount
//	Payments.Other (1217)       none                               refused
//	Total                       none                               the service adds up the lines
//	Lines.Name, Price, Quantity name, price, quantity              net; see Options.Rounding
//	Lines.Sum                   none                               price × quantity is made to be it
//	Lines.Tax                   none                               the till computes it from tax
//	Lines.VAT                   tax                                Options.VAT, with its dates
//	Lines.Method, Subject       type, item_type                    numbers of 1214 and 1212
//	Lines.Subject, marked       none                               refused: marking-unsupported
//	Lines.Unit                  unit                               piece kg g l ml m2; others refused
//	Lines.Department            none                               refused above 1, see AnyDepartment
//	Lines.Additional (1191)     none                               refused
//	Lines.Agent                 agent_item_type, supplier_inn,     refused unless AgentPosition;
//	                            supplier_data                      1044 1073 1074 and 1223 always
//	Correction, FFD 1.05        initiator, doc_date, doc_number    doc_number "0" if there is none
//	  reason (1177)             description                        Options.CorrectionReason
//	  VAT                       tax                                one rate of the whole total
//	  Lines                     none                               the form has no items
//	  FP, Customer, Buyer,      none                               refused
//	  Place, Internet
//	Correction, FFD 1.2         correction_initiator,              a receipt with lines
//	                            correction_doc_date
//	  Number                    Names.CorrectionNumber             refused without a name
//	  FP (1192)                 Names.Additional                   refused without a name
//	Amount                      amount                             needs TargetSerial
//	Text                        purchase.products.name             price 0; empty lines left out
//	Cut                         none                               the printer decides
//
// A receipt of FFD 1.05 has fields for an agent, agent_phone and supplier_…,
// but none for the sign itself (1057, 1222): they are not used.
package lifepay
