package bifit

import (
	"slices"
	"strconv"

	"kassad/fiscal"
)

// marginOfLine is how far the sum of a line may be from price × quantity
// (reference 12.9: the tolerance of the service is not known).
const marginOfLine fiscal.Money = 1

// Check tells whether the service has a field for everything in doc, and a word
// for every value. It does not use the network.
func (d *Driver) Check(doc fiscal.Document) error {
	if !slices.Contains(d.Verbs(), doc.Verb) {
		return unsupported("", "the service has no "+string(doc.Verb))
	}
	if err := doc.CheckDevice(d.info()); err != nil {
		return err
	}
	for _, check := range []func(fiscal.Document) *fiscal.Error{d.checkHead, d.checkLines, d.checkPayments} {
		if err := check(doc); err != nil {
			return err
		}
	}
	return nil
}

func unsupported(field, detail string) *fiscal.Error {
	return fiscal.Refuse(fiscal.CodeUnsupported, field, detail)
}

// checkHead looks at what belongs to the whole receipt.
func (d *Driver) checkHead(doc fiscal.Document) *fiscal.Error {
	switch {
	case d.words["type."+string(doc.Verb)] == "":
		return unsupported("", "no token is known for "+string(doc.Verb))
	case d.taxation(doc) == 0:
		return unsupported("taxation", "the service needs one, and the configuration has none")
	case d.words["taxation."+d.taxation(doc).String()] == "":
		return unsupported("taxation", "the service has no "+d.taxation(doc).String())
	case doc.Buyer != (fiscal.Buyer{}):
		return unsupported("buyer", "the service has no field for the buyer's name and INN")
	case doc.Internet || doc.Place != "":
		return unsupported("internet", "the service has no field for the sign of an internet sale")
	case doc.Additional != "":
		return unsupported("additional", "the service has no field for it")
	case doc.Correction != nil:
		return unsupported("correction", "the service has no corrections")
	}
	return nil
}

func (d *Driver) checkLines(doc fiscal.Document) *fiscal.Error {
	if len(doc.Lines) == 0 {
		return fiscal.Refuse(fiscal.CodeEmpty, "items", "no items")
	}
	var total fiscal.Money
	for i, l := range doc.Lines {
		field := "items[" + strconv.Itoa(i) + "]"
		if err := d.checkLine(field, l); err != nil {
			return err
		}
		if err := checkArithmetic(field, l); err != nil {
			return err
		}
		total += l.Sum
	}
	if total != doc.Total {
		return fiscal.Refuse(fiscal.CodeBadValue, "total", "the items come to "+total.String())
	}
	return nil
}

// checkLine looks for what has no field or no word.
func (d *Driver) checkLine(field string, l fiscal.Line) *fiscal.Error {
	switch {
	case l.Name == "":
		return fiscal.Refuse(fiscal.CodeBadValue, field+".name", "required")
	case l.Subject.Marked():
		return fiscal.Refuse(fiscal.CodeMarkingUnsupported, field+".subject", "no field is known for marking codes")
	case d.words["subject."+l.Subject.String()] == "":
		return unsupported(field+".subject", "no token is known for "+l.Subject.String())
	case d.words["method."+l.Method.String()] == "":
		return unsupported(field+".method", "no token is known for "+l.Method.String())
	case d.words["vat."+l.VAT.String()] == "":
		return unsupported(field+".vat", "no token is known for "+l.VAT.String())
	case l.Agent != nil:
		return unsupported(field+".agent", "no field is known for agents")
	case l.Additional != "":
		return unsupported(field+".additional", "the service has no field for it")
	case l.Department > 1:
		return unsupported(field+".department", "the service has no departments")
	case l.Unit != fiscal.Piece && d.words[keyUnit] == "" && d.opt.StrictUnits:
		return unsupported(field+".unit", "no field is known for units")
	}
	return nil
}

func checkArithmetic(field string, l fiscal.Line) *fiscal.Error {
	switch {
	case l.Price < 0 || l.Price > fiscal.MoneyMax:
		return fiscal.Refuse(fiscal.CodeBadValue, field+".price", "out of range")
	case l.Quantity < 1 || l.Quantity > fiscal.QuantityMax:
		return fiscal.Refuse(fiscal.CodeBadValue, field+".quantity", "must be positive")
	case l.Sum < 0 || l.Sum > fiscal.MoneyMax:
		return fiscal.Refuse(fiscal.CodeBadValue, field+".sum", "out of range")
	}
	if off := l.Price.Sum(l.Quantity) - l.Sum; off > marginOfLine || off < -marginOfLine {
		return unsupported(field+".sum", "more than a kopeck away from price × quantity")
	}
	return nil
}

func (d *Driver) checkPayments(doc fiscal.Document) *fiscal.Error {
	for _, p := range amounts(doc.Payments) {
		switch {
		case p.amount < 0:
			return fiscal.Refuse(fiscal.CodeBadValue, "payments."+p.name, "out of range")
		case p.amount > 0 && d.words["payment."+p.name] == "":
			return unsupported("payments."+p.name, "no token is known for it")
		}
	}
	switch {
	case doc.Payments.Total() != doc.Total:
		return fiscal.Refuse(fiscal.CodeBadValue, "payments", "they come to "+doc.Payments.Total().String())
	case doc.Total == 0:
		return unsupported("payments", "a receipt of 0.00 has no payment, and the service needs one")
	}
	return nil
}

func (d *Driver) taxation(doc fiscal.Document) fiscal.Taxation {
	if doc.Taxation == 0 {
		return d.opt.Taxation
	}
	return doc.Taxation
}

// amount is a payment by the word of the contract.
type amount struct {
	name   string
	amount fiscal.Money
}

func amounts(p fiscal.Payments) []amount {
	return []amount{{"cash", p.Cash}, {"card", p.Card}, {"prepayment", p.Prepayment}, {"credit", p.Credit}, {"other", p.Other}}
}
