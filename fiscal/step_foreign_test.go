package fiscal

import (
	"testing"
	"time"
)

// Another program's open receipt is waited for a moment, then a person is
// asked; one that closes it in time is no event.
func TestStepWaitsForAnotherProgramsReceipt(t *testing.T) {
	t.Parallel()
	policy := DefaultPolicy()
	open := Event{Kind: EventPrepareFail, Policy: policy, Err: Refuse(CodeForeignReceipt, "", "open")}
	r, effects := Step(Record{Verb: VerbSale, State: Accepted}, open)
	if r.State != Accepted || r.Waiting == nil || len(effects) != 2 {
		t.Fatalf("first sight: %s, %v", r.State, effects)
	}
	open.Elapsed = policy.Foreign / 2
	if r, _ = Step(r, open); r.State != Accepted {
		t.Fatalf("in time: %s", r.State)
	}
	healed, _ := Step(r, Event{Kind: EventPrepared, Policy: policy})
	if healed.State != Working {
		t.Errorf("closed in time: %s", healed.State)
	}
	open.Elapsed = policy.Foreign
	if r, _ = Step(r, open); r.State != Held || r.Error.Code != CodeForeignReceipt {
		t.Errorf("too long: %s, %v", r.State, r.Error)
	}
	if again, _ := Step(r, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveRetry, At: time.Unix(1, 0)}}); again.State != Accepted {
		t.Errorf("a person's retry: %s", again.State)
	}
}

// A retry whose printer has not been asked yet is not moved on: the printer may
// have made the document.
func TestStepRetryInDoubtStays(t *testing.T) {
	t.Parallel()
	policy := DefaultPolicy()
	r := Record{Verb: VerbSale, State: Held, Device: "front", Attempt: 1, Baseline: &Baseline{Storage: "fn", LastFD: 3}, Error: Refuse(CodeNeedsPerson, "", "away")}
	r, _ = Step(r, Event{Kind: EventResolve, Policy: policy, Resolution: Resolution{Action: ResolveRetry, At: time.Unix(1, 0)}})
	if r.State != Accepted {
		t.Fatalf("retry: %s", r.State)
	}
	if moved, _ := Step(r, Event{Kind: EventMove, Policy: policy, Device: "cloud"}); moved.Device != "front" {
		t.Errorf("moved to %s before the printer was asked", moved.Device)
	}
	asked, _ := Step(r, Event{Kind: EventPrepared, Policy: policy, Baseline: Baseline{Storage: "fn", LastFD: 3}})
	refused, _ := Step(asked, Event{Kind: EventSubmitFail, Policy: policy, Err: Refuse(CodePaperOut, "", "")})
	if moved, _ := Step(refused, Event{Kind: EventMove, Policy: policy, Device: "cloud"}); moved.Device != "cloud" {
		t.Errorf("the printer was asked, and it stays: %s on %s", refused.State, moved.Device)
	}
}
