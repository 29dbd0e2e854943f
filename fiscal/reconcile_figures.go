package fiscal

// ReportFigures are the counts and sums of one side of a report. What the side
// does not tell is absent, never zero.
type ReportFigures struct {
	FirstFD     uint32                `json:"first_fd,omitempty"`
	LastFD      uint32                `json:"last_fd,omitempty"`
	Receipts    uint32                `json:"receipts"`
	Documents   uint32                `json:"documents,omitempty"`
	ByKind      map[Kind]*KindFigures `json:"by_kind"`
	Corrections map[Kind]*Tally       `json:"corrections,omitempty"`
	CashIn      *Tally                `json:"cash_in,omitempty"`
	CashOut     *Tally                `json:"cash_out,omitempty"`
}

// KindFigures are the figures of one kind of receipt, corrections included.
type KindFigures struct {
	Count    uint32            `json:"count"`
	Total    Money             `json:"total"`
	Payments *PaymentFigures   `json:"payments,omitempty"`
	VAT      map[VAT]*VATTally `json:"vat,omitempty"`
}

// FiguresOf are the counters of a device as figures of a report.
func FiguresOf(c *Counters) *ReportFigures {
	if c == nil {
		return nil
	}
	f := &ReportFigures{
		FirstFD: c.FirstFD, LastFD: c.LastFD, Receipts: c.Receipts, Documents: c.Documents, ByKind: map[Kind]*KindFigures{},
		Corrections: c.Corrections, CashIn: c.CashIn, CashOut: c.CashOut,
	}
	for kind, k := range c.ByKind {
		if k == nil {
			continue
		}
		own := &KindFigures{Count: k.Count, Total: k.Total, VAT: k.VAT}
		if k.Payments != nil {
			all := allPayments(*k.Payments)
			own.Payments = &all
		}
		f.ByKind[kind] = own
	}
	return f
}

// counters are the figures of the journal, which tells all of them, as
// Compare wants them.
func (f *ReportFigures) counters() Counters {
	c := Counters{
		Receipts: f.Receipts, ByKind: map[Kind]*KindCounters{}, Corrections: f.Corrections, CashIn: f.CashIn, CashOut: f.CashOut,
	}
	for kind, k := range f.ByKind {
		own := &KindCounters{Count: k.Count, Total: k.Total, VAT: k.VAT, Payments: &Payments{}}
		if k.Payments != nil {
			own.Payments.add(*k.Payments)
		}
		c.ByKind[kind] = own
	}
	return c
}

func (p *Payments) add(q PaymentFigures) {
	sums := PaymentFigures{&p.Cash, &p.Card, &p.Prepayment, &p.Credit, &p.Other}
	q.each(sums, func(_ string, more, sum *Money) {
		if more != nil {
			*sum += *more
		}
	})
}

// BookFigures sums the receipts of a book. A kind of payment is there only if
// every receipt of the kind tells it. A receipt whose kind is not told counts
// as a receipt only.
func BookFigures(book []BookEntry) *ReportFigures {
	f := &ReportFigures{ByKind: map[Kind]*KindFigures{}}
	for i := range book {
		e := &book[i]
		f.Documents++
		if !e.receipt() {
			continue
		}
		f.Receipts++
		if e.Total == nil || e.Kind == 0 {
			continue
		}
		k := f.ByKind[e.Kind]
		if k == nil {
			k = &KindFigures{Payments: &PaymentFigures{}, VAT: map[VAT]*VATTally{}}
			f.ByKind[e.Kind] = k
		}
		k.add(e)
		if e.Correction {
			f.addCorrection(e.Kind, *e.Total)
		}
	}
	for _, k := range f.ByKind {
		if !k.Payments.told() {
			k.Payments = nil
		}
		if len(k.VAT) == 0 {
			k.VAT = nil
		}
	}
	return f
}

func (k *KindFigures) add(e *BookEntry) {
	first := k.Count == 0
	k.Count++
	k.Total += *e.Total
	sum := func(sum, more *Money) *Money {
		if more == nil || sum == nil && !first {
			return nil // one receipt that does not tell spoils the sum
		}
		return plus(sum, more)
	}
	p, q := k.Payments, e.Payments
	k.Payments = &PaymentFigures{
		Cash: sum(p.Cash, q.Cash), Card: sum(p.Card, q.Card), Prepayment: sum(p.Prepayment, q.Prepayment),
		Credit: sum(p.Credit, q.Credit), Other: sum(p.Other, q.Other),
	}
	for rate, more := range e.VAT {
		t := k.VAT[rate]
		if t == nil {
			t = &VATTally{}
			k.VAT[rate] = t
		}
		t.Base, t.Tax = plus(t.Base, more.Base), plus(t.Tax, more.Tax)
	}
}

func (f *ReportFigures) addCorrection(kind Kind, total Money) {
	if f.Corrections == nil {
		f.Corrections = map[Kind]*Tally{}
	}
	t := f.Corrections[kind]
	if t == nil {
		t = &Tally{}
		f.Corrections[kind] = t
	}
	t.Count++
	t.Total += total
}

// plus adds two figures of which either may be absent. It changes neither.
func plus(a, b *Money) *Money {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	sum := *a + *b
	return &sum
}
