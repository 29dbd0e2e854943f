package spool_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kassad/spool"
)

const pageBytes = 4096

var everyPage = flag.Bool("every-page", false, "TestDamageOfOneFile damages every page, not a quarter of them")

// worn is a store with a past: a copy, several segments since, and frames since
// the last checkpoint. killed leaves it as kill -9 does.
type worn struct {
	files map[string][]byte // by suffix
	older map[string][]byte // the same, some transactions before
	book  *book
}

func wear(t testing.TB, killed bool) *worn {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "kassad.db")
	opt := spool.Options{SegmentBytes: 32 << 10, CopyBytes: 1 << 40}
	s, err := spool.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	w := &worn{}
	b := &book{rng: rand.New(rand.NewPCG(1, 2)), rank: map[string]int{}}
	for i := range 150 {
		if err := b.step(s); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 60:
			if err := s.RenewCopy(); err != nil {
				t.Fatal(err)
			}
		case 140:
			w.older = slurp(t, dir)
		}
	}
	if killed {
		w.files = slurp(t, dir)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !killed {
		w.files = slurp(t, dir)
	}
	w.book = b
	return w
}

func slurp(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(e.Name(), ".lock") {
			files[strings.TrimPrefix(e.Name(), "kassad.db")] = b
		}
	}
	return files
}

// lay puts files into a folder.
func lay(t testing.TB, dir string, files map[string][]byte) string {
	t.Helper()
	path := filepath.Join(dir, "kassad.db")
	for suffix, b := range files {
		if err := os.WriteFile(path+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// damages are what may befall a page.
var damages = map[string]func(content, older []byte, at int) []byte{
	"cut":    func(b, _ []byte, at int) []byte { return b[:at] },
	"zeroed": func(b, _ []byte, at int) []byte { return splice(b, at, make([]byte, pageBytes)) },
	"garbage": func(b, _ []byte, at int) []byte {
		return splice(b, at, bytes.Repeat([]byte{0xA5, 0x5A, 0x00, 0xFF}, pageBytes/4))
	},
	"older": func(b, older []byte, at int) []byte {
		if at+pageBytes > len(older) {
			return b
		}
		return splice(b, at, older[at:at+pageBytes])
	},
}

func splice(b []byte, at int, page []byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], page)
	return b
}

// TestDamageOfOneFile: whatever befalls one page of one of the files, the store
// opens, and all that was acknowledged is there: at once, or after the walk in
// the background has found the damage and the store was opened again.
func TestDamageOfOneFile(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		w := wear(t, killed)
		for suffix, content := range w.files {
			for name, spoil := range damages {
				t.Run(fmt.Sprintf("killed %v %s %s", killed, strings.Trim(suffix, ".-"), name), func(t *testing.T) {
					t.Parallel()
					for at := 0; at < len(content); at += pageBytes {
						if !*everyPage && rand.IntN(4) > 0 {
							continue
						}
						spoilt := spoil(content, w.older[suffix], at)
						if bytes.Equal(spoilt, content) || suffix == "" && name != "cut" && bytes.Equal(content[at:min(at+pageBytes, len(content))], make([]byte, min(pageBytes, len(content)-at))) {
							continue // nothing of it was ever written
						}
						w.damaged(t, suffix, at, spoilt)
						if t.Failed() {
							return
						}
					}
				})
			}
		}
	}
}

// damaged opens the store with one file in another state.
func (w *worn) damaged(t *testing.T, suffix string, at int, content []byte) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := lay(t, dir, w.files)
	if err := os.WriteFile(path+suffix, content, 0o600); err != nil {
		t.Fatal(err)
	}
	told := 0
	for round := range 3 {
		s, err := spool.Open(path, spool.Options{SegmentBytes: 32 << 10, CopyBytes: 1 << 40, OnDamage: func(error) { told++ }})
		if err != nil {
			t.Errorf("page %d: open: %v", at/pageBytes, err)
			return
		}
		r, before := s.Recovery(), told
		walked := s.RenewCopy()
		found := told > before && round < 2
		var missing error
		if !found { // a page that leads back to itself is better not read
			missing = w.missing(s)
		}
		if err := s.Close(); err != nil && walked == nil {
			t.Errorf("page %d: close: %v", at/pageBytes, err)
		}
		if found {
			continue // the next start mends it
		}
		if walked != nil || missing != nil {
			t.Errorf("page %d, start %d, %+v: walk: %v, missing: %v", at/pageBytes, round, r, walked, missing)
		}
		return
	}
}

// missing compares the store with what was acknowledged.
func (w *worn) missing(s *spool.Spool) error {
	b := book{rank: maps.Clone(w.book.rank), events: w.book.events}
	if err := b.compare(s); err != nil {
		return err
	}
	if b.events != w.book.events {
		return fmt.Errorf("event %d, was %d", b.events, w.book.events)
	}
	return s.View(func(tx *spool.Tx) error {
		if n, err := tx.OutboxCount(); err != nil || n != int(b.events) {
			return fmt.Errorf("%d messages wait, were %d: %w", n, b.events, err)
		}
		return nil
	})
}
