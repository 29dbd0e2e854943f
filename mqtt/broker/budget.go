package broker

import (
	"sync"
	"time"
)

// budget is what a name may send, by count and by bytes, over all of its
// connections: a limit of a connection would be sixteen times that.
type budget struct {
	mu       sync.Mutex
	messages bucket
	bytes    bucket
}

func newBudget(now time.Time) *budget {
	return &budget{
		messages: newBucket(now, nameBurst, namePerSecond),
		bytes:    newBucket(now, nameBytesBurst, nameBytesPerSecond),
	}
}

// take tells how long to wait for a packet of so many bytes, nameWaitMax at
// most. No budget is no limit.
func (b *budget) take(now time.Time, bytes int) time.Duration {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.messages.takeWithin(now, 1, nameWaitMax), b.bytes.takeWithin(now, float64(bytes), nameWaitMax))
}

// rested tells that a new budget would be no larger.
func (b *budget) rested(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages.fill(now)
	b.bytes.fill(now)
	return b.messages.tokens >= nameBurst && b.bytes.tokens >= nameBytesBurst
}

// budgets has that of each name; a connection looks it up once, at its login.
type budgets struct {
	mu    sync.Mutex
	names map[string]*budget
}

func (b *budgets) of(name string) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.names[name]; known != nil {
		return known
	}
	now := time.Now()
	if b.names == nil {
		b.names = make(map[string]*budget)
	}
	if len(b.names) >= usersMax { // the users file has had others
		for name, known := range b.names {
			if known.rested(now) {
				delete(b.names, name)
			}
		}
	}
	fresh := newBudget(now)
	b.names[name] = fresh
	return fresh
}

// wait is false when the connection closes first.
func (c *conn) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	pause(d, c.gone)
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}
