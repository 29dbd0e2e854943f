package bifit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate int
		want time.Duration // of eleven requests
	}{{5, 2 * time.Second}, {1, 10 * time.Second}, {-1, 0}} {
		synctest.Test(t, func(t *testing.T) {
			p, begun := newPace(c.rate), time.Now()
			for range 11 {
				if err := p.wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(begun); took != c.want {
				t.Errorf("%d requests a second: eleven took %s, want %s", c.rate, took, c.want)
			}
		})
	}
}

func TestPaceEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1)
		if err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if err := p.wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 100*time.Millisecond {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
	})
}
