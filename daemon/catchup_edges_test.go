package daemon

import (
	"errors"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// abroad is a time as a terminal in a zone so many hours east writes it.
func abroad(t time.Time, hours int) time.Time {
	_, here := t.Local().Zone()
	return t.In(time.FixedZone("", here+hours*3600))
}

// A document without a key may be an old command's if it is of its kind, not of
// long before it by any clock, and nobody's.
func TestUnprovedReceipt(t *testing.T) {
	t.Parallel()
	settled := time.Now().Add(-time.Hour)
	doc := func(after time.Duration, change ...func(*fiscal.ArchivedDocument)) fiscal.ArchivedDocument {
		d := stored(4, "")
		d.At = wallClock(settled.Add(after).Local())
		for _, f := range change {
			f(&d)
		}
		return d
	}
	correction := func(d *fiscal.ArchivedDocument) { d.Form = fiscal.FormCorrection }
	for name, c := range map[string]struct {
		docs []fiscal.ArchivedDocument
		held bool
	}{
		"made then":                 {[]fiscal.ArchivedDocument{doc(0)}, true},
		"by a clock that is slow":   {[]fiscal.ArchivedDocument{doc(-clockSkew + time.Minute)}, true},
		"made before":               {[]fiscal.ArchivedDocument{doc(-clockSkew - time.Minute)}, false},
		"a correction":              {[]fiscal.ArchivedDocument{doc(0, correction)}, false},
		"behind one without a time": {[]fiscal.ArchivedDocument{doc(0), {FD: 5, Form: fiscal.FormReceipt, Kind: fiscal.Sale, Total: 3, Full: true}}, true},
	} {
		for zone, at := range map[string]time.Time{"": settled, ", from the west": abroad(settled, -9), ", from the east": abroad(settled, 9)} {
			t.Run(name+zone, func(t *testing.T) {
				t.Parallel()
				w := bareWorker(t, storedFN, c.docs...)
				w.began = time.Now()
				if _, err := w.journal.learn(storedFN, doc(-2*time.Hour, func(d *fiscal.ArchivedDocument) { d.FD, d.Total = 3, 5 })); err != nil {
					t.Fatal(err)
				}
				ev := w.checked(t.Context(), soldAt(w.journal, at), fiscal.Baseline{Storage: storedFN, LastFD: uint32(3 + len(c.docs))})
				if held := ev.Kind == fiscal.EventHeld && ev.Err.Code == fiscal.CodeClosedByOther; held != c.held || !held && ev.Kind != fiscal.EventPrepared {
					t.Errorf("%v, %v", ev.Kind, ev.Err)
				}
			})
		}
	}
}

// The zone of a terminal moves no report of a shift either.
func TestUnprovedReportAbroad(t *testing.T) {
	t.Parallel()
	settled := time.Now().Add(-time.Hour)
	w := bareWorker(t, storedFN, fiscal.ArchivedDocument{FD: 4, Form: fiscal.FormShiftClose, At: wallClock(settled.Add(time.Second).Local()), Full: true})
	w.began = time.Now()
	if err := w.journal.rebuilt(w.began); err != nil {
		t.Fatal(err)
	}
	doc := fiscal.Document{Verb: fiscal.VerbShiftClose, Key: w.journal.key("a"), At: abroad(settled, 9)}
	ev := w.checked(t.Context(), fiscal.Record{ID: "a", Verb: doc.Verb, Device: "front", Document: doc}, fiscal.Baseline{Storage: storedFN, LastFD: 4})
	if ev.Kind != fiscal.EventHeld {
		t.Errorf("%v, %v", ev.Kind, ev.Err)
	}
}

// A drawer that has more movements than the journal knows may have this one, also
// one that takes money out.
func TestUnprovedCash(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]fiscal.Baseline{
		"in":  {CashIn: fiscal.Tally{Count: 1, Total: 700}},
		"out": {CashOut: fiscal.Tally{Count: 1, Total: 700}},
		"":    {},
	} {
		w := bareWorker(t, storedFN)
		w.began = time.Now()
		base.Storage, base.Shift = storedFN, 1
		r := soldAt(w.journal, w.began.Add(-time.Hour))
		r.Verb, r.Document.Verb, r.Document.Kind = fiscal.VerbCashIn, fiscal.VerbCashIn, 0
		if ev := w.checked(t.Context(), r, base); (ev.Kind == fiscal.EventHeld) != (name != "") {
			t.Errorf("%q: %v, %v", name, ev.Kind, ev.Err)
		}
	}
}

// A movement of before a loss is for a person, though the counters of the drawer
// agree with what the new journal knows: another shift may have taken them along.
func TestCashOfBeforeALoss(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		w := bareWorker(t, storedFN)
		w.began = time.Now()
		if lost {
			if err := w.journal.rebuilt(w.began); err != nil {
				t.Fatal(err)
			}
		}
		r := soldAt(w.journal, w.began.Add(-time.Hour))
		r.Verb, r.Document.Verb, r.Document.Kind = fiscal.VerbCashOut, fiscal.VerbCashOut, 0
		if ev := w.checked(t.Context(), r, fiscal.Baseline{Storage: storedFN, Shift: 2}); (ev.Kind == fiscal.EventHeld) != lost {
			t.Errorf("lost %v: %v, %v", lost, ev.Kind, ev.Err)
		}
	}
}

// A document of an attempt that was given up here turns up while its command is with
// another backend: it is told of as late, or is the answer if nothing has begun there.
func TestLateDocumentOfOneThatHasMoved(t *testing.T) {
	t.Parallel()
	for state, end := range map[fiscal.State]fiscal.State{fiscal.Registered: fiscal.Registered, fiscal.Unknown: fiscal.Unknown, fiscal.Accepted: fiscal.Done} {
		w := bareWorker(t, storedFN)
		r := w.enter(t, soldAt(w.journal, time.Now()))
		r.Tried = []fiscal.Leg{{Device: "front", Key: r.Document.CloudKey(), At: time.Now()}}
		r.Device, r.State = "cloud", state
		if state != fiscal.Accepted {
			r.Baseline = &fiscal.Baseline{Device: "cloud", Cloud: &fiscal.CloudCall{Key: "k"}}
		}
		r, err := w.journal.save(r)
		if err == nil {
			err = w.learn(storedFN, stored(4, r.Document.Key))
		}
		if err != nil {
			t.Fatal(err)
		}
		r, _, err = w.journal.byID("a")
		late := len(r.Late) == 1 && r.Late[0].FD == 4 && r.Late[0].Device == "front"
		made := r.Receipt != nil && r.Receipt.FD == 4 && r.Device == "front"
		if err != nil || r.State != end || late == made || made != (end == fiscal.Done) {
			t.Errorf("%s: %s, late %+v, made %+v, %v", state, r.State, r.Late, r.Receipt, err)
		}
	}
}

// What the storage does not keep any more may be any command's of before.
func TestDocumentNotKept(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN, stored(4, ""), stored(6, ""))
	w.began = time.Now().Add(-time.Hour)
	if _, err := w.journal.learn(storedFN, stored(3, "")); err != nil {
		t.Fatal(err)
	}
	r := soldAt(w.journal, w.began.Add(time.Minute))
	r.Document.Total = 777
	if ev := w.checked(t.Context(), r, fiscal.Baseline{Storage: storedFN, LastFD: 6}); ev.Kind != fiscal.EventHeld || ev.Err.Code != fiscal.CodeNeedsPerson {
		t.Errorf("%v, %v", ev.Kind, ev.Err)
	}
}

// At the first sight of a storage all is read that is younger than late_after.
func TestFirstSightReadsADay(t *testing.T) {
	t.Parallel()
	aged := func(fd uint32, age time.Duration) fiscal.ArchivedDocument {
		d := stored(fd, "")
		d.At = wallClock(time.Now().Add(-age))
		return d
	}
	w := bareWorker(t, storedFN, aged(1, 48*time.Hour), aged(2, 30*time.Hour), aged(3, 20*time.Hour), aged(4, time.Hour))
	w.late = 24 * time.Hour
	if err := w.catchUp(t.Context(), storedFN, 4); err != nil {
		t.Fatal(err)
	}
	for fd, want := range map[uint32]bool{1: false, 2: true, 3: true, 4: true} {
		if err := w.journal.spool.View(func(tx *spool.Tx) error {
			if _, found, err := tx.Document(storedFN, fd); err != nil || found != want {
				t.Errorf("document %d: %v, %v", fd, found, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// Every document that another program has made between a baseline and ours is
// entered, and told of, however few they are.
func TestDocumentsBetween(t *testing.T) {
	t.Parallel()
	for _, between := range []uint32{0, 1, 2} {
		short := stored(5, "")
		short.Full = false // tells less, and is foreign all the same
		w := bareWorker(t, storedFN, short, stored(6, ""))
		r := soldAt(w.journal, time.Now())
		r.Baseline, r.Receipt = &fiscal.Baseline{Storage: storedFN, LastFD: 4}, &fiscal.Receipt{Storage: storedFN, FD: 5 + between}
		w.between(t.Context(), r)
		last, err := w.journal.lastFD(storedFN)
		want := uint32(0)
		if between > 0 {
			want = 4 + between
		}
		if err != nil || last != want || (len(w.alerts.list()) > 0) != (between > 0) {
			t.Errorf("%d between: %d is the last known, alerts %v, %v", between, last, w.alerts.list(), err)
		}
	}
}

// A document with the key of a command that was never begun is one that a former
// journal has made; that of a command in doubt is awaited.
func TestKeyNobodyAwaits(t *testing.T) {
	t.Parallel()
	for _, begun := range []bool{false, true} {
		w := bareWorker(t, storedFN)
		w.began = time.Now()
		r := soldAt(w.journal, time.Now())
		if begun {
			r.Baseline = &fiscal.Baseline{Storage: storedFN, LastFD: 3}
		}
		w.queue = []*item{{record: r}}
		if err := w.learn(storedFN, stored(4, r.Document.Key)); err != nil {
			t.Fatal(err)
		}
		if at, err := w.journal.lossAt(); err != nil || at.IsZero() != begun {
			t.Errorf("begun %v: lost at %v, %v", begun, at, err)
		}
	}
}

// The last loss counts, whatever showed it.
func TestLastLoss(t *testing.T) {
	t.Parallel()
	now := time.Now().Round(0)
	for name, marks := range map[string]func(*journal) error{
		"rebuilt, then lost": func(j *journal) error { return errors.Join(j.rebuilt(now.Add(-time.Hour)), j.lost(now)) },
		"lost, then rebuilt": func(j *journal) error { return errors.Join(j.lost(now.Add(-time.Hour)), j.rebuilt(now)) },
	} {
		j := bareJournal(t, storedFN)
		if err := marks(j); err != nil {
			t.Fatal(err)
		}
		if at, err := j.lossAt(); err != nil || !at.Equal(now) {
			t.Errorf("%s: %v, %v", name, at, err)
		}
	}
}

// No document is passed over where the search goes on with the next page.
func TestUnclaimedOnEachPage(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	const last = 2*unclaimedPage + 3
	err := j.spool.Update(func(tx *spool.Tx) error {
		for fd := uint32(1); fd <= last; fd++ {
			if err := tx.PutDocument(spool.Entry{FN: storedFN, FD: fd, Form: fiscal.FormReceipt, Kind: fiscal.Sale, Total: fiscal.Money(fd), Foreign: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for fd := uint32(1); fd <= last; fd++ {
		if got, err := j.unclaimed(storedFN, fiscal.Document{Kind: fiscal.Sale, Total: fiscal.Money(fd)}, time.Time{}); err != nil || got != fd {
			t.Errorf("document %d: found %d, %v", fd, got, err)
		}
	}
}
