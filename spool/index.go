package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"kassad/filelock"
)

// Figures of the index. It is mapped at once larger than it is: bbolt cannot
// map it anew while the checkpoint is pinned. That costs addresses, not memory;
// a 32-bit till has few of them, and Windows makes the file that long.
const (
	mapLarge = 256 << 20
	mapSmall = 8 << 20
	// reserve is kept allocated beyond what a commit needs, for those that
	// finish what is in hand when the disk is full.
	reserve = 512 << 10
	growMin = 512 << 10
	growMax = 16 << 20
)

// mapFor is the map for an index of so many bytes: a power of two, as bbolt
// rounds.
func mapFor(need int64) int {
	size := int64(mapSmall)
	if strconv.IntSize == 64 && runtime.GOOS != "windows" {
		size = mapLarge
	}
	for size < 2*need && size < 1<<30 {
		size <<= 1
	}
	if step := int64(1 << 30); 2*need > step && strconv.IntSize == 64 {
		size = (2*need + step - 1) / step * step
	}
	return int(size)
}

// openBolt opens an index. A damaged one may make bbolt panic, or fault on
// pages that are mapped but do not exist; both come out as ErrDamaged.
func openBolt(path string, lockWait time.Duration, mapBytes int, readOnly bool) (db *bolt.DB, file *os.File, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, damaged(p)
			if file != nil {
				filelock.LetGo(file)
				_ = file.Close() // nothing was written
			}
		}
	}()
	o := bolt.Options{
		Timeout: lockWait, FreelistType: bolt.FreelistArrayType, ReadOnly: readOnly, PreLoadFreelist: true, NoGrowSync: true,
		InitialMmapSize: mapBytes, NoStatistics: false,
		OpenFile: func(name string, flag int, _ os.FileMode) (*os.File, error) {
			file, err = openFile(name, flag)
			return file, err
		},
	}
	db, err = bolt.Open(path, fileMode, &o)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, nil, ErrLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch),
		errors.Is(err, berrors.ErrInvalidMapping):
		return nil, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return nil, nil, err
	}
	if err := guarded(func() error { return whole(db) }); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, file, nil
}

// whole refuses a file that was cut short: bbolt would fault on the lost pages.
func whole(db *bolt.DB) error {
	info, err := os.Stat(db.Path())
	if err != nil {
		return err
	}
	return db.View(func(tx *bolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: %d bytes of %d are left", ErrDamaged, info.Size(), tx.Size())
		}
		return nil
	})
}

// standing is what the index says of itself: to which log it belongs, and up to
// which frame it has come.
type standing struct {
	format  uint32
	lineage uint64
	applied uint64
	closed  bool // nothing was logged after applied
}

const keyStanding = "log"

func (st standing) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, st.lineage)
	b = binary.BigEndian.AppendUint64(b, st.applied)
	if st.closed {
		return append(b, 1)
	}
	return append(b, 0)
}

// newer tells a store of a kassad to come, whatever else it may say in other
// words. Damage would rather make a number out of all reason.
func (st standing) newer() bool { return st.format > format && st.format <= formatReason }

const formatReason = 1000

func readStanding(format, log []byte) (st standing, ok bool) {
	if len(format) != 4 {
		return st, false
	}
	st.format = binary.BigEndian.Uint32(format)
	if len(log) == 17 {
		st.lineage, st.applied, st.closed = binary.BigEndian.Uint64(log), binary.BigEndian.Uint64(log[8:]), log[16] == 1
	}
	return st, st.format == formatAlone || len(log) == 17
}

// standing reads it from the file, where the map must not be trusted.
func (p *pages) standing() (standing, bool) {
	format, err := p.get(bucketMeta, keyFormat)
	if err != nil || format == nil {
		return standing{}, false
	}
	log, err := p.get(bucketMeta, keyStanding)
	if err != nil {
		return standing{}, false
	}
	return readStanding(format, log)
}

// standingOf reads it from an open index.
func standingOf(db *bolt.DB) (st standing, err error) {
	err = guarded(func() error {
		return db.View(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucketMeta))
			if b == nil {
				return fmt.Errorf("%w: no format", ErrDamaged)
			}
			var ok bool
			if st, ok = readStanding(b.Get([]byte(keyFormat)), b.Get([]byte(keyStanding))); !ok {
				return fmt.Errorf("%w: no format", ErrDamaged)
			}
			return nil
		})
	})
	return st, err
}

// stamp writes what the index says of itself into a transaction.
func (s *Spool) stamp(b *bolt.Tx, applied uint64, closed bool) error {
	return b.Bucket([]byte(bucketMeta)).Put([]byte(keyStanding), standing{lineage: s.lineage, applied: applied, closed: closed}.encode())
}

// lay makes the buckets of a new index, and those that an earlier version did
// not have.
func (s *Spool) lay(b *bolt.Tx) error {
	for _, name := range buckets() {
		if _, err := b.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return b.Bucket([]byte(bucketMeta)).Put([]byte(keyFormat), binary.BigEndian.AppendUint32(nil, format))
}

// needed is the most that a commit of these changes can add to the index:
// each change a leaf and what it is split into or joined with, all branches
// anew, and the list of free pages.
func needed(db *bolt.DB, b *bolt.Tx, ops []op) int64 {
	page := int64(db.Info().PageSize)
	stats := db.Stats()
	var values int64
	for _, o := range ops {
		values += int64(len(o.value) + len(o.key))
	}
	free := int64(stats.FreePageN+stats.PendingPageN)*8/page + 1
	return page*(64+3*int64(len(ops))+b.Size()/page/16+2*free) + 2*values
}

// errRemap asks for a larger map.
var errRemap = errors.New("the map is too small")

// makeRoom makes real what the commit of these changes may need, before
// anything of it is logged. It answers ErrFull if there is no room, and
// errRemap if the index has outgrown its map.
func (s *Spool) makeRoom(b *bolt.Tx, ops []op, frame []byte) error {
	need := b.Size() + needed(s.db, b, ops)
	if need >= int64(s.mapBytes)/4*3 {
		return errRemap
	}
	full := false
	if need+reserve > s.real {
		target := need + reserve + min(growMax, max(growMin, need/8))
		if err := s.secure(b.Size(), target); isFull(err) {
			full = true
		} else if err != nil {
			return err
		}
	}
	if s.log.half() || s.full.Load() {
		if err := s.log.prepare(0); isFull(err) {
			full = true
		} else if err != nil {
			return err
		}
	}
	s.full.Store(full)
	if need > s.real {
		return ErrFull
	}
	if s.log.room(frame) {
		return nil
	}
	err := s.checkpoint(false, int64(len(frame)))
	if isFull(err) {
		s.full.Store(true)
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// extend writes zeros behind the index, which ends at used, so that its growth
// finds room.
func (s *Spool) extend(used, to int64) error {
	if s.raw == nil {
		return errors.New("the index is not open")
	}
	s.real = max(s.real, used)
	to = min(to, int64(s.mapBytes))
	for s.real < to {
		next := min(to, s.real+zeroBytes)
		if err := writeZeros(s.raw, s.real, next); err != nil {
			return err
		}
		s.real = next
	}
	return nil
}

// secure is extend for what a commit relies on: a start after a loss of power
// must find that room too, also if the disk has been filled meanwhile.
func (s *Spool) secure(used, to int64) error {
	before := s.real
	err := s.extend(used, to)
	if s.real > before && (err == nil || isFull(err)) {
		if serr := s.raw.Sync(); serr != nil {
			return flushFailed(serr)
		}
	}
	return err
}

// flushFailed is an error of a flush. Nobody can say what is on disk then, also
// if the reason is that there is no room: it is not ErrFull.
func flushFailed(err error) error {
	if isFull(err) {
		return fmt.Errorf("flush index: %v", err)
	}
	return fmt.Errorf("flush index: %w", err)
}

// settleReal finds out how much of the file has its place on the disk.
func (s *Spool) settleReal() error {
	info, err := os.Stat(s.at)
	if err != nil {
		return err
	}
	if allocated(info) {
		s.real = info.Size()
		return nil
	}
	return s.db.View(func(tx *bolt.Tx) error { s.real = tx.Size(); return nil })
}

// remap opens the index anew under a larger map. Views wait meanwhile.
func (s *Spool) remap() error {
	if err := s.checkpoint(false, 0); err != nil {
		return err
	}
	s.mapMu.Lock()
	defer s.mapMu.Unlock()
	size := s.mapBytes * 2
	if err := errors.Join(s.pin.Rollback(), s.db.Close()); err != nil {
		return err
	}
	return s.openIndex(size)
}

// openIndex opens the index and pins its newest state.
func (s *Spool) openIndex(mapBytes int) (err error) {
	if s.db, s.file, err = openBolt(s.at, s.opt.LockWait, mapBytes, false); err != nil {
		return err
	}
	s.db.NoSync, s.mapBytes = true, mapBytes
	if runtime.GOOS != "windows" {
		s.db.MaxSize = mapBytes - s.db.Info().PageSize // bbolt must refuse, never wait for the pin
		s.db.AllocSize = s.db.Info().PageSize
	}
	if s.raw == nil {
		if s.raw, err = s.disk.Open(s.at, os.O_RDWR); err != nil {
			return err
		}
	}
	s.pin, err = s.db.Begin(false)
	if err == nil {
		err = s.settleReal()
	}
	return err
}
