package spool

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"kassad/fiscal"
)

// Acceptance is what became of a command that arrived.
type Acceptance uint8

// Acceptances.
const (
	New        Acceptance = iota + 1 // stored, with its place in the queue
	Duplicate                        // the id is known: the stored record answers
	Conflict                         // the id is known with another content
	Tombstoned                       // cancelled before it was seen: stored as Cancelled
	Busy                             // the queue of the device is full; nothing is stored
)

func (a Acceptance) String() string {
	return [...]string{"none", "new", "duplicate", "conflict", "tombstoned", "busy"}[a]
}

// QueueMax is how many records that are not final a device may have.
const QueueMax = 1000

// Accept binds the id of r. The record it returns is the one on disk: for a
// Duplicate or Conflict the older one, for Busy r itself. A repeat by another
// link is noted in the stored record, so that the answer goes there too.
func (tx *Tx) Accept(r fiscal.Record) (fiscal.Record, Acceptance, error) {
	if r.State == "" {
		r.State = fiscal.Accepted
	}
	if r.State != fiscal.Accepted || r.Seq != 0 {
		return r, 0, fmt.Errorf("accept %s: %w: state %q, seq %d", r.ID, ErrInvalid, r.State, r.Seq)
	}
	if err := valid(&r); err != nil {
		return r, 0, fmt.Errorf("accept %s: %w", r.ID, err)
	}
	seq, cancelledAt, found := tx.lookup(r.ID)
	if found && seq != 0 {
		return tx.repeated(seq, r)
	}
	if !found && r.Terminal != "" && tx.queued(r.Device) >= QueueMax { // an automatic document may be what the queue waits for
		return r, Busy, nil
	}
	tx.accepts = true
	var err error
	if r.Seq, err = tx.next(bucketRecords); err != nil {
		return r, 0, err
	}
	how := New
	if found {
		how = Tombstoned
		r.State, r.FinalAt = fiscal.Cancelled, r.AcceptedAt
		if err := tx.delete(bucketTombs, tombKey(cancelledAt, r.ID)); err != nil {
			return r, 0, err
		}
		if err := tx.finish(&r); err != nil {
			return r, 0, err
		}
	} else if err := tx.enqueue(&r); err != nil {
		return r, 0, err
	}
	if err := tx.put(bucketIDs, []byte(r.ID), number(r.Seq)); err != nil {
		return r, 0, err
	}
	return r, how, tx.store(&r)
}

// repeated answers an id that has a record.
func (tx *Tx) repeated(seq uint64, r fiscal.Record) (fiscal.Record, Acceptance, error) {
	old, ok, err := tx.Record(seq)
	if err != nil {
		return r, 0, err
	}
	if !ok {
		return r, 0, fmt.Errorf("accept %s: %w: record %d is gone", r.ID, ErrDamaged, seq)
	}
	if old.Hash != r.Hash {
		return old, Conflict, nil
	}
	links := union(old.Links, r.Links)
	if len(links) == len(old.Links) {
		return old, Duplicate, nil
	}
	old.Links = links
	return old, Duplicate, tx.store(&old)
}

// Put stores the next state of a record. Links that were added meanwhile stay,
// and N never falls. When the record becomes final it leaves the queue and gets
// its FinalSeq; if it made a fiscal document, the document is stored with it.
//
// A change that no command may go through panics: it leaves a final state,
// changes what the id stands for, or has no record on disk.
func (tx *Tx) Put(r fiscal.Record) error {
	old, ok, err := tx.Record(r.Seq)
	if err != nil {
		return err
	}
	if !ok {
		panic(fmt.Sprintf("spool: put: no record %d (%s)", r.Seq, r.ID))
	}
	assertFollows(&old, &r)
	if err := valid(&r); err != nil {
		return fmt.Errorf("put record %d: %w", r.Seq, err)
	}
	r.Links, r.N = union(old.Links, r.Links), max(old.N, r.N)
	switch {
	case old.State.Final():
		r.FinalSeq, r.FinalAt = old.FinalSeq, old.FinalAt
	case r.State.Final():
		if err := tx.dequeue(&old); err != nil {
			return err
		}
		if err := tx.finish(&r); err != nil {
			return err
		}
	default:
		if err := tx.requeue(&old, &r); err != nil {
			return err
		}
	}
	if err := tx.claim(&r); err != nil {
		return fmt.Errorf("put record %d: %w", r.Seq, err)
	}
	return tx.store(&r)
}

// assertFollows panics when now cannot be a later state of old.
func assertFollows(old, now *fiscal.Record) {
	switch {
	case old.ID != now.ID || old.Hash != now.Hash || old.Verb != now.Verb || old.Terminal != now.Terminal:
		panic(fmt.Sprintf("spool: put: record %d of %s %s %q %s became %s %s %q %s", now.Seq,
			old.ID, old.Verb, old.Terminal, old.Hash, now.ID, now.Verb, now.Terminal, now.Hash))
	case old.State.Final() && old.State != now.State:
		panic(fmt.Sprintf("spool: put: record %d (%s) leaves %s for %s", now.Seq, now.ID, old.State, now.State))
	case old.State.Final() && old.Receipt != nil && (now.Receipt == nil ||
		old.Receipt.Storage != now.Receipt.Storage || old.Receipt.FD != now.Receipt.FD):
		panic(fmt.Sprintf("spool: put: record %d (%s) changes its document from %+v to %+v", now.Seq, now.ID, old.Receipt, now.Receipt))
	}
}

// Record reads a record by its place in the journal.
func (tx *Tx) Record(seq uint64) (fiscal.Record, bool, error) {
	key := number(seq)
	framed := tx.bucket(bucketRecords).Get(key)
	if framed == nil {
		return fiscal.Record{}, false, nil
	}
	r, err := readRecord(key, framed)
	return r, err == nil, err
}

// ByID reads a record by its command id. An id that only has a tombstone has
// no record.
func (tx *Tx) ByID(id string) (fiscal.Record, bool, error) {
	seq, _, found := tx.lookup(id)
	if !found || seq == 0 {
		return fiscal.Record{}, false, nil
	}
	return tx.Record(seq)
}

// Tombstone cancels a command that was not seen yet: should it arrive, it is
// stored as Cancelled. It fails with ErrSeen if the id has a record.
func (tx *Tx) Tombstone(id string, at time.Time) error {
	seq, _, found := tx.lookup(id)
	switch {
	case found && seq != 0:
		return fmt.Errorf("tombstone %s: %w", id, ErrSeen)
	case found:
		return nil
	case !validName(id) || id == "":
		return fmt.Errorf("tombstone %q: %w", id, ErrInvalid)
	}
	if err := tx.put(bucketTombs, tombKey(at.UnixNano(), id), []byte{}); err != nil {
		return err
	}
	return tx.put(bucketIDs, []byte(id), binary.BigEndian.AppendUint64(number(0), uint64(at.UnixNano())))
}

// Tombstoned tells whether id was cancelled before it was seen.
func (tx *Tx) Tombstoned(id string) bool {
	seq, _, found := tx.lookup(id)
	return found && seq == 0
}

// lookup reads the ids bucket: seq is 0 for a tombstone, made at nanos.
func (tx *Tx) lookup(id string) (seq uint64, nanos int64, found bool) {
	v := tx.bucket(bucketIDs).Get([]byte(id))
	switch len(v) {
	case 8:
		return binary.BigEndian.Uint64(v), 0, true
	case 16:
		return 0, int64(binary.BigEndian.Uint64(v[8:])), true
	default:
		return 0, 0, false
	}
}

func tombKey(nanos int64, id string) []byte { return append(number(uint64(nanos)), id...) }

// store writes the record itself.
func (tx *Tx) store(r *fiscal.Record) error {
	if err := valid(r); err != nil {
		return fmt.Errorf("store record %d: %w", r.Seq, err)
	}
	key := number(r.Seq)
	return tx.put(bucketRecords, key, seal(bucketRecords, key, encode(r, codeRecord)))
}

func readRecord(key, framed []byte) (fiscal.Record, error) {
	body, version, err := open(bucketRecords, key, framed)
	if err != nil {
		return fiscal.Record{}, err
	}
	r, err := decode(body, version, codeRecord)
	if err == nil {
		err = valid(&r)
	}
	if err != nil {
		return fiscal.Record{}, fmt.Errorf("read record %x: %w", key, err)
	}
	if r.Seq != binary.BigEndian.Uint64(key) {
		return fiscal.Record{}, fmt.Errorf("read record %x: %w: its seq is %d", key, ErrDamaged, r.Seq)
	}
	return r, nil
}

// valid holds for every record before it is written and after it is read.
func valid(r *fiscal.Record) error {
	fault := ""
	switch {
	case r.ID == "" || !validName(r.ID):
		fault = "id"
	case r.Hash == "":
		fault = "no hash"
	case !validName(r.Device) || !validName(r.Terminal):
		fault = "a zero byte in a name"
	case !r.Verb.Journalled():
		fault = "verb " + string(r.Verb)
	case stateLetter(r.State) == 0 && (!r.State.Final() || r.State == fiscal.Expired):
		fault = "state " + string(r.State)
	case r.State.Final() && r.FinalAt.IsZero():
		fault = "final without a time"
	case !r.State.Final() && r.FinalSeq != 0:
		fault = "a final number in state " + string(r.State)
	case r.State == fiscal.Done && r.Verb.Class() == fiscal.ClassFiscal && !proved(r):
		fault = "done without a document"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInvalid, fault)
}

// proved tells whether a done fiscal command names its document: the register
// or a cloud did, a person did, or somebody else had brought the state about.
func proved(r *fiscal.Record) bool {
	if settled(r) {
		return true
	}
	if r.Receipt == nil {
		return false
	}
	return r.Receipt.By != "" || r.Receipt.FD != 0 && r.Receipt.Storage != "" || r.Receipt.InCloud()
}

func validName(s string) bool { return strings.IndexByte(s, 0) < 0 }

// union adds what is new in more to links, which it does not change.
func union(links, more []string) []string {
	for _, l := range more {
		if !slices.Contains(links, l) {
			links = append(links[:len(links):len(links)], l)
		}
	}
	return links
}
