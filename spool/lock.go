package spool

import (
	"errors"
	"time"

	"kassad/filelock"
)

const lockWaitDefault = 200 * time.Millisecond

// lockStore takes the lock of a store, which is that of a file of its own: the
// index is repaired before bbolt can lock it.
func lockStore(path string, wait time.Duration, flag int) (*filelock.Lock, error) {
	lock, err := filelock.Take(path+suffixLock, flag, fileMode, wait)
	if errors.Is(err, filelock.ErrHeld) {
		return nil, ErrLocked
	}
	return lock, err
}
