package fiscal

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Differences lists everything in which the two books disagree, document by
// document in the order of their numbers. side names the other book: "the
// fiscal storage", "the service", "the import".
func (m *Matching) Differences(side string) []Mismatch {
	var found []Mismatch
	for _, p := range m.twice {
		found = append(found, about(p.Journal, MismatchTwoCommands, p.Journal.ID, p.Other.ID,
			"%s belongs to two commands, %s and %s", p.Journal.name(), p.Journal.ID, p.Other.ID))
	}
	for _, p := range m.twiceInOther {
		found = append(found, about(p.Journal, MismatchTwoDocuments, "", p.Other.Where,
			"%s has %s twice: %s and %s", side, p.Journal.name(), p.Journal.Where, p.Other.Where))
	}
	for _, p := range m.Pairs {
		found = append(found, p.differences(side)...)
	}
	for _, e := range m.OnlyJournal {
		found = append(found, about(e, MismatchMissing, e.sum(), "", "%s has no %s of command %s", side, e.name(), e.ID))
	}
	for _, e := range m.OnlyOther {
		found = append(found, about(e, MismatchForeign, "", e.sum(), "%s has %s, and no command made it", side, e.name()))
	}
	slices.SortStableFunc(found, func(a, b Mismatch) int { return cmp.Or(cmp.Compare(a.FN, b.FN), cmp.Compare(a.FD, b.FD)) })
	return found
}

// differences of one document. What one of the books does not tell is not
// compared. A document that a person named is compared as well: it may be
// another's.
func (p Pair) differences(side string) (found []Mismatch) {
	j, o := p.Journal, p.Other
	add := func(code MismatchCode, figure, journal, other string) {
		if journal == other {
			return
		}
		d := about(j, code, journal, other, "%s: %s is %s in the journal and %s in %s", j.name(), figure, journal, other, side)
		d.Figure = figure
		if o.FD != 0 {
			d.FN, d.FD = o.FN, o.FD
		}
		found = append(found, d)
	}
	money := func(code MismatchCode, figure string, journal, other *Money, slack Money) {
		if journal != nil && other != nil && max(*journal-*other, *other-*journal) > slack {
			add(code, figure, journal.String(), other.String())
		}
	}
	if j.receipt() && o.receipt() && j.Kind != 0 && o.Kind != 0 {
		add(MismatchKind, "kind", j.Kind.String(), o.Kind.String())
	} else if j.Form != 0 && o.Form != 0 && j.receipt() != o.receipt() {
		add(MismatchKind, "form", strconv.Itoa(int(j.Form)), strconv.Itoa(int(o.Form)))
	}
	money(MismatchTotal, "total", j.Total, o.Total, 0)
	j.Payments.each(o.Payments, func(name string, a, b *Money) { money(MismatchPayments, "payments."+name, a, b, 0) })
	for _, rate := range vatTokens {
		a, b := j.VAT[rate.value], o.VAT[rate.value]
		_, told := o.VAT[rate.value]
		if told && len(j.VAT) > 0 && a == (VATTally{}) {
			a = VATTally{Base: new(Money), Tax: new(Money)} // the journal tells every rate that it has
		}
		money(MismatchVAT, "vat."+rate.word+".base", a.Base, b.Base, 0)
		money(MismatchVAT, "vat."+rate.word+".tax", a.Tax, b.Tax, max(j.TaxSlack, o.TaxSlack))
	}
	if j.Sign != 0 && o.Sign != 0 {
		add(MismatchSign, "fp", strconv.FormatUint(uint64(j.Sign), 10), strconv.FormatUint(uint64(o.Sign), 10))
	}
	return found
}

// about is a difference that names the document of e.
func about(e *BookEntry, code MismatchCode, journal, other, format string, args ...any) Mismatch {
	return Mismatch{
		Code: code, Text: fmt.Sprintf(format, args...), ID: e.ID, FN: e.FN, FD: e.FD, Sign: e.Sign, Ticket: e.Ticket,
		Journal: journal, Other: other,
	}
}

// sum is what a document is about, for a difference of one side.
func (e *BookEntry) sum() string {
	switch {
	case e.Total != nil && e.Kind != 0:
		return e.Kind.String() + " " + e.Total.String()
	case e.Total != nil:
		return e.Total.String()
	case e.Form == FormShiftOpen:
		return string(VerbShiftOpen)
	case e.Form == FormShiftClose:
		return string(VerbShiftClose)
	default:
		return "document"
	}
}

// FigureDifferences holds the journal's sums against the counters of a device
// (see Compare).
func FigureDifferences(journal *ReportFigures, device *Counters) []Mismatch {
	var found []Mismatch
	for _, d := range Compare(*device, journal.counters()).Differences {
		found = append(found, Mismatch{
			Code: MismatchFigure, Figure: d.Figure, Journal: d.Journal, Other: d.Device,
			Text: fmt.Sprintf("%s is %s in the journal and %s by the device's counters", d.Figure, d.Journal, d.Device),
		})
	}
	return found
}

// LateDifferences names every document that was made beside another of the same
// command, or after the command was given up.
func LateDifferences(late []LateFound) []Mismatch {
	var found []Mismatch
	for _, l := range late {
		found = append(found, Mismatch{
			Code: MismatchTwoDocuments, ID: l.ID, FN: l.FN, FD: l.FD, Ticket: l.Ticket, Other: l.Total.String(),
			Text: fmt.Sprintf("an attempt of %s on %s that was given up made a document of %s after all", l.ID, l.Device, l.Total),
		})
	}
	return found
}

// MissingNumbers lists the numbers between the first and the last document of
// each storage that neither book has, and the difference that each run is.
func MissingNumbers(books ...[]BookEntry) (gaps []Gap, found []Mismatch) {
	numbers := map[string][]uint32{}
	for _, book := range books {
		for i := range book {
			if e := &book[i]; e.FN != "" && e.FD != 0 {
				numbers[e.FN] = append(numbers[e.FN], e.FD)
			}
		}
	}
	for fn, list := range numbers {
		slices.Sort(list)
		for i := 1; i < len(list); i++ {
			if list[i] > list[i-1]+1 {
				gaps = append(gaps, Gap{FN: fn, From: list[i-1] + 1, To: list[i] - 1})
			}
		}
	}
	slices.SortFunc(gaps, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.FN, b.FN), cmp.Compare(a.From, b.From)) })
	for _, g := range gaps {
		found = append(found, Mismatch{Code: MismatchGap, FN: g.FN, FD: g.From, Text: "no book has " + g.String()})
	}
	return gaps, found
}
