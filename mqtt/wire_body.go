package mqtt

import (
	"math"

	"kassad/fiscal"
)

// The bodies of the verbs. Each table is the whole of what the contract allows
// there; the structs in wire_request.go say the same to schemas.

// bodyOf returns the members of a verb's body.
func bodyOf(verb fiscal.Verb) []field[Command] {
	switch verb {
	case fiscal.VerbSale, fiscal.VerbRefund, fiscal.VerbBuy, fiscal.VerbBuyRefund:
		return receiptBody
	case fiscal.VerbCorrection:
		return correctionBody
	case fiscal.VerbShiftOpen, fiscal.VerbShiftClose:
		return shiftBody
	case fiscal.VerbCashIn, fiscal.VerbCashOut:
		return cashBody
	case fiscal.VerbText:
		return textBody
	case fiscal.VerbDocument:
		return documentBody
	case fiscal.VerbQuery, fiscal.VerbCancel:
		return targetBody
	case fiscal.VerbSync:
		return syncBody
	default:
		return nil
	}
}

var cashierField = field[Command]{"cashier", false, func(b *binder, v *jsonValue, c *Command) {
	bindObject(b, v, cashierFields, &c.Draft.Cashier)
}}

var receiptBody = []field[Command]{
	cashierField,
	{"customer", false, func(b *binder, v *jsonValue, c *Command) { c.Draft.Customer = b.text(v) }},
	{"buyer", false, func(b *binder, v *jsonValue, c *Command) { bindObject(b, v, buyerFields, &c.Draft.Buyer) }},
	{"taxation", false, func(b *binder, v *jsonValue, c *Command) { b.word(v, &c.Draft.Taxation) }},
	{"internet", false, func(b *binder, v *jsonValue, c *Command) { c.Draft.Internet = b.bool(v) }},
	{"place", false, func(b *binder, v *jsonValue, c *Command) { c.Draft.Place = b.text(v) }},
	{"items", false, func(b *binder, v *jsonValue, c *Command) { c.Draft.Items = b.items(v) }},
	{"discount", false, func(b *binder, v *jsonValue, c *Command) { bindObject(b, v, discountFields, &c.Draft.Discount) }},
	{"payments", false, func(b *binder, v *jsonValue, c *Command) { bindObject(b, v, paymentFields, &c.Draft) }},
	{"total", false, func(b *binder, v *jsonValue, c *Command) { c.Draft.Total = new(b.money(v)) }},
	{"additional", false, func(b *binder, v *jsonValue, c *Command) { c.Draft.Additional = b.text(v) }},
	{"print", false, func(b *binder, v *jsonValue, c *Command) { c.Draft.NoPrint = !b.bool(v) }},
}

var correctionBody = append(receiptBody[:len(receiptBody):len(receiptBody)],
	field[Command]{"correction", true, func(b *binder, v *jsonValue, c *Command) { bindObject(b, v, correctionFields, c.base()) }},
	field[Command]{"vat", false, func(b *binder, v *jsonValue, c *Command) { c.base().Correction.VAT = b.taxes(v) }},
)

// base is the draft with room for a correction's base; its two members may
// come in any order.
func (c *Command) base() *fiscal.Draft {
	if c.Draft.Correction == nil {
		c.Draft.Correction = &fiscal.Correction{}
	}
	return &c.Draft
}

var correctionFields = []field[fiscal.Draft]{
	{"kind", true, func(b *binder, v *jsonValue, d *fiscal.Draft) { b.word(v, &d.Kind) }},
	{"by", true, func(b *binder, v *jsonValue, d *fiscal.Draft) {
		switch s := b.text(v); s {
		case "self", "order":
			d.Correction.ByOrder = s == "order"
		default:
			b.fail(fiscal.CodeBadValue, "must be self or order")
		}
	}},
	{"date", true, func(b *binder, v *jsonValue, d *fiscal.Draft) { d.Correction.Date = b.date(v) }},
	{"number", false, func(b *binder, v *jsonValue, d *fiscal.Draft) { d.Correction.Number = b.text(v) }},
	{"fp", false, func(b *binder, v *jsonValue, d *fiscal.Draft) { d.Correction.FP = b.text(v) }},
}

var cashierFields = []field[fiscal.Cashier]{
	{"name", false, func(b *binder, v *jsonValue, c *fiscal.Cashier) { c.Name = b.text(v) }},
	{"inn", false, func(b *binder, v *jsonValue, c *fiscal.Cashier) { c.INN = b.text(v) }},
}

var buyerFields = []field[fiscal.Buyer]{
	{"name", false, func(b *binder, v *jsonValue, c *fiscal.Buyer) { c.Name = b.text(v) }},
	{"inn", false, func(b *binder, v *jsonValue, c *fiscal.Buyer) { c.INN = b.text(v) }},
}

var itemFields = []field[fiscal.Item]{
	{"name", false, func(b *binder, v *jsonValue, it *fiscal.Item) { it.Name = b.text(v) }},
	{"price", true, func(b *binder, v *jsonValue, it *fiscal.Item) { it.Price = b.money(v) }},
	{"quantity", true, func(b *binder, v *jsonValue, it *fiscal.Item) {
		if it.Quantity = b.quantity(v); it.Quantity == 0 {
			b.fail(fiscal.CodeBadValue, "must be positive")
		}
	}},
	{"unit", false, func(b *binder, v *jsonValue, it *fiscal.Item) { b.word(v, &it.Unit) }},
	{"vat", true, func(b *binder, v *jsonValue, it *fiscal.Item) { b.word(v, &it.VAT) }},
	{"method", false, func(b *binder, v *jsonValue, it *fiscal.Item) { b.word(v, &it.Method) }},
	{"subject", false, func(b *binder, v *jsonValue, it *fiscal.Item) { it.Subject = b.subject(v) }},
	{"discount", false, func(b *binder, v *jsonValue, it *fiscal.Item) { bindObject(b, v, discountFields, &it.Discount) }},
	{"sum", false, func(b *binder, v *jsonValue, it *fiscal.Item) { it.Sum = new(b.money(v)) }},
	{"department", false, func(b *binder, v *jsonValue, it *fiscal.Item) {
		it.Department = uint8(b.whole(v, 1, fiscal.DepartmentMax))
	}},
	{"agent", false, func(b *binder, v *jsonValue, it *fiscal.Item) {
		it.Agent = &fiscal.Agent{}
		bindObject(b, v, agentFields, it.Agent)
	}},
	{"additional", false, func(b *binder, v *jsonValue, it *fiscal.Item) { it.Additional = b.text(v) }},
}

func (b *binder) items(v *jsonValue) []fiscal.Item {
	items := make([]fiscal.Item, min(len(v.items), fiscal.ItemsMax))
	bindArray(b, v, fiscal.ItemsMax, func(i int, item *jsonValue) { bindObject(b, item, itemFields, &items[i]) })
	return items
}

// subject reads a word, or the number of tag 1212.
func (b *binder) subject(v *jsonValue) (s fiscal.Subject) {
	if v.kind != jsonNumber {
		b.word(v, &s)
	} else if err := s.UnmarshalText([]byte(v.text)); err != nil {
		b.fail(fiscal.CodeBadValue, "no such subject")
	}
	return s
}

var discountFields = []field[fiscal.Discount]{
	{"percent", false, func(b *binder, v *jsonValue, d *fiscal.Discount) { d.Percent = b.percent(v) }},
	{"amount", false, func(b *binder, v *jsonValue, d *fiscal.Discount) { d.Amount = b.money(v) }},
}

// restMark in place of an amount pays the rest of the total.
const restMark = "#"

var paymentFields = []field[fiscal.Draft]{
	payment("cash", fiscal.TenderCash, func(p *fiscal.Payments) *fiscal.Money { return &p.Cash }),
	payment("card", fiscal.TenderCard, func(p *fiscal.Payments) *fiscal.Money { return &p.Card }),
	payment("prepayment", fiscal.TenderPrepayment, func(p *fiscal.Payments) *fiscal.Money { return &p.Prepayment }),
	payment("credit", fiscal.TenderCredit, func(p *fiscal.Payments) *fiscal.Money { return &p.Credit }),
	payment("other", fiscal.TenderOther, func(p *fiscal.Payments) *fiscal.Money { return &p.Other }),
}

func payment(name string, kind fiscal.Tender, of func(*fiscal.Payments) *fiscal.Money) field[fiscal.Draft] {
	return field[fiscal.Draft]{name, false, func(b *binder, v *jsonValue, d *fiscal.Draft) {
		switch {
		case v.kind != jsonString || v.text != restMark:
			*of(&d.Payments) = b.money(v)
		case d.Rest != fiscal.NoTender:
			b.fail(fiscal.CodeBadValue, "only one payment may be the rest")
		default:
			d.Rest = kind
		}
	}}
}

// taxes reads the sums by rate of a correction without items.
func (b *binder) taxes(v *jsonValue) map[fiscal.VAT]fiscal.Money {
	if !b.expect(v, jsonObject) {
		return nil
	}
	sums := make(map[fiscal.VAT]fiscal.Money, len(v.members))
	for i := range v.members {
		m := &v.members[i]
		b.enter(m.key)
		var rate fiscal.VAT
		if err := rate.UnmarshalText([]byte(m.key)); err != nil {
			b.fail(fiscal.CodeUnknownField, "no such rate")
		}
		sums[rate] = b.money(&m.value)
		b.leave()
	}
	return sums
}

var agentFields = []field[fiscal.Agent]{
	{"type", true, func(b *binder, v *jsonValue, a *fiscal.Agent) { b.word(v, &a.Type) }},
	{"supplier", true, func(b *binder, v *jsonValue, a *fiscal.Agent) { bindObject(b, v, supplierFields, &a.Supplier) }},
	{"operation", false, func(b *binder, v *jsonValue, a *fiscal.Agent) { a.Operation = b.text(v) }},
	{"phones", false, func(b *binder, v *jsonValue, a *fiscal.Agent) { a.Phones = b.texts(v, fiscal.PhonesMax) }},
	{"acceptor", false, func(b *binder, v *jsonValue, a *fiscal.Agent) { a.Acceptor = b.texts(v, fiscal.PhonesMax) }},
	{"transfer", false, func(b *binder, v *jsonValue, a *fiscal.Agent) { bindObject(b, v, transferFields, &a.Transfer) }},
}

var supplierFields = []field[fiscal.Supplier]{
	{"name", false, func(b *binder, v *jsonValue, s *fiscal.Supplier) { s.Name = b.text(v) }},
	{"inn", true, func(b *binder, v *jsonValue, s *fiscal.Supplier) { s.INN = b.text(v) }},
	{"phones", false, func(b *binder, v *jsonValue, s *fiscal.Supplier) { s.Phones = b.texts(v, fiscal.PhonesMax) }},
}

var transferFields = []field[fiscal.Transfer]{
	{"name", false, func(b *binder, v *jsonValue, t *fiscal.Transfer) { t.Name = b.text(v) }},
	{"inn", false, func(b *binder, v *jsonValue, t *fiscal.Transfer) { t.INN = b.text(v) }},
	{"address", false, func(b *binder, v *jsonValue, t *fiscal.Transfer) { t.Address = b.text(v) }},
	{"phones", false, func(b *binder, v *jsonValue, t *fiscal.Transfer) { t.Phones = b.texts(v, fiscal.PhonesMax) }},
}

func (b *binder) texts(v *jsonValue, most int) []string {
	out := make([]string, min(len(v.items), most))
	bindArray(b, v, most, func(i int, item *jsonValue) { out[i] = b.text(item) })
	return out
}

var (
	shiftBody = []field[Command]{cashierField}
	cashBody  = []field[Command]{cashierField, {"amount", true, func(b *binder, v *jsonValue, c *Command) {
		if c.Draft.Amount = b.money(v); c.Draft.Amount == 0 {
			b.fail(fiscal.CodeBadValue, "must be positive")
		}
	}}}
	textBody = []field[Command]{
		{"lines", true, func(b *binder, v *jsonValue, c *Command) { c.Draft.Text = b.texts(v, fiscal.TextLinesMax) }},
		{"cut", false, func(b *binder, v *jsonValue, c *Command) { c.Draft.Cut = b.bool(v) }},
	}
	documentBody = []field[Command]{{"fd", true, func(b *binder, v *jsonValue, c *Command) {
		c.FD = uint32(b.whole(v, 1, math.MaxUint32))
	}}}
	targetBody = []field[Command]{{"id", true, func(b *binder, v *jsonValue, c *Command) { c.Target = b.id(v) }}}
	syncBody   = []field[Command]{{"since", true, func(b *binder, v *jsonValue, c *Command) { c.Since = b.since(v) }}}
)

// since reads a time, or a sequence number.
func (b *binder) since(v *jsonValue) Since {
	if v.kind == jsonNumber {
		return Since{Seq: b.whole(v, 0, math.MaxInt64)}
	}
	return Since{At: b.instant(v)}
}
