package sim

import (
	"time"

	"kassad/devices/link"
)

// late is a byte that a line keeps back. What follows it in its direction comes
// after it, on later connections too.
type late struct {
	direction link.Direction
	left      int64 // bytes that pass before it
	wait      time.Duration
	until     time.Time // when it arrives, once it has been sent
}

// Late keeps byte number at (from 0, counted from now over all connections) and
// what follows it back for wait. Who sends does not notice, and who reads does
// not get it before its time: his deadline passes first. The function tells
// whether the byte has been sent. A wait of 0 ends it for what is not sent yet.
func (l *Line) Late(d link.Direction, at int64, wait time.Duration) (sent func() bool) {
	x := &late{direction: d, left: at, wait: wait}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = x
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return !x.until.IsZero()
	}
}

// due tells when the next bytes arrive, and of how many of n that holds.
func (l *Line) due(d link.Direction, n int) (int, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Now().Add(l.Delay)
	if x := l.late; x != nil && x.wait > 0 && x.direction == d {
		switch {
		case x.left > 0:
			n = int(min(int64(n), x.left))
			x.left -= int64(n)
		case x.until.IsZero():
			x.until = at.Add(x.wait)
			fallthrough
		case at.Before(x.until):
			at = x.until
		}
	}
	return n, at
}
