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
	ErrSlow         = errors.New("the service manager has not finished in time")
	ErrHidden       = errors.New("the service could not see it")
	ErrFailed       = errors.New("the service manager refused")
)

// DefaultName is the name of the service.
const DefaultName = "kassad"

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
	StateAbsent  = "absent"
	StateRunning = "running"
	StateStopped = "stopped"
	StateFailed  = "failed"
)

// Status is how the service is.
type Status struct {
	Name    string `json:"name"`
	Manager string `json:"manager"`
	State   string `json:"state"`
	// Detail is what the running daemon has told the manager; "" where managers
	// are not told.
	Detail string `json:"detail,omitempty"`
}

// handler is kardianos' service for who only installs and asks.
type handler struct{}

func (handler) Start(kardianos.Service) error { return nil }
func (handler) Stop(kardianos.Service) error  { return nil }

// Manager installs and moves one service. Every call may be repeated.
type Manager struct {
	settings Settings
	system   kardianos.Service
	patience time.Duration
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
	return &Manager{settings: s, system: system, patience: patience}, nil
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
	s.Detail = detail(m.settings.Name)
	return s, nil
}

// Start starts the service; one that runs is left alone.
func (m *Manager) Start() (already bool, err error) {
	s, err := m.installed()
	if err != nil || s.State == StateRunning {
		return err == nil, err
	}
	return false, m.started("start", m.system.Start)
}

// started holds a start against its outcome: systemd passes over a unit whose
// condition is not met, and calls that a success.
func (m *Manager) started(what string, f func() error) error {
	if err := m.bounded(what, f); err != nil {
		return err
	}
	if s, err := m.Status(); err == nil && s.State == StateStopped {
		return fmt.Errorf("%s %s: %w", what, m.settings.Name, ErrNotStarted)
	}
	return nil
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
	case StateRunning:
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
