//go:build packages && linux

package linux_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReproducible: the same sources in another folder make the same bytes, and
// the sums are those of the files.
func TestReproducible(t *testing.T) {
	t.Parallel()
	need(t, false, map[string]string{"diff": "diffutils"})
	dir, err := workshop.next()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("../dist-check.sh", dir)
	cmd.Env = append(os.Environ(), "VERSION="+versionNext, "SOURCE_DATE_EPOCH=1795360324", "TARGETS=linux/amd64", "SHARED_CACHE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	sums := exec.Command("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	sums.Dir = dir
	if out, err := sums.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"_amd64.deb", ".x86_64.rpm", "-linux-amd64.tar.gz", ".cdx.json"} {
		if strings.Count(string(text), kind+"\n") != 1 {
			t.Errorf("not one %s in\n%s", kind, text)
		}
	}
}

// contents are the files of a package that both kinds have.
var contents = []string{
	"/etc/kassad", "/usr/bin/kassad", "/usr/lib/systemd/system/kassad.service", "/usr/lib/udev/rules.d/70-kassad.rules", "/usr/share/man/man1/kassad.1.gz",
	"/usr/share/doc/kassad/README.md", "/usr/share/doc/kassad/README.ru.md", "/usr/share/doc/kassad/docs/operations.md",
	"/usr/share/doc/kassad/examples/kassad.toml", "/usr/share/doc/kassad/copyright", "/usr/share/doc/kassad/changelog.gz",
}

// TestContents: both kinds of package bring the same, and the licences of what
// is in the binary.
func TestContents(t *testing.T) {
	t.Parallel()
	need(t, false, map[string]string{"rpm": "rpm", "dpkg-deb": "dpkg"})
	deb, rpm := built(t, workshop.next, "*.deb"), built(t, workshop.next, "*.rpm")
	inDeb, inRPM := run(t, "dpkg-deb", "--contents", deb), run(t, "rpm", "-qp", "--list", rpm)
	for _, path := range contents {
		if !strings.Contains(strings.ReplaceAll(inDeb, "/\n", "\n"), " ."+path+"\n") {
			t.Errorf("the .deb has no %s", path)
		}
		if !strings.Contains(inRPM, path+"\n") {
			t.Errorf("the .rpm has no %s", path)
		}
	}
	if strings.Contains(inDeb, "./etc/kassad/k") || strings.Contains(inRPM, "/etc/kassad/k") {
		t.Error("a configuration in the package would be in the way of an upgrade")
	}
	unpacked := t.TempDir()
	run(t, "dpkg-deb", "--extract", deb, unpacked)
	copyright, err := os.ReadFile(filepath.Join(unpacked, "usr/share/doc/kassad/copyright"))
	if err != nil {
		t.Fatal(err)
	}
	modules := bufio.NewScanner(bytes.NewBufferString(run(t, "go", "version", "-m", filepath.Join(unpacked, "usr/bin/kassad"))))
	for modules.Scan() {
		if f := strings.Fields(modules.Text()); len(f) > 2 && f[0] == "dep" {
			_, licence, told := strings.Cut(string(copyright), "----- "+f[1]+" "+f[2]+" -----\n")
			licence, _, _ = strings.Cut(licence, "\n----- ")
			if !told || len(licence) < 300 {
				t.Errorf("no licence of %s in the copyright file: %q", f[1], licence)
			}
		}
	}
}

// TestRPM installs, upgrades and erases with rpm itself, on a Debian that stands
// for a system with it.
func TestRPM(t *testing.T) {
	t.Parallel()
	need(t, true, debTools)
	c := newChroot(t)
	// follow does what the README says, with the file that it stands for.
	follow := func(line, file string) string {
		t.Helper()
		args, ok := strings.CutPrefix(line, "sudo rpm ")
		if !ok {
			t.Fatalf("the README says %q", line)
		}
		command := append([]string{"--root", c.root, "--force-debian", "--nodeps"}, strings.Fields(strings.ReplaceAll(args, "kassad-*.rpm", file))...)
		return run(t, "rpm", command...)
	}
	install, erase := readme(t, "rpm")[0], readme(t, "rpm-remove")[0]
	said := follow(install, built(t, workshop.old, "*.rpm"))
	if !strings.Contains(said, "sudo kassad setup") || !strings.Contains(c.run("kassad", "version"), versionOld) {
		t.Errorf("installed:\n%s", said)
	}
	if got := c.run("stat", "-c", "%a %U:%G", "/var/lib/kassad"); got != "700 kassad:kassad\n" {
		t.Errorf("data: %s", got)
	}
	if !c.exists("etc/systemd/system/multi-user.target.wants/kassad.service") {
		t.Error("it does not start with the computer")
	}
	const groups = "etc/systemd/system/kassad.service.d/50-groups.conf"
	if c.exists(groups) {
		t.Error("a unit that is changed without need")
	}
	c.run("groupdel", "dialout") // as on systems where ports are uucp's
	c.run("kassad", "config", "init", "/etc/kassad/kassad.toml")
	c.write("var/lib/kassad/kassad.db", "journal", 0o600)
	follow(install, built(t, workshop.next, "*.rpm"))
	if !strings.Contains(c.run("kassad", "version"), versionNext) || !c.exists("etc/systemd/system/multi-user.target.wants/kassad.service") {
		t.Error("the upgrade has switched it off")
	}
	if got := c.run("cat", "/"+groups); !strings.HasSuffix(got, "\nSupplementaryGroups=\nSupplementaryGroups=uucp lp\n") {
		t.Errorf("groups of the unit: %s", got)
	}
	follow(erase, "")
	if c.exists(groups) || c.exists("usr/bin/kassad") || c.exists("etc/systemd/system/multi-user.target.wants/kassad.service") || !c.exists("etc/kassad/kassad.toml") || !c.exists("var/lib/kassad/kassad.db") {
		t.Error("after --erase:", c.run("sh", "-c", "ls -lR /etc/kassad /var/lib/kassad"))
	}
}
