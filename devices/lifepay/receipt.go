package lifepay

import (
	"strings"

	"kassad/fiscal"
)

// types are the words of tag 1054. buy and buy_refund are named on the page of
// non-fiscal receipts only: UNVERIFIED for receipts (reference 2.1).
var types = map[fiscal.Kind]string{
	fiscal.Sale: "payment", fiscal.Refund: "refund", fiscal.Buy: "buy", fiscal.BuyRefund: "buy_refund",
}

// receipt fills create-receipt (reference 2, 4).
func (f *form) receipt() {
	if f.o.FFD == fiscal.FFD12 {
		f.path = f.o.PathFFD
	}
	f.path += pathReceipt
	f.req.Type = types[f.doc.Kind]
	if f.req.Type == "" {
		f.fail(fiscal.CodeBadValue, "kind", "a receipt has one of four kinds")
	}
	f.mode()
	f.cashier()
	f.taxation()
	f.contact()
	f.buyer()
	f.req.Place = f.doc.Place
	f.named(f.doc.Internet, f.o.Names.Internet, "internet", 1)
	f.named(f.doc.Additional != "", f.o.Names.Additional, "additional", f.doc.Additional)
	f.lines()
	f.payments()
	if f.req.Card > 0 {
		f.req.Pos = &pos{}
	}
}

// mode is where this receipt goes. Without paper it needs the buyer's contact,
// but for a correction, which is the seller's own (design 6).
func (f *form) mode() {
	contact := f.doc.Customer != ""
	f.req.Mode = f.o.Mode
	switch {
	case f.doc.NoPrint:
		f.req.Mode = ModeEmail
	case f.o.Mode == ModePrintEmail && !contact:
		f.req.Mode = ModePrint
	}
	if f.req.Mode == ModeEmail && !contact && f.doc.Verb != fiscal.VerbCorrection {
		f.fail(fiscal.CodeContactRequired, "customer", "an electronic receipt needs a phone or an e-mail")
	}
}

func (f *form) taxation() {
	t := or(f.doc.Taxation, f.o.Taxation)
	f.req.TaxSystem = f.o.Taxations[t]
	f.only(t != 0 && f.req.TaxSystem == "", "taxation", "the service has no identifier for "+t.String())
}

// contact is tag 1008: 11 digits beginning with 7, or an e-mail address.
func (f *form) contact() {
	to := f.doc.Customer
	switch phone, plus := strings.CutPrefix(to, "+"); {
	case to == "":
	case plus && loginForm.MatchString(phone): // a phone has the form of a login
		f.req.Phone = phone
	case strings.Contains(to, "@") && len(to) <= emailMax:
		f.req.Email = to
	case strings.Contains(to, "@"):
		f.fail(fiscal.CodeTooLong, "customer", "the service allows an e-mail of 100 characters")
	default:
		f.fail(fiscal.CodeBadValue, "customer", "neither +7 and ten digits nor an e-mail")
	}
}

// buyer is tags 1227 and 1228. FFD 1.2 wants the INN with the name (reference
// 4.1).
func (f *form) buyer() {
	f.req.CustomerName = f.doc.Buyer.Name
	f.named(f.doc.Buyer.INN != "", f.o.Names.BuyerINN, "buyer.inn", f.doc.Buyer.INN)
	if f.o.FFD == fiscal.FFD12 && f.doc.Buyer.Name != "" && f.doc.Buyer.INN == "" {
		f.fail(fiscal.CodeBadValue, "buyer.inn", "the service wants it with the buyer's name")
	}
}

// payments fills the amounts. Cash is what was tendered: the service's change
// is what exceeds the total (reference 3.2), and so equals ours.
func (f *form) payments() {
	p := f.doc.Payments
	f.only(p.Other != 0, "payments.other", "the service has no field for tag 1217")
	switch {
	case p.NonCash() > f.doc.Total:
		f.fail(fiscal.CodeNoncashOverTotal, "payments", p.NonCash().String()+" without cash, the total is "+f.doc.Total.String())
	case p.Total() < f.doc.Total:
		f.fail(fiscal.CodePaymentsShort, "payments", p.Total().String()+" paid, the total is "+f.doc.Total.String())
	case p.Total() > f.doc.Total:
		f.fail(fiscal.CodeBadValue, "payments", p.Total().String()+" paid without change, the total is "+f.doc.Total.String())
	}
	f.req.Cash = p.Cash + f.doc.Change
	f.req.Card, f.req.Prepayment, f.req.Credit = p.Card, p.Prepayment, p.Credit
}
