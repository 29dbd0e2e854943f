package bifit

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"kassad/fiscal"
)

// Limits of a receipt. Lengths are those of the fiscal format (section 4.2).
const (
	nameMax         = 128
	cashierMax      = 64
	contactMax      = 64
	placeMax        = 256
	innDigits       = 12
	lineTolerance   = fiscal.Money(1)       // kopecks a line (section 12.9 [C])
	quantityStep    = fiscal.Quantity(1000) // three decimals (section 4.2)
	tagByteMax      = 255
	fractionMax     = 1<<32 - 1
	quantityDecimal = 3
)

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// check judges a receipt that has all its fields: first every word, then every
// amount, in the order of section 14.4.
func (r *receipt) check(cfg *Config) *problem {
	if p := r.checkWords(cfg); p != nil {
		return p
	}
	if p := r.checkItems(&cfg.Tolerate); p != nil {
		return p
	}
	if p := r.checkSums(&cfg.Tolerate); p != nil {
		return p
	}
	return r.checkTexts(cfg)
}

func (r *receipt) checkWords(cfg *Config) *problem {
	if cfg.Tolerate.Tokens {
		return nil
	}
	t := &cfg.Table
	type word struct {
		terms        Terms
		field, token string
	}
	words := []word{{t.Types, "type", r.kind}, {t.TaxSystems, "taxSystem", r.taxSystem}}
	for n, i := range r.items {
		at := fmt.Sprintf("items[%d].", n)
		words = append(words, word{t.Methods, at + "calculationMethod", i.method},
			word{t.Subjects, at + "paymentSubject", i.subject}, word{t.VAT, at + "vat", i.vat})
	}
	for _, p := range r.payments {
		words = append(words, word{t.Payments, "payments." + p.token, p.token})
	}
	for _, w := range words {
		if _, ok := w.terms.Value(w.token); !ok {
			return &problem{w.field, fmt.Sprintf("unknown value %q", w.token)}
		}
	}
	return nil
}

func (r *receipt) checkItems(t *Tolerate) *problem {
	for n, i := range r.items {
		field := func(name string) string { return fmt.Sprintf("items[%d].%s", n, name) }
		switch {
		case !t.Quantity && i.quantity <= 0:
			return &problem{field("quantity"), "must be above zero"}
		case !t.Quantity && i.quantity%quantityStep != 0:
			return &problem{field("quantity"), fmt.Sprintf("has more than %d decimals", quantityDecimal)}
		case !t.Price && i.price < 0:
			return &problem{field("price"), "must not be negative"}
		case !t.Lines && !i.fits():
			return &problem{field("total"), "is not price × quantity"}
		}
	}
	return nil
}

// fits tells whether the line's total is its price times its quantity.
func (i item) fits() bool {
	if i.price < 0 || i.quantity < 0 {
		return false
	}
	off := i.price.Sum(i.quantity) - i.total
	return max(off, -off) <= lineTolerance
}

func (r *receipt) checkSums(t *Tolerate) *problem {
	var lines, paid fiscal.Money
	for _, i := range r.items {
		lines += i.total
	}
	for _, p := range r.payments {
		paid += p.amount
	}
	switch {
	case !t.Sum && lines != r.total:
		return &problem{"total", fmt.Sprintf("is %v, the lines make %v", r.total, lines)}
	case !t.Paid && paid != r.total:
		return &problem{"payments", fmt.Sprintf("are %v, the total is %v", paid, r.total)}
	}
	for _, p := range r.payments {
		if !t.Paid && p.amount < 0 {
			return &problem{"payments." + p.token, "must not be negative"}
		}
	}
	return nil
}

func (r *receipt) checkTexts(cfg *Config) *problem {
	if !cfg.Tolerate.CashierINN && r.inn != "" && (len(r.inn) != innDigits || !fiscal.ValidINN(r.inn)) {
		return &problem{"cashier.inn", "is not an INN of 12 digits"}
	}
	if cfg.Tolerate.Lengths {
		return nil
	}
	type text struct {
		field, value string
		max          int
	}
	texts := []text{
		{"cashier.name", r.cashier, cashierMax}, {"client.address", r.contact, contactMax}, {cfg.Table.PaymentAddress, r.place, placeMax},
	}
	for n, i := range r.items {
		texts = append(texts, text{fmt.Sprintf("items[%d].name", n), i.name, nameMax})
	}
	for _, v := range texts {
		if utf8.RuneCountInString(v.value) > v.max {
			return &problem{v.field, fmt.Sprintf("is longer than %d", v.max)}
		}
	}
	return nil
}
