package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kassad/daemon"
)

// somebody is who the service runs as; the user need not exist.
const somebody = 54321

// TestRootLeavesTheServiceItsData: what a technician does with sudo leaves no file
// that the service could not open: run, doctor, and the ways to a backup and back.
func TestRootLeavesTheServiceItsData(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this needs root")
		}
		t.Skip("NOT TESTED: this needs root")
	}
	r := newRunning(t)
	cfg, err := daemon.LoadConfig(r.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(cfg.DataDir, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.all(cfg.DataDir, "run")
	for _, op := range []string{"backup", "doctor"} {
		if _, err := daemon.Control(t.Context(), cfg, op, "ivanov", nil); err != nil {
			t.Fatal(op, err)
		}
	}
	backup := strings.TrimSpace(r.cli("spool", "backup"))
	r.stop()
	if status := <-r.status; status != exitOK {
		t.Errorf("exit status %d", status)
	}
	r.all(cfg.DataDir, "run and backup")
	if log := r.log.String(); !strings.Contains(log, "root over the data of another user") || !strings.Contains(log, fmt.Sprint("user=", somebody)) {
		t.Errorf("nothing is said of it:\n%s", log)
	}
	r.cli("spool", "restore", backup)
	r.cli("spool", "backup")
	r.cli("spool", "check")
	r.all(cfg.DataDir, "restore")

	// What is wrong already has its command.
	db := daemon.StorePath(cfg)
	if err := os.Chown(db, 0, 0); err != nil {
		t.Fatal(err)
	}
	if hint := ownerHint(cfg); !strings.Contains(hint, fmt.Sprintf("sudo chown -R %d: %s", somebody, cfg.DataDir)) || !strings.Contains(hint, db) {
		t.Errorf("%s", hint)
	}
}

// all asks that everything in dir is the service's.
func (r *running) all(dir, after string) {
	r.t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		n++
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != somebody {
			r.t.Errorf("after %s: %s is %d's", after, path, uid)
		}
		return nil
	})
	if err != nil || n < 4 {
		r.t.Errorf("after %s: %d files, %v", after, n, err)
	}
}

// cli is one command line over the same configuration.
func (r *running) cli(args ...string) string {
	r.t.Helper()
	var out, told strings.Builder
	if status := run(r.t.Context(), append(args, "--config", r.config), strings.NewReader(""), &out, &told); status != exitOK {
		r.t.Fatalf("%v: %d\n%s", args, status, &told)
	}
	return out.String()
}
