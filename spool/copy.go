package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The copy is a second index, as it was at some frame, with a trailer that
// proves it whole. With the frames since it makes up for an index that is
// damaged. Only a copy that was walked through takes the place of the one
// before, so a damage of the index does not get into it.
const (
	copyBytes   = 32 << 20
	copyMagic   = "kassad copy 1\n\x00\x00"
	trailerSize = 48
	// logMax bounds the log where no copy can be made, in times of CopyBytes.
	logMax = 8
	// keepFirst after the start the store is walked through, and then every
	// keepEvery; where there is no copy yet, after keepSoon.
	keepSoon  = 5 * time.Second
	keepFirst = 2 * time.Minute
	keepEvery = 24 * time.Hour
	// breathEvery so many steps the walk rests, so that it takes a small part
	// of one processor and of the disk.
	breathEvery = 256
	breath      = 4 * time.Millisecond
)

// trailer is the end of a copy.
type trailer struct {
	lineage, applied uint64
	size             int64 // of the index before it
	sum              uint32
}

func (t trailer) encode() []byte {
	b := append(make([]byte, 0, trailerSize), copyMagic...)
	b = binary.LittleEndian.AppendUint64(b, t.lineage)
	b = binary.LittleEndian.AppendUint64(b, t.applied)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.size))
	b = binary.LittleEndian.AppendUint32(b, t.sum)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// readTrailer finds the trailer of a copy; false if there is none.
func readTrailer(f File) (t trailer, ok bool) {
	b := make([]byte, trailerSize)
	size, err := f.Size()
	if err != nil || size < trailerSize {
		return t, false
	}
	if _, err := f.ReadAt(b, size-trailerSize); err != nil || string(b[:16]) != copyMagic {
		return t, false
	}
	t = trailer{
		lineage: binary.LittleEndian.Uint64(b[16:]), applied: binary.LittleEndian.Uint64(b[24:]),
		size: int64(binary.LittleEndian.Uint64(b[32:])), sum: binary.LittleEndian.Uint32(b[40:]),
	}
	return t, crc32.Checksum(b[:44], castagnoli) == binary.LittleEndian.Uint32(b[44:]) && t.size == size-trailerSize
}

// proveCopy reads all of a copy.
func proveCopy(disk Disk, path string) (trailer, error) {
	f, err := disk.Open(path, os.O_RDONLY)
	if err != nil {
		return trailer{}, err
	}
	t, ok := readTrailer(f)
	sum := crc32.New(castagnoli)
	if ok {
		_, err = io.CopyBuffer(sum, io.NewSectionReader(f, 0, t.size), make([]byte, zeroBytes))
	}
	if !ok || err == nil && sum.Sum32() != t.sum {
		err = fmt.Errorf("%w: the copy is not whole", ErrDamaged)
	}
	return t, errors.Join(err, f.Close())
}

// copyWriter writes a copy and sums it up on the way.
type copyWriter struct {
	f       File
	at      int64
	sum     uint32
	breathe func() error
}

func (w *copyWriter) Write(b []byte) (int, error) {
	if err := w.breathe(); err != nil {
		return 0, err
	}
	n, err := w.f.WriteAt(b, w.at)
	w.at += int64(n)
	w.sum = crc32.Update(w.sum, castagnoli, b[:n])
	return n, err
}

// keep is the goroutine that looks after the copy, and walks through the store.
func (s *Spool) keep() {
	defer close(s.kept)
	wait := keepFirst
	if _, err := os.Stat(s.path + suffixCopy); err != nil || s.recovery.Why != "" {
		wait = keepSoon
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-s.copyDue:
			if s.sinceCopy() < s.opt.CopyBytes {
				continue
			}
		case <-timer.C:
			timer.Reset(keepEvery)
			s.dropFormer(time.Now())
		}
		if err := s.renewCopy(); err != nil {
			s.boundLog()
		}
	}
}

// sinceCopy is about how many bytes of the log came after the copy.
func (s *Spool) sinceCopy() (n int64) {
	segs, err := segments(s.path)
	if err != nil {
		return 0
	}
	for _, seg := range segs {
		if info, err := os.Stat(seg.name); err == nil {
			n += info.Size()
		}
	}
	return n
}

// renewCopy walks through the store as it is, and keeps what it has walked
// through. What is damaged is marked for the next start.
func (s *Spool) renewCopy() error {
	s.copying <- struct{}{}
	defer func() { <-s.copying }()
	name := s.path + suffixCopy + suffixNew
	t, err := s.writeCopy(name)
	if err == nil {
		var faults []Fault
		if faults, err = checkFile(name, s.breather()); err == nil {
			err = damageIn(faults)
		}
		if err == nil {
			err = s.follows(name, t)
		}
		if errors.Is(err, ErrDamaged) {
			s.damage(err)
		}
	}
	if err == nil {
		err = s.disk.Rename(name, s.path+suffixCopy)
	}
	if err == nil {
		err = s.disk.SyncDir(filepath.Dir(s.path))
	}
	if err != nil {
		return errors.Join(err, s.disk.Remove(name))
	}
	return s.dropSegments(t.applied)
}

func damageIn(faults []Fault) error {
	for _, f := range faults {
		if !f.Fact {
			return fmt.Errorf("%w: %s", ErrDamaged, f)
		}
	}
	return nil
}

func (s *Spool) writeCopy(name string) (t trailer, err error) {
	if !roomFor(filepath.Dir(s.path), s.path) {
		return t, ErrFull
	}
	f, err := s.disk.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return t, err
	}
	w := copyWriter{f: f, breathe: s.breather()}
	err = s.read(func(b *bolt.Tx) error {
		meta := b.Bucket([]byte(bucketMeta))
		st, ok := readStanding(meta.Get([]byte(keyFormat)), meta.Get([]byte(keyStanding)))
		if !ok {
			return fmt.Errorf("%w: no format", ErrDamaged)
		}
		t.lineage, t.applied = st.lineage, st.applied
		_, err := b.WriteTo(&w)
		return err
	})
	t.size, t.sum = w.at, w.sum
	if err == nil {
		_, err = f.WriteAt(t.encode(), w.at)
	}
	if err == nil {
		err = f.Sync()
	}
	return t, errors.Join(err, f.Close())
}

// breather rests a little now and then, and ends when the store is closed.
func (s *Spool) breather() func() error {
	steps := 0
	return func() error {
		if steps++; steps%breathEvery != 0 {
			return nil
		}
		select {
		case <-s.closing:
			return ErrClosed
		case <-time.After(breath):
			return nil
		}
	}
}

// dropSegments removes the segments whose frames are all in the copy.
func (s *Spool) dropSegments(applied uint64) error {
	segs, err := segments(s.path)
	for i := 0; err == nil && i+1 < len(segs) && segs[i+1].first <= applied+1; i++ {
		err = s.disk.Remove(segs[i].name)
	}
	return err
}

// boundLog gives up the copy where the disk is too small for two of them and
// the log would fill it: selling goes before a second copy. With the old copy
// gone there may be room for a new one.
func (s *Spool) boundLog() {
	if s.sinceCopy() < logMax*s.opt.CopyBytes {
		return
	}
	segs, err := segments(s.path)
	if err != nil || len(segs) < 2 || s.disk.Remove(s.path+suffixCopy) != nil {
		return
	}
	_ = s.dropSegments(segs[len(segs)-1].first) // what stays is tried again
}
