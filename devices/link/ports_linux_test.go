package link

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree writes the files and links of a piece of sysfs: "a/b" → text, and
// "a/b" → "-> target" for a link.
func tree(t *testing.T, root string, entries map[string]string) {
	t.Helper()
	for name, text := range entries {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(strings.Replace(target, "ROOT", root, 1), path)
		} else {
			err = os.WriteFile(path, []byte(text+"\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestScanTTY(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	tree(t, root, map[string]string{
		"usb/1-1/idVendor": "1fc9", "usb/1-1/idProduct": "00a7", "usb/1-1/serial": "0123", "usb/1-1/product": "Shtrih-M",
		"usb/1-1/1-1:1.0/driver": "-> ../../../drivers/cdc_acm",
		"class/ttyACM0/device":   "-> ROOT/usb/1-1/1-1:1.0",
		// A modem by its other interface.
		"usb/1-2/idVendor": "12d1", "usb/1-2/idProduct": "1506",
		"usb/1-2/1-2:1.0/ttyUSB0/x": "", "usb/1-2/1-2:1.1/driver": "-> ../../../drivers/qmi_wwan",
		"class/ttyUSB0/device": "-> ROOT/usb/1-2/1-2:1.0/ttyUSB0",
		"class/ttyS0/type":     "4", "class/ttyS1/type": "0", "class/ttyS2/type": "4", "class/tty7/x": "", "class/rfcomm0/x": "",
		"class/console/active":     "tty0 ttyS2",
		"dev/serial/by-id/usb-one": "-> ../../ttyACM0",
	})
	dev := filepath.Join(root, "dev")
	got, err := scanTTY(filepath.Join(root, "class"), dev)
	if err != nil {
		t.Fatal(err)
	}
	want := []Port{
		{Name: dev + "/rfcomm0", Kind: KindBluetooth},
		{Name: dev + "/ttyACM0", ByID: dev + "/serial/by-id/usb-one", Kind: KindUSB, VID: "1FC9", PID: "00A7", Serial: "0123", Product: "Shtrih-M"},
		{Name: dev + "/ttyS0", Kind: KindLine},
		{Name: dev + "/ttyS2", Kind: KindLine, Foreign: "console"},
		{Name: dev + "/ttyUSB0", Kind: KindAdapter, VID: "12D1", PID: "1506", Foreign: "modem"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// Listing must not touch a port in use: the library's enumerator opens each
// ttyS, sets it to 9600 and drops the exclusive flag.
func TestPTYListingDisturbsNothing(t *testing.T) {
	t.Parallel()
	master, name := openPTY(t)
	l, err := Open(t.Context(), "serial://"+name+"?baud=115200")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	look, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0) // as root; the port is TIOCEXCL
	if err != nil {
		look = nil
	} else {
		defer look.Close()
	}
	settings := func() unix.Termios {
		if look == nil {
			return unix.Termios{}
		}
		s, err := unix.IoctlGetTermios(int(look.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return *s
	}
	root := t.TempDir()
	tree(t, root, map[string]string{"class/ttyS0/type": "4", "dev/ttyS0": "-> " + name})
	before := settings()
	for range 3 {
		if ports, err := scanTTY(root+"/class", root+"/dev"); err != nil || len(ports) != 1 {
			t.Fatalf("%v, %v", ports, err)
		}
	}
	if settings() != before {
		t.Error("listing changed the settings of an open port")
	}
	l.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := master.Write([]byte{0x15}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := io.ReadFull(l, b); err != nil || b[0] != 0x15 {
		t.Errorf("after listing: % X, %v", b, err)
	}
}

// The holder of a port is seen without opening it.
func TestInUse(t *testing.T) {
	t.Parallel()
	_, name := openPTY(t)
	if who, used := InUse(name); used {
		t.Fatalf("free port: %q", who)
	}
	l, err := Open(t.Context(), "serial://"+name)
	if err != nil {
		t.Fatal(err)
	}
	who, used := InUse(name)
	if want := fmt.Sprintf("(%d)", os.Getpid()); !used || !strings.HasSuffix(who, want) {
		t.Errorf("open port: %q %v, want …%s", who, used, want)
	}
	link := filepath.Join(t.TempDir(), "printer")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	if _, used := InUse(link); !used {
		t.Error("not seen by another name")
	}
	l.Close()
	if who, used := InUse(name); used {
		t.Errorf("closed port: %q", who)
	}
}

// A container has a /dev/pts of its own, whose first terminal is not ours; a serial port
// that was put into it is the same one.
func TestDeviceOfAContainer(t *testing.T) {
	t.Parallel()
	node := func(dev uint64, major, minor uint32) unix.Stat_t {
		return unix.Stat_t{Dev: dev, Rdev: unix.Mkdev(major, minor)}
	}
	for name, c := range map[string]struct {
		a, b unix.Stat_t
		want bool
	}{
		"the same terminal":           {node(24, 136, 0), node(24, 136, 0), true},
		"another's first terminal":    {node(24, 136, 0), node(99, 136, 0), false},
		"the same port":               {node(5, 166, 0), node(5, 166, 0), true},
		"the same port in both":       {node(5, 166, 0), node(77, 166, 0), true},
		"another port under its name": {node(5, 166, 0), node(77, 188, 0), false},
	} {
		if got := sameNode(c.a, c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A lock file counts while its maker lives.
func TestInUseByLockFile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	tree(t, root, map[string]string{
		"lock/LCK..ttyS7": fmt.Sprintf("%10d", os.Getpid()), "lock/LCK..ttyS8": "2147483646", "lock/LCK..ttyS9": "what",
		fmt.Sprintf("proc/%d/comm", os.Getpid()): "mini\x1bcom",
	})
	for name, want := range map[string]string{"/dev/ttyS7": fmt.Sprintf("minicom (%d)", os.Getpid()), "/dev/ttyS8": "", "/dev/ttyS9": ""} {
		if who, used := holderOf(root+"/proc", root+"/lock", name); who != want || used != (want != "") {
			t.Errorf("%s: %q %v, want %q", name, who, used, want)
		}
	}
}

// The library writes to whatever file has the number of the closed descriptor:
// perhaps the journal.
func TestPTYWriteAfterCloseHitsNothing(t *testing.T) {
	_, name := openPTY(t)
	l, err := Open(t.Context(), "serial://"+name)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	var files []*os.File // as many as take every number that the port had
	dir := t.TempDir()
	for i := range 16 {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	if n, err := l.Write([]byte("receipt")); n != 0 || !errors.Is(err, ErrClosed) {
		t.Errorf("write after close: %d, %v", n, err)
	}
	for _, f := range files {
		if info, err := f.Stat(); err != nil || info.Size() != 0 {
			t.Errorf("%s has %d bytes, %v", f.Name(), info.Size(), err)
		}
	}
}

// A refused second opener must leave the lock alone: its Close would clear the
// exclusive flag for everybody.
func TestPTYLockSurvivesRefusals(t *testing.T) {
	t.Parallel()
	_, name := openPTY(t)
	l, err := Open(t.Context(), "serial://"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 3 {
		if second, err := Open(t.Context(), "serial://"+name); !errors.Is(err, ErrBusy) {
			t.Fatalf("open: %v, %v", second, err)
		}
	}
}

// A pulled cable: the read in hand ends, the name is gone, and closing is clean.
func TestPTYGone(t *testing.T) {
	t.Parallel()
	master, name := openPTY(t)
	l, err := Open(t.Context(), "serial://"+name)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := l.Read(make([]byte, 1))
		ended <- err
	}()
	master.Close()
	if err := <-ended; !errors.Is(err, ErrHangUp) {
		t.Errorf("read in hand: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if again, err := Open(t.Context(), "serial://"+name); err == nil {
		again.Close() // another test's pty may have the number by now
	} else if !errors.Is(err, ErrNoPort) && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrHangUp) {
		t.Errorf("open: %v", err)
	}
}

// The library's read timeout is not synchronised with a read; ours may be moved
// from another goroutine.
func TestPTYDeadlineFromElsewhere(t *testing.T) {
	t.Parallel()
	_, name := openPTY(t)
	l, err := Open(t.Context(), "serial://"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := l.Read(make([]byte, 1))
		ended <- err
	}()
	for range 10 {
		l.SetDeadline(time.Now().Add(time.Hour))
	}
	l.SetDeadline(time.Now())
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
}

func TestGadgetsAndNeighbours(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	tree(t, root, map[string]string{"usb0/device/driver": "-> ../../drivers/rndis_host", "eth0/device/driver": "-> ../../drivers/e1000e", "lo/x": ""})
	for name, want := range map[string]bool{"usb0": true, "eth0": false, "lo": false, "none": false} {
		if got := gadgetIn(root, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	const arp = "IP address       HW type     Flags       HW address            Mask     Device\n" +
		"192.168.137.111  0x1         0x2         02:00:00:00:00:01     *        usb0\n" +
		"192.168.137.9    0x1         0x0         00:00:00:00:00:00     *        usb0\nwhat\n"
	if got := parseARP(arp)["usb0"]; len(got) != 1 || got[0] != netip.MustParseAddr("192.168.137.111") {
		t.Errorf("neighbours %v", got)
	}
	if _, err := Networks(); err != nil {
		t.Error(err)
	}
}
