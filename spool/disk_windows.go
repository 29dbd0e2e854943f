package spool

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// syncDir does nothing: a folder cannot be flushed there, and NTFS keeps the
// order of renames in its own log.
func syncDir(string) error { return nil }

// isFull tells that an error means: there is no room.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) || errors.Is(err, syscall.ENOSPC)
}

// allocated: files there have no holes unless somebody asks for them.
func allocated(os.FileInfo) bool { return true }

// roomFor tells whether a copy of a file may be made: as much again has to be
// left after it.
func roomFor(dir, file string) bool {
	info, err := os.Stat(file)
	path, perr := windows.UTF16PtrFromString(dir)
	var free uint64
	if err != nil || perr != nil || windows.GetDiskFreeSpaceEx(path, &free, nil, nil) != nil {
		return err == nil
	}
	return free > 2*uint64(info.Size())
}
