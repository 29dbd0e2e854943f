package relay

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of the memory about callers.
const (
	quotaBurst = 10 // seconds' worth of requests at once
	quotasMax  = 8192
)

// quotas bound the requests of each address by a token bucket.
type quotas struct {
	rate float64 // requests a second; 0: no bound

	mu    sync.Mutex
	known map[netip.Prefix]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newQuotas(rate int) *quotas {
	return &quotas{rate: float64(rate), known: map[netip.Prefix]bucket{}}
}

// allow takes one request of remote at now.
func (q *quotas) allow(remote string, now time.Time) bool {
	from, local := caller(remote)
	if q.rate == 0 || local {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	full := q.rate * quotaBurst
	b, seen := q.known[from]
	if !seen {
		if len(q.known) >= quotasMax {
			q.forget(now)
		}
		b = bucket{tokens: full, at: now}
	}
	b.tokens = min(full, b.tokens+now.Sub(b.at).Seconds()*q.rate)
	b.at = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	q.known[from] = b
	return allowed
}

// forget drops who has been silent for long enough to be as good as new; if
// nobody has, everybody.
func (q *quotas) forget(now time.Time) {
	for from, b := range q.known {
		if now.Sub(b.at) >= quotaBurst*time.Second {
			delete(q.known, from)
		}
	}
	if len(q.known) >= quotasMax {
		clear(q.known)
	}
}

// Sparse lets a line of a log through once a second; a stranger decides how
// often it would be written. Its zero value is ready.
type Sparse struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

// sparseEvery is the least time between two lines.
const sparseEvery = time.Second

// Allow tells whether to write now, and how many lines were left out before.
func (s *Sparse) Allow(now time.Time) (skipped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.last) < sparseEvery {
		s.skipped++
		return 0, false
	}
	skipped, s.last, s.skipped = s.skipped, now, 0
	return skipped, true
}
