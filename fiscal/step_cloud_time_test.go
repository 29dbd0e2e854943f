package fiscal

import (
	"slices"
	"testing"
	"time"
)

// Unknown repeats 1, 3, 5, 10, 10… minutes after each other until the window is
// over, whatever restarts come between, and each is counted on disk before it
// goes out.
func TestStepRepeats(t *testing.T) {
	t.Parallel()
	for name, restartEvery := range map[string]time.Duration{"undisturbed": 0, "restarts": 50 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := cloudPolicy()
			away := Fail(OutcomeUnknown, CodeCloudAway, nil)
			r, effects := Step(cloudRecord(Working), Event{Kind: EventSubmitFail, Err: away, Policy: policy})
			var now, last time.Duration
			var pauses []time.Duration
			for r.State == Unknown {
				after := effects[len(effects)-1].After
				kind := EventBegin
				if restartEvery > 0 && after > restartEvery {
					after, kind = restartEvery, EventRestart
				}
				now += after
				before := r.Asked
				r, effects = Step(r, Event{Kind: kind, Elapsed: after, Policy: policy})
				if !slices.Contains(effects, find) {
					continue
				}
				if !slices.Equal(effects, []Effect{save, find}) || r.Asked != before+1 {
					t.Fatalf("repeat %d after %d: %v", r.Asked, before, effects)
				}
				pauses, last = append(pauses, now-last), now
				r, effects = Step(r, Event{Kind: EventFindFail, Err: away, Policy: policy})
			}
			minutes := []time.Duration{time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 10 * time.Minute}
			if !slices.Equal(pauses[:len(minutes)], minutes) || r.State != Held || now < policy.Cloud.Window || last >= policy.Cloud.Window || now > policy.Cloud.Window+time.Minute {
				t.Errorf("pauses %v…, %s after %v", pauses[:len(minutes)], r.State, now)
			}
		})
	}
}

// A registered document is asked for by the service's schedule, is told of once
// when it is overdue, stays a person's to end, and never spins.
func TestStepOverdue(t *testing.T) {
	t.Parallel()
	for name, poll := range map[string][]time.Duration{"asked": {3 * time.Second, time.Minute}, "calls": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := cloudPolicy()
			policy.Cloud.Poll = poll
			r, effects := Step(cloudRecord(Working), Event{Kind: EventSubmitted, Receipt: Receipt{Ticket: "t1"}, Policy: policy})
			told, finds := 0, 0
			for now := time.Duration(0); now < 3*time.Hour; {
				if r.Decidable() != (now >= policy.Cloud.Overdue) {
					t.Fatalf("after %v decidable is %v", now, r.Decidable())
				}
				pause := effects[len(effects)-1]
				if pause.Kind != EffectWake || pause.After < time.Second {
					t.Fatalf("after %v: %v", now, effects)
				}
				now += pause.After
				r, effects = Step(r, Event{Kind: EventBegin, Elapsed: pause.After, Policy: policy})
				if slices.Contains(effects, save) {
					told++
				}
				if slices.Contains(effects, find) {
					finds++
					r, effects = Step(r, Event{Kind: EventVerdict, Policy: policy, Verdict: Verdict{Finding: Pending, Err: &Error{Code: CodeCloudPending, Vendor: "404"}}})
				}
			}
			if r.State != Registered || told != 1 || r.Waiting.Code != CodeCloudUnconfirmed || (finds > 0) != (poll != nil) {
				t.Errorf("%s, told %d times of %v, asked %d times", r.State, told, r.Waiting, finds)
			}
		})
	}
}

// A document that fails every time is begun again under a new key so often, and
// then a person is asked.
func TestStepRetriesFailed(t *testing.T) {
	t.Parallel()
	policy := cloudPolicy()
	policy.Cloud.RetryFailed = true
	r := cloudRecord(Registered)
	for edition := 1; edition <= retriesMax; edition++ {
		var effects []Effect
		r, effects = Step(r, Event{Kind: EventVerdict, Policy: policy, Verdict: Verdict{Finding: Failed}})
		if r.State != Accepted || r.Document.Edition != edition || len(r.Tried) != edition || r.Ticket != "" || !slices.Equal(effects, []Effect{save, prepare}) {
			t.Fatalf("failure %d: %s, edition %d, %v", edition, r.State, r.Document.Edition, effects)
		}
		base := Baseline{Device: "cloud", Cloud: &CloudCall{Key: r.Document.CloudKey()}}
		r, _ = Step(r, Event{Kind: EventPrepared, Baseline: base, Policy: policy})
		r, _ = Step(r, Event{Kind: EventSubmitted, Receipt: Receipt{Ticket: "t"}, Policy: policy})
	}
	if r, _ = Step(r, Event{Kind: EventVerdict, Policy: policy, Verdict: Verdict{Finding: Failed}}); r.State != Held || r.Document.Edition != retriesMax {
		t.Errorf("in the end %s, edition %d", r.State, r.Document.Edition)
	}
}

// A person may end what is held, and what a cloud has had for too long.
func TestStepCloudResolve(t *testing.T) {
	t.Parallel()
	overdue := cloudRecord(Registered, func(r *Record) { r.DoubtLeft, r.Waiting = 0, Refuse(CodeCloudUnconfirmed, "", "") })
	held := cloudRecord(Held, heldFor(CodeCloudFailed), func(r *Record) { r.Ticket = "t1" })
	nameless := cloudRecord(Held, heldFor(CodeNeedsPerson))
	for _, row := range []struct {
		name    string
		before  Record
		action  Action
		state   State
		edition int
		effects []Effect
	}{
		{"held: retry", held, ResolveRetry, Accepted, 1, []Effect{save, prepare}},
		{"held: reload", held, ResolveReload, Registered, 0, []Effect{save, reload}},
		{"held: reload of what has no name", nameless, ResolveReload, Held, 0, nil},
		{"held: done elsewhere", held, ResolveDoneElsewhere, Done, 0, []Effect{save}},
		{"held: as a correction", held, ResolveAsCorrection, Done, 0, []Effect{save}},
		{"held: give up", held, ResolveGiveUp, Abandoned, 0, []Effect{save}},
		{"overdue: retry", overdue, ResolveRetry, Accepted, 1, []Effect{save, prepare}},
		{"overdue: reload", overdue, ResolveReload, Registered, 0, []Effect{save, reload}},
		{"overdue: done elsewhere", overdue, ResolveDoneElsewhere, Done, 0, []Effect{save}},
		{"overdue: as a correction", overdue, ResolveAsCorrection, Done, 0, []Effect{save}},
		{"overdue: give up", overdue, ResolveGiveUp, Abandoned, 0, []Effect{save}},
		{"registered: give up", cloudRecord(Registered), ResolveGiveUp, Registered, 0, nil},
		{"registered: retry", cloudRecord(Registered), ResolveRetry, Registered, 0, nil},
		{"unknown: retry", cloudRecord(Unknown), ResolveRetry, Unknown, 0, nil},
		{"working: give up", cloudRecord(Working), ResolveGiveUp, Working, 0, nil},
		{"done: retry", cloudRecord(Done), ResolveRetry, Done, 0, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ev := Event{Kind: EventResolve, Policy: cloudPolicy(), Resolution: Resolution{Action: row.action, By: "ivanov", FD: 7}}
			after, effects := Step(row.before, ev)
			if after.State != row.state || after.Document.Edition != row.edition || !slices.Equal(effects, row.effects) || (after.Resolved != nil) != (effects != nil) {
				t.Errorf("%s, edition %d, %v, %v", after.State, after.Document.Edition, effects, after.Resolved)
			}
			if row.state == Registered && effects != nil && after.DoubtLeft != cloudPolicy().Cloud.Overdue {
				t.Errorf("overdue in %v", after.DoubtLeft)
			}
		})
	}
}

// What a person has named is no second document when the service tells of it.
func TestStepLateOfWhatAPersonNamed(t *testing.T) {
	t.Parallel()
	r := cloudRecord(Held, heldFor(CodeCloudFailed))
	r, _ = Step(r, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveDoneElsewhere, FD: 5}})
	if r, _ = Step(r, tells("cloud", firstKey, Made)); len(r.Late) > 0 || r.Doubled() {
		t.Errorf("late %+v", r.Late)
	}
	other := tells("cloud", firstKey, Made)
	other.Verdict.Receipt.FD, other.Verdict.Receipt.Ticket = 6, "t2"
	if r, _ = Step(r, other); len(r.Late) != 1 || !r.Doubled() {
		t.Errorf("late %+v, doubled %v", r.Late, r.Doubled())
	}
}

// The storage that a person has named a document of has moved to another printer,
// where it is read back: it is the same document.
func TestStepNamedDocumentOnAnotherPrinter(t *testing.T) {
	t.Parallel()
	r := sold(Held, failed(rowFault))
	r, _ = Step(r, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveDoneElsewhere, FD: 8}})
	for storage, doubled := range map[string]bool{"fn": false, "other": true} {
		after, _ := Step(r, Event{Kind: EventTold, Device: "second", Verdict: Verdict{Finding: Made, Receipt: Receipt{Storage: storage, FD: 8}}})
		if after.Doubled() != doubled {
			t.Errorf("%s: doubled %v, late %+v", storage, after.Doubled(), after.Late)
		}
	}
}

// Only the device that was read again is free of doubt.
func TestStepDoubtOfAnotherDeviceStays(t *testing.T) {
	t.Parallel()
	r := sold(Accepted, func(r *Record) {
		r.Tried = []Leg{{Device: "d", Baseline: rowBase}, {Device: "second", Baseline: rowBase}}
	})
	r, _ = Step(r, Event{Kind: EventPrepared, Baseline: *rowBase})
	if r.Tried[0].Baseline != nil || r.Tried[1].Baseline == nil {
		t.Errorf("%+v", r.Tried)
	}
}

// A document of another device that was late, and that a person has named, is
// the one that the record ends in.
func TestStepPersonNamesALateOne(t *testing.T) {
	t.Parallel()
	r := cloudRecord(Held, second, withLate, heldFor(CodeNeedsPerson), func(r *Record) {
		r.Device, r.Baseline = "printer", &Baseline{Device: "serial", Storage: "other fn"}
	})
	named, _ := Step(r, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveDoneElsewhere, FD: 5}})
	if named.State != Done || named.Doubled() {
		t.Errorf("%s, doubled %v", named.State, named.Doubled())
	}
	other, _ := Step(r, Event{Kind: EventResolve, Resolution: Resolution{Action: ResolveDoneElsewhere, FD: 6}})
	if other.State != Done || !other.Doubled() {
		t.Errorf("%s, doubled %v", other.State, other.Doubled())
	}
}

// The window of a key runs on while a callback notes something of a record that
// is being worked on: the restart after it does not begin the window anew.
func TestStepWindowOutlivesANote(t *testing.T) {
	t.Parallel()
	policy := cloudPolicy()
	r := cloudRecord(Accepted, second)
	base := Baseline{Device: "cloud", Cloud: &CloudCall{Key: secondKey}}
	r, _ = Step(r, Event{Kind: EventPrepared, Baseline: base, Policy: policy})
	note := tells("cloud", firstKey, Made)
	note.Elapsed, note.Policy = 60*time.Hour, policy
	r, _ = Step(r, note)
	if r.State != Working || len(r.Late) != 1 {
		t.Fatalf("noted: %s, late %v", r.State, r.Late)
	}
	if r, effects := Step(r, Event{Kind: EventRestart, Elapsed: time.Second, Policy: policy}); slices.Contains(effects, find) {
		t.Errorf("repeated after 60 h: %s, %v", r.State, effects)
	}
}
