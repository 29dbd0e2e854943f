// Package secretfile writes files that only their owner and the service may
// read, each as a whole or not at all.
package secretfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"kassad/owner"
)

// Mode is that of a file with a secret in it.
const Mode = 0o600

// Create writes a file that is not there yet. The error is fs.ErrExist if it
// is. Root writes it for the owner of the folder.
func Create(path string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	owner.Inherit(f)
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	return errors.Join(f.Sync(), f.Close())
}

// Replace writes a file in the place of another one, whose mode and owners it
// keeps, so that a service which could read it still can. Without one before,
// it has mode, and is the folder's owner's.
func Replace(path string, text []byte, mode fs.FileMode) error {
	before, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when the rename took it away
	if before == nil {
		owner.Inherit(f)
	} else {
		mode = before.Mode().Perm()
		if err := owner.Copy(f.Name(), before); err != nil {
			return errors.Join(fmt.Errorf("owner of %s: %w", path, err), f.Close())
		}
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
