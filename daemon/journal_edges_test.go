package daemon

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// eventCount is how many a journal has told so far.
func (j *journal) eventCount(t *testing.T) (n uint64) {
	t.Helper()
	if err := j.spool.View(func(tx *spool.Tx) error { n = tx.LastEvent(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// A command that was taken back before it came has its end at once, and its event.
func TestEventOfACommandTakenBackBefore(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	if err := j.tombstone("a", time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	r, how, err := j.accept(soldAt(j, time.Now()))
	if err != nil || how != spool.Tombstoned || r.State != fiscal.Cancelled || j.eventCount(t) != 1 {
		t.Errorf("%v, %s, %d events, %v", how, r.State, j.eventCount(t), err)
	}
}

// Each late document is told of once: with the end of its command, or when it
// comes after that.
func TestEachLateDocumentIsToldOnce(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	late := func(fd uint32) fiscal.Receipt {
		return fiscal.Receipt{Kind: "sale", Device: "cloud", Storage: storedFN, FD: fd, Total: 1000, Key: "k"}
	}
	r, _, err := j.accept(soldAt(j, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	r.State, r.FinalAt, r.Late = fiscal.Abandoned, time.Now(), []fiscal.Receipt{late(3)}
	if _, err := j.save(r); err != nil {
		t.Fatal(err)
	}
	if n := j.eventCount(t); n != 2 { // its end, and the document
		t.Errorf("%d events of the end", n)
	}
	for range 2 {
		if _, err := j.hear("a", "cloud", "k", fiscal.Verdict{Finding: fiscal.Made, Receipt: late(4)}); err != nil {
			t.Fatal(err)
		}
		if n := j.eventCount(t); n != 3 {
			t.Errorf("%d events with the second", n)
		}
	}
}

// The command of a key is found on every page of the search.
func TestOwnerOnEachPage(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	const n = ownersPage + 2
	err := j.spool.Update(func(tx *spool.Tx) error {
		for i := range n {
			r := soldAt(j, time.Now())
			r.ID = fmt.Sprint(i)
			r.Device, r.Document.ID, r.Document.Key = r.ID, r.ID, j.key(r.ID) // a queue each
			if _, _, err := tx.Accept(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		id := fmt.Sprint(i)
		if r, found, err := j.ownerOf(j.key(id)); err != nil || !found || r.ID != id {
			t.Fatalf("%s: %q, %v, %v", id, r.ID, found, err)
		}
	}
}

// A service names a document that is another command's: a person decides, and
// nothing is taken from its owner.
func TestToldOfAnothersDocument(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	made := fiscal.Receipt{Kind: "sale", Storage: storedFN, FD: 3, Sign: 7, Total: 1000}
	first, _, err := j.accept(soldAt(j, time.Now()))
	if err == nil {
		first.State, first.FinalAt, first.Receipt = fiscal.Done, time.Now(), &made
		_, err = j.save(first)
	}
	second := soldAt(j, time.Now())
	second.ID, second.Document.ID, second.Document.Key, second.Document.Stem = "b", "b", j.key("b"), j.stem("b")
	if err == nil {
		second, _, err = j.accept(second)
	}
	if err == nil {
		second.Device, second.State = "cloud", fiscal.Registered
		second.Baseline = &fiscal.Baseline{Device: "cloud", Cloud: &fiscal.CloudCall{Key: "k"}}
		second, err = j.save(second)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.hear("b", "cloud", "k", fiscal.Verdict{Finding: fiscal.Made, Receipt: made})
	if err != nil || r.State != fiscal.Held || r.Error.Code != fiscal.CodeClosedByOther {
		t.Errorf("%s, %v, %v", r.State, r.Error, err)
	}
	if owner, err := j.ownerOfDocument(storedFN, 3); err != nil || owner != "a" {
		t.Errorf("it belongs to %q, %v", owner, err)
	}
}

// A start that a full disk had no room to count is no sign of an older journal.
func TestUncountedStart(t *testing.T) {
	t.Parallel()
	for _, counted := range []bool{false, true} {
		d := &Daemon{
			journal: bareJournal(t, storedFN), started: time.Now(), log: slog.New(slog.DiscardHandler),
			alerts: newAlertBook(func(Alert, bool) {}), id: identity{Epoch: 5, counted: counted},
		}
		d.spool, d.cfg.DataDir = d.journal.spool, t.TempDir()
		if err := writeEpoch(d.cfg.DataDir, 5, func(births) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := d.noteLoss(spool.Recovery{}); err != nil {
			t.Fatal(err)
		}
		if at, err := d.journal.lossAt(); err != nil || at.IsZero() == counted {
			t.Errorf("counted %v: lost at %v, %v", counted, at, err)
		}
		want := uint64(5)
		if counted { // the count goes on: a journal of the fifth start that is put back after this one is older
			want = 6
		}
		if last, err := lastEpoch(d.cfg.DataDir); err != nil || last != want || d.id.Epoch != want {
			t.Errorf("counted %v: start %d, the file says %d, %v", counted, d.id.Epoch, last, err)
		}
	}
}

// What stands open can be that of the last attempt only, of this device, with
// nothing made and nothing seen closed since.
func TestLeftOpen(t *testing.T) {
	t.Parallel()
	now := time.Now()
	leg := func(device string, ago time.Duration) fiscal.Leg {
		return fiscal.Leg{Device: device, At: now.Add(-ago), Baseline: &fiscal.Baseline{Storage: storedFN, LastFD: 4}}
	}
	enter := func(w *worker, id string, legs ...fiscal.Leg) {
		r := soldAt(w.journal, now)
		r.ID, r.Document.ID, r.State, r.Tried = id, id, fiscal.Abandoned, legs
		w.enter(t, r)
	}
	for name, c := range map[string]struct {
		since time.Duration // ago: nothing was open then
		made  uint32
		owner string
	}{
		"the last one":         {time.Hour, 4, "last"},
		"nothing open since":   {time.Minute, 4, ""},
		"something made since": {time.Hour, 5, ""},
		"between the two":      {4 * time.Minute, 4, "last"},
		"nothing known of it":  {time.Hour, 0, "last"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := bareWorker(t, storedFN)
			enter(w, "last", leg("front", 2*time.Minute))
			enter(w, "first", leg("front", 5*time.Minute), leg("second", time.Second))
			if c.made > 0 {
				if _, err := w.journal.learn(storedFN, stored(c.made, "")); err != nil {
					t.Fatal(err)
				}
			}
			r, last, err := w.journal.leftOpen("front", now.Add(-c.since))
			if err != nil || (last != nil) != (c.owner != "") || last != nil && r.ID != c.owner {
				t.Errorf("%q, %+v, %v", r.ID, last, err)
			}
		})
	}
}

// The storage that a device had is that of its own last document before, not of
// another device's or of a later one.
func TestStorageOfBefore(t *testing.T) {
	t.Parallel()
	now := time.Now()
	j := bareJournal(t, storedFN)
	lost := now.Add(-time.Minute)
	for i, c := range []struct {
		device, fn string
		ago        time.Duration
	}{{"front", "1", 2 * time.Hour}, {"second", "2", time.Hour}, {"front", "3", time.Second}} {
		r := soldAt(j, now.Add(-c.ago))
		r.ID = fmt.Sprint(i)
		r.Device, r.Document.ID, r.Document.Key = c.device, r.ID, j.key(r.ID)
		r, _, err := j.accept(r)
		if err == nil {
			r.State, r.FinalAt = fiscal.Done, now.Add(-c.ago)
			r.Receipt = &fiscal.Receipt{Kind: "sale", Storage: c.fn, FD: 3, Total: 1000}
			_, err = j.save(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for device, want := range map[string]string{"front": "1", "second": "2", "third": ""} {
		if fn, _, err := j.storageOf(device, lost); err != nil || fn != want {
			t.Errorf("%s had %q, want %q, %v", device, fn, want, err)
		}
	}
}

// What is looked for stands behind all that was accepted since: a busy second till,
// or the queue of a printer that has a receipt open.
func TestLookedForBehindAQueue(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := bareWorker(t, storedFN)
	left := soldAt(w.journal, now)
	left.ID, left.Document.ID, left.State = "left", "left", fiscal.Abandoned
	left.Tried = []fiscal.Leg{{Device: "front", At: now.Add(-time.Minute), Baseline: &fiscal.Baseline{Storage: storedFN, LastFD: 4}}}
	w.enter(t, left)
	made := soldAt(w.journal, now.Add(-2*time.Hour))
	made.ID, made.Document.ID, made.Document.Key = "made", "made", w.journal.key("made")
	made = w.enter(t, made)
	made.State, made.FinalAt = fiscal.Done, now.Add(-2*time.Hour)
	made.Receipt = &fiscal.Receipt{Kind: "sale", Storage: storedFN, FD: 3, Total: 1000}
	if _, err := w.journal.save(made); err != nil {
		t.Fatal(err)
	}
	err := w.journal.spool.Update(func(tx *spool.Tx) error {
		for i := range 2*spool.QueueMax + 10 {
			r := soldAt(w.journal, now)
			r.ID, r.Device = fmt.Sprint(i), fmt.Sprint(i%4)
			r.Document.ID, r.Document.Key = r.ID, w.journal.key(r.ID)
			if _, how, err := tx.Accept(r); err != nil || how != spool.New {
				return fmt.Errorf("%s: %v, %w", r.ID, how, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, leg, err := w.journal.leftOpen("front", now.Add(-time.Hour)); err != nil || leg == nil || r.ID != "left" {
		t.Errorf("left open by %q, %+v, %v", r.ID, leg, err)
	}
	if fn, _, err := w.journal.storageOf("front", now.Add(-time.Hour)); err != nil || fn != storedFN {
		t.Errorf("the storage was %q, %v", fn, err)
	}
}
