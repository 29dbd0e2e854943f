//go:build !windows

package spool

import (
	"os"

	"kassad/owner"
)

// openFile is os.OpenFile. What root opens to write in the folder of the service
// stays, or becomes, the service's.
func openFile(name string, flag int) (*os.File, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err == nil && flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		owner.Inherit(f)
	}
	return f, err
}

func renameFile(from, to string) error { return os.Rename(from, to) }

func removeFile(name string) error { return os.Remove(name) }
