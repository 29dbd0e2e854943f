package fiscal

import "time"

// Verb is the word of a command in the contract.
type Verb string

// Verbs, by kind of promise (design 4).
const (
	VerbSale       Verb = "sale"
	VerbRefund     Verb = "refund"
	VerbBuy        Verb = "buy"
	VerbBuyRefund  Verb = "buy-refund"
	VerbCorrection Verb = "correction"
	VerbShiftOpen  Verb = "shift-open"
	VerbShiftClose Verb = "shift-close"

	VerbCashIn  Verb = "cash-in"
	VerbCashOut Verb = "cash-out"

	VerbXReport Verb = "x-report"
	VerbCopy    Verb = "copy"
	VerbText    Verb = "text"
	VerbDrawer  Verb = "drawer"

	VerbCounters Verb = "counters"
	VerbDocument Verb = "document"
	VerbStatus   Verb = "status"
	VerbQuery    Verb = "query"
	VerbSync     Verb = "sync"
	VerbHello    Verb = "hello"

	VerbCancel Verb = "cancel"
)

// Class is what kassad promises of a verb (design 4).
type Class uint8

// Classes of verbs.
const (
	ClassFiscal  Class = iota + 1 // exactly one fiscal document, or proof of none
	ClassRecord                   // the same, proved by counters
	ClassPrint                    // at most once
	ClassQuery                    // answered from the present
	ClassControl                  // cancel
)

var classes = map[Verb]Class{
	VerbSale: ClassFiscal, VerbRefund: ClassFiscal, VerbBuy: ClassFiscal, VerbBuyRefund: ClassFiscal,
	VerbCorrection: ClassFiscal, VerbShiftOpen: ClassFiscal, VerbShiftClose: ClassFiscal,
	VerbCashIn: ClassRecord, VerbCashOut: ClassRecord,
	VerbXReport: ClassPrint, VerbCopy: ClassPrint, VerbText: ClassPrint, VerbDrawer: ClassPrint,
	VerbCounters: ClassQuery, VerbDocument: ClassQuery, VerbStatus: ClassQuery, VerbQuery: ClassQuery,
	VerbSync: ClassQuery, VerbHello: ClassQuery, VerbCancel: ClassControl,
}

// Class returns the promise of v, or 0 if there is no such verb.
func (v Verb) Class() Class { return classes[v] }

// Document tells whether v makes a document that must exist exactly once: its
// command is journalled, has a baseline and is found again after a doubt.
func (v Verb) Document() bool { return v.Class() == ClassFiscal || v.Class() == ClassRecord }

// Journalled tells whether a command with v is kept under its id.
func (v Verb) Journalled() bool { return v.Document() || v.Class() == ClassPrint }

// Receipt tells whether v makes a receipt with items and payments: the four
// kinds of receipt, and corrections.
func (v Verb) Receipt() bool { return v.Kind() != 0 || v == VerbCorrection }

// Kind is the settlement sign that a receipt verb implies; 0 for the others. A
// correction carries its own.
func (v Verb) Kind() Kind {
	switch v {
	case VerbSale:
		return Sale
	case VerbRefund:
		return Refund
	case VerbBuy:
		return Buy
	case VerbBuyRefund:
		return BuyRefund
	default:
		return 0
	}
}

// Document is a command made ready for a register: discounts, splits and the
// "#" payment are resolved into net lines and exact payments (format reference
// 3), so every backend gets the same figures.
type Document struct {
	ID   string `json:"id"`
	Verb Verb   `json:"verb"`
	Key  string `json:"key"` // 16 characters, the same for every attempt; see Key
	// Stem begins the key under which a cloud takes the document, and Edition
	// ends it: 0 at first, and one more for each new attempt; see CloudKey.
	Stem    string    `json:"stem,omitempty"`
	Edition int       `json:"edition,omitempty"`
	At      time.Time `json:"at"` // when the buyer settled

	Cashier  Cashier  `json:"cashier"`
	Kind     Kind     `json:"kind,omitempty"`
	Customer string   `json:"customer,omitempty"` // tag 1008: +7… or e-mail
	Buyer    Buyer    `json:"buyer,omitzero"`
	Taxation Taxation `json:"taxation,omitempty"` // 0: the device's own
	Internet bool     `json:"internet,omitempty"` // tag 1125
	Place    string   `json:"place,omitempty"`    // tag 1187 when Internet

	Lines      []Line      `json:"lines,omitempty"`
	Payments   Payments    `json:"payments,omitzero"`
	Total      Money       `json:"total"`            // tag 1020
	Change     Money       `json:"change,omitempty"` // tendered cash that goes back
	Additional string      `json:"additional,omitempty"`
	NoPrint    bool        `json:"no_print,omitempty"`
	Correction *Correction `json:"correction,omitempty"`

	Amount Money    `json:"amount,omitempty"` // cash-in, cash-out
	Text   []string `json:"text,omitempty"`   // text
	Cut    bool     `json:"cut,omitempty"`    // text
}

// Cashier is who answers for the document: tags 1021 and 1203.
type Cashier struct {
	Name string `json:"name,omitempty"` // ≤64 characters of CP866
	INN  string `json:"inn,omitempty"`  // 12 digits
}

// Buyer is a company or a named person: tags 1227 and 1228.
type Buyer struct {
	Name string `json:"name,omitempty"` // ≤256
	INN  string `json:"inn,omitempty"`  // 10 or 12 digits
}

// Line is one item, tag 1059, with discounts already inside the price.
type Line struct {
	Name       string   `json:"name"`     // ≤128 characters of CP866
	Price      Money    `json:"price"`    // tag 1079, net
	Quantity   Quantity `json:"quantity"` // tag 1023, > 0
	Sum        Money    `json:"sum"`      // tag 1043; within a kopeck of price × quantity
	Tax        Money    `json:"tax"`      // tag 1200
	Unit       Unit     `json:"unit"`
	VAT        VAT      `json:"vat"`
	Method     Method   `json:"method"`
	Subject    Subject  `json:"subject"`
	Department uint8    `json:"department"` // 1..16
	Agent      *Agent   `json:"agent,omitempty"`
	Additional string   `json:"additional,omitempty"` // tag 1191, ≤64
}

// Agent is the agent sign of an item with its data: tags 1222..1226.
type Agent struct {
	Type     AgentType `json:"type"`
	Supplier Supplier  `json:"supplier"`

	Operation string   `json:"operation,omitempty"` // 1044, ≤24
	Phones    []string `json:"phones,omitempty"`    // 1073
	Acceptor  []string `json:"acceptor,omitempty"`  // 1074: phones of the acceptance operator
	Transfer  Transfer `json:"transfer,omitzero"`
}

// Supplier is whose goods are sold: tags 1224 {1171, 1225} and 1226.
type Supplier struct {
	Name   string   `json:"name,omitempty"`
	INN    string   `json:"inn,omitempty"`
	Phones []string `json:"phones,omitempty"`
}

// Transfer is the money transfer operator of a bank agent: 1005, 1016, 1026, 1075.
type Transfer struct {
	Name    string   `json:"name,omitempty"`
	INN     string   `json:"inn,omitempty"`
	Address string   `json:"address,omitempty"`
	Phones  []string `json:"phones,omitempty"`
}

// Payments are the amounts by kind. Cash is what goes into the document (tag
// 1031): tendered cash is Cash + Document.Change.
type Payments struct {
	Cash       Money `json:"cash"`       // 1031
	Card       Money `json:"card"`       // 1081
	Prepayment Money `json:"prepayment"` // 1215
	Credit     Money `json:"credit"`     // 1216
	Other      Money `json:"other"`      // 1217
}

// Total is the sum of all kinds.
func (p Payments) Total() Money { return p.Cash + p.NonCash() }

// NonCash is the sum of everything that cannot give change.
func (p Payments) NonCash() Money { return p.Card + p.Prepayment + p.Credit + p.Other }

// Correction is the base of a correction receipt.
type Correction struct {
	ByOrder bool      `json:"by_order,omitempty"` // tag 1173: false own, true by order
	Date    time.Time `json:"date"`               // tag 1178, a day
	Number  string    `json:"number,omitempty"`   // tag 1179, ≤32
	FP      string    `json:"fp,omitempty"`       // fiscal sign of the wrong document, goes to 1192
	// VAT are the sums by rate of a correction without items (FFD 1.05): the
	// tax, or the turnover for VAT0 and VATNone.
	VAT map[VAT]Money `json:"vat,omitempty"`
}

// TaxByRate sums the tax of the lines by rate, or the turnover for VAT0 and
// VATNone (format reference 3.2). A correction without items has its own sums.
func (d *Document) TaxByRate() map[VAT]Money {
	if len(d.Lines) == 0 && d.Correction != nil {
		return d.Correction.VAT
	}
	sums := map[VAT]Money{}
	for _, l := range d.Lines {
		if l.VAT == VAT0 || l.VAT == VATNone {
			sums[l.VAT] += l.Sum
		} else {
			sums[l.VAT] += l.Tax
		}
	}
	return sums
}
