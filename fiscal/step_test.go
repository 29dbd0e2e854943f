package fiscal

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestWorld lets rapid choose every fault, and shrinks what it finds.
func TestWorld(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(Step, func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(rt, what) })
		if err := w.run(20); err != nil {
			rt.Fatal(err)
		}
	})
}

// seeded is a world whose faults follow from a seed: 0 most of the time.
func seeded(step stepper, seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(step, func(_ string, n int) int {
		if rnd.IntN(2) == 0 {
			return 0
		}
		return rnd.IntN(n)
	})
	return w.run(20)
}

func TestWorldSeeded(t *testing.T) {
	t.Parallel()
	seeds := uint64(20_000)
	if testing.Short() {
		seeds = 5_000
	}
	for seed := range seeds {
		if err := seeded(Step, seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestCheckerFindsBrokenSteps proves that the world can fail: each mutant makes
// one mistake that a payment daemon has made before.
func TestCheckerFindsBrokenSteps(t *testing.T) {
	t.Parallel()
	mutants := map[string]stepper{
		"resends on a lost reply": func(r Record, ev Event) (Record, []Effect) {
			if r.State == Working && ev.Kind == EventSubmitFail && ev.Err.Outcome == OutcomeUnknown {
				return r, []Effect{submit}
			}
			return Step(r, ev)
		},
		"begins again after a restart": func(r Record, ev Event) (Record, []Effect) {
			if r.State == Working && ev.Kind == EventRestart {
				r.State, r.Baseline = Accepted, nil
				return r, []Effect{save, prepare}
			}
			return Step(r, ev)
		},
		"sends before it saves": func(r Record, ev Event) (Record, []Effect) {
			r, effects := Step(r, ev)
			slices.SortFunc(effects, func(a, b Effect) int { return int(b.Kind) - int(a.Kind) })
			return r, effects
		},
		"takes silence for absence": func(r Record, ev Event) (Record, []Effect) {
			if ev.Kind == EventFindFail {
				ev = Event{Kind: EventVerdict, Verdict: Verdict{Finding: Absent}, Now: ev.Now, Policy: ev.Policy}
			}
			return Step(r, ev)
		},
		"takes somebody else's documents for absence": func(r Record, ev Event) (Record, []Effect) {
			if ev.Verdict.Finding == Foreign {
				ev.Verdict.Finding = Absent
			}
			return Step(r, ev)
		},
		"asks without a baseline": func(r Record, ev Event) (Record, []Effect) {
			r, effects := Step(r, ev)
			r.Baseline = nil
			return r, effects
		},
		"prints again after a doubt": func(r Record, ev Event) (Record, []Effect) {
			if !r.Verb.Document() && r.State == Working && ev.Kind == EventRestart {
				return r, []Effect{save, submit}
			}
			return Step(r, ev)
		},
		"cancels what is begun": func(r Record, ev Event) (Record, []Effect) {
			if r.State == Working || r.State == Unknown {
				if ev.Kind == EventCancel {
					return r.end(ev, Cancelled)
				}
			}
			return Step(r, ev)
		},
		"forgets the wait in a doubt": func(r Record, ev Event) (Record, []Effect) {
			if r.State == Unknown {
				ev.Elapsed = 0
			}
			return Step(r, ev)
		},
		"never asks again": func(r Record, ev Event) (Record, []Effect) {
			if r.State == Unknown && (ev.Kind == EventBegin || ev.Kind == EventRestart) {
				return r, nil
			}
			return Step(r, ev)
		},
		"reopens what is done": func(r Record, ev Event) (Record, []Effect) {
			if r.State == Done && ev.Kind == EventRestart {
				r.State = Unknown
				return r, []Effect{find}
			}
			return Step(r, ev)
		},
	}
	for name, mutant := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(20_000) {
				if err := seeded(mutant, seed); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("the checker did not find it")
		})
	}
}
