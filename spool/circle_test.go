package spool

import (
	"bytes"
	"os"
	"testing"
)

// TestCircle: a page that leads back to itself, with all else in order, is found
// before anything reads it.
func TestCircle(t *testing.T) {
	t.Parallel()
	path := sample(t)
	s := reopen(t, path, Options{})
	fillOpen(t, s, 10, 110)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	circles := 0
	for at := 2 * 4096; at+4096 <= len(good); at += 4096 {
		id, flags, count := native.Uint64(good[at:]), native.Uint16(good[at+8:]), int(native.Uint16(good[at+10:]))
		if id != uint64(at/4096) || flags != flagBranch || count == 0 {
			continue
		}
		spoilt := bytes.Clone(good)
		native.PutUint64(spoilt[at+pageHead+16*(count-1)+8:], id)
		if err := os.WriteFile(path, spoilt, fileMode); err != nil {
			t.Fatal(err)
		}
		s := reopen(t, path, Options{})
		if s.Recovery().Why != "" {
			circles++
		}
		survivedAll(t, s, "a", "b", "c")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if good, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if circles == 0 {
		t.Error("there was no branch")
	}
}
