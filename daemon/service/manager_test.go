package service

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	kardianos "github.com/kardianos/service"
)

// fakeSystem is a service manager that keeps what it is asked for.
type fakeSystem struct {
	kardianos.Service
	mu    sync.Mutex // of state: what is started may end by itself
	state kardianos.Status
	err   error // of Status
	stuck bool  // Stop never ends
	deaf  bool  // Start is a success and changes nothing
	brief bool  // what is started ends after a second
	asked []string
}

func (f *fakeSystem) Platform() string { return "fake" }

func (f *fakeSystem) Status() (kardianos.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, f.err
}

func (f *fakeSystem) move(what string, to kardianos.Status) error {
	f.asked = append(f.asked, what)
	f.set(to)
	return nil
}

func (f *fakeSystem) set(to kardianos.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = to
}

func (f *fakeSystem) Start() error {
	if f.deaf {
		return nil
	}
	if f.brief {
		time.AfterFunc(time.Second, func() { f.set(kardianos.StatusStopped) })
	}
	return f.move("start", kardianos.StatusRunning)
}

func (f *fakeSystem) Restart() error { return f.move("restart", kardianos.StatusRunning) }

func (f *fakeSystem) Stop() error {
	if f.stuck {
		<-time.After(24 * time.Hour)
	}
	return f.move("stop", kardianos.StatusStopped)
}

func (f *fakeSystem) Uninstall() error {
	f.err = kardianos.ErrNotInstalled
	return f.move("uninstall", kardianos.StatusUnknown)
}

func managerOf(f *fakeSystem) *Manager {
	return &Manager{settings: Settings{Name: "kassad-of-a-test"}, system: f, look: func(*Status) {}, patience: patience}
}

// Every call may be repeated, and says whether there was anything to do.
func TestManagerRepeats(t *testing.T) {
	t.Parallel()
	f := &fakeSystem{state: kardianos.StatusStopped}
	m := managerOf(f)
	for i, step := range []struct {
		do      func() (bool, error)
		already bool
		state   string
	}{
		{m.Stop, true, StateStopped},
		{m.Start, false, StateRunning},
		{m.Start, true, StateRunning},
		{m.Stop, false, StateStopped},
		{func() (bool, error) { return false, m.Restart() }, false, StateRunning},
		{func() (bool, error) { return false, m.Restart() }, false, StateRunning},
		{m.Uninstall, false, StateAbsent},
		{m.Uninstall, true, StateAbsent},
	} {
		already, err := step.do()
		s, serr := m.Status()
		if err != nil || serr != nil || already != step.already || s.State != step.state {
			t.Errorf("step %d: already %v, %s, %v, %v", i, already, s.State, err, serr)
		}
	}
	if want := []string{"start", "stop", "start", "restart", "stop", "uninstall"}; !slices.Equal(f.asked, want) {
		t.Errorf("asked for %v, want %v", f.asked, want)
	}
	for name, do := range map[string]func() (bool, error){"start": m.Start, "stop": m.Stop, "restart": func() (bool, error) { return false, m.Restart() }} {
		if _, err := do(); !errors.Is(err, ErrNotInstalled) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

// A manager that passes over a start is not believed.
func TestManagerLooksAfterAStart(t *testing.T) {
	t.Parallel()
	m := managerOf(&fakeSystem{state: kardianos.StatusStopped, deaf: true})
	if _, err := m.Start(); !errors.Is(err, ErrNotStarted) {
		t.Errorf("start: %v", err)
	}
	if err := m.Restart(); !errors.Is(err, ErrNotStarted) {
		t.Errorf("restart: %v", err)
	}
}

// Where a manager is not told when a service serves, one that ends soon is seen.
func TestManagerLetsAStartSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := managerOf(&fakeSystem{state: kardianos.StatusStopped, brief: true})
		m.settle = 3 * time.Second
		if _, err := m.Start(); !errors.Is(err, ErrNotStarted) {
			t.Errorf("start: %v", err)
		}
		m = managerOf(&fakeSystem{state: kardianos.StatusStopped})
		m.settle = 3 * time.Second
		if _, err := m.Start(); err != nil {
			t.Errorf("start: %v", err)
		}
	})
}

// A service that ends at each start, and is at its next one when it is looked at,
// is asked until its last words are known, but not for ever.
func TestManagerWaitsForTheLastWords(t *testing.T) {
	t.Parallel()
	for _, lasts := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			m := managerOf(&fakeSystem{state: kardianos.StatusStopped})
			begin := time.Now()
			m.look = func(s *Status) {
				if s.State = StateStarting; time.Since(begin) >= lasts {
					s.State, s.Detail = StateRestarting, "permission denied"
				}
			}
			failed := errors.New("the job has failed")
			err := m.started("start", func() error { return failed })
			if lasts > m.patience {
				if !errors.Is(err, failed) || time.Since(begin) != m.patience {
					t.Errorf("it starts for ever: %v after %v", err, time.Since(begin))
				}
			} else if !errors.Is(err, ErrNotServing) || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("after %v: %v", lasts, err)
			}
		})
	}
}

// A service that never stops does not keep who asked for ever.
func TestManagerIsPatientForATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := managerOf(&fakeSystem{state: kardianos.StatusRunning, stuck: true})
		begin := time.Now()
		if _, err := m.Stop(); !errors.Is(err, ErrSlow) || time.Since(begin) != patience {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		<-time.After(24 * time.Hour) // the bubble ends with all that is in it
	})
}
