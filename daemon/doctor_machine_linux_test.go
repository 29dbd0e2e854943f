package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"kassad/devices/link"
)

// linuxTree is a system in a temporary folder: a printer on USB, seen as
// ttyACM0.
func linuxTree(t *testing.T, files map[string]string) linuxMachine {
	t.Helper()
	root := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const usb = "sys/devices/usb1/1-2/"
	put(usb+"idVendor", "1fc9\n")
	put(usb+"dev", "189:5\n")
	put(usb+"power/control", "on\n")
	put(usb+"1-2:1.0/tty/ttyACM0/dev", "166:0\n")
	put("sys/class/tty/ttyACM0/dev", "166:0\n")
	if err := os.Symlink(filepath.Join(root, usb, "1-2:1.0"), filepath.Join(root, "sys/class/tty/ttyACM0/device")); err != nil {
		t.Fatal(err)
	}
	put("proc/1/comm", "systemd\n")
	put("etc/group", "root:x:0:\ndialout:x:20:petrov,sidorov\n")
	for name, text := range files {
		put(name, text)
	}
	return linuxMachine{
		root:    root,
		me:      func() (string, []int, error) { return "ivanov", []int{1000}, nil },
		groupOf: func(string) (int, uint32, error) { return 20, 0o660, nil },
	}
}

func TestLinuxPower(t *testing.T) {
	t.Parallel()
	const power = "sys/devices/usb1/1-2/power/"
	for name, c := range map[string]struct {
		files map[string]string
		saves bool
	}{
		"on":             {nil, false},
		"auto":           {map[string]string{power + "control": "auto\n", power + "autosuspend_delay_ms": "2000\n"}, true},
		"auto and never": {map[string]string{power + "control": "auto\n", power + "autosuspend_delay_ms": "-1000\n"}, false},
	} {
		if _, saves, known := linuxTree(t, c.files).SavesPower(link.Port{Name: "/dev/ttyACM0"}); saves != c.saves || !known {
			t.Errorf("%s: %v, known %v", name, saves, known)
		}
	}
	if _, _, known := linuxTree(t, nil).SavesPower(link.Port{Name: "/dev/ttyS0"}); known {
		t.Error("a line of the computer's own has no power saving of USB")
	}
}

func TestLinuxModemManager(t *testing.T) {
	t.Parallel()
	const comm = "proc/77/comm"
	for name, c := range map[string]struct {
		files            map[string]string
		running, ignores bool
	}{
		"absent":      {nil, false, false},
		"running":     {map[string]string{comm: "ModemManager\n"}, true, false},
		"by the port": {map[string]string{comm: "ModemManager\n", "run/udev/data/c166:0": "S:kkt\nE:ID_MM_PORT_IGNORE=1\n"}, true, true},
		"by device":   {map[string]string{comm: "ModemManager\n", "run/udev/data/c189:5": "E:ID_MM_DEVICE_IGNORE=1\n"}, true, true},
		"taken back":  {map[string]string{comm: "ModemManager\n", "run/udev/data/c189:5": "E:ID_MM_DEVICE_IGNORE=0\n"}, true, false},
	} {
		if running, ignores := linuxTree(t, c.files).ModemManager("/dev/ttyACM0"); running != c.running || ignores != c.ignores {
			t.Errorf("%s: running %v, ignores %v", name, running, ignores)
		}
	}
}

func TestLinuxAccess(t *testing.T) {
	t.Parallel()
	const unit = "etc/systemd/system/kassad.service"
	for name, c := range map[string]struct {
		files map[string]string
		user  string
		may   bool
	}{
		"who asks":            {nil, "ivanov", false},
		"the service":         {map[string]string{unit: "[Service]\nSupplementaryGroups=dialout lp\n"}, "kassad", true},
		"without the group":   {map[string]string{unit: "[Service]\nUser=kassad\n"}, "kassad", false},
		"member of the group": {map[string]string{unit: "[Service]\n", "etc/group": "dialout:x:20:petrov,kassad\n"}, "kassad", true},
	} {
		user, group, may, known := linuxTree(t, c.files).Access("/dev/ttyACM0")
		if user != c.user || group != "dialout" || may != c.may || !known {
			t.Errorf("%s: %s in %s %v, known %v", name, user, group, may, known)
		}
	}
	m := linuxTree(t, nil)
	m.me = func() (string, []int, error) { return "petrov", []int{20}, nil }
	if _, _, may, _ := m.Access("/dev/ttyACM0"); !may {
		t.Error("a member may not")
	}
	m.groupOf = func(string) (int, uint32, error) { return 20, 0o666, nil }
	if _, _, _, known := m.Access("/dev/ttyACM0"); known {
		t.Error("a port for everybody is a matter of groups")
	}
}

func TestLinuxClock(t *testing.T) {
	t.Parallel()
	if synced, known := clockState(unix.STA_UNSYNC, nil); synced || !known {
		t.Error("a clock that nobody sets")
	}
	if synced, known := clockState(unix.STA_PLL, nil); !synced || !known {
		t.Error("a clock that somebody sets")
	}
	if _, known := clockState(0, errors.New("no")); known {
		t.Error("a clock that nobody may ask")
	}
}
