package bifit

import "kassad/fiscal"

// receipt is a registered receipt. Words stay as they came: with checks
// switched off they may be none of the table.
type receipt struct {
	kind, taxSystem string
	cashier, inn    string
	contact         string // client.address
	place           string // paymentAddress
	items           []item
	total           fiscal.Money
	payments        []payment
}

type payment struct {
	token  string
	amount fiscal.Money
}

type item struct {
	method, subject, vat string
	name                 string
	price                fiscal.Money
	quantity             fiscal.Quantity
	total                fiscal.Money
	extra                extensions
}

// extensions are the invented fields of section 14.7.
type extensions struct {
	measure                uint64 // tag 2108
	hasMeasure             bool
	code                   string // marking code
	numerator, denominator uint64
	agent                  uint64 // tag 1222, bits
	agentPhone             string
	supplier               supplier
}

type supplier struct{ name, inn, phone string }

// readReceipt takes a body apart: syntax, then presence and types of all
// fields. Words and amounts are judged later, by check.
func readReceipt(body []byte, cfg *Config) (*receipt, *problem) {
	root, err := parseJSON(body)
	if err != nil {
		return nil, &problem{"", err.Error()}
	}
	o, ok := root.(object)
	if !ok {
		return nil, &problem{"", "must be an object"}
	}
	var found *problem
	s := scope{o, "", &found}
	if !cfg.Tolerate.UnknownFields {
		s.only("type", "taxSystem", "cashier", "client", "items", "total", "payments", cfg.Table.PaymentAddress)
	}
	r := &receipt{
		kind: s.text("type", true), taxSystem: s.text("taxSystem", true), total: s.money("total"),
		place: s.text(cfg.Table.PaymentAddress, false),
	}
	r.readPeople(s, cfg)
	for _, one := range s.items("items") {
		r.items = append(r.items, readItem(one, cfg))
	}
	if paid, ok := s.inner("payments", true); ok {
		for _, token := range paid.names {
			r.payments = append(r.payments, payment{token, paid.money(token)})
		}
	}
	if len(r.items) == 0 && !cfg.Tolerate.NoItems {
		s.report("items", "must have at least one item")
	}
	if len(r.payments) == 0 && !cfg.Tolerate.NoPayments {
		s.report("payments", "must have at least one payment")
	}
	return r, found
}

func (r *receipt) readPeople(s scope, cfg *Config) {
	if cashier, ok := s.inner("cashier", true); ok {
		r.cashier, r.inn = cashier.text("name", true), cashier.text("inn", false)
		if blank(r.cashier) && !cfg.Tolerate.Cashier {
			cashier.report("name", "must not be blank")
		}
		if !cfg.Tolerate.UnknownFields {
			cashier.only("name", "inn")
		}
	}
	if client, ok := s.inner("client", false); ok {
		r.contact = client.text("address", false)
		if !cfg.Tolerate.UnknownFields {
			client.only("address")
		}
	}
}

func readItem(s scope, cfg *Config) item {
	known := []string{"calculationMethod", "paymentSubject", "name", "price", "quantity", "vat", "total"}
	i := item{
		method: s.text("calculationMethod", true), subject: s.text("paymentSubject", true), name: s.text("name", true),
		price: s.money("price"), quantity: s.quantity("quantity"), vat: s.text("vat", true), total: s.money("total"),
	}
	if cfg.Rules.Extensions {
		known = append(known, "measure", "markingCode", "markingFraction", "agent", "supplier")
		i.extra = readExtensions(s)
	}
	if !cfg.Tolerate.UnknownFields {
		s.only(known...)
	}
	return i
}

func readExtensions(s scope) extensions {
	e := extensions{code: s.text("markingCode", false)}
	if e.hasMeasure = s.values["measure"] != nil; e.hasMeasure {
		e.measure = s.whole("measure", tagByteMax)
	}
	if f, ok := s.inner("markingFraction", false); ok {
		e.numerator, e.denominator = f.whole("numerator", fractionMax), f.whole("denominator", fractionMax)
	}
	if a, ok := s.inner("agent", false); ok {
		e.agent, e.agentPhone = a.whole("type", tagByteMax), a.text("phone", false)
	}
	if p, ok := s.inner("supplier", false); ok {
		e.supplier = supplier{p.text("name", false), p.text("inn", false), p.text("phone", false)}
	}
	return e
}
