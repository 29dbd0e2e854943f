package service

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Rhythms of the guard.
const (
	guardEvery = 10 * time.Second // without a watchdog
	// startMore is how much more time for the start is asked for, each time that
	// a daemon is not ready and makes progress.
	startMore = time.Minute
	// hungMax is how long a hung loop is borne where no watchdog kills us.
	hungMax = 30 * time.Second
)

// Teller takes what systemd is told; *Notifier is one.
type Teller interface {
	Send(assignments ...string) error
	Watchdog() time.Duration
}

// Guard tells the manager of services how the daemon is, and keeps a hung one
// from being kept alive.
type Guard struct {
	Tell Teller
	Log  *slog.Logger
	// Stalled names the loops that hang; nil: all make progress.
	Stalled func() []string
	// Sentence is how the daemon is, in a few words.
	Sentence func() string
	// Abort, if not nil, ends the process when a loop has hung for long and
	// there is no watchdog: Windows has none.
	Abort func(reason string)

	mu    sync.Mutex
	phase phase
	told  string // the last sentence of look
}

// phase is where a process is in its life; there is no way back.
type phase int

const (
	starting phase = iota
	serving
	stopping
	ended // its last words are told: nothing comes after them
)

// Ready says that commands are taken.
func (g *Guard) Ready() {
	g.enter(serving, "READY=1", "STATUS=takes commands")
}

// Stopping says that the end has begun.
func (g *Guard) Stopping() {
	g.enter(stopping, "STOPPING=1", "STATUS=stopping: the receipt in hand ends, then kassad")
}

// Failed says why the process ends.
func (g *Guard) Failed(err error) {
	g.enter(ended, "STATUS="+oneLine(err.Error()))
}

// enter tells what a phase begins with. A daemon that restarts by itself begins to
// serve more than once.
func (g *Guard) enter(next phase, assignments ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if next < g.phase || next == g.phase && next != serving {
		return
	}
	g.phase, g.told = next, ""
	g.send(assignments...)
}

func (g *Guard) send(assignments ...string) {
	if err := g.Tell.Send(assignments...); err != nil {
		g.Log.Warn("the service manager was not told", "what", assignments[0], "err", err)
	}
}

// Run feeds the watchdog as long as all loops make progress, until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	every := guardEvery
	if w := g.Tell.Watchdog(); w > 0 {
		every = w / 3
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var hung time.Time
	for {
		hung = g.look(hung)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look is one turn; it returns since when a loop hangs.
func (g *Guard) look(hung time.Time) time.Time {
	g.mu.Lock()
	at := g.phase
	g.mu.Unlock()
	late := g.Stalled()
	if len(late) > 0 {
		what := "no progress: " + strings.Join(late, ", ")
		if hung.IsZero() {
			hung = time.Now()
			g.Log.Error("hung; the service manager is to start kassad again", "loops", strings.Join(late, ", "))
		}
		g.say(at, what)
		if g.Abort != nil && g.Tell.Watchdog() == 0 && time.Since(hung) >= hungMax {
			g.Abort(what)
		}
		return hung
	}
	if !hung.IsZero() {
		g.Log.Warn("goes on after a hang", "after", time.Since(hung).Round(time.Second))
	}
	if g.Tell.Watchdog() > 0 {
		g.send("WATCHDOG=1")
	}
	switch at {
	case serving:
		g.say(at, g.Sentence())
	case starting:
		g.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", startMore.Microseconds()))
		g.say(at, "starting: commands are not taken yet")
	}
	return time.Time{}
}

// say tells a sentence that is news, unless the phase that it is of has ended
// while it was made: the last words of a daemon that could not start were
// "starting" otherwise.
func (g *Guard) say(of phase, sentence string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if sentence = oneLine(sentence); of == g.phase && of != ended && sentence != g.told {
		g.told = sentence
		g.send("STATUS=" + sentence)
	}
}

// oneLine keeps a text from being taken for more assignments.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
