package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"kassad/fiscal"
)

// staleRun is how many answers in a row must be older than the time that a
// sync asks for before it stops looking back: the host's clock may have been
// set, so that times do not always grow with numbers.
const staleRun = 64

// finish gives a record its number among the final answers.
func (tx *Tx) finish(r *fiscal.Record) error {
	n, err := tx.next(bucketFinals)
	if err != nil {
		return err
	}
	r.FinalSeq = n
	return tx.put(bucketFinals, namedNumber(r.Terminal, n), finalValue(r))
}

func finalValue(r *fiscal.Record) []byte {
	return binary.BigEndian.AppendUint64(number(r.Seq), uint64(r.FinalAt.UnixNano()))
}

// Terminals lists the terminals that have final answers. Automatic documents
// have no terminal and are not listed.
func (tx *Tx) Terminals() ([]string, error) {
	names := tx.names(bucketFinals)
	if len(names) > 0 && names[0] == "" {
		names = names[1:]
	}
	return names, nil
}

// Last is the record that became final last for a terminal.
func (tx *Tx) Last(terminal string) (fiscal.Record, bool, error) {
	k, v := tx.lastOf(bucketFinals, terminal)
	if k == nil {
		return fiscal.Record{}, false, nil
	}
	r, err := tx.finalRecord(v)
	return r, err == nil, err
}

// lastOf finds the last key that starts with a name.
func (tx *Tx) lastOf(bucket, name string) (k, v []byte) {
	c := tx.bucket(bucket).Cursor()
	if k, _ = c.Seek(append([]byte(name), 1)); k == nil {
		k, v = c.Last()
	} else {
		k, v = c.Prev()
	}
	if !bytes.HasPrefix(k, named(name)) {
		return nil, nil
	}
	return k, v
}

// FinalsSince lists a terminal's records in the order in which they became
// final, after the given FinalSeq.
func (tx *Tx) FinalsSince(terminal string, after uint64, limit int) ([]fiscal.Record, error) {
	var out []fiscal.Record
	prefix := named(terminal)
	c := tx.bucket(bucketFinals).Cursor()
	for k, v := c.Seek(namedNumber(terminal, after+1)); bytes.HasPrefix(k, prefix) && len(out) < limit; k, v = c.Next() {
		r, err := tx.finalRecord(v)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// FinalsSinceTime is FinalsSince from the first record that became final at
// since or later.
func (tx *Tx) FinalsSinceTime(terminal string, since time.Time, limit int) ([]fiscal.Record, error) {
	k, _ := tx.lastOf(bucketFinals, terminal)
	if k == nil {
		return nil, nil
	}
	var v []byte
	prefix, first, stale := named(terminal), uint64(0), 0
	c := tx.bucket(bucketFinals).Cursor()
	for k, v = c.Seek(k); bytes.HasPrefix(k, prefix) && stale < staleRun; k, v = c.Prev() {
		if len(v) == 16 && int64(binary.BigEndian.Uint64(v[8:])) < since.UnixNano() {
			stale++
			continue
		}
		first, stale = tailNumber(k), 0
	}
	if first == 0 {
		return nil, nil
	}
	return tx.FinalsSince(terminal, first-1, limit)
}

func (tx *Tx) finalRecord(v []byte) (fiscal.Record, error) {
	if len(v) != 16 {
		return fiscal.Record{}, fmt.Errorf("read finals: %w: %x", ErrDamaged, v)
	}
	seq := binary.BigEndian.Uint64(v)
	r, ok, err := tx.Record(seq)
	if err == nil && !ok {
		err = fmt.Errorf("read finals: %w: record %d is gone", ErrDamaged, seq)
	}
	return r, err
}
