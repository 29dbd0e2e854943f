package spool

import (
	"encoding/binary"

	"kassad/fiscal"
)

// Records lists records in the order of their acceptance, from after on.
func (tx *Tx) Records(after uint64, limit int) ([]fiscal.Record, error) {
	var out []fiscal.Record
	c := tx.bucket(bucketRecords).Cursor()
	for k, _ := c.Seek(number(after + 1)); k != nil && len(out) < limit; k, _ = c.Next() {
		r, _, err := tx.Record(binary.BigEndian.Uint64(k))
		if err != nil {
			return out, err
		}
		out = append(out, r)
	}
	return out, nil
}
