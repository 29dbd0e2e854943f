//go:build linux

package shtrih

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// ListenPTY serves hosts on a pseudo terminal until the context ends. ready
// gets the path that a host opens as its serial port. Hosts may come and go; a
// power loss is silence, as on a serial line.
func (p *Printer) ListenPTY(ctx context.Context, ready func(path string)) error {
	master, slave, err := pty.Open()
	if err != nil {
		return fmt.Errorf("open pty: %w", err)
	}
	// The slave stays open here, or the master would fail with EIO each time
	// the last host closes it.
	defer slave.Close()
	if err := raw(slave); err != nil {
		return errors.Join(fmt.Errorf("pty %s: %w", slave.Name(), err), master.Close())
	}
	line, err := pollable(master)
	if err := errors.Join(err, master.Close()); err != nil {
		return fmt.Errorf("pty %s: %w", slave.Name(), err)
	}
	if ready != nil {
		ready(slave.Name())
	}
	err = p.serve(ctx, mainPort, line, lineSerial)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pollable duplicates f without blocking mode: only then does Close end a Read
// that waits on another goroutine.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// raw turns off echo and every translation: the protocol is binary.
func raw(f *os.File) error {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
}
