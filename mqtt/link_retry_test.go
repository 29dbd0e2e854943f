package mqtt

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	b := backoff{min: linkBackoffMin, max: linkBackoffMax}
	for attempt, ceiling := range []time.Duration{0, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000} {
		if got := b.next(); got < 0 || got > ceiling*time.Millisecond {
			t.Errorf("attempt %d waits %v, want at most %v ms", attempt, got, ceiling.Nanoseconds())
		}
	}
	b.attempt = 1 << 30
	if b.ceiling(1<<20) != linkBackoffMax {
		t.Error("a long outage overflows")
	}
	b.reset()
	if b.next() != 0 {
		t.Error("the first attempt after a reset waits")
	}
}

func TestTakeOverNeedsAStreak(t *testing.T) {
	t.Parallel()
	lost := fmt.Errorf("connection lost: %w", io.EOF)
	reset := fmt.Errorf("connection lost: %w", &net.OpError{Op: "read", Err: errors.New("connection reset by peer")})
	for _, test := range []struct {
		name string
		feed func(*takeOver) []bool
		want []bool
	}{
		{"three in a row, told once", func(r *takeOver) []bool {
			return []bool{r.ended(true, time.Second, lost), r.ended(true, time.Second, reset), r.ended(true, 0, lost), r.ended(true, 0, lost)}
		}, []bool{false, false, true, false}},
		{"a refused attempt between: the broker restarts", func(r *takeOver) []bool {
			return []bool{r.ended(true, 0, lost), r.ended(true, 0, lost), r.ended(false, 0, reset), r.ended(true, 0, lost)}
		}, []bool{false, false, false, false}},
		{"a long life between", func(r *takeOver) []bool {
			return []bool{r.ended(true, 0, lost), r.ended(true, 0, lost), r.ended(true, time.Hour, lost), r.ended(true, 0, lost)}
		}, []bool{false, false, false, false}},
		{"our own reasons", func(r *takeOver) []bool {
			return []bool{r.ended(true, 0, ErrRefused), r.ended(true, 0, ErrLoopBack), r.ended(true, 0, ErrAckTimeout)}
		}, []bool{false, false, false}},
	} {
		got := test.feed(new(takeOver))
		for i := range test.want {
			if got[i] != test.want[i] {
				t.Errorf("%s: got %v, want %v", test.name, got, test.want)
				break
			}
		}
	}
}
