package fiscal

import (
	"errors"
	"testing"
	"time"
)

// The storage's own failure stays the reason of a doubt, through every answer
// that is none, until a person is asked; the device may still answer then.
func TestStepStorageFailure(t *testing.T) {
	t.Parallel()
	policy := DefaultPolicy()
	base := Baseline{Storage: "fn"}
	failed := Fail(OutcomeUnknown, CodeFNFault, nil)
	r, _ := Step(Record{Verb: VerbSale, State: Working, Baseline: &base}, Event{Kind: EventSubmitFail, Err: failed, Policy: policy})
	if r.State != Unknown || !r.StorageFailed() {
		t.Fatalf("after 03h: %s, %v", r.State, r.Error)
	}
	away := Event{Kind: EventFindFail, Err: Fail(OutcomeUnreachable, CodePrinterAway, errors.New("off")), Policy: policy}
	for range 3 {
		r, _ = Step(r, away)
	}
	if !r.StorageFailed() {
		t.Fatal("forgotten while the device was away")
	}
	away.Elapsed = policy.Unknown
	if r, _ = Step(r, away); r.State != Held || r.Error.Code != CodeFNFault || !r.StorageFailed() {
		t.Fatalf("in the end: %s, %v", r.State, r.Error)
	}
	if found, _ := Step(r, Event{Kind: EventVerdict, Verdict: Verdict{Finding: Made, Receipt: Receipt{Kind: "sale", FD: 3}}}); found.State != Done || found.Error != nil {
		t.Errorf("found after all: %s, %v", found.State, found.Error)
	}
}

// A device that stays busy is no answer either.
func TestStepBusyForLong(t *testing.T) {
	t.Parallel()
	policy := DefaultPolicy()
	r := Record{Verb: VerbSale, State: Unknown, Baseline: &Baseline{}, DoubtLeft: policy.Unknown}
	busy := Event{Kind: EventVerdict, Verdict: Verdict{Finding: Busy}, Policy: policy, Elapsed: time.Second}
	if r, _ = Step(r, busy); r.State != Unknown {
		t.Fatalf("busy: %s", r.State)
	}
	busy.Elapsed = policy.Unknown
	if r, _ = Step(r, busy); r.State != Held || r.Error.Code != CodeNeedsPerson {
		t.Errorf("busy for ever: %s, %v", r.State, r.Error)
	}
}

// A document that is proved absent time and again is not begun without a pause.
func TestStepPausesBetweenAttempts(t *testing.T) {
	t.Parallel()
	absent := Event{Kind: EventVerdict, Verdict: Verdict{Finding: Absent}, Policy: DefaultPolicy()}
	for attempt, want := range map[int]EffectKind{1: EffectPrepare, attemptsInARow - 1: EffectPrepare, attemptsInARow: EffectWake} {
		r := Record{Verb: VerbSale, State: Unknown, Baseline: &Baseline{}, Attempt: attempt, DoubtLeft: time.Minute}
		if _, effects := Step(r, absent); len(effects) != 2 || effects[0] != save || effects[1].Kind != want {
			t.Errorf("attempt %d: %v", attempt, effects)
		}
	}
}
