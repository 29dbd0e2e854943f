package mqtt

import (
	"context"
	"slices"
	"time"
)

// Nagle's algorithm against delayed acknowledgement shows as 40 ms and a
// little; neither a LAN nor a broker that is merely busy sits just there.
const (
	rttSamplesMax = 1000
	delayedAckMin = 38 * time.Millisecond
	delayedAckMax = 50 * time.Millisecond
)

// RTT is a measured round trip through the broker.
type RTT struct {
	Samples       int
	P50, P99, Max time.Duration
}

// Delayed tells whether the broker seems to hold small packets back, which
// Mosquitto does without set_tcp_nodelay true.
func (r RTT) Delayed() bool { return r.P50 >= delayedAckMin && r.P50 <= delayedAckMax }

// RTT sends n messages to itself, one after another.
func (l *Link) RTT(ctx context.Context, n int) (RTT, error) {
	l.probing.Lock()
	defer l.probing.Unlock()
	c := l.up()
	if c == nil {
		return RTT{}, ErrDown
	}
	n = min(max(n, 1), rttSamplesMax)
	samples := make([]time.Duration, 0, n)
	for range n {
		d, err := c.roundTrip(ctx)
		if err != nil {
			return RTT{}, err
		}
		samples = append(samples, d)
	}
	slices.Sort(samples)
	return RTT{Samples: n, P50: samples[n/2], P99: samples[n*99/100], Max: samples[n-1]}, nil
}
