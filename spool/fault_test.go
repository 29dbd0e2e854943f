package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestDiskFull: the update that does not fit is an ErrStore, nothing after it is
// answered, and nothing of it is there after the next start.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, sale("first"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{MaxSize: int(info.Size())}); err != nil {
		t.Fatal(err)
	}
	accept(t, s, sale("second")) // there is room for it
	err = s.Update(func(tx *Tx) error {
		if _, _, err := tx.Accept(sale("too much")); err != nil {
			return err
		}
		return tx.Send(Message{Link: "local", Topic: "big", Payload: make([]byte, info.Size())})
	})
	brokenFor(t, s, err)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	survived(t, path, map[string]bool{"first": true, "second": true, "too much": false})
}

// TestWriteError: the file goes away under the store, as a disk does.
func TestWriteError(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be closed there")
	}
	path := filepath.Join(t.TempDir(), "kassad.db")
	var file *os.File
	s, err := Open(path, Options{OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, perm)
		file = f
		return f, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, sale("first"))
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *Tx) error {
		_, _, err := tx.Accept(sale("lost"))
		return err
	})
	brokenFor(t, s, err)
	_ = s.Close() // the file is closed already
	survived(t, path, map[string]bool{"first": true, "lost": false})
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
