package daemon

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kassad/fiscal"
)

// A command that is due and stands behind another one gives the worker nothing
// to do: it must not look at it a thousand times a second.
func TestIdleBehindAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		w := &worker{cfg: DeviceConfig{Poll: Duration(time.Minute)}, polled: now, looked: now}
		doubt := &item{record: fiscal.Record{Seq: 1, State: fiscal.Unknown}, due: now.Add(5 * time.Second), last: now}
		behind := &item{record: fiscal.Record{Seq: 2, State: fiscal.Accepted, Verb: fiscal.VerbSale}, due: now.Add(-time.Second), last: now}
		w.queue = []*item{doubt, behind}
		if it := w.next(now); it != nil {
			t.Fatalf("%d goes although %d is in doubt", it.record.Seq, doubt.record.Seq)
		}
		if idle := w.idleFor(); idle != 5*time.Second {
			t.Errorf("idle for %s, want until the doubt is looked at again", idle)
		}
		doubt.due = now.Add(time.Millisecond)
		<-time.After(2 * time.Millisecond) // it became due after the search
		if idle := w.idleFor(); idle > time.Millisecond {
			t.Errorf("idle for %s although something is due", idle)
		}
	})
}

// What a status has healed after the search is begun at once, not with the next status.
func TestWokenAfterTheSearch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		w := &worker{cfg: DeviceConfig{Poll: Duration(time.Minute)}, polled: now, looked: now}
		w.queue = []*item{{record: fiscal.Record{Seq: 1, State: fiscal.Accepted, Verb: fiscal.VerbSale}, due: now.Add(30 * time.Second), last: now}}
		<-time.After(time.Millisecond)
		w.wakeWaiting()
		if idle := w.idleFor(); idle > time.Millisecond {
			t.Errorf("idle for %s although something is due", idle)
		}
	})
}

// A print verb waits for a receipt that was left open on the device. Only a
// document finds out whose receipt that is, so it must not wait as well.
func TestOpenReceiptBlocksNoDocument(t *testing.T) {
	t.Parallel()
	sale := &fiscal.Record{State: fiscal.Accepted, Verb: fiscal.VerbSale}
	busy := &fiscal.Error{Code: fiscal.CodePrinterBusy}
	for _, c := range []struct {
		verb    fiscal.Verb
		waiting *fiscal.Error
		passes  bool
	}{
		{fiscal.VerbText, busy, true},
		{fiscal.VerbDrawer, busy, true},
		{fiscal.VerbText, &fiscal.Error{Code: fiscal.CodePaperOut}, false},
		{fiscal.VerbSale, busy, false},
	} {
		blocker := &fiscal.Record{State: fiscal.Accepted, Verb: c.verb, Waiting: c.waiting}
		if got := overtakes(sale, blocker); got != c.passes {
			t.Errorf("a sale passes %s that waits for %s: %t", c.verb, c.waiting.Code, got)
		}
	}
}

// The prints of a terminal that prints without end go after all else, in their order;
// a few wait for their turn like anything. Documents never change places: a close that
// goes before a sale leaves it without a shift.
func TestFloodStandsBack(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		prints int
		order  []uint64
	}{
		{printsAtOnce, []uint64{1, 2, 3, 4, 5, 100, 101, 102, 103}},
		{printsAtOnce + 1, []uint64{100, 101, 102, 103, 1, 2, 3, 4, 5, 6}},
	} {
		w := &worker{}
		put := func(seq uint64, terminal string, verb fiscal.Verb) {
			w.queue = append(w.queue, &item{record: fiscal.Record{Seq: seq, Terminal: terminal, State: fiscal.Accepted, Verb: verb}, due: now, last: now})
		}
		for i := range c.prints {
			put(uint64(i+1), "flood", fiscal.VerbText)
		}
		put(100, "flood", fiscal.VerbSale)
		put(101, "honest", fiscal.VerbSale)
		put(102, "flood", fiscal.VerbShiftClose)
		put(103, "honest", fiscal.VerbText)
		var went []uint64
		for range len(w.queue) {
			it := w.next(now)
			if it == nil {
				t.Fatalf("nothing goes, %d wait", len(w.queue))
			}
			went = append(went, it.record.Seq)
			w.queue = slices.DeleteFunc(w.queue, func(other *item) bool { return other == it })
		}
		if !slices.Equal(went, c.order) {
			t.Errorf("%d prints: %v, want %v", c.prints, went, c.order)
		}
	}
}
