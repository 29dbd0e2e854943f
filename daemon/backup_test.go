package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// Two requests of one moment take one name: the second is refused, and leaves the
// copy of the first alone.
func TestBackupsOfOneMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where time stands still
		d := &Daemon{spool: bareJournal(t, storedFN).spool}
		d.cfg.DataDir = t.TempDir()
		made, err := d.backup()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.backup(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over another one: %v", err)
		}
		first := made.(map[string]any)
		if info, err := os.Stat(first["file"].(string)); err != nil || info.Size() != first["bytes"] {
			t.Errorf("what is left of the first: %v, %v", info, err)
		}
		half := filepath.Join(t.TempDir(), "half.db")
		if err := d.spool.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.copyStore(half); err == nil {
			t.Error("a store that is closed was copied")
		}
		if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("half a copy stays: %v", err)
		}
	})
}
