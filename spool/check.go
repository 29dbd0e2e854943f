package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"kassad/fiscal"
	"kassad/owner"
)

// Fault is one thing that is wrong with a store.
type Fault struct {
	Bucket string
	Key    string // printable
	Text   string
	// Fact is not damage: the store was told so, of two documents of one
	// command for example.
	Fact bool
}

func (f Fault) String() string { return f.Bucket + " " + f.Key + ": " + f.Text }

// faultsMax bounds the list: one torn page can spoil thousands of values.
const faultsMax = 1000

// Check walks everything in a store that no daemon has open. It changes
// nothing. The error tells that the file cannot be walked at all.
func Check(path string) ([]Fault, error) {
	if lock, err := lockStore(path, lockWaitDefault, os.O_RDWR); err == nil {
		defer lock.Release()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("check %s: %w", path, err)
	}
	check := checkFile
	if !closed(path) {
		check = checkRecovered
	}
	faults, err := check(path, nil)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", path, err)
	}
	return faults, nil
}

// closed tells that the index needs nothing of the log.
func closed(path string) bool {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return true // there is nothing to recover, or the check tells why
	}
	defer f.Close()
	metas := readMetas(f)
	if len(metas) == 0 {
		return true
	}
	p := pages{f: f, m: metas[0]}
	st, ok := p.standing()
	return ok && (st.closed || st.format == formatAlone)
}

// checkRecovered checks what the next start would make of a store that was not
// closed, in a copy of it.
func checkRecovered(path string, breathe func() error) (faults []Fault, err error) {
	dir, err := os.MkdirTemp("", "kassad-check-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	files, err := segments(path)
	if err != nil {
		return nil, err
	}
	names := []string{path, path + suffixCopy}
	for _, seg := range files {
		names = append(names, seg.name)
	}
	for _, name := range names {
		if err := copyFile(name, filepath.Join(dir, filepath.Base(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	at := filepath.Join(dir, filepath.Base(path))
	s, err := Open(at, Options{})
	if err != nil {
		return nil, err
	}
	if why := s.Recovery().Why; why != "" {
		faults = append(faults, Fault{Bucket: "file", Key: `""`, Text: why})
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	more, err := checkFile(at, breathe)
	return append(faults, more...), err
}

func copyFile(from, to string) error {
	in, err := openFile(from, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	owner.Inherit(out)
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// checkFile checks an index that nobody writes, in its newest state.
func checkFile(path string, breathe func() error) ([]Fault, error) {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	metas := readMetas(f)
	if len(metas) == 0 {
		return nil, fmt.Errorf("%w: the index has no root", ErrDamaged)
	}
	if faults, err := checkPages(f, metas[0], breathe); err != nil || len(faults) > 0 {
		return faults, err
	}
	db, _, err := openBolt(path, lockWaitDefault, 0, true)
	if err != nil {
		return nil, err
	}
	faults, err := checkDB(db, breathe)
	return faults, errors.Join(err, db.Close())
}

// checkPages checks the pages of one state. Pages that make no sense make all
// the rest guesswork, so the first of them is the only fault.
func checkPages(f *os.File, m meta, breathe func() error) ([]Fault, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < m.bytes() {
		return nil, fmt.Errorf("%w: %d bytes of %d are left", ErrDamaged, info.Size(), m.bytes())
	}
	p := pages{f: f, m: m}
	if err := p.structure(breathe); errors.Is(err, ErrDamaged) {
		return []Fault{{Bucket: "file", Key: `""`, Text: err.Error()}}, nil
	} else if err != nil {
		return nil, err
	}
	return nil, nil
}

// Check walks everything while the spool works; writers go on meanwhile.
func (s *Spool) Check() ([]Fault, error) { return s.check(nil) }

func (s *Spool) check(breathe func() error) (faults []Fault, err error) {
	f, err := openFile(s.path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		found := false
		err := s.read(func(b *bolt.Tx) error {
			// The root of this state is overwritten by the second commit from now.
			for _, m := range readMetas(f) {
				if m.txid != uint64(b.ID()) {
					continue
				}
				found = true
				if faults, err = checkPages(f, m, breathe); err == nil && len(faults) == 0 {
					c := checker{breathe: breathe}
					err = c.walk(&Tx{b: b, s: &Spool{}})
					faults = c.faults
				}
			}
			return err
		})
		if err != nil || found {
			return faults, err
		}
	}
}

func checkDB(db *bolt.DB, breathe func() error) ([]Fault, error) {
	c := checker{breathe: breathe}
	err := guarded(func() error {
		return db.View(func(b *bolt.Tx) error { return c.walk(&Tx{b: b, s: &Spool{}}) })
	})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return c.faults, nil
}

type checker struct {
	tx      *Tx
	faults  []Fault
	breathe func() error // called between entries; nil: never
	stopped error        // by breathe
}

func (c *checker) add(bucket string, key []byte, format string, args ...any) {
	if len(c.faults) < faultsMax {
		c.faults = append(c.faults, Fault{Bucket: bucket, Key: fmt.Sprintf("%q", key), Text: fmt.Sprintf(format, args...)})
	}
}

// fact adds what the store was told, and a person should know.
func (c *checker) fact(bucket string, key []byte, format string, args ...any) {
	before := len(c.faults)
	if c.add(bucket, key, format, args...); len(c.faults) > before {
		c.faults[before].Fact = true
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
	return c.stopped
}

func (c *checker) each(bucket string, check func(k, v []byte)) {
	cur := c.tx.bucket(bucket).Cursor()
	for k, v := cur.First(); k != nil; k, v = cur.Next() {
		if c.breathe != nil && c.stopped == nil {
			c.stopped = c.breathe()
		}
		if c.stopped != nil {
			return
		}
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
		c.fact(bucketRecords, k, "its document %s/%d belongs to %q", want.FN, want.FD, e.RecordID)
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
			c.fact(bucketDocuments, k, "shift %d after shift %d", e.Shift, shift)
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
		c.fact(bucketDocuments, k, "record %s has another document", e.RecordID)
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
			c.fact(bucketKeys, k, "one key on two documents of %s: %d and %d", fn, binary.BigEndian.Uint32(last[len(last)-4:]), fd)
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
