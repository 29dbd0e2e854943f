// Package spooltest has a disk that fails as disks do: it loses what was not
// flushed when the power goes, tears sectors, fails a flush, is full or slow.
// The files themselves are real, because bbolt maps them; the Disk keeps what
// each of them holds durably beside them in memory.
//
// It serves tests and the emulated shop.
package spooltest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"kassad/spool"
)

// ErrKilled is what everything answers after Kill, to the store that was using
// the disk then.
var ErrKilled = errors.New("spooltest: the process was killed")

// ErrFlush is what a flush answers that FailFlush has chosen.
var ErrFlush = errors.New("spooltest: the flush failed")

// Settings that make small stores meet what large ones do.
const (
	segmentBytes = 64 << 10
	copyBytes    = 256 << 10
)

// Disk is a folder of files. One store uses it at a time: after Kill or
// PowerLoss the old store has to be closed, and what it still does reaches
// nothing; Options is asked again for the next.
type Disk struct {
	dir string

	mu      sync.Mutex
	life    *life
	files   map[string]*tracked // by path
	names   []nameOp            // not durable yet
	full    bool
	failIn  int // flushes until one fails; 0: none
	killIn  int // writes until the kill; 0: none
	onKill  func()
	onFlush func()
	flushes int
	writes  int
}

// life is one use of the disk, from Options to Kill.
type life struct {
	d    *Disk
	dead bool
}

// tracked is one file: what is durable of it. What the process sees is in the
// real file.
type tracked struct {
	path    string
	durable []byte
}

// nameOp undoes a change of names that was not durable.
type nameOp struct{ undo func() error }

// NewDisk is a disk over a folder. What is in it already is durable.
func NewDisk(dir string) *Disk {
	return &Disk{dir: dir, files: map[string]*tracked{}}
}

// Options are those of a store on this disk. Its segments and copies are small,
// so that tests come by their ends often.
func (d *Disk) Options() spool.Options {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life == nil || d.life.dead {
		d.life = &life{d: d}
	}
	return spool.Options{Disk: d.life, SegmentBytes: segmentBytes, CopyBytes: copyBytes}
}

// Replaced says that somebody else has changed the files while no store used
// them: what is there now is durable.
func (d *Disk) Replaced() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.files)
	d.names = nil
}

// OnFlush has hook called before each flush, by the goroutine that flushes. It
// may wait: a slow disk.
func (d *Disk) OnFlush(hook func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onFlush = hook
}

// SetFull makes the disk full, or not: files cannot grow, and none can be made.
func (d *Disk) SetFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// FailFlush makes the n-th flush from now fail, from 1 on; 0 forgets it. What
// it should have made durable stays in doubt.
func (d *Disk) FailFlush(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failIn = n
}

// Kill ends the store that uses the disk, as kill -9 does: what it wrote stays,
// nothing that it does from now on reaches the files.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill()
}

// KillAt is Kill at the n-th change of a file or name from now, from 1 on, in
// the middle of that change. hook, if not nil, is called then, by who writes.
func (d *Disk) KillAt(n int, hook func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.killIn, d.onKill = n, hook
}

// Writes is how many changes of files and names there were, and Flushes how
// many times something was made durable.
func (d *Disk) Writes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

// Flushes is how many times something was made durable.
func (d *Disk) Flushes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flushes
}

func (d *Disk) kill() {
	if d.life != nil {
		d.life.dead = true
	}
	d.killIn, d.onKill = 0, nil
}

// begin takes the lock for a change. It tells whether the kill falls in this
// change; the change is then made in part, and the caller answers ErrKilled.
func (l *life) begin() (killed bool, err error) {
	l.d.mu.Lock()
	if l.dead {
		return false, ErrKilled
	}
	l.d.writes++
	if l.d.killIn > 0 {
		l.d.killIn--
		killed = l.d.killIn == 0
	}
	return killed, nil
}

// end gives the lock back.
func (l *life) end(killed bool) {
	hook := l.d.onKill
	if killed {
		l.d.kill()
	}
	l.d.mu.Unlock()
	if killed && hook != nil {
		hook()
	}
}

// flush is what all flushes have in common; durable notes what they achieve.
func (l *life) flush(do func() error, durable func() error) error {
	l.d.mu.Lock()
	dead, hook := l.dead, l.d.onFlush
	l.d.mu.Unlock()
	if dead {
		return ErrKilled
	}
	if hook != nil {
		hook()
	}
	killed, err := l.begin()
	defer func() { l.end(killed) }()
	switch {
	case err != nil:
		return err
	case killed:
		return ErrKilled
	}
	if l.d.failIn > 0 {
		if l.d.failIn--; l.d.failIn == 0 {
			return ErrFlush
		}
	}
	l.d.flushes++
	if err := do(); err != nil {
		return err
	}
	return durable()
}

// track notes what a file holds durably before it is changed for the first
// time.
func (d *Disk) track(path string) (*tracked, error) {
	if t := d.files[path]; t != nil {
		return t, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &tracked{path: path, durable: content}
	d.files[path] = t
	return t, nil
}

// Open implements spool.Disk.
func (l *life) Open(name string, flag int) (_ spool.File, err error) {
	changes := flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC) != 0
	if !changes {
		f, err := os.OpenFile(name, flag, 0o600)
		if err != nil {
			return nil, err
		}
		return &file{File: f, l: l}, nil
	}
	killed, err := l.begin()
	defer func() { l.end(killed) }()
	if err != nil || killed {
		return nil, errors.Join(ErrKilled, err)
	}
	_, statErr := os.Stat(name)
	isNew := errors.Is(statErr, os.ErrNotExist)
	if isNew && flag&os.O_CREATE != 0 {
		if l.d.full {
			return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
		}
		l.d.names = append(l.d.names, nameOp{func() error {
			delete(l.d.files, name)
			return os.Remove(name)
		}})
	} else if statErr == nil {
		if _, err := l.d.track(name); err != nil { // before O_TRUNC
			return nil, err
		}
	}
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	t, err := l.d.track(name)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{File: f, l: l, t: t}, nil
}

// Rename implements spool.Disk.
func (l *life) Rename(from, to string) (err error) {
	killed, err := l.begin()
	defer func() { l.end(killed) }()
	if err != nil || killed {
		return errors.Join(ErrKilled, err)
	}
	restore, err := l.d.lift(to)
	if err != nil {
		return err
	}
	moved, err := l.d.track(from)
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	delete(l.d.files, from)
	l.d.files[to], moved.path = moved, to
	l.d.names = append(l.d.names, nameOp{func() error {
		delete(l.d.files, to)
		l.d.files[from], moved.path = moved, from
		return errors.Join(os.Rename(to, from), restore())
	}})
	return nil
}

// Remove implements spool.Disk.
func (l *life) Remove(name string) (err error) {
	killed, err := l.begin()
	defer func() { l.end(killed) }()
	if err != nil || killed {
		return errors.Join(ErrKilled, err)
	}
	restore, err := l.d.lift(name)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l.d.names = append(l.d.names, nameOp{restore})
	return nil
}

// lift remembers a file that is about to lose its name.
func (d *Disk) lift(name string) (restore func() error, err error) {
	content, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	t, err := d.track(name)
	if err != nil {
		return nil, err
	}
	delete(d.files, name)
	return func() error {
		d.files[name], t.path = t, name
		return os.WriteFile(name, content, 0o600)
	}, nil
}

// SyncDir implements spool.Disk.
func (l *life) SyncDir(string) error {
	return l.flush(func() error { return nil }, func() error { l.d.names = nil; return nil })
}

// Commit implements spool.Disk. A kill falls before it or after it: in the
// middle bbolt cannot be stopped.
func (l *life) Commit(index string, write func() error) (err error) {
	killed, err := l.begin()
	defer func() { l.end(killed) }()
	if err != nil {
		return err
	}
	if _, err := l.d.track(index); err != nil {
		return err
	}
	if killed && l.d.writes%2 == 0 {
		return ErrKilled
	}
	before, err := size(index)
	if err == nil {
		err = write()
	}
	after, statErr := size(index)
	switch {
	case killed:
		return ErrKilled
	case err == nil && l.d.full && after > before:
		return &os.PathError{Op: "write", Path: index, Err: syscall.ENOSPC}
	}
	return errors.Join(err, statErr)
}

func size(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// SyncIndex implements spool.Disk.
func (l *life) SyncIndex(index string, sync func() error) error {
	return l.flush(sync, func() error {
		t, err := l.d.track(index)
		if err == nil {
			t.durable, err = os.ReadFile(index)
		}
		return err
	})
}

// file is an open file of a life.
type file struct {
	*os.File
	l *life
	t *tracked // nil: read only
}

func (f *file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// WriteAt implements spool.File. A full disk takes what fits into the present
// length, as a file system does.
func (f *file) WriteAt(b []byte, at int64) (n int, err error) {
	killed, err := f.l.begin()
	defer func() { f.l.end(killed) }()
	if err != nil {
		return 0, err
	}
	if killed {
		n, err := f.File.WriteAt(b[:len(b)/2], at)
		return n, errors.Join(ErrKilled, err)
	}
	length, err := f.Size()
	if err == nil && f.l.d.full && at+int64(len(b)) > length {
		n, err = f.File.WriteAt(b[:min(int64(len(b)), max(0, length-at))], at)
		return n, errors.Join(&os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}, err)
	}
	if err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, at)
}

func (f *file) Sync() error {
	return f.l.flush(func() error { return nil }, func() error {
		content, err := io.ReadAll(io.NewSectionReader(f.File, 0, 1<<40))
		f.t.durable = content
		return err
	})
}

// Dir is the folder.
func (d *Disk) Dir() string { return filepath.Clean(d.dir) }
