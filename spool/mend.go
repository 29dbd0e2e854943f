package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"

	bolt "go.etcd.io/bbolt"

	"kassad/fiscal"
)

// salvage brings in frames that do not follow the state of the index. They hold
// whole values, so each is as good as it was; what is between them is missing.
func (s *Spool) salvage(frames []frameRef) error {
	for _, f := range frames {
		if err := s.replayGroup([]frameRef{f}); err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
	}
	return nil
}

// mend makes an index that may have gaps one that Check has nothing to say
// against: what cannot be read is dropped, and what is derived is derived anew.
func (s *Spool) mend() error {
	for {
		faults, err := checkDB(s.db, nil)
		if err != nil {
			return err
		}
		if damageIn(faults) == nil {
			return nil
		}
		s.recovery.Lost = true
		changed := false
		err = s.disk.Commit(s.at, func() error {
			return guarded(func() error {
				return s.db.Update(func(b *bolt.Tx) error {
					m := mender{tx: &Tx{s: s, b: b}}
					err := m.all()
					changed = len(m.tx.ops) > 0
					return err
				})
			})
		})
		if err != nil || !changed {
			return err
		}
		s.clean = false
	}
}

type mender struct{ tx *Tx }

// all mends in an order in which nothing is derived from what is still broken.
func (m *mender) all() error {
	return errors.Join(m.drop(), m.records(), m.tombs(), m.documents(), m.numbers())
}

// keep deletes the entries of a bucket that are not good.
func (m *mender) keep(bucket string, good func(k, v []byte) bool) error {
	var bad [][]byte
	c := m.tx.bucket(bucket).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if !good(k, v) {
			bad = append(bad, bytes.Clone(k))
		}
	}
	for _, k := range bad {
		if err := m.tx.delete(bucket, k); err != nil {
			return err
		}
	}
	return nil
}

// drop forgets what cannot be read.
func (m *mender) drop() error {
	read := func(read func(k, v []byte) error) func(k, v []byte) bool {
		return func(k, v []byte) bool { return read(k, v) == nil }
	}
	return errors.Join(
		m.keep(bucketValues, read(func(k, v []byte) error { _, _, err := open(bucketValues, k, v); return err })),
		m.keep(bucketRecords, read(func(k, v []byte) error { _, err := readRecord(k, v); return err })),
		m.keep(bucketDocuments, read(func(k, v []byte) error { _, err := readEntry(k, v); return err })),
		m.keep(bucketCash, read(func(k, v []byte) error { _, err := readCash(k, v); return err })),
		m.keep(bucketLinks, func(_, v []byte) bool { return len(v) == 2 }),
		m.keep(bucketOutbox, func(k, v []byte) bool {
			msg, err := readMessage(k, v)
			no, ok := m.tx.knownLink(msg.Link)
			return err == nil && ok && uint64(no) == msg.ID&linkMax
		}),
		m.keep(bucketReports, func(k, v []byte) bool {
			r, err := readReport(k, v)
			return err == nil && bytes.Equal(k, reportKey(r.At, tailNumber(k)))
		}),
	)
}

// records makes ids, queue and finals of the records anew. Of two records of
// one id the younger is kept.
func (m *mender) records() error {
	tx := m.tx
	gone := func(_, _ []byte) bool { return false }
	err := errors.Join(
		m.keep(bucketIDs, func(_, v []byte) bool { return len(v) == 16 }), // tombstones
		m.keep(bucketQueue, gone), m.keep(bucketFinals, gone),
	)
	var all []fiscal.Record
	c := tx.bucket(bucketRecords).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if r, rerr := readRecord(k, v); rerr == nil {
			all = append(all, r)
		}
	}
	last := map[string]uint64{}
	for _, r := range all {
		last[r.ID] = r.Seq
	}
	for _, r := range all {
		if last[r.ID] != r.Seq {
			err = errors.Join(err, tx.delete(bucketRecords, number(r.Seq)))
			continue
		}
		err = errors.Join(err, m.record(&r))
	}
	return err
}

func (m *mender) record(r *fiscal.Record) error {
	tx := m.tx
	err := tx.put(bucketIDs, []byte(r.ID), number(r.Seq))
	if r.State.Final() {
		err = errors.Join(err, tx.put(bucketFinals, namedNumber(r.Terminal, r.FinalSeq), finalValue(r)))
	} else {
		err = errors.Join(err, tx.enqueue(r))
	}
	if cash, ok := cashOf(r); ok && tx.bucket(bucketCash).Get(cashKey(&cash)) == nil {
		err = errors.Join(err, tx.PutCash(cash))
	}
	want, ok := EntryOf(r)
	if !ok {
		return err
	}
	if _, found, derr := tx.Document(want.FN, want.FD); derr != nil || !found {
		err = errors.Join(err, tx.PutDocument(want))
	}
	return err
}

// tombs keeps the tombstones that both sides know.
func (m *mender) tombs() error {
	tx := m.tx
	err := m.keep(bucketTombs, func(k, _ []byte) bool {
		if len(k) < 8 {
			return false
		}
		seq, nanos, ok := tx.lookup(string(k[8:]))
		return ok && seq == 0 && uint64(nanos) == binary.BigEndian.Uint64(k)
	})
	return errors.Join(err, m.keep(bucketIDs, func(k, _ []byte) bool {
		seq, nanos, ok := tx.lookup(string(k))
		return ok && (seq != 0 || tx.bucket(bucketTombs).Get(tombKey(nanos, string(k))) != nil)
	}))
}

// documents makes their keys anew.
func (m *mender) documents() error {
	err := m.keep(bucketKeys, func(_, _ []byte) bool { return false })
	c := m.tx.bucket(bucketDocuments).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if e, rerr := readEntry(k, v); rerr == nil && e.Key != "" {
			err = errors.Join(err, m.tx.put(bucketKeys, documentKeyKey(&e), nil))
		}
	}
	return err
}

// numbers raises those that buckets give out above all that were given.
func (m *mender) numbers() error {
	highest := map[string]uint64{}
	for bucket, of := range map[string]func(k, v []byte) uint64{
		bucketRecords: func(k, _ []byte) uint64 { return tailNumber(k) },
		bucketFinals:  func(k, _ []byte) uint64 { return tailNumber(k) },
		bucketOutbox:  func(k, _ []byte) uint64 { return tailNumber(k) >> linkBits },
		bucketReports: func(k, _ []byte) uint64 { return tailNumber(k) },
		bucketLinks: func(_, v []byte) uint64 {
			if len(v) != 2 {
				return 0
			}
			return uint64(binary.BigEndian.Uint16(v))
		},
	} {
		c := m.tx.bucket(bucket).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			highest[bucket] = max(highest[bucket], of(k, v))
		}
	}
	var err error
	for bucket, n := range highest {
		if b := m.tx.bucket(bucket); b.Sequence() < n {
			err = errors.Join(err, b.SetSequence(n))
			m.tx.ops = append(m.tx.ops, op{kind: opSequence, bucket: bucket, sequence: n})
		}
	}
	return err
}

// fromPieces makes an index of all entries that can still be found in the copy
// and in the damaged index, the later over the earlier.
func (h *healer) fromPieces() error {
	s := h.s
	pieces := newPieces()
	pieces.read(s.path+suffixCopy, nil)
	cp, _, _ := h.checkpoint()
	pieces.read(s.path, cp.image)
	if pieces.n == 0 {
		return ErrDamaged
	}
	if err := h.fromNothing(); err != nil {
		return err
	}
	for bucket, entries := range pieces.entries {
		err := s.disk.Commit(s.at, func() error {
			return guarded(func() error {
				return s.db.Update(func(b *bolt.Tx) error {
					to := b.Bucket([]byte(bucket))
					for k, v := range entries {
						if err := to.Put([]byte(k), v); err != nil {
							return err
						}
					}
					return to.SetSequence(pieces.sequences[bucket])
				})
			})
		})
		if err != nil {
			return err
		}
	}
	return s.disk.Commit(s.at, func() error {
		return s.db.Update(func(b *bolt.Tx) error { return b.Bucket([]byte(bucketMeta)).SetSequence(pieces.sequences[bucketMeta]) })
	})
}

// pieces are the entries of damaged indexes.
type pieces struct {
	n         int
	entries   map[string]map[string][]byte
	sequences map[string]uint64
}

func newPieces() *pieces {
	p := &pieces{entries: map[string]map[string][]byte{}, sequences: map[string]uint64{}}
	for _, name := range buckets() {
		if name != bucketMeta {
			p.entries[name] = map[string][]byte{}
		}
	}
	return p
}

// read takes what a file still holds; image is a root to use if it has none.
func (p *pieces) read(path string, image []byte) {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return
	}
	defer f.Close()
	metas := readMetas(f)
	if m, ok := readMeta(image); ok {
		metas = append(metas, m)
	}
	for i := len(metas) - 1; i >= 0; i-- { // the newest over the others
		pg := pieceReader{pages{f: f, m: metas[i]}, map[uint64]bool{}}
		pg.each(metas[i].root, 0, func(e element) {
			if known := p.entries[string(e.key)]; e.bucket && len(e.value) >= 16 && (known != nil || string(e.key) == bucketMeta) {
				p.bucket(&pg, string(e.key), e.value)
			}
		})
	}
}

func (p *pieces) bucket(pg *pieceReader, name string, value []byte) {
	p.sequences[name] = max(p.sequences[name], native.Uint64(value[8:]))
	take := func(e element) {
		if to := p.entries[name]; to != nil && !e.bucket && len(e.key) > 0 {
			to[string(e.key)] = bytes.Clone(e.value)
			p.n++
		}
	}
	if root := native.Uint64(value); root != 0 {
		pg.each(root, 0, take)
		return
	}
	els, _ := pg.inlineElements(value[16:]) // what can be read
	for _, e := range els {
		take(e)
	}
}

// pieceReader goes to each page once, wherever damaged ones lead.
type pieceReader struct {
	pages
	seen map[uint64]bool
}

// each calls take for every entry below a page that can be read.
func (p *pieceReader) each(id uint64, depth int, take func(element)) {
	if p.seen[id] {
		return
	}
	p.seen[id] = true
	pg, err := p.read(id)
	if err != nil || depth > depthMax || pg.flags != flagBranch && pg.flags != flagLeaf {
		return
	}
	els, err := p.elements(pg)
	if err != nil {
		return
	}
	for _, e := range els {
		if pg.flags == flagBranch {
			p.each(e.child, depth+1, take)
		} else {
			take(e)
		}
	}
}
