//go:build unix

package owner_test

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"kassad/owner"
)

// somebody is a user who is not root and need not exist.
const somebody = 54321

// folder is one of somebody else. Only root may make it.
func folder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this needs root")
		}
		t.Skip("NOT TESTED: this needs root")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	return dir
}

func uid(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func made(t *testing.T, path string) string {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInherit(t *testing.T) {
	dir, foreign := folder(t), t.TempDir()
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	owner.Inherit(f)
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	owner.InheritPath(sub)
	if uid(t, f.Name()) != somebody || uid(t, sub) != somebody {
		t.Error("it stays root's")
	}
	if user, guest := owner.Guest(dir); !guest || user != "54321" {
		t.Errorf("%s %v", user, guest)
	}
	if _, guest := owner.Guest(foreign); guest {
		t.Error("a guest at home")
	}

	// What the owner of the folder could not have is not given: neither behind a
	// link nor under a second name.
	system := made(t, filepath.Join(foreign, "system"))
	soft, hard := filepath.Join(dir, "soft"), filepath.Join(dir, "hard")
	if err := os.Symlink(system, soft); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(made(t, filepath.Join(dir, "other")), hard); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{soft, hard} {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		owner.Inherit(f)
		f.Close()
		owner.InheritPath(path)
	}
	if uid(t, system) != 0 || uid(t, soft) != 0 || uid(t, hard) != 0 {
		t.Error("a link was followed")
	}
}

func TestGiveBack(t *testing.T) {
	dir, foreign := folder(t), t.TempDir()
	db := made(t, filepath.Join(dir, "kassad.db"))
	if err := os.Mkdir(filepath.Join(dir, "backup"), 0o700); err != nil {
		t.Fatal(err)
	}
	kept := made(t, filepath.Join(dir, "backup", "kept"))
	mine := made(t, filepath.Join(dir, "mine"))
	if err := os.Chown(mine, 4242, 4242); err != nil {
		t.Fatal(err)
	}
	system := made(t, filepath.Join(foreign, "system"))
	if err := os.Symlink(foreign, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if user, names := owner.Strange(dir); user != "54321" || !slices.Contains(names, db) || !slices.Contains(names, mine) || len(names) != 5 {
		t.Errorf("%s %v", user, names)
	}
	names, err := owner.GiveBack(dir, somebody, somebody)
	if err != nil || !slices.Equal(names, []string{filepath.Join(dir, "backup"), kept, db}) {
		t.Errorf("%v %v", names, err)
	}
	if uid(t, db) != somebody || uid(t, kept) != somebody || uid(t, mine) != 4242 || uid(t, system) != 0 {
		t.Error("what was root's, and nothing else, was to be given")
	}
	if names, err := owner.GiveBack(filepath.Join(dir, "none"), somebody, somebody); err != nil || names != nil {
		t.Errorf("%v %v", names, err)
	}
}
