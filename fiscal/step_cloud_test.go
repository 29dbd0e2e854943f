package fiscal

import (
	"slices"
	"testing"
	"time"
)

// cloudRow is one rule of step_cloud.go.
type cloudRow struct {
	name    string
	before  Record
	event   Event
	state   State
	effects []Effect
	// also is what else has to hold; nil for nothing.
	also func(r Record) bool
}

// cloudPolicy has a service that is asked and one retry of each kind.
func cloudPolicy() Policy {
	p := DefaultPolicy()
	p.Cloud = CloudPolicy{
		Repeat:  []time.Duration{time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute},
		Window:  24 * time.Hour,
		Poll:    []time.Duration{3 * time.Second, time.Minute},
		Overdue: 15 * time.Minute,
		Reloads: 1,
	}
	return p
}

// Two editions of one document, and its records in each state.
const (
	firstKey  = "k1-S-1"
	secondKey = "k1-S-2"
)

func cloudRecord(state State, change ...func(*Record)) Record {
	r := Record{ID: "a", State: state, Verb: VerbSale, Device: "cloud", Document: Document{Stem: "S", Total: 100}, Attempt: 1}
	if state != Accepted {
		r.Baseline = &Baseline{Device: "cloud", Cloud: &CloudCall{Key: firstKey}}
	}
	if state == Working {
		r.DoubtLeft = cloudPolicy().Cloud.Window
	}
	if state == Registered {
		r.Ticket, r.DoubtLeft, r.PauseLeft = "t1", 15*time.Minute, 3*time.Second
	}
	for _, f := range change {
		f(&r)
	}
	return r
}

// second makes a record's attempt the second one; the first is over.
func second(r *Record) {
	r.Tried = []Leg{{Device: "cloud", Key: firstKey, Ticket: "t1", Code: CodeCloudFailed}}
	r.Document.Edition, r.Ticket = 1, ""
	if r.Baseline != nil {
		r.Baseline = &Baseline{Device: "cloud", Cloud: &CloudCall{Key: secondKey}}
	}
}

func heldFor(code Code) func(*Record) { return func(r *Record) { r.Error = Refuse(code, "", "") } }

func withLate(r *Record) {
	r.Late = []Receipt{{Kind: "sale", Device: "cloud", Storage: "fn", FD: 5, Ticket: "t1", Key: firstKey}}
}

// tells is a callback of a device about an attempt.
func tells(device, key string, f Finding) Event {
	v := Verdict{Finding: f, Receipt: Receipt{Ticket: "t1"}}
	switch {
	case f == Made:
		v.Receipt.Storage, v.Receipt.FD = "fn", 5
	case f == Failed:
		v.Err = Refuse(CodeCloudFailed, "", "")
	}
	return Event{Kind: EventTold, Device: device, Key: key, Verdict: v}
}

// answers is the same found by asking.
func answers(f Finding) Event {
	ev := tells("", "", f)
	return Event{Kind: EventVerdict, Verdict: ev.Verdict}
}

func wakeIn(d time.Duration) Effect { return Effect{Kind: EffectWake, After: d} }

func (row cloudRow) check(t *testing.T, policy Policy) {
	t.Helper()
	row.event.Policy, row.event.Now = policy, time.Unix(1_800_000_000, 0)
	after, effects := Step(row.before, row.event)
	if after.State != row.state || !slices.Equal(effects, row.effects) {
		t.Fatalf("%s %v, want %s %v", after.State, effects, row.state, row.effects)
	}
	if row.also != nil && !row.also(after) {
		t.Errorf("%+v", after)
	}
}

// TestStepCloud is the table of design 5, Clouds: one row a rule.
func TestStepCloud(t *testing.T) {
	t.Parallel()
	away := Fail(OutcomeUnknown, CodeCloudAway, nil)
	fault := Fail(OutcomeUnknown, CodeCloudFault, nil)
	unknown := func(r *Record) { r.DoubtLeft, r.PauseLeft = 24*time.Hour, 1 }
	spent := func(r *Record) { r.DoubtLeft, r.PauseLeft = 1, 1 }
	waiting := func(e *Error) func(*Record) { return func(r *Record) { r.Waiting = e } }
	for _, row := range []cloudRow{
		{"a document that is taken is registered", cloudRecord(Working), Event{Kind: EventSubmitted, Receipt: Receipt{Ticket: "t1"}},
			Registered, []Effect{save, wakeIn(3 * time.Second)}, func(r Record) bool { return r.Ticket == "t1" && r.Receipt == nil && r.DoubtLeft == 15*time.Minute }},
		{"no answer is a doubt, and a pause", cloudRecord(Working), Event{Kind: EventSubmitFail, Err: away},
			Unknown, []Effect{save, wakeIn(time.Minute)}, func(r Record) bool { return r.DoubtLeft == 24*time.Hour && r.Asked == 0 }},
		{"a restart repeats at once, counted first", cloudRecord(Working), Event{Kind: EventRestart},
			Unknown, []Effect{save, find}, func(r Record) bool { return r.Asked == 1 }},
		{"but not beyond the window", cloudRecord(Working), Event{Kind: EventRestart, Elapsed: 60 * time.Hour},
			Held, []Effect{save}, func(r Record) bool { return r.Error.Code == CodeNeedsPerson }},
		{"what was refused was not made", cloudRecord(Working), Event{Kind: EventSubmitFail, Err: Refuse(CodeDeviceRefused, "", "")},
			Rejected, []Effect{save}, nil},
		{"an account may be mended", cloudRecord(Working), Event{Kind: EventSubmitFail, Err: Refuse(CodeCloudAccount, "", "")},
			Accepted, []Effect{save, wakeIn(500 * time.Millisecond)}, func(r Record) bool { return r.Baseline == nil && r.Document.Edition == 0 }},
		{"a repeat does not come early", cloudRecord(Unknown, unknown, func(r *Record) { r.PauseLeft = time.Minute }), Event{Kind: EventBegin, Elapsed: time.Second},
			Unknown, []Effect{wakeIn(59 * time.Second)}, nil},
		{"nor after a restart", cloudRecord(Unknown, unknown, func(r *Record) { r.PauseLeft = time.Minute }), Event{Kind: EventRestart, Elapsed: time.Second},
			Unknown, []Effect{wakeIn(59 * time.Second)}, nil},
		{"a window that is over is for a person", cloudRecord(Unknown, spent), Event{Kind: EventBegin},
			Held, []Effect{save}, func(r Record) bool { return r.Error.Code == CodeNeedsPerson }},
		{"an internal error is repeated once", cloudRecord(Unknown, unknown, waiting(away)), Event{Kind: EventFindFail, Err: fault},
			Unknown, []Effect{save, wakeIn(1)}, nil},
		{"then a person is asked", cloudRecord(Unknown, unknown, waiting(fault)), Event{Kind: EventFindFail, Err: fault},
			Held, []Effect{save}, func(r Record) bool { return r.Error.Code == CodeCloudFault }},
		{"silence is not told twice", cloudRecord(Unknown, unknown, waiting(away)), Event{Kind: EventFindFail, Err: away},
			Unknown, []Effect{wakeIn(1)}, nil},
		{"a refused repeat proves nothing", cloudRecord(Unknown, unknown), Event{Kind: EventFindFail, Err: Refuse(CodeDeviceRefused, "", "")},
			Held, []Effect{save}, func(r Record) bool { return r.Error.Code == CodeNeedsPerson && r.Baseline != nil }},
		{"nor does an account that waits", cloudRecord(Unknown, unknown), Event{Kind: EventFindFail, Err: Refuse(CodeCloudAccount, "", "")},
			Unknown, []Effect{save, wakeIn(1)}, func(r Record) bool { return r.Waiting.Code == CodeCloudAccount }},
		{"the repeat is answered", cloudRecord(Unknown, unknown), answers(Pending),
			Registered, []Effect{save, wakeIn(3 * time.Second)}, func(r Record) bool { return r.Ticket == "t1" && r.Waiting == nil }},
		{"made", cloudRecord(Registered), answers(Made),
			Done, []Effect{save}, func(r Record) bool { return r.Receipt.FD == 5 && r.Receipt.Total == 100 && r.Receipt.Ticket == "t1" }},
		{"made of another total", cloudRecord(Registered), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Made, Receipt: Receipt{FD: 5, Total: 101}}},
			Held, []Effect{save}, func(r Record) bool { return r.Error.Code == CodeClosedByOther }},
		{"failed", cloudRecord(Registered), answers(Failed),
			Held, []Effect{save}, func(r Record) bool { return r.Error.Code == CodeCloudFailed && r.Document.Edition == 0 }},
		{"a question without an answer is asked again", cloudRecord(Registered), Event{Kind: EventFindFail, Err: away},
			Registered, []Effect{wakeIn(3 * time.Second)}, nil},
		{"what is waited for is told once", cloudRecord(Registered, waiting(Refuse(CodeCloudPending, "", ""))),
			Event{Kind: EventVerdict, Verdict: Verdict{Finding: Pending, Err: Refuse(CodeCloudPending, "", "again")}}, Registered, []Effect{wakeIn(3 * time.Second)}, nil},
		{"a curable failure is tried again", cloudRecord(Registered), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Failed, Reload: true}},
			Registered, []Effect{save, reload}, func(r Record) bool { return r.Reloads == 1 && r.ReloadDue && r.DoubtLeft == 15*time.Minute }},
		{"so often and no more", cloudRecord(Registered, func(r *Record) { r.Reloads = 1 }), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Failed, Reload: true}},
			Held, []Effect{save}, nil},
		{"it is on its way again", cloudRecord(Registered, func(r *Record) { r.ReloadDue = true }), Event{Kind: EventReloaded},
			Registered, []Effect{save, wakeIn(3 * time.Second)}, func(r Record) bool { return !r.ReloadDue }},
		{"a second try that is refused", cloudRecord(Registered, func(r *Record) { r.ReloadDue = true }), Event{Kind: EventReloaded, Err: Refuse(CodeCloudAccount, "", "")},
			Held, []Effect{save}, func(r Record) bool { return !r.ReloadDue }},
		{"a restart does not forget it", cloudRecord(Registered, func(r *Record) { r.ReloadDue, r.PauseLeft = true, 0 }), Event{Kind: EventRestart},
			Registered, []Effect{reload}, nil},
		{"a cancel comes too late", cloudRecord(Registered), Event{Kind: EventCancel}, Registered, nil, nil},
		{"a late document ends what failed", cloudRecord(Registered, second, withLate), answers(Failed),
			Done, []Effect{save}, func(r Record) bool { return r.Receipt.FD == 5 && !r.Doubled() }},
		{"and what is refused", cloudRecord(Working, second, withLate), Event{Kind: EventSubmitFail, Err: Refuse(CodeDeviceRefused, "", "")},
			Done, []Effect{save}, func(r Record) bool { return r.Receipt.FD == 5 && r.Error == nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.check(t, cloudPolicy())
		})
	}
}

// TestStepMoves: only what is accepted goes to the next backend of a route (P4).
func TestStepMoves(t *testing.T) {
	t.Parallel()
	for _, state := range []State{Accepted, Working, Registered, Unknown, Held, Done, Rejected, Cancelled, Abandoned} {
		for _, to := range []string{"printer", "cloud", ""} {
			t.Run(string(state)+" to "+to, func(t *testing.T) {
				t.Parallel()
				before := cloudRecord(state, heldFor(CodeNeedsPerson))
				after, effects := Step(before, Event{Kind: EventMove, Device: to, Policy: cloudPolicy()})
				if state == Accepted && to == "printer" {
					if after.Device != to || after.State != Accepted || !slices.Equal(effects, []Effect{save}) || len(after.Tried) != 1 {
						t.Errorf("%+v %v", after, effects)
					}
					return
				}
				if after.Device != before.Device || after.State != state || effects != nil {
					t.Errorf("%s at %s, %v", after.State, after.Device, effects)
				}
			})
		}
	}
}
