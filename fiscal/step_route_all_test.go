package fiscal

import (
	"testing"
	"time"
)

// Size of the exhaustive walk.
const (
	allRounds = 9  // with faults
	allDepth  = 12 // choices in which a fault may be
)

// script is a list of choices; what comes after it has no fault. It notes how
// many ways there were.
type script struct {
	ways  []int
	sizes []int
	next  int
}

func (c *script) choose(_ string, n int) int {
	i := c.next
	c.next++
	if i < allDepth {
		c.sizes = append(c.sizes, n)
	}
	if i < len(c.ways) {
		return c.ways[i]
	}
	return 0
}

// TestRouteExhaustive tries every single fault, and every pair of faults, in the
// first choices of a sale on each backend.
func TestRouteExhaustive(t *testing.T) {
	t.Parallel()
	for first, name := range []string{"printer", "calls", "asked"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := everyFault{step: Step, set: setup{first: first, retryFailed: true, wait: time.Hour}}
			faults := 2
			if testing.Short() {
				faults = 1
			}
			if all.walk(nil, faults); all.broken != nil {
				t.Fatalf("%v\n%s", all.broken.broken, all.broken.story())
			}
			t.Logf("%d walks", all.walks)
		})
	}
}

// One fault is enough to find the clumsiest mutants.
func TestRouteExhaustiveFindsBrokenSteps(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"takes a new key on a time-out", "repeats before it saves", "sends before it saves"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := everyFault{step: routeMutants[name], set: setup{first: 1}}
			if all.walk(nil, 1); all.broken == nil {
				t.Errorf("not found by %d walks", all.walks)
			}
		})
	}
}

// everyFault runs a script and all that have so many faults more, until one is
// broken.
type everyFault struct {
	step   stepper
	set    setup
	walks  int
	broken *shop
}

func (e *everyFault) walk(ways []int, faults int) {
	c := &script{ways: ways}
	s := newShop(e.step, c.choose, e.set)
	s.run(allRounds)
	e.walks++
	if s.broken != nil {
		e.broken = newShop(e.step, (&script{ways: ways}).choose, e.set)
		e.broken.tells = true
		e.broken.run(allRounds)
		return
	}
	for i := len(ways); i < len(c.sizes) && faults > 0; i++ {
		for way := 1; way < c.sizes[i] && e.broken == nil; way++ {
			longer := make([]int, i+1)
			copy(longer, ways)
			longer[i] = way
			e.walk(longer, faults-1)
		}
	}
}
