//go:build unix

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// take takes the lock of a file, until it is closed.
func take(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}

// LetGo gives up a lock on a file that stays open elsewhere: in a map, or in a
// process that is being started.
func LetGo(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
