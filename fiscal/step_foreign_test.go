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
