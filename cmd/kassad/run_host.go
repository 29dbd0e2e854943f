package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"kassad/daemon"
	"kassad/daemon/service"
)

// host is what has started the daemon: a person, systemd, or Windows.
type host struct {
	log   func(level string) *slog.Logger
	tell  service.Teller
	grace time.Duration       // for the receipt in hand at a stop; 0: the daemon's own
	abort func(reason string) // of a hung process; nil: somebody else does it
}

// console runs f until a signal, and tells systemd if it is there.
func (c *runCommand) console(e *env, f func(context.Context, host) error) error {
	ctx, stop := notified(e.ctx)
	defer stop()
	return f(ctx, host{
		log:  func(level string) *slog.Logger { return newLogger(e.stderr, level, c.JSONLog) },
		tell: service.SystemdNotifier(os.Getenv),
	})
}

// startMax is how long opening the journal may take before it counts as hung: a
// long one that has to be made again is read from its first byte.
const startMax = 15 * time.Minute

// lifeSigns are those of the daemon in its present life, or of its start.
type lifeSigns struct {
	mu     sync.Mutex
	daemon *daemon.Daemon
	since  time.Time // of a start
	ready  bool      // it may be asked how it is
}

// begins says that a life begins or has ended: there is no daemon.
func (s *lifeSigns) begins() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.daemon, s.since, s.ready = nil, time.Now(), false
}

func (s *lifeSigns) lives(d *daemon.Daemon) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.daemon = d
}

// takesCommands says that the daemon of this life does.
func (s *lifeSigns) takesCommands() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = true
}

func (s *lifeSigns) now() (*daemon.Daemon, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.daemon, time.Since(s.since)
}

// stalled names what hangs.
func (s *lifeSigns) stalled() []string {
	d, starting := s.now()
	switch {
	case d != nil:
		return d.Stalled()
	case starting > startMax:
		return []string{"start"}
	default:
		return nil
	}
}

// sentence is how the daemon is, for systemctl status.
func (s *lifeSigns) sentence() string {
	s.mu.Lock()
	d, ready := s.daemon, s.ready
	s.mu.Unlock()
	if d == nil || !ready {
		return "starts anew"
	}
	o := d.Status()
	answer := 0
	for _, device := range o.Devices {
		if device.Link {
			answer++
		}
	}
	text := fmt.Sprintf("takes commands; %d of %d devices answer, %d commands wait", answer, len(o.Devices), o.Spool.Queued)
	if n := len(o.Alerts); n > 0 {
		text += fmt.Sprintf(", %d alerts", n)
	}
	return text
}
