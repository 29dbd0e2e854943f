package main

import (
	"errors"
	"time"

	"kassad/daemon/sim"
)

type demoCommand struct {
	Pace time.Duration `help:"Pause between two events; 0 for none." default:"1s" placeholder:"1s"`
}

// Help ends the help of demo.
func (demoCommand) Help() string {
	return `The daemon, its broker and the wire are the real ones; the printer and the clouds are emulated, and
every receipt says so. At the end three books are compared: what the terminals were told, what the journal holds,
what the tax office sees.

Examples:
  kassad demo
  kassad demo --pace 0`
}

// Run shows a short business day.
func (c *demoCommand) Run(e *env) error {
	ctx, stop := notified(e.ctx)
	defer stop()
	err := sim.Demo(ctx, e.stdout, c.Pace, printReport)
	if ctx.Err() != nil {
		return nil // the spectator has seen enough
	}
	if errors.Is(err, sim.ErrBooks) {
		return hinted{err: err, hint: "this is a defect of kassad: please report it with the whole output"}
	}
	return err
}
