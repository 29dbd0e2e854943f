package mqtt

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// backoff is exponential with full jitter; the first attempt is immediate.
// Full jitter keeps hundreds of shops from coming back in step.
type backoff struct {
	min, max time.Duration
	draw     func(most time.Duration) time.Duration // nil: at random
	attempt  int
}

func (b *backoff) next() time.Duration {
	n := b.attempt
	b.attempt++
	if n == 0 {
		return 0
	}
	if b.draw != nil {
		return b.draw(b.ceiling(n))
	}
	return rand.N(b.ceiling(n) + 1)
}

func (b *backoff) ceiling(attempt int) time.Duration {
	ceiling := b.min
	for range attempt - 1 {
		if ceiling >= b.max/2 {
			return b.max
		}
		ceiling *= 2
	}
	return min(ceiling, b.max)
}

func (b *backoff) reset() { b.attempt = 0 }

// takeOver recognises two programs with one client id: each connect throws the
// other out, so that connections are accepted every time and closed from afar
// soon after. A broker that is restarting refuses some attempts in between,
// which starts the count again.
type takeOver struct{ streak int }

// ended is told how a connection or attempt ended. It is true when the streak
// reaches its limit, once per streak.
func (t *takeOver) ended(accepted bool, life time.Duration, err error) bool {
	if !accepted || life > takeOverLife || !closedFromAfar(err) {
		t.streak = 0
		return false
	}
	t.streak++
	return t.streak == takeOverConnectionsMax
}

func closedFromAfar(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}
