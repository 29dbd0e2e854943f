package spool

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// store brings a transaction to disk. Until the log is flushed nothing of it
// can be seen, and ErrFull or errRemap undo it; after that it is true, and what
// the index fails to take is replayed by the next start.
func (s *Spool) store(b *bolt.Tx, ops []op) error {
	frame := opsFrame(ops, s.lineage, s.number+1, s.applied)
	if err := s.makeRoom(b, ops, frame); err != nil {
		return err
	}
	// A checkpoint on the way has taken a number.
	frame = opsFrame(ops, s.lineage, s.number+1, s.applied)
	if err := guarded(func() error { return s.stamp(b, s.number+1, false) }); err != nil {
		return err
	}
	if err := s.log.append(frame); err != nil {
		return err
	}
	s.number++
	s.applied, s.clean = s.number, false
	err := s.disk.Commit(s.at, func() error { return guarded(b.Commit) })
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// checkpoint makes the present state of the index durable and writes down
// where it is; need is how much must fit into the log after it. From then on a
// start begins from here, so bbolt must reuse no page of it: the pin, a read
// transaction, sees to that. The former pin holds until the new one is on disk.
func (s *Spool) checkpoint(closed bool, need int64) error {
	if err := s.disk.SyncIndex(s.at, s.db.Sync); err != nil {
		return flushFailed(err)
	}
	pin, err := s.db.Begin(false)
	if err != nil {
		return err
	}
	if err := s.writeCheckpoint(pin, closed, need); err != nil {
		_ = pin.Rollback() // it has read nothing
		return err
	}
	s.number++
	s.clean = closed
	old := s.pin
	s.pin = pin
	if old == nil {
		return nil
	}
	return old.Rollback()
}

func (s *Spool) writeCheckpoint(pin *bolt.Tx, closed bool, need int64) error {
	for _, m := range readMetas(s.raw) {
		if m.txid != uint64(pin.ID()) {
			continue
		}
		cp := checkpoint{applied: s.applied, closed: closed, length: s.log.length, image: m.image}
		if frame := checkpointFrame(cp, s.lineage, s.number+1); need == 0 && s.log.room(frame) {
			return s.log.append(frame)
		}
		err := s.log.rotate(s.number+1, need, func(length int64) []byte {
			cp.length = length
			return checkpointFrame(cp, s.lineage, s.number+1)
		})
		select {
		case s.copyDue <- struct{}{}: // perhaps
		default:
		}
		return err
	}
	return fmt.Errorf("%w: the index has lost its root", ErrDamaged)
}
