package spool

import (
	"os"
	"syscall"
)

// syncData flushes the contents of a file, and its length if it has grown. Its
// times may follow later.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
