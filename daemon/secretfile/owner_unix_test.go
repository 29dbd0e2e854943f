//go:build unix

package secretfile_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"kassad/daemon/secretfile"
)

// A service that could read the file before still can: mode and group stay.
func TestReplaceKeepsReaders(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := secretfile.Replace(path, []byte("one"), secretfile.Mode); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != secretfile.Mode {
		t.Fatal(info, err)
	}
	gid := os.Getegid()
	if os.Geteuid() == 0 {
		gid = 54321 // who is not root may not give a file away
	}
	if err := os.Chown(path, -1, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := secretfile.Replace(path, []byte("two"), secretfile.Mode); err != nil {
		t.Fatal(err)
	}
	info, err = os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 || int(info.Sys().(*syscall.Stat_t).Gid) != gid {
		t.Errorf("mode %v, %+v, %v", info.Mode(), info.Sys(), err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "two" {
		t.Errorf("%q %v", text, err)
	}
}
