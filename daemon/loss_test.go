package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
)

// TestLostJournal: what is damaged, removed or put back is made again from what
// is left; if nothing is, commands of before are known to be in question.
func TestLostJournal(t *testing.T) {
	t.Parallel()
	type end struct{ lost, told bool }
	for name, row := range map[string]struct {
		spoil func(t *testing.T, dir string, old map[string][]byte)
		want  end
	}{
		"nothing":            {func(*testing.T, string, map[string][]byte) {}, end{}},
		"damaged":            {func(t *testing.T, dir string, _ map[string][]byte) { write(t, storePath(dir), []byte("garbage")) }, end{told: true}},
		"index removed":      {func(t *testing.T, dir string, _ map[string][]byte) { remove(t, storePath(dir)) }, end{told: true}},
		"index put back":     {func(t *testing.T, dir string, old map[string][]byte) { write(t, storePath(dir), old["kassad.db"]) }, end{told: true}},
		"removed":            {func(t *testing.T, dir string, _ map[string][]byte) { remove(t, storeFiles(t, dir)...) }, end{true, true}},
		"all damaged":        {damageAll, end{true, true}},
		"all files put back": {putBack, end{true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			start := func() (marked bool, alert bool) {
				cfg := DefaultConfig()
				cfg.DataDir, cfg.Broker.Listen = dir, "127.0.0.1:0"
				d, err := New(cfg, Options{Log: mqtttest.Log(t), Version: "test"})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				at, err := d.journal.rebuiltAt()
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range d.alerts.list() {
					alert = alert || a.Code == fiscal.CodeStoreRecovered
				}
				return time.Since(at) < time.Minute, alert
			}
			if marked, alert := start(); marked || alert {
				t.Fatalf("the first start: marked %v, alert %v", marked, alert)
			}
			old := map[string][]byte{}
			for _, file := range storeFiles(t, dir) {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				old[filepath.Base(file)] = content
			}
			start()
			row.spoil(t, dir, old)
			if marked, alert := start(); marked != row.want.lost || alert != row.want.told {
				t.Errorf("marked %v, alert %v", marked, alert)
			}
			if marked, alert := start(); marked != row.want.lost || alert {
				t.Errorf("the start after: marked %v, alert %v", marked, alert)
			}
			if _, err := os.Stat(filepath.Join(dir, epochFile)); err != nil {
				t.Error(err)
			}
		})
	}
}

// storeFiles are the files of the journal: index, log and copy.
func storeFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(storePath(dir) + "*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func remove(t *testing.T, files ...string) {
	t.Helper()
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func damageAll(t *testing.T, dir string, _ map[string][]byte) {
	for _, file := range storeFiles(t, dir) {
		write(t, file, []byte("garbage"))
	}
}

func putBack(t *testing.T, dir string, old map[string][]byte) {
	remove(t, storeFiles(t, dir)...)
	for name, content := range old {
		write(t, filepath.Join(dir, name), content)
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
