package fiscal

import (
	"slices"
	"strconv"
	"time"
)

// Draft is a journalled command as the terminal wrote it: list prices with
// discounts, tendered payments, "#" for the rest. Resolve makes the Document of
// it, once, at acceptance. Only the fields that the verb has are looked at.
type Draft struct {
	ID   string
	Verb Verb
	At   time.Time // when the buyer settled

	Cashier  Cashier
	Customer string // phone or e-mail, in any common notation
	Buyer    Buyer
	Taxation Taxation
	Internet bool
	Place    string

	Items      []Item
	Discount   Discount
	Payments   Payments // as tendered
	Rest       Tender   // the kind that pays the rest of the total; NoTender: none
	Total      *Money   // the terminal's own figure; needed for a correction without items
	Additional string   // tag 1192
	NoPrint    bool

	Kind       Kind // of a correction; the other verbs imply it
	Correction *Correction

	Amount Money    // cash-in, cash-out
	Text   []string // text
	Cut    bool     // text
}

// Item is an item as the terminal wrote it.
type Item struct {
	Name       string
	Price      Money // list price
	Quantity   Quantity
	Discount   Discount // an amount is taken off the whole item, not off each unit
	Sum        *Money   // the terminal's own figure after this discount, checked only
	Unit       Unit
	VAT        VAT
	Method     Method  // 0: full payment
	Subject    Subject // 0: goods
	Department uint8   // 0: 1
	Agent      *Agent
	Additional string // tag 1191
}

// Discount lowers a price by a rate or a sum by an amount, not both.
type Discount struct {
	Percent Percent
	Amount  Money
}

// Tender is a kind of payment.
type Tender uint8

// Kinds of payment.
const (
	NoTender Tender = iota
	TenderCash
	TenderCard
	TenderPrepayment
	TenderCredit
	TenderOther
)

// Limits of a command (contract, Limits; format reference 6.4). Texts are
// measured in CP866, after typographic characters are replaced.
const (
	ItemsMax      = 500
	DepartmentMax = 16

	NameMaxChars         = 128 // tag 1030
	CashierMaxChars      = 64  // tag 1021
	ContactMaxBytes      = 64  // tag 1008
	BuyerMaxChars        = 256 // tag 1227
	PlaceMaxChars        = 256 // tag 1187
	AdditionalMaxChars   = 16  // tag 1192
	ItemExtraMaxChars    = 64  // tag 1191
	BasisNumberMaxChars  = 32  // tag 1179
	OperationMaxChars    = 24  // tag 1044
	SupplierMaxChars     = 256 // tag 1225
	TransferNameMaxChars = 64  // tag 1026
	AddressMaxChars      = 256 // tag 1005
	PhonesMax            = 5   // of one party; keeps an item below 1024 bytes of TLV
	TextLinesMax         = 200
	TextLineMaxChars     = 128
)

// advanceName stands for the name that an advance need not have (format
// reference 2.1, method 3).
const advanceName = "Аванс"

// Resolve checks d and makes the document of it: net lines, exact payments and
// change, the same for every backend. The error is an *Error with the code and
// the path of the first thing that is wrong. Key is left to the caller.
func (d Draft) Resolve() (Document, error) {
	c := &checker{}
	doc := Document{ID: d.ID, Verb: d.Verb, At: d.At}
	switch {
	case d.Verb.Receipt():
		d.resolveReceipt(c, &doc)
	case d.Verb == VerbShiftOpen, d.Verb == VerbShiftClose:
		doc.Cashier = c.cashier(d.Cashier)
	case d.Verb.Class() == ClassRecord:
		doc.Cashier = c.cashier(d.Cashier)
		if d.Amount < 1 || d.Amount > MoneyMax {
			c.fail(CodeBadValue, "amount", "must be positive")
		}
		doc.Amount = d.Amount
	case d.Verb == VerbText:
		doc.Text, doc.Cut = c.lines(d.Text), d.Cut
	case d.Verb.Class() != ClassPrint:
		c.fail(CodeUnknownVerb, "", "no document has the verb "+string(d.Verb))
	}
	if d.Verb.Document() && d.At.IsZero() {
		c.fail(CodeBadValue, "at", "required")
	}
	if c.err != nil {
		return Document{}, c.err
	}
	return doc, nil
}

// resolveReceipt fills everything that receipts and corrections share.
func (d Draft) resolveReceipt(c *checker, doc *Document) {
	d.Items = slices.Clone(d.Items) // checking an item normalizes its agent
	doc.Kind = d.Verb.Kind()
	doc.Cashier = c.cashier(d.Cashier)
	doc.Customer = c.contact("customer", d.Customer)
	doc.Buyer = Buyer{Name: c.text("buyer.name", d.Buyer.Name, BuyerMaxChars), INN: c.anyINN("buyer.inn", d.Buyer.INN)}
	doc.Taxation = c.taxation(d.Taxation)
	doc.Internet, doc.Place = d.Internet, c.text("place", d.Place, PlaceMaxChars)
	if d.Internet && d.Customer == "" {
		c.fail(CodeBadValue, "customer", "an internet sale needs the buyer's phone or e-mail")
	}
	doc.Additional = c.text("additional", d.Additional, AdditionalMaxChars)
	doc.NoPrint = d.NoPrint
	if d.Verb == VerbCorrection {
		d.resolveCorrection(c, doc)
	}
	d.checkItems(c)
	if c.err != nil {
		return
	}
	d.resolveTotals(c, doc)
}

// resolveTotals computes lines, total, payments and change. The items are
// known to be sane.
func (d Draft) resolveTotals(c *checker, doc *Document) {
	if len(d.Items) > 0 {
		shares := d.shares(c)
		if c.err != nil {
			return
		}
		doc.Lines = d.lines(shares)
		if len(doc.Lines) > ItemsMax {
			c.fail(CodeTooLarge, "items", "discounts split the items into more than "+strconv.Itoa(ItemsMax)+" lines")
			return
		}
		for i := range doc.Lines {
			doc.Total += doc.Lines[i].Sum
		}
		if d.Total != nil && *d.Total != doc.Total {
			c.fail(CodeBadValue, "total", "the items come to "+doc.Total.String())
		}
	} else {
		doc.Total = *d.Total
	}
	if doc.Total > MoneyMax {
		c.fail(CodeBadValue, "items", "the total exceeds "+MoneyMax.String())
		return
	}
	d.resolvePayments(c, doc)
}

// resolveCorrection checks the base of a correction (format reference 4.6).
// Whether the device can carry it is CheckDevice's question.
func (d Draft) resolveCorrection(c *checker, doc *Document) {
	base := Correction{}
	if d.Correction != nil {
		base = *d.Correction
	} else {
		c.fail(CodeBadValue, "correction", "required")
	}
	if d.Kind < Sale || d.Kind > BuyRefund {
		c.fail(CodeBadValue, "correction.kind", "required")
	}
	doc.Kind = d.Kind
	switch {
	case base.Date.IsZero():
		c.fail(CodeBadValue, "correction.date", "required")
	case !d.At.IsZero() && day(base.Date).After(day(d.At)):
		c.fail(CodeBadValue, "correction.date", "lies after the settlement's at")
	}
	base.Date = day(base.Date)
	base.Number = c.text("correction.number", base.Number, BasisNumberMaxChars)
	if base.ByOrder && base.Number == "" {
		c.fail(CodeBadValue, "correction.number", "a correction by order needs the order's number")
	}
	if len(base.FP) > AdditionalMaxChars || !allDigits(base.FP) {
		c.fail(CodeBadValue, "correction.fp", "a fiscal sign is a decimal number")
	}
	if base.FP != "" && d.Additional != "" {
		c.fail(CodeBadValue, "additional", "its place is taken by correction.fp")
	}
	if len(d.Items) == 0 {
		d.checkTotalsOnly(c, base)
	} else if len(base.VAT) > 0 {
		c.fail(CodeBadValue, "vat", "only a correction without items has sums of its own")
	}
	doc.Correction = &base
}

// checkTotalsOnly checks a correction without items (format reference 1.5).
func (d Draft) checkTotalsOnly(c *checker, base Correction) {
	if d.Total == nil || *d.Total < 1 || *d.Total > MoneyMax {
		c.fail(CodeBadValue, "total", "a correction without items needs its total")
		return
	}
	if d.Discount != (Discount{}) {
		c.fail(CodeBadValue, "discount", "there are no items to discount")
	}
	if len(base.VAT) == 0 {
		c.fail(CodeBadValue, "vat", "a correction without items needs the sums of VAT")
	}
	for rate := VAT20; rate <= VAT122; rate++ { // in order, so that the same error comes first
		sum, ok := base.VAT[rate]
		limit := *d.Total
		if rate != VAT0 && rate != VATNone {
			limit = rate.Tax(*d.Total) + 1 // a kopeck for rounding per line
		}
		if ok && (sum < 0 || sum > limit) {
			c.fail(CodeBadValue, "vat."+rate.String(), "exceeds what the total can hold")
		}
	}
}

// day drops the time of day and the zone.
func day(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
