//go:build unix

package spool

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock of a file, until it is closed.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLockHeld
	}
	return err
}

// letGo gives up a lock on a file that stays open elsewhere: in a map, or in a
// process that is being started.
func letGo(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
