package link

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func holder(name string) (string, bool) { return holderOf("/proc", "/var/lock", name) }

// holderOf looks for a lock file in the manner of UUCP, which terminal programs
// make, and for a process that has the port open. Opening the port to see would
// be too late: root ignores the exclusive flag of another program, and our
// settings of the line would be its settings too. Open files of other users
// show to root only.
func holderOf(proc, locks, name string) (string, bool) {
	if path, err := filepath.EvalSymlinks(name); err == nil {
		name = path
	}
	if pid, err := strconv.Atoi(line(locks, "LCK.."+filepath.Base(name))); err == nil && pid > 0 && alive(pid) {
		return process(proc, strconv.Itoa(pid)), true
	}
	files, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*")) // the pattern is good
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && target == name {
			return process(proc, filepath.Base(filepath.Dir(filepath.Dir(file)))), true
		}
	}
	return "", false
}

// alive tells a lock from what a dead program has left. Signal 0 reaches nobody.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || err == syscall.EPERM
}

func process(proc, pid string) string {
	name := printable(line(filepath.Join(proc, pid), "comm"))
	return strings.TrimSpace(fmt.Sprintf("%s (%s)", name, pid))
}
