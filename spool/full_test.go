package spool_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kassad/fiscal"
	"kassad/spool"
	"kassad/spool/spooltest"
)

// TestDiskFull: when the disk is full new commands are refused, what is in hand
// is finished, nothing is half-written, and when there is room again it goes on
// by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		disk := spooltest.NewDisk(dir)
		path := filepath.Join(dir, "kassad.db")
		s, err := spool.Open(path, disk.Options())
		if err != nil {
			t.Fatal(err)
		}
		var sold []fiscal.Record
		sell := func() error {
			var r fiscal.Record
			err := s.Update(func(tx *spool.Tx) (err error) {
				if r, _, err = tx.Accept(spool.Sale(fmt.Sprintf("sale-%04d", len(sold)))); err != nil {
					return err
				}
				return tx.Send(spool.Message{Link: "local", Topic: "evt", Payload: make([]byte, 3000)})
			})
			if err == nil {
				sold = append(sold, r)
			}
			return err
		}
		for range 20 {
			if err := sell(); err != nil {
				t.Fatal(err)
			}
		}
		disk.SetFull(true)
		for range 2000 {
			if err = sell(); err != nil {
				break
			}
		}
		if !errors.Is(err, spool.ErrFull) || errors.Is(err, spool.ErrStore) || !s.Full() {
			t.Fatalf("a full disk: %v, full %v", err, s.Full())
		}
		// Those that are in hand have a reserve.
		for i, r := range sold[:15] {
			r.State, r.Baseline = fiscal.Working, &fiscal.Baseline{Storage: "9999078900012345"}
			err := s.Update(func(tx *spool.Tx) error { return tx.Put(r) })
			if err == nil {
				r = spool.DoneSale(r, uint32(i+1))
				err = s.Update(func(tx *spool.Tx) error { return tx.Put(r) })
			}
			if err != nil {
				t.Fatalf("what is in hand, %d: %v", i, err)
			}
		}
		if err := sell(); !errors.Is(err, spool.ErrFull) {
			t.Errorf("a new command: %v", err)
		}
		// A start on the full disk.
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = spool.Open(path, disk.Options()); err != nil {
			t.Fatal(err)
		}
		disk.SetFull(false)
		<-time.After(3 * time.Second)
		if err := sell(); err != nil || s.Full() {
			t.Errorf("with room again: %v", err)
		}
		if r := s.Recovery(); r.Why != "" {
			t.Errorf("recovery: %+v", r)
		}
		ids := len(sold)
		if err := s.View(func(tx *spool.Tx) error {
			all, err := tx.Records(0, 1<<20)
			if len(all) != ids {
				t.Errorf("%d sales, were %d", len(all), ids)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if faults, err := spool.Check(path); err != nil || len(faults) > 0 {
			t.Error(faults, err)
		}
	})
}

// fullAtCommit is a disk that has no room for what bbolt writes by itself, although
// its place was made before: a file system that copies on write.
type fullAtCommit struct {
	spool.Disk
	full bool
}

func (d *fullAtCommit) Commit(index string, write func() error) error {
	if d.full {
		return syscall.ENOSPC
	}
	return d.Disk.Commit(index, write)
}

// TestFullAtCommit: a change that is in the log and finds no room in the index is
// made by the next start. Until then the store answers nothing: whoever took that
// for a full disk, on which nothing has happened, would refuse what is kept, or
// wait for ever.
func TestFullAtCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options := spooltest.NewDisk(dir).Options()
	disk := &fullAtCommit{Disk: options.Disk}
	options.Disk = disk
	path := filepath.Join(dir, "kassad.db")
	s, err := spool.Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	disk.full = true
	for range 2 { // the second finds the store ended
		err := s.Update(func(tx *spool.Tx) error {
			_, _, err := tx.Accept(spool.Sale("sale"))
			return err
		})
		if !errors.Is(err, spool.ErrStore) || errors.Is(err, spool.ErrFull) || spool.NoRoom(err) {
			t.Errorf("%v; no room: %t", err, spool.NoRoom(err))
		}
	}
	_ = s.Close() // it says so again
	disk.full = false
	s, err = spool.Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(func(tx *spool.Tx) error {
		if _, found, err := tx.ByID("sale"); err != nil || !found {
			t.Errorf("after a start: %t, %v", found, err)
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Error(err)
	}
}

// TestFailedFlush: nothing is answered that is not on the disk, and the store
// answers nothing more.
func TestFailedFlush(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 12; n++ {
		dir := t.TempDir()
		disk := spooltest.NewDisk(dir)
		path := filepath.Join(dir, "kassad.db")
		s, err := spool.Open(path, disk.Options())
		if err != nil {
			t.Fatal(err)
		}
		disk.FailFlush(n)
		acked := 0
		for err == nil {
			err = s.Update(func(tx *spool.Tx) error {
				_, _, err := tx.Accept(spool.Sale(fmt.Sprint("sale-", acked)))
				return err
			})
			if err == nil {
				acked++
			}
		}
		if !errors.Is(err, spool.ErrStore) || acked != max(0, n-2) { // the first flush is that of the room for the index
			t.Fatalf("flush %d: %v after %d", n, err, acked)
		}
		if err := s.View(func(*spool.Tx) error { return nil }); !errors.Is(err, spool.ErrStore) {
			t.Errorf("view: %v", err)
		}
		disk.Kill()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFormerRelease: a store of the release without a log opens with all that
// it has, also when the power goes while it is taken over.
func TestFormerRelease(t *testing.T) {
	t.Parallel()
	content := formerRelease(t)
	writes := 0 // of a whole take-over: most are those of the backup
	for n := range 24 {
		kill := max(n, writes-24+n) * min(n, 1) // 0: none, then the last
		if n > 0 && n < 4 {
			kill = n * writes / 5
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "kassad.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		disk := spooltest.NewDisk(dir)
		opt := disk.Options()
		disk.KillAt(kill, nil)
		if s, err := spool.Open(path, opt); err == nil {
			if n == 0 {
				writes = disk.Writes()
			}
			_ = s.Close() // it may be killed
		}
		disk.Kill()
		s, err := spool.Open(path, disk.Options())
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Recovery(); r.Why != "" {
			t.Errorf("killed at %d: %+v", kill, r)
		}
		former(t, s)
		if f, err := spool.ReadFormat(path + ".format-1"); err != nil || f.Store != 1 {
			t.Errorf("killed at %d: the backup is %+v %v", kill, f, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if faults, err := spool.Check(path); err != nil || len(faults) > 0 {
			t.Error(faults, err)
		}
	}
}

// formerRelease is the index of a store of the release without a log.
func formerRelease(t *testing.T) []byte {
	t.Helper()
	packed, err := os.ReadFile("testdata/format1.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestNoRoomForTheBackup: without a backup nothing is taken over, and the
// former release still has its store.
func TestNoRoomForTheBackup(t *testing.T) {
	t.Parallel()
	content, dir := formerRelease(t), t.TempDir()
	path := filepath.Join(dir, "kassad.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	disk := spooltest.NewDisk(dir)
	disk.SetFull(true)
	if s, err := spool.Open(path, disk.Options()); err == nil {
		t.Error("opened")
		_ = s.Close()
	} else if !spool.NoRoom(err) || !strings.Contains(err.Error(), "kassad.db.format-1 before it is taken over") {
		t.Error(err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
		t.Errorf("%d bytes, were %d: %v", len(now), len(content), err)
	}
	disk.SetFull(false)
	s, err := spool.Open(path, disk.Options())
	if err != nil {
		t.Fatal(err)
	}
	former(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// former looks for what testdata/format1.db.gz holds.
func former(t *testing.T, s *spool.Spool) {
	t.Helper()
	err := s.View(func(tx *spool.Tx) error {
		for i := range 12 {
			if r, ok, err := tx.ByID(fmt.Sprintf("sold-%02d", i)); !ok || err != nil || r.State != fiscal.Done || r.Receipt.FD != uint32(i+1) {
				t.Errorf("sold-%02d: %+v %v", i, r, err)
			}
		}
		queue, err := tx.Queue("front")
		if err != nil || len(queue) != 1 || queue[0].ID != "waits" {
			t.Errorf("queue: %v %v", queue, err)
		}
		var n int
		if found, err := tx.Meta("setting", &n); !found || err != nil || n != 42 {
			t.Errorf("setting: %d %v", n, err)
		}
		waiting, err := tx.OutboxCount()
		last, lerr := tx.LastFD("9999078900012345")
		if waiting != 3 || last != 99 || !tx.Tombstoned("buried") || tx.LastEvent() != 1 {
			t.Errorf("outbox %d, last FD %d, event %d, %v %v", waiting, last, tx.LastEvent(), err, lerr)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
