package spool

import (
	"testing"
	"time"

	"kassad/fiscal"
)

// A command that was held for a year keeps its answer for as long after its end as
// any other, with what it made; and an id is barred as long as one is kept.
func TestPruneKeepsWhatEndedLately(t *testing.T) {
	t.Parallel()
	s := start(t)
	now := wall.Add(2 * Retention)
	old, lately := now.Add(-Retention-24*time.Hour), now.Add(-24*time.Hour)
	end := func(r fiscal.Record, fd uint32) {
		r.AcceptedAt = old
		r = done(accept(t, s, r), fd)
		r.FinalAt, r.Receipt.At = lately, old
		update(t, s, func(tx *Tx) error { return tx.Put(r) })
	}
	end(sale("held"), 1)
	cash := sale("cash")
	cash.Verb, cash.Document = fiscal.VerbCashIn, fiscal.Document{ID: "cash", Verb: fiscal.VerbCashIn, Amount: 700, At: old}
	end(cash, 0)
	update(t, s, func(tx *Tx) error { return tx.PutDocument(Entry{FN: storage, FD: 2, At: now, Foreign: true}) })
	update(t, s, func(tx *Tx) error { return tx.Tombstone("barred", now.Add(-Retention+time.Hour)) })
	if n, err := s.Prune(now, 100); n != 0 || err != nil {
		t.Errorf("%d forgotten, %v", n, err)
	}
	view(t, s, func(tx *Tx) error {
		for _, id := range []string{"held", "cash"} {
			if _, found, err := tx.ByID(id); err != nil || !found {
				t.Errorf("%s is forgotten, %v", id, err)
			}
		}
		if _, found, err := tx.DocumentByKey(fiscal.Key("root", "held")); err != nil || !found {
			t.Errorf("its document is forgotten, %v", err)
		}
		if drawer, err := tx.Cash(storage, 17); err != nil || len(drawer) != 1 {
			t.Errorf("its cash: %v, %v", drawer, err)
		}
		if !tx.Tombstoned("barred") {
			t.Error("the id is not barred any more")
		}
		return nil
	})
}

// An id that was barred, came, and was cancelled is kept by its record: the bar's
// own age has no part in it.
func TestPruneOfABarThatWasUsed(t *testing.T) {
	t.Parallel()
	s := start(t)
	update(t, s, func(tx *Tx) error { return tx.Tombstone("a", wall) })
	r := sale("a")
	r.AcceptedAt = wall.Add(time.Hour)
	if _, how := acceptAs(t, s, r); how != Tombstoned {
		t.Fatal(how)
	}
	if n, err := s.Prune(wall.Add(Retention+time.Minute), 100); n != 0 || err != nil {
		t.Errorf("%d forgotten, %v", n, err)
	}
	if _, how := acceptAs(t, s, sale("a")); how != Duplicate {
		t.Errorf("sent again: %v", how)
	}
}

// What a cloud has already fills nobody's queue.
func TestRegisteredFillsNoQueue(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, id := range []string{"a", "b", "c"} {
		r := accept(t, s, sale(id))
		if id != "c" {
			r.State = fiscal.Registered
			update(t, s, func(tx *Tx) error { return tx.Put(r) })
		}
	}
	view(t, s, func(tx *Tx) error {
		sum, err := tx.Summary()
		if n := tx.QueueLen("front"); err != nil || n != 1 || sum.Queued != 1 || sum.Registered != 2 {
			t.Errorf("%d in the queue, %+v, %v", n, sum, err)
		}
		return nil
	})
}
