package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// take takes the lock of a file, until it is closed.
func take(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrHeld
	}
	return err
}

// LetGo does nothing: there a lock goes with the handle.
func LetGo(*os.File) {}
