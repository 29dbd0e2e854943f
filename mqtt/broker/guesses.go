package broker

import (
	"sync"
	"time"
)

// guesses bounds how often wrong passwords from one address are computed. A
// name whose password was right before needs no computation, and is let in all
// the same. This computer's own programs are not bounded: an honest one would
// be locked out with them.
type guesses struct {
	mu    sync.Mutex
	wrong map[string]*bucket
}

func newGuesses() *guesses { return &guesses{wrong: make(map[string]*bucket)} }

// may tells whether a password from there may be computed.
func (g *guesses) may(address string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.wrong[address]
	if b == nil || ownAddress(address) {
		return true
	}
	b.fill(now)
	return b.tokens >= 1
}

// failed notes a wrong one.
func (g *guesses) failed(address string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b := g.wrong[address]; b != nil {
		b.take(now, 1)
		return
	}
	if len(g.wrong) >= guessersMax {
		g.forget(now)
	}
	b := newBucket(now, guessBurst, guessPerSecond)
	b.take(now, 1)
	g.wrong[address] = &b
}

// forget makes room: those who were quiet long enough, or else all.
func (g *guesses) forget(now time.Time) {
	for address, b := range g.wrong {
		if b.fill(now); b.tokens >= guessBurst {
			delete(g.wrong, address)
		}
	}
	if len(g.wrong) >= guessersMax {
		clear(g.wrong)
	}
}

// ownAddress tells programs of this computer.
func ownAddress(address string) bool { return address == "127.0.0.1" || address == "::1" }
