package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// The index has lost its roots and pages, and there is neither a log nor a copy:
// what can be read is put together again, and the numbers of events go on behind
// those that were given.
func TestPiecesKeepTheNumbers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, sale("a"))
	var last uint64
	for range 7 {
		update(t, s, func(tx *Tx) (err error) { last, err = tx.NextEvent(); return err })
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(path + suffixLog + "*")
	for _, name := range append(logs, path+suffixCopy) {
		if rerr := os.Remove(name); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	// It says that it belongs to nobody: no other base can be believed.
	spoil(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyStanding), []byte("x")) })
	s = reopen(t, path, Options{})
	if r := s.Recovery(); r.From != "what could be read" {
		t.Fatalf("%+v", r)
	}
	update(t, s, func(tx *Tx) error {
		if n, err := tx.NextEvent(); err != nil || n != last+1 {
			t.Errorf("event %d after %d, %v", n, last, err)
		}
		return nil
	})
	survivedAll(t, s, "a")
}

// An entry of the list of final answers that leads to a record with another
// number is told, although the record has its own.
func TestCheckFindsAStrayFinal(t *testing.T) {
	t.Parallel()
	path := sample(t)
	spoil(t, path, func(tx *bolt.Tx) error {
		k, b := firstKey(tx, bucketFinals)
		return b.Put(namedNumber(upToZero(k), 77), bytes.Clone(b.Get(k)))
	})
	faults, err := Check(path)
	if err != nil || len(faults) != 1 || faults[0].Bucket != bucketFinals {
		t.Errorf("%v, %v", faults, err)
	}
}

// A page that flows over up to the last byte of the file is whole; one byte less
// is damage.
func TestPageAtTheEndOfTheFile(t *testing.T) {
	t.Parallel()
	file := make([]byte, 4*1024)
	head := file[2*1024:]
	native.PutUint64(head, 2)
	native.PutUint16(head[8:], flagLeaf)
	native.PutUint32(head[12:], 1)
	for cut, whole := range map[int]bool{0: true, 1: false} {
		p := pages{f: bytes.NewReader(file[:len(file)-cut]), m: meta{pageSize: 1024, highest: 4}}
		got, err := p.read(2)
		if whole != (err == nil) || whole && len(got.b) != 2*1024 {
			t.Errorf("%d bytes short: %d bytes, %v", cut, len(got.b), err)
		}
	}
}

// An index that was cut behind its last used byte is short, also where only free
// pages are missing.
func TestIndexWithoutItsLastPage(t *testing.T) {
	t.Parallel()
	path := sample(t)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := readMetas(f)[0]
	if m.bytes() != int64(m.highest)*int64(m.pageSize) || m.bytes() < 3*int64(m.pageSize) {
		t.Fatalf("%d bytes in %d pages", m.bytes(), m.highest)
	}
	cut(t, path, m.bytes()-1)
	if _, err := checkPages(f, m, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}
