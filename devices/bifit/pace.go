package bifit

import (
	"context"
	"sync"
	"time"
)

// pace spreads requests evenly.
type pace struct {
	gap time.Duration // between two requests; 0: no limit

	mu   sync.Mutex
	next time.Time // the earliest moment of the next request
}

func newPace(perSecond int) *pace {
	if perSecond <= 0 {
		return &pace{}
	}
	return &pace{gap: time.Second / time.Duration(perSecond)}
}

// wait returns when a request may be made, or with the error of ctx.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	turn := p.next
	if turn.Before(now) {
		turn = now
	}
	p.next = turn.Add(p.gap)
	p.mu.Unlock()
	if !turn.After(now) {
		return ctx.Err()
	}
	timer := time.NewTimer(turn.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
