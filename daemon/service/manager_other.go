//go:build !linux && !windows

package service

import (
	"fmt"
	"runtime"

	kardianos "github.com/kardianos/service"
)

func describe(Settings) (*kardianos.Config, error) {
	return nil, fmt.Errorf("%w: %s", ErrNoManager, runtime.GOOS)
}

// Install is refused, as every call on this system.
func (m *Manager) Install() ([]Note, error) { return nil, ErrNoManager }

// Configure is refused, as every call on this system.
func (m *Manager) Configure() ([]Note, error) { return nil, ErrNoManager }

// Admit has nobody to let in.
func (m *Manager) Admit() ([]Note, error) { return nil, nil }

// Config is not known without a manager.
func (m *Manager) Config() string { return "" }

func removable(string) error { return nil }
func failed(error) bool      { return false }
func look(*Status)           {}

// settle: there is nothing to wait for.
const settle = 0

func rights(err error) error { return err }

// Protect has nothing to add to the mode of the files.
func Protect(string) error { return nil }

// processOf has nothing to wait for: who stops a service here waits for its
// process.
func processOf(string) func() { return func() {} }
