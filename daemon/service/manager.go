package service

import (
	"errors"
	"fmt"
	"time"

	kardianos "github.com/kardianos/service"
)

// Errors of the manager, for who says what to try.
var (
	ErrPath         = errors.New("path")
	ErrNoManager    = errors.New("no service manager that kassad knows runs here")
	ErrNotInstalled = errors.New("the service is not installed")
	ErrNoRights     = errors.New("this needs the rights of an administrator")
	ErrPackaged     = errors.New("the service belongs to a package")
	ErrNotStarted   = errors.New("the service manager did not start it")
	ErrNotServing   = errors.New("it ends before it takes commands, and is started again and again")
	ErrSlow         = errors.New("the service manager has not finished in time")
	ErrHidden       = errors.New("the service could not see it")
	ErrForeign      = errors.New("data_dir is to be the service's own, with all that is in it")
	ErrFailed       = errors.New("the service manager refused")
)

// DefaultName is the name of the service.
const DefaultName = "kassad"

// settleTick is how often a service that has started is looked at, until it is
// known what became of it.
const settleTick = 250 * time.Millisecond

// patience is how long a start or a stop may take before who asked is told so:
// longer than a receipt in hand has to end, and the stop of the unit.
const patience = 45 * time.Second

// Settings are what an installed service starts with; paths are absolute.
type Settings struct {
	Name       string
	Executable string
	Config     string
	DataDir    string
	Writable   []string // folders beside DataDir that the configuration has files written to
	Readable   []string // files that the configuration names: keys, users, passwords
}

// States of a service.
const (
	StateAbsent     = "absent"
	StateRunning    = "running"
	StateStarting   = "starting"   // it takes no commands yet
	StateRestarting = "restarting" // it has ended by itself and waits for its next start
	StateStopping   = "stopping"
	StateStopped    = "stopped"
	StateFailed     = "failed"
)

// Status is how the service is.
type Status struct {
	Name    string `json:"name"`
	Manager string `json:"manager"`
	State   string `json:"state"`
	// Detail is what the daemon has told the manager, and how it has ended; ""
	// where managers are not told.
	Detail string `json:"detail,omitempty"`
	// Restarts counts how often the manager has started it again since somebody
	// has; 0 also where managers do not count.
	Restarts int `json:"restarts,omitempty"`
}

// Note is what was done beside, in both languages.
type Note struct{ Russian, English string }

// note makes one; both sentences take the same arguments.
func note(russian, english string, args ...any) Note {
	return Note{fmt.Sprintf(russian, args...), fmt.Sprintf(english, args...)}
}

// handler is kardianos' service for who only installs and asks.
type handler struct{}

func (handler) Start(kardianos.Service) error { return nil }
func (handler) Stop(kardianos.Service) error  { return nil }

// Manager installs and moves one service. Every call may be repeated.
type Manager struct {
	settings Settings
	system   kardianos.Service
	look     func(*Status) // adds what the library does not ask for
	patience time.Duration
	settle   time.Duration // how long a service that has started is looked at
}

// NewManager finds the system's manager of services.
func NewManager(s Settings) (*Manager, error) {
	config, err := describe(s)
	if err != nil {
		return nil, err
	}
	system, err := kardianos.New(handler{}, config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoManager, err)
	}
	return &Manager{settings: s, system: system, look: look, patience: patience, settle: settle}, nil
}

// Status asks the manager. A service that is not there is no error.
func (m *Manager) Status() (Status, error) {
	s := Status{Name: m.settings.Name, Manager: m.system.Platform()}
	state, err := m.system.Status()
	switch {
	case errors.Is(err, kardianos.ErrNotInstalled):
		s.State = StateAbsent
	case state == kardianos.StatusRunning:
		s.State = StateRunning
	case state == kardianos.StatusStopped:
		s.State = StateStopped
	case err != nil && failed(err):
		s.State = StateFailed
	case err != nil:
		return s, rights(err)
	default:
		s.State = StateAbsent
	}
	m.look(&s)
	return s, nil
}

// Start starts the service and waits until it serves, or has ended; one that
// runs is left alone.
func (m *Manager) Start() (already bool, err error) {
	s, err := m.installed()
	if err != nil || s.State == StateRunning {
		return err == nil, err
	}
	return false, m.started("start", m.system.Start)
}

// started holds a start against its outcome: systemd passes over a unit whose
// condition is not met, and calls that a success; Windows calls a process that
// ends at once a success, too.
func (m *Manager) started(what string, f func() error) error {
	err := m.bounded(what, f)
	if errors.Is(err, ErrSlow) || errors.Is(err, ErrNoRights) {
		return err
	}
	s, serr := m.settled(err != nil)
	switch {
	case serr == nil && (s.State == StateRestarting || s.State == StateFailed):
		return fmt.Errorf("%s %s: %w: %s", what, m.settings.Name, ErrNotServing, s.Detail)
	case err == nil && serr == nil && s.State == StateStopped:
		return fmt.Errorf("%s %s: %w%s", what, m.settings.Name, ErrNotStarted, after(": ", s.Detail))
	}
	return err
}

// settled is how the service is when it has had the time to fail. One that has
// failed may be at its next attempt already: how the last one has ended is told
// when that has ended, too.
func (m *Manager) settled(failed bool) (Status, error) {
	s, err := m.Status()
	for began := time.Now(); err == nil; s, err = m.Status() {
		late := time.Since(began)
		if (failed || s.State != StateRunning || late >= m.settle) && (!failed || s.State != StateStarting || late >= m.patience) {
			break
		}
		<-time.After(settleTick)
	}
	return s, err
}

// after puts something before a text that is there.
func after(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}

// Stop stops the service; one that does not run is left alone.
func (m *Manager) Stop() (already bool, err error) {
	s, err := m.installed()
	if err != nil || s.State == StateStopped {
		return err == nil, err
	}
	return false, m.stop()
}

// Restart stops and starts.
func (m *Manager) Restart() error {
	s, err := m.installed()
	if err != nil {
		return err
	}
	if s.State == StateStopped {
		return m.started("start", m.system.Start)
	}
	return m.started("restart", m.system.Restart)
}

// stop stops the service and waits for the end of its process: a service of
// Windows has stopped before, and its file is in use until then.
func (m *Manager) stop() error {
	gone := processOf(m.settings.Name)
	err := m.bounded("stop", m.system.Stop)
	gone()
	return err
}

// Uninstall stops the service and takes it out of the manager. The journal and
// the configuration stay.
func (m *Manager) Uninstall() (already bool, err error) {
	if err := removable(m.settings.Name); err != nil {
		return false, err
	}
	s, err := m.Status()
	if err != nil {
		return false, err
	}
	switch s.State {
	case StateAbsent:
		return true, nil
	case StateStopped:
	default:
		if err := m.stop(); err != nil {
			return false, err
		}
	}
	return false, m.bounded("uninstall", m.system.Uninstall)
}

func (m *Manager) installed() (Status, error) {
	s, err := m.Status()
	if err == nil && s.State == StateAbsent {
		err = fmt.Errorf("%s: %w", m.settings.Name, ErrNotInstalled)
	}
	return s, err
}

// bounded does not wait for a manager for ever: kardianos waits for a service
// of Windows that never stops without end, and systemctl for one that waits for
// a broker. The process ends soon after, and what still waits with it.
func (m *Manager) bounded(what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(m.patience)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s %s: %w", what, m.settings.Name, rights(err))
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("%s %s: %w (%s)", what, m.settings.Name, ErrSlow, m.patience)
	}
}
