package daemon

import (
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// A journal was lost, and the storage of that time was taken out before anybody
// has read what it holds: a receipt that may be in it is not made in the next one
// without a person.
func TestStorageExchangedAfterALoss(t *testing.T) {
	t.Parallel()
	const former = "9999078900000007"
	now := time.Now()
	for name, c := range map[string]struct {
		settled  time.Duration // before now
		lost     bool
		in       string // the storage of the last document before the loss
		searched bool
		earlier  bool // there was a loss before, and it was read after that one only
		held     bool
	}{
		"read after an earlier loss": {settled: time.Hour, lost: true, in: former, earlier: true, held: true},
		"exchanged":                  {settled: time.Hour, lost: true, in: former, held: true},
		"read before it was":         {settled: time.Hour, lost: true, in: former, searched: true},
		"the same storage":           {settled: time.Hour, lost: true, in: storedFN},
		"nothing made before":        {settled: time.Hour, lost: true},
		"no journal was lost":        {settled: time.Hour, in: former},
		"settled after the loss":     {settled: time.Second, lost: true, in: former},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := bareWorker(t, storedFN)
			w.began = now
			if c.in != "" {
				made := soldAt(w.journal, now.Add(-2*time.Hour))
				made.ID, made.Document.ID, made.Document.Key = "before", "before", w.journal.key("before")
				made, _, err := w.journal.accept(made)
				if err == nil {
					made.State, made.FinalAt = fiscal.Done, now.Add(-2*time.Hour)
					made.Receipt = &fiscal.Receipt{Kind: "sale", Storage: c.in, FD: 3, Total: 1000, Key: made.Document.Key}
					_, err = w.journal.save(made)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if c.lost {
				if err := w.journal.rebuilt(now.Add(-time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			if c.earlier {
				if err := w.journal.searched(former, now.Add(-30*time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			if c.searched {
				if err := w.catchUp(t.Context(), former, 3); err != nil {
					t.Fatal(err)
				}
			}
			ev := w.checked(t.Context(), soldAt(w.journal, now.Add(-c.settled)), fiscal.Baseline{Storage: storedFN, LastFD: 3})
			if held := ev.Kind == fiscal.EventHeld && ev.Err.Code == fiscal.CodeNeedsPerson; held != c.held || !held && ev.Kind != fiscal.EventPrepared {
				t.Errorf("%v, %v", ev.Kind, ev.Err)
			}
		})
	}
}

// A journal was lost: a receipt of before is made on no printer of a route while
// another one, which may have it, has not been read.
func TestRouteAfterALoss(t *testing.T) {
	t.Parallel()
	const other = "9999078900000002"
	now := time.Now()
	for name, c := range map[string]struct {
		settled time.Duration // before now
		read    bool
		away    bool
		want    fiscal.EventKind
		code    fiscal.Code
	}{
		"about to be read": {settled: time.Hour, want: fiscal.EventPrepareFail, code: fiscal.CodePrinterBusy},
		"away":             {settled: time.Hour, away: true, want: fiscal.EventHeld, code: fiscal.CodeNeedsPerson},
		"read":             {settled: time.Hour, read: true, want: fiscal.EventPrepared},
		"read, away since": {settled: time.Hour, read: true, away: true, want: fiscal.EventPrepared},
		"settled since":    {settled: time.Second, want: fiscal.EventPrepared},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := bareWorker(t, storedFN)
			second := &worker{cfg: DeviceConfig{Name: "second"}}
			w.router.workers["second"] = second
			w.router.routes = map[string]RouteConfig{"default": {Name: "default", Backends: []string{"front", "second"}}}
			w.journal.backends = func(string) []string { return []string{"front", "second"} }
			w.journal.info = func(device string) *fiscal.Info {
				return map[string]*fiscal.Info{"front": {Storage: storedFN}, "second": {Storage: other}}[device]
			}
			w.began = now.Add(-time.Minute)
			if err := w.journal.rebuilt(w.began); err != nil {
				t.Fatal(err)
			}
			if c.read {
				if err := w.journal.searched(other, now); err != nil {
					t.Fatal(err)
				}
			}
			if c.away {
				second.fit.stands(now.Add(-time.Second), fiscal.CodePrinterAway)
			}
			r := soldAt(w.journal, now.Add(-c.settled))
			r.Route = "default"
			ev := w.checked(t.Context(), r, fiscal.Baseline{Storage: storedFN})
			if ev.Kind != c.want || c.code != "" && ev.Err.Code != c.code {
				t.Errorf("%v, %v", ev.Kind, ev.Err)
			}
			w.enter(t, r)
			_, err := w.journal.cancel("a", "till1", now)
			if taken := err == nil; taken != (ev.Kind == fiscal.EventPrepared) {
				t.Errorf("taken back: %v", err)
			}
		})
	}
}

// A loss of the journal shows on one printer only when the other one of the route
// was read already: that one need not be read again, and the receipt goes on.
func TestLossSeenAfterTheOtherWasRead(t *testing.T) {
	t.Parallel()
	const other = "9999078900000002"
	began := time.Now().Add(-time.Minute)
	w := bareWorker(t, storedFN, stored(4, ""), stored(5, "lost"))
	second := &worker{cfg: DeviceConfig{Name: "second"}, journal: w.journal, began: began}
	w.began, w.router.workers["second"] = began, second
	w.router.routes = map[string]RouteConfig{"default": {Name: "default", Backends: []string{"front", "second"}}}
	w.journal.info = func(device string) *fiscal.Info {
		return map[string]*fiscal.Info{"front": {Storage: storedFN}, "second": {Storage: other}}[device]
	}
	if _, err := w.journal.learn(storedFN, stored(3, "")); err != nil {
		t.Fatal(err)
	}
	if err := second.noteSearched(other); err != nil {
		t.Fatal(err)
	}
	r := soldAt(w.journal, began.Add(-time.Hour))
	r.Route, r.Document.Total = "default", 700
	ev := w.checked(t.Context(), r, fiscal.Baseline{Storage: storedFN, LastFD: 5})
	if lost, err := w.journal.lossAt(); err != nil || lost.IsZero() {
		t.Fatalf("no loss: %v", err)
	}
	if ev.Kind != fiscal.EventPrepared {
		t.Errorf("%v, %v", ev.Kind, ev.Err)
	}
}

// A journal was lost: a receipt of before may be with the cloud of its route, which
// cannot be searched. A journal that has only begun asks it under the same key.
func TestCloudOfARouteAfterALoss(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		mark    string
		settled time.Duration // before now
		held    bool
	}{
		"lost since":         {metaRebuilt, time.Hour, true},
		"documents lost":     {metaLost, time.Hour, true},
		"lost before":        {metaRebuilt, time.Second, false},
		"the journal is new": {metaBegun, time.Hour, false},
	} {
		w := bareWorker(t, storedFN)
		w.began = now.Add(-time.Minute)
		w.router.workers["cloud"] = &worker{cfg: DeviceConfig{Name: "cloud"}, cloud: picky{}}
		w.router.routes = map[string]RouteConfig{"default": {Name: "default", Backends: []string{"front", "cloud"}}}
		if err := w.journal.mark(c.mark, w.began); err != nil {
			t.Fatal(err)
		}
		r := soldAt(w.journal, now.Add(-c.settled))
		r.Route = "default"
		ev := w.checked(t.Context(), r, fiscal.Baseline{Storage: storedFN})
		if held := ev.Kind == fiscal.EventHeld && ev.Err.Code == fiscal.CodeNeedsPerson; held != c.held || !held && ev.Kind != fiscal.EventPrepared {
			t.Errorf("%s: %v, %v", name, ev.Kind, ev.Err)
		}
	}
}

// That a storage was read back is remembered. A full disk is no reason to stop, unless
// others wait for that word: then it is written when there is room.
func TestSearchedOnAFullDisk(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		w := bareWorker(t, storedFN)
		s, disk := spoolOnDisk(t)
		w.journal.spool = s
		if lost {
			if err := w.journal.rebuilt(time.Now().Add(-time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		disk.SetFull(true)
		fill(t, s)
		if err := w.noteSearched(storedFN); (err != nil) != lost || lost && !spool.NoRoom(err) {
			t.Errorf("lost %v: %v", lost, err)
		}
		if disk.SetFull(false); !lost {
			continue
		}
		if err := w.noteSearched(storedFN); err != nil || !w.journal.searchedSince("front", time.Now().Add(-time.Second)) {
			t.Errorf("with room again it is not remembered: %v", err)
		}
	}
}
