package link

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
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
		if target, err := os.Readlink(file); err == nil && target == name && sameDevice(file, name) {
			return process(proc, filepath.Base(filepath.Dir(filepath.Dir(file)))), true
		}
	}
	return "", false
}

// sameDevice tells whether an open file of some process is the device that has its
// name here: a container has names of its own. What cannot be asked counts by its name.
func sameDevice(file, name string) bool {
	var open, here unix.Stat_t
	if unix.Stat(file, &open) != nil || unix.Stat(name, &here) != nil {
		return true
	}
	return sameNode(open, here)
}

// Majors of pseudo-terminals, the numbers of which each instance of devpts begins anew.
const ptyFirst, ptyLast = 136, 143

func sameNode(a, b unix.Stat_t) bool {
	if a.Rdev != b.Rdev {
		return false
	}
	major := unix.Major(uint64(a.Rdev))
	return major < ptyFirst || major > ptyLast || a.Dev == b.Dev
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

// States of a connection, as the kernel numbers them, in which another one to the
// same printer would be in its way.
const (
	tcpEstablished = "01"
	tcpSynSent     = "02"
)

func connected(at netip.AddrPort) bool {
	b, _ := os.ReadFile("/proc/self/net/tcp") // none: nothing is known
	return connectedIn(string(b), at)
}

// connectedIn reads lines of: number, local address, remote address, state, …
// An address is 0100007F:1F90: its bytes as one number of this computer's order.
func connectedIn(table string, at netip.AddrPort) bool {
	if !at.Addr().Is4() {
		return false
	}
	ip := at.Addr().As4()
	remote := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), at.Port())
	for l := range strings.Lines(table) {
		if f := strings.Fields(l); len(f) > 3 && f[2] == remote && (f[3] == tcpEstablished || f[3] == tcpSynSent) {
			return true
		}
	}
	return false
}
