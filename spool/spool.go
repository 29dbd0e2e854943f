package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
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

// format is the version of the layout (doc.go).
const format = 1

// Options are the settings of a Spool. The zero value is the product's.
type Options struct {
	// LockWait is how long Open waits for another process to let go; zero is
	// lockWaitDefault.
	LockWait time.Duration
	// MaxSize bounds the file, in bytes; zero is no limit.
	MaxSize int
	// OpenFile replaces os.OpenFile; tests hand out files that fail.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)
	// Disk is what the files are changed through; nil is the computer's own.
	Disk Disk
	// SegmentBytes is the length of a file of the log; zero is segmentBytes.
	SegmentBytes int
	// CopyBytes is how much the log may grow until the next copy of the index
	// is made; zero is copyBytes.
	CopyBytes int64
}

const (
	lockWaitDefault = 200 * time.Millisecond
	// mapSize is mapped at once, so that growth below it does not wait for
	// readers. It costs addresses, not memory; a 32-bit till has few of them,
	// and Windows would make the file that long.
	mapSize = 256 << 20
)

// Spool is the open store. Its methods may be called by any goroutine.
type Spool struct {
	db       *bolt.DB
	requests chan *request
	acked    chan struct{} // Sent has something for the writer
	closing  chan struct{}
	stopped  chan struct{}         // the writer has ended
	close    sync.Once             // of closing
	closed   sync.Once             // of db
	wedged   bool                  // a transaction could not be ended; read after stopped
	fault    atomic.Pointer[error] // set once: the spool is poisoned

	mu   sync.Mutex
	sent map[uint64]struct{} // acknowledged, still on disk
}

// Open opens the store at path, and creates it if there is none.
func Open(path string, opt Options) (*Spool, error) {
	db, err := openBolt(path, opt, false)
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", path, err)
	}
	if err := guarded(func() error { return prepare(db) }); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", path, errors.Join(err, db.Close()))
	}
	s := &Spool{
		db: db, requests: make(chan *request), acked: make(chan struct{}, 1),
		closing: make(chan struct{}), stopped: make(chan struct{}), sent: map[uint64]struct{}{},
	}
	go s.write()
	return s, nil
}

// openBolt opens the file. A damaged one may make bbolt panic, or fault on
// pages that are mapped but do not exist; both come out as ErrDamaged.
func openBolt(path string, opt Options, readOnly bool) (db *bolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var file *os.File
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, damaged(p)
			if file != nil {
				_ = file.Close() // it holds the lock
			}
		}
	}()
	openFile := opt.OpenFile
	if openFile == nil {
		openFile = os.OpenFile
	}
	o := bolt.Options{
		Timeout: opt.LockWait, FreelistType: bolt.FreelistMapType, MaxSize: opt.MaxSize, ReadOnly: readOnly, PreLoadFreelist: true,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			file, err = openFile(name, flag, perm)
			return file, err
		},
	}
	if o.Timeout == 0 {
		o.Timeout = lockWaitDefault
	}
	if strconv.IntSize == 64 && runtime.GOOS != "windows" && !readOnly {
		o.InitialMmapSize = mapSize
	}
	db, err = bolt.Open(path, fileMode, &o)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, ErrLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch),
		errors.Is(err, berrors.ErrInvalidMapping):
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return nil, err
	}
	if err := guarded(func() error { return whole(db) }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
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

// prepare makes the buckets of a new file and checks the format of an old one.
// It writes nothing to a file that is in order.
func prepare(db *bolt.DB) error {
	var found []byte
	earlier := false
	err := db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketMeta))
		if b == nil {
			return nil
		}
		found = append([]byte{}, b.Get([]byte(keyFormat))...)
		earlier = tx.Bucket([]byte(bucketReports)) == nil
		return nil
	})
	switch {
	case err != nil:
		return err
	case found == nil:
		return create(db)
	case len(found) != 4:
		return fmt.Errorf("%w: no format", ErrDamaged)
	case binary.BigEndian.Uint32(found) > format:
		return fmt.Errorf("%w: its format is %d, this one knows %d", ErrNewer, binary.BigEndian.Uint32(found), format)
	case earlier:
		return db.Update(func(tx *bolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists([]byte(bucketReports))
			return err
		})
	default:
		return nil
	}
}

func create(db *bolt.DB) error {
	return db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return fmt.Errorf("create bucket %s: %w", name, err)
			}
		}
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyFormat), binary.BigEndian.AppendUint32(nil, format))
	})
}

// Close finishes the updates in hand and closes the file. Of a spool that broke
// in the middle of a transaction it leaves the file to the end of the process:
// bbolt would wait for that transaction for ever.
func (s *Spool) Close() error {
	var err error
	s.close.Do(func() { close(s.closing) })
	<-s.stopped
	if !s.wedged {
		s.closed.Do(func() { err = s.db.Close() })
	}
	return err
}

// View reads the state as of the last commit. fn must not keep tx, and must
// not call Update.
func (s *Spool) View(fn func(tx *Tx) error) error {
	if err := s.poison(); err != nil {
		return err
	}
	err := guarded(func() error {
		return s.db.View(func(b *bolt.Tx) error {
			tx := &Tx{s: s, b: b}
			defer tx.end()
			return fn(tx)
		})
	})
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// Backup writes a copy of the store as it is now; writers go on meanwhile.
func (s *Spool) Backup(w io.Writer) (n int64, err error) {
	if err := s.poison(); err != nil {
		return 0, err
	}
	err = guarded(func() error {
		return s.db.View(func(tx *bolt.Tx) (err error) {
			n, err = tx.WriteTo(w)
			return err
		})
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
