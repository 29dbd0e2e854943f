package daemon

import (
	"fmt"
	"slices"
	"time"

	"kassad/daemon/book"
	"kassad/fiscal"
	"kassad/spool"
)

// importedBook is a book with the period that it is about.
type importedBook struct{ book.Book }

// importedSource is what the differences call the other side.
const importedSource = "the import"

// imported reconciles the journal against an independent book: every backend,
// each in a section of its own.
func (g *gathering) imported() ([]fiscal.ReportSection, error) {
	if err := g.importPeriod(); err != nil {
		return nil, err
	}
	own, owner, storages, err := g.commands()
	if err != nil {
		return nil, err
	}
	rows, strangers := g.rows(storages)
	m := fiscal.MatchBooks(own, rows)
	m.Within(wallClock(g.order.since.Local()), wallClock(g.order.until.Local()))
	parts := m.Split(func(e *fiscal.BookEntry) string {
		if e.ID != "" {
			return owner[e.ID]
		}
		if name, ok := storages[e.FN]; ok {
			return name
		}
		return g.onlyBackend()
	})
	var sections []fiscal.ReportSection
	for _, name := range g.r.d.cfg.Backends() {
		if g.order.device != "" && g.order.device != name {
			continue
		}
		s, err := g.importSection(name, parts[name])
		if err != nil {
			return nil, err
		}
		sections = append(sections, s)
	}
	if rest := parts[""]; rest != nil {
		s := g.emptyImport("")
		g.fillImport(&s, rest)
		sections = append(sections, s)
	}
	if len(strangers) > 0 && len(sections) > 0 {
		note(&sections[0], strangersNote(strangers))
	}
	return sections, nil
}

// onlyBackend is whose the documents without a storage are that match nothing:
// the one that was asked about, or the only one.
func (g *gathering) onlyBackend() string {
	if g.order.device != "" {
		return g.order.device
	}
	if all := g.r.d.cfg.Backends(); len(all) == 1 {
		return all[0]
	}
	return ""
}

// importPeriod takes the period from the book where nobody has named one: the
// whole days from the first document that may be ours to the last.
func (g *gathering) importPeriod() error {
	known := map[string]bool{"": true}
	err := g.r.d.spool.View(func(tx *spool.Tx) error {
		for _, fn := range tx.Storages() {
			known[fn] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	var first, last time.Time
	for _, e := range g.order.book.Entries {
		if e.At.IsZero() || !known[e.FN] {
			continue
		}
		if first.IsZero() || e.At.Before(first) {
			first = e.At
		}
		if e.At.After(last) {
			last = e.At
		}
	}
	if g.order.since.IsZero() {
		if first.IsZero() {
			return fiscal.Refuse(fiscal.CodeBadValue, "since", "the file has no dates of documents that may be ours: name the period with --since and --until")
		}
		g.order.since = dayOf(first)
	}
	if g.order.until.IsZero() {
		// The end of today, not now: books write whole seconds, and a register may be ahead of this clock.
		g.order.until = dayOf(time.Now()).AddDate(0, 0, 1)
		if end := dayOf(last).AddDate(0, 0, 1); !last.IsZero() && end.Before(g.order.until) {
			g.order.until = end
		}
	}
	return nil
}

// commands lists the documents of the journal in and around the period: with
// each command its backend, and with each storage who has it.
func (g *gathering) commands() (own []fiscal.BookEntry, owner, storages map[string]string, err error) {
	records, err := g.recordsSince(g.order.since)
	if err != nil {
		return nil, nil, nil, err
	}
	owner, storages = map[string]string{}, map[string]string{}
	for _, name := range g.r.d.deviceNames() {
		if fn := g.r.d.view(name).Status.FN.Serial; fn != "" {
			storages[fn] = name
		}
	}
	since := wallClock(g.order.since.Local()).Add(-fiscal.GuessWindow)
	until := wallClock(g.order.until.Local()).Add(fiscal.GuessWindow)
	for i := range records {
		r := &records[i]
		e, ok := fiscal.CommandEntry(r)
		if ok && e.FN != "" && !e.Settled {
			storages[e.FN] = r.Device
		}
		if !ok || !r.Verb.Receipt() || g.order.device != "" && r.Device != g.order.device || e.At.Before(since) || !e.At.Before(until) {
			continue
		}
		own = append(own, e)
		owner[r.ID] = r.Device
	}
	return own, owner, storages, nil
}

// rows are the documents of the book that a backend of this node can have made;
// the others are counted by storage.
func (g *gathering) rows(storages map[string]string) (rows []fiscal.BookEntry, strangers map[string]int) {
	strangers = map[string]int{}
	for _, e := range g.order.book.Entries {
		name, known := storages[e.FN]
		switch {
		case e.FN == "" || known && (g.order.device == "" || g.order.device == name):
			rows = append(rows, e)
		case !known:
			strangers[e.FN]++
		}
	}
	return rows, strangers
}

func strangersNote(strangers map[string]int) string {
	n, example := 0, ""
	for fn, count := range strangers {
		n += count
		if example == "" || fn < example {
			example = fn
		}
	}
	return fmt.Sprintf("%d documents of %d storages that this journal does not know were left out, of FN %.40s for one", n, len(strangers), example)
}

func (g *gathering) emptyImport(name string) fiscal.ReportSection {
	s := fiscal.ReportSection{Backend: name, Kind: fiscal.BackendDevice, Against: fiscal.AgainstImport, Source: g.order.book.Name}
	if w := g.r.d.workers[name]; w != nil && w.cloud != nil {
		s.Kind = fiscal.BackendCloud
	}
	return s
}

// importSection is what the book says of one backend; m is nil if neither side
// has a document.
func (g *gathering) importSection(name string, m *fiscal.Matching) (fiscal.ReportSection, error) {
	s := g.emptyImport(name)
	if m == nil {
		m = &fiscal.Matching{}
	}
	g.fillImport(&s, m)
	w := g.r.d.workers[name]
	var err error
	if s.Unconfirmed, err = g.unconfirmed(w); err != nil {
		return s, err
	}
	for i := range g.records {
		r := &g.records[i]
		if d, ok := fiscal.SettledOf(r); ok && r.Device == name && !d.At.Before(g.order.since) && d.At.Before(g.order.until) {
			s.Settled = append(s.Settled, d)
		}
		for _, late := range lateOf(r) {
			if late.Device == name {
				s.Late = append(s.Late, late)
			}
		}
	}
	s.Differences = append(s.Differences, fiscal.LateDifferences(s.Late)...)
	if w.cloud != nil {
		note(&s, "numbers are not searched for gaps: the registers of a service may serve other shops as well")
		if slices.ContainsFunc(s.Differences, func(d fiscal.Mismatch) bool { return d.Code == fiscal.MismatchForeign }) {
			note(&s, "a document that no command made may be another shop's on the same register")
		}
		return s, nil
	}
	return s, g.importGaps(&s, m)
}

func (g *gathering) fillImport(s *fiscal.ReportSection, m *fiscal.Matching) {
	own, rows := m.Books()
	s.Journal, s.Other = fiscal.BookFigures(own), fiscal.BookFigures(rows)
	s.Journal.FirstFD, s.Journal.LastFD = span(own)
	s.Other.FirstFD, s.Other.LastFD = span(rows)
	s.Differences = m.Differences(importedSource)
	s.Notes = append(s.Notes, m.Notes()...)
	for field, what := range map[string]string{"kind": "kinds", "cash": "cash payments", "card": "card payments"} {
		if !g.order.book.Has(field) {
			s.Notes = append(s.Notes, "the file does not tell "+what)
		}
	}
	slices.Sort(s.Notes)
}

// importGaps looks for numbers that neither the file nor the journal has. An
// export lists receipts; the journal knows the reports between them.
func (g *gathering) importGaps(s *fiscal.ReportSection, m *fiscal.Matching) error {
	own, rows := m.Books()
	books := [][]fiscal.BookEntry{own, rows}
	ranges := map[string][2]uint32{}
	for _, e := range append(slices.Clone(own), rows...) {
		if e.FN == "" || e.FD == 0 {
			continue
		}
		r, ok := ranges[e.FN]
		if !ok {
			r = [2]uint32{e.FD, e.FD}
		}
		ranges[e.FN] = [2]uint32{min(r[0], e.FD), max(r[1], e.FD)}
	}
	err := g.r.d.spool.View(func(tx *spool.Tx) error {
		for fn, r := range ranges {
			known, err := tx.Documents(fn, r[0], r[1])
			if err != nil {
				return err
			}
			var entries []fiscal.BookEntry
			for _, e := range known {
				if e.Form != 0 {
					entries = append(entries, fiscal.BookEntry{FN: e.FN, FD: e.FD})
				}
			}
			books = append(books, entries)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var found []fiscal.Mismatch
	s.Gaps, found = fiscal.MissingNumbers(books...)
	s.Differences = append(s.Differences, found...)
	return nil
}
