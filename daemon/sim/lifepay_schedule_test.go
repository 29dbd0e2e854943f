package sim

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
	"kassad/mqtt"
)

// pauses are told apart by their lengths, also when each seems shorter by a slack.
var pauses = []time.Duration{60 * time.Millisecond, 250 * time.Millisecond, 600 * time.Millisecond, 1400 * time.Millisecond}

// noticed is the least time between two requests, as the service sees it, that
// keeps a pause: it notes the one before when it has read it, which on a machine
// at work is later than it was sent.
func noticed(pause time.Duration) time.Duration { return pause * 3 / 5 }

// keepsPace wants the repeats of a request not to be faster than the schedule.
func keepsPace(t *testing.T, list []lifepay.Request) {
	t.Helper()
	for i := 1; i < len(list); i++ {
		want := pauses[min(i, len(pauses))-1]
		if got := list[i].At.Sub(list[i-1].At); got < noticed(want) {
			t.Errorf("repeat %d after %v, the schedule says %v", i, got, want)
		}
		if list[i].Body != list[0].Body {
			t.Errorf("repeat %d is another request: %s", i, list[i].Body)
		}
	}
}

// An unanswered request is repeated by the schedule, unchanged, and no faster
// over a restart of the daemon.
func TestLifePayRepeats(t *testing.T) {
	t.Parallel()
	for _, kind := range []lifepay.FaultKind{lifepay.FaultStatusBefore, lifepay.FaultStatusAfter} {
		for _, restarts := range []int{0, 2} {
			t.Run(string(kind)+map[int]string{0: "", 2: " restarted"}[restarts], func(t *testing.T) {
				t.Parallel()
				s, till := lifePay{policy: calledBack(pauses...)}.open(t)
				fail(t, s, lifepay.Fault{Kind: kind, Times: 4})
				fail(t, s, lifepay.Fault{Kind: lifepay.FaultStuck})
				p := begin(t, till, fiscal.VerbSale, boiling())
				key := extID(s, p.id, 1)
				for i := range restarts {
					await(t, s, "a repeat", func() bool { return len(asked(s, key)) >= 2+i })
					till = restart(t, s, till)
					p = beginRaw(t, till, fiscal.VerbSale, p.id, Request(p.id, boiling()))
				}
				p.lodged()
				list := asked(s, key)
				if len(list) < 5 || restarts == 0 && len(list) != 5 {
					t.Errorf("%d requests", len(list))
				}
				if restarts == 0 {
					keepsPace(t, list)
				} else {
					restsOverRestart(t, list)
				}
				finish(t, s, key, lifepay.Outcome{})
				p.ends(fiscal.Done)
			})
		}
	}
}

// restsOverRestart wants the longer pauses in their order. What was on the wire
// at the stop may be sent once more at the start, as its answer was lost.
func restsOverRestart(t *testing.T, list []lifepay.Request) {
	t.Helper()
	short := 0
	for i := 1; i < len(list); i++ {
		if list[i].At.Sub(list[i-1].At) < noticed(pauses[min(i, len(pauses))-1]) {
			short++
		}
	}
	if short > 0 {
		t.Errorf("%d of %d repeats are faster than the schedule", short, len(list)-1)
	}
}

// After idempotency_window nobody repeats any more: a person decides, and only
// his retry has a new key.
func TestLifePayWindow(t *testing.T) {
	t.Parallel()
	s, till := lifePay{config: windowOf(400 * time.Millisecond)}.open(t)
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultStatusBefore, Times: -1})
	p := begin(t, till, fiscal.VerbSale, boiling())
	p.held(fiscal.CodeNeedsPerson)
	before := s.LifePay.Requests()
	if len(before) < 2 || len(asked(s, extID(s, p.id, 1))) != len(before) {
		t.Errorf("%d requests, all under one key: %+v", len(before), before)
	}
	till = restart(t, s, till)
	must(t, till, fiscal.VerbQuery, obj{"id": p.id}) // the daemon is at work
	if n := len(s.LifePay.Requests()); n != len(before) {
		t.Errorf("%d requests after the window", n-len(before))
	}
	s.LifePay.ClearFaults()
	p = retry(t, s, till, p)
	p.ends(fiscal.Done)
	if d := one(t, s, extID(s, p.id, 2)); !strings.HasSuffix(d.ExtID, "-2") || len(s.LifePay.Documents()) != 1 {
		t.Errorf("%+v", s.LifePay.Documents())
	}
}

func windowOf(d time.Duration) func(*daemon.LifePayConfig) {
	return func(c *daemon.LifePayConfig) { c.IdempotencyWindow = daemon.Duration(d) }
}

// lost is a sale that the service has and nobody knows of, whose window is over.
func lost(t *testing.T) (*Shop, *Till, *pending) {
	t.Helper()
	s, till := lifePay{config: windowOf(200 * time.Millisecond)}.open(t)
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultStatusAfter, Times: -1})
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultStuck})
	p := begin(t, till, fiscal.VerbSale, boiling())
	p.held(fiscal.CodeNeedsPerson)
	s.LifePay.ClearFaults()
	return s, till, p
}

// A person's retry was wrong: the first document comes after the second. It is
// told, with the refund that would take it back, and nothing is done about it.
func TestLifePayLateDocument(t *testing.T) {
	t.Parallel()
	s, till, p := lost(t)
	p = retry(t, s, till, p)
	done := p.ends(fiscal.Done)
	w := watch(t, s)
	first := finish(t, s, extID(s, p.id, 1), lifepay.Outcome{})
	s.Double(p.id, first.FN, first.FD)
	late := lateEvent(t, w, p.id)
	if late.State != fiscal.Done || late.Fiscal.FD != done.Fiscal.FD || late.Late.FD != first.FD || late.Ticket != first.UUID || late.Device != daemon.CloudLifePay {
		t.Errorf("%s", mustJSON(late))
	}
	if late.Proposal == nil || late.Proposal.Verb != fiscal.VerbRefund || late.Proposal.Device != daemon.CloudLifePay {
		t.Errorf("%s", mustJSON(late))
	}
	w.stands("dev/lifepay/alert/late-document")
	// The same news again is no news, and the answer stays what it was.
	tell(t, callbackURL(t, s, extID(s, p.id, 1)), processed(first))
	if n := len(s.LifePay.Documents()); n != 2 {
		t.Errorf("%d documents", n)
	}
	if n := w.count("evt/cloud", `"late"`); n != 1 {
		t.Errorf("told %d times", n)
	}
	// The proposal can be sent as it is.
	must(t, openTill(t, s, "till2"), late.Proposal.Verb, late.Proposal.Body)
}

func lateEvent(t *testing.T, w *watcher, id string) mqtt.LateEvent {
	t.Helper()
	h := w.wait(t, "the late document", on("evt/cloud", id))
	var e mqtt.LateEvent
	if err := json.Unmarshal([]byte(h.payload), &e); err != nil || e.What != "late" {
		t.Fatalf("%s: %v", h.payload, err)
	}
	return e
}

// The first document comes while the second is on the wire, or with the
// service: the second is not lost sight of.
func TestLifePayLateWhileTheSecondIsMade(t *testing.T) {
	t.Parallel()
	for _, where := range []lifepay.FaultKind{lifepay.FaultHang, lifepay.FaultStuck} {
		t.Run(string(where), func(t *testing.T) {
			t.Parallel()
			s, till, p := lost(t)
			fail(t, s, lifepay.Fault{Kind: lifepay.FaultStuck})
			if where == lifepay.FaultHang {
				fail(t, s, lifepay.Fault{Kind: lifepay.FaultHang})
			}
			p = retry(t, s, till, p)
			one(t, s, extID(s, p.id, 2))
			w := watch(t, s)
			if where == lifepay.FaultStuck {
				p.lodged()
			}
			first := finish(t, s, extID(s, p.id, 1), lifepay.Outcome{})
			s.Double(p.id, first.FN, first.FD)
			await(t, s, "its callback", func() bool { return calledBackAbout(s, first.UUID) })
			s.LifePay.Release()
			p.lodged()
			finish(t, s, extID(s, p.id, 2), lifepay.Outcome{})
			if a := p.ends(fiscal.Done); a.Fiscal.FD == first.FD {
				t.Errorf("ended in the first: %s", a.Raw)
			}
			lateEvent(t, w, p.id)
			w.stands("dev/lifepay/alert/late-document")
		})
	}
}

// calledBackAbout tells whether a callback about a document was taken.
func calledBackAbout(s *Shop, uuid string) bool {
	return slices.ContainsFunc(s.LifePay.Callbacks(), func(c lifepay.Callback) bool { return c.UUID == uuid && c.Done })
}

// The second attempt fails, and the first has made the document meanwhile: that
// is the sale's, and there is no other.
func TestLifePayFirstIsTakenOver(t *testing.T) {
	t.Parallel()
	s, till, p := lost(t)
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultStuck})
	p = retry(t, s, till, p)
	p.lodged()
	w := watch(t, s)
	first := finish(t, s, extID(s, p.id, 1), lifepay.Outcome{})
	await(t, s, "its callback", func() bool { return calledBackAbout(s, first.UUID) })
	finish(t, s, extID(s, p.id, 2), lifepay.Outcome{Code: lifepay.CodeGeneric})
	if a := p.ends(fiscal.Done); a.Fiscal.FD != first.FD || !a.Recovered {
		t.Errorf("%s", a.Raw)
	}
	w.says("spool/state", `"queued":0`)
	if n := w.count("evt/cloud", p.id); n != 0 {
		t.Errorf("%d late documents", n)
	}
}

// A person decides only about what is held or overdue.
func TestLifePayNothingToDecide(t *testing.T) {
	t.Parallel()
	s, till := lifePay{}.open(t)
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultStuck})
	p := begin(t, till, fiscal.VerbSale, boiling())
	p.lodged()
	for _, action := range []fiscal.Action{fiscal.ResolveRetry, fiscal.ResolveGiveUp, fiscal.ResolveDoneElsewhere} {
		var refusal *fiscal.Error
		if err := resolve(t, s, p.id, action, 7); !errors.As(err, &refusal) || refusal.Code != fiscal.CodeNotHeld {
			t.Errorf("%s: %v", action, err)
		}
	}
	finish(t, s, extID(s, p.id, 1), lifepay.Outcome{})
	p.ends(fiscal.Done)
}
