package shtrih

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// kept is a printer that writes itself through to a file. It fails the test
// when it cannot.
func kept(t *testing.T, path string) *Printer {
	t.Helper()
	p := New(Config{})
	if err := p.Keep(path, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	return p
}

// same wants two printers to be the same to the tax office and to a host.
func same(t *testing.T, got, want *Printer) {
	t.Helper()
	a, _ := json.Marshal(got.Storage())
	b, _ := json.Marshal(want.Storage())
	if string(a) != string(b) {
		t.Errorf("storage\n%s\nwant\n%s", a, b)
	}
	if len(got.Storage().Ledger()) != len(want.Storage().Ledger()) || got.Drawer() != want.Drawer() || got.Mode() != want.Mode() {
		t.Errorf("%d documents, drawer %d, mode %02X; want %d, %d, %02X", len(got.Storage().Ledger()), got.Drawer(), got.Mode(),
			len(want.Storage().Ledger()), want.Drawer(), want.Mode())
	}
}

// A program that is killed has in its file what it has answered, command by
// command: nobody calls Save here.
func TestKeepSurvivesKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "printer.json")
	p := kept(t, path)
	day := [][]byte{message(0xE0), message(0x50, 1, 2, 3, 4, 0)}
	for range 3 {
		day = append(day, message(0x8D, 0), line(1, quantityScale, 100, 8, 4, 1, "x"), closing(1, 100))
	}
	day = append(day, message(0x41))
	for i, command := range day {
		must(t, p, command)
		q := New(Config{})
		if err := q.Load(path); err != nil {
			t.Fatalf("after command %d: %v", i, err)
		}
		q2, p2 := q.Storage().Ledger(), p.Storage().Ledger()
		if len(q2) != len(p2) || q.Drawer() != p.Drawer() || q.Mode() != p.Mode() {
			t.Fatalf("after command %d: %d documents, drawer %d, mode %02X; want %d, %d, %02X", i, len(q2), q.Drawer(), q.Mode(), len(p2), p.Drawer(), p.Mode())
		}
	}
	same(t, kept(t, path), p)
}

// The last change may be torn: its command was never answered. A file that is
// wrong elsewhere is refused.
func TestKeepTornChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "printer.json")
	p := kept(t, path)
	must(t, p, message(0xE0))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	must(t, p, message(0x41))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(before); n < len(whole)-1; n += 7 { // the last byte ends the line
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		q := New(Config{})
		if err := q.Load(path); err != nil {
			t.Fatalf("torn after %d of %d bytes: %v", n, len(whole), err)
		}
		if got := len(q.Storage().Ledger()); got != 2 || q.Mode() != modeOpen {
			t.Fatalf("torn after %d of %d bytes: %d documents, mode %02X", n, len(whole), got, q.Mode())
		}
	}
	if err := os.WriteFile(path, append(before, "no change\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if New(Config{}).Load(path) == nil {
		t.Error("a damaged file was loaded")
	}
}

// Changes make room for a snapshot in time, and nothing is lost by it.
func TestKeepBounds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "printer.json")
	p := kept(t, path)
	must(t, p, message(0xE0))
	snapshots := 0
	for before := int64(0); snapshots < 2; {
		must(t, p, message(0x50, 1, 0, 0, 0, 0))
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() < before {
			snapshots++
		}
		if before = info.Size(); before > 4*changesMin {
			t.Fatalf("the file has grown to %d bytes", before)
		}
	}
	same(t, kept(t, path), p)
}

// A device whose memory cannot be written is dead, and says so.
func TestKeepFails(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	failed := make(chan error, 1)
	if err := p.Keep(filepath.Join(t.TempDir(), "printer.json"), func(err error) { failed <- err }); err != nil {
		t.Fatal(err)
	}
	if err := p.keeper.file.Close(); err != nil {
		t.Fatal(err)
	}
	p.Execute(message(0xE0))
	if err := <-failed; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("failed with %v", err)
	}
}
