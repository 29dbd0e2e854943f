package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names beside the index.
const (
	suffixLog    = ".log-" // and the number of the first frame, 16 hexadecimal digits
	suffixSpare  = ".log-next"
	suffixCopy   = ".copy"
	suffixNew    = ".new"
	suffixHeal   = ".heal"
	suffixLock   = ".lock"
	suffixAside  = ".damaged-" // and the time
	suffixFormer = ".format-"  // and its number: the index as it was before it was taken over
	suffixBackup = ".backup-"  // and the time
	segmentBytes = 2 << 20
	segmentShort = 64 << 10  // where there is no room for more
	zeroBytes    = 256 << 10 // written at once
)

// frameLog appends to the newest segment of the log. A segment is written with
// zeros and flushed before it is used, so that an append flushes data only and
// finds room on a full disk.
type frameLog struct {
	disk   Disk
	base   string // path of the index
	size   int64  // of a segment
	f      File
	at     int64 // where the next frame goes
	length int64
	spare  bool
}

func segmentName(base string, first uint64) string {
	return fmt.Sprintf("%s%s%016x", base, suffixLog, first)
}

// room tells whether a frame fits into the present segment.
func (l *frameLog) room(frame []byte) bool { return l.f != nil && l.at+int64(len(frame)) <= l.length }

// half tells that the present segment is more than half full.
func (l *frameLog) half() bool { return l.at > l.length/2 }

// append writes a frame that there is room for, and flushes it.
func (l *frameLog) append(frame []byte) error {
	if _, err := l.f.WriteAt(frame, l.at); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("flush log: %w", err)
	}
	l.at += int64(len(frame))
	return nil
}

// prepare makes the next segment, if there is none, of a length that a frame
// of so many bytes fits into.
func (l *frameLog) prepare(frame int64) error {
	if l.spare && frame <= l.size {
		return nil
	}
	return l.makeNext(max(l.size, frame))
}

// prepareAny is prepare, with a short segment where there is no room for more.
func (l *frameLog) prepareAny(frame int64) error {
	err := l.prepare(frame)
	if short := max(segmentShort, frame); isFull(err) && short < l.size {
		err = l.makeNext(short)
	}
	return err
}

func (l *frameLog) makeNext(length int64) error {
	name := l.base + suffixSpare + suffixNew
	f, err := l.disk.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	err = writeZeros(f, 0, length)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = l.disk.Rename(name, l.base+suffixSpare)
	}
	if err != nil {
		return errors.Join(err, l.disk.Remove(name))
	}
	l.spare = true
	return nil
}

func writeZeros(f File, from, to int64) error {
	zeros := make([]byte, min(zeroBytes, max(0, to-from)))
	for at := from; at < to; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), to-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// rotate begins the next segment with a frame that knows how long it is; need
// is how many bytes have to fit after it.
func (l *frameLog) rotate(first uint64, need int64, begin func(length int64) []byte) error {
	if err := l.prepareAny(frameAlign + need); err != nil {
		return err
	}
	name := l.base + suffixSpare
	f, err := l.disk.Open(name, os.O_RDWR)
	if err != nil {
		return err
	}
	length, err := f.Size()
	frame := begin(length)
	if err == nil {
		_, err = f.WriteAt(frame, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.disk.Rename(name, segmentName(l.base, first))
	}
	if err == nil {
		err = l.disk.SyncDir(filepath.Dir(l.base))
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.spare = false
	old := l.f
	l.f, l.at, l.length = f, int64(len(frame)), length
	if old != nil {
		return old.Close()
	}
	return nil
}

func (l *frameLog) close() error {
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

// segment is a file of the log as it was found.
type segment struct {
	name   string
	first  uint64 // by its name
	frames []frameRef
	end    int64 // behind the last whole frame
	length int64
}

// segments lists the log of an index by the numbers in the names.
func segments(base string) ([]segment, error) {
	entries, err := os.ReadDir(filepath.Dir(base))
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), filepath.Base(base)+suffixLog)
		if !ok || len(digits) != 16 {
			continue
		}
		if first, err := strconv.ParseUint(digits, 16, 64); err == nil {
			out = append(out, segment{name: filepath.Join(filepath.Dir(base), e.Name()), first: first})
		}
	}
	slices.SortFunc(out, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return out, nil
}

// scan finds every whole frame of a segment, also behind one that is damaged.
func (s *segment) scan(disk Disk) error {
	f, err := disk.Open(s.name, os.O_RDONLY)
	if err != nil {
		return err
	}
	length, err := f.Size()
	var b []byte
	if err == nil {
		b = make([]byte, length)
		_, err = io.ReadFull(io.NewSectionReader(f, 0, length), b)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.length, s.frames, s.end = length, nil, 0
	for at := int64(0); at < length; {
		frame, ok := frameAt(b[at:])
		if !ok {
			at += frameAlign
			continue
		}
		frame.at = at
		s.frames = append(s.frames, frame)
		at += frameLen(len(frame.payload))
		s.end = at
	}
	return nil
}
