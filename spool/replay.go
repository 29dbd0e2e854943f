package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// replayBytes bounds the frames of one commit of a replay.
const replayBytes = 1 << 20

// replay brings frames into the index, many in one commit. A full disk is no
// reason to stay down: each frame found room when it was logged, and so it does
// alone, in the room that was kept for it. What many may need is guessed too
// high.
func (s *Spool) replay(frames []frameRef) error {
	limit := replayBytes
	for len(frames) > 0 {
		n, size := 0, 0
		for n < len(frames) && (n == 0 || size < limit) {
			size += len(frames[n].payload)
			n++
		}
		switch err := s.replayGroup(frames[:n]); {
		case err == nil:
			frames = frames[n:]
		case !isFull(err):
			return err
		case n > 1:
			limit = min(limit, size) / 4
		default:
			if err := s.makeWay(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeWay gives up what the store can do without, one thing at a time, so that
// a start finds room on a full disk. If there is nothing left it answers
// ErrFull: the files are as good as before, and a start with more room goes on.
func (s *Spool) makeWay(full error) error {
	s.full.Store(true)
	names := asides(s.path)
	switch {
	case len(names) > 0:
		names = names[:1]
		if names[0] == s.recovery.Aside {
			s.recovery.Aside = ""
		}
	case s.log.spare && s.at == s.path: // the end of a mend needs it
		names, s.log.spare = []string{s.path + suffixSpare}, false
	case s.needless != nil && s.needless():
		names, s.needless = []string{s.path}, nil
	default:
		return fmt.Errorf("%w: %w", ErrFull, full)
	}
	// The map of an index that bbolt has given up holds its room until the
	// process ends, unless the file is empty.
	if f, err := s.disk.Open(names[0], os.O_RDWR|os.O_TRUNC); err == nil {
		_ = f.Close() // it is removed
	}
	return errors.Join(s.disk.Remove(names[0]), s.disk.SyncDir(filepath.Dir(s.path)))
}

// makingWay does something that needs room, and makes way as long as it does not
// find it.
func (s *Spool) makingWay(do func() error) error {
	for {
		err := do()
		if !isFull(err) {
			return err
		}
		if err := s.makeWay(err); err != nil {
			return err
		}
	}
}

func (s *Spool) replayGroup(frames []frameRef) error {
	var ops []op
	applied := s.applied
	for _, f := range frames {
		if f.kind != kindOps {
			continue
		}
		more, err := readOps(f.payload)
		if err != nil {
			return err
		}
		ops, applied = append(ops, more...), f.number
	}
	if len(ops) == 0 {
		return nil
	}
	for {
		err := s.replayOps(ops, applied)
		if !errors.Is(err, errRemap) {
			if err == nil {
				s.applied, s.clean = applied, false
				s.recovery.Replayed += len(frames)
			}
			return err
		}
		if !s.healing {
			return err // the pin must not move before all is replayed
		}
		size := 2 * s.mapBytes
		if err := errors.Join(s.closeIndex(), s.openIndex(size)); err != nil {
			return err
		}
	}
}

func (s *Spool) replayOps(ops []op, applied uint64) error {
	var b *bolt.Tx
	err := guarded(func() (err error) {
		if b, err = s.db.Begin(true); err != nil {
			return err
		}
		err = errors.Join(apply(b, ops), s.stamp(b, applied, false))
		if need := b.Size() + needed(s.db, b, ops); err == nil && need >= int64(s.mapBytes)/4*3 {
			err = errRemap
		} else if err == nil && need > s.real {
			err = s.extend(b.Size(), need)
		}
		// bbolt may need less. If it does not, it undoes its transaction: the
		// root is written last.
		if isFull(err) {
			s.full.Store(true)
			err = nil
		}
		if err != nil {
			return err
		}
		return s.disk.Commit(s.at, b.Commit)
	})
	if b != nil && b.DB() != nil { // not committed
		err = errors.Join(err, s.rollback(b))
	}
	return err
}
