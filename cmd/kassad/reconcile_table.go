package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
)

// about is what a report covers.
func about(device string, shift uint32, since, until mqtt.Instant) string {
	what := device
	if what == "" {
		what = "all"
	}
	if shift != 0 {
		return fmt.Sprintf("%s, shift %d", what, shift)
	}
	return fmt.Sprintf("%s, %s to %s", what, local(time.Time(since)), local(time.Time(until)))
}

// printReport prints a report as people read it.
func printReport(w io.Writer, r mqtt.Reconciliation) error {
	by := ""
	if r.By != "" {
		by = " by " + r.By
	}
	fmt.Fprintf(w, "report %s, %s, %s%s: %s\n", r.ID, local(time.Time(r.At)), r.Why, by, about(r.Device, r.Shift, r.Since, r.Until))
	if len(r.Parts) == 0 {
		fmt.Fprintln(w, "\nno documents")
	}
	for _, p := range r.Parts {
		if err := printPart(w, p); err != nil {
			return err
		}
	}
	return nil
}

// otherSide is the header of the other column.
var otherSide = map[fiscal.Against]string{
	fiscal.AgainstDevice: "DEVICE", fiscal.AgainstConfirmed: "CONFIRMED TO US", fiscal.AgainstImport: "IMPORT",
}

func printPart(w io.Writer, p mqtt.ReconciledPart) error {
	fmt.Fprintf(w, "\n%s: %s\n", partTitle(p), partVerdict(p))
	for _, print := range []func(io.Writer, mqtt.ReconciledPart) error{
		printFigures, printDifferences, printUnconfirmed, printLate, printSettled,
	} {
		if err := print(w, p); err != nil {
			return err
		}
	}
	for _, n := range p.Notes {
		fmt.Fprintln(w, "note:", n)
	}
	return nil
}

func partTitle(p mqtt.ReconciledPart) string {
	title := p.Backend
	if title == "" {
		title = "documents of no backend"
	}
	if p.Shift != 0 {
		title += fmt.Sprintf(", shift %d", p.Shift)
	}
	if p.FN != "" {
		title += ", FN " + p.FN
	}
	switch p.Against {
	case fiscal.AgainstDevice:
		return title + ", against the device"
	case fiscal.AgainstConfirmed:
		return title + ", against what the service confirmed to us"
	default:
		return title + ", against the independent book " + p.Source
	}
}

func partVerdict(p mqtt.ReconciledPart) string {
	switch {
	case p.Agrees:
		return "AGREES"
	case len(p.Differences) > 0:
		return "DIFFERS"
	default:
		return "INCOMPLETE"
	}
}

// figureRow is one figure of both sides; "" is not told.
type figureRow struct{ name, journal, other string }

// figureRows lists the figures of a part in a fixed order.
func figureRows(p mqtt.ReconciledPart) []figureRow {
	journal, other := figuresOf(p.Journal), figuresOf(p.Other)
	var rows []figureRow
	names := map[string]bool{}
	for _, f := range append(slices.Clone(journal), other...) {
		if names[f.name] {
			continue
		}
		names[f.name] = true
		rows = append(rows, figureRow{f.name, value(journal, f.name), value(other, f.name)})
	}
	order := func(name string) string {
		return fmt.Sprintf("%02d", slices.Index(figureOrder, strings.Fields(name)[0]))
	}
	slices.SortStableFunc(rows, func(a, b figureRow) int { return strings.Compare(order(a.name), order(b.name)) })
	return rows
}

// figureOrder is the order of the first words of figures.
var figureOrder = []string{"receipts", "sale", "refund", "buy", "buy-refund", "corrections", "cash-in", "cash-out", "first", "last"}

type figure struct{ name, value string }

func value(figures []figure, name string) string {
	if i := slices.IndexFunc(figures, func(f figure) bool { return f.name == name }); i >= 0 {
		return figures[i].value
	}
	return ""
}

// figuresOf lists what one side tells.
func figuresOf(f *mqtt.ReconciledFigures) (list []figure) {
	if f == nil {
		return nil
	}
	add := func(name, value string) { list = append(list, figure{name, value}) }
	add("receipts", strconv.FormatUint(uint64(f.Receipts), 10))
	for _, kind := range slices.Sorted(maps.Keys(f.ByKind)) {
		k := f.ByKind[kind]
		add(kind+" count", strconv.FormatUint(uint64(k.Count), 10))
		add(kind+" total", k.Total.String())
		if p := k.Payments; p != nil {
			for _, row := range []struct {
				name string
				sum  *fiscal.Money
			}{{"cash", p.Cash}, {"card", p.Card}, {"prepayment", p.Prepayment}, {"credit", p.Credit}, {"other", p.Other}} {
				if row.sum != nil {
					add(kind+" "+row.name, row.sum.String())
				}
			}
		}
		for _, rate := range slices.Sorted(maps.Keys(k.VAT)) {
			if t := k.VAT[rate]; t.Base != nil {
				add(kind+" "+rate+" turnover", t.Base.String())
			}
			if t := k.VAT[rate]; t.Tax != nil {
				add(kind+" "+rate+" tax", t.Tax.String())
			}
		}
	}
	tally := func(name string, t *fiscal.Tally) {
		if t != nil {
			add(name+" count", strconv.FormatUint(uint64(t.Count), 10))
			add(name+" total", t.Total.String())
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(f.Corrections)) {
		tally("corrections "+kind, f.Corrections[kind])
	}
	tally("cash-in", f.CashIn)
	tally("cash-out", f.CashOut)
	if f.FirstFD != 0 {
		add("first FD", strconv.FormatUint(uint64(f.FirstFD), 10))
		add("last FD", strconv.FormatUint(uint64(f.LastFD), 10))
	}
	return list
}

func printFigures(w io.Writer, p mqtt.ReconciledPart) error {
	rows := figureRows(p)
	if len(rows) == 0 {
		return nil
	}
	t := newTable(w, "FIGURE", "JOURNAL", otherSide[p.Against])
	for _, r := range rows {
		if zero(r.journal) && zero(r.other) {
			continue
		}
		t.row(r.name, r.journal, r.other)
	}
	return t.flush()
}

// zero tells whether a figure says nothing in a table.
func zero(s string) bool { return s == "" || s == "0" || s == "0.00" }

func printDifferences(w io.Writer, p mqtt.ReconciledPart) error {
	if len(p.Differences) == 0 {
		return nil
	}
	t := newSection(w, "DIFFERENCE", "DOCUMENT", "JOURNAL", otherSide[p.Against], "COMMAND", "TEXT")
	for _, d := range p.Differences {
		t.row(string(d.Code), document(d), d.Journal, d.Other, d.ID, d.Text)
	}
	return t.flush()
}

// newSection is a table below others.
func newSection(w io.Writer, header ...string) *table {
	fmt.Fprintln(w)
	return newTable(w, header...)
}

// document names what a difference is about.
func document(d mqtt.ReconciledDifference) string {
	switch {
	case d.FD != 0:
		return "FD " + strconv.FormatUint(uint64(d.FD), 10)
	case d.FP != "":
		return "FP " + d.FP
	case d.Ticket != "":
		return d.Ticket
	default:
		return d.Figure
	}
}

func amount(m *fiscal.Money) string {
	if m == nil {
		return ""
	}
	return m.String()
}

func printUnconfirmed(w io.Writer, p mqtt.ReconciledPart) error {
	if len(p.Unconfirmed) == 0 {
		return nil
	}
	t := newSection(w, "UNCONFIRMED", "STATE", "SINCE", "TOTAL", "TICKET")
	for _, u := range p.Unconfirmed {
		t.row(u.ID, string(u.State), local(time.Time(u.Since)), amount(u.Total), u.Ticket)
	}
	return t.flush()
}

func printLate(w io.Writer, p mqtt.ReconciledPart) error {
	if len(p.Late) == 0 {
		return nil
	}
	t := newSection(w, "LATE DOCUMENT OF", "FN", "FD", "TICKET", "TOTAL")
	for _, l := range p.Late {
		t.row(l.ID, l.FN, strconv.FormatUint(uint64(l.FD), 10), l.Ticket, l.Total.String())
	}
	return t.flush()
}

func printSettled(w io.Writer, p mqtt.ReconciledPart) error {
	if len(p.Settled) == 0 {
		return nil
	}
	t := newSection(w, "SETTLED BY A PERSON", "ACTION", "BY", "FD", "TOTAL", "AT", "NOTE")
	for _, s := range p.Settled {
		fd := ""
		if s.FD != 0 {
			fd = strconv.FormatUint(uint64(s.FD), 10)
		}
		t.row(s.ID, string(s.Action), s.By, fd, amount(s.Total), local(time.Time(s.At)), s.Note)
	}
	return t.flush()
}
