package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
)

// Figures of TestAYear.
const (
	yearSales  = 6   // a day
	yearDays   = 900 // 400 until anything is forgotten, and more than a year after
	pruneLimit = 500 // as the daemon prunes
)

// TestAYear sells every day for two years and a half, and prunes as the daemon
// does: the index, the log and the copy stop growing when the first sales are
// old enough to be forgotten.
func TestAYear(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	const copied = 1 << 20
	s, err := Open(path, Options{Disk: dryDisk{}, SegmentBytes: 256 << 10, CopyBytes: copied})
	if err != nil {
		t.Fatal(err)
	}
	began, fd := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), uint32(0)
	var at450, largest sizes
	for day := range yearDays {
		now := began.AddDate(0, 0, day)
		for n := range yearSales {
			fd++
			sellOn(t, s, now.Add(time.Duration(n)*time.Minute), uint32(day+1), fd)
		}
		if _, err := s.Prune(now, pruneLimit); err != nil {
			t.Fatal(err)
		}
		if day%30 == 0 {
			// The keeper's part, without waiting for it.
			if s.sinceCopy() > copied {
				if err := s.renewCopy(); err != nil {
					t.Fatal(err)
				}
			}
			size := measureSizes(t, path)
			t.Logf("day %3d: index %5d KB, log %5d KB, copy %5d KB", day, size.index>>10, size.log>>10, size.copy>>10)
			if day == 450 {
				at450 = size
			}
			if day > 450 {
				largest = sizes{max(largest.index, size.index), max(largest.log, size.log), max(largest.copy, size.copy)}
			}
		}
	}
	if largest.index > at450.index*5/4 || largest.copy > at450.copy*5/4 || largest.log > 6*copied {
		t.Errorf("at day 450 %+v, later %+v", at450, largest)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, path)
}

// dryDisk flushes nothing: the test is about sizes.
type dryDisk struct{ ownDisk }

func (d dryDisk) Open(name string, flag int) (File, error) {
	f, err := d.ownDisk.Open(name, flag)
	return dryFile{f}, err
}

func (dryDisk) SyncIndex(_ string, sync func() error) error { return sync() }

type dryFile struct{ File }

func (dryFile) Sync() error { return nil }

type sizes struct{ index, log, copy int64 }

func measureSizes(t *testing.T, path string) (z sizes) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // removed meanwhile
		}
		switch name := e.Name(); {
		case name == filepath.Base(path):
			z.index += info.Size()
		case strings.HasPrefix(name, filepath.Base(path)+suffixLog):
			z.log += info.Size()
		case strings.HasSuffix(name, suffixCopy):
			z.copy += info.Size()
		}
	}
	return z
}

// sellOn is a whole sale on a day, its answer told.
func sellOn(t *testing.T, s *Spool, at time.Time, shift, fd uint32) {
	t.Helper()
	r := sale(fmt.Sprintf("0198c2f0-5d1e-7c53-9a35-%012d", fd))
	r.AcceptedAt = at
	var accepted fiscal.Record
	update(t, s, func(tx *Tx) (err error) { // may run more than once
		accepted, _, err = tx.Accept(r)
		return err
	})
	r = done(accepted, fd)
	r.FinalAt, r.Receipt.Shift, r.Receipt.At = at.Add(time.Second), shift, at
	update(t, s, func(tx *Tx) error {
		if err := tx.Put(r); err != nil {
			return err
		}
		return tx.Send(Message{Link: "local", Topic: "res", Payload: make([]byte, 300)})
	})
	var told []uint64
	view(t, s, func(tx *Tx) error {
		messages, err := tx.Outbox("local", 0, 10)
		for _, m := range messages {
			told = append(told, m.ID)
		}
		return err
	})
	s.Sent(told...)
	if r.State != fiscal.Done {
		t.Fatal(r.State)
	}
}
