package link

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// lockPort takes an flock on the device file. TIOCEXCL, which the library
// uses, is ignored for root, and kassad may run as root.
//
// The descriptor is opened without touching terminal settings and must be
// closed with the port: while it is open, an unplugged adapter keeps its
// number and comes back under another name.
func lockPort(name string) (func(), error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		switch {
		case errors.Is(err, unix.EBUSY):
			return nil, fmt.Errorf("%w: %w", ErrBusy, err)
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EIO):
			return nil, fmt.Errorf("%w: %w", ErrNoPort, err)
		}
		return nil, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return func() { unix.Close(fd) }, nil
}
