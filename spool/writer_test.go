package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	bolt "go.etcd.io/bbolt"

	"kassad/fiscal"
)

// commits is the number of the last transaction on disk.
func commits(t *testing.T, s *Spool) (n int) {
	t.Helper()
	if err := s.db.View(func(tx *bolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWritersShareAFlush(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	synctest.Test(t, func(t *testing.T) {
		s := reopen(t, path, Options{})
		before := commits(t, s)
		entered, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			update(t, s, func(tx *Tx) error {
				close(entered)
				<-release
				return tx.PutMeta("first", 1)
			})
		})
		<-entered
		for i := range 64 {
			wg.Go(func() { accept(t, s, sale(fmt.Sprint(i))) })
		}
		synctest.Wait() // all of them stand in the queue
		close(release)
		wg.Wait()
		if n := commits(t, s) - before; n != 2 {
			t.Errorf("65 updates took %d commits, want 2", n)
		}
	})
}

func TestAFailedCallbackIsUndoneAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	synctest.Test(t, func(t *testing.T) {
		s := reopen(t, path, Options{})
		boom := errors.New("boom")
		entered, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			update(t, s, func(*Tx) error { close(entered); <-release; return nil })
		})
		<-entered
		var errs [5]error
		for i := range errs {
			wg.Go(func() {
				defer func() {
					if p := recover(); p != nil {
						errs[i] = fmt.Errorf("panic: %.60v", p)
					}
				}()
				errs[i] = s.Update(func(tx *Tx) error {
					if err := tx.PutMeta(fmt.Sprint(i), i); err != nil {
						return err
					}
					switch i {
					case 1:
						return boom
					case 3:
						panic("three")
					}
					return nil
				})
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		view(t, s, func(tx *Tx) error {
			for i, err := range errs {
				var v int
				ok, _ := tx.Meta(fmt.Sprint(i), &v)
				if good := i%2 == 0; ok != good || good != (err == nil) {
					t.Errorf("callback %d: stored %v, %v", i, ok, err)
				}
			}
			return nil
		})
		if !errors.Is(errs[1], boom) || !strings.Contains(fmt.Sprint(errs[3]), "three") {
			t.Errorf("errors %v", errs)
		}
	})
}

func TestReadingCostsNoCommit(t *testing.T) {
	t.Parallel()
	s := start(t)
	accept(t, s, sale("a"))
	before := commits(t, s)
	if _, how := acceptAs(t, s, sale("a")); how != Duplicate {
		t.Error(how)
	}
	if n := commits(t, s); n != before {
		t.Errorf("a duplicate took %d commits", n-before)
	}
}

func TestAfterClose(t *testing.T) {
	t.Parallel()
	s := start(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("update: %v", err)
	}
	if err := s.View(func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("view: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

func TestViewCannotWrite(t *testing.T) {
	t.Parallel()
	s := start(t)
	if err := s.View(func(tx *Tx) error { return tx.PutMeta("x", 1) }); err == nil {
		t.Error("a view wrote")
	}
}

// TestManyWriters runs whole sales from many goroutines, for the race detector
// and for Check at the end.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	s := start(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				r := accept(t, s, sale(fmt.Sprintf("%d-%d", w, i)))
				r.State = fiscal.Working
				update(t, s, func(tx *Tx) error { return tx.Put(r) })
				send(t, s, "local", 1)
				finish(t, s, r, uint32(r.Seq))
				s.Sent(outbox(t, s, "local", 0, 1)[0].ID)
				view(t, s, func(tx *Tx) error { _, err := tx.Summary(); return err })
			}
		})
	}
	wg.Wait()
	if faults, err := s.Check(); err != nil || len(faults) > 0 {
		t.Errorf("check while open: %v %v", faults, err)
	}
}
