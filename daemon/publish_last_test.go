package daemon

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
)

// The last answer of a terminal is the one that became final last: one that was
// taken back like any other, and no longer than until the next one, in whatever
// order they are told, and after a restart.
func TestLastAnswer(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	start := func() *Daemon { return silent(j) }
	d := start()
	last := func(want string) {
		t.Helper()
		if got := string(d.state.Get(d.topics.Last("till1"))); !strings.Contains(got, `"id":"`+want+`"`) {
			t.Errorf("the last is %s, want %s", got, want)
		}
	}
	accept := func(id string) fiscal.Record {
		t.Helper()
		r := soldAt(j, time.Now())
		r.ID, r.Document.ID, r.Document.Key = id, id, j.key(id)
		r, _, err := j.accept(r)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var ends []fiscal.Record
	j.told = func(r fiscal.Record) { ends = append(ends, r) }
	refuse := func(r fiscal.Record) {
		t.Helper()
		r.State, r.FinalAt, r.Error = fiscal.Rejected, time.Now(), fiscal.Refuse(fiscal.CodeCondition, "", "")
		if _, err := j.save(r); err != nil {
			t.Fatal(err)
		}
	}
	first := accept("first")
	accept("second")
	if err := j.tombstone("third", time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := j.cancel("second", "till1", time.Now()); err != nil {
		t.Fatal(err)
	}
	d.told(ends[0])
	last("second")
	refuse(first)
	d.told(ends[1])
	last("first")
	accept("third") // it was taken back before it came
	if d = start(); len(ends) != 3 {
		t.Fatalf("%d ends", len(ends))
	}
	d.publishLasts()
	last("third")
	fourth := accept("fourth")
	refuse(fourth)
	d.told(ends[3])
	d.told(ends[2]) // told by another worker, too late
	last("fourth")
	d = start()
	d.publishLasts()
	last("fourth")
}

// silent is a daemon that publishes what it has to tell, and does nothing else.
func silent(j *journal) *Daemon {
	d := &Daemon{spool: j.spool, journal: j, topics: j.topics, state: mqtt.NewState(stateInterval), log: slog.New(slog.DiscardHandler)}
	d.alerts = newAlertBook(func(Alert, bool) {})
	d.reconciler = newReconciler(d)
	return d
}

// The last X and the last Z of a device are told again after a start, each as its own.
func TestLastReportsAreKept(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	d := silent(j)
	for verb, receipts := range map[fiscal.Verb]uint32{fiscal.VerbXReport: 3, fiscal.VerbShiftClose: 5} {
		d.told(fiscal.Record{ID: "a", Verb: verb, Device: "front", State: fiscal.Done, FinalAt: time.Now(), Counters: &fiscal.Counters{Shift: 2, Receipts: receipts}})
	}
	again := silent(j)
	again.publishDevice("front")
	for what, receipts := range map[string]string{"x": `"receipts":3`, "z": `"receipts":5`} {
		topic := d.topics.Device("front", what)
		if got := string(again.state.Get(topic)); !strings.Contains(got, receipts) || got != string(d.state.Get(topic)) {
			t.Errorf("%s: %s, want %s", what, got, d.state.Get(topic))
		}
	}
}

// The office hears that a device came, and that it went; the next reading is no news.
func TestDeviceEvents(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	d := silent(j)
	for i, c := range []struct {
		link   bool
		events uint64
	}{{false, 0}, {true, 1}, {true, 1}, {false, 2}, {false, 2}, {true, 3}} {
		d.deviceChanged("front", deviceView{Link: c.link})
		if n := j.eventCount(t); n != c.events {
			t.Errorf("step %d: %d events, want %d", i, n, c.events)
		}
	}
}
