package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// A shift close is to be reconciled from its commit on, until its report is kept:
// neither a death right after it nor one among several loses a report.
func TestReportsThatAreDue(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	d := &Daemon{spool: j.spool, journal: j, log: slog.New(slog.DiscardHandler), workers: map[string]*worker{"front": {}}}
	d.cfg.Reconcile.OnShiftClose = true
	d.reconciler = newReconciler(d)
	j.ending = d.reconciler.noteDue
	due := func(want string) {
		t.Helper()
		if ids, err := d.reconciler.due(); err != nil || fmt.Sprint(ids) != want {
			t.Errorf("due %v, want %s, %v", ids, want, err)
		}
	}
	end := func(id string, verb fiscal.Verb, shift uint32) fiscal.Record {
		t.Helper()
		r := soldAt(j, time.Now())
		r.ID, r.Verb, r.Document = id, verb, fiscal.Document{ID: id, Verb: verb, At: time.Now()}
		r, _, err := j.accept(r)
		if err == nil {
			r.State, r.FinalAt = fiscal.Done, time.Now()
			r.Receipt = &fiscal.Receipt{Kind: string(verb), Storage: storedFN, FD: 3 + shift, Shift: shift}
			r, err = j.save(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	closes := []fiscal.Record{end("first", fiscal.VerbShiftClose, 0), end("second", fiscal.VerbShiftClose, 2)}
	end("open", fiscal.VerbShiftOpen, 3)
	due("[first second]") // nobody has come to them yet

	stopped, stop := context.WithCancel(t.Context())
	stop()
	d.reconciler.turn <- struct{}{} // another report is in hand when the daemon stops
	if err := d.reconciler.afterCloses(stopped, closes); err != nil {
		t.Fatal(err)
	}
	due("[second]") // the first says of no shift
	if err := d.reconciler.resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := d.reconciler.closes.take(); len(again) != 1 || again[0].ID != "second" {
		t.Errorf("taken up again: %+v", again)
	}
	d.cfg.Reconcile.OnShiftClose = false
	end("third", fiscal.VerbShiftClose, 4)
	due("[second]")
}

// A report that a full disk has no room for waits until there is some, or until
// the daemon stops; another failure of the store ends it at once.
func TestReportsWaitForRoom(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("report: %w", spool.ErrFull)
	for _, outcome := range []error{nil, spool.ErrStore, full} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began, tries := time.Now(), 0
			err := withRoom(ctx, func() error {
				if tries++; tries > 10 {
					return outcome
				}
				return full
			})
			if !errors.Is(err, outcome) || (outcome == full) != (time.Since(began) == time.Hour) {
				t.Errorf("%v after %d tries in %v, want %v", err, tries, time.Since(began), outcome)
			}
		})
	}
}

// A shift was closed, and its device has another name, or is gone, when its report
// is taken up: there is none, and the daemon starts.
func TestReportOfADeviceThatIsGone(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	d := &Daemon{spool: j.spool, journal: j, log: slog.New(slog.DiscardHandler), workers: map[string]*worker{}}
	d.cfg.Reconcile.OnShiftClose = true
	d.reconciler = newReconciler(d)
	j.ending = d.reconciler.noteDue
	r := soldAt(j, time.Now())
	r.Verb, r.Document = fiscal.VerbShiftClose, fiscal.Document{ID: "a", Verb: fiscal.VerbShiftClose, At: time.Now()}
	r, _, err := j.accept(r)
	if err == nil {
		r.State, r.FinalAt = fiscal.Done, time.Now()
		r.Receipt = &fiscal.Receipt{Kind: "shift-close", Storage: storedFN, FD: 3, Shift: 2}
		_, err = j.save(r)
	}
	if err == nil {
		err = d.reconciler.resume(t.Context())
	}
	if err == nil {
		err = d.reconciler.afterCloses(t.Context(), d.reconciler.closes.take())
	}
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := d.reconciler.due(); err != nil || len(ids) > 0 {
		t.Errorf("still due: %v, %v", ids, err)
	}
}
