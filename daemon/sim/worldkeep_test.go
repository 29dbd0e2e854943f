package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"kassad/daemon"
)

// death is one way of a daemon to end, and what comes after it.
type death struct {
	kind string // kill, loss (of power), polite
	off  time.Duration
	then func() // between the lives, if not nil
}

// keeper is the service manager: it starts the daemon again whenever it ends.
type keeper struct {
	w      *town
	rng    *rand.Rand
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	deaths chan death
	ended  chan struct{}

	mu    sync.Mutex
	alive *daemon.Daemon
	dying bool
}

// restartPause is how long a service manager waits.
const restartPause = 5 * time.Second

func newKeeper(w *town) *keeper {
	ctx, cancel := context.WithCancel(context.Background())
	return &keeper{w: w, rng: streamOf(w.plan.seed, "keeper"), ctx: ctx, cancel: cancel, deaths: make(chan death, 1), ended: make(chan struct{})}
}

// daemon is the one that runs; nil if none does.
func (k *keeper) daemon() *daemon.Daemon {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dying {
		return nil
	}
	return k.alive
}

// die kills at once; the rest is done by run.
func (k *keeper) die(d death) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.alive == nil || k.dying {
		return
	}
	k.dying = true
	k.w.trace.add("keeper", "-", d.kind, "off for %s", d.off)
	if d.kind != "polite" {
		k.w.shop.Strike()
	}
	k.deaths <- d
}

// run keeps the daemon alive until the end of the world.
func (k *keeper) run() {
	defer close(k.ended)
	for k.ctx.Err() == nil {
		d := k.life()
		k.w.count("restart")
		_ = k.w.shop.Stop() // what a dead daemon has to say is of no interest
		if d.kind == "loss" {
			if err := k.w.disk.PowerLoss(k.rng); err != nil {
				k.w.violation("the disk: %v", err)
			}
		}
		if d.then != nil {
			d.then()
		}
		k.mu.Lock()
		k.alive, k.dying = nil, false
		k.mu.Unlock()
		k.wait(d.off)
	}
}

// life is one life of the daemon, and how it ended.
func (k *keeper) life() death {
	ended, err := k.w.shop.launch(k.ctx, nil)
	if err != nil {
		k.w.trace.add("keeper", "-", "no-start", "%v", err)
		return death{kind: "no-start", off: restartPause}
	}
	k.mu.Lock()
	k.alive = k.w.shop.Daemon()
	k.mu.Unlock()
	k.w.trace.add("keeper", "-", "starts", "")
	k.w.checkAcks(k.alive)
	select {
	case d := <-k.deaths:
		return d
	case err := <-ended:
		ended <- err
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.dying {
			return <-k.deaths
		}
		k.dying = true
		k.w.trace.add("keeper", "-", "ended", "%v", err)
		return death{kind: "ended", off: restartPause}
	case <-k.ctx.Done():
		return death{kind: "end"}
	}
}

func (k *keeper) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.ctx.Done():
	}
}

// close ends everybody.
func (k *keeper) close() {
	k.cancel()
	<-k.ended
	k.group.Wait()
}
