package sim

import (
	"os"
	"testing"
)

// Worlds of make test: few, and of a few hours each.
const (
	fewWorlds     = 4
	fewWorldHours = 3
)

// TestFewWorlds lives some worlds of make sim. Each is a process of its own:
// a bubble in which randomness is drawn from a seed tolerates no other test.
func TestFewWorlds(t *testing.T) {
	t.Parallel()
	sum := worldSum{Counts: map[string]int{}}
	liveMany(t.Context(), os.Args[0], 1, fewWorlds, 2, fewWorldHours, "", func(r worldRun) bool {
		sum.add(r)
		if r.failed() {
			r.report(t.Output(), fewWorldHours, "")
			t.Errorf("seed %d failed", r.Seed)
		}
		return true
	})
	if sum.Receipts == 0 || len(sum.Counts) == 0 {
		t.Errorf("nothing has happened: %s", &sum)
	}
}
