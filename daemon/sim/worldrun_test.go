package sim

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// Flags of make sim.
var (
	worldSeed   = flag.Uint64("world.seed", 0, "live one world of this seed and print its trace")
	worldHours  = flag.Int("world.hours", 6, "virtual hours with faults")
	worldFaults = flag.String("world.faults", "", "only these kinds of faults, by comma; none: no faults")
	worldDebug  = flag.Bool("world.debug", false, "the daemon's log instead of the trace's lines of it")
	worldQuiet  = flag.Bool("world.quiet", false, "the result alone")
)

// TestWorldSeed lives one seed (make sim SEED=n).
func TestWorldSeed(t *testing.T) {
	if *worldSeed == 0 {
		return
	}
	var only []string
	if *worldFaults != "" {
		only = strings.Split(*worldFaults, ",")
	}
	var out io.Writer = os.Stdout
	if *worldQuiet {
		out = nil
	}
	var log slog.Handler
	if *worldDebug {
		log = slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug})
	}
	began := time.Now()
	o := runWorld(t, drawPlan(*worldSeed, time.Duration(*worldHours)*time.Hour, only), out, log)
	if *worldQuiet && len(o.violations) > 0 {
		for _, line := range o.tail {
			fmt.Print(line)
		}
	}
	for _, v := range o.violations {
		t.Errorf("seed %d: %s", o.seed, v)
	}
	fmt.Printf("seed %d: %s in %s, settled in %s, %d receipts, faults %v, %d violations, trace %s\n",
		o.seed, o.hours.Round(time.Minute), time.Since(began).Round(time.Millisecond), o.settled.Round(time.Second), o.sales, o.counts, len(o.violations), o.digest)
}
