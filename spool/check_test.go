package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"

	"kassad/fiscal"
)

// sample is a closed store with something in every bucket.
func sample(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kassad.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, s, accept(t, s, sale("a")), 1)
	finish(t, s, accept(t, s, sale("b")), 2)
	accept(t, s, sale("c"))
	send(t, s, "local", 1)
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.Tombstone("d", wall), tx.PutMeta("m", 1), tx.PutCash(CashEntry{FN: storage, Shift: 1, RecordID: "x"}))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// spoil changes a closed store behind the spool's back.
func spoil(t *testing.T, path string, fn func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, fileMode, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(fn), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func firstKey(tx *bolt.Tx, bucket string) ([]byte, *bolt.Bucket) {
	b := tx.Bucket([]byte(bucket))
	k, _ := b.Cursor().First()
	return bytes.Clone(k), b
}

// TestCheckFindsEachFault: whatever bucket loses, gains or changes an entry,
// Check says so.
func TestCheckFindsEachFault(t *testing.T) {
	t.Parallel()
	framed := []string{bucketValues, bucketRecords, bucketOutbox, bucketDocuments, bucketCash}
	indexes := []string{bucketIDs, bucketTombs, bucketQueue, bucketFinals, bucketKeys, bucketLinks}
	for _, bucket := range append(framed, indexes...) {
		t.Run("changed "+bucket, func(t *testing.T) {
			t.Parallel()
			path := sample(t)
			spoil(t, path, func(tx *bolt.Tx) error {
				k, b := firstKey(tx, bucket)
				if v := bytes.Clone(b.Get(k)); len(v) > 0 {
					v[len(v)-1] ^= 1
					return b.Put(k, v)
				}
				return errors.Join(b.Delete(k), b.Put(append(k, 'x'), nil))
			})
			expectFault(t, path, bucket)
		})
	}
	for _, bucket := range append(indexes, bucketRecords, bucketDocuments) {
		t.Run("lost "+bucket, func(t *testing.T) {
			t.Parallel()
			path := sample(t)
			spoil(t, path, func(tx *bolt.Tx) error {
				k, b := firstKey(tx, bucket)
				return b.Delete(k)
			})
			expectFault(t, path, "")
		})
	}
	t.Run("lost bucket", func(t *testing.T) {
		t.Parallel()
		path := sample(t)
		spoil(t, path, func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(bucketQueue)) })
		expectFault(t, path, bucketQueue)
	})
}

func expectFault(t *testing.T, path, bucket string) {
	t.Helper()
	faults, err := Check(path)
	if err != nil || len(faults) == 0 {
		t.Fatalf("check found %v, %v", faults, err)
	}
	for _, f := range faults {
		if strings.HasPrefix(f.String(), bucket) {
			return
		}
	}
	// A change in an index may show on the side of what it indexes.
	t.Logf("told by %v", faults)
}

// TestCheckFindsADoubledReceipt: two documents of one command are stored as
// they are, and named.
func TestCheckFindsADoubledReceipt(t *testing.T) {
	t.Parallel()
	path := sample(t)
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *Tx) error {
		return tx.PutDocument(Entry{FN: storage, FD: 3, Key: fiscal.Key("root", "a"), Foreign: true})
	})
	faults, err := s.Check()
	if err != nil || len(faults) != 1 || !strings.Contains(faults[0].Text, "one key on two documents of "+storage+": 1 and 3") {
		t.Errorf("%v %v", faults, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckChangesNothing(t *testing.T) {
	t.Parallel()
	path := sample(t)
	before, _ := os.ReadFile(path)
	sound(t, path)
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file has changed")
	}
}

// TestADamagedRecordIsAnErrorNotAPanic: it is told, the rest of the store goes
// on, and the next start has it back.
func TestADamagedRecordIsAnErrorNotAPanic(t *testing.T) {
	t.Parallel()
	path := sample(t)
	var told atomic.Int32
	s, err := Open(path, Options{OnDamage: func(error) { told.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Update(func(tx *bolt.Tx) error {
		k, b := firstKey(tx, bucketRecords)
		v := bytes.Clone(b.Get(k))
		v[len(v)/2] ^= 0xFF
		return b.Put(k, v)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(func(tx *Tx) error { _, _, err := tx.ByID("a"); return err })
	if !errors.Is(err, ErrDamaged) || told.Load() != 1 {
		t.Errorf("view: %v, told %d times", err, told.Load())
	}
	if _, how := acceptAs(t, s, sale("z")); how != New {
		t.Errorf("the rest of the store: %v", how)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mended := reopen(t, path, Options{})
	if r := mended.Recovery(); r.Why == "" || r.Lost {
		t.Errorf("recovery: %+v", r)
	}
	survivedAll(t, mended, "a", "b", "c", "z")
}

func survivedAll(t *testing.T, s *Spool, ids ...string) {
	t.Helper()
	view(t, s, func(tx *Tx) error {
		for _, id := range ids {
			if _, ok, err := tx.ByID(id); !ok || err != nil {
				t.Errorf("%s is there: %v, %v", id, ok, err)
			}
		}
		return nil
	})
}

func TestOpenRefusesANewerFormat(t *testing.T) {
	t.Parallel()
	path := sample(t)
	spoil(t, path, func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyFormat), binary.BigEndian.AppendUint32(nil, format+1))
	})
	s, err := Open(path, Options{})
	if !errors.Is(err, ErrNewer) {
		t.Errorf("open: %v", err)
	}
	if err == nil {
		_ = s.Close()
	}
}

// TestOpenMends what is no store any more, from the log, and keeps it aside.
func TestOpenMends(t *testing.T) {
	t.Parallel()
	for name, spoilt := range map[string]func(t *testing.T, path string){
		"no format": func(t *testing.T, path string) {
			spoil(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Delete([]byte(keyFormat)) })
		},
		"something else": func(t *testing.T, path string) {
			overwrite(t, path, 0, []byte(strings.Repeat("not a database ", 2000)))
		},
		"a short file": func(t *testing.T, path string) { cut(t, path, 5*4096) },
		"a few bytes":  func(t *testing.T, path string) { cut(t, path, 100) },
		"nothing":      func(t *testing.T, path string) { cut(t, path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := sample(t)
			spoilt(t, path)
			s := reopen(t, path, Options{})
			if r := s.Recovery(); r.Lost || (r.Why == "") != (r.Aside == "") || strings.HasPrefix(name, "a ") && r.Why == "" {
				t.Errorf("recovery: %+v", r)
			}
			survivedAll(t, s, "a", "b", "c")
		})
	}
}

func cut(t *testing.T, path string, length int64) {
	t.Helper()
	if err := os.Truncate(path, length); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func acceptance(s *Spool) (how Acceptance, err error) {
	err = s.Update(func(tx *Tx) (err error) {
		_, how, err = tx.Accept(sale("torn"))
		return err
	})
	return how, err
}

// TestOpenOfAnyTornPage: whichever page is lost, opening and checking end with
// an answer.
func TestOpenOfAnyTornPage(t *testing.T) {
	t.Parallel()
	grown := sample(t)
	s, err := Open(grown, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fillOpen(t, s, 10, 110) // every bucket has pages of its own
	send(t, s, "local", 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(grown)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for page := range len(good) / 4096 {
		if bytes.Equal(good[page*4096:][:4096], make([]byte, 4096)) {
			continue // never written
		}
		path := filepath.Join(dir, fmt.Sprint(page)) // a wedged one stays locked
		torn := bytes.Clone(good)
		copy(torn[page*4096:], bytes.Repeat([]byte{0xA5}, 4096))
		if err := os.WriteFile(path, torn, fileMode); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{})
		if err != nil {
			t.Logf("page %d: %.150v", page, err)
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("page %d: %v", page, err)
			}
			continue
		}
		faults, err := s.Check()
		t.Logf("page %d: %d faults, %v", page, len(faults), err)
		if len(faults) == 0 && err == nil {
			sold, err := acceptance(s)
			t.Logf("page %d: nothing lost: %v %v", page, sold, err)
		} else if _, err := acceptance(s); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrStore) {
			t.Errorf("page %d: update: %v", page, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := start(t)
	finish(t, s, accept(t, s, sale("a")), 1)
	path := filepath.Join(t.TempDir(), "copy.db")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	copied := reopen(t, path, Options{})
	view(t, copied, func(tx *Tx) error {
		if r, ok, err := tx.ByID("a"); !ok || r.State != fiscal.Done {
			t.Errorf("%+v %v", r, err)
		}
		return nil
	})
	if _, err := s.Backup(failing{}); err == nil {
		t.Error("a full medium is no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
