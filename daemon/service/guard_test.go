package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// manager is a service manager that keeps what it is told.
type manager struct {
	watchdog time.Duration
	mu       sync.Mutex
	told     []string
}

func (m *manager) Watchdog() time.Duration { return m.watchdog }

func (m *manager) Send(assignments ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, assignments...)
	return nil
}

// take empties what was told since, after d.
func (m *manager) take(d time.Duration) []string {
	<-time.After(d)
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	told := m.told
	m.told = nil
	return told
}

func count(told []string, what string) (n int) {
	for _, line := range told {
		if line == what {
			n++
		}
	}
	return n
}

// guarded runs a guard in virtual time; hang and say change what it sees.
func guarded(t *testing.T, watchdog time.Duration, abort func(string), story func(g *Guard, m *manager, hang func(...string))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var late []string
		m := &manager{watchdog: watchdog}
		g := &Guard{
			Tell: m, Log: slog.New(slog.DiscardHandler), Abort: abort,
			Stalled:  func() []string { mu.Lock(); defer mu.Unlock(); return late },
			Sentence: func() string { return "takes commands;\nall is well" },
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { g.Run(ctx) })
		story(g, m, func(names ...string) { mu.Lock(); defer mu.Unlock(); late = names })
		cancel()
		running.Wait()
	})
}

// The watchdog is fed while all loops make progress, and not a moment longer.
func TestGuardFeedsWhileProgress(t *testing.T) {
	t.Parallel()
	guarded(t, 30*time.Second, nil, func(g *Guard, m *manager, hang func(...string)) {
		first := m.take(25 * time.Second)
		if count(first, "READY=1") > 0 || count(first, "EXTEND_TIMEOUT_USEC=60000000") != 3 {
			t.Errorf("before commands are taken: %q", first)
		}
		g.Ready()
		if told := m.take(0); !slices.Equal(told, []string{"READY=1", "STATUS=takes commands"}) {
			t.Errorf("ready: %q", told)
		}
		well := m.take(time.Minute)
		if count(well, "WATCHDOG=1") != 6 || count(well, "STATUS=takes commands; all is well") != 1 || len(well) != 7 {
			t.Errorf("a minute of health: %q", well)
		}
		hang("worker front")
		if told := m.take(time.Hour); !slices.Equal(told, []string{"STATUS=no progress: worker front"}) {
			t.Errorf("a hung worker: %q", told)
		}
		hang()
		if told := m.take(time.Minute); count(told, "WATCHDOG=1") != 6 {
			t.Errorf("after the hang: %q", told)
		}
		g.Stopping()
		g.Stopping()
		g.Ready() // a link that has just come up
		told := m.take(time.Minute)
		if count(told, "STOPPING=1") != 1 || count(told, "READY=1") != 0 || count(told, "WATCHDOG=1") != 6 {
			t.Errorf("stopping: %q", told)
		}
		g.Failed(errors.New("store: disk\nREADY=1"))
		if told := m.take(0); !slices.Equal(told, []string{"STATUS=store: disk READY=1"}) {
			t.Errorf("failed: %q", told)
		}
	})
}

// The last words stay the last: also those of an end in the middle of a look, and
// of a daemon that is told to stop after it.
func TestGuardLastWords(t *testing.T) {
	t.Parallel()
	for _, late := range [][]string{nil, {"worker front"}} {
		m := &manager{watchdog: 30 * time.Second}
		g := &Guard{Tell: m, Log: slog.New(slog.DiscardHandler)}
		g.Stalled = func() []string {
			g.Failed(errors.New("store: permission denied"))
			return late
		}
		g.look(time.Time{})
		g.Stopping()
		g.Ready()
		var said []string
		for _, what := range m.told {
			if strings.HasPrefix(what, "STATUS=") {
				said = append(said, what)
			}
		}
		if !slices.Equal(said, []string{"STATUS=store: permission denied"}) {
			t.Errorf("hung %q: %q", late, m.told)
		}
	}
}

// A daemon that has restarted by itself says how it is again.
func TestGuardServesAgain(t *testing.T) {
	t.Parallel()
	guarded(t, 30*time.Second, nil, func(g *Guard, m *manager, _ func(...string)) {
		for range 2 {
			g.Ready()
			if told := m.take(time.Minute); count(told, "STATUS=takes commands; all is well") != 1 {
				t.Errorf("%q", told)
			}
		}
	})
}

// Where nobody kills a hung process, it ends itself, but not for a short hang.
func TestGuardAborts(t *testing.T) {
	t.Parallel()
	var aborted []string
	guarded(t, 0, func(why string) { aborted = append(aborted, why) }, func(g *Guard, m *manager, hang func(...string)) {
		g.Ready()
		hang("intake shop")
		m.take(25 * time.Second)
		hang()
		m.take(time.Minute)
		if aborted != nil {
			t.Errorf("a short hang: %q", aborted)
		}
		hang("intake shop")
		m.take(hungMax + 2*guardEvery)
		if len(aborted) == 0 || aborted[0] != "no progress: intake shop" {
			t.Errorf("a long hang: %q", aborted)
		}
	})
}
