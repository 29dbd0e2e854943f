package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Flags of make sim.
var (
	worldSeed   = flag.Uint64("world.seed", 0, "live one world of this seed")
	worldHours  = flag.Int("world.hours", 24, "virtual hours with faults")
	worldFaults = flag.String("world.faults", "", "only these kinds of faults, by comma; none: no faults")
	worldDebug  = flag.Bool("world.debug", false, "the daemon's log instead of the trace's lines of it")
	worldSeeds  = flag.Int("world.seeds", 0, "live so many worlds, in processes of their own")
	worldFrom   = flag.Uint64("world.from", 1, "the first seed of them")
	worldJobs   = flag.Int("world.jobs", 2, "processes at once")
	worldReplay = flag.Int("world.replays", 0, "live so many of them twice, and compare every byte")
	worldPage   = flag.Bool("world.page", false, "keep the run, and write the sum of all that are kept into docs/proof.md")
	worldCommit = flag.String("world.commit", "", "what was built, for docs/proof.md")
)

// worldMark begins the line by which a child tells how its world ended.
const worldMark = "WORLD "

// outcome is what a run was.
type outcome struct {
	Seed       uint64
	Hours      float64 // virtual, both phases
	Settled    float64 // virtual hours from the last fault to the last final state
	Receipts   int
	Counts     map[string]int
	Violations []string
	Trace      string // digest
	Plan       string
	tail       []string
}

// TestWorldSeed lives one seed (make sim SEED=n).
func TestWorldSeed(t *testing.T) {
	if *worldSeed == 0 {
		return
	}
	var only []string
	if *worldFaults != "" {
		only = strings.Split(*worldFaults, ",")
	}
	var log slog.Handler
	if *worldDebug {
		log = slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug})
	}
	o := runWorld(t, drawPlan(*worldSeed, time.Duration(*worldHours)*time.Hour, only), os.Stdout, log)
	line, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s%s\n", worldMark, line)
	for _, v := range o.Violations {
		t.Errorf("seed %d: %s", o.Seed, v)
	}
}

// worldRun is one child: its outcome, and the end of what it printed.
type worldRun struct {
	outcome
	output []string // lines
	err    error
}

// failed tells whether the world ended badly, or not at all.
func (r worldRun) failed() bool { return r.err != nil || len(r.Violations) > 0 }

// worldTimeout is real time: a world that takes longer does not end.
const worldTimeout = 10 * time.Minute

// worldEnvironment leaves a child one thread of execution that nothing takes
// away from it, the collection of garbage included: it would change the order of
// what happens at one instant.
var worldEnvironment = []string{"GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=2GiB", "GODEBUG=asyncpreemptoff=1,memprofilerate=0"}

// liveElsewhere lives a seed in a process of its own, where nothing else moves
// the scheduler.
func liveElsewhere(ctx context.Context, binary string, seed uint64, hours int, faults string) worldRun {
	ctx, cancel := context.WithTimeout(ctx, worldTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^TestWorldSeed$", "-test.timeout", "0",
		"-world.seed", strconv.FormatUint(seed, 10), "-world.hours", strconv.Itoa(hours), "-world.faults", faults)
	cmd.Env = append(os.Environ(), worldEnvironment...)
	out, err := cmd.CombinedOutput()
	r := worldRun{err: err}
	for line := range bytes.Lines(out) {
		text := string(bytes.TrimRight(line, "\n"))
		if found, ok := strings.CutPrefix(text, worldMark); ok {
			if jsonErr := json.Unmarshal([]byte(found), &r.outcome); jsonErr == nil && len(r.Violations) > 0 {
				r.err = nil // what it failed by is told
			}
			continue
		}
		r.output = append(r.output, text)
	}
	r.Seed = seed
	if i := slices.IndexFunc(r.output, func(line string) bool { return strings.HasPrefix(line, "panic: ") }); i >= 0 && r.err != nil {
		r.err = errors.New(r.output[i])
	}
	if ctx.Err() != nil {
		r.err = fmt.Errorf("does not end within %s", worldTimeout)
	}
	return r
}

// report prints why a seed failed and how to see it again.
func (r worldRun) report(w io.Writer, hours int, faults string) {
	fmt.Fprintf(w, "--- seed %d: %s\n", r.Seed, r.Plan)
	for _, line := range r.output[max(0, len(r.output)-traceTail):] {
		fmt.Fprintln(w, line)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(w, "VIOLATION %s\n", v)
	}
	if r.err != nil {
		fmt.Fprintf(w, "VIOLATION the run ended with %v\n", r.err)
	}
	replay := fmt.Sprintf("make sim SEED=%d HOURS=%d", r.Seed, hours)
	if faults != "" {
		replay += " FAULTS=" + faults
	}
	fmt.Fprintf(w, "replay: %s\n", replay)
}

// liveMany lives seeds in processes side by side, and calls each in the order in
// which they end. It stops when each says so.
func liveMany(ctx context.Context, binary string, from uint64, seeds, jobs, hours int, faults string, each func(worldRun) (more bool)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next, runs := make(chan uint64), make(chan worldRun)
	go func() {
		defer close(next)
		for i := range seeds {
			select {
			case next <- from + uint64(i):
			case <-ctx.Done():
				return
			}
		}
	}()
	var group sync.WaitGroup
	for range jobs {
		group.Go(func() {
			for seed := range next {
				r := liveElsewhere(ctx, binary, seed, hours, faults)
				select {
				case runs <- r:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() { group.Wait(); close(runs) }()
	for r := range runs {
		if !each(r) {
			return
		}
	}
}

// TestWorldSeeds lives many worlds (make sim SEEDS=n).
func TestWorldSeeds(t *testing.T) {
	if *worldSeeds == 0 {
		return
	}
	runtime.GOMAXPROCS(max(2, runtime.NumCPU())) // with tools/steady one processor would wait for the children alone
	sum := worldSum{Commit: *worldCommit, From: int(*worldFrom), Hours: *worldHours, Counts: map[string]int{}}
	began := time.Now()
	told := began
	liveMany(t.Context(), os.Args[0], *worldFrom, *worldSeeds, *worldJobs, *worldHours, *worldFaults, func(r worldRun) bool {
		sum.add(r)
		sum.RealMinutes = time.Since(began).Minutes()
		if r.failed() {
			r.report(os.Stdout, *worldHours, *worldFaults)
			t.Errorf("seed %d failed", r.Seed)
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			fmt.Printf("%s  %d of %d seeds, %.0f shop-hours, %d failed\n", time.Since(began).Round(time.Second), sum.Seeds, *worldSeeds, sum.ShopHours, len(sum.Failed))
		}
		return true
	})
	fmt.Println(&sum)
	if len(sum.Failed) > 0 {
		fmt.Printf("failed seeds: %d\n", sum.Failed)
	}
	for seed := *worldFrom; seed < *worldFrom+uint64(min(*worldReplay, *worldSeeds)); seed++ {
		once := liveElsewhere(t.Context(), os.Args[0], seed, *worldHours, *worldFaults)
		again := liveElsewhere(t.Context(), os.Args[0], seed, *worldHours, *worldFaults)
		if a, b := traceOf(once.output), traceOf(again.output); !slices.Equal(a, b) {
			t.Errorf("seed %d does not replay: %s", seed, firstDifference(a, b))
		}
		sum.Replayed++
	}
	if *worldPage {
		writeWorlds(t, sum)
	}
}

// writeWorlds keeps a run, and writes all that are kept into docs/proof.md.
func writeWorlds(t *testing.T, run worldSum) {
	t.Helper()
	book, err := readWorldBook()
	if err == nil {
		book.keep(run)
		err = book.write()
	}
	if err != nil {
		t.Fatal(err)
	}
	writeProof(t, "sim", book.page())
}

// traceOf leaves the lines of the trace, which begin with the virtual time.
func traceOf(output []string) (lines []string) {
	for _, line := range output {
		if line != "" && line[0] >= '0' && line[0] <= '9' {
			lines = append(lines, line)
		}
	}
	return lines
}

// firstDifference is where two traces part.
func firstDifference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d is %q and %q", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(a), len(b))
}
