package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
	"kassad/spool"
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
				at, err := d.journal.lossAt()
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

// starts is a folder of data of its own, and what starts a daemon on it.
func starts(t *testing.T) (cfg Config, start func(wantLost bool) map[string][]byte) {
	cfg = DefaultConfig()
	cfg.DataDir, cfg.Broker.Listen = t.TempDir(), "127.0.0.1:0"
	return cfg, func(wantLost bool) map[string][]byte { t.Helper(); return startOn(t, cfg, wantLost) }
}

// The count of starts never goes back, so that the older of two copies that are
// put back one after the other does not hide the younger; and one that is put back
// within the start in which it was made is marked by who does it.
func TestOlderJournalAfterAnOlderOne(t *testing.T) {
	t.Parallel()
	cfg, start := starts(t)
	dir := cfg.DataDir
	first := start(false)
	second := start(false)
	third := start(false)
	putBack(t, dir, first)
	start(true)
	putBack(t, dir, third) // has counted more than the first, and not the start after it
	start(true)
	putBack(t, dir, second)
	start(true)
	last := start(false)
	putBack(t, dir, last)
	if err := NoteRestored(cfg); err != nil {
		t.Fatal(err)
	}
	start(true)
}

// The older of two journals is put back, and then the younger, which has counted as
// many starts as the one between: both are known to be old.
func TestYoungerJournalAfterAnOlderOne(t *testing.T) {
	t.Parallel()
	cfg, start := starts(t)
	dir := cfg.DataDir
	first := start(false)
	second := start(false)
	putBack(t, dir, first)
	start(true)
	putBack(t, dir, second)
	start(true)
}

// A death between the note of a file's birth and the file leaves the former one,
// which is no copy; nor is one that an older kassad has written since.
func TestBirthOfTheFormerFile(t *testing.T) {
	t.Parallel()
	j := bareJournal(t, storedFN)
	d := &Daemon{spool: j.spool, journal: j, id: identity{Epoch: 5}}
	d.cfg.DataDir = t.TempDir()
	note := func(known births) error {
		return j.spool.Update(func(tx *spool.Tx) error { return tx.PutMeta(metaBirths, known) })
	}
	is := func(copied bool, what string) {
		t.Helper()
		if got, err := d.putBack(); err != nil || got != copied {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	if err := writeEpoch(d.cfg.DataDir, 5, note); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(d.cfg.DataDir, epochFile)
	if birthOf(file) == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("the file system of the temporary folder does not say when a file was born")
		}
		t.Skip("NOT TESTED: the file system of the temporary folder does not say when a file was born")
	}
	is(false, "as it was written")
	dead := errors.New("death")
	if err := writeEpoch(d.cfg.DataDir, 5, func(known births) error { return errors.Join(note(known), dead) }); !errors.Is(err, dead) {
		t.Fatal(err)
	}
	is(false, "noted, and not put in place")
	if err := writeEpoch(d.cfg.DataDir, 5, note); err != nil {
		t.Fatal(err)
	}
	is(false, "written once more")
	remove(t, file)
	write(t, file, []byte("5\n"))
	is(true, "another file of the same count")
	d.id.Epoch = 6
	is(false, "written by a kassad that notes none")
	d.id.counted = true
	is(true, "the next start of that count")
}

// startOn is a start of the daemon, which takes the journal for a lost one or not, and
// the files that it leaves.
func startOn(t *testing.T, cfg Config, wantLost bool) map[string][]byte {
	t.Helper()
	began := time.Now()
	d, err := New(cfg, Options{Log: mqtttest.Log(t), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	at, err := d.journal.lossAt()
	if err != nil || at.Before(began) == wantLost {
		t.Errorf("lost at %v, %v; want one of now: %v", at, err, wantLost)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, file := range storeFiles(t, cfg.DataDir) {
		if files[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
