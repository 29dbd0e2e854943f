// Package filelock keeps processes apart by a lock on a file. The system lets go
// of it when the process that has it ends, however that is.
package filelock

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"kassad/owner"
)

// ErrHeld tells that another process has the lock.
var ErrHeld = errors.New("the lock is held")

// poll is how often a lock that is held is tried again.
const poll = 20 * time.Millisecond

// Lock is a lock that this process has.
type Lock struct{ file *os.File }

// Take takes the lock of a file, which flag (as of os.OpenFile) may make with
// mode. One that is held is waited for.
func Take(path string, flag int, mode fs.FileMode, wait time.Duration) (*Lock, error) {
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	owner.Inherit(f)
	for began := time.Now(); ; {
		err := take(f)
		if err == nil {
			return &Lock{file: f}, nil
		}
		if !errors.Is(err, ErrHeld) || time.Since(began) >= wait {
			return nil, errors.Join(err, f.Close())
		}
		<-time.After(poll)
	}
}

// Release gives the lock back at once. Closing alone would leave it to a process
// that is being started, which has our descriptors until it has begun. The file
// stays: who waits for it has it open.
func (l *Lock) Release() error {
	LetGo(l.file)
	return l.file.Close()
}
