package daemon

import (
	"testing"
	"time"

	"kassad/spool"
	"kassad/spool/spooltest"
)

// A start is counted if the journal has it, and only then: one that a full disk had
// no room for bears the number of the one before, and who this node is stays.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	s, disk := spoolOnDisk(t)
	first, err := establish(s, time.Now())
	if err != nil || first.Epoch != 1 || !first.counted || first.Instance == "" {
		t.Fatalf("the first: %+v, %v", first, err)
	}
	disk.SetFull(true)
	fill(t, s)
	full, err := establish(s, time.Now())
	if err != nil || full.Epoch != 1 || full.counted || full.Instance != first.Instance || full.boot == first.boot {
		t.Errorf("on a full disk: %+v, %v", full, err)
	}
	disk.SetFull(false)
	again, err := establish(s, time.Now())
	if err != nil || again.Epoch != 2 || !again.counted || again.Instance != first.Instance {
		t.Errorf("with room again: %+v, %v", again, err)
	}
}

// spoolOnDisk is a store on a disk that can be full.
func spoolOnDisk(t *testing.T) (*spool.Spool, *spooltest.Disk) {
	t.Helper()
	dir := t.TempDir()
	disk := spooltest.NewDisk(dir)
	s, err := spool.Open(storePath(dir), disk.Options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, disk
}

// fill uses up what a full disk has kept for what is in hand.
func fill(t *testing.T, s *spool.Spool) {
	t.Helper()
	for _, size := range []int{30_000, 1000, 100, 1} {
		var err error
		for err == nil {
			err = s.Update(func(tx *spool.Tx) error { return tx.PutMeta("filler", make([]byte, size)) })
		}
		if !spool.NoRoom(err) {
			t.Fatal(err)
		}
	}
}
