package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"kassad/fiscal"
)

// Entry is a document that a fiscal storage is known to hold, ours or not.
type Entry struct {
	FN         string
	FD         uint32
	Sign       uint32
	Form       uint8       // fiscal.Form…
	Kind       fiscal.Kind // receipts and corrections
	Correction bool
	Total      fiscal.Money
	Payments   fiscal.Payments
	VAT        map[fiscal.VAT]VATSum
	Shift      uint32
	Receipt    uint32    // number in the shift
	At         time.Time // the device's wall clock, as UTC
	Key        string    // ours, if the document carries one
	RecordID   string    // the command that made it
	Foreign    bool      // somebody else made it
}

// VATSum are the turnover at one rate and the tax inside it.
type VATSum struct {
	Base fiscal.Money
	Tax  fiscal.Money
}

func codeEntry(c *coder, e *Entry) {
	str(c, &e.FN)
	num(c, &e.FD)
	num(c, &e.Sign)
	num(c, &e.Form)
	num(c, &e.Kind)
	c.bool(&e.Correction)
	num(c, &e.Total)
	codePayments(c, &e.Payments)
	table(c, &e.VAT, num, func(c *coder, s *VATSum) {
		num(c, &s.Base)
		num(c, &s.Tax)
	})
	num(c, &e.Shift)
	num(c, &e.Receipt)
	c.time(&e.At)
	str(c, &e.Key)
	str(c, &e.RecordID)
	c.bool(&e.Foreign)
}

// EntryOf is the document that a done record made; false if it made none.
func EntryOf(r *fiscal.Record) (Entry, bool) {
	if !makesDocument(r) {
		return Entry{}, false
	}
	d, got := &r.Document, r.Receipt
	e := Entry{
		FN: got.Storage, FD: got.FD, Sign: got.Sign, Form: fiscal.FormReceipt, Kind: d.Kind, Total: got.Total,
		Shift: got.Shift, Receipt: got.Number, At: got.At, Key: got.Key, RecordID: r.ID,
	}
	switch r.Verb {
	case fiscal.VerbShiftOpen:
		e.Form = fiscal.FormShiftOpen
	case fiscal.VerbShiftClose:
		e.Form = fiscal.FormShiftClose
	case fiscal.VerbCorrection:
		e.Form, e.Correction = fiscal.FormCorrection, true
	}
	if r.Verb.Receipt() {
		e.Payments, e.VAT = d.Payments, vatSums(d)
		if e.Kind == 0 {
			e.Kind = r.Verb.Kind()
		}
	}
	return e, true
}

// makesDocument tells whether r ended in a fiscal document of its own.
func makesDocument(r *fiscal.Record) bool {
	return r.State == fiscal.Done && r.Verb.Class() == fiscal.ClassFiscal && !settled(r) &&
		r.Receipt != nil && r.Receipt.By == "" && r.Receipt.FD != 0 && r.Receipt.Storage != ""
}

// settled tells whether a person, not a register, made the command done.
func settled(r *fiscal.Record) bool {
	return r.Resolved != nil && (r.Resolved.Action == fiscal.ResolveDoneElsewhere || r.Resolved.Action == fiscal.ResolveAsCorrection)
}

func vatSums(d *fiscal.Document) map[fiscal.VAT]VATSum {
	sums := map[fiscal.VAT]VATSum{}
	if len(d.Lines) == 0 {
		for rate, m := range d.TaxByRate() {
			if rate == fiscal.VAT0 || rate == fiscal.VATNone {
				sums[rate] = VATSum{Base: m}
			} else {
				sums[rate] = VATSum{Tax: m}
			}
		}
		return sums
	}
	for _, l := range d.Lines {
		s := sums[l.VAT]
		s.Base, s.Tax = s.Base+l.Sum, s.Tax+l.Tax
		sums[l.VAT] = s
	}
	return sums
}

// claim stores what a done record made: its fiscal document, or its cash entry.
func (tx *Tx) claim(r *fiscal.Record) error {
	if c, ok := cashOf(r); ok {
		return tx.PutCash(c)
	}
	e, ok := EntryOf(r)
	if !ok {
		return nil
	}
	old, known, err := tx.Document(e.FN, e.FD)
	if err != nil {
		return err
	}
	if known && old.RecordID == e.RecordID {
		return nil // what is known may be more than the record says
	}
	return tx.PutDocument(e)
}

// PutDocument stores a document of a fiscal storage. A known one may be told of
// again with more detail, and a foreign one may turn out to be ours. It fails
// with ErrTaken if the number belongs to another record or has another sign.
//
// One key on two documents is stored as it is: that is what happened, and Check
// names it.
func (tx *Tx) PutDocument(e Entry) error {
	if e.FN == "" || !validName(e.FN) || e.FD == 0 || !validName(e.Key) || e.Foreign && e.RecordID != "" {
		return fmt.Errorf("put document: %w: %+v", ErrInvalid, e)
	}
	old, known, err := tx.Document(e.FN, e.FD)
	if err != nil {
		return err
	}
	if known {
		if err := follows(&old, &e); err != nil {
			return fmt.Errorf("put document %s/%d: %w", e.FN, e.FD, err)
		}
		if old.Key != "" && old.Key != e.Key {
			if err := tx.delete(bucketKeys, documentKeyKey(&old)); err != nil {
				return err
			}
		}
	}
	if e.Key != "" && (!known || old.Key != e.Key) {
		if err := tx.put(bucketKeys, documentKeyKey(&e), []byte{}); err != nil {
			return err
		}
	}
	key := namedNumber32(e.FN, e.FD)
	return tx.put(bucketDocuments, key, seal(bucketDocuments, key, encode(&e, codeEntry)))
}

// follows tells whether e may replace what is known of the same document, and
// keeps what only old knows.
func follows(old, e *Entry) error {
	switch {
	case old.RecordID != "" && e.RecordID != "" && old.RecordID != e.RecordID:
		return fmt.Errorf("%w: by %s, now %s", ErrTaken, old.RecordID, e.RecordID)
	case old.Sign != 0 && e.Sign != 0 && old.Sign != e.Sign:
		return fmt.Errorf("%w: sign %d, now %d", ErrTaken, old.Sign, e.Sign)
	case old.RecordID != "" && e.RecordID == "":
		if e.Foreign {
			return fmt.Errorf("%w: by %s, now foreign", ErrTaken, old.RecordID)
		}
		e.RecordID = old.RecordID
	}
	if e.Sign == 0 {
		e.Sign = old.Sign
	}
	if e.Key == "" {
		e.Key = old.Key
	}
	return nil
}

func documentKeyKey(e *Entry) []byte {
	return append(named(e.Key), namedNumber32(e.FN, e.FD)...)
}

// Document reads what is known of a document.
func (tx *Tx) Document(fn string, fd uint32) (Entry, bool, error) {
	key := namedNumber32(fn, fd)
	framed := tx.bucket(bucketDocuments).Get(key)
	if framed == nil {
		return Entry{}, false, nil
	}
	e, err := readEntry(key, framed)
	return e, err == nil, err
}

func readEntry(key, framed []byte) (Entry, error) {
	body, version, err := open(bucketDocuments, key, framed)
	if err != nil {
		return Entry{}, err
	}
	e, err := decode(body, version, codeEntry)
	if err != nil {
		return Entry{}, fmt.Errorf("read document %q: %w", key, err)
	}
	if !bytes.Equal(namedNumber32(e.FN, e.FD), key) {
		return Entry{}, fmt.Errorf("read document %q: %w: it is %s/%d", key, ErrDamaged, e.FN, e.FD)
	}
	return e, nil
}

// DocumentByKey reads the document that carries one of our keys.
func (tx *Tx) DocumentByKey(key string) (Entry, bool, error) {
	prefix := named(key)
	k, _ := tx.bucket(bucketKeys).Cursor().Seek(prefix)
	if !bytes.HasPrefix(k, prefix) {
		return Entry{}, false, nil
	}
	fn, fd := splitDocument(k[len(prefix):])
	e, ok, err := tx.Document(fn, fd)
	if err == nil && !ok {
		err = fmt.Errorf("read key %s: %w: document %s/%d is gone", key, ErrDamaged, fn, fd)
	}
	return e, ok, err
}

// splitDocument takes a key of the documents bucket apart.
func splitDocument(key []byte) (fn string, fd uint32) {
	if len(key) < 5 {
		return "", 0
	}
	return string(key[:len(key)-5]), binary.BigEndian.Uint32(key[len(key)-4:])
}

// Storages lists the fiscal storages of which a document is known.
func (tx *Tx) Storages() []string { return tx.names(bucketDocuments) }

// LastFD is the highest document number known of a storage, or 0.
func (tx *Tx) LastFD(fn string) (uint32, error) {
	k, _ := tx.lastOf(bucketDocuments, fn)
	_, fd := splitDocument(k)
	return fd, nil
}

// Documents lists the known documents of a storage with from <= FD <= to.
func (tx *Tx) Documents(fn string, from, to uint32) ([]Entry, error) {
	var out []Entry
	err := tx.eachDocument(fn, from, func(e Entry) bool {
		if e.FD > to {
			return false
		}
		out = append(out, e)
		return true
	})
	return out, err
}

// eachDocument walks a storage from an FD on, until each says stop.
func (tx *Tx) eachDocument(fn string, from uint32, each func(Entry) bool) error {
	prefix := named(fn)
	c := tx.bucket(bucketDocuments).Cursor()
	for k, v := c.Seek(namedNumber32(fn, from)); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		e, err := readEntry(k, v)
		if err != nil {
			return err
		}
		if !each(e) {
			return nil
		}
	}
	return nil
}
