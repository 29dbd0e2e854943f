package fiscal

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestStatesThatAreFinal(t *testing.T) {
	t.Parallel()
	for state, want := range map[State]bool{
		Accepted: false, Working: false, Registered: false, Unknown: false, Held: false,
		Done: true, Rejected: true, Cancelled: true, Abandoned: true, Expired: true,
	} {
		if state.Final() != want {
			t.Errorf("%s: final is %v", state, !want)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	const root, id = "kassad/v1/local/shop/main", "0198c2f0-5d1e-7c53-9a35-1b8f6a6f0c11"
	key := Key(root, id)
	if len(key) != 16 || key != Key(root, id) {
		t.Fatalf("key %q, again %q", key, Key(root, id))
	}
	for _, other := range []string{Key(root, id+"1"), Key(root+"1", id), Key(root+id, "")} {
		if other == key {
			t.Errorf("two commands share the key %s", key)
		}
	}
}

var (
	away    = Fail(OutcomeUnreachable, CodePrinterAway, errors.New("refused"))
	lost    = Fail(OutcomeUnknown, CodePrinterAway, errors.New("no answer"))
	noPaper = Refuse(CodePaperOut, "", "")
	pause   = wake(DefaultPolicy().Condition, 0, 0)
	made7   = Receipt{Kind: "sale", Storage: "fn", FD: 7}
)

// TestStep is the table of design 5, one row a rule.
func TestStep(t *testing.T) {
	t.Parallel()
	base := &Baseline{Storage: "fn", LastFD: 6}
	verdict := func(f Finding) Event { return Event{Kind: EventVerdict, Verdict: Verdict{Finding: f, Receipt: made7}} }
	rows := []struct {
		name    string
		before  Record
		event   Event
		state   State
		effects []Effect
	}{
		{"a document is prepared first", Record{State: Accepted, Verb: VerbSale}, Event{Kind: EventBegin}, Accepted, []Effect{prepare}},
		{"text has nothing to compare", Record{State: Accepted, Verb: VerbText}, Event{Kind: EventBegin}, Working, []Effect{save, submit}},
		{"an x-report is read first", Record{State: Accepted, Verb: VerbXReport}, Event{Kind: EventBegin}, Accepted, []Effect{prepare}},
		{"and its figures are saved before its paper", Record{State: Accepted, Verb: VerbXReport}, Event{Kind: EventPrepared, Counters: &Counters{}}, Working, []Effect{save, submit}},
		{"a late sale is held", Record{State: Accepted, Verb: VerbSale}, Event{Kind: EventBegin, Late: true}, Held, []Effect{save}},
		{"an approved late sale is not", Record{State: Accepted, Verb: VerbSale, Approved: true}, Event{Kind: EventBegin, Late: true}, Accepted, []Effect{prepare}},
		{"a spent wait rejects", Record{State: Accepted, Verb: VerbSale, WaitLeft: time.Second}, Event{Kind: EventBegin, Elapsed: time.Minute}, Rejected, []Effect{save}},
		{"a wait may end while the register is read", Record{State: Accepted, Verb: VerbSale, WaitLeft: 1}, Event{Kind: EventPrepared, Baseline: *base}, Rejected, []Effect{save}},
		{"the fence before the fire", Record{State: Accepted, Verb: VerbSale}, Event{Kind: EventPrepared, Baseline: *base}, Working, []Effect{save, submit}},
		{"a shift that is open already", Record{State: Accepted, Verb: VerbShiftOpen}, Event{Kind: EventPrepared, Baseline: Baseline{Already: &Receipt{Kind: "shift-open", By: "other"}}}, Done, []Effect{save}},
		{"a condition waits", Record{State: Accepted, Verb: VerbSale}, Event{Kind: EventPrepareFail, Err: noPaper}, Accepted, []Effect{save, pause}},
		{"the same condition is not told twice", Record{State: Accepted, Verb: VerbSale, Waiting: noPaper}, Event{Kind: EventPrepareFail, Err: noPaper}, Accepted, []Effect{pause}},
		{"content is final", Record{State: Working, Verb: VerbSale, Baseline: base}, Event{Kind: EventSubmitFail, Err: Refuse(CodeDeviceRefused, "", "")}, Rejected, []Effect{save}},
		{"nothing was sent", Record{State: Working, Verb: VerbSale, Baseline: base}, Event{Kind: EventSubmitFail, Err: away}, Accepted, []Effect{save, pause}},
		{"a reply is lost", Record{State: Working, Verb: VerbSale, Baseline: base}, Event{Kind: EventSubmitFail, Err: lost}, Unknown, []Effect{save, find}},
		{"a restart is a lost reply", Record{State: Working, Verb: VerbSale, Baseline: base}, Event{Kind: EventRestart}, Unknown, []Effect{save, find}},
		{"a doubtful print ends", Record{State: Working, Verb: VerbText}, Event{Kind: EventRestart}, Done, []Effect{save}},
		{"made", Record{State: Unknown, Verb: VerbSale, Baseline: base}, verdict(Made), Done, []Effect{save}},
		{"absent", Record{State: Unknown, Verb: VerbSale, Baseline: base}, verdict(Absent), Accepted, []Effect{save, prepare}},
		{"absent, and too late for the till", Record{State: Unknown, Verb: VerbSale, Baseline: base, WaitLeft: time.Second}, Event{Kind: EventVerdict, Elapsed: time.Hour, Verdict: Verdict{Finding: Absent}}, Rejected, []Effect{save}},
		{"foreign documents", Record{State: Unknown, Verb: VerbSale, Baseline: base}, verdict(Foreign), Held, []Effect{save}},
		{"another register", Record{State: Unknown, Verb: VerbSale, Baseline: base}, verdict(OtherStorage), Held, []Effect{save, {Kind: EffectWake, After: 30 * time.Second}}},
		{"no answer for too long", Record{State: Unknown, Verb: VerbSale, Baseline: base, DoubtLeft: 1}, Event{Kind: EventFindFail, Err: away}, Held, []Effect{save, {Kind: EffectWake, After: time.Second}}},
		{"the absent device comes back", Record{State: Held, Verb: VerbSale, Baseline: base, Error: Refuse(CodeNeedsPerson, "", "")}, verdict(Made), Done, []Effect{save}},
		{"cancel of the unbegun", Record{State: Accepted, Verb: VerbSale}, Event{Kind: EventCancel}, Cancelled, []Effect{save}},
		{"cancel of the begun", Record{State: Working, Verb: VerbSale, Baseline: base}, Event{Kind: EventCancel}, Working, nil},
		{"cancel in doubt", Record{State: Unknown, Verb: VerbSale, Baseline: base}, Event{Kind: EventCancel}, Unknown, nil},
		{"our key is found", Record{State: Accepted, Verb: VerbSale}, Event{Kind: EventRecovered, Receipt: made7}, Done, []Effect{save}},
		{"retry", Record{State: Held, Verb: VerbSale}, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveRetry}}, Accepted, []Effect{save, prepare}},
		{"done elsewhere", Record{State: Held, Verb: VerbSale}, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveDoneElsewhere}}, Done, []Effect{save}},
		{"give up", Record{State: Held, Verb: VerbSale}, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveGiveUp}}, Abandoned, []Effect{save}},
		{"a decision nobody knows", Record{State: Held, Verb: VerbSale}, Event{Kind: EventResolve, Resolution: Resolution{Action: "hm"}}, Held, nil},
		{"a decision about what is not held", Record{State: Unknown, Verb: VerbSale, Baseline: base}, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveGiveUp}}, Unknown, nil},
		{"done stays", Record{State: Done, Verb: VerbSale}, Event{Kind: EventRestart}, Done, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.event.Policy = DefaultPolicy()
			after, effects := Step(row.before, row.event)
			if after.State != row.state || !slices.Equal(effects, row.effects) {
				t.Errorf("%s %v, want %s %v", after.State, effects, row.state, row.effects)
			}
			if row.effects == nil && after.Resolved != nil {
				t.Error("an event without a meaning changed the record")
			}
		})
	}
}

// TestRetryForgetsTheWait: a person who decides after the wait means it.
func TestRetryForgetsTheWait(t *testing.T) {
	t.Parallel()
	r := Record{State: Held, Verb: VerbSale, WaitLeft: 1}
	r, _ = Step(r, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveRetry}})
	r, effects := Step(r, Event{Kind: EventPrepared})
	if r.State != Working || !slices.Equal(effects, []Effect{save, submit}) {
		t.Errorf("%s %v", r.State, effects)
	}
}

func TestWakeGrowsRarer(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy()
	last := time.Duration(0)
	for left := p.Unknown; left > 0; left -= 100 * time.Millisecond {
		got := wake(p.Doubt, left, p.Unknown).After
		if got < last || !slices.Contains(p.Doubt, got) {
			t.Fatalf("with %v left the pause is %v after %v", left, got, last)
		}
		last = got
	}
	if last != p.Doubt[len(p.Doubt)-1] {
		t.Errorf("the last pause is %v", last)
	}
}

// A document that is begun and refused, again and again, is begun more and more
// rarely: each attempt may cost paper.
func TestRefusedAttemptsBecomeRare(t *testing.T) {
	t.Parallel()
	r := Record{State: Accepted, Verb: VerbRefund}
	var last time.Duration
	for range 10 {
		r, _ = Step(r, Event{Kind: EventPrepared, Baseline: Baseline{Storage: "fn", LastFD: 6}, Policy: DefaultPolicy()})
		next, effects := Step(r, Event{Kind: EventSubmitFail, Err: Refuse(CodeNoCash, "", ""), Policy: DefaultPolicy()})
		i := slices.IndexFunc(effects, func(e Effect) bool { return e.Kind == EffectWake })
		if i < 0 || effects[i].After < last {
			t.Fatalf("effects %+v after a pause of %s", effects, last)
		}
		r, last = next, effects[i].After
	}
	if last != 30*time.Second {
		t.Errorf("the last pause is %s", last)
	}
}
