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
	patience := c.link.config.Tuning.ConnectTimeout
	look := time.NewTicker(max(patience/linkProbeLooks, time.Millisecond))
	defer look.Stop()
	quiet, moved := time.Now(), c.moved.Load()
	for {
		select {
		case got := <-c.probes:
			if got == text { // another may be of an earlier measurement
				return time.Since(begun), nil
			}
		case now := <-look.C:
			if n := c.moved.Load(); n != moved {
				quiet, moved = now, n
				if err := c.publish(ctx, c.probeTopic, []byte(text), false); err != nil {
					return 0, fmt.Errorf("loop-back message: %w", err)
				}
			}
			if now.Sub(quiet) >= patience || now.Sub(begun) >= linkProbePatience*patience {
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
