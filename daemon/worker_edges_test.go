package daemon

import (
	"slices"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// What has come back from elsewhere takes its place by acceptance, and a letter
// that brings no news changes nothing.
func TestTakeKeepsTheOrder(t *testing.T) {
	t.Parallel()
	w := &worker{cfg: DeviceConfig{Name: "front"}}
	for _, seq := range []uint64{5, 2, 9, 3} {
		w.take(fiscal.Record{Seq: seq, N: 1, Device: "front", State: fiscal.Accepted})
	}
	w.queue[0].due = time.Time{}
	w.take(fiscal.Record{Seq: 2, N: 1, Device: "front", State: fiscal.Held}) // of the same count: no news
	var order []uint64
	for _, it := range w.queue {
		order = append(order, it.record.Seq)
	}
	if !slices.Equal(order, []uint64{2, 3, 5, 9}) || w.queue[0].record.State != fiscal.Accepted {
		t.Errorf("%v, the first is %s", order, w.queue[0].record.State)
	}
}

// A correction is late as a receipt is, a report of a shift never.
func TestWhatIsLate(t *testing.T) {
	t.Parallel()
	w := &worker{late: time.Hour}
	for verb, late := range map[fiscal.Verb]bool{
		fiscal.VerbSale: true, fiscal.VerbRefund: true, fiscal.VerbCorrection: true, fiscal.VerbShiftClose: false, fiscal.VerbCashIn: false,
	} {
		doc := fiscal.Document{Verb: verb, At: time.Now().Add(-61 * time.Minute)}
		if verb == fiscal.VerbCorrection {
			doc.Correction = &fiscal.Correction{}
		}
		if got := w.isLate(fiscal.Record{Verb: verb, Document: doc}); got != late {
			t.Errorf("%s: %v", verb, got)
		}
	}
}

// A clock that was set counts against no command's wait, in either direction.
func TestTimeAway(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for away, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute, -time.Minute: 0, awayMax: awayMax, awayMax + 1: 0,
	} {
		if got := timeAway(fiscal.Record{SavedAt: now.Add(-away)}, now); got != want {
			t.Errorf("saved %v ago: %v", away, got)
		}
		if got := timeAway(fiscal.Record{AcceptedAt: now.Add(-away)}, now); got != want {
			t.Errorf("accepted %v ago, never saved: %v", away, got)
		}
	}
}

// A shift that is closed, or over, lets nothing pass but its reports.
func TestShiftReportsOvertake(t *testing.T) {
	t.Parallel()
	for _, code := range []fiscal.Code{fiscal.CodeShiftClosed, fiscal.CodeShiftExpired} {
		blocker := &fiscal.Record{State: fiscal.Accepted, Verb: fiscal.VerbSale, Waiting: fiscal.Refuse(code, "", "")}
		for verb, passes := range map[fiscal.Verb]bool{
			fiscal.VerbShiftOpen: true, fiscal.VerbShiftClose: true, fiscal.VerbSale: false, fiscal.VerbCashIn: false,
		} {
			if got := overtakes(&fiscal.Record{State: fiscal.Accepted, Verb: verb}, blocker); got != passes {
				t.Errorf("%s, %s: %v", code, verb, got)
			}
		}
	}
}

// The answer of a device is that of the attempt which it was asked for.
func TestSameAttempt(t *testing.T) {
	t.Parallel()
	r := fiscal.Record{State: fiscal.Working, Device: "front", Attempt: 1}
	for name, change := range map[string]func(*fiscal.Record){
		"the same": func(*fiscal.Record) {}, "begun again": func(r *fiscal.Record) { r.Attempt++ },
		"another key": func(r *fiscal.Record) { r.Document.Edition++ }, "elsewhere": func(r *fiscal.Record) { r.Device = "x" },
		"over": func(r *fiscal.Record) { r.State = fiscal.Done },
	} {
		now := r
		if change(&now); sameAttempt(r, now) != (name == "the same") {
			t.Error(name)
		}
	}
}

// Each route has a patience of its own, and sends nothing to where it is.
func TestNextOfARoute(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sells := map[fiscal.Verb]bool{fiscal.VerbSale: true}
	front, back := &worker{cfg: DeviceConfig{Name: "front"}, can: sells}, &worker{cfg: DeviceConfig{Name: "back"}, can: sells}
	r := &router{
		workers: map[string]*worker{"front": front, "back": back},
		routes: map[string]RouteConfig{
			DefaultRoute: {Name: DefaultRoute, Backends: []string{"front", "back"}, FallbackAfter: Duration(time.Minute)},
			"patient":    {Name: "patient", Backends: []string{"front", "back"}, FallbackAfter: Duration(time.Hour)},
			"alone":      {Name: "alone", Backends: []string{"front"}, FallbackAfter: Duration(time.Minute)},
		},
		alerts: newAlertBook(func(Alert, bool) {}), info: func(string) *fiscal.Info { return nil },
	}
	for _, c := range []struct {
		route string
		ill   time.Duration
		to    string
	}{
		{DefaultRoute, time.Minute - 1, ""}, {DefaultRoute, time.Minute, "back"}, {"patient", time.Minute, ""}, {"patient", time.Hour, "back"},
		{"alone", time.Hour, ""}, {"removed", time.Hour, ""},
	} {
		to, refusal := r.next(fiscal.Record{Route: c.route, Device: "front", Verb: fiscal.VerbSale}, c.ill, now)
		if to != c.to || refusal != nil {
			t.Errorf("%s, ill for %v: %q, %v", c.route, c.ill, to, refusal)
		}
	}
	// All are away: a new one waits behind the oldest.
	front.fit.stands(now.Add(-time.Hour), fiscal.CodePaperOut)
	back.fit.stands(now.Add(-time.Hour), fiscal.CodePaperOut)
	for _, c := range []struct {
		front, back uint64
		behind      string
	}{{0, 0, "front"}, {7, 5, "back"}, {5, 7, "front"}, {0, 7, "back"}} {
		front.waiting.Store(c.front)
		back.waiting.Store(c.back)
		if w, refusal := r.choose(r.routes[DefaultRoute], fiscal.VerbSale, fiscal.Document{}, now); refusal != nil || w.cfg.Name != c.behind {
			t.Errorf("%d and %d wait: %v, %v", c.front, c.back, w.cfg.Name, refusal)
		}
	}
	// A younger one that waits elsewhere is not waited for.
	front.router, front.healed = r, now
	back.waiting.Store(7)
	for seq, waits := range map[uint64]bool{6: false, 7: false, 8: true} {
		it := &item{record: fiscal.Record{Seq: seq, State: fiscal.Accepted, Verb: fiscal.VerbSale, Route: DefaultRoute}}
		if got := front.waitsForOlder(it, now); got != waits {
			t.Errorf("%d waits for 7: %v", seq, got)
		}
	}
	doubted := &item{record: fiscal.Record{
		State: fiscal.Accepted, Verb: fiscal.VerbSale, Route: DefaultRoute, Tried: []fiscal.Leg{{Device: "front", Baseline: &fiscal.Baseline{}}},
	}}
	if front.mayLeave(doubted) {
		t.Error("a retry in doubt leaves its device")
	}
}

// Two other nodes are two rivals: one that leaves does not take the other along,
// and a person's word is about those that were seen.
func TestRivals(t *testing.T) {
	t.Parallel()
	r := newRivals("own", newAlertBook(func(Alert, bool) {}))
	paused := func(want bool, what string) {
		t.Helper()
		if _, is := r.paused(); is != want {
			t.Errorf("%s: paused %v", what, is)
		}
	}
	r.observe("own", true, "shop")
	paused(false, "we ourselves")
	r.observe("a", true, "shop")
	r.observe("b", true, "office")
	r.observe("a", false, "shop")
	paused(true, "one of two has left")
	r.choose()
	paused(false, "a person chose")
	r.observe("b", true, "office")
	paused(false, "the one that was judged")
	r.observe("c", true, "shop")
	paused(true, "one more")
}

// What a reading of a status says of alerts.
func TestStanding(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		change func(*fiscal.Status)
		code   fiscal.Code
	}{
		"a fast clock":           {func(s *fiscal.Status) { s.Clock = s.Clock.Add(3 * time.Minute) }, fiscal.CodeClockDrift},
		"a slow clock":           {func(s *fiscal.Status) { s.Clock = s.Clock.Add(-3 * time.Minute) }, fiscal.CodeClockDrift},
		"one document unsent":    {func(s *fiscal.Status) { s.OFD = fiscal.OFDStatus{Unsent: 1, Oldest: s.Clock.Add(-49 * time.Hour)} }, fiscal.CodeOFDBacklog},
		"unsent for a day":       {func(s *fiscal.Status) { s.OFD = fiscal.OFDStatus{Unsent: 9, Oldest: s.Clock.Add(-24 * time.Hour)} }, ""},
		"the last month":         {func(s *fiscal.Status) { s.FN.DaysLeft = 29 }, fiscal.CodeFNExpiresSoon},
		"a month and a day":      {func(s *fiscal.Status) { s.FN.DaysLeft = 30 }, ""},
		"the last hour of a day": {func(s *fiscal.Status) { s.Shift.Open, s.Shift.ExpiresAt = true, s.Clock.Add(59*time.Minute) }, fiscal.CodeShiftExpiresSoon},
		"paper":                  {func(s *fiscal.Status) { s.Conditions = []fiscal.Code{fiscal.CodePaperOut} }, fiscal.CodePaperOut},
		"a closed shift":         {func(s *fiscal.Status) { s.Conditions = []fiscal.Code{fiscal.CodeShiftClosed} }, ""},
		"nothing":                {func(*fiscal.Status) {}, ""},
	} {
		st := fiscal.Status{Clock: wallClock(now)}
		c.change(&st)
		got := standing(st, now)
		if _, stands := got[c.code]; len(got) > 1 || (c.code != "") != stands || c.code == "" && len(got) > 0 {
			t.Errorf("%s: %v, want %q", name, got, c.code)
		}
	}
}

// A document is taken from a year before to a day ahead.
func TestTimely(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		verb fiscal.Verb
		at   time.Duration
		exp  time.Duration
		code fiscal.Code
	}{
		{fiscal.VerbSale, 0, 0, ""}, {fiscal.VerbSale, -keepIDs, 0, ""}, {fiscal.VerbSale, -keepIDs - 1, 0, fiscal.CodeTooOld},
		{fiscal.VerbSale, futureAtMax, 0, ""}, {fiscal.VerbSale, futureAtMax + 1, 0, fiscal.CodeBadValue},
		{fiscal.VerbSale, 0, -1, fiscal.CodeExpired}, {fiscal.VerbSale, 0, 1, ""}, {fiscal.VerbText, -2 * keepIDs, 0, ""},
	} {
		cmd := mqtt.Command{Verb: c.verb, At: now.Add(c.at)}
		if c.exp != 0 {
			cmd.Exp = now.Add(c.exp)
		}
		got := timely(cmd, now)
		if (got == nil) != (c.code == "") || got != nil && got.Code != c.code {
			t.Errorf("%s of %v, exp %v: %v", c.verb, c.at, c.exp, got)
		}
	}
}

// Of what waits for a link that does not come back only events may be given up.
func TestOnlyEventsAreGivenUp(t *testing.T) {
	t.Parallel()
	d := &Daemon{topics: bareJournal(t, storedFN).topics}
	for topic, event := range map[string]bool{
		d.topics.Event("receipt"): true, d.topics.Result("till1", "sale"): false, d.topics.Response("resolve"): false, "else": false,
	} {
		if got := d.isEvent(spool.Message{Topic: topic}); got != event {
			t.Errorf("%s: %v", topic, got)
		}
	}
}

// picky is a cloud that needs to know the buyer.
type picky struct{ fiscal.Cloud }

func (picky) Check(fiscal.Document) error {
	return fiscal.Refuse(fiscal.CodeContactRequired, "customer", "")
}

// Only a route that says so ends a receipt for the want of a contact; on any other
// it waits for its printer.
func TestRouteWithoutAContact(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sells := map[fiscal.Verb]bool{fiscal.VerbSale: true}
	front, cloud := &worker{cfg: DeviceConfig{Name: "front"}, can: sells}, &worker{cfg: DeviceConfig{Name: "cloud"}, can: sells, cloud: picky{}}
	front.fit.stands(now.Add(-time.Hour), fiscal.CodePaperOut)
	for policy, refused := range map[string]bool{NoContactSpool: false, NoContactRefuse: true} {
		route := RouteConfig{Name: DefaultRoute, Backends: []string{"front", "cloud"}, FallbackAfter: Duration(time.Minute), NoContact: policy}
		r := &router{
			workers: map[string]*worker{"front": front, "cloud": cloud}, routes: map[string]RouteConfig{DefaultRoute: route},
			alerts: newAlertBook(func(Alert, bool) {}), info: func(string) *fiscal.Info { return nil },
		}
		to, refusal := r.next(fiscal.Record{Route: DefaultRoute, Device: "front", Verb: fiscal.VerbSale}, time.Hour, now)
		if to != "" || (refusal != nil) != refused {
			t.Errorf("%s, one that waits: %q, %v", policy, to, refusal)
		}
		if w, refusal := r.choose(route, fiscal.VerbSale, fiscal.Document{}, now); (refusal != nil) != refused || !refused && w != front {
			t.Errorf("%s, a new one: %v", policy, refusal)
		}
	}
}

// A receipt that stands open may be that of a command that a person is asked about:
// its printer is there again, and is asked at once. The next Z takes back what was
// told of late documents, of every backend.
func TestHeldIsAskedWhenItsReceiptShows(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, storedFN)
	later := time.Now().Add(time.Hour)
	doubt := &item{record: fiscal.Record{State: fiscal.Held, Baseline: &fiscal.Baseline{}}, due: later}
	other := &item{record: fiscal.Record{State: fiscal.Held}, due: later}
	w.queue = []*item{doubt, other}
	if err := w.whose(fiscal.Refuse(fiscal.CodePaperOut, "", "")); err == nil || !doubt.due.Equal(later) {
		t.Errorf("paper: %v, due %v", err, doubt.due)
	}
	err := w.whose(fiscal.Refuse(fiscal.CodeForeignReceipt, "", ""))
	if fiscal.AsError(err, "").Code != fiscal.CodeForeignReceipt || !doubt.due.Before(later) || !other.due.Equal(later) {
		t.Errorf("%v, due %v and %v", err, doubt.due, other.due)
	}
	w.router.workers["cloud"] = &worker{cfg: DeviceConfig{Name: "cloud"}}
	w.alerts.raise("cloud", fiscal.CodeLateDocument, "a")
	w.alerts.raise("front", fiscal.CodeForeignDocument, "b")
	w.alerts.raise("front", fiscal.CodePaperOut, "")
	if w.clearNotices(); len(w.alerts.list()) != 1 {
		t.Errorf("%v", w.alerts.list())
	}
}

// A shift is that of one device: what names a route of several is not sent to the
// first of them.
func TestWayOfAReport(t *testing.T) {
	t.Parallel()
	cfg := Config{
		Devices: []DeviceConfig{{Name: "front"}, {Name: "back"}},
		Routes:  []RouteConfig{{Name: "both", Backends: []string{"front", "back"}}, {Name: "one", Backends: []string{"back"}}},
		Terminals: map[string]TerminalConfig{
			"till1": {Route: "both", Device: "front"}, "till2": {Route: "both"}, "till3": {Route: "one"}, "till4": {Device: "gone"},
		},
	}
	d := &Daemon{cfg: cfg, workers: map[string]*worker{"front": {}, "back": {}}}
	for _, c := range []struct {
		terminal, route, device string
		verb                    fiscal.Verb
		way                     string
		refused                 fiscal.Code
	}{
		{"till1", "", "", fiscal.VerbSale, "both", ""},
		{"till1", "", "", fiscal.VerbShiftClose, "front", ""},
		{"till1", "both", "", fiscal.VerbShiftClose, "front", ""},
		{"till1", "", "back", fiscal.VerbShiftClose, "back", ""},
		{"till1", "one", "", fiscal.VerbSale, "one", ""},
		{"till1", "front", "", fiscal.VerbSale, "front", ""},
		{"till2", "", "", fiscal.VerbShiftClose, "", fiscal.CodeUnknownDevice},
		{"till3", "", "", fiscal.VerbShiftClose, "one", ""},
		{"till4", "", "", fiscal.VerbShiftClose, "", fiscal.CodeUnknownDevice},
		{"till1", "none", "", fiscal.VerbSale, "", fiscal.CodeUnknownRoute},
	} {
		route, refusal := d.routeFor(c.terminal, mqtt.Command{Verb: c.verb, Route: c.route, Device: c.device})
		if (refusal == nil) != (c.refused == "") || refusal != nil && refusal.Code != c.refused || refusal == nil && route.Name != c.way {
			t.Errorf("%s, %q %q of %s: %q, %v", c.verb, c.route, c.device, c.terminal, route.Name, refusal)
		}
	}
}

// Only a shift that was closed under an automatic id is opened by one: what a person
// has closed, a person opens.
func TestClosedByUs(t *testing.T) {
	t.Parallel()
	for state, ours := range map[fiscal.State]bool{"": false, fiscal.Done: true, fiscal.Rejected: false, fiscal.Abandoned: false} {
		w := bareWorker(t, storedFN)
		if state != "" {
			r := soldAt(w.journal, time.Now())
			r.Terminal, r.Verb, r.Document = "", fiscal.VerbShiftClose, fiscal.Document{ID: "a", Verb: fiscal.VerbShiftClose}
			r, _, err := w.journal.accept(r)
			if err == nil {
				r.State, r.FinalAt, r.Receipt = state, time.Now(), &fiscal.Receipt{Kind: "shift-close", Storage: storedFN, FD: 3, Shift: 1}
				_, err = w.journal.save(r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := w.closedByUs("a"); got != ours {
			t.Errorf("%q: %v", state, got)
		}
	}
}
