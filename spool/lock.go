package spool

import (
	"errors"
	"os"
	"time"

	"kassad/owner"
)

const (
	lockWaitDefault = 200 * time.Millisecond
	lockPoll        = 20 * time.Millisecond
)

// lockStore takes the lock of a store, which is that of a file of its own: the
// index is repaired before bbolt can lock it.
func lockStore(path string, wait time.Duration, flag int) (*os.File, error) {
	f, err := os.OpenFile(path+suffixLock, flag, fileMode)
	if err != nil {
		return nil, err
	}
	owner.Inherit(f)
	for began := time.Now(); ; {
		err := lockFile(f)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, errLockHeld) {
			return nil, errors.Join(err, f.Close())
		}
		if time.Since(began) >= wait {
			return nil, errors.Join(ErrLocked, f.Close())
		}
		<-time.After(lockPoll)
	}
}

// unlock gives a lock back at once. Closing alone would leave it to a process
// that is being started, which has our descriptors until it has begun.
func unlock(f *os.File) error {
	letGo(f)
	return f.Close()
}

var errLockHeld = errors.New("the lock is held")
