package daemon

import (
	"bufio"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"kassad/devices/link"
)

const (
	powerHint = `a udev rule with ATTR{power/control}="on" for the device; until the next plug-in: echo on | sudo tee the setting above`
	clockHint = "sudo timedatectl set-ntp true"
)

// linuxMachine reads the files of a system under root; "/" is this computer.
type linuxMachine struct {
	root    string
	ports   func() ([]link.Port, error)
	owner   func(port string) (string, bool)
	me      func() (name string, groups []int, err error)
	groupOf func(path string) (gid int, mode uint32, err error)
	adjtime func() (status int32, err error)
}

// ThisMachine is this computer.
func ThisMachine() Machine {
	return linuxMachine{root: "/", ports: link.Ports, owner: link.InUse, me: whoAmI, groupOf: groupOf, adjtime: kernelClock}
}

func whoAmI() (string, []int, error) {
	u, err := user.Current()
	if err != nil {
		return "", nil, err
	}
	groups, err := os.Getgroups()
	return u.Username, append(groups, os.Getegid()), err
}

func groupOf(path string) (gid int, mode uint32, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	s := info.Sys().(*syscall.Stat_t)
	return int(s.Gid), s.Mode, nil
}

func kernelClock() (int32, error) {
	var t unix.Timex
	_, err := unix.Adjtimex(&t) // modes 0: nothing is set
	return t.Status, err
}

func (m linuxMachine) at(parts ...string) string {
	return filepath.Join(append([]string{m.root}, parts...)...)
}

func (m linuxMachine) Ports() ([]link.Port, error)       { return m.ports() }
func (m linuxMachine) Owner(port string) (string, bool)  { return m.owner(port) }
func (m linuxMachine) Antivirus() bool                   { return false }
func (m linuxMachine) ScanExcluded(string) (bool, bool)  { return false, false }
func (m linuxMachine) ClockSynced() (synced, known bool) { return clockState(m.adjtime()) }

// clockState reads what the kernel was told by whoever sets the clock: chrony,
// ntpd and timesyncd alike.
func clockState(status int32, err error) (synced, known bool) {
	return err == nil && status&unix.STA_UNSYNC == 0, err == nil
}

// serviceUser is who the unit runs as.
const serviceUser = "kassad"

// Access judges the service, where its unit is installed, and else who asks.
func (m linuxMachine) Access(port string) (name, group string, may, known bool) {
	gid, mode, err := m.groupOf(port)
	if err != nil || mode&0o060 != 0o060 || mode&0o006 == 0o006 { // the group decides nothing
		return "", "", false, false
	}
	group, members := m.group(gid)
	for _, dir := range []string{"etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"} {
		if unit, err := os.ReadFile(m.at(dir, serviceUser+".service")); err == nil {
			return serviceUser, group, slices.Contains(members, serviceUser) || slices.Contains(supplementary(string(unit)), group), true
		}
	}
	me, groups, err := m.me()
	if err != nil {
		return "", "", false, false
	}
	return me, group, me == "root" || slices.Contains(groups, gid), true
}

// group is the name and the members of a group; of one without a name its
// number.
func (m linuxMachine) group(gid int) (name string, members []string) {
	f, err := os.Open(m.at("etc/group"))
	if err != nil {
		return strconv.Itoa(gid), nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if p := strings.Split(s.Text(), ":"); len(p) == 4 && p[2] == strconv.Itoa(gid) {
			return p[0], strings.Split(p[3], ",")
		}
	}
	return strconv.Itoa(gid), nil
}

func supplementary(unit string) (groups []string) {
	for line := range strings.Lines(unit) {
		if list, ok := strings.CutPrefix(strings.TrimSpace(line), "SupplementaryGroups="); ok {
			groups = append(groups, strings.Fields(list)...)
		}
	}
	return groups
}

// usb climbs from a tty to the USB device that owns it.
func (m linuxMachine) usb(port string) string {
	const levelsMax = 4
	dir, err := filepath.EvalSymlinks(m.at("sys/class/tty", filepath.Base(port), "device"))
	if err != nil {
		return ""
	}
	for range levelsMax {
		if _, err := os.Stat(filepath.Join(dir, "idVendor")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// SavesPower reads the setting of the device: "on" never sleeps, "auto" sleeps
// after a delay, unless that is negative.
func (m linuxMachine) SavesPower(p link.Port) (setting string, saves, known bool) {
	dir := m.usb(p.Name)
	if dir == "" {
		return "", false, false
	}
	control := word(filepath.Join(dir, "power/control"))
	delay := word(filepath.Join(dir, "power/autosuspend_delay_ms"))
	if control == "" {
		return "", false, false
	}
	setting = filepath.Join(dir, "power/control") + " is " + control
	return setting, control == "auto" && !strings.HasPrefix(delay, "-"), true
}

func word(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// ModemManager looks for the process, and for what udev has told it about the
// port or its device.
func (m linuxMachine) ModemManager(port string) (running, ignores bool) {
	names, _ := filepath.Glob(m.at("proc/[0-9]*/comm")) // the pattern is good
	running = slices.ContainsFunc(names, func(comm string) bool { return word(comm) == "ModemManager" })
	if !running {
		return false, false
	}
	for _, dev := range []string{m.at("sys/class/tty", filepath.Base(port), "dev"), filepath.Join(m.usb(port), "dev")} {
		number := word(dev)
		if number == "" {
			continue
		}
		text, _ := os.ReadFile(m.at("run/udev/data", "c"+number))
		for line := range strings.Lines(string(text)) {
			switch strings.TrimSpace(line) {
			case "E:ID_MM_DEVICE_IGNORE=1", "E:ID_MM_PORT_IGNORE=1":
				return true, true
			}
		}
	}
	return true, false
}
