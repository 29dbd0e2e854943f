package secretfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"kassad/daemon/secretfile"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := secretfile.Create(path, []byte("one"), secretfile.Mode); err != nil {
		t.Fatal(err)
	}
	if err := secretfile.Create(path, []byte("two"), secretfile.Mode); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "one" {
		t.Errorf("%q %v", text, err)
	}
}

// A file that cannot be written leaves the one before, and no litter.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := secretfile.Replace(filepath.Join(dir, "none", "f"), []byte("x"), secretfile.Mode); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "folder", "in it"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := secretfile.Replace(filepath.Join(dir, "folder"), []byte("x"), secretfile.Mode); err == nil {
		t.Error("a folder was replaced")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
}
