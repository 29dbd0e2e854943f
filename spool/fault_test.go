package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
)

// TestWriteError: a write of the log fails, as a disk does.
func TestWriteError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	disk := &failingDisk{}
	s, err := Open(path, Options{Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, sale("first"))
	disk.broken.Store(true)
	err = s.Update(func(tx *Tx) error {
		_, _, err := tx.Accept(sale("lost"))
		return err
	})
	brokenFor(t, s, err)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	survived(t, path, map[string]bool{"first": true, "lost": false})
}

// failingDisk writes until it is broken.
type failingDisk struct {
	ownDisk
	broken atomic.Bool
}

func (d *failingDisk) Open(name string, flag int) (File, error) {
	f, err := d.ownDisk.Open(name, flag)
	return failingFile{f, d}, err
}

type failingFile struct {
	File
	d *failingDisk
}

func (f failingFile) WriteAt(b []byte, at int64) (int, error) {
	if f.d.broken.Load() {
		return 0, errors.New("input/output error")
	}
	return f.File.WriteAt(b, at)
}

// brokenFor checks that err ended the spool for everybody.
func brokenFor(t *testing.T, s *Spool, err error) {
	t.Helper()
	if !errors.Is(err, ErrStore) {
		t.Errorf("update: %v, want ErrStore", err)
	}
	if err := s.Update(func(*Tx) error { return nil }); !errors.Is(err, ErrStore) {
		t.Errorf("the next update: %v, want ErrStore", err)
	}
	if err := s.View(func(*Tx) error { return nil }); !errors.Is(err, ErrStore) {
		t.Errorf("view: %v, want ErrStore", err)
	}
	if _, err := s.Prune(wall, 1); !errors.Is(err, ErrStore) {
		t.Errorf("prune: %v, want ErrStore", err)
	}
}

// survived opens the store again and looks for ids.
func survived(t *testing.T, path string, ids map[string]bool) {
	t.Helper()
	s := reopen(t, path, Options{})
	view(t, s, func(tx *Tx) error {
		for id, want := range ids {
			if _, ok, err := tx.ByID(id); ok != want || err != nil {
				t.Errorf("%s is there: %v, %v", id, ok, err)
			}
		}
		return nil
	})
}

// TestGoexitInACallback: a test that fails inside a callback must not hang.
func TestGoexitInACallback(t *testing.T) {
	t.Parallel()
	s := start(t)
	err := s.Update(func(*Tx) error { runtime.Goexit(); return nil })
	if !errors.Is(err, ErrStore) {
		t.Errorf("update: %v", err)
	}
	if err := s.Update(func(*Tx) error { return nil }); !errors.Is(err, ErrStore) {
		t.Errorf("the next one: %v", err)
	}
}

// TestUseAfterTheCallback fails at once instead of reading freed pages.
func TestUseAfterTheCallback(t *testing.T) {
	t.Parallel()
	s := start(t)
	var kept *Tx
	view(t, s, func(tx *Tx) error { kept = tx; return nil })
	defer func() {
		if fmt.Sprint(recover()) == "<nil>" {
			t.Error("a kept Tx still reads")
		}
	}()
	_, _, _ = kept.ByID("a")
}
