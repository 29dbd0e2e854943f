package filelock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const create = os.O_RDWR | os.O_CREATE

func TestTake(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	if _, err := Take(path, os.O_RDWR, 0o600, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	first, err := Take(path, create, 0o600, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(path, create, 0o600, 2*poll); !errors.Is(err, ErrHeld) {
		t.Errorf("held: %v", err)
	}
	type taken struct {
		lock *Lock
		err  error
	}
	waits := make(chan taken)
	go func() {
		lock, err := Take(path, create, 0o600, time.Minute)
		waits <- taken{lock, err}
	}()
	select {
	case got := <-waits:
		t.Fatalf("beside the first: %v", got.err)
	case <-time.After(3 * poll):
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	second := <-waits
	if second.err != nil {
		t.Fatal(second.err)
	}
	if err := second.lock.Release(); err != nil {
		t.Fatal(err)
	}
}
