package service

// How kassad runs under the service manager of Windows. systemd only sends a
// signal, and is told by Notifier.

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	kardianos "github.com/kardianos/service"
)

// StopGrace is how long the receipt in hand may take to end: Windows gives a
// service about 5 s when the computer is switched off, and the library tells it
// no other figure at a stop either.
const StopGrace = 2 * time.Second

// stopMax is when a stop returns although the daemon has not ended: what is in
// hand is on disk, as after a loss of power.
const stopMax = 4 * time.Second

// program is the daemon as the service manager sees it.
type program struct {
	serve    func(context.Context) error
	exit     func(status int)
	cancel   context.CancelFunc
	ended    chan error
	stopping atomic.Bool
}

// Start implements kardianos.Interface; it must return at once.
func (p *program) Start(kardianos.Service) error {
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	go func() {
		err := p.serve(ctx)
		p.ended <- err
		if !p.stopping.Load() {
			// The manager starts a process again that has died; of one that reports its
			// end it only does so where failures without a crash count.
			p.exit(1)
		}
	}()
	return nil
}

// Stop implements kardianos.Interface.
func (p *program) Stop(kardianos.Service) error {
	p.stopping.Store(true)
	p.cancel()
	timer := time.NewTimer(stopMax)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
	}
	return nil
}

// Managed tells whether the service manager has started this process.
func Managed() bool { return !kardianos.Interactive() }

// Run serves as the service name until the manager stops it. When serve ends by
// itself, exit is called: the manager starts the process again.
func Run(name string, serve func(context.Context) error, exit func(status int)) error {
	p := &program{serve: serve, exit: exit, ended: make(chan error, 1)}
	s, err := kardianos.New(p, &kardianos.Config{Name: name})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoManager, err)
	}
	return s.Run()
}

// OpenEventLog opens the system's event log under the name of the service.
func OpenEventLog(name string) (EventLog, error) {
	s, err := kardianos.New(&program{}, &kardianos.Config{Name: name})
	if err != nil {
		return nil, err
	}
	log, err := s.SystemLogger(nil)
	if err != nil {
		return nil, errors.Join(errors.New("event log"), err)
	}
	return log, nil
}
