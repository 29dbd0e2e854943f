package daemon

import (
	"os"
	"testing"

	"kassad/spool"
)

// A damaged journal is made again, and the shop goes on.
func TestDamagedStoreIsMended(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() spool.Recovery {
		t.Helper()
		s, err := openStore(dir, spool.Options{}, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return s.Recovery()
	}
	if r := open(); r.Why != "" || r.Lost {
		t.Fatalf("a new store: %+v", r)
	}
	write(t, storePath(dir), make([]byte, 1<<20))
	r := open()
	if r.Why == "" || r.Lost || r.Aside == "" {
		t.Fatalf("a damaged store: %+v", r)
	}
	if _, err := os.Stat(r.Aside); err != nil {
		t.Errorf("the damaged file is gone: %v", err)
	}
	if faults, err := spool.Check(storePath(dir)); err != nil || len(faults) > 0 {
		t.Errorf("the new store: %v, %v", faults, err)
	}
}
