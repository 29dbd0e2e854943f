package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// reporting is the work on a report of a daemon without backends.
func reporting(t *testing.T, j *journal) *gathering {
	t.Helper()
	d := &Daemon{spool: j.spool, journal: j, log: slog.New(slog.DiscardHandler)}
	d.reconciler = newReconciler(d)
	return &gathering{r: d.reconciler, left: reconcileReadMax, asks: reconcileAskMax}
}

// A report of a cloud has what ended from its first moment on, and before its
// last: what ends at midnight is in the one report or in the other, never in both
// or in none. So it is with what a person has settled.
func TestEdgesOfACloudsReport(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	since := time.Now().Truncate(time.Second).Add(-48 * time.Hour)
	until := since.Add(24 * time.Hour)
	for i, at := range []time.Time{since.Add(-1), since, until.Add(-1), until} {
		for _, settled := range []bool{false, true} {
			r := soldAt(j, since.Add(-time.Hour))
			r.ID, r.Device = fmt.Sprintf("%d-%v", i, settled), "cloud"
			r.Document.ID, r.Document.Key, r.Document.Stem = r.ID, j.key(r.ID), j.stem(r.ID)
			r, _, err := j.accept(r)
			if err == nil {
				r.State, r.FinalAt = fiscal.Done, at
				r.Receipt = &fiscal.Receipt{Kind: "sale", Device: "cloud", Ticket: r.ID, Total: 1000}
				if settled {
					r.State, r.Receipt = fiscal.Abandoned, nil
					r.Resolved = &fiscal.Resolution{Action: fiscal.ResolveGiveUp, By: "ivanov", At: at}
				}
				_, err = j.save(r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	g := reporting(t, j)
	g.order = reconcileOrder{since: since, until: until}
	s, err := g.cloud(t.Context(), &worker{cfg: DeviceConfig{Name: "cloud"}, cloud: picky{}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Journal == nil || s.Journal.Receipts != 2 || s.Other.Receipts != 2 || len(s.Differences) > 0 {
		t.Errorf("%+v beside %+v, %v", s.Journal, s.Other, s.Differences)
	}
	var ids []string
	for _, one := range s.Settled {
		ids = append(ids, one.ID)
	}
	if fmt.Sprint(ids) != "[1-true 2-true]" {
		t.Errorf("settled: %v", ids)
	}
}

// The report of a shift has the documents of this shift, also when the next ones
// have been made by others since.
func TestNoLaterShiftInAReport(t *testing.T) {
	t.Parallel()
	docs := []fiscal.ArchivedDocument{
		{FD: 3, Form: fiscal.FormShiftClose, Shift: 1}, {FD: 4, Form: fiscal.FormShiftOpen, Shift: 2},
		{FD: 5, Form: fiscal.FormReceipt, Kind: fiscal.Sale, Total: 1000, Shift: 2}, {FD: 6, Form: fiscal.FormShiftClose, Shift: 2},
		{FD: 7, Form: fiscal.FormShiftOpen, Shift: 3}, {FD: 8, Form: fiscal.FormReceipt, Kind: fiscal.Sale, Total: 1000, Shift: 3},
	}
	w := bareWorker(t, storedFN, docs...)
	w.attends(t)
	g := reporting(t, w.journal)
	s := newSection(w, fiscal.AgainstDevice)
	s.Storage, s.Shift = storedFN, 2
	now := moment{fn: storedFN, status: fiscal.Status{FN: fiscal.FNStatus{Serial: storedFN, LastFD: 8}}, books: shiftBooks{first: 4}}
	var numbers []uint32
	for _, e := range g.readShift(t.Context(), w, &s, now) {
		numbers = append(numbers, e.FD)
	}
	if fmt.Sprint(numbers) != "[6 5 4]" || s.Incomplete {
		t.Errorf("%v, %v", numbers, s.Notes)
	}
}

// What a person has settled belongs to the report of the device that had it, and its
// document to the storage that it was begun on.
func TestSettledInTheReportOfAShift(t *testing.T) {
	t.Parallel()
	const former = "9999078900000009"
	now := time.Now()
	w := bareWorker(t, storedFN)
	for id, c := range map[string]struct{ device, fn string }{"ours": {"front", storedFN}, "before": {"front", former}, "theirs": {"second", former}} {
		r := soldAt(w.journal, now)
		r.ID, r.Document.ID, r.Document.Key, r.Device = id, id, w.journal.key(id), c.device
		r, _, err := w.journal.accept(r)
		if err == nil {
			r.State, r.FinalAt, r.Baseline = fiscal.Done, now, &fiscal.Baseline{Storage: c.fn, LastFD: 4}
			r.Resolved = &fiscal.Resolution{Action: fiscal.ResolveDoneElsewhere, By: "ivanov", FD: 5, At: now}
			r.Late = []fiscal.Receipt{{Kind: "sale", Device: c.device, Storage: c.fn, FD: 9}}
			_, err = w.journal.save(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for ahead, want := range map[time.Duration]int{-time.Hour: 2, 3 * time.Minute: 1} {
		settledIn(t, w, now.Add(ahead), want)
	}
}

// settledIn reads the claims of a shift that has begun then by its register's clock,
// which is ahead where that is in our future.
func settledIn(t *testing.T, w *worker, began time.Time, want int) {
	t.Helper()
	b := shiftBooks{first: 4, began: wallClock(began)}
	for _, fd := range []uint32{4, 5, 6} {
		b.known = append(b.known, fiscal.BookEntry{FN: storedFN, FD: fd})
	}
	if err := reporting(t, w.journal).claims(w, &b); err != nil {
		t.Fatal(err)
	}
	settled := map[string]bool{}
	for _, s := range b.settled {
		settled[s.ID] = true
	}
	if len(b.settled) != want || !settled["ours"] || settled["before"] != (want > 1) {
		t.Errorf("began %v, settled: %+v", began, b.settled)
	}
	if len(b.own) != 1 || b.own[0].ID != "ours" || b.own[0].FD != 5 {
		t.Errorf("began %v, documents: %+v", began, b.own)
	}
	if len(b.late) != 2 {
		t.Errorf("began %v, late: %+v", began, b.late)
	}
}

// aheadBackend is a register that has one shift open, by a clock that is not ours.
type aheadBackend struct {
	fiscal.Backend
	clock time.Time
}

func (b aheadBackend) Status(context.Context) (fiscal.Status, error) {
	return fiscal.Status{Clock: b.clock, FN: fiscal.FNStatus{Serial: storedFN, LastFD: 4}, Shift: fiscal.ShiftStatus{Open: true, Number: 2}}, nil
}

// A report to this moment has the shift of this moment, by the clock of its register.
func TestShiftOfARegisterThatIsAhead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for ahead, want := range map[time.Duration]int{0: 1, 3 * time.Minute: 1, 24 * time.Hour: 0} {
		w := bareWorker(t, storedFN)
		w.backend = aheadBackend{clock: wallClock(now.Add(min(ahead, 3*time.Minute)))}
		w.attends(t)
		opening := fiscal.ArchivedDocument{FD: 4, Form: fiscal.FormShiftOpen, Shift: 2, At: wallClock(now.Add(ahead))}
		if _, err := w.journal.learn(storedFN, opening); err != nil {
			t.Fatal(err)
		}
		g := reporting(t, w.journal)
		g.order = reconcileOrder{why: fiscal.ReportTime, since: now.Add(-reconcileDay), until: now}
		if parts, err := g.device(t.Context(), w); err != nil || len(parts) != want {
			t.Errorf("%v ahead: %d shifts, %v", ahead, len(parts), err)
		}
	}
}

// The journal's drawer counts each movement of the shift, and those in apart from
// those out.
func TestDrawerInTheReportOfAShift(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	err := j.spool.Update(func(tx *spool.Tx) error {
		for i, c := range []spool.CashEntry{{Amount: 500}, {Amount: 300}, {Amount: 200, Out: true}, {Amount: 100, Out: true}, {Amount: 7, Shift: 3}} {
			if c.FN, c.RecordID = storedFN, fmt.Sprint(i); c.Shift == 0 {
				c.Shift = 2
			}
			if err := tx.PutCash(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := reporting(t, j).shiftBooks(storedFN, 2)
	if err != nil || b.cashIn != (fiscal.Tally{Count: 2, Total: 800}) || b.cashOut != (fiscal.Tally{Count: 2, Total: 300}) {
		t.Errorf("in %+v, out %+v, %v", b.cashIn, b.cashOut, err)
	}
}

// What could not be read is no gap yet, and no document of the journal is missing
// for that.
func TestUnreadIsNoDifference(t *testing.T) {
	t.Parallel()
	for _, incomplete := range []bool{false, true} {
		b := shiftBooks{first: 4}
		for _, fd := range []uint32{4, 5, 7} {
			b.known = append(b.known, fiscal.BookEntry{FN: storedFN, FD: fd, Form: fiscal.FormShiftOpen})
		}
		b.own = slices.Clone(b.known)
		s := fiscal.ReportSection{Incomplete: incomplete}
		docs := []fiscal.BookEntry{b.known[2]}
		if !incomplete {
			docs = b.known
		}
		g := reporting(t, bareJournal(t, storedFN))
		if g.compareShift(&s, b, docs); (len(s.Differences) > 0) == incomplete {
			t.Errorf("incomplete %v: %+v", incomplete, s.Differences)
		}
	}
}

// attends lets a bare worker do what it is asked for between commands.
func (w *worker) attends(t *testing.T) {
	w.requests = make(chan func(context.Context))
	go func() {
		for {
			select {
			case f := <-w.requests:
				f(t.Context())
			case <-t.Context().Done():
				return
			}
		}
	}()
}
