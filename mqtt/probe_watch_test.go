package mqtt

import "testing"

// The wait for a loop-back message ends after a row of looks that have seen nothing
// move, and after very many in all. It does not go by the clock: a computer that stood
// still has looked once, and that was no silence of the broker.
func TestProbeWatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		moves func(look int) bool
		looks int // until it is over
	}{
		"silence":                {func(int) bool { return false }, linkProbeLooks},
		"messages, then silence": {func(look int) bool { return look <= 30 }, 30 + linkProbeLooks},
		"one a little before":    {func(look int) bool { return look%linkProbeLooks == linkProbeLooks-1 }, linkProbePatience * linkProbeLooks},
		"messages without end":   {func(int) bool { return true }, linkProbePatience * linkProbeLooks},
	} {
		var w probeWatch
		var sum uint64
		for look := 1; ; look++ {
			moves := c.moves(look)
			if moves {
				sum += 7
			}
			news, over := w.look(sum)
			if news != moves {
				t.Errorf("%s: look %d has news: %v", name, look, news)
			}
			if over != (look >= c.looks) {
				t.Errorf("%s: after %d looks of %d it is over: %v", name, look, c.looks, over)
			}
			if over || look > c.looks {
				break
			}
		}
	}
}
