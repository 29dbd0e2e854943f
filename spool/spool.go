package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"kassad/filelock"
)

// Errors of the store.
var (
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("the store is in use by another kassad: one data_dir serves one daemon")
	// ErrNewer: a newer kassad wrote the file.
	ErrNewer = errors.New("the store was written by a newer kassad")
	// ErrDamaged: what is on disk is not what was written. The file has to be
	// set aside and rebuilt.
	ErrDamaged = errors.New("the store is damaged")
	// ErrStore: a write did not reach the disk, or nobody can tell. The spool
	// answers nothing else from then on; the process has to exit.
	ErrStore = errors.New("the store cannot be written")
	// ErrFull: the disk has no room. Nothing of the update is stored, and the
	// spool goes on; Full tells when there is room again.
	ErrFull = errors.New("the disk is full")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("the store is closed")
)

// Errors of what was asked to be stored; they undo one callback only.
var (
	// ErrInvalid: the record breaks a rule of its own.
	ErrInvalid = errors.New("invalid record")
	// ErrTaken: the fiscal document belongs to another record, or differs from
	// what the journal holds under its number.
	ErrTaken = errors.New("fiscal document is taken")
	// ErrSeen: a tombstone for an id that has a record.
	ErrSeen = errors.New("command id has a record")
)

// Versions of the layout (doc.go).
const (
	formatAlone = 1 // an index without a log
	format      = 2
)

// Options are the settings of a Spool. The zero value is the product's.
type Options struct {
	// LockWait is how long Open waits for another process to let go; zero is
	// lockWaitDefault.
	LockWait time.Duration
	// Disk is what the files are changed through; nil is the computer's own.
	Disk Disk
	// SegmentBytes is the length of a file of the log; zero is segmentBytes.
	SegmentBytes int
	// CopyBytes is how much the log may grow until the next copy of the index
	// is made; zero is copyBytes.
	CopyBytes int64
	// OnDamage is told once of damage that is found while the store works. A
	// mark is left then, and the next Open mends it; nil tells nobody.
	OnDamage func(error)
}

// Spool is the open store. Its methods may be called by any goroutine.
type Spool struct {
	path     string
	at       string // of the index: path, or beside it while it is made again
	opt      Options
	disk     Disk
	lock     *filelock.Lock
	recovery Recovery

	mapMu    sync.RWMutex // db changes under it
	db       *bolt.DB
	file     *os.File // bbolt's
	raw      File     // the same file, for what bbolt does not do
	mapBytes int
	real     int64 // how much of the index has its place on the disk

	// Of the writer.
	log      frameLog
	lineage  uint64
	number   uint64      // of the last frame
	applied  uint64      // the last frame with changes
	pin      *bolt.Tx    // holds the pages of the last checkpoint
	clean    bool        // the last checkpoint is closed, and nothing came after it
	healing  bool        // Open makes the index from something else than the checkpoint
	needless func() bool // the damaged index is of no use: what is made instead is whole without it; nil: no
	mapLeast int
	full     atomic.Bool

	requests chan *request
	acked    chan struct{} // Sent has something for the writer
	closing  chan struct{}
	stopped  chan struct{}         // the writer has ended
	kept     chan struct{}         // the keeper has ended
	copying  chan struct{}         // one copy at a time
	copyDue  chan struct{}         // the log has grown
	close    sync.Once             // of closing
	closed   sync.Once             // of db
	wedged   bool                  // a transaction could not be ended; read after stopped
	fault    atomic.Pointer[error] // set once: the spool is poisoned
	hurt     sync.Once             // of the mark for the next Open

	mu   sync.Mutex
	sent map[uint64]struct{} // acknowledged, still on disk
}

// Open opens the store at path, and creates it if there is none. One that is
// damaged is mended: Recovery tells how.
func Open(path string, opt Options) (*Spool, error) {
	s := &Spool{
		path: path, at: path, opt: opt, disk: opt.Disk, requests: make(chan *request), acked: make(chan struct{}, 1),
		closing: make(chan struct{}), stopped: make(chan struct{}), kept: make(chan struct{}), copyDue: make(chan struct{}, 1), copying: make(chan struct{}, 1), sent: map[uint64]struct{}{},
	}
	if s.disk == nil {
		s.disk = ownDisk{}
	}
	if s.opt.LockWait == 0 {
		s.opt.LockWait = lockWaitDefault
	}
	s.log = frameLog{disk: s.disk, base: path, size: int64(opt.SegmentBytes)}
	if s.log.size == 0 {
		s.log.size = segmentBytes
	}
	if s.opt.CopyBytes == 0 {
		s.opt.CopyBytes = copyBytes
	}
	var err error
	if s.lock, err = lockStore(path, s.opt.LockWait, os.O_RDWR|os.O_CREATE); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", path, err)
	}
	if err := s.recover(); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", path, errors.Join(err, s.giveUp()))
	}
	go s.write()
	go s.keep()
	return s, nil
}

// Recovery tells what Open found.
func (s *Spool) Recovery() Recovery { return s.recovery }

// Full tells that the disk has no room: new commands are refused with ErrFull.
// It ends by itself when there is room again.
func (s *Spool) Full() bool { return s.full.Load() }

// Close finishes the updates in hand and closes the files.
func (s *Spool) Close() error {
	var err error
	s.close.Do(func() { close(s.closing) })
	<-s.stopped
	<-s.kept
	s.closed.Do(func() {
		if s.poison() == nil {
			err = s.finish()
		}
		s.mapMu.Lock()
		defer s.mapMu.Unlock()
		err = errors.Join(err, s.giveUp())
	})
	return err
}

// finish leaves nothing to replay.
func (s *Spool) finish() error {
	if s.clean {
		return nil
	}
	err := guarded(func() error {
		return s.disk.Commit(s.at, func() error {
			return s.db.Update(func(b *bolt.Tx) error { return s.stamp(b, s.applied, true) })
		})
	})
	if err == nil {
		err = s.checkpoint(true, 0)
	}
	if isFull(err) {
		return nil // the next start has something to replay
	}
	return err
}

// giveUp closes what is open.
func (s *Spool) giveUp() error {
	return errors.Join(s.closeIndex(), s.log.close(), s.lock.Release())
}

func (s *Spool) closeIndex() error {
	var errs []error
	if s.pin != nil {
		errs = append(errs, guarded(s.pin.Rollback))
		s.pin = nil
	}
	if s.db != nil && s.wedged {
		// bbolt would wait for the transaction that broke for ever. Its map stays
		// until the process ends, and would keep the lock.
		filelock.LetGo(s.file)
		errs = append(errs, s.file.Close())
	} else if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	s.db, s.wedged = nil, false
	if s.raw != nil {
		errs = append(errs, s.raw.Close())
		s.raw = nil
	}
	return errors.Join(errs...)
}

// read runs fn on the index under its present map.
func (s *Spool) read(fn func(b *bolt.Tx) error) error {
	if err := s.poison(); err != nil {
		return err
	}
	s.mapMu.RLock()
	defer s.mapMu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	err := guarded(func() error { return s.db.View(fn) })
	if errors.Is(err, ErrDamaged) {
		s.damage(err)
	}
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// View reads the state as of the last commit. fn must not keep tx, and must
// not call Update or View.
func (s *Spool) View(fn func(tx *Tx) error) error {
	return s.read(func(b *bolt.Tx) error {
		tx := &Tx{s: s, b: b}
		defer tx.end()
		return fn(tx)
	})
}

// Backup writes a copy of the store as it is now; writers go on meanwhile.
func (s *Spool) Backup(w io.Writer) (n int64, err error) {
	err = s.read(func(b *bolt.Tx) (err error) {
		n, err = b.WriteTo(w)
		return err
	})
	if err != nil {
		return n, fmt.Errorf("back up spool: %w", err)
	}
	return n, nil
}

// poison returns the error that ended the spool, or nil.
func (s *Spool) poison() error {
	if p := s.fault.Load(); p != nil {
		return *p
	}
	return nil
}
