package sim

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// journalFiles are the files of a journal as they lie on the disk: index, log
// and copy. Read while the daemon runs, they are what a kill would leave; the
// index comes first, so that the log is never the older.
type journalFiles map[string][]byte

func readJournal(t *testing.T, dir string) journalFiles {
	t.Helper()
	files := journalFiles{}
	for _, name := range journalNames(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) { // a segment that is over
			continue
		}
		if err != nil {
			t.Error(err)
		}
		files[name] = b
	}
	return files
}

// put makes the files those of a journal that nobody has open; none is a
// journal that is gone.
func (files journalFiles) put(t *testing.T, dir string) {
	t.Helper()
	for _, name := range journalNames(t, dir) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// journalNames lists them in the order of their names.
func journalNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		if ok, _ := filepath.Match("kassad.db*", e.Name()); ok && e.Name() != "kassad.db.lock" {
			names = append(names, e.Name())
		}
	}
	return names
}
