package devices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/detect"
	"kassad/devices/link"
	"kassad/devices/shtrih"
)

// desk is the back of a computer: ports, and the printer on each.
type desk struct {
	mu       sync.Mutex
	ports    []link.Port
	nets     []link.Network
	printers map[string]string // port or host:port → serial number; "" is a silent device
	used     map[string]string // port → by whom
	asked    []string
	opened   []string
}

func (k *desk) set(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
	k.asked, k.opened = nil, nil
}

func (k *desk) around() *detect.Surroundings {
	return &detect.Surroundings{
		Ports:    func() ([]link.Port, error) { k.mu.Lock(); defer k.mu.Unlock(); return k.ports, nil },
		Networks: func() ([]link.Network, error) { k.mu.Lock(); defer k.mu.Unlock(); return k.nets, nil },
		InUse: func(name string) (string, bool) {
			k.mu.Lock()
			defer k.mu.Unlock()
			who, used := k.used[name]
			return who, used
		},
		Connected: func(netip.AddrPort) bool { return false },
	}
}

func (k *desk) probe(_ context.Context, p detect.Place, _ shtrih.Asking) (shtrih.Found, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, p.Name())
	if serial := k.printers[p.Name()]; serial != "" {
		return shtrih.Found{Address: p.Address, Model: "M", Serial: serial}, nil
	}
	return shtrih.Found{}, shtrih.ErrNotFound
}

func (k *desk) open(_ context.Context, address string) (link.Link, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, err := link.Parse(address)
	if err != nil {
		return nil, err
	}
	k.opened = append(k.opened, a.Name)
	if _, here := k.printers[a.Name]; !here {
		return nil, link.ErrNoPort
	}
	c, _ := net.Pipe()
	return c, nil
}

// notes is a memory.
type notes map[string]Known

func (n notes) Recall(device string) (Known, bool)    { k, ok := n[device]; return k, ok }
func (n notes) Remember(device string, k Known) error { n[device] = k; return nil }
func acm(n int, serial string) link.Port              { return usbPort(fmt.Sprintf("/dev/ttyACM%d", n), serial) }
func usbPort(name, serial string) link.Port {
	return link.Port{Name: name, Kind: link.KindUSB, VID: "1FC9", PID: "00A7", Serial: serial}
}
func linePort(name string) link.Port { return link.Port{Name: name, Kind: link.KindLine} }
func (k *desk) finder(m Memory, log *slog.Logger) *Finder {
	return NewFinder(FinderOptions{Around: k.around(), Probe: k.probe, Memory: m, Log: log})
}

// device is one of a configuration: dial and then admit, as the driver does.
type device struct {
	desk  *desk
	dial  func(ctx context.Context) (link.Link, error)
	admit func(serial string) error
	link  link.Link
}

func (k *desk) device(t *testing.T, f *Finder, name, serial, address string) *device {
	t.Helper()
	if err := f.join(name, serial, address); err != nil {
		t.Fatal(err)
	}
	d := &device{desk: k}
	d.dial, d.admit = Settings{Name: name, Serial: serial, Address: address, Finder: f}.ways(k.open)
	return d
}

// connect is one attempt of a driver; at is where it got to.
func (d *device) connect() (at string, err error) {
	l, err := d.dial(context.Background())
	if err != nil {
		return "", err
	}
	d.desk.mu.Lock()
	at = d.desk.opened[len(d.desk.opened)-1]
	serial := d.desk.printers[at]
	d.desk.mu.Unlock()
	if serial == "" {
		l.Close()
		return at, errors.New("silent")
	}
	if err := d.admit(serial); err != nil {
		l.Close()
		return at, err
	}
	d.link = l
	return at, nil
}

func (d *device) drop() {
	if d.link != nil {
		d.link.Close()
	}
	d.link = nil
}

func wantAt(t *testing.T, d *device, want string) {
	t.Helper()
	if at, err := d.connect(); err != nil || at != want {
		t.Fatalf("at %q, %v; want %s", at, err, want)
	}
}

func wantAway(t *testing.T, d *device, words ...string) {
	t.Helper()
	at, err := d.connect()
	if err == nil {
		t.Fatalf("connected at %s", at)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// The printer is learned, followed under other names, and no other is taken.
func TestAutoFollowsItsPrinter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &desk{ports: []link.Port{acm(0, "U1"), linePort("/dev/ttyS0")}, printers: map[string]string{"/dev/ttyACM0": "0001", "/dev/ttyS0": ""}}
		memory := notes{}
		var log bytes.Buffer
		d := k.device(t, k.finder(memory, slog.New(slog.NewTextHandler(&log, nil))), "front", "", AddressAuto)
		wantAt(t, d, "/dev/ttyACM0")
		if memory["front"].Serial != "0001" || !strings.Contains(memory["front"].Address, "/dev/ttyACM0") {
			t.Fatalf("remembered %+v", memory)
		}

		// Another name: no search, and a line in the log.
		d.drop()
		k.set(func() {
			k.ports[0] = acm(2, "U1")
			k.printers = map[string]string{"/dev/ttyACM2": "0001", "/dev/ttyS0": ""}
		})
		wantAt(t, d, "/dev/ttyACM2")
		if len(k.asked) != 0 || !strings.Contains(log.String(), "another address") {
			t.Errorf("asked %v; %s", k.asked, &log)
		}

		// Another printer under the old name is not taken.
		d.drop()
		k.set(func() { k.ports[0] = acm(2, "U9"); k.printers["/dev/ttyACM2"] = "0009" })
		wantAway(t, d, "0001", "/dev/ttyACM2: M 0009")

		// Nor one with the same USB identity.
		k.set(func() { k.ports[0] = acm(2, "U1") })
		wantAway(t, d, "another printer")
		wantAway(t, d)

		// On a line: found by asking.
		k.set(func() { k.printers["/dev/ttyS0"] = "0001" })
		<-time.After(searchMax)
		wantAt(t, d, "/dev/ttyS0")
		if memory["front"].Address != "serial:///dev/ttyS0?baud=115200" || memory["front"].USB != "" {
			t.Errorf("remembered %+v", memory)
		}

		// A restart begins where it was, and asks nobody.
		d.drop()
		k.set(func() {})
		again := k.device(t, k.finder(memory, nil), "front", "", AddressAuto)
		wantAt(t, again, "/dev/ttyS0")
		if len(k.asked) != 0 {
			t.Errorf("asked %v", k.asked)
		}
	})
}

// Of several printers none is taken by chance; a pinned serial number chooses.
func TestAutoDoesNotGuess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &desk{ports: []link.Port{acm(0, "A"), acm(1, "B")}, printers: map[string]string{"/dev/ttyACM0": "0001", "/dev/ttyACM1": "0002"}}
		d := k.device(t, k.finder(notes{}, nil), "front", "", AddressAuto)
		wantAway(t, d, "several", "0001", "0002")

		f := k.finder(notes{"front": {Serial: "0001", Address: "serial:///dev/ttyACM0?baud=115200", USB: "1FC9:00A7:A"}}, nil)
		wantAt(t, k.device(t, f, "front", "0002", AddressAuto), "/dev/ttyACM1") // the configuration wins
	})
}

// Two devices change cables, and a third has a fixed address: each keeps its own.
func TestAutoDevicesKeepApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &desk{
			ports:    []link.Port{linePort("/dev/ttyS0"), linePort("/dev/ttyS1"), linePort("/dev/ttyS2")},
			printers: map[string]string{"/dev/ttyS0": "0001", "/dev/ttyS1": "0002", "/dev/ttyS2": "0003"},
		}
		f := k.finder(notes{}, nil)
		fixed := k.device(t, f, "fixed", "", "serial:///dev/ttyS2?baud=115200")
		one := k.device(t, f, "one", "0001", AddressAuto)
		rest := k.device(t, f, "rest", "", AddressAuto)
		wantAt(t, rest, "/dev/ttyS1") // the only one that is nobody's
		wantAt(t, one, "/dev/ttyS0")
		wantAt(t, fixed, "/dev/ttyS2")

		one.drop()
		rest.drop()
		k.set(func() { k.printers["/dev/ttyS0"], k.printers["/dev/ttyS1"] = "0002", "0001" })
		wantAway(t, one, "another printer")
		wantAway(t, rest, "another printer")
		<-time.After(searchFirst)
		wantAt(t, one, "/dev/ttyS1")
		wantAt(t, rest, "/dev/ttyS0")
		for _, name := range k.asked {
			if name == "/dev/ttyS2" {
				t.Error("the port of another device was asked")
			}
		}

		// A new printer at a fixed address is taken, unless it is pinned.
		fixed.drop()
		k.set(func() { k.printers["/dev/ttyS2"] = "0004" })
		wantAt(t, fixed, "/dev/ttyS2")
		pinned := k.device(t, k.finder(notes{}, nil), "fixed", "0003", "serial:///dev/ttyS2?baud=115200")
		wantAway(t, pinned, "another printer", "0004")
	})
}

// Ports that belong to others are not asked; the pauses between searches grow
// and end when something is plugged in.
func TestAutoSearchesWithRestraint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		modem := usbPort("/dev/ttyUSB0", "")
		modem.Foreign = "modem"
		k := &desk{
			ports:    []link.Port{linePort("/dev/ttyS0"), linePort("/dev/ttyS1"), linePort("/dev/ttyS2"), modem, {Name: "/dev/rfcomm0", Kind: link.KindBluetooth}},
			printers: map[string]string{"/dev/ttyS0": "", "/dev/ttyS1": "0001", "/dev/ttyS2": "0001", "/dev/ttyUSB0": "0001", "/dev/rfcomm0": "0001"},
			used:     map[string]string{"/dev/ttyS1": "minicom (7)"},
		}
		exclude, err := detect.ParseExclusions([]string{"/dev/ttyS2"})
		if err != nil {
			t.Fatal(err)
		}
		f := NewFinder(FinderOptions{Around: k.around(), Probe: k.probe, Exclude: exclude})
		d := k.device(t, f, "front", "", AddressAuto)
		wantAway(t, d, "ttyS0: silent", "minicom (7)", "excluded", "modem", "bluetooth")
		for range 600 { // ten minutes, an attempt each second
			<-time.After(time.Second)
			if _, err := d.connect(); !errors.Is(err, ErrNoPrinter) {
				t.Fatal(err)
			}
		}
		searches := len(k.asked)
		if searches < 10 || searches > 17 {
			t.Errorf("%d searches", searches)
		}
		for _, name := range k.asked {
			if name != "/dev/ttyS0" {
				t.Errorf("%s was asked", name)
			}
		}
		k.set(func() { k.ports = append(k.ports, acm(0, "A")); k.printers["/dev/ttyACM0"] = "0005" })
		wantAt(t, d, "/dev/ttyACM0") // at once
	})
}

// A printer that is a network card is found at its usual address, and preferred.
func TestAutoFindsGadget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &desk{
			ports:    []link.Port{acm(0, "A")},
			nets:     []link.Network{{Name: "usb0", Prefix: netip.MustParsePrefix("192.168.137.1/24")}, {Name: "eth0", Prefix: netip.MustParsePrefix("192.168.1.5/24")}},
			printers: map[string]string{"/dev/ttyACM0": "0001", "192.168.137.111:7778": "0001"},
		}
		memory := notes{}
		d := k.device(t, k.finder(memory, nil), "front", "", AddressAuto)
		wantAt(t, d, "192.168.137.111:7778")

		// The card is away for a while: the serial port serves, with the same printer.
		d.drop()
		k.set(func() { k.nets = nil; delete(k.printers, "192.168.137.111:7778") })
		wantAt(t, d, "/dev/ttyACM0")
	})
}

// A printer that is switched off at a port with a USB identity of its own, or
// away altogether, is found when it is back; nobody else is disturbed.
func TestAutoWaitsForPower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &desk{ports: []link.Port{acm(0, "A"), linePort("/dev/ttyS0")}, printers: map[string]string{"/dev/ttyACM0": "0001", "/dev/ttyS0": ""}}
		d := k.device(t, k.finder(notes{}, nil), "front", "", AddressAuto)
		wantAt(t, d, "/dev/ttyACM0")
		d.drop()
		k.set(func() { k.printers["/dev/ttyACM0"] = "" }) // the port is there, the printer is silent
		for range 5 {
			<-time.After(2 * time.Second)
			wantAway(t, d, "silent")
		}
		if len(k.asked) != 0 {
			t.Errorf("asked %v", k.asked)
		}
		k.set(func() { k.printers["/dev/ttyACM0"] = "0001" })
		wantAt(t, d, "/dev/ttyACM0")
	})
}
