//go:build unix

package spool

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes renames in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// isFull tells that an error means: there is no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// allocated tells whether every byte of a file has its place on the disk.
func allocated(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Blocks)*512 >= info.Size()
}

// roomFor tells whether a copy of a file may be made: as much again has to be
// left after it.
func roomFor(dir, file string) bool {
	info, err := os.Stat(file)
	var fs syscall.Statfs_t
	if err != nil || syscall.Statfs(dir, &fs) != nil {
		return err == nil
	}
	return uint64(fs.Bavail)*uint64(fs.Bsize) > 2*uint64(info.Size())
}
