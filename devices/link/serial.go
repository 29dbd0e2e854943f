package link

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"

	"go.bug.st/serial"
)

// Limits of the serial wrapper.
const (
	readSlice       = 50 * time.Millisecond // how soon a changed deadline or Close is noticed
	writeLimit      = 5 * time.Second       // a write without a deadline of its own
	writeChunkBytes = 256
	closeGrace      = time.Second // wait for a write in flight before its descriptor is closed
)

// rawPort is the part of serial.Port in use; tests put a fake behind it.
type rawPort interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	SetReadTimeout(t time.Duration) error
	Close() error
}

// serialLink makes a Link of a library port.
//
// The library returns 0, nil on a read timeout, has no write timeout, reports a
// pulled cable like our own Close, and writes to whatever file now has the old
// descriptor number when written to after Close. Each is dealt with here.
type serialLink struct {
	port   rawPort
	unlock func() // releases our own lock, nil if none

	reading sync.Mutex // one reader: SetReadTimeout must not run beside Read
	writing sync.Mutex // one writer

	mu       sync.Mutex
	deadline time.Time
	closed   bool
	inFlight chan struct{} // closed when the write in flight has returned; nil if none
}

var _ Link = (*serialLink)(nil)

func openSerial(ctx context.Context, name string, baud int) (Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	if err := descriptorsLeft(); err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	unlock, err := lockPort(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	p, err := serial.Open(name, &serial.Mode{
		BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit,
	})
	if err != nil {
		if unlock != nil {
			unlock()
		}
		return nil, fmt.Errorf("open %s: %w", name, openError(err))
	}
	return newSerial(p, unlock), nil
}

// descriptorMax is below the 1024 that select(2) can wait for. The library
// waits by it, and panics in Read for a descriptor beyond.
const descriptorMax = 1000

// descriptorsLeft refuses a port whose descriptor could not be waited for. The
// system gives the lowest free number, so one of our own tells which is next.
func descriptorsLeft() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Fd() > descriptorMax {
		return ErrDescriptors
	}
	return nil
}

func newSerial(p rawPort, unlock func()) *serialLink {
	return &serialLink{port: p, unlock: unlock}
}

// openError gives the library's and the system's errors one shape.
func openError(err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) {
		switch pe.Code() {
		case serial.PortBusy:
			return fmt.Errorf("%w: %w", ErrBusy, err)
		case serial.PortNotFound:
			return fmt.Errorf("%w: %w", ErrNoPort, err)
		case serial.PermissionDenied:
			return fmt.Errorf("%w: %w", fs.ErrPermission, err)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNoPort, err)
	}
	return err
}

// SetDeadline bounds reads and writes. A blocked Read notices a new deadline
// within readSlice.
func (s *serialLink) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.deadline = t
	return nil
}

func (s *serialLink) state() (deadline time.Time, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deadline, s.closed
}

func (s *serialLink) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		deadline, closed := s.state()
		if closed {
			return 0, ErrClosed
		}
		wait := readSlice
		if !deadline.IsZero() {
			wait = min(wait, time.Until(deadline))
			if wait <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
		}
		if err := s.port.SetReadTimeout(wait); err != nil {
			return 0, s.readError(err)
		}
		n, err := s.port.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, s.readError(err)
		}
	}
}

// readError tells a pulled cable from our own Close: the library uses one code
// for both.
func (s *serialLink) readError(err error) error {
	if _, closed := s.state(); closed {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrHangUp, err)
}

// Write hands p over in chunks. A chunk that is stuck past the deadline means
// that the port is lost: it is closed, and the stuck goroutine is left to the
// kernel, which is the only one able to end it.
func (s *serialLink) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	limit := time.Now().Add(writeLimit)
	done := 0
	for done < len(p) {
		chunk := p[done:min(done+writeChunkBytes, len(p))]
		n, err := s.writeChunk(chunk, limit)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

type writeResult struct {
	n   int
	err error
}

func (s *serialLink) writeChunk(chunk []byte, limit time.Time) (int, error) {
	result := make(chan writeResult, 1)
	deadline, err := s.startWrite(chunk, result)
	if err != nil {
		return 0, err
	}
	if deadline.IsZero() || deadline.After(limit) {
		deadline = limit
	}
	watchdog := time.NewTimer(time.Until(deadline))
	defer watchdog.Stop()
	select {
	case r := <-result:
		if r.err != nil {
			if _, closed := s.state(); closed {
				return r.n, ErrClosed
			}
			return r.n, fmt.Errorf("%w: %w", ErrHangUp, r.err)
		}
		if r.n == 0 {
			return 0, fmt.Errorf("%w: write took no byte", ErrHangUp)
		}
		return r.n, nil
	case <-watchdog.C:
		s.Close()
		return 0, fmt.Errorf("write stuck, port lost: %w", os.ErrDeadlineExceeded)
	}
}

// startWrite starts the writing goroutine, unless closed. The check and the
// mark that a write is in flight are one step, so that Close either forbids the
// write or waits for it.
func (s *serialLink) startWrite(chunk []byte, result chan<- writeResult) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return time.Time{}, ErrClosed
	}
	if !s.deadline.IsZero() && !time.Now().Before(s.deadline) {
		return time.Time{}, os.ErrDeadlineExceeded
	}
	ended := make(chan struct{})
	s.inFlight = ended
	own := append([]byte(nil), chunk...) // the caller may reuse p after a stuck write
	go func() {
		n, err := s.port.Write(own)
		s.mu.Lock()
		if s.inFlight == ended {
			s.inFlight = nil
		}
		s.mu.Unlock()
		close(ended)
		result <- writeResult{n, err}
	}()
	return s.deadline, nil
}

// Close closes the port. A write in flight gets closeGrace to return: after
// that it is certainly inside the system call, which keeps the file, and the
// descriptor number can be given up.
func (s *serialLink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	inFlight := s.inFlight
	s.mu.Unlock()
	if inFlight != nil {
		grace := time.NewTimer(closeGrace)
		defer grace.Stop()
		select {
		case <-inFlight:
		case <-grace.C:
		}
	}
	err := s.port.Close()
	if s.unlock != nil {
		s.unlock()
	}
	return err
}
