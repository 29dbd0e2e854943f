package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
)

// TestLostJournal: whatever takes the journal away or back, commands of before
// are known to be in question.
func TestLostJournal(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, dir string, old []byte){
		"nothing": func(*testing.T, string, []byte) {},
		"damaged": func(t *testing.T, dir string, _ []byte) { write(t, storePath(dir), []byte("garbage")) },
		"removed": func(t *testing.T, dir string, _ []byte) {
			if err := os.Remove(storePath(dir)); err != nil {
				t.Fatal(err)
			}
		},
		"restored": func(t *testing.T, dir string, old []byte) { write(t, storePath(dir), old) },
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
			old, err := os.ReadFile(storePath(dir))
			if err != nil {
				t.Fatal(err)
			}
			start()
			spoil(t, dir, old)
			want := name != "nothing"
			if marked, alert := start(); marked != want || alert != want {
				t.Errorf("marked %v, alert %v", marked, alert)
			}
			if marked, alert := start(); marked != want || alert {
				t.Errorf("the start after: marked %v, alert %v", marked, alert)
			}
			if _, err := os.Stat(filepath.Join(dir, epochFile)); err != nil {
				t.Error(err)
			}
		})
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
