//go:build packages && linux

package linux_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"kassad/fiscal"
)

var debTools = map[string]string{"mmdebstrap": "mmdebstrap", "lintian": "lintian", "rpm": "rpm"}

// chroot is a computer with dpkg and without systemd.
type chroot struct {
	t    *testing.T
	root string
}

func newChroot(t *testing.T) *chroot {
	t.Helper()
	c := &chroot{t: t, root: newRoot(t)}
	for _, m := range [][]string{{"proc", "proc", "proc"}, {"tmpfs", "tmpfs", "run"}} {
		target := filepath.Join(c.root, m[2])
		run(t, "mount", "-t", m[0], m[1], target)
		t.Cleanup(func() { run(t, "umount", "-l", target) })
	}
	run(t, "mknod", "-m", "666", filepath.Join(c.root, "dev/null"), "c", "1", "3")
	return c
}

// command is one inside, as root.
func (c *chroot) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/usr/bin/env", append([]string{name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Pdeathsig: syscall.SIGKILL}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

func (c *chroot) run(name string, args ...string) string {
	c.t.Helper()
	out, err := c.command(name, args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// bring copies a package in and returns its name there.
func (c *chroot) bring(path string) string {
	c.t.Helper()
	run(c.t, "cp", path, filepath.Join(c.root, "root"))
	return "/root/" + filepath.Base(path)
}

func (c *chroot) write(path, text string, mode os.FileMode) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.root, path), []byte(text), mode); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chroot) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(c.root, path))
	return err == nil
}

// daemon starts what the unit would, as the user of the package, and returns how
// to stop it.
func (c *chroot) daemon() (stop func()) {
	c.t.Helper()
	var ids [2]int
	out := c.run("sh", "-c", "id -u kassad; id -g kassad")
	if _, err := fmt.Sscan(out, &ids[0], &ids[1]); err != nil {
		c.t.Fatal(err)
	}
	cmd := c.command("/usr/bin/kassad", "run", "--config", "/etc/kassad/kassad.toml", "--address-file", "/var/lib/kassad/broker")
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(ids[0]), Gid: uint32(ids[1])}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := os.RemoveAll(filepath.Join(c.root, "var/lib/kassad/broker")); err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceFunc(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			c.t.Error(err)
		}
		if err := <-ended; err != nil {
			c.t.Errorf("stopped: %v\n%s", err, log.String())
		}
	})
	c.t.Cleanup(stop)
	await(c.t, "kassad takes commands", func() bool {
		select {
		case err := <-ended:
			c.t.Fatalf("ended: %v\n%s", err, log.String())
		default:
		}
		return c.exists("var/lib/kassad/broker")
	})
	return stop
}

// record is what the journal has of a command.
func (c *chroot) record(id string) fiscal.Record {
	c.t.Helper()
	var r fiscal.Record
	if err := json.Unmarshal([]byte(c.run("kassad", "spool", "show", id, "--json")), &r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

// TestDeb: a package is installed, sells, is replaced by a newer one while a
// sale waits for its printer, is removed and purged.
func TestDeb(t *testing.T) {
	t.Parallel()
	need(t, true, debTools)
	c, s := newChroot(t), newShop(t)
	old, next := c.bring(built(t, workshop.old, "*.deb")), c.bring(built(t, workshop.next, "*.deb"))

	// A kernel below the floor is refused before anything is there.
	c.write("usr/local/bin/uname", "#!/bin/sh\necho 2.6.32-754.el6\n", 0o755)
	out, err := c.command("dpkg", "-i", old).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Linux 3.2 or newer is needed; the kernel of this computer is 2.6.32") || c.exists("usr/bin/kassad") {
		t.Fatalf("old kernel: %v\n%s", err, out)
	}
	if err := os.Remove(filepath.Join(c.root, "usr/local/bin/uname")); err != nil {
		t.Fatal(err)
	}

	out2 := c.run("dpkg", "-i", old)
	if !strings.Contains(out2, "sudo kassad setup") || c.exists("etc/kassad/kassad.toml") {
		t.Errorf("a first installation leaves the configuration to setup\n%s", out2)
	}
	if groups := c.run("id", "-Gn", "kassad"); strings.TrimSpace(groups) != "kassad lp dialout" && strings.TrimSpace(groups) != "kassad dialout lp" {
		t.Errorf("groups %q", groups)
	}
	if got := c.run("stat", "-c", "%a %U:%G", "/var/lib/kassad"); got != "700 kassad:kassad\n" {
		t.Errorf("data: %s", got)
	}
	if !c.exists("etc/systemd/system/multi-user.target.wants/kassad.service") {
		t.Error("it does not start with the computer")
	}
	if got := c.run("kassad", "version"); !strings.Contains(got, versionOld) {
		t.Errorf("version %s", got)
	}

	// The printer is away: the sale waits.
	c.run("kassad", "setup", "--yes", "--address", "tcp://"+s.address, "--listen", freeAddress(t), "--terminal", "till1", "--lang", "en")
	c.run("sh", "-c", "chgrp kassad /etc/kassad/kassad.toml /etc/kassad/users && chmod 640 /etc/kassad/kassad.toml /etc/kassad/users")
	stop := c.daemon()
	link := s.till(filepath.Join(c.root, "etc/kassad/terminals/till1/terminal.json"))
	s.command(link, fiscal.VerbShiftOpen, "the-shift", map[string]any{})
	s.sell(link, "in-the-spool")
	if state := s.state("in-the-spool"); state != fiscal.Accepted {
		t.Fatalf("without a printer: %s", state)
	}

	// The upgrade replaces the program under a daemon that runs, which is started
	// anew as systemd would.
	config := c.run("cat", "/etc/kassad/kassad.toml")
	c.run("dpkg", "-i", next)
	if got := c.run("kassad", "version"); !strings.Contains(got, versionNext) || strings.Contains(got, versionOld) {
		t.Errorf("version %s", got)
	}
	if c.run("cat", "/etc/kassad/kassad.toml") != config {
		t.Error("the upgrade has touched the configuration")
	}
	stop()
	stop = c.daemon()
	if r := c.record("in-the-spool"); r.State.Final() {
		t.Errorf("after the upgrade: %s", r.State)
	}
	s.plug()
	s.done(link, "the-shift", "in-the-spool")
	s.books(c.run("kassad", "spool", "ls", "--state", "done", "--json"), 1)
	link.Close()
	stop()

	// Removed: only the program goes. Purged: the configuration, too.
	c.run("dpkg", "-r", "kassad")
	if c.exists("usr/bin/kassad") || c.exists("usr/lib/systemd/system/kassad.service") || !c.exists("etc/kassad/kassad.toml") || !c.exists("var/lib/kassad/kassad.db") {
		t.Error("after dpkg -r:", c.run("sh", "-c", "ls -la /etc/kassad /var/lib/kassad"))
	}
	said := c.run("dpkg", "-P", "kassad")
	if c.exists("etc/kassad") || !c.exists("var/lib/kassad/kassad.db") || !strings.Contains(said, "the journal of documents is kept: /var/lib/kassad") {
		t.Errorf("after dpkg -P:\n%s", said)
	}
	if left := c.run("sh", "-c", "find /etc /usr -name '*kassad*' ! -path '*/terminals/*'"); left != "" {
		t.Errorf("left behind:\n%s", left)
	}

	// The journal is found again; and where nothing was ever sold, nothing stays.
	c.run("dpkg", "-i", next)
	c.run("sh", "-c", "kassad config init /etc/kassad/kassad.toml")
	if r := c.record("in-the-spool"); r.State != fiscal.Done || r.Receipt == nil {
		t.Errorf("after an installation anew: %+v", r)
	}
	c.run("sh", "-c", "rm /var/lib/kassad/*.db* && dpkg -P kassad")
	if c.exists("var/lib/kassad") {
		t.Error("data that never served a shop stays")
	}
}

// TestLintian holds the package against Debian's own rules.
func TestLintian(t *testing.T) {
	t.Parallel()
	need(t, false, debTools)
	deb := built(t, workshop.next, "*.deb")
	cmd := exec.Command("lintian", "--no-cfg", "--fail-on=error,warning", deb)
	if out, err := cmd.Output(); err != nil || len(bytes.TrimSpace(out)) > 0 { // that it runs as root it tells on stderr
		t.Errorf("%v\n%s", err, out)
	}
}
