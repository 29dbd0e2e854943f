package spool

import (
	"bytes"
	"errors"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestOlderValues: entries that are put back to what they were before make
// sense in themselves, and are found against the log. A former walk, with the
// same entries as they should be, finds nothing.
func TestOlderValues(t *testing.T) {
	t.Parallel()
	for _, bucket := range []string{bucketValues, bucketCash, bucketRecords} {
		for _, copied := range []bool{false, true} {
			path := sample(t)
			s := reopen(t, path, Options{})
			put := func(n int) {
				update(t, s, func(tx *Tx) error {
					return errors.Join(tx.PutMeta("m", n), tx.PutCash(CashEntry{FN: storage, Shift: 1, RecordID: "x", Amount: 100, Out: n%2 > 0}))
				})
			}
			put(1)
			accept(t, s, sale("late"))
			if copied {
				if err := s.renewCopy(); err != nil {
					t.Fatal(err)
				}
			}
			before := map[string][]byte{}
			view(t, s, func(tx *Tx) error {
				c := tx.bucket(bucket).Cursor()
				for k, v := c.First(); k != nil; k, v = c.Next() {
					before[string(k)] = bytes.Clone(v)
				}
				return nil
			})
			put(2)
			r := accept(t, s, sale("later"))
			if err := s.db.Update(func(b *bolt.Tx) error { // as a page that was not written
				if bucket == bucketRecords {
					return b.Bucket([]byte(bucketValues)).Delete([]byte("m"))
				}
				var errs []error
				for k, v := range before {
					errs = append(errs, b.Bucket([]byte(bucket)).Put([]byte(k), v))
				}
				return errors.Join(errs...)
			}); err != nil {
				t.Fatal(err)
			}
			if err := s.renewCopy(); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, copied %v: the walk says %v", bucket, copied, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = reopen(t, path, Options{})
			if got := s.Recovery(); got.Why == "" || got.Lost {
				t.Errorf("%s: %+v", bucket, got)
			}
			n := 0
			view(t, s, func(tx *Tx) error {
				_, err := tx.Meta("m", &n)
				return err
			})
			if survivedAll(t, s, "late", r.ID); n != 2 {
				t.Errorf("%s: it is %d", bucket, n)
			}
			if err := s.renewCopy(); err != nil {
				t.Errorf("%s: the walk of the mended one: %v", bucket, err)
			}
		}
	}
}
