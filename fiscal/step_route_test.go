package fiscal

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// replaySeed is the environment variable that replays one walk.
const replaySeed = "KASSAD_ROUTE_SEED"

// walk is a shop whose faults follow from a seed.
func walk(step stepper, seed uint64, tells bool) *shop {
	rnd := rand.New(rand.NewPCG(seed, 1))
	set := setup{
		sour: rnd.IntN(2) == 1, retryFailed: rnd.IntN(2) == 1, bare: rnd.IntN(4) == 1, jumps: rnd.IntN(4) == 1, careless: rnd.IntN(4) == 1,
		wait:  [...]time.Duration{0, 0, 2 * time.Minute, time.Hour}[rnd.IntN(4)],
		first: rnd.IntN(3),
	}
	luck := 2 + rnd.IntN(6) // of ten
	s := newShop(step, func(_ string, n int) int {
		if rnd.IntN(10) < luck {
			return 0
		}
		return rnd.IntN(n)
	}, set)
	s.tells = tells
	s.run(routeRounds)
	return s
}

func (s *shop) story() string { return strings.Join(s.trace, "\n") }

// mustSee is what the walks have to come by, or they prove little.
var mustSee = []string{
	"moved", "adopted", "told early", "late", "doubled", "new key", "third key", "reloaded", "window over", "repeat refused",
	"fourth repeat", "overdue", "decided", "held, then told", "overtaken",
}

func TestRouteSeeded(t *testing.T) {
	t.Parallel()
	seeds := uint64(6_000)
	if testing.Short() {
		seeds = 2_000
	}
	first, replays := uint64(0), false
	if text, ok := os.LookupEnv(replaySeed); ok {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, seeds, replays = seed, 1, true
	}
	ends, seen := map[State]int{}, map[string]int{}
	for seed := first; seed < first+seeds; seed++ {
		s := walk(Step, seed, replays)
		if s.broken != nil {
			s = walk(Step, seed, true)
			t.Fatalf("%v\n%+v\n%s\nreplay: %s=%d go test -run TestRouteSeeded -v ./fiscal", s.broken, s.set, s.story(), replaySeed, seed)
		}
		ends[s.disk.State]++
		for what := range s.seen {
			seen[what]++
		}
		if replays {
			t.Logf("%+v\n%s", s.set, s.story())
		}
	}
	t.Log(ends, seen)
	for _, what := range mustSee {
		if seen[what] == 0 && !replays {
			t.Errorf("no walk has come by: %s", what)
		}
	}
}
