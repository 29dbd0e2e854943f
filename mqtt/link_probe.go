package mqtt

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// roundTrip publishes to ourselves and measures until it is back. A broker
// brings first what it has kept for us, and with a full session drops the
// loop-back message: while messages come, or go off our hands, it is waited
// for, and sent again.
func (c *connection) roundTrip(ctx context.Context) (time.Duration, error) {
	text := rand.Text()
	c.awaited.Store(&text)
	defer c.awaited.Store(nil)
	begun := time.Now()
	if err := c.publish(ctx, c.probeTopic, []byte(text), false); err != nil {
		return 0, fmt.Errorf("loop-back message: %w", err)
	}
	look := time.NewTicker(max(c.link.config.Tuning.ConnectTimeout/linkProbeLooks, time.Millisecond))
	defer look.Stop()
	watch := probeWatch{moved: c.moved.Load()}
	for {
		select {
		case got := <-c.probes:
			if got == text { // another may be of an earlier measurement
				return time.Since(begun), nil
			}
		case <-look.C:
			moved, over := watch.look(c.moved.Load())
			if moved {
				if err := c.publish(ctx, c.probeTopic, []byte(text), false); err != nil {
					return 0, fmt.Errorf("loop-back message: %w", err)
				}
			}
			if over {
				return 0, fmt.Errorf("%w: the broker took it and granted the subscription, but sent nothing: check that %q may read and write %s",
					ErrLoopBack, c.link.config.Username, c.probeTopic)
			}
		case <-c.ctx.Done():
			return 0, fmt.Errorf("%w: %w", ErrDown, context.Cause(c.ctx))
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// probeWatch counts the looks of one wait for a loop-back message. A look that a
// computer has missed while it stood still is none: that was no silence of the broker.
type probeWatch struct {
	moved      uint64 // messages that came or went off our hands, at the last look
	looks      int
	quietLooks int // in a row
}

// look tells whether something has moved since the last one, and whether the wait
// is over.
func (w *probeWatch) look(moved uint64) (news, over bool) {
	w.looks++
	w.quietLooks++
	if news = moved != w.moved; news {
		w.moved, w.quietLooks = moved, 0
	}
	return news, w.quietLooks >= linkProbeLooks || w.looks >= linkProbePatience*linkProbeLooks
}

// probeCame passes on the loop-back message that is waited for; others are of
// an earlier connection, or came twice.
func (c *connection) probeCame(text string) {
	if awaited := c.awaited.Load(); awaited == nil || *awaited != text {
		return
	}
	select {
	case c.probes <- text:
	default:
	}
}
