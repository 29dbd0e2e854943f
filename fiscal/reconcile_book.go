package fiscal

import (
	"strconv"
	"time"
)

// BookEntry is a document as one book has it. What the book does not tell is
// zero, or nil where zero is a figure.
type BookEntry struct {
	FN         string
	FD         uint32
	Sign       uint32
	Ticket     string // what a cloud calls it
	ID         string // the command; "" if the book does not know
	Form       uint8  // Form…
	Kind       Kind   // 0: no receipt, or not told
	Correction bool
	Total      *Money
	Payments   PaymentFigures
	VAT        map[VAT]VATTally // tax, or turnover for VAT0 and VATNone
	TaxSlack   Money            // by which a sum of tax may lawfully differ: a kopeck a line
	At         time.Time        // wall clock of the register, as UTC
	Shift      uint32
	Settled    bool   // a person says that it is the command's
	Where      string // in an imported file: "line 12"
}

// PaymentFigures are the payments that a book tells; nil is not told.
type PaymentFigures struct {
	Cash       *Money `json:"cash,omitempty"`
	Card       *Money `json:"card,omitempty"`
	Prepayment *Money `json:"prepayment,omitempty"`
	Credit     *Money `json:"credit,omitempty"`
	Other      *Money `json:"other,omitempty"`
}

// told tells whether any kind of payment is.
func (p PaymentFigures) told() bool {
	return p.Cash != nil || p.Card != nil || p.Prepayment != nil || p.Credit != nil || p.Other != nil
}

// each calls visit with both sides of every kind of payment.
func (p PaymentFigures) each(q PaymentFigures, visit func(name string, p, q *Money)) {
	visit("cash", p.Cash, q.Cash)
	visit("card", p.Card, q.Card)
	visit("prepayment", p.Prepayment, q.Prepayment)
	visit("credit", p.Credit, q.Credit)
	visit("other", p.Other, q.Other)
}

// allPayments tells every kind.
func allPayments(p Payments) PaymentFigures {
	return PaymentFigures{&p.Cash, &p.Card, &p.Prepayment, &p.Credit, &p.Other}
}

// CommandEntry is the document of a command that is done, as the journal has
// it: what was ordered, under the numbers that were told. It is false for a
// command without a document of its own.
func CommandEntry(r *Record) (BookEntry, bool) {
	if r.State != Done || r.Verb.Class() != ClassFiscal {
		return BookEntry{}, false
	}
	e := BookEntry{ID: r.ID, Ticket: r.Ticket, At: wallOf(r.Document.At)}
	s, settled := SettledOf(r)
	switch {
	case settled:
		e.FD, e.Settled = s.FD, true
		if r.Baseline != nil {
			e.FN = r.Baseline.Storage
		}
	case r.Receipt == nil || r.Receipt.By != "":
		return BookEntry{}, false
	default:
		got := r.Receipt
		e.FN, e.FD, e.Sign, e.Shift, e.At = got.Storage, got.FD, got.Sign, got.Shift, got.At
		if got.Ticket != "" {
			e.Ticket = got.Ticket
		}
	}
	e.order(r)
	return e, true
}

// order fills in what the command asked for.
func (e *BookEntry) order(r *Record) {
	d := &r.Document
	switch r.Verb {
	case VerbShiftOpen:
		e.Form = FormShiftOpen
		return
	case VerbShiftClose:
		e.Form = FormShiftClose
		return
	case VerbCorrection:
		e.Form, e.Correction = FormCorrection, true
	default:
		e.Form = FormReceipt
	}
	if e.Kind = d.Kind; e.Kind == 0 {
		e.Kind = r.Verb.Kind()
	}
	e.Total, e.Payments = &d.Total, allPayments(d.Payments)
	e.VAT, e.TaxSlack = map[VAT]VATTally{}, Money(len(d.Lines))
	for rate, sum := range d.TaxByRate() {
		if rate == VAT0 || rate == VATNone {
			e.VAT[rate] = VATTally{Base: &sum}
		} else {
			e.VAT[rate] = VATTally{Tax: &sum}
		}
	}
	for _, l := range d.Lines {
		t := e.VAT[l.VAT]
		if l.VAT != VAT0 && l.VAT != VATNone {
			base := l.Sum
			if t.Base != nil {
				base += *t.Base
			}
			t.Base = &base
			e.VAT[l.VAT] = t
		}
	}
}

// ConfirmedEntry is the document of a command as the service confirmed it;
// false if it confirmed none. Payments and taxes are not confirmed.
func ConfirmedEntry(r *Record) (BookEntry, bool) {
	got := r.Receipt
	if r.State != Done || got == nil || got.By != "" {
		return BookEntry{}, false
	}
	if _, settled := SettledOf(r); settled {
		return BookEntry{}, false
	}
	e := BookEntry{
		FN: got.Storage, FD: got.FD, Sign: got.Sign, Ticket: got.Ticket, ID: r.ID, At: got.At, Shift: got.Shift,
		Kind: Verb(got.Kind).Kind(), Correction: r.Verb == VerbCorrection,
	}
	if r.Verb.Receipt() {
		e.Total = &got.Total
	}
	return e, true
}

// Tags of the payments in an archived document (format reference 1.3).
const (
	tagCash       = 1031
	tagCard       = 1081
	tagPrepayment = 1215
	tagCredit     = 1216
	tagOther      = 1217
)

// ArchivedEntry is a document as the fiscal storage fn has it. Payments are
// told where all tags could be read.
func ArchivedEntry(fn string, d ArchivedDocument) BookEntry {
	e := BookEntry{
		FN: fn, FD: d.FD, Sign: d.Sign, Form: d.Form, At: d.At, Shift: d.Shift,
		Correction: d.Form == FormCorrection || d.Form == FormBSOCorrect,
	}
	if d.Kind == 0 {
		return e
	}
	e.Kind, e.Total = d.Kind, &d.Total
	if !d.Full {
		return e
	}
	for _, t := range d.Tags {
		var into **Money
		switch t.Tag {
		case tagCash:
			into = &e.Payments.Cash
		case tagCard:
			into = &e.Payments.Card
		case tagPrepayment:
			into = &e.Payments.Prepayment
		case tagCredit:
			into = &e.Payments.Credit
		case tagOther:
			into = &e.Payments.Other
		default:
			continue
		}
		if sum, err := ParseMoney(t.Value); err == nil {
			*into = &sum
		}
	}
	return e
}

// receipt tells whether the document is a receipt or a correction, as far as
// the book tells.
func (e *BookEntry) receipt() bool { return e.Kind != 0 || e.Total != nil }

// wallOf is t as a register would write it: local time, as UTC.
func wallOf(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	t = t.Local()
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// name is how people find the document: its number, its sign, or its ticket.
func (e *BookEntry) name() string {
	switch {
	case e.FD != 0:
		return "FD " + strconv.FormatUint(uint64(e.FD), 10)
	case e.Sign != 0:
		return "FP " + strconv.FormatUint(uint64(e.Sign), 10)
	case e.Ticket != "":
		return "ticket " + e.Ticket
	case e.ID != "":
		return "the document of " + e.ID
	default:
		return "a document"
	}
}
