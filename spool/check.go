package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"kassad/fiscal"
)

// Fault is one thing that is wrong with a store.
type Fault struct {
	Bucket string
	Key    string // printable
	Text   string
}

func (f Fault) String() string { return f.Bucket + " " + f.Key + ": " + f.Text }

// faultsMax bounds the list: one torn page can spoil thousands of values.
const faultsMax = 1000

// Check walks everything in a store that no daemon has open. It changes
// nothing. The error tells that the file cannot be walked at all.
func Check(path string) ([]Fault, error) {
	db, err := openBolt(path, Options{}, true)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", path, err)
	}
	faults, err := checkDB(db)
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return faults, err
}

// Check walks everything while the spool works; writers go on meanwhile.
func (s *Spool) Check() ([]Fault, error) {
	if err := s.poison(); err != nil {
		return nil, err
	}
	return checkDB(s.db)
}

func checkDB(db *bolt.DB) ([]Fault, error) {
	c := checker{}
	err := guarded(func() error {
		return db.View(func(b *bolt.Tx) error {
			for err := range b.Check() {
				c.add("file", nil, "%v", err)
			}
			if len(c.faults) > 0 {
				return nil // pages that overlap or are missing make the rest guesswork
			}
			return c.walk(&Tx{b: b, s: &Spool{}})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return c.faults, nil
}

type checker struct {
	tx     *Tx
	faults []Fault
}

func (c *checker) add(bucket string, key []byte, format string, args ...any) {
	if len(c.faults) < faultsMax {
		c.faults = append(c.faults, Fault{bucket, fmt.Sprintf("%q", key), fmt.Sprintf(format, args...)})
	}
}

// walk checks each bucket against the others. Each index is walked from its own
// side and found from the side of what it indexes.
func (c *checker) walk(tx *Tx) error {
	c.tx = tx
	for _, name := range buckets() {
		if tx.bucket(name) == nil && name != bucketReports { // a file that this version has not opened yet
			c.add(name, nil, "the bucket is missing")
		}
	}
	if len(c.faults) > 0 {
		return nil
	}
	c.each(bucketValues, c.value)
	c.each(bucketRecords, c.record)
	c.each(bucketIDs, c.id)
	c.each(bucketTombs, c.tomb)
	c.each(bucketQueue, c.queue)
	c.each(bucketFinals, c.final)
	c.each(bucketOutbox, c.message)
	c.each(bucketLinks, c.link)
	c.documents()
	c.keys()
	c.each(bucketCash, c.cash)
	if tx.bucket(bucketReports) != nil {
		c.each(bucketReports, c.report)
	}
	return nil
}

func (c *checker) each(bucket string, check func(k, v []byte)) {
	cur := c.tx.bucket(bucket).Cursor()
	for k, v := cur.First(); k != nil; k, v = cur.Next() {
		check(k, v)
	}
}

func (c *checker) value(k, v []byte) {
	if _, _, err := open(bucketValues, k, v); err != nil {
		c.add(bucketValues, k, "%v", err)
	}
}

func (c *checker) record(k, v []byte) {
	r, err := readRecord(k, v)
	if err != nil {
		c.add(bucketRecords, k, "%v", err)
		return
	}
	if r.Seq > c.tx.bucket(bucketRecords).Sequence() {
		c.add(bucketRecords, k, "its seq was never given out")
	}
	if seq, _, _ := c.tx.lookup(r.ID); seq != r.Seq {
		c.add(bucketRecords, k, "id %s leads to %d", r.ID, seq)
	}
	queued := c.tx.bucket(bucketQueue).Get(namedNumber(r.Device, r.Seq))
	final := c.tx.bucket(bucketFinals).Get(namedNumber(r.Terminal, r.FinalSeq))
	switch {
	case r.State.Final() && queued != nil:
		c.add(bucketRecords, k, "%s and in the queue", r.State)
	case r.State.Final() && !bytes.Equal(final, finalValue(&r)):
		c.add(bucketRecords, k, "final number %d is missing", r.FinalSeq)
	case !r.State.Final() && !bytes.Equal(queued, []byte{stateLetter(r.State)}):
		c.add(bucketRecords, k, "%s, the queue has %q", r.State, queued)
	}
	c.recordDocument(k, &r)
}

// recordDocument: the entry names the record back, so that no two records can
// share one document.
func (c *checker) recordDocument(k []byte, r *fiscal.Record) {
	if cash, ok := cashOf(r); ok && c.tx.bucket(bucketCash).Get(cashKey(&cash)) == nil {
		c.add(bucketRecords, k, "its cash entry is missing")
	}
	want, ok := EntryOf(r)
	if !ok {
		return
	}
	e, ok, err := c.tx.Document(want.FN, want.FD)
	switch {
	case err != nil: // told by documents
	case !ok:
		c.add(bucketRecords, k, "its document %s/%d is missing", want.FN, want.FD)
	case e.RecordID != r.ID:
		c.add(bucketRecords, k, "its document %s/%d belongs to %q", want.FN, want.FD, e.RecordID)
	}
}

func (c *checker) id(k, v []byte) {
	seq, nanos, ok := c.tx.lookup(string(k))
	if !ok {
		c.add(bucketIDs, k, "bad value %x", v)
		return
	}
	if seq == 0 {
		if c.tx.bucket(bucketTombs).Get(tombKey(nanos, string(k))) == nil {
			c.add(bucketIDs, k, "its tombstone is missing")
		}
		return
	}
	r, ok, err := c.tx.Record(seq)
	if err == nil && (!ok || r.ID != string(k)) {
		c.add(bucketIDs, k, "record %d has id %q", seq, r.ID)
	}
}

func (c *checker) tomb(k, _ []byte) {
	if len(k) < 8 {
		c.add(bucketTombs, k, "bad key")
		return
	}
	seq, nanos, ok := c.tx.lookup(string(k[8:]))
	if !ok || seq != 0 || uint64(nanos) != binary.BigEndian.Uint64(k) {
		c.add(bucketTombs, k, "the id leads elsewhere")
	}
}

func (c *checker) queue(k, v []byte) {
	r, ok, err := c.tx.Record(tailNumber(k))
	switch {
	case err != nil: // told by record
	case !ok || !bytes.Equal(k, namedNumber(r.Device, r.Seq)):
		c.add(bucketQueue, k, "leads to no record")
	case len(v) != 1 || stateLetter(r.State) != v[0]:
		c.add(bucketQueue, k, "has %q, the record is %s", v, r.State)
	}
}

func (c *checker) final(k, v []byte) {
	if len(v) != 16 {
		c.add(bucketFinals, k, "bad value %x", v)
		return
	}
	r, ok, err := c.tx.Record(binary.BigEndian.Uint64(v))
	if err == nil && (!ok || !bytes.Equal(k, namedNumber(r.Terminal, r.FinalSeq))) {
		c.add(bucketFinals, k, "leads to no record")
	}
}

func (c *checker) message(k, v []byte) {
	m, err := readMessage(k, v)
	if err != nil {
		c.add(bucketOutbox, k, "%v", err)
		return
	}
	if no, ok := c.tx.knownLink(m.Link); !ok || uint64(no) != m.ID&linkMax {
		c.add(bucketOutbox, k, "link %q has number %d", m.Link, no)
	}
	if m.ID>>linkBits > c.tx.bucket(bucketOutbox).Sequence() {
		c.add(bucketOutbox, k, "its number was never given out")
	}
}

func (c *checker) link(k, v []byte) {
	if len(v) != 2 {
		c.add(bucketLinks, k, "bad value %x", v)
	}
}

// documents go in the order of FN and FD: within a storage, shifts only grow.
func (c *checker) documents() {
	fn, shift := "", uint32(0)
	c.each(bucketDocuments, func(k, v []byte) {
		e, err := readEntry(k, v)
		if err != nil {
			c.add(bucketDocuments, k, "%v", err)
			return
		}
		if e.FN != fn {
			fn, shift = e.FN, 0
		}
		if e.Shift != 0 && e.Shift < shift {
			c.add(bucketDocuments, k, "shift %d after shift %d", e.Shift, shift)
		}
		shift = max(shift, e.Shift)
		if e.Key != "" && c.tx.bucket(bucketKeys).Get(documentKeyKey(&e)) == nil {
			c.add(bucketDocuments, k, "its key %s is not indexed", e.Key)
		}
		c.documentRecord(k, &e)
	})
}

// documentRecord: a record that a document names, if it is still kept, names
// the document.
func (c *checker) documentRecord(k []byte, e *Entry) {
	if e.RecordID == "" {
		return
	}
	r, ok, err := c.tx.ByID(e.RecordID)
	if err != nil || !ok || settled(&r) {
		return
	}
	if r.Receipt == nil || r.Receipt.Storage != e.FN || r.Receipt.FD != e.FD {
		c.add(bucketDocuments, k, "record %s has another document", e.RecordID)
	}
}

// keys go in the order of key and FN: a key twice on one FN is two documents of
// one command.
func (c *checker) keys() {
	var last []byte
	c.each(bucketKeys, func(k, _ []byte) {
		key := upToZero(k)
		fn, fd := "", uint32(0)
		if len(k) > len(key) {
			fn, fd = splitDocument(k[len(key)+1:])
		}
		e, ok, err := c.tx.Document(fn, fd)
		if err == nil && (!ok || e.Key != key) {
			c.add(bucketKeys, k, "leads to no document")
		}
		if len(last) > 4 && len(k) > 4 && bytes.Equal(last[:len(last)-4], k[:len(k)-4]) {
			c.add(bucketKeys, k, "one key on two documents of %s: %d and %d", fn, binary.BigEndian.Uint32(last[len(last)-4:]), fd)
		}
		last = bytes.Clone(k)
	})
}

func (c *checker) report(k, v []byte) {
	r, err := readReport(k, v)
	switch {
	case err != nil:
		c.add(bucketReports, k, "%v", err)
	case !bytes.Equal(k, reportKey(r.At, tailNumber(k))):
		c.add(bucketReports, k, "its time is %s", r.At)
	case tailNumber(k) > c.tx.bucket(bucketReports).Sequence():
		c.add(bucketReports, k, "its number was never given out")
	}
}

func (c *checker) cash(k, v []byte) {
	if _, err := readCash(k, v); err != nil {
		c.add(bucketCash, k, "%v", err)
	}
}
