package broker

import "time"

// bucket bounds a rate. It is no money: a float may count tokens.
type bucket struct {
	tokens, burst, perSecond float64
	at                       time.Time
}

func newBucket(now time.Time, burst, perSecond float64) bucket {
	return bucket{tokens: burst, burst: burst, perSecond: perSecond, at: now}
}

func (b *bucket) fill(now time.Time) {
	b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.perSecond)
	b.at = now
}

// take tells how long to wait before n more are within the rate.
func (b *bucket) take(now time.Time, n float64) time.Duration {
	b.fill(now)
	b.tokens -= n
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / b.perSecond * float64(time.Second))
}

// try takes one if there is one.
func (b *bucket) try(now time.Time) bool {
	if b.fill(now); b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// takeWithin is take for who waits for so long at most: what is more is forgiven.
func (b *bucket) takeWithin(now time.Time, n float64, most time.Duration) time.Duration {
	wait := min(b.take(now, n), most)
	b.tokens = max(b.tokens, -most.Seconds()*b.perSecond)
	return wait
}
