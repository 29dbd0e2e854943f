//go:build packages && linux

package linux_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

var bootTools = map[string]string{"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux", "lintian": "lintian", "rpm": "rpm"}

// computer is one that systemd boots; it shares the network of this one.
type computer struct {
	t       *testing.T
	root    string
	init    string // its first process, as this computer numbers it
	console bytes.Buffer
	off     func()
}

func newComputer(t *testing.T) *computer {
	t.Helper()
	c := &computer{t: t, root: newRoot(t)}
	t.Cleanup(func() {
		if c.off != nil {
			c.off()
		}
	})
	return c
}

// boot switches it on and waits until systemd has started all that it should.
func (c *computer) boot() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "systemd-nspawn", "-q", "--register=no", "--keep-unit", "--link-journal=no", "-D", c.root, "--boot")
	c.console.Reset()
	cmd.Stdout, cmd.Stderr = &c.console, &c.console
	if err := cmd.Start(); err != nil {
		cancel()
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }() // killed, or powered off
	c.off = sync.OnceFunc(func() {
		if out, err := c.inside("systemctl", "poweroff").CombinedOutput(); err != nil {
			c.t.Errorf("poweroff: %v\n%s", err, out)
			cancel()
		}
		<-ended
		cancel()
		c.off = nil
	})
	pid := strconv.Itoa(cmd.Process.Pid)
	await(c.t, "booted", func() bool {
		select {
		case <-ended:
			c.t.Fatalf("it has not booted:\n%s", c.console.String())
		default:
		}
		children, _ := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
		c.init = strings.TrimSpace(string(children))
		if c.init == "" {
			return false
		}
		out, _ := c.inside("systemctl", "is-system-running", "--wait").Output()
		state := strings.TrimSpace(string(out))
		return state == "running" || state == "degraded" // something else of Debian may be missing
	})
}

// inside is a command on the computer, as root.
func (c *computer) inside(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"-t", c.init, "-m", "-u", "-i", "-p", "-r", "-w", "--", "/usr/bin/env", name}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

func (c *computer) run(name string, args ...string) string {
	c.t.Helper()
	out, err := c.inside(name, args...).CombinedOutput()
	if err != nil {
		log, _ := c.inside("journalctl", "-u", "kassad", "-n", "40", "--no-pager").CombinedOutput()
		c.t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, out, log)
	}
	return string(out)
}

// show is a property of the service.
func (c *computer) show(property string) string {
	c.t.Helper()
	return strings.TrimSpace(c.run("systemctl", "show", "--value", "--property="+property, "kassad.service"))
}

// kassad is the process of the service, as this computer numbers it.
func (c *computer) kassad() string {
	c.t.Helper()
	want := c.show("MainPID")
	statuses, _ := filepath.Glob("/proc/[0-9]*/status") // the pattern is good
	for _, path := range statuses {
		text, _ := os.ReadFile(path)
		if pids := field(string(text), "NSpid"); len(pids) == 2 && pids[1] == want && field(string(text), "Name")[0] == "kassad" {
			return field(string(text), "Pid")[0]
		}
	}
	c.t.Fatalf("kassad is none of the processes (%s)", want)
	return ""
}

func field(text, name string) []string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Fields(rest)
		}
	}
	return nil
}

// restarts waits until the service runs as another process, started by systemd.
func (c *computer) restarts(what string, do func()) {
	c.t.Helper()
	count, err := strconv.Atoi(c.show("NRestarts"))
	if err != nil {
		c.t.Fatal(err)
	}
	do()
	await(c.t, what+": started again", func() bool {
		return c.show("NRestarts") == strconv.Itoa(count+1) && c.show("ActiveState") == "active"
	})
}

func (c *computer) signal(name string) {
	c.t.Helper()
	run(c.t, "kill", "-"+name, c.kassad())
}

// TestBooted: the commands of the README on a computer with systemd, with an
// emulated printer on the network and a till that sells over MQTT.
func TestBooted(t *testing.T) {
	t.Parallel()
	need(t, true, bootTools)
	c, s := newComputer(t), newShop(t)
	s.plug()
	c.boot()
	c.download("old", built(t, workshop.old, "*.deb"))
	c.download("next", built(t, workshop.next, "*.deb"))
	c.download("tar", built(t, workshop.next, "*.tar.gz"))

	// Installed and not configured: it waits, and says for what.
	install, setup := readme(t, "debian")[0], readme(t, "debian")[1]
	c.follow("old", install)
	if out, err := c.inside("kassad", "service", "start").CombinedOutput(); err == nil || !strings.Contains(string(out), "kassad setup") {
		t.Errorf("without a configuration: %v\n%s", err, out)
	}
	listen := freeAddress(t)
	setup += " --yes --lang en --address tcp://" + s.address + " --listen " + listen + " --terminal till1 --test-print --service"
	c.follow("old", setup)
	if state := c.show("ActiveState"); state != "active" {
		t.Fatalf("after setup: %s", state)
	}
	link := s.till(filepath.Join(c.root, "etc/kassad/terminals/till1/terminal.json"))
	s.command(link, fiscal.VerbShiftOpen, "the-shift", map[string]any{})
	s.sell(link, "the-first")
	s.done(link, "the-shift", "the-first")

	c.worksOnData()
	c.hardening()
	c.rules()

	// It starts with the computer.
	c.off()
	c.boot()
	await(t, "it runs after a boot", func() bool { return c.show("ActiveState") == "active" })
	s.sell(link, "after-the-boot")
	s.done(link, "after-the-boot")

	// Killed in the middle of a receipt: before its first item is registered, and
	// when its end is with the printer, which makes the document after that.
	var deadly atomic.Value // codes of commands, at the first of which it is killed
	deadly.Store([]uint16(nil))
	killed := make(chan struct{}, 1)
	s.printer.OnCommand(func(cmd []byte) {
		if slices.Contains(deadly.Load().([]uint16), printer.CodeOf(cmd)) {
			deadly.Store([]uint16(nil))
			c.signal("KILL")
			killed <- struct{}{}
		}
	})
	for id, codes := range map[string][]uint16{"killed-early": {0xFF46}, "killed-late": {0xFF45, 0xFF76}} {
		c.restarts(id, func() {
			deadly.Store(codes)
			s.sell(link, id)
			select {
			case <-killed:
			case <-time.After(patience):
				t.Fatalf("%s: the printer has not seen %X", id, codes)
			}
		})
		s.done(link, id)
	}

	// A process that hangs is no process: the watchdog ends it.
	c.run("sh", "-c", "mkdir -p /run/systemd/system/kassad.service.d && printf '[Service]\\nWatchdogSec=3\\n' >/run/systemd/system/kassad.service.d/test.conf && systemctl daemon-reload && systemctl restart kassad")
	c.restarts("stopped", func() { c.signal("STOP") })
	await(t, "the log names the watchdog", func() bool {
		return strings.Contains(c.run("journalctl", "-u", "kassad", "--no-pager"), "Watchdog timeout")
	})

	// An upgrade restarts it, with a sale that waits for its printer.
	s.unplug()
	s.sell(link, "over-the-upgrade")
	before := c.kassad()
	c.follow("next", install)
	if c.show("ActiveState") != "active" || c.kassad() == before || !strings.Contains(c.run("kassad", "version"), versionNext) {
		t.Errorf("after the upgrade it is %s", c.show("ActiveState"))
	}
	s.plug()
	s.done(link, "over-the-upgrade")
	s.books(c.run("kassad", "spool", "ls", "--state", "done", "--json"), 5)

	// What somebody has stopped stays so; what is removed ends.
	c.run("kassad", "service", "stop")
	if out, err := c.inside("kassad", "service", "status").CombinedOutput(); err == nil || !strings.Contains(string(out), "kassad is stopped (linux-systemd)\n") || !strings.Contains(string(out), "try: kassad service start") {
		t.Errorf("stopped by a person: %v\n%s", err, out)
	}
	c.run("sh", "-c", "dpkg -i /root/next/*.deb")
	if state := c.show("ActiveState"); state != "inactive" {
		t.Errorf("stopped, and after an installation %s", state)
	}
	c.run("kassad", "service", "start")
	link.Close()
	c.run("dpkg", "-r", "kassad")
	c.run("sh", "-c", "dpkg -i /root/next/*.deb")
	if state := c.show("ActiveState"); state != "active" {
		t.Errorf("removed, and installed again: %s", state)
	}
	c.follow("next", readme(t, "debian-remove")...)
	if state := c.show("ActiveState"); state == "active" {
		t.Error("removed, and it runs")
	}

	// The same computer goes on with the archive, and with its journal.
	commands := readme(t, "tar")
	commands[len(commands)-1] = setup
	c.follow("tar", commands...)
	if state, exe := c.show("ActiveState"), c.show("ExecStart"); state != "active" || !strings.Contains(exe, "/usr/local/bin/kassad") {
		t.Errorf("from the archive: %s, %s", state, exe)
	}
	link = s.till(filepath.Join(c.root, "etc/kassad/terminals/till1/terminal.json"))
	s.sell(link, "from-the-archive")
	s.done(link, "from-the-archive")
	s.books(c.run("kassad", "spool", "ls", "--state", "done", "--json"), 6)
	if told := c.run("sh", "-c", "dpkg -i /root/next/*.deb"); !strings.Contains(told, "sudo /usr/local/bin/kassad service uninstall") {
		t.Errorf("the package over the archive says\n%s", told)
	}
}

// worksOnData is a technician who works on the data as root: a backup is put back,
// kassad is run by hand, files come from elsewhere. The service starts after it.
func (c *computer) worksOnData() {
	c.t.Helper()
	const db = "/var/lib/kassad/kassad.db"
	for _, args := range [][]string{{"status"}, {"doctor"}, {"terminal", "ls"}, {"spool", "ls"}, {"config", "check"}, {"service", "install"}, {"setup", "--yes"}} {
		nobody := append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", "kassad"}, args...)
		if out, err := c.inside("setpriv", nobody...).CombinedOutput(); err == nil || !strings.Contains(string(out), "sudo") || strings.Contains(string(out), "config init") {
			c.t.Errorf("without rights kassad %s says: %v\n%s", args, err, out)
		}
	}
	backup := strings.TrimSpace(c.run("kassad", "spool", "backup"))
	if out, err := c.inside("timeout", "20", "kassad", "run").CombinedOutput(); err == nil {
		c.t.Errorf("a second one beside the service:\n%s", out)
	}
	c.run("kassad", "service", "stop")
	c.run("kassad", "spool", "restore", backup)
	_, _ = c.inside("timeout", "-s", "KILL", "3", "kassad", "run").CombinedOutput() // it serves until then
	if roots := c.run("find", "/var/lib/kassad", "-user", "root"); roots != "" {
		c.t.Errorf("left to root:\n%s", roots)
	}

	// A unit that gives nothing back: every command says that the service ends at
	// each start, and why.
	const dropIn = "/run/systemd/system/kassad.service.d/test.conf"
	c.run("sh", "-c", "mkdir -p /run/systemd/system/kassad.service.d && printf '[Service]\\nExecStartPre=\\n' >"+dropIn+" && systemctl daemon-reload")
	c.run("chown", "root:root", db, "/var/lib/kassad/epoch")
	for _, told := range []struct {
		command string
		want    []string
	}{
		{"kassad service start", []string{"ends before it takes commands", "permission denied", "journalctl -u kassad"}},
		{"kassad service status", []string{"does not serve", "journalctl -u kassad"}},
		{"kassad doctor", []string{"FAIL", "service "}},
		{"kassad service restart", []string{"permission denied"}},
	} {
		out, err := c.inside("sh", "-c", told.command).CombinedOutput()
		for _, want := range told.want {
			if err == nil || !strings.Contains(string(out), want) {
				c.t.Errorf("%s of a service that ends at each start: %v, no %q in\n%s", told.command, err, want, out)
			}
		}
	}
	await(c.t, "the log names the command", func() bool {
		return strings.Contains(c.run("journalctl", "-u", "kassad", "--no-pager"), "sudo chown -R kassad: /var/lib/kassad")
	})
	c.run("sh", "-c", "rm "+dropIn+" && systemctl daemon-reload")
	c.worksOnConfig()

	c.run("kassad", "service", "start")
	if state, roots := c.show("ActiveState"), c.run("find", "/var/lib/kassad", "-user", "root"); state != "active" || roots != "" {
		c.t.Errorf("%s, and root's are:\n%s", state, roots)
	}
}

// worksOnConfig is a technician who mistypes, and puts the file of before back as
// root's alone. It ends with a service that is stopped.
func (c *computer) worksOnConfig() {
	c.t.Helper()
	const config = "/etc/kassad/kassad.toml"
	c.run("kassad", "service", "start")
	c.run("sh", "-c", "cp "+config+" /root/good.toml && sed -i '1i adress = 1' "+config)
	before := c.kassad()
	if out, err := c.inside("kassad", "service", "restart").CombinedOutput(); err == nil || !strings.Contains(string(out), "adress") || c.kassad() != before {
		c.t.Errorf("a restart with a configuration that is not good: %v\n%s", err, out)
	}
	_, _ = c.inside("systemctl", "restart", "kassad").CombinedOutput() // systemd itself does not look
	await(c.t, "the service says what is wrong with its configuration", func() bool {
		out, err := c.inside("kassad", "service", "status").CombinedOutput()
		return err != nil && strings.Contains(string(out), "its last words") && strings.Contains(string(out), "adress")
	})
	c.run("sh", "-c", "rm "+config+" && cp /root/good.toml "+config+" && chown root:root "+config+" && chmod 600 "+config)
	_, _ = c.inside("systemctl", "restart", "kassad").CombinedOutput()
	await(c.t, "the log names the command", func() bool {
		return strings.Contains(c.run("journalctl", "-u", "kassad", "--no-pager"), "sudo kassad service restart lets the service read it")
	})
	c.run("kassad", "service", "restart")
	if state := c.show("ActiveState"); state != "active" {
		c.t.Errorf("with the configuration of before it is %s", state)
	}
	// Which networks there are is for the service to see, too: a printer may be one.
	c.run("sed", "-i", `s/^address = .*/address = "auto"/`, config)
	c.run("kassad", "service", "restart")
	await(c.t, "the service has looked for its printer", func() bool {
		out, _ := c.inside("kassad", "doctor").CombinedOutput()
		return strings.Contains(string(out), "printer not found")
	})
	if log := c.run("journalctl", "-u", "kassad", "--no-pager"); strings.Contains(log, "list ports") {
		c.t.Errorf("it cannot list its ports:\n%s", log)
	}
	c.run("cp", "/root/good.toml", config)
	c.run("kassad", "service", "stop")
}

// readme are the commands of a block of the README.
func readme(t *testing.T, block string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n```sh "+block+"\n")
	body, _, _ := strings.Cut(rest, "\n```\n")
	if !found {
		t.Fatalf("the README has no block %q", block)
	}
	return strings.Split(body, "\n")
}

// download puts a file where a person has it.
func (c *computer) download(folder, path string) {
	c.t.Helper()
	dir := filepath.Join(c.root, "root", folder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	run(c.t, "cp", path, dir)
}

// follow does what the README says, in the folder with the file. Debian's own
// questions are answered with yes.
func (c *computer) follow(folder string, commands ...string) {
	c.t.Helper()
	const sudo = "#!/bin/sh\nexec \"$@\"\n" // root needs none, and a small Debian has none
	if err := os.WriteFile(filepath.Join(c.root, "usr/local/bin/sudo"), []byte(sudo), 0o755); err != nil {
		c.t.Fatal(err)
	}
	for _, line := range commands {
		cmd := c.inside("sh", "-c", "cd /root/"+folder+" && "+line)
		cmd.Stdin = strings.NewReader("y\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			c.t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

// rules asks udev what it would make of a terminal that a line of the technician
// calls a printer. There is no USB here, so the numbers are not tried.
func (c *computer) rules() {
	c.t.Helper()
	const local = `KERNEL=="tty0", ENV{KASSAD_PRINTER}="1", ENV{ID_SERIAL_SHORT}="0001", ENV{ID_USB_INTERFACE_NUM}="00"` + "\n"
	if err := os.WriteFile(filepath.Join(c.root, "etc/udev/rules.d/69-kassad-local.rules"), []byte(local), 0o644); err != nil {
		c.t.Fatal(err)
	}
	said := c.run("udevadm", "test", "/sys/class/tty/tty0")
	for _, want := range []string{"LINK 'kassad/0001-if00'", "GROUP 20\n", "MODE 0660\n", "ID_MM_DEVICE_IGNORE=1\n", "ID_MM_PORT_IGNORE=1\n"} {
		if !strings.Contains(said, want) {
			c.t.Errorf("no %q in\n%s", want, said)
		}
	}
	if other := c.run("udevadm", "test", "/sys/class/tty/console"); strings.Contains(other, "70-kassad.rules:") || strings.Contains(other, "ID_MM_") {
		c.t.Errorf("the rules touch what is no printer, or are not understood:\n%s", other)
	}
}

// probe is what the service sees and may do, asked from inside its own unit.
const probe = `
echo "user $(id -un), groups $(id -Gn)"
touch /etc/written 2>&1; touch /usr/written 2>&1; touch /var/lib/written 2>&1
touch "$STATE_DIRECTORY/mine" && echo "writes its data"
ls -d /proc/1 2>&1
ls /proc/sys /root /home 2>&1
grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd):' /proc/self/status
mount -t tmpfs none /mnt 2>&1
mknod /dev/shm/m b 8 0 2>&1
head -c 1 /dev/mem 2>&1
exit 0
`

// hardening asks from inside. The probe runs in the unit of the package, with
// another program.
func (c *computer) hardening() {
	c.t.Helper()
	unit, err := os.ReadFile(filepath.Join(c.root, "usr/lib/systemd/system/kassad.service"))
	if err != nil {
		c.t.Fatal(err)
	}
	text := strings.NewReplacer(
		"Type=notify", "Type=oneshot", "Restart=always\n", "", "ExecStart=/usr/bin/kassad run --config /etc/kassad/kassad.toml", "ExecStart=/bin/sh /usr/local/lib/probe\nStandardOutput=truncate:/probed",
		"StateDirectory=kassad\n", "StateDirectory=probe\n",
	).Replace(string(unit))
	for path, text := range map[string]string{"etc/systemd/system/probe.service": text, "usr/local/lib/probe": probe} {
		if err := os.WriteFile(filepath.Join(c.root, path), []byte(text), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	c.run("systemctl", "daemon-reload")
	c.run("systemctl", "start", "probe.service")
	said, err := os.ReadFile(filepath.Join(c.root, "probed"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, want := range []string{
		"user kassad, groups kassad", "dialout", "lp",
		"'/etc/written': Read-only file system", "'/usr/written': Read-only file system", "'/var/lib/written': Read-only file system", "writes its data",
		"'/proc/1': No such file", "'/proc/sys': No such file", "'/root': Permission denied", "'/home': Permission denied",
		"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
		"mount: ", "mknod: ", "/dev/mem' for reading",
	} {
		if !strings.Contains(string(said), want) {
			c.t.Errorf("no %q in\n%s", want, said)
		}
	}
	for path, want := range map[string]string{"/var/lib/kassad": "700 kassad", "/var/lib/kassad/kassad.db": "600 kassad", "/etc/kassad/kassad.toml": "640 root"} {
		if got := strings.TrimSpace(c.run("stat", "-c", "%a %U", path)); got != want {
			c.t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	// The process itself, not only its unit.
	status, err := os.ReadFile(fmt.Sprintf("/proc/%s/status", c.kassad()))
	if err != nil || field(string(status), "Seccomp")[0] != "2" || field(string(status), "CapEff")[0] != "0000000000000000" {
		c.t.Errorf("%v\n%s", err, status)
	}
}
