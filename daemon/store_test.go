package daemon

import (
	"os"
	"testing"
	"time"

	"kassad/spool"
)

// A damaged journal is set aside and a new one is opened: the shop goes on.
func TestDamagedStoreIsSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, aside, err := openStore(dir, spool.Options{}, time.Unix(1, 0))
	if err != nil || aside != "" {
		t.Fatalf("a new store: %q, %v", aside, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(storePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(storePath(dir), make([]byte, info.Size()), 0o600); err != nil {
		t.Fatal(err)
	}
	s, aside, err = openStore(dir, spool.Options{}, time.Unix(1, 0))
	if err != nil || aside == "" {
		t.Fatalf("a damaged store: %q, %v", aside, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(aside); err != nil {
		t.Errorf("the damaged file is gone: %v", err)
	}
	if faults, err := spool.Check(storePath(dir)); err != nil || len(faults) > 0 {
		t.Errorf("the new store: %v, %v", faults, err)
	}
}
