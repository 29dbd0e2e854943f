package daemon

import (
	"errors"
	"math"
	"slices"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// A journal has forgotten something.
const (
	metaRebuilt = "rebuilt" // it was set aside and begun anew, or is an older one
	metaLost    = "lost"    // a storage has a document of ours that it knows nothing of
	metaBegun   = "begun"   // its first start; what was settled before is nothing it could know
)

// Both are told the start of the daemon: a journal gets lost while none runs, and
// nothing that was settled later is in question.
func (j *journal) rebuilt(start time.Time) error { return j.mark(metaRebuilt, start) }
func (j *journal) lost(start time.Time) error    { return j.mark(metaLost, start) }

func (j *journal) mark(meta string, at time.Time) error {
	return j.spool.Update(func(tx *spool.Tx) error { return tx.PutMeta(meta, at) })
}

// lossAt is the start after the last loss; zero if there was none.
func (j *journal) lossAt() (at time.Time, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		at, err = lossAt(tx)
		return err
	})
	return at, err
}

// strangeAt is lossAt for what can be searched: there the first start of a
// journal counts as well, since nobody can tell an emptied folder from a first
// installation. A command that was settled before that, by the clock of its
// terminal, is searched for, no more: most are of a clock that is slow.
func (j *journal) strangeAt() (at time.Time, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		at, err = latest(tx, metaRebuilt, metaLost, metaBegun)
		return err
	})
	return at, err
}

func lossAt(tx *spool.Tx) (time.Time, error) { return latest(tx, metaRebuilt, metaLost) }

func latest(tx *spool.Tx, metas ...string) (last time.Time, err error) {
	for _, meta := range metas {
		var at time.Time
		if _, err := tx.Meta(meta, &at); err != nil {
			return last, err
		}
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}

// hear takes what a device says by itself of an attempt under key: a callback
// of a cloud, or a document of ours that was read back where nobody looked for
// it. It may come twice, before the reply, for an attempt that is over and for
// a command that has ended; the record says what it means. A worker that holds
// a copy finds out when it saves.
func (j *journal) hear(id, device, key string, v fiscal.Verdict) (fiscal.Record, error) {
	var heard fiscal.Record
	changed := false
	err := j.spool.Update(func(tx *spool.Tx) error {
		changed = false
		r, found, err := tx.ByID(id)
		if err != nil {
			return err
		}
		if !found {
			return fiscal.Refuse(fiscal.CodeNotFound, "id", id)
		}
		now := time.Now()
		ev := fiscal.Event{
			Kind: fiscal.EventTold, Now: now, Elapsed: timeAway(r, now), Device: device, Key: key, Verdict: v, Policy: j.policies[device],
		}
		next, effects := fiscal.Step(r, ev)
		heard, changed = next, slices.Contains(effects, fiscal.Effect{Kind: fiscal.EffectSave})
		switch {
		case !changed:
			return nil
		case r.State.Final(): // its answer stays what it was; only the late document is news
			next.SavedAt = now
			if err := tx.Put(next); err != nil {
				return err
			}
			return j.tellLate(tx, next, len(r.Late))
		}
		next.N++
		heard, err = j.put(tx, next)
		return err
	})
	if errors.Is(err, spool.ErrTaken) {
		return j.holdTaken(id, err)
	}
	if err == nil && changed {
		j.left(heard)
	}
	return heard, err
}

// holdTaken keeps a record whose document belongs to another command, as
// worker.hold does.
func (j *journal) holdTaken(id string, why error) (fiscal.Record, error) {
	return j.move(id, func(*spool.Tx, fiscal.Record) (fiscal.Event, error) {
		return fiscal.Event{Kind: fiscal.EventTaken, Now: time.Now(), Err: fiscal.Refuse(fiscal.CodeClosedByOther, "", why.Error())}, nil
	})
}

// tellLate publishes the documents that an attempt has made after it was over,
// beyond the known ones, with what a person may do about each.
func (j *journal) tellLate(tx *spool.Tx, r fiscal.Record, known int) error {
	for _, late := range r.Late[min(known, len(r.Late)):] {
		one := r
		if one.Late = []fiscal.Receipt{late}; !one.Doubled() {
			continue // it was taken over: there is no other one
		}
		err := j.event(tx, mqtt.EventCloud, func(seq uint64) []byte { return mqtt.EncodeLateEvent(seq, time.Now(), r, late) })
		if err != nil {
			return err
		}
	}
	return nil
}

// ownersMax bounds the search for a document's command, newest first.
const (
	ownersMax  = 20_000
	ownersPage = 500
)

// ownerOf finds the command of a key among the newest ones.
func (j *journal) ownerOf(key string) (r fiscal.Record, found bool, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		found = false
		return newestFirst(tx, ownersMax, func(one fiscal.Record) bool {
			if one.Document.Key == key {
				r, found = one, true
			}
			return !found
		})
	})
	return r, found, err
}

// newestFirst goes through the newest commands, at most so many, as long as each
// says so.
func newestFirst(tx *spool.Tx, most int, each func(fiscal.Record) bool) error {
	for before, seen := uint64(math.MaxUint64), 0; seen < most; {
		page, err := tx.RecordsBefore(before, min(ownersPage, most-seen))
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			if !each(r) {
				return nil
			}
			before = r.Seq
		}
		seen += len(page)
	}
	return nil
}
