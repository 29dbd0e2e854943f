package fiscal

import (
	"slices"
	"testing"
)

// walksMax is how many walks a mutant may survive.
const walksMax = 20_000

// TestRouteFindsBrokenSteps proves that the shop can fail: each mutant makes one
// mistake about a cloud or a route.
func TestRouteFindsBrokenSteps(t *testing.T) {
	t.Parallel()
	for name, mutant := range routeMutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(walksMax) {
				if s := walk(mutant, seed, false); s.broken != nil {
					t.Logf("found by walk %d: %v", seed+1, s.broken)
					return
				}
			}
			t.Errorf("not found by %d walks", walksMax)
		})
	}
}

var routeMutants = map[string]stepper{
	"moves from unknown": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Unknown && ev.Kind == EventMove {
			r.State, r.Baseline, r.Device = Accepted, nil, ev.Device
			return r, []Effect{save}
		}
		return Step(r, ev)
	},
	"moves what a cloud has registered": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Registered && ev.Kind == EventFindFail {
			r.State, r.Baseline, r.Device = Accepted, nil, "printer"
			return r, []Effect{save}
		}
		return Step(r, ev)
	},
	"takes a new key on a time-out": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Working && r.inCloud() && ev.Kind == EventSubmitFail && ev.Err.Outcome == OutcomeUnknown {
			return r.anew(ev, CodeCloudAway), []Effect{save, prepare}
		}
		return Step(r, ev)
	},
	"does not adopt": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Accepted && ev.Kind == EventTold {
			return r, nil
		}
		return Step(r, ev)
	},
	"repeats before it saves": func(r Record, ev Event) (Record, []Effect) {
		r, effects := Step(r, ev)
		if slices.Equal(effects, []Effect{save, find}) {
			effects = []Effect{find, save}
		}
		return r, effects
	},
	"does not count the repeats": func(r Record, ev Event) (Record, []Effect) {
		before := r.Asked
		r, effects := Step(r, ev)
		if r.State == Unknown && r.inCloud() {
			r.Asked = min(before, 1)
		}
		return r, effects
	},
	"repeats at once after a restart": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Unknown && r.inCloud() {
			r.PauseLeft = min(r.PauseLeft, 1)
		}
		return Step(r, ev)
	},
	"takes the refusal of a repeat for proof": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Unknown && r.inCloud() && ev.Kind == EventFindFail && ev.Err.Outcome == OutcomeRejected {
			r.State, r.Baseline = Accepted, nil
			return r.refused(ev)
		}
		return Step(r, ev)
	},
	"repeats for ever": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Unknown && r.inCloud() {
			r.DoubtLeft = 0
		}
		return Step(r, ev)
	},
	"counts the window from the restart": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Working && ev.Kind == EventRestart {
			r = r.spend(ev)
			ev.Elapsed, r.DoubtLeft = 0, ev.Policy.Cloud.Window
		}
		return Step(r, ev)
	},
	"forgets the callback while held": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Held && ev.Kind == EventTold {
			return r, nil
		}
		return Step(r, ev)
	},
	"forgets a late document": func(r Record, ev Event) (Record, []Effect) {
		if r.State.Final() {
			return r, nil
		}
		return Step(r, ev)
	},
	"begins again beside a late document": func(r Record, ev Event) (Record, []Effect) {
		if ev.Verdict.Finding != Made && len(r.Late) > 0 && !r.State.Final() {
			known := r.Late
			r.Late = nil
			r, effects := Step(r, ev)
			r.Late = known
			return r, effects
		}
		return Step(r, ev)
	},
	"begins what failed again under its key": func(r Record, ev Event) (Record, []Effect) {
		before := r.Document.Edition
		r, effects := Step(r, ev)
		if ev.Verdict.Finding == Failed {
			r.Document.Edition = before
		}
		return r, effects
	},
	"begins what failed again for ever": func(r Record, ev Event) (Record, []Effect) {
		if ev.Verdict.Finding == Failed && r.inCloud() && ev.Device != "asked" && r.State == Registered {
			return r.anew(ev, CodeCloudFailed), []Effect{save, prepare}
		}
		return Step(r, ev)
	},
	"takes a 404 for absence": func(r Record, ev Event) (Record, []Effect) {
		if v := &ev.Verdict; ev.Kind == EventVerdict && v.Err != nil && v.Err.Vendor == "404" {
			v.Finding = Absent
		}
		return Step(r, ev)
	},
	"takes an earlier attempt's failure for this one's": func(r Record, ev Event) (Record, []Effect) {
		if ev.Kind == EventTold && ev.Verdict.Finding == Failed && r.inCloud() {
			ev.Key = r.cloudKey()
		}
		return Step(r, ev)
	},
	"cancels what is registered": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Registered && ev.Kind == EventCancel {
			return r.end(ev, Cancelled)
		}
		return Step(r, ev)
	},
	"never says that it is overdue": func(r Record, ev Event) (Record, []Effect) {
		if r.State == Registered {
			ev.Elapsed = 0
		}
		return Step(r, ev)
	},
	"sends before it saves": func(r Record, ev Event) (Record, []Effect) {
		r, effects := Step(r, ev)
		if slices.Contains(effects, submit) {
			effects = []Effect{submit, save}
		}
		return r, effects
	},
}
