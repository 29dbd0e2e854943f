package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
)

// acceptAs is Accept in a transaction of its own.
func acceptAs(t *testing.T, s *Spool, r fiscal.Record) (fiscal.Record, Acceptance) {
	t.Helper()
	var got fiscal.Record
	var how Acceptance
	update(t, s, func(tx *Tx) (err error) {
		got, how, err = tx.Accept(r)
		return err
	})
	return got, how
}

func TestAcceptAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	accept(t, s, sale("a"))

	repeat := sale("a")
	repeat.Links = []string{"office"}
	got, how := acceptAs(t, s, repeat)
	if how != Duplicate || got.Seq != 1 || !slices.Equal(got.Links, []string{"local", "office"}) {
		t.Errorf("repeat on another link: %v %+v", how, got.Links)
	}
	if got, how = acceptAs(t, s, sale("a")); how != Duplicate || len(got.Links) != 2 {
		t.Errorf("second repeat: %v %v", how, got.Links)
	}

	other := sale("a")
	other.Hash, other.Links = "another", []string{"third"}
	if got, how = acceptAs(t, s, other); how != Conflict || got.Hash != "h-a" || slices.Contains(got.Links, "third") {
		t.Errorf("another content: %v %+v", how, got)
	}
}

func TestWorkerKeepsLinksThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	s := start(t)
	copied := accept(t, s, sale("a"))
	repeat := sale("a")
	repeat.Links = []string{"office"}
	acceptAs(t, s, repeat)
	finish(t, s, copied, 1) // knows of one link only
	view(t, s, func(tx *Tx) error {
		r, _, err := tx.ByID("a")
		if !slices.Equal(r.Links, []string{"local", "office"}) {
			t.Errorf("links %v", r.Links)
		}
		return err
	})
}

func TestTombstone(t *testing.T) {
	t.Parallel()
	s := start(t)
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.Tombstone("a", wall.Add(-time.Hour)), tx.Tombstone("a", wall.Add(time.Hour)))
	})
	view(t, s, func(tx *Tx) error {
		if _, ok, err := tx.ByID("a"); ok || err != nil || !tx.Tombstoned("a") {
			t.Errorf("before it came: %v %v", ok, err)
		}
		return nil
	})
	got, how := acceptAs(t, s, sale("a"))
	if how != Tombstoned || got.State != fiscal.Cancelled || got.FinalSeq != 1 || got.FinalAt.IsZero() {
		t.Errorf("late arrival: %v %+v", how, got)
	}
	if !got.FinalAt.Equal(got.AcceptedAt) { // not when it was barred: who asks since a time has not heard of it
		t.Errorf("it has ended at %v, it came at %v", got.FinalAt, got.AcceptedAt)
	}
	if _, how = acceptAs(t, s, sale("a")); how != Duplicate {
		t.Errorf("repeat of the late arrival: %v", how)
	}
	if err := s.Update(func(tx *Tx) error { return tx.Tombstone("a", wall) }); !errors.Is(err, ErrSeen) {
		t.Errorf("tombstone of a seen id: %v", err)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t)
	update(t, s, func(tx *Tx) error {
		for i := range QueueMax {
			if _, how, err := tx.Accept(sale(fmt.Sprint(i))); err != nil || how != New {
				return fmt.Errorf("%d: %v %w", i, how, err)
			}
		}
		return nil
	})
	if got, how := acceptAs(t, s, sale("over")); how != Busy || got.Seq != 0 {
		t.Errorf("one more: %v %+v", how, got)
	}
	if _, how := acceptAs(t, s, sale("7")); how != Duplicate {
		t.Errorf("a repeat while full: %v", how)
	}
	elsewhere := sale("back")
	elsewhere.Device = "back"
	if _, how := acceptAs(t, s, elsewhere); how != New {
		t.Errorf("another device: %v", how)
	}
	view(t, s, func(tx *Tx) error {
		if _, ok, err := tx.ByID("over"); ok || err != nil {
			t.Errorf("busy left a record: %v", err)
		}
		return nil
	})
	r := sale("0")
	r.Seq = 1
	finish(t, s, r, 1)
	if _, how := acceptAs(t, s, sale("over")); how != New {
		t.Errorf("after one is done: %v", how)
	}
	automatic := sale("auto-close-1")
	automatic.Terminal = ""
	if _, how := acceptAs(t, s, automatic); how != New {
		t.Errorf("an automatic document, which the queue may be waiting for: %v", how)
	}
}

func TestQueueKeepsOrderAndFollowsTheRoute(t *testing.T) {
	t.Parallel()
	s := start(t)
	for i := range 300 { // more than one byte of seq
		accept(t, s, sale(fmt.Sprint(i)))
	}
	update(t, s, func(tx *Tx) error {
		r, _, err := tx.Record(7)
		if err != nil {
			return err
		}
		r.Device, r.State = "lifepay", fiscal.Registered
		return tx.Put(r)
	})
	view(t, s, func(tx *Tx) error {
		front, err := tx.Queue("front")
		if err != nil || len(front) != 299 || !slices.IsSortedFunc(front, func(a, b fiscal.Record) int { return int(a.Seq) - int(b.Seq) }) {
			t.Errorf("front has %d: %v", len(front), err)
		}
		cloud, err := tx.Queue("lifepay")
		if err != nil || len(cloud) != 1 || cloud[0].Seq != 7 {
			t.Errorf("lifepay has %+v: %v", cloud, err)
		}
		if devices, _ := tx.Devices(); !slices.Equal(devices, []string{"front", "lifepay"}) {
			t.Errorf("devices %v", devices)
		}
		if in, _ := tx.InState(fiscal.Registered); len(in) != 1 {
			t.Errorf("registered %v", in)
		}
		return nil
	})
}

// A command that goes to another backend as it is leaves the queue of the first: a
// start would find it with the wrong one.
func TestQueueFollowsWhatOnlyMoves(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := accept(t, s, sale("a"))
	for _, device := range []string{"back", "lifepay", "front"} {
		before := r.Device
		r.Device = device
		update(t, s, func(tx *Tx) error { return tx.Put(r) })
		view(t, s, func(tx *Tx) error {
			was, err := tx.Queue(before)
			is, ierr := tx.Queue(device)
			if err != nil || ierr != nil || len(was) != 0 || len(is) != 1 || is[0].Device != device {
				t.Errorf("from %s to %s: %d and %d, %v", before, device, len(was), len(is), errors.Join(err, ierr))
			}
			return nil
		})
	}
	if faults, err := s.Check(); err != nil || len(faults) > 0 {
		t.Errorf("%v, %v", faults, err)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	s := start(t)
	for i, state := range []fiscal.State{fiscal.Accepted, fiscal.Unknown, fiscal.Held, fiscal.Accepted} {
		r := sale(string(state) + fmt.Sprint(i))
		r.AcceptedAt = wall.Add(time.Duration(i) * time.Minute)
		r = accept(t, s, r)
		r.State = state
		update(t, s, func(tx *Tx) error { return tx.Put(r) })
	}
	update(t, s, func(tx *Tx) error { return tx.Send(Message{Link: "local", Topic: "t"}) })
	view(t, s, func(tx *Tx) error {
		got, err := tx.Summary()
		if err != nil || got.Queued != 4 || !got.Oldest.Equal(wall) || got.Outbox != 1 ||
			!slices.Equal(got.Unknown, []string{"unknown1"}) || !slices.Equal(got.Held, []string{"held2"}) {
			t.Errorf("%+v %v", got, err)
		}
		return nil
	})
}

// The oldest is that of all devices, whatever their names.
func TestOldestOfTwoDevices(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"back", "front"} {
		s := start(t)
		for i := range 4 {
			r := sale(fmt.Sprint(i))
			r.AcceptedAt = wall.Add(time.Duration(i) * time.Minute)
			if r.Device = first; i%2 == 1 {
				r.Device = map[string]string{"back": "front", "front": "back"}[first]
			}
			accept(t, s, r)
		}
		view(t, s, func(tx *Tx) error {
			got, err := tx.Summary()
			if err != nil || !got.Oldest.Equal(wall) || got.ByDevice["back"] != 2 || got.ByDevice["front"] != 2 {
				t.Errorf("%s is first: %+v %v", first, got, err)
			}
			return nil
		})
	}
}

// TestPutRefusesTheImpossible: a broken invariant stops the process.
func TestPutRefusesTheImpossible(t *testing.T) {
	t.Parallel()
	s := start(t)
	final := finish(t, s, accept(t, s, sale("a")), 1)
	open := accept(t, s, sale("b"))
	for name, change := range map[string]func() fiscal.Record{
		"leaves a final state": func() fiscal.Record { r := final; r.State = fiscal.Unknown; return r },
		"another end":          func() fiscal.Record { r := final; r.State = fiscal.Rejected; return r },
		"another document":     func() fiscal.Record { return done(final, 2) },
		"another hash":         func() fiscal.Record { r := open; r.Hash = "x"; return r },
		"another id":           func() fiscal.Record { r := open; r.ID = "x"; return r },
		"another verb":         func() fiscal.Record { r := open; r.Verb = fiscal.VerbRefund; return r },
		"no such record":       func() fiscal.Record { r := open; r.Seq = 99; return r },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, "spool: put") {
					t.Errorf("panic %q", text)
				}
			}()
			_ = s.Update(func(tx *Tx) error { return tx.Put(change()) })
		})
	}
	accept(t, s, sale("c")) // and the store goes on
}

func TestInvalidRecordsAreNotStored(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, spoil := range map[string]func(*fiscal.Record){
		"no id":          func(r *fiscal.Record) { r.ID = "" },
		"zero in id":     func(r *fiscal.Record) { r.ID = "a\x00b" },
		"zero in device": func(r *fiscal.Record) { r.Device = "a\x00" },
		"no hash":        func(r *fiscal.Record) { r.Hash = "" },
		"a query":        func(r *fiscal.Record) { r.Verb = fiscal.VerbStatus },
		"no new command": func(r *fiscal.Record) { r.State = fiscal.Working },
	} {
		r := sale("a")
		spoil(&r)
		err := s.Update(func(tx *Tx) error { _, _, err := tx.Accept(r); return err })
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := accept(t, s, sale("a"))
	r = done(r, 0)
	if err := s.Update(func(tx *Tx) error { return tx.Put(r) }); !errors.Is(err, ErrInvalid) {
		t.Errorf("done without a document: %v", err)
	}
	r.Resolved = &fiscal.Resolution{Action: fiscal.ResolveDoneElsewhere, FD: 5}
	update(t, s, func(tx *Tx) error { return tx.Put(r) })
}

func TestFinals(t *testing.T) {
	t.Parallel()
	s := start(t)
	const n = 200
	for i := range n {
		r := sale(fmt.Sprint(i))
		r.Terminal = fmt.Sprintf("till%d", i%2)
		r.AcceptedAt = wall.Add(time.Duration(i) * time.Minute)
		if i == n/2 {
			r.AcceptedAt = wall.Add(-time.Hour) // the clock was wrong for a moment
		}
		finish(t, s, accept(t, s, r), uint32(i+1))
	}
	view(t, s, func(tx *Tx) error {
		if terminals, _ := tx.Terminals(); !slices.Equal(terminals, []string{"till0", "till1"}) {
			t.Errorf("terminals %v", terminals)
		}
		if last, ok, err := tx.Last("till0"); !ok || err != nil || last.ID != "198" {
			t.Errorf("last %s %v %v", last.ID, ok, err)
		}
		if _, ok, _ := tx.Last("till"); ok {
			t.Error("a terminal that is a prefix of another has its answers")
		}
		got, err := tx.FinalsSince("till1", 190, 3)
		if err != nil || len(got) != 3 || got[0].FinalSeq != 192 || got[2].FinalSeq != 196 {
			t.Errorf("since 190: %+v %v", got, err)
		}
		got, err = tx.FinalsSinceTime("till0", wall.Add(50*time.Minute), n)
		if err != nil || len(got) == 0 || got[0].ID != "50" || len(got) != n/2-25 {
			t.Errorf("since 50 min: %d from %s, %v", len(got), got[0].ID, err)
		}
		if got, _ = tx.FinalsSinceTime("till0", wall.Add(time.Hour*24), n); got != nil {
			t.Errorf("since tomorrow: %d", len(got))
		}
		return nil
	})
}

// A clock that is wrong now and then hides no answer from who asks since a time.
func TestFinalsSinceATimeByAClockThatJumps(t *testing.T) {
	t.Parallel()
	s := start(t)
	const n = 3 * staleRun
	for i := range n {
		r := sale(fmt.Sprint(i))
		r.AcceptedAt = wall.Add(time.Hour)
		if i%2 == 1 {
			r.AcceptedAt = wall.Add(-time.Hour)
		}
		finish(t, s, accept(t, s, r), uint32(i+1))
	}
	view(t, s, func(tx *Tx) error {
		if got, err := tx.FinalsSinceTime("till1", wall, 2*n); err != nil || len(got) != n || got[0].ID != "0" {
			t.Errorf("%d of %d, %v", len(got), n, err)
		}
		return nil
	})
}

func TestMetaAndEvents(t *testing.T) {
	t.Parallel()
	s := start(t)
	boom := errors.New("boom")
	err := s.Update(func(tx *Tx) error {
		if n, err := tx.NextEvent(); n != 1 || err != nil {
			t.Errorf("first event %d %v", n, err)
		}
		return errors.Join(tx.PutMeta("epoch", 1), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	update(t, s, func(tx *Tx) error {
		n, err := tx.NextEvent()
		if n != 1 || tx.LastEvent() != 1 {
			t.Errorf("the number of a failed transaction is lost: %d", n)
		}
		return errors.Join(err, tx.PutMeta("instance", map[string]string{"id": "x"}))
	})
	view(t, s, func(tx *Tx) error {
		var epoch int
		if ok, err := tx.Meta("epoch", &epoch); ok || err != nil {
			t.Errorf("epoch %d %v", epoch, err)
		}
		var instance map[string]string
		if ok, err := tx.Meta("instance", &instance); !ok || err != nil || instance["id"] != "x" {
			t.Errorf("instance %v %v", instance, err)
		}
		return nil
	})
	update(t, s, func(tx *Tx) error { return tx.DeleteMeta("instance") })
}
