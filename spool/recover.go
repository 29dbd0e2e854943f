package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// Recovery is what Open found and did.
type Recovery struct {
	// Replayed is how many frames of the log were brought into the index.
	Replayed int
	// Why tells what was damaged; empty if nothing was.
	Why string
	// From tells what the store was made from again, if it was damaged.
	From string
	// Lost tells that something that was acknowledged may be missing: all copies
	// of it were damaged.
	Lost bool
	// Aside is where the damaged index is kept; empty if there is none.
	Aside string
	// Backup is where the index of an older format is kept as it was; empty if
	// none was taken over.
	Backup string
}

// found is what lies on the disk before anything is changed.
type found struct {
	index    bool // there is one
	size     int64
	metas    []meta // the newest first
	standing standing
	readable bool // standing could be read
	blank    bool // bbolt's, but nothing of ours was written yet
	segments []segment
	copied   bool
	heal     string // the mark that damage was found
}

func (s *Spool) survey() (*found, error) {
	f := &found{}
	if text, err := os.ReadFile(s.path + suffixHeal); err == nil {
		f.heal = strings.TrimSpace(string(text)) + "."
	}
	_, err := os.Stat(s.path + suffixCopy)
	f.copied = err == nil
	if f.segments, err = segments(s.path); err != nil {
		return nil, err
	}
	if n := len(f.segments); n > 0 {
		if err := f.segments[n-1].scan(s.disk); err != nil {
			return nil, err
		}
	}
	file, err := s.disk.Open(s.path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if f.size, err = file.Size(); err != nil {
		return nil, err
	}
	f.index = f.size > 0
	if f.metas = readMetas(file); len(f.metas) > 0 {
		p := pages{f: file, m: f.metas[0]}
		f.standing, f.readable = p.standing()
		if e, err := p.find(p.m.root, bucketMeta); err == nil && e == nil {
			f.blank = true
		}
	}
	return f, nil
}

// recover opens the index in the state that the log proves.
func (s *Spool) recover() error {
	// A kill may have come between a rename and its flush: the name is there for
	// us, and would not be after a loss of power.
	if err := s.disk.SyncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	f, err := s.survey()
	if err == nil && !f.index && f.heal != "" {
		if again, rerr := s.fetchBack(); rerr != nil || again {
			f, err = s.survey()
			err = errors.Join(err, rerr)
		}
	}
	if err != nil {
		return err
	}
	if f.standing.newer() {
		return fmt.Errorf("%w: its format is %d, this one knows %d", ErrNewer, f.standing.format, format)
	}
	_, err = os.Stat(s.path + suffixSpare)
	s.log.spare = err == nil
	err = s.resume(f)
	for errors.Is(err, errRemap) {
		s.mapLeast = 2 * s.mapBytes
		if err = errors.Join(s.closeIndex(), s.log.close()); err == nil {
			err = s.resume(f)
		}
	}
	if errors.Is(err, ErrDamaged) {
		s.wedged = s.db != nil // perhaps
		if err := errors.Join(s.closeIndex(), s.log.close()); err != nil {
			return err
		}
		err = s.heal(f, err)
	}
	return err
}

// resume goes on from the last checkpoint. Anything that does not fit is
// ErrDamaged, and then nothing was changed.
func (s *Spool) resume(f *found) error {
	logged := len(f.segments) > 0
	switch {
	case f.heal != "":
		return fmt.Errorf("%w: %s", ErrDamaged, f.heal)
	case !logged && !f.copied && (!f.index || f.blank):
		return s.begin()
	case !logged && f.readable && f.standing.format == formatAlone,
		!logged && f.readable && f.standing.applied == 0 && f.standing.closed: // its log was never begun
		return s.adopt(f.standing.format)
	case !f.index:
		return fmt.Errorf("%w: the index is missing", ErrDamaged)
	case !logged:
		return fmt.Errorf("%w: the log is missing", ErrDamaged)
	}
	seg := &f.segments[len(f.segments)-1]
	cp, after, err := lastCheckpoint(seg)
	if err != nil {
		return err
	}
	if err := s.fits(f, cp); err != nil {
		return err
	}
	if err := s.rollBack(f, cp); err != nil {
		return err
	}
	return s.continueLog(seg, after)
}

// begin makes a new store, or gives one of the former release its log.
func (s *Spool) begin() error {
	s.lineage = rand.Uint64()
	if err := s.makeIndex(0, true); err != nil {
		return err
	}
	return s.checkpoint(true, 0)
}

// adopt gives an index of the former release, or of another store, its log.
func (s *Spool) adopt(from uint32) error {
	s.lineage, s.applied = rand.Uint64(), 0
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if err := s.openIndex(mapFor(info.Size())); err != nil {
		return err
	}
	if from < format {
		if err := s.keepFormer(from); err != nil {
			return err
		}
	}
	if err := s.layIndex(s.db, s.path, true); err != nil {
		return err
	}
	return s.checkpoint(true, 0)
}

// makeIndex makes an empty index, under another name until it is whole, and
// opens it.
func (s *Spool) makeIndex(mapBytes int, closed bool) error {
	name := s.path + suffixNew
	if err := s.disk.Remove(name); err != nil {
		return err
	}
	db, _, err := openBolt(name, s.opt.LockWait, 0, false)
	if err != nil {
		return err
	}
	if err := errors.Join(s.layIndex(db, name, closed), db.Close()); err != nil {
		return err
	}
	if s.at == s.path {
		err := s.disk.Rename(name, s.path)
		if err == nil {
			err = s.disk.SyncDir(filepath.Dir(s.path))
		}
		if err != nil {
			return err
		}
	}
	return s.openIndex(max(mapBytes, mapFor(0)))
}

// layIndex makes what is missing in an index. It is flushed by bbolt itself, in
// its order.
func (s *Spool) layIndex(db *bolt.DB, name string, closed bool) error {
	return s.disk.SyncIndex(name, func() error {
		db.NoSync = false
		defer func() { db.NoSync = true }()
		return guarded(func() error {
			return db.Update(func(b *bolt.Tx) error {
				if err := s.lay(b); err != nil {
					return err
				}
				return s.stamp(b, s.applied, closed)
			})
		})
	})
}

// lastCheckpoint finds where to begin, and the frames to replay.
func lastCheckpoint(seg *segment) (cp checkpoint, after []frameRef, err error) {
	at := -1
	for i, f := range seg.frames {
		if f.kind == kindCheckpoint {
			at = i
		}
	}
	if at < 0 {
		return cp, nil, fmt.Errorf("%w: the log has no checkpoint", ErrDamaged)
	}
	cp, ok := readCheckpoint(seg.frames[at].payload)
	if !ok {
		return cp, nil, fmt.Errorf("%w: the checkpoint makes no sense", ErrDamaged)
	}
	for i, f := range seg.frames[at+1:] {
		if before := seg.frames[at+i]; f.number != before.number+1 || f.lineage != before.lineage {
			return cp, nil, fmt.Errorf("%w: frame %d of the log is missing", ErrDamaged, before.number+1)
		}
	}
	return cp, seg.frames[at:], nil
}

// fits tells whether the index is the one that the log is of, and not older
// than the checkpoint.
func (s *Spool) fits(f *found, cp checkpoint) error {
	seg := &f.segments[len(f.segments)-1]
	last := seg.frames[len(seg.frames)-1]
	m, _ := readMeta(cp.image)
	switch {
	case f.readable && f.standing.lineage != last.lineage:
		return fmt.Errorf("%w: the log is of another store", ErrDamaged)
	case f.readable && f.standing.applied > last.number:
		return fmt.Errorf("%w: the log ends at frame %d, the index has frame %d", ErrDamaged, last.number, f.standing.applied)
	case olderThan(f.metas, m.txid):
		return fmt.Errorf("%w: the index is older than the log's checkpoint", ErrDamaged)
	case seg.length < cp.length:
		return fmt.Errorf("%w: the log was cut short", ErrDamaged)
	case f.size < m.bytes():
		return fmt.Errorf("%w: %d bytes of %d are left", ErrDamaged, f.size, m.bytes())
	}
	return nil
}

// olderThan tells a file that was put back from one whose roots were torn. After
// the checkpoint, one root is its transaction, and only later ones are written
// over them.
func olderThan(metas []meta, txid uint64) bool {
	if len(metas) == 0 || metas[0].txid >= txid {
		return false
	}
	return metas[0].txid+1 < txid || len(metas) == 2
}

// rollBack opens the index in the state of the checkpoint: its root is written
// back, the other one is made void, and what later transactions left on other
// pages is never read. If that is not the state that the log speaks of, the
// roots are put back as they were.
func (s *Spool) rollBack(f *found, cp checkpoint) (err error) {
	m, _ := readMeta(cp.image)
	if err := s.straight(m); err != nil {
		return err
	}
	if len(f.metas) == 0 || !bytes.Equal(f.metas[0].image[16:], cp.image[16:]) {
		if err := s.writeRoot(m); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, s.putBack(f.metas))
			}
		}()
	}
	st, err := s.openAt(m)
	if err == nil && (st.applied != cp.applied || st.lineage == 0) {
		err = fmt.Errorf("%w: the index is at frame %d, its checkpoint at %d", ErrDamaged, st.applied, cp.applied)
	}
	if err == nil && uint64(s.pin.ID()) != m.txid {
		err = fmt.Errorf("%w: the index is at transaction %d, its checkpoint at %d", ErrDamaged, s.pin.ID(), m.txid)
	}
	if err != nil {
		return errors.Join(err, s.closeIndex())
	}
	s.lineage, s.applied, s.clean = st.lineage, cp.applied, cp.closed
	return nil
}

func (s *Spool) openAt(m meta) (st standing, err error) {
	if err := s.openIndex(max(s.mapLeast, mapFor(m.bytes()))); err != nil {
		return st, err
	}
	return standingOf(s.db)
}

func (s *Spool) writeRoot(m meta) error {
	raw, err := s.disk.Open(s.at, os.O_RDWR)
	if err != nil {
		return err
	}
	slot := m.txid % 2
	image := bytes.Clone(m.image)
	native.PutUint64(image, slot)
	_, err = raw.WriteAt(image, int64(slot)*int64(m.pageSize))
	if err == nil {
		_, err = raw.WriteAt(make([]byte, metaBytes), int64(1-slot)*int64(m.pageSize))
	}
	return errors.Join(err, raw.Close())
}

func (s *Spool) putBack(metas []meta) error {
	if len(metas) == 0 {
		return nil
	}
	raw, err := s.disk.Open(s.at, os.O_RDWR)
	if err != nil {
		return err
	}
	for _, m := range metas {
		if _, werr := raw.WriteAt(m.image, int64(m.slot)*int64(m.pageSize)); werr != nil {
			err = werr
		}
	}
	return errors.Join(err, raw.Close())
}

// continueLog replays the frames after a checkpoint and goes on writing behind
// them. The first of frames is the checkpoint's.
func (s *Spool) continueLog(seg *segment, frames []frameRef) error {
	last := frames[len(frames)-1]
	s.number = last.number
	file, err := s.disk.Open(seg.name, os.O_RDWR)
	if err != nil {
		return err
	}
	s.log.f, s.log.at, s.log.length = file, seg.end, seg.length
	if len(frames) == 1 {
		return nil
	}
	// A kill may have come before the last flush: the frame was read from memory
	// only, and the index must not have what the log may still lose.
	if err := s.log.again(last); err != nil {
		return err
	}
	if err := s.replay(frames[1:]); err != nil {
		return err
	}
	if err := s.checkpoint(false, 0); !isFull(err) {
		return err
	}
	s.full.Store(true) // the next start begins from the former checkpoint
	return nil
}

// again writes a frame once more, so that it is flushed.
func (l *frameLog) again(f frameRef) error {
	b := append(make([]byte, logHead, frameLen(len(f.payload))), f.payload...)
	if _, err := l.f.WriteAt(makeFrame(b, f.kind, f.lineage, f.number), f.at); err != nil {
		return err
	}
	return l.f.Sync()
}
