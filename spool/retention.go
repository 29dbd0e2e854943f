package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// Retention is how long an id keeps its answer, and a document its entry.
const Retention = 400 * 24 * time.Hour

// Prune forgets what is older than Retention, at most limit records, tombstones,
// documents and reports each, and tells how many it forgot. The daemon calls it now and
// then until it returns less than limit.
//
// Kept for ever are records that are not final, the last document of each
// storage (the next one is compared with it) and documents whose record stays.
func (s *Spool) Prune(now time.Time, limit int) (int, error) {
	n, edge := 0, now.Add(-Retention)
	err := s.Update(func(tx *Tx) error {
		n = 0
		for _, prune := range []func(time.Time, int) (int, error){
			tx.pruneRecords, tx.pruneTombs, tx.pruneDocuments, tx.pruneCash, tx.pruneReports,
		} {
			done, err := prune(edge, limit)
			n += done
			if err != nil {
				return fmt.Errorf("prune: %w", err)
			}
		}
		return nil
	})
	return n, err
}

// pruneRecords goes from the oldest record on and stops at the first young one.
func (tx *Tx) pruneRecords(edge time.Time, limit int) (int, error) {
	n := 0
	c := tx.bucket(bucketRecords).Cursor()
	for k, v := c.First(); k != nil && n < limit; {
		r, err := readRecord(k, v)
		if err != nil {
			return n, err
		}
		next := r.Seq + 1
		switch {
		case !r.AcceptedAt.Before(edge):
			return n, nil
		case r.State.Final() && r.FinalAt.Before(edge):
			if err := tx.forget(r.Seq, r.ID, r.Terminal, r.FinalSeq); err != nil {
				return n, err
			}
			n++
		}
		k, v = c.Seek(number(next)) // a deletion moves the cursor's ground
	}
	return n, nil
}

// forget deletes a final record with its id and its place among the answers.
// The last answer of a terminal stays in last/{terminal} until the next start.
func (tx *Tx) forget(seq uint64, id, terminal string, finalSeq uint64) error {
	if err := tx.delete(bucketRecords, number(seq)); err != nil {
		return err
	}
	if err := tx.delete(bucketIDs, []byte(id)); err != nil {
		return err
	}
	return tx.delete(bucketFinals, namedNumber(terminal, finalSeq))
}

func (tx *Tx) pruneTombs(edge time.Time, limit int) (int, error) {
	var old [][]byte
	c := tx.bucket(bucketTombs).Cursor()
	for k, _ := c.First(); k != nil && len(old) < limit; k, _ = c.Next() {
		if int64(tombNanos(k)) >= edge.UnixNano() {
			break
		}
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		if err := tx.delete(bucketTombs, k); err != nil {
			return 0, err
		}
		if err := tx.delete(bucketIDs, k[8:]); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

func tombNanos(key []byte) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key)
}

func (tx *Tx) pruneDocuments(edge time.Time, limit int) (int, error) {
	var old []Entry
	for _, fn := range tx.Storages() {
		last, err := tx.LastFD(fn)
		if err != nil {
			return 0, err
		}
		err = tx.eachDocument(fn, 0, func(e Entry) bool {
			if len(old) >= limit || e.FD == last || !e.At.Before(edge) || tx.kept(e.RecordID) {
				return false
			}
			old = append(old, e)
			return true
		})
		if err != nil {
			return 0, err
		}
	}
	for _, e := range old {
		if err := tx.delete(bucketDocuments, namedNumber32(e.FN, e.FD)); err != nil {
			return 0, err
		}
		if e.Key == "" {
			continue
		}
		if err := tx.delete(bucketKeys, documentKeyKey(&e)); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

func (tx *Tx) pruneCash(edge time.Time, limit int) (int, error) {
	var old [][]byte
	c := tx.bucket(bucketCash).Cursor()
	for k, v := c.First(); k != nil && len(old) < limit; {
		e, err := readCash(k, v)
		if err != nil {
			return 0, err
		}
		if e.At.Before(edge) && !tx.kept(e.RecordID) {
			old = append(old, bytes.Clone(k))
			k, v = c.Next()
			continue
		}
		// The rest of this storage is younger: shifts only grow.
		k, v = c.Seek(append([]byte(e.FN), 1))
	}
	for _, k := range old {
		if err := tx.delete(bucketCash, k); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// kept tells whether a command still has its record.
func (tx *Tx) kept(id string) bool {
	_, _, found := tx.lookup(id)
	return id != "" && found
}
