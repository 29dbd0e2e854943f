package daemon

import (
	"slices"
	"sync"
	"time"
)

// How long the loops on the way of a sale may be out of sight before they count
// as hung. What hangs is ended from outside (systemd's watchdog): everything in
// hand is on disk, and is asked for after the start.
const (
	// turnMax is for what a loop does by itself: commits, on a slow disk.
	turnMax = 30 * time.Second
	// callMax is the deadline of one call of a driver: more than twice the
	// longest command of any device (two minutes); a cloud that is configured to wait
	// longer has more. A device that hangs within it
	// is the driver's business, not a hung loop.
	callMax = 5 * time.Minute
)

// pulse is the sign of life of one loop: until when it has promised to be seen
// again. The zero value, and nil, promise nothing.
type pulse struct {
	name  string
	mu    sync.Mutex
	until time.Time // zero: it waits for others, for as long as that takes
}

// within promises to be seen again in d.
func (p *pulse) within(d time.Duration) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(d)
}

// calls promises that a call of the driver ends by its deadline.
func (w *worker) calls() { w.pulse.within(max(callMax, w.patience)) }

// rest says that the loop waits, and that nothing is owed before it wakes.
func (p *pulse) rest() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Time{}
}

func (p *pulse) late(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.until.IsZero() && now.After(p.until)
}

// pulses are the loops on the way of a sale: a worker of each device or cloud,
// the intake of each link, and the pump of its outbox.
type pulses struct {
	mu  sync.Mutex
	all []*pulse
}

func (ps *pulses) join(name string) *pulse {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := &pulse{name: name}
	ps.all = append(ps.all, p)
	return p
}

// Stalled names the loops that have not kept their promise to be seen again;
// nil as long as all make progress. It waits for nothing.
func (d *Daemon) Stalled() []string {
	d.pulses.mu.Lock()
	defer d.pulses.mu.Unlock()
	now := time.Now()
	var late []string
	for _, p := range d.pulses.all {
		if p.late(now) && !slices.Contains(late, p.name) {
			late = append(late, p.name)
		}
	}
	return late
}

// pumping follows the pump of a link's outbox.
func (p *pulse) pumping(busy bool) {
	if busy {
		p.within(turnMax)
	} else {
		p.rest()
	}
}
