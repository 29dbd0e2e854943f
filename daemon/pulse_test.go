package daemon

import (
	"context"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
)

// slowBackend is a device whose status takes as long as a test wants.
type slowBackend struct {
	fiscal.Backend
	status func(ctx context.Context)
}

func (b slowBackend) Status(ctx context.Context) (fiscal.Status, error) {
	b.status(ctx)
	return fiscal.Status{}, nil
}

func (b slowBackend) Close() error { return nil }

// watched runs the worker of one device in virtual time. free is what
// a hung device or loop waits for.
func watched(t *testing.T, poll time.Duration, status func(ctx context.Context, free chan struct{}), published func(free chan struct{}), story func(d *Daemon, free chan struct{})) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		cfg := DefaultConfig()
		cfg.DataDir = dir
		cfg.Devices = []DeviceConfig{DeviceConfig{Name: "front", Kind: "shtrih-m", Address: "tcp://127.0.0.1:1"}.WithDefaults()}
		cfg.Devices[0].Poll = Duration(poll)
		d, err := New(cfg, Options{
			Log: mqtttest.Log(t), Version: "test",
			Open: func(DeviceConfig) (fiscal.Backend, error) {
				return slowBackend{status: func(ctx context.Context) { status(ctx, free) }}, nil
			},
			Network: Network{Listen: func(string, string) (net.Listener, error) { return nil, net.ErrClosed }},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := d.workers["front"]
		w.onStatus = func(deviceView) { published(free) }
		ended := make(chan error)
		go func() { ended <- w.run(ctx) }()
		story(d, free)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if late := d.Stalled(); late != nil {
			t.Errorf("%v after the end", late)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

func answers(context.Context, chan struct{}) {}
func goesOn(chan struct{})                   {}

// stalled looks after d whether exactly these loops are late.
func stalled(t *testing.T, d *Daemon, after time.Duration, want ...string) {
	t.Helper()
	<-time.After(after)
	synctest.Wait()
	if got := d.Stalled(); !slices.Equal(got, want) {
		t.Errorf("after %s %v are late, want %v", after, got, want)
	}
}

// A call of a driver that hangs is no hung loop as long as its deadline has not
// passed.
func TestPulseOfHungDevice(t *testing.T) {
	t.Parallel()
	watched(t, time.Second, func(ctx context.Context, free chan struct{}) {
		select {
		case <-free:
		case <-ctx.Done():
		}
	}, goesOn, func(d *Daemon, free chan struct{}) {
		stalled(t, d, callMax-time.Second)
		stalled(t, d, 2*time.Second, "worker front")
		free <- struct{}{} // it was late, and is well again
		stalled(t, d, 10*time.Second)
		stalled(t, d, callMax, "worker front")
	})
}

// A loop that hangs in our own code is late soon, whatever the device does.
func TestPulseOfHungLoop(t *testing.T) {
	t.Parallel()
	watched(t, time.Second, answers, func(free chan struct{}) { <-free }, func(d *Daemon, free chan struct{}) {
		stalled(t, d, turnMax-time.Second)
		stalled(t, d, 2*time.Second, "worker front")
		close(free)
		stalled(t, d, time.Second)
		stalled(t, d, time.Hour)
	})
}

// A device that is asked once in an hour, or never answers within time, leaves
// its worker nothing to do: that is no hang.
func TestPulseOfIdleLoop(t *testing.T) {
	t.Parallel()
	watched(t, time.Hour, answers, goesOn, func(d *Daemon, _ chan struct{}) {
		for range 30 {
			stalled(t, d, 7*time.Minute)
		}
	})
}

// A command that is not stored and never ends holds up its terminal: the intake
// is late. A silent shop is not.
func TestPulseOfIntake(t *testing.T) {
	t.Parallel()
	watched(t, time.Second, answers, goesOn, func(d *Daemon, free chan struct{}) {
		ctx, cancel := context.WithCancel(context.Background())
		k := newDesk(ctx, d, newStation("shop", RoleShop))
		stalled(t, d, time.Hour)
		k.put("till1", func() { <-free })
		k.put("till2", func() {})
		stalled(t, d, turnMax-time.Second)
		stalled(t, d, 2*time.Second, "intake shop")
		close(free)
		stalled(t, d, time.Second)
		cancel()
		k.wait()
	})
}

// A cloud that is configured to be waited for has the time for it.
func TestPulseOfSlowCloud(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.LifePay = &LifePayConfig{}
	cfg.LifePay.Timeout = Duration(10 * time.Minute)
	cfg.LifePay.fill()
	if got := cfg.cloudTimeout(CloudLifePay); got != 10*time.Minute {
		t.Errorf("%s is configured", got)
	}
	for patience, want := range map[time.Duration]time.Duration{0: callMax, 40 * time.Minute: 40 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := &worker{pulse: &pulse{}, patience: patience}
			w.calls()
			<-time.After(want)
			if w.pulse.late(time.Now()) {
				t.Errorf("late after %s", want)
			}
			<-time.After(time.Second)
			if !w.pulse.late(time.Now()) {
				t.Errorf("not late after %s", want+time.Second)
			}
		})
	}
}
