package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// inOwnSystem says that the process is in a system of its own.
const inOwnSystem = "KASSAD_TEST_OWN_SYSTEM"

// TestServiceScripts runs kassad service as root of a system of its own: a mount
// name space with an empty /etc, so that the real one is never touched. systemctl
// and useradd are scripts there that keep what they are asked for; systemd itself
// is not needed.
func TestServiceScripts(t *testing.T) {
	if os.Getenv(inOwnSystem) != "" {
		ownSystem(t)
		testscript.Run(t, testscript.Params{
			Dir: "testdata/service", RequireUniqueNames: true, RequireExplicitExec: true,
			Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status},
			Condition: func(cond string) (bool, error) {
				if cond != "root" {
					return false, fmt.Errorf("condition %q", cond)
				}
				return realRoot(), nil
			},
			Setup: func(e *testscript.Env) error {
				e.Setenv("PATH", "/usr/local/bin:"+e.Getenv("PATH"))
				return nil
			},
		})
		return
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestServiceScripts$", "-test.v")
	cmd.Env = append(os.Environ(), inOwnSystem+"=1", "GOCOVERDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skip("this needs root, or user name spaces: sysctl kernel.unprivileged_userns_clone=1")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// realRoot tells whether there are other users here than ourselves.
func realRoot() bool { return os.Chown("/run", somebody, -1) == nil && os.Chown("/run", 0, -1) == nil }

// ownSystem replaces what kassad service touches by folders in memory.
func ownSystem(t *testing.T) {
	t.Helper()
	mount := func(source, target, kind string, flags uintptr) {
		t.Helper()
		if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
			t.Fatalf("mount %s: %v", target, err)
		}
	}
	mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE)
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	for _, dir := range []string{"/etc", "/run", "/srv", "/var/lib", "/usr/local/bin"} {
		mount("kassad-test", dir, "tmpfs", 0)
	}
	for _, dir := range []string{"/etc/kassad", "/etc/systemd/system", "/run/systemd/system"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ids := fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid()) // the only ones that exist without real root
	if realRoot() {
		ids = fmt.Sprintf("%d:%d", somebody, somebody)
	}
	for path, text := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
		"/etc/group":  "root:x:0:\ndialout:x:20:\n",
		"/usr/local/bin/useradd": "#!/bin/sh\necho \"useradd $*\" >>/run/asked\nfor name; do :; done\n" +
			"echo \"$name:x:" + ids + "::/:/bin/false\" >>/etc/passwd\n",
		"/usr/local/bin/systemctl": fakeSystemctl,
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := os.OpenFile("/usr/local/bin/kassad", os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(binary, self); err != nil {
		t.Fatal(err)
	}
	if err := binary.Close(); err != nil {
		t.Fatal(err)
	}
}

// fakeSystemctl knows the states of units by files in /run; what it is asked for
// is in /run/asked.
const fakeSystemctl = `#!/bin/sh
unit=
for word; do
	case $word in *.service) unit=$word ;; esac
done
case $1 in
is-active)
	if [ -e "/run/$unit.failed" ]; then echo failed; exit 3; fi
	if [ -e "/run/$unit.show" ]; then echo activating; exit 3; fi
	if [ -e "/run/$unit.active" ]; then echo active; exit 0; fi
	echo inactive; exit 3 ;;
list-unit-files)
	[ -e "/etc/systemd/system/$unit" ] && echo "$unit enabled"
	exit 0 ;;
show)
	case $* in *ExecStart*)
		exec sed -n 's/^ExecStart=\(.*\)$/ExecStart={ path=kassad ; argv[]=\1 ; ignore_errors=no }/p' "/etc/systemd/system/$unit" ;;
	esac
	[ -e "/run/$unit.active" ] && printf 'ActiveState=active\nSubState=running\nStatusText=takes commands; 1 of 1 devices answer\nNRestarts=0\n'
	[ -e "/run/$unit.show" ] && cat "/run/$unit.show"
	exit 0 ;;
--version) echo "systemd 252"; exit 0 ;;
esac
echo "systemctl $*" >>/run/asked
case $1 in
start | restart)
	if [ -e /run/refuse ]; then exit 1; fi
	: >"/run/$unit.active" ;;
stop) rm -f "/run/$unit.active" ;;
esac
`
