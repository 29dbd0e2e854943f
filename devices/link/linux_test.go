//go:build linux

package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/creack/pty"
)

// missing skips a test for which the system lacks something; in CI that is a
// failure.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func openPTY(t *testing.T) (*os.File, string) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		missing(t, err)
	}
	name := slave.Name()
	slave.Close()
	t.Cleanup(func() { master.Close() })
	return master, name
}

func TestPTYExchange(t *testing.T) {
	t.Parallel()
	master, name := openPTY(t)
	l, err := Open(context.Background(), "serial://"+name+"?baud=115200")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(5 * time.Second))
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	go master.Write(all)
	got := make([]byte, len(all))
	if _, err := io.ReadFull(l, got); err != nil || !slices.Equal(got, all) {
		t.Fatalf("read %v % X", err, got)
	}
	if _, err := l.Write(all); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(master, got); err != nil || !slices.Equal(got, all) {
		t.Fatalf("device read %v % X", err, got)
	}
	l.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := l.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
}

// Root ignores TIOCEXCL; our own lock must hold all the same.
func TestPTYLock(t *testing.T) {
	t.Parallel()
	_, name := openPTY(t)
	l, err := Open(context.Background(), "serial://"+name)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Open(context.Background(), "serial://"+name); !errors.Is(err, ErrBusy) {
		if err == nil {
			second.Close()
		}
		t.Errorf("second open: %v", err)
	}
	l.Close()
	l, err = Open(context.Background(), "serial://"+name)
	if err != nil {
		t.Fatalf("after close: %v", err)
	}
	l.Close()
}

func TestPTYHangUp(t *testing.T) {
	t.Parallel()
	master, name := openPTY(t)
	l, err := Open(context.Background(), "serial://"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	master.Close()
	l.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := l.Read(make([]byte, 1)); !errors.Is(err, ErrHangUp) {
		t.Errorf("read: %v", err)
	}
	if _, err := l.Write([]byte{5}); !errors.Is(err, ErrHangUp) {
		t.Errorf("write: %v", err)
	}
}

func TestPTYStuckWrite(t *testing.T) {
	t.Parallel()
	master, name := openPTY(t)
	l, err := Open(context.Background(), "serial://"+name)
	if err != nil {
		t.Fatal(err)
	}
	l.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err = l.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("stuck write: %v", err)
	}
	if _, err = l.Write([]byte{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("write after: %v", err)
	}
	go io.Copy(io.Discard, master) // lets the left goroutine end
}

// A process with more open files than select can wait for is told so; the
// library would panic at the first read.
func TestTooManyDescriptors(t *testing.T) {
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for len(files) == 0 || files[len(files)-1].Fd() <= descriptorMax {
		f, err := os.Open(os.DevNull)
		if err != nil {
			missing(t, fmt.Errorf("this system allows too few files to see it: %w", err))
		}
		files = append(files, f)
	}
	if _, err := openSerial(t.Context(), "/dev/null", 115200); !errors.Is(err, ErrDescriptors) {
		t.Errorf("got %v, want ErrDescriptors", err)
	}
}
