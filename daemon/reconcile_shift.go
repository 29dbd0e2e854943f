package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// shiftBooks are the journal's books of a shift.
type shiftBooks struct {
	own      []fiscal.BookEntry // of commands
	known    []fiscal.BookEntry // everything that the journal has learned of, ours or not
	first    uint32             // number of the first known document
	last     uint32             // and where reading ends: the close, or the last before the next shift; 0: not known
	began    time.Time
	closing  *fiscal.Counters // of the close that we made
	cashIn   fiscal.Tally
	cashOut  fiscal.Tally
	settled  []fiscal.Settled
	late     []fiscal.LateFound
	withKeys map[uint32]string // documents that carry a key of ours and no command
}

// shift reconciles one shift of one register: the journal against the counters
// of the shift and against every document of the fiscal storage.
func (g *gathering) shift(ctx context.Context, w *worker, fn string, shift uint32) (fiscal.ReportSection, error) {
	s := newSection(w, fiscal.AgainstDevice)
	s.Shift = shift
	now, err := g.moment(ctx, w, fn, shift)
	if err != nil {
		return s, err
	}
	s.Storage = now.fn
	b := now.books
	if err := g.claims(w, &b); err != nil {
		return s, err
	}
	s.Settled, s.Late = b.settled, b.late
	if s.Unconfirmed, err = g.unconfirmed(w); err != nil {
		return s, err
	}
	if now.countersErr != nil {
		unread(&s, "the counters could not be read: "+now.countersErr.Error())
	}
	docs := g.readShift(ctx, w, &s, now)
	counters := now.counters
	if g.order.why == fiscal.ReportCommand && len(b.known) == 0 && len(docs) == 0 && counters == nil && !s.Incomplete {
		return s, fiscal.Refuse(fiscal.CodeNotFound, "shift", fmt.Sprintf("neither the journal nor FN %s has a document of shift %d", s.Storage, shift))
	}

	s.Journal = fiscal.BookFigures(b.own)
	s.Journal.CashIn, s.Journal.CashOut = &b.cashIn, &b.cashOut
	s.Journal.FirstFD, s.Journal.LastFD = span(b.own)
	if s.Other = fiscal.FiguresOf(counters); counters != nil {
		s.Differences = append(s.Differences, fiscal.FigureDifferences(s.Journal, counters)...)
	} else if docs != nil {
		s.Other = fiscal.BookFigures(docs)
		s.Notes = append(s.Notes, "there are no counters of this shift: the figures are sums of the documents that were read")
	}
	if s.Other != nil && s.Other.LastFD == 0 {
		s.Other.FirstFD, s.Other.LastFD = span(docs)
	}
	g.compareShift(&s, b, docs)
	s.Differences = append(s.Differences, fiscal.LateDifferences(s.Late)...)
	return s, nil
}

// moment is what the device and the journal say of a shift at one moment: both
// are read between two documents, so that a sale is in both or in neither.
type moment struct {
	fn          string
	status      fiscal.Status
	statusErr   error // the device does not answer
	books       shiftBooks
	counters    *fiscal.Counters // nil where nobody has them any more
	countersErr error
}

func (g *gathering) moment(ctx context.Context, w *worker, fn string, shift uint32) (moment, error) {
	step, cancel := context.WithTimeout(ctx, reconcileStep)
	defer cancel()
	now, err := ask(step, w, func(ctx context.Context) (m moment, err error) {
		m.fn = fn
		if m.status, m.statusErr = w.backend.Status(ctx); m.statusErr == nil && fn == "" {
			m.fn = m.status.FN.Serial
		}
		if m.books, err = g.shiftBooks(m.fn, shift); err != nil {
			return m, err
		}
		m.readCounters(ctx, w, shift)
		return m, nil
	})
	var refusal *fiscal.Error
	if errors.As(err, &refusal) { // the device is at work for longer than that
		now = moment{fn: fn, statusErr: err}
		now.books, err = g.shiftBooks(fn, shift)
		now.counters = now.books.closing
	}
	if err == nil && now.fn == "" {
		err = fiscal.Refuse(fiscal.CodePrinterAway, "device", "the device does not answer, and the storage of the shift is not known")
	}
	return now, err
}

// readCounters takes the figures of the close that was made by a command, or of
// the shift that is open.
func (m *moment) readCounters(ctx context.Context, w *worker, shift uint32) {
	if m.counters = m.books.closing; m.counters != nil {
		return
	}
	reader, ok := w.backend.(fiscal.CounterReader)
	if !ok || m.statusErr != nil || m.status.FN.Serial != m.fn || m.status.Shift.Number != shift || !m.status.Shift.Open {
		return
	}
	counters, err := reader.Counters(ctx)
	if err != nil {
		m.countersErr = err
		return
	}
	m.counters = &counters
}

// compareShift adds the differences of documents and numbers. What could not be
// read is missing from the storage's book and no difference.
func (g *gathering) compareShift(s *fiscal.ReportSection, b shiftBooks, docs []fiscal.BookEntry) {
	other := slices.Clone(docs)
	read := map[uint32]bool{}
	for i := range docs {
		read[docs[i].FD] = true
	}
	if docs == nil || s.Incomplete { // what another program made may be known from before
		other = append(other, slices.DeleteFunc(slices.Clone(b.known), func(e fiscal.BookEntry) bool { return read[e.FD] })...)
	}
	m := fiscal.MatchBooks(b.own, other)
	if docs == nil || s.Incomplete {
		m.OnlyJournal = slices.DeleteFunc(m.OnlyJournal, func(e *fiscal.BookEntry) bool { return !read[e.FD] })
	}
	for _, d := range m.Differences("the fiscal storage") {
		if key := b.withKeys[d.FD]; d.Code == fiscal.MismatchForeign && key != "" {
			d.Text += "; it carries the key " + key + " of a command that the journal has lost"
		}
		s.Differences = append(s.Differences, d)
	}
	s.Notes = append(s.Notes, m.Notes()...)
	var gaps []fiscal.Mismatch
	s.Gaps, gaps = fiscal.MissingNumbers(b.own, b.known, docs)
	if s.Incomplete {
		return // an unread document is no gap yet
	}
	s.Differences = append(s.Differences, gaps...)
}

// span is the first and the last number of a book.
func span(book []fiscal.BookEntry) (first, last uint32) {
	for i := range book {
		if fd := book[i].FD; fd != 0 {
			if first == 0 || fd < first {
				first = fd
			}
			last = max(last, fd)
		}
	}
	return first, last
}

// shiftBooks reads what the journal has of a shift.
func (g *gathering) shiftBooks(fn string, shift uint32) (b shiftBooks, err error) {
	b.withKeys = map[uint32]string{}
	err = g.r.d.spool.View(func(tx *spool.Tx) error {
		docs, next, err := tx.ShiftDocuments(fn, shift)
		if err != nil {
			return err
		}
		b.own, b.known, b.closing, b.last = nil, nil, nil, 0
		for i := range docs {
			if err := b.add(tx, &docs[i]); err != nil {
				return err
			}
		}
		b.first, _ = span(b.known)
		if b.last == 0 && next > 0 {
			b.last = next - 1
		}
		cash, err := tx.Cash(fn, shift)
		b.cashIn, b.cashOut = fiscal.Tally{}, fiscal.Tally{}
		for _, c := range cash {
			tally := &b.cashIn
			if c.Out {
				tally = &b.cashOut
			}
			tally.Count++
			tally.Total += c.Amount
		}
		return err
	})
	return b, err
}

// add takes a document that the journal knows: that of a command, or another
// program's.
func (b *shiftBooks) add(tx *spool.Tx, e *spool.Entry) error {
	if e.Form == 0 {
		return nil // only its number is known
	}
	if b.began.IsZero() {
		b.began = e.At
	}
	if e.Form == fiscal.FormShiftClose {
		b.last = e.FD
	}
	plain := fiscal.BookEntry{
		FN: e.FN, FD: e.FD, Sign: e.Sign, Form: e.Form, Kind: e.Kind, Correction: e.Correction, At: e.At, Shift: e.Shift, ID: e.RecordID,
	}
	if e.Kind != 0 {
		plain.Total = &e.Total
	}
	b.known = append(b.known, plain)
	if e.RecordID == "" {
		if e.Key != "" {
			b.withKeys[e.FD] = e.Key
		}
		return nil
	}
	r, found, err := tx.ByID(e.RecordID)
	if err != nil {
		return err
	}
	own, ok := plain, false
	if found {
		own, ok = fiscal.CommandEntry(&r)
		if e.Form == fiscal.FormShiftClose {
			b.closing = r.Counters
		}
	}
	if !ok || own.FD != e.FD {
		own = plain
	}
	if own.Sign == 0 {
		own.Sign = e.Sign
	}
	b.own = append(b.own, own)
	return nil
}

// claims adds the commands that a person has settled with a document of the
// shift, and the documents that came late to the register.
func (g *gathering) claims(w *worker, b *shiftBooks) error {
	since := time.Now().Add(-reconcileDay)
	if !b.began.IsZero() {
		since = time.Date(b.began.Year(), b.began.Month(), b.began.Day(), b.began.Hour(), b.began.Minute(), b.began.Second(), 0, time.Local)
	}
	records, err := g.recordsSince(since)
	if err != nil {
		return err
	}
	_, last := span(b.known)
	for i := range records {
		r := &records[i]
		// A register whose clock is ahead begins its shift after what is settled in it.
		if s, ok := fiscal.SettledOf(r); ok && r.Device == w.cfg.Name && !s.At.Before(since.Add(-clockSkew)) {
			e, ok := fiscal.CommandEntry(r)
			within := ok && len(b.known) > 0 && e.FD >= b.first && e.FD <= max(last, b.last) && (e.FN == "" || e.FN == b.known[0].FN)
			if within || !s.At.Before(since) {
				b.settled = append(b.settled, s)
			}
			if within {
				e.FN = b.known[0].FN
				b.own = append(b.own, e)
			}
		}
		for _, late := range lateOf(r) {
			if late.Device == w.cfg.Name {
				b.late = append(b.late, late)
			}
		}
	}
	return nil
}

// lateOf lists the documents that stand beside the one of a command.
func lateOf(r *fiscal.Record) (late []fiscal.LateFound) {
	for _, made := range r.Late {
		one := *r
		one.Late = []fiscal.Receipt{made}
		if one.Doubled() {
			late = append(late, fiscal.LateOf(r, r.Device, made, false))
		}
	}
	return late
}

// readShift reads the documents of a shift from the fiscal storage, from the
// last back to the first, one question each, so that sales go on. nil: nothing
// could be read; the section says why.
func (g *gathering) readShift(ctx context.Context, w *worker, s *fiscal.ReportSection, now moment) []fiscal.BookEntry {
	st, statusErr, b := now.status, now.statusErr, now.books
	reader, ok := w.backend.(fiscal.DocumentReader)
	switch {
	case !ok:
		s.Notes = append(s.Notes, "this device cannot read documents back: only its counters are compared")
		return nil
	case statusErr != nil:
		return unread(s, "the device does not answer: "+statusErr.Error())
	case st.FN.Serial != s.Storage:
		return unread(s, fmt.Sprintf("the device has the storage %s now: the documents of this one cannot be read", st.FN.Serial))
	}
	last := b.last
	if last == 0 {
		last = st.FN.LastFD
	}
	docs := []fiscal.BookEntry{}
	for fd := last; fd > 0; fd-- {
		if g.left == 0 {
			unread(s, fmt.Sprintf("documents before FD %d were not read: a report reads %d at most", fd+1, reconcileReadMax))
			return docs
		}
		g.left--
		g.r.state.Store(&ReconcileProgress{Backend: w.cfg.Name, Shift: s.Shift, Read: int(last - fd), Total: int(last - min(b.first, last) + 1)})
		doc, err := g.readOne(ctx, w, reader, fd)
		switch {
		case notKept(err):
			if b.first == 0 || fd <= b.first {
				return docs
			}
		case err != nil:
			unread(s, fmt.Sprintf("FD %d and those before it could not be read: %v", fd, err))
			return docs
		case doc.Shift > s.Shift:
		case doc.Shift != 0 && doc.Shift < s.Shift || doc.Shift == 0 && (b.first == 0 || fd < b.first) || doc.Form == fiscal.FormRegistration:
			return docs
		default:
			docs = append(docs, fiscal.ArchivedEntry(s.Storage, doc))
		}
	}
	return docs
}

func (g *gathering) readOne(ctx context.Context, w *worker, reader fiscal.DocumentReader, fd uint32) (fiscal.ArchivedDocument, error) {
	step, cancel := context.WithTimeout(ctx, reconcileStep)
	defer cancel()
	return ask(step, w, func(ctx context.Context) (fiscal.ArchivedDocument, error) { return reader.ReadDocument(ctx, fd) })
}

// unread says that the other side is not whole.
func unread(s *fiscal.ReportSection, why string) []fiscal.BookEntry {
	s.Incomplete = true
	s.Notes = append(s.Notes, why)
	return nil
}
