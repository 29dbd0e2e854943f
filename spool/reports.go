package spool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"kassad/fiscal"
)

// bucketReports holds reconciliations by age, for Retention.
const bucketReports = "reports"

// reportIDLayout begins the id of a report: its time, to the second. The number
// that follows tells reports of one second apart.
const reportIDLayout = "20060102T150405Z"

// PutReport stores a reconciliation under the id that it returns. Ids sort by
// time, however the clock was set between two reports.
func (tx *Tx) PutReport(r fiscal.Report) (fiscal.Report, error) {
	if r.At.IsZero() {
		return r, fmt.Errorf("put report: %w: no time", ErrInvalid)
	}
	n, err := tx.next(bucketReports)
	if err != nil {
		return r, err
	}
	r.ID = fmt.Sprintf("%s-%d", r.At.UTC().Format(reportIDLayout), n)
	body, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("put report %s: %w", r.ID, err)
	}
	key := reportKey(r.At, n)
	return r, tx.put(bucketReports, key, seal(bucketReports, key, body))
}

func reportKey(at time.Time, n uint64) []byte {
	return append(number(uint64(at.Unix())), number(n)...)
}

// Report reads a reconciliation by its id; "" is the newest.
func (tx *Tx) Report(id string) (r fiscal.Report, found bool, err error) {
	if id == "" {
		newest, err := tx.Reports(1)
		if len(newest) == 0 {
			return fiscal.Report{}, false, err
		}
		return newest[0], true, nil
	}
	var stamp string
	var n uint64
	if _, err := fmt.Sscanf(id, "%16s-%d", &stamp, &n); err != nil {
		return fiscal.Report{}, false, nil
	}
	at, err := time.Parse(reportIDLayout, stamp)
	b := tx.bucket(bucketReports)
	if err != nil || b == nil {
		return fiscal.Report{}, false, nil
	}
	key := reportKey(at, n)
	framed := b.Get(key)
	if framed == nil {
		return fiscal.Report{}, false, nil
	}
	r, err = readReport(key, framed)
	return r, err == nil && r.ID == id, err
}

// Reports lists the newest reconciliations, newest first.
func (tx *Tx) Reports(limit int) ([]fiscal.Report, error) {
	var out []fiscal.Report
	err := tx.eachReport(func(r fiscal.Report) bool {
		out = append(out, r)
		return len(out) < limit
	})
	return out, err
}

// eachReport goes from the newest back, until each says stop.
func (tx *Tx) eachReport(each func(fiscal.Report) bool) error {
	b := tx.bucket(bucketReports)
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for k, v := c.Last(); k != nil; k, v = c.Prev() {
		r, err := readReport(k, v)
		if err != nil {
			return err
		}
		if !each(r) {
			return nil
		}
	}
	return nil
}

func readReport(key, framed []byte) (fiscal.Report, error) {
	body, _, err := open(bucketReports, key, framed)
	if err != nil {
		return fiscal.Report{}, err
	}
	var r fiscal.Report
	if err := json.Unmarshal(body, &r); err != nil {
		return fiscal.Report{}, fmt.Errorf("read report %x: %w: %w", key, ErrDamaged, err)
	}
	return r, nil
}

// pruneReports goes from the oldest on and stops at the first young one.
func (tx *Tx) pruneReports(edge time.Time, limit int) (int, error) {
	var old [][]byte
	c := tx.bucket(bucketReports).Cursor()
	for k, _ := c.First(); k != nil && len(old) < limit && tombNanos(k) < uint64(edge.Unix()); k, _ = c.Next() {
		old = append(old, append([]byte{}, k...))
	}
	for _, k := range old {
		if err := tx.delete(bucketReports, k); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// RecordsBefore lists records from the newest back, those with a Seq below
// before; 0 begins at the newest.
func (tx *Tx) RecordsBefore(before uint64, limit int) ([]fiscal.Record, error) {
	var out []fiscal.Record
	c := tx.bucket(bucketRecords).Cursor()
	k, v := c.Last()
	if before != 0 {
		if k, _ = c.Seek(number(before)); k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
	}
	for ; k != nil && len(out) < limit; k, v = c.Prev() {
		r, err := readRecord(k, v)
		if err != nil {
			return out, err
		}
		out = append(out, r)
	}
	return out, nil
}

// ShiftDocuments lists the known documents of a shift, and the number of the
// first known document after it; 0 if there is none.
func (tx *Tx) ShiftDocuments(fn string, shift uint32) (docs []Entry, next uint32, err error) {
	first, err := tx.firstOfShift(fn, shift)
	if err != nil {
		return nil, 0, err
	}
	err = tx.eachDocument(fn, first, func(e Entry) bool {
		switch {
		case e.Shift == shift:
			docs = append(docs, e)
		case e.Shift > shift:
			next = e.FD
		}
		return next == 0
	})
	return docs, next, err
}

// ShiftsSince lists the shifts of a storage that have a known document made at
// wall, by the register's clock, or later: oldest first, at most limit, the
// newest.
func (tx *Tx) ShiftsSince(fn string, wall time.Time, limit int) ([]uint32, error) {
	var shifts []uint32
	prefix := named(fn)
	c := tx.bucket(bucketDocuments).Cursor()
	k, _ := tx.lastOf(bucketDocuments, fn)
	if k == nil {
		return nil, nil
	}
	for k, v := c.Seek(k); bytes.HasPrefix(k, prefix); k, v = c.Prev() {
		e, err := readEntry(k, v)
		if err != nil {
			return nil, err
		}
		if !e.At.IsZero() && e.At.Before(wall) {
			break
		}
		if e.Shift == 0 || slices.Contains(shifts, e.Shift) {
			continue
		}
		if len(shifts) == limit {
			break
		}
		shifts = append(shifts, e.Shift)
	}
	slices.Reverse(shifts)
	return shifts, nil
}
