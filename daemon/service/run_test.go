package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A stop waits for the daemon, but not longer than Windows does.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ ends, want time.Duration }{
		"at once": {0, 0}, "in time": {StopGrace, StopGrace}, "late": {time.Minute, stopMax},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &program{ended: make(chan error, 1), exit: func(int) { t.Error("a stopped service is no failure") }}
				p.serve = func(ctx context.Context) error {
					<-ctx.Done()
					<-time.After(row.ends)
					return nil
				}
				begin := time.Now()
				if err := p.Start(nil); err != nil || time.Since(begin) > 0 {
					t.Fatalf("start: %v", err)
				}
				<-time.After(time.Hour)
				begin = time.Now()
				if err := p.Stop(nil); err != nil || time.Since(begin) != row.want {
					t.Errorf("stopped after %s: %v", time.Since(begin), err)
				}
				<-time.After(time.Hour)
			})
		})
	}
}

// A daemon that ends by itself ends the process with a failure, whatever it
// says: the manager starts nothing again that has reported its end.
func TestEndIsAFailure(t *testing.T) {
	t.Parallel()
	for _, end := range []error{errors.New("store: disk"), nil} {
		synctest.Test(t, func(t *testing.T) {
			var status []int
			p := &program{ended: make(chan error, 1), exit: func(n int) { status = append(status, n) }}
			p.serve = func(context.Context) error {
				<-time.After(time.Minute)
				return end
			}
			if err := p.Start(nil); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Hour)
			synctest.Wait()
			if len(status) != 1 || status[0] != 1 {
				t.Errorf("%v ends the process with %v", end, status)
			}
			p.cancel()
		})
	}
}
