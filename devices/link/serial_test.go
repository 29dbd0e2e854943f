package link

import (
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.bug.st/serial"
)

// fakePort behaves like the library: 0, nil on timeout, no write timeout.
type fakePort struct {
	mu      sync.Mutex
	timeout time.Duration
	data    chan []byte
	stuck   chan struct{} // writes block until closed, if set
	wrote   []byte
	gone    chan struct{}
	closed  bool
	late    int // writes after Close
}

func newFakePort() *fakePort {
	return &fakePort{data: make(chan []byte, 8), gone: make(chan struct{})}
}

func (p *fakePort) SetReadTimeout(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timeout = d
	return nil
}

func (p *fakePort) Read(b []byte) (int, error) {
	p.mu.Lock()
	d := p.timeout
	p.mu.Unlock()
	select {
	case x := <-p.data:
		return copy(b, x), nil
	case <-p.gone:
		return 0, &serial.PortError{}
	case <-time.After(d):
		return 0, nil
	}
}

func (p *fakePort) Write(b []byte) (int, error) {
	p.mu.Lock()
	if p.closed {
		p.late++
	}
	stuck := p.stuck
	p.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrote = append(p.wrote, b...)
	return len(b), nil
}

func (p *fakePort) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.gone)
	}
	return nil
}

func TestReadDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSerial(newFakePort(), nil)
		defer s.Close()
		start := time.Now()
		s.SetDeadline(start.Add(730 * time.Millisecond))
		if n, err := s.Read(make([]byte, 4)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read %d, %v", n, err)
		}
		if d := time.Since(start); d < 730*time.Millisecond || d > 800*time.Millisecond {
			t.Errorf("deadline took %s", d)
		}
	})
}

func TestReadNoticesNewDeadlineAndClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSerial(newFakePort(), nil)
		go func() {
			<-time.After(time.Second)
			s.SetDeadline(time.Now())
		}()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("interrupted read: %v", err)
		}
		s.SetDeadline(time.Time{})
		go func() {
			<-time.After(time.Second)
			s.Close()
		}()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("own close: %v", err)
		}
	})
}

func TestHangUpIsNotClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakePort()
		s := newSerial(p, nil)
		defer s.Close()
		close(p.gone)
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, ErrHangUp) {
			t.Errorf("pulled cable: %v", err)
		}
		p.closed = true
	})
}

func TestStuckWriteLosesPort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakePort()
		p.stuck = make(chan struct{})
		unlocked := false
		s := newSerial(p, func() { unlocked = true })
		s.SetDeadline(time.Now().Add(2 * time.Second))
		n, err := s.Write(make([]byte, 1000))
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("write %d, %v", n, err)
		}
		close(p.stuck)
		synctest.Wait()
		if _, err := s.Write([]byte{1}); !errors.Is(err, ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		if p.late != 0 || len(p.wrote) != writeChunkBytes || !unlocked {
			t.Errorf("late %d, wrote %d, unlocked %v", p.late, len(p.wrote), unlocked)
		}
	})
}

func TestWriteWholeInChunks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakePort()
		s := newSerial(p, nil)
		defer s.Close()
		if n, err := s.Write(make([]byte, 1000)); n != 1000 || err != nil || len(p.wrote) != 1000 {
			t.Errorf("write %d, %v", n, err)
		}
		s.SetDeadline(time.Now())
		if n, err := s.Write([]byte{1}); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("late write %d, %v", n, err)
		}
	})
}
