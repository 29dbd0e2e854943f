package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"

	bolt "go.etcd.io/bbolt"
)

// A page that a disk has put back to what it held before makes sense in itself.
// Only the log knows better: whatever it has changed last, the index must hold.

// keyMended is the number of the last frame that a mended index need not agree
// with, because entries were dropped or made anew after it.
const keyMended = "mended"

// follows compares a copy of the index with the log, from the copy's frame
// backwards as far as the log goes without a gap. Each key counts once, with
// its last change; a set of their sums is all that is held in memory. Damage is
// ErrDamaged.
func (s *Spool) follows(name string, t trailer) error {
	segs, err := segments(s.path)
	if err != nil {
		return err
	}
	db, _, err := openBolt(name, s.opt.LockWait, 0, true)
	if err != nil {
		return err
	}
	err = guarded(func() error {
		return db.View(func(b *bolt.Tx) error {
			f := follower{b: b, next: t.applied, floor: mendedAt(b), seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
			breathe := s.breather()
			for i := len(segs) - 1; i >= 0 && f.next > f.floor; i-- {
				if segs[i].first > f.next {
					continue
				}
				if segs[i].scan(s.disk) != nil { // it is gone meanwhile
					break
				}
				if more, err := f.segment(segs[i].frames, t, breathe); err != nil || !more {
					return err
				}
				segs[i].frames = nil
			}
			return nil
		})
	})
	return errors.Join(err, db.Close())
}

func mendedAt(b *bolt.Tx) uint64 {
	if v := b.Bucket([]byte(bucketMeta)).Get([]byte(keyMended)); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// follower goes back along the log.
type follower struct {
	b     *bolt.Tx
	next  uint64 // number of the frame that has to come
	floor uint64
	seed  maphash.Seed
	seen  map[uint64]struct{}
}

// segment goes back over the frames of one file. It tells whether the log goes
// on before it.
func (f *follower) segment(frames []frameRef, t trailer, breathe func() error) (more bool, err error) {
	for i := len(frames) - 1; i >= 0; i-- {
		frame := frames[i]
		if frame.kind != kindOps || frame.lineage != t.lineage || frame.number > t.applied {
			continue
		}
		before, ok := frame.before()
		if !ok || frame.number != f.next || frame.number <= f.floor {
			return false, nil // what came between is not known
		}
		f.next = before
		ops, err := readOps(frame.payload)
		if err == nil {
			err = f.frame(ops)
		}
		if err == nil {
			err = breathe()
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func (f *follower) frame(ops []op) error {
	for i := len(ops) - 1; i >= 0; i-- {
		o := &ops[i]
		if f.again(o) {
			continue
		}
		b := f.b.Bucket([]byte(o.bucket))
		held := b != nil
		if held {
			switch o.kind {
			case opPut:
				v := b.Get(o.key)
				held = v != nil && bytes.Equal(v, o.value)
			case opDelete:
				held = b.Get(o.key) == nil
			case opSequence:
				held = b.Sequence() == o.sequence
			}
		}
		if !held {
			return fmt.Errorf("%w: %s %q is not what the log says: it is older", ErrDamaged, o.bucket, o.key)
		}
	}
	return nil
}

// again tells that a later change of the same key was seen. Two keys of one sum
// cost a comparison, nothing else.
func (f *follower) again(o *op) bool {
	var h maphash.Hash
	h.SetSeed(f.seed)
	_, _ = h.WriteString(o.bucket)
	_ = h.WriteByte(0)
	if o.kind == opSequence {
		_ = h.WriteByte(1)
	}
	_ = h.WriteByte(0)
	_, _ = h.Write(o.key)
	sum := h.Sum64()
	_, seen := f.seen[sum]
	f.seen[sum] = struct{}{}
	return seen
}

// behind are the frames that a base should hold, as far back as the log goes
// without a gap: they are brought in again where the base is not proved.
func (h *healer) behind(applied, floor uint64) []frameRef {
	i := len(h.frames)
	for i > 0 && h.frames[i-1].number > applied {
		i--
	}
	end := i
	for next := applied; i > 0 && h.frames[i-1].number == next && next > floor; i-- {
		next, _ = h.frames[i-1].before()
	}
	return h.frames[i:end]
}

// refresh brings the log's last word into a base that is not proved.
func (h *healer) refresh(applied uint64) error {
	s, floor := h.s, uint64(0)
	err := guarded(func() error {
		return s.db.View(func(b *bolt.Tx) error { floor = mendedAt(b); return nil })
	})
	if err != nil {
		return err
	}
	return s.replay(h.behind(applied, floor))
}

// parted notes that the index does not follow the log that there is so far.
func (h *healer) parted() error {
	s := h.s
	return s.disk.Commit(s.at, func() error {
		return guarded(func() error {
			return s.db.Update(func(b *bolt.Tx) error {
				return b.Bucket([]byte(bucketMeta)).Put([]byte(keyMended), binary.BigEndian.AppendUint64(nil, h.highest))
			})
		})
	})
}
