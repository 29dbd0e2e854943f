package spool

import (
	"errors"
	"io"
	"os"
)

// Disk is what the store changes its files through. The zero Options use the
// computer's own; tests put one between that loses power or runs full
// (package spooltest).
//
// Renames and removals are durable after SyncDir, contents after File.Sync.
type Disk interface {
	// Open opens or makes a file, as os.OpenFile does; the mode is 0600.
	Open(name string, flag int) (File, error)
	Rename(from, to string) error
	// Remove forgets a file; one that is not there is no error.
	Remove(name string) error
	SyncDir(dir string) error
	// Commit runs write, in which bbolt writes pages of the file index by
	// itself.
	Commit(index string, write func() error) error
	// SyncIndex runs sync, which flushes those pages.
	SyncIndex(index string, sync func() error) error
}

// File is an open file of a Disk.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes what was written durable. After an error nobody can say what
	// is on disk.
	Sync() error
	Size() (int64, error)
}

// fileMode keeps receipts from other users of the computer.
const fileMode = 0o600

// NoRoom tells that an error means: the disk, or the quota on it, is used up, and
// what was asked for may be tried again. A store that has ended for want of room,
// behind its own back, is ErrStore and nothing else. It serves those who keep small
// files beside the store, too.
func NoRoom(err error) bool {
	return !errors.Is(err, ErrStore) && (errors.Is(err, ErrFull) || isFull(err))
}

// ownDisk is the computer's.
type ownDisk struct{}

func (ownDisk) Open(name string, flag int) (File, error) {
	f, err := openFile(name, flag)
	if err != nil {
		return nil, err
	}
	return ownFile{f}, nil
}

func (ownDisk) Rename(from, to string) error { return renameFile(from, to) }

func (ownDisk) Remove(name string) error {
	if err := removeFile(name); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (ownDisk) SyncDir(dir string) error { return syncDir(dir) }

func (ownDisk) Commit(_ string, write func() error) error { return write() }

func (ownDisk) SyncIndex(_ string, sync func() error) error { return sync() }

type ownFile struct{ *os.File }

func (f ownFile) Sync() error { return syncData(f.File) }

func (f ownFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
