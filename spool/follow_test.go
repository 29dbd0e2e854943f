package spool_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// TestOlderPage: a page of the index that is silently put back to what it held
// some transactions ago is found, whatever bucket it is of, and nothing is lost.
func TestOlderPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "kassad.db")
	opt := spool.Options{SegmentBytes: 32 << 10, CopyBytes: 1 << 40}
	s, err := spool.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	// The same keys each time, so that an older page has the same structure.
	write := func(round int) {
		for i := range 15 {
			err := s.Update(func(tx *spool.Tx) error {
				_, err := tx.PutReport(fiscal.Report{At: at.Add(time.Duration(round*15+i) * time.Minute)})
				return errors.Join(err,
					tx.PutMeta(fmt.Sprintf("setting-%03d", i), strings.Repeat(fmt.Sprint(round), 300)),
					tx.PutCash(spool.CashEntry{FN: "9999078900012345", Shift: uint32(1 + i), RecordID: "x", Amount: fiscal.Money(100 * round)}),
				)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	write(1)
	if err := s.RenewCopy(); err != nil {
		t.Fatal(err)
	}
	write(2)
	var older [][]byte
	snap := func() { older = append(older, slurp(t, dir)[""]) }
	last := func(round int) { // the same few pages take turns
		for range 2 {
			write(round)
			snap()
		}
	}
	last(2)
	last(3)
	write(3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files := slurp(t, dir)
	spoilt, found := 0, 0
	seen := map[string]bool{string(files[""]): true}
	for _, before := range older {
		for from := 2 * pageBytes; from+pageBytes <= min(len(before), len(files[""])); from += pageBytes {
			index := splice(files[""], from, before[from:from+pageBytes])
			if seen[string(index)] {
				continue
			}
			seen[string(index)] = true
			if !*everyPage && rand.IntN(4) > 0 {
				continue
			}
			spoilt++
			if olderPage(t, files, index, from/pageBytes) {
				found++
			}
		}
	}
	t.Logf("%d pages, %d of them needed a mend", spoilt, found)
	if found == 0 {
		t.Error("no page was found to be older")
	}
}

// olderPage opens a store with such an index, lets it be walked through, and
// opens it again if that found anything. It must have the third round then.
func olderPage(t *testing.T, files map[string][]byte, index []byte, page int) (found bool) {
	t.Helper()
	dir := t.TempDir()
	path := lay(t, dir, files)
	if err := os.WriteFile(path, index, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := spool.Open(path, spool.Options{SegmentBytes: 32 << 10, CopyBytes: 1 << 40})
		if err != nil {
			t.Fatal(page, err)
		}
		r := s.Recovery()
		found = found || r.Why != ""
		if walk := s.RenewCopy(); errors.Is(walk, spool.ErrDamaged) && r.Why == "" {
			_ = s.Close() // a part of it cannot be read
			continue
		} else if walk != nil {
			t.Errorf("page %d: walk: %v", page, walk)
		}
		err = s.View(func(tx *spool.Tx) error {
			for i := range 15 {
				var v string
				ok, err := tx.Meta(fmt.Sprintf("setting-%03d", i), &v)
				if err != nil || !ok || !strings.HasPrefix(v, "3") {
					return fmt.Errorf("setting %d: %v, %.3s, %w", i, ok, v, err)
				}
			}
			reports, err := tx.Reports(1000)
			cash, cerr := tx.Cash("9999078900012345", 7)
			if len(reports) != 7*15 {
				err = errors.Join(err, fmt.Errorf("%d reports", len(reports)))
			}
			if len(cash) != 1 || cash[0].Amount != 300 {
				err = errors.Join(err, fmt.Errorf("cash: %v", cash))
			}
			return errors.Join(err, cerr)
		})
		if err := errors.Join(err, s.Close()); err != nil || r.Lost {
			t.Errorf("page %d: %v, %+v", page, err, r)
		}
		return found
	}
	t.Errorf("page %d: it is found again and again", page)
	return found
}
