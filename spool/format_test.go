package spool

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"kassad/fiscal"
)

// fixtures are stores of every format and encoding that was ever released, in
// testdata, made by the code of that time. A fixture is never made anew.
var fixtures = []fixture{
	{"format1-encoding1", 1, 1, false},
	{"format1-encoding2", 1, 2, false},
	{"format2-encoding3", 2, 3, false},
	{"format2-encoding3-killed", 2, 3, true},
}

type fixture struct {
	name             string
	format, encoding int
	killed           bool // as a kill has left it
}

// unpack puts a fixture into a new folder, and returns the path of its store.
func unpack(t *testing.T, name string) string {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join("testdata", name+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "kassad.db")
}

// files is what is in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, suffixLock) {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEveryFormatHasAFixture: whoever raises one of the two numbers makes a
// fixture with the code before, and one with the code after (docs/store.md).
func TestEveryFormatHasAFixture(t *testing.T) {
	t.Parallel()
	last := fixtures[len(fixtures)-1]
	if last.format != format || last.encoding != codecVersion {
		t.Errorf("the last fixture is of format %d and encoding %d, the code of %d and %d", last.format, last.encoding, format, codecVersion)
	}
	for f := 1; f <= format; f++ {
		if !slices.ContainsFunc(fixtures, func(x fixture) bool { return x.format == f }) {
			t.Errorf("format %d has no fixture", f)
		}
	}
}

// TestFormerFormats: a store of every release opens with all that it has, and
// goes on.
func TestFormerFormats(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			path := unpack(t, f.name)
			before, err := ReadFormat(path)
			if err != nil || int(before.Store) != f.format {
				t.Errorf("%+v %v", before, err)
			}
			s := reopen(t, path, Options{})
			if r := s.Recovery(); r.Why != "" || r.Lost || (r.Backup != "") != (f.format < format) || (r.Replayed > 0) != f.killed {
				t.Errorf("%+v", r)
			}
			states(t, s, f.encoding)
			// It goes on: a new sale, and what waited is done.
			finish(t, s, accept(t, s, sale("new")), 7)
			view(t, s, func(tx *Tx) error {
				r, _, err := tx.ByID("is-accepted")
				if r.State != fiscal.Accepted {
					t.Errorf("%+v", r)
				}
				return err
			})
			if after, err := ReadFormat(path); err != nil || after.Store != format || len(after.Former) != format-f.format {
				t.Errorf("%+v %v", after, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = reopen(t, path, Options{})
			states(t, s, f.encoding)
		})
	}
}

// states looks for what the fixtures hold.
func states(t *testing.T, s *Spool, encoding int) {
	t.Helper()
	var queued []string
	for id, state := range map[string]fiscal.State{
		"is-accepted": fiscal.Accepted, "is-waiting": fiscal.Accepted, "is-working": fiscal.Working, "is-unknown": fiscal.Unknown,
		"is-held": fiscal.Held, "is-registered": fiscal.Registered, "is-done": fiscal.Done, "is-rejected": fiscal.Rejected,
		"is-cancelled": fiscal.Cancelled, "is-abandoned": fiscal.Abandoned, "sold-00": fiscal.Done, "sold-04": fiscal.Done,
	} {
		if state == fiscal.Registered && encoding < 2 {
			continue // no cloud was known then
		}
		// The same command again gets the answer of then.
		again, how := acceptAs(t, s, sale(id))
		if how != Duplicate || again.State != state || again.Document.Total != 9900 || again.Document.Lines[0].Name != "Ананас" ||
			again.Terminal != "till1" || !again.AcceptedAt.Equal(wall) || again.State.Final() != (again.FinalSeq > 0) {
			t.Errorf("%s: %v %+v", id, how, again)
		}
		if other := sale(id); !state.Final() {
			other.Hash = "another"
			if _, how := acceptAs(t, s, other); how != Conflict {
				t.Errorf("%s with another content: %v", id, how)
			}
			queued = append(queued, id)
		}
		switch id {
		case "is-waiting":
			if again.Waiting == nil || again.Waiting.Code != fiscal.CodePaperOut {
				t.Errorf("%s: %+v", id, again.Waiting)
			}
		case "is-unknown":
			if again.DoubtLeft != 90*time.Second || again.Attempt != 1 {
				t.Errorf("%s: %+v", id, again)
			}
		case "is-held":
			if again.Error == nil || again.Error.Code != fiscal.CodeClosedByOther || again.Attempt != 2 {
				t.Errorf("%s: %+v", id, again)
			}
		case "is-registered":
			if again.Ticket != "ticket-7" {
				t.Errorf("%s: %+v", id, again)
			}
		case "is-done":
			if again.Receipt == nil || again.Receipt.FD != 6 || again.Receipt.Sign != 6*7919 || again.Receipt.Key != again.Document.Key {
				t.Errorf("%s: %+v", id, again.Receipt)
			}
		case "is-abandoned":
			if again.Resolved == nil || again.Resolved.By != "petrov" || again.Resolved.Action != fiscal.ResolveGiveUp {
				t.Errorf("%s: %+v", id, again.Resolved)
			}
		}
	}
	if got, how := acceptAs(t, s, sale("buried")); got.State != fiscal.Cancelled || how != Tombstoned && how != Duplicate {
		t.Errorf("buried: %v %+v", how, got)
	}
	view(t, s, func(tx *Tx) error {
		queue, err := tx.Queue("front")
		var got []string
		for _, r := range queue {
			got = append(got, r.ID)
		}
		slices.Sort(queued)
		slices.Sort(got)
		if !slices.Equal(got, queued) {
			t.Errorf("queue %v, want %v", got, queued)
		}
		shop, serr := tx.Outbox("shop", 0, 100)
		office, oerr := tx.Outbox("office-1", 0, 100)
		if len(shop) != len(queued)+3 || string(shop[0].Payload) != "is-waiting accepted" || len(office) != 1 || !office[0].Retain {
			t.Errorf("outbox %d and %d: %+v", len(shop), len(office), shop)
		}
		finals, ferr := tx.FinalsSince("till1", 0, 100)
		last, lerr := tx.LastFD(storage)
		var n int
		found, merr := tx.Meta("setting", &n)
		if len(finals) < 9 || finals[0].ID != "sold-00" || last < 6 || !found || n != 42 || tx.LastEvent() != 1 {
			t.Errorf("finals %d, last FD %d, setting %d, event %d", len(finals), last, n, tx.LastEvent())
		}
		return errors.Join(err, serr, oerr, ferr, lerr, merr)
	})
}

// TestBackupBeforeMigration: what is kept is the store as the former release
// knows it, whole, and it can be put back.
func TestBackupBeforeMigration(t *testing.T) {
	t.Parallel()
	path := unpack(t, "format1-encoding2")
	s := reopen(t, path, Options{})
	backup := s.Recovery().Backup
	if backup != path+".format-1" {
		t.Fatalf("backup %q", backup)
	}
	finish(t, s, accept(t, s, sale("new")), 7)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, path, Options{})
	if again.Recovery().Backup != "" {
		t.Error("a second backup")
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err := ReadFormat(backup); err != nil || f.Store != formatAlone {
		t.Errorf("%+v %v", f, err)
	}
	// As on a computer with the former release: it alone.
	alone := filepath.Join(t.TempDir(), "kassad.db")
	if err := copyFile(backup, alone); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(alone, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(b *bolt.Tx) error {
		meta := b.Bucket([]byte(bucketMeta))
		if got := binary.BigEndian.Uint32(meta.Get([]byte(keyFormat))); got != formatAlone || meta.Get([]byte(keyStanding)) != nil {
			t.Errorf("format %d", got)
		}
		return nil
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Error(err)
	}
	s = reopen(t, alone, Options{})
	states(t, s, 2)
	// Old ones go.
	s.dropFormer(time.Now().Add(formerKept + time.Hour))
	if f, _ := ReadFormat(alone); len(f.Former) != 0 {
		t.Errorf("stays: %v", f.Former)
	}
}

// TestNewerStoreIsLeftAlone: whatever a newer kassad has written stays as it
// is, letter by letter.
func TestNewerStoreIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"format2-encoding3", "format1-encoding2"} {
		path := unpack(t, name)
		raise(t, path)
		before := files(t, filepath.Dir(path))
		for range 2 {
			s, err := Open(path, Options{})
			if err == nil {
				_ = s.Close()
			}
			want := fmt.Sprintf("the store was written by a newer kassad: its format is %d, this one knows %d", format+1, format)
			if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), want) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		after := files(t, filepath.Dir(path))
		if len(after) != len(before) {
			t.Errorf("%s: %d files, were %d", name, len(after), len(before))
		}
		for file, content := range before {
			if after[file] != content {
				t.Errorf("%s: %s has changed", name, file)
			}
		}
		if _, err := Restore(filepath.Join(t.TempDir(), "kassad.db"), path); !errors.Is(err, ErrNewer) {
			t.Errorf("%s is restored: %v", name, err)
		}
	}
}

// raise makes the store one of the next format.
func raise(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(b *bolt.Tx) error {
		return b.Bucket([]byte(bucketMeta)).Put([]byte(keyFormat), binary.BigEndian.AppendUint32(nil, format+1))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestBackupAndRestore: onto an empty disk, and where the log has more.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.path
	finish(t, s, accept(t, s, sale("a")), 1)
	var names []string
	for range backupsKept + 2 {
		name, err := s.BackupFile()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		<-time.After(2 * time.Millisecond) // their names are times
	}
	if f, err := ReadFormat(path); err != nil || len(f.Backups) != backupsKept || f.Backups[backupsKept-1] != names[len(names)-1] {
		t.Errorf("%+v %v", f, err)
	}
	finish(t, s, accept(t, s, sale("b")), 2)
	backup := names[len(names)-1]
	if _, err := Restore(path, backup); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	has := func(s *Spool, id string, want bool) {
		t.Helper()
		view(t, s, func(tx *Tx) error {
			r, found, err := tx.ByID(id)
			if found != want || found && r.State != fiscal.Done {
				t.Errorf("%s: %v %+v", id, found, r)
			}
			return err
		})
	}
	aside, err := Restore(path, backup)
	if err != nil || aside == "" {
		t.Fatalf("%q %v", aside, err)
	}
	again := reopen(t, path, Options{})
	if r := again.Recovery(); r.Lost {
		t.Errorf("%+v", r)
	}
	has(again, "a", true)
	has(again, "b", true) // of the log

	elsewhere := filepath.Join(t.TempDir(), "kassad.db")
	if aside, err = Restore(elsewhere, backup); err != nil || aside != "" {
		t.Fatalf("%q %v", aside, err)
	}
	other := reopen(t, elsewhere, Options{})
	if r := other.Recovery(); !r.Lost {
		t.Errorf("nobody is told that something may be missing: %+v", r)
	}
	has(other, "a", true)
	has(other, "b", false)

	// A damaged backup changes nothing.
	content, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := filepath.Join(t.TempDir(), "spoilt")
	for what, b := range map[string][]byte{"nothing": nil, "half": content[:len(content)/2], "zeros": bytes.ReplaceAll(content, []byte("Ананас"), make([]byte, 12))} {
		if err := os.WriteFile(spoilt, b, 0o600); err != nil {
			t.Fatal(err)
		}
		empty := filepath.Join(t.TempDir(), "kassad.db")
		if _, err := Restore(empty, spoilt); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(empty); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is there: %v", what, err)
		}
	}
	if _, err := Restore(elsewhere, filepath.Join(t.TempDir(), "no")); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrLocked) {
		t.Errorf("no file: %v", err)
	}
}
