package spool

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Names of buckets and of keys in meta (doc.go).
const (
	bucketMeta      = "meta"
	bucketValues    = "values"
	bucketRecords   = "records"
	bucketIDs       = "ids"
	bucketTombs     = "tombs"
	bucketQueue     = "queue"
	bucketFinals    = "finals"
	bucketOutbox    = "outbox"
	bucketLinks     = "links"
	bucketDocuments = "documents"
	bucketKeys      = "keys"
	bucketCash      = "cash"

	keyFormat = "format"
)

func buckets() []string {
	return []string{
		bucketMeta, bucketValues, bucketRecords, bucketIDs, bucketTombs, bucketQueue, bucketFinals,
		bucketOutbox, bucketLinks, bucketDocuments, bucketKeys, bucketCash, bucketReports,
	}
}

// Tx is one transaction. What it returns is copied and may be kept; the Tx
// itself ends with its callback.
type Tx struct {
	s       *Spool
	b       *bolt.Tx
	wrote   bool
	accepts bool // it takes a new command: the first to be refused when the disk is full
	ops     []op // what it changed, for the log
}

// end makes a use of tx after its callback fail at once.
func (tx *Tx) end() { tx.b = nil }

func (tx *Tx) bucket(name string) *bolt.Bucket { return tx.b.Bucket([]byte(name)) }

func (tx *Tx) put(bucket string, key, value []byte) error {
	tx.wrote = true
	b := tx.bucket(bucket)
	if grows(bucket) {
		b.FillPercent = 0.9
	}
	if err := b.Put(key, value); err != nil {
		return fmt.Errorf("put %s: %w", bucket, err)
	}
	tx.ops = append(tx.ops, op{kind: opPut, bucket: bucket, key: bytes.Clone(key), value: bytes.Clone(value)})
	return nil
}

// grows tells which buckets are written at their end only: their pages may be
// filled, which makes the file smaller and the trees lower.
func grows(bucket string) bool {
	return bucket == bucketRecords || bucket == bucketDocuments || bucket == bucketIDs
}

func (tx *Tx) delete(bucket string, key []byte) error {
	tx.wrote = true
	if err := tx.bucket(bucket).Delete(key); err != nil {
		return fmt.Errorf("delete %s: %w", bucket, err)
	}
	tx.ops = append(tx.ops, op{kind: opDelete, bucket: bucket, key: bytes.Clone(key)})
	return nil
}

func (tx *Tx) next(bucket string) (uint64, error) {
	tx.wrote = true
	n, err := tx.bucket(bucket).NextSequence()
	if err != nil {
		return 0, fmt.Errorf("number %s: %w", bucket, err)
	}
	tx.ops = append(tx.ops, op{kind: opSequence, bucket: bucket, sequence: n})
	return n, nil
}

// NextEvent gives the number of the next event of evt/{class}. Numbers have no
// gaps: a transaction that fails gives its numbers back.
func (tx *Tx) NextEvent() (uint64, error) { return tx.next(bucketMeta) }

// LastEvent is the number that NextEvent gave last, or 0.
func (tx *Tx) LastEvent() uint64 { return tx.bucket(bucketMeta).Sequence() }

// PutMeta stores a small value under a name of the daemon's.
func (tx *Tx) PutMeta(name string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("put meta %s: %w", name, err)
	}
	return tx.put(bucketValues, []byte(name), seal(bucketValues, []byte(name), body))
}

// Meta reads a value that PutMeta stored; false if there is none.
func (tx *Tx) Meta(name string, v any) (bool, error) {
	framed := tx.bucket(bucketValues).Get([]byte(name))
	if framed == nil {
		return false, nil
	}
	body, _, err := open(bucketValues, []byte(name), framed)
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		return false, fmt.Errorf("read meta %s: %w", name, err)
	}
	return true, nil
}

// DeleteMeta forgets a value.
func (tx *Tx) DeleteMeta(name string) error { return tx.delete(bucketValues, []byte(name)) }

// Keys. A zero byte ends a name, which therefore must not hold one.

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func named(name string) []byte { return append([]byte(name), 0) }

func namedNumber(name string, n uint64) []byte {
	return binary.BigEndian.AppendUint64(named(name), n)
}

func namedNumber32(name string, n uint32) []byte {
	return binary.BigEndian.AppendUint32(named(name), n)
}

// names lists the distinct names at the front of a bucket's keys by jumping
// from one to the next.
func (tx *Tx) names(bucket string) []string {
	var out []string
	c := tx.bucket(bucket).Cursor()
	for k, _ := c.First(); k != nil; {
		name := upToZero(k)
		out = append(out, name)
		k, _ = c.Seek(append([]byte(name), 1))
	}
	return out
}

func upToZero(key []byte) string {
	for i, c := range key {
		if c == 0 {
			return string(key[:i])
		}
	}
	return string(key)
}
