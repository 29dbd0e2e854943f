//go:build packages && linux

// Package linux_test installs the packages for real: in a chroot, and in a
// container that systemd boots. make test-packages runs it; it needs root and
// the tools of Debian that it names when they are missing.
package linux_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is for what takes seconds on a busy machine.
const patience = 2 * time.Minute

// workshop is what all tests share: it is made by whoever needs it first.
var workshop struct {
	dir       string
	old, next func() (string, error) // folders of dist, of two versions
	tree      func() (string, error) // a small Debian with systemd, as a tar
}

// Versions of the two builds; the later one is newer for dpkg and rpm.
const (
	versionOld  = "0.1.0~rc1"
	versionNext = "0.1.0"
)

// keepIn names a folder that keeps the Debian and the builds between runs, for who
// works on the tests; nothing in it is built again.
const keepIn = "KASSAD_TEST_KEEP"

func TestMain(m *testing.M) {
	dir, keep := os.LookupEnv(keepIn)
	var err error
	if !keep {
		dir, err = os.MkdirTemp("", "kassad-packages-")
	}
	if err != nil {
		panic(err)
	}
	workshop.dir = dir
	workshop.old = sync.OnceValues(func() (string, error) { return dist(repository(), filepath.Join(dir, "old"), versionOld) })
	workshop.next = sync.OnceValues(func() (string, error) { return dist(repository(), filepath.Join(dir, "next"), versionNext) })
	workshop.tree = sync.OnceValues(tree)
	status := m.Run()
	if !keep {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

func repository() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// need skips a test whose tools are missing, and says how to get them; in CI
// that is a failure.
func need(t *testing.T, root bool, packages map[string]string) {
	t.Helper()
	var missing []string
	for tool, pkg := range packages {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, pkg)
		}
	}
	why := ""
	switch {
	case len(missing) > 0:
		why = "tools are missing: apt-get install " + strings.Join(missing, " ")
	case root && os.Geteuid() != 0:
		why = "this needs root: sudo make test-packages"
	default:
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("NOT TESTED: " + why)
}

// run runs a command to its end and returns what it has printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// dist builds the packages of this computer from sources in dir.
func dist(dir, out, version string) (string, error) {
	if _, err := os.Stat(filepath.Join(out, "SHA256SUMS")); err == nil {
		return out, nil // kept
	}
	cmd := exec.Command(filepath.Join(dir, "packaging/dist.sh"))
	cmd.Env = append(os.Environ(), "OUT="+out, "VERSION="+version, "SOURCE_DATE_EPOCH=1795360324", "TARGETS=linux/amd64",
		"TOOLS="+filepath.Join(repository(), "dist/tools"))
	if text, err := cmd.CombinedOutput(); err != nil {
		return out, fmt.Errorf("dist: %w\n%s", err, text)
	}
	return out, nil
}

// built is a package of one of the builds, by its pattern.
func built(t *testing.T, build func() (string, error), pattern string) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

// tree makes the Debian: that of this computer, from where its own packages
// come.
func tree() (string, error) {
	path := filepath.Join(workshop.dir, "tree.tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil // kept
	}
	text, err := exec.Command("sh", "-c", `. /etc/os-release && echo "$VERSION_CODENAME" &&
		apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages'`).Output()
	if err != nil {
		return "", fmt.Errorf("suite and mirror of this computer: %w", err)
	}
	codename, indexes, _ := strings.Cut(string(text), "\n")
	for line := range strings.Lines(indexes) {
		if mirror, suite, _ := strings.Cut(strings.TrimSpace(line), " "); suite == codename {
			out, err := exec.Command("mmdebstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,udev", codename, path, mirror).CombinedOutput()
			if err != nil {
				return "", fmt.Errorf("mmdebstrap: %w\n%s", err, out)
			}
			return path, nil
		}
	}
	return "", fmt.Errorf("no mirror of %s in %q", codename, indexes)
}

// newRoot unpacks the Debian for one test.
func newRoot(t *testing.T) string {
	t.Helper()
	archive, err := workshop.tree()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(workshop.dir, t.Name())
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	run(t, "tar", "-C", root, "--exclude=./dev/*", "-xpf", archive)
	return root
}

// await asks until it is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in %s: not %s", patience, what)
		}
	}
}
