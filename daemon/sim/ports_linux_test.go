package sim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices"
	"kassad/devices/detect"
	printer "kassad/devices/emul/shtrih"
	"kassad/devices/link"
	"kassad/fiscal"
)

// plugboard is the back of a computer: emulated printers on ptys that stand in
// for USB ports. A pty that is closed is a cable that is pulled; the next one
// has another name, as ttyACM0 comes back as ttyACM2.
type plugboard struct {
	t    *testing.T
	work sync.WaitGroup

	mu    sync.Mutex
	ports map[string]link.Port // by USB serial number
	pull  map[string]context.CancelFunc
	ended map[string]chan struct{}
}

func newPlugboard(t *testing.T) *plugboard {
	b := &plugboard{t: t, ports: map[string]link.Port{}, pull: map[string]context.CancelFunc{}, ended: map[string]chan struct{}{}}
	t.Cleanup(func() {
		b.mu.Lock()
		for _, pull := range b.pull {
			pull()
		}
		b.mu.Unlock()
		b.work.Wait()
	})
	return b
}

// seams are this board for a daemon.
func (b *plugboard) seams() devices.FinderOptions {
	return devices.FinderOptions{
		Around: &detect.Surroundings{
			Ports: func() ([]link.Port, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				var out []link.Port
				for _, p := range b.ports {
					out = append(out, p)
				}
				return out, nil
			},
			Networks: func() ([]link.Network, error) { return nil, nil },
			// The emulator holds its side of the pty by the same name.
			InUse:     func(string) (string, bool) { return "", false },
			Connected: func(netip.AddrPort) bool { return false },
		},
	}
}

// plug connects a printer under a USB serial number, and returns the port.
func (b *plugboard) plug(usb string, p *printer.Printer) string {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, failed, ended := make(chan string, 1), make(chan error, 1), make(chan struct{})
	b.work.Go(func() {
		defer close(ended)
		failed <- p.ListenPTY(ctx, func(path string) { ready <- path })
	})
	select {
	case path := <-ready:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ports[usb] = link.Port{Name: path, Kind: link.KindUSB, VID: "1FC9", PID: "00A7", Serial: usb}
		b.pull[usb], b.ended[usb] = cancel, ended
		return path
	case err := <-failed:
		cancel()
		if os.Getenv("CI") == "true" {
			b.t.Error(err)
		}
		b.t.Log(err)
		return ""
	}
}

// unplug pulls the cable and waits until the port is gone.
func (b *plugboard) unplug(usb string) {
	b.mu.Lock()
	pull, ended := b.pull[usb], b.ended[usb]
	delete(b.ports, usb)
	delete(b.pull, usb)
	b.mu.Unlock()
	if pull != nil {
		pull()
		<-ended
	}
}

// openBoard opens a shop whose only device looks for its printer.
func openBoard(t *testing.T, b *plugboard, opt Options) *Shop {
	t.Helper()
	opt.Stopped = true
	opt.Listen = func(string) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	config := opt.Config
	opt.Config = func(c *daemon.Config) {
		for i := range c.Devices {
			c.Devices[i].Address, c.Devices[i].Poll = devices.AddressAuto, daemon.Duration(200*time.Millisecond)
		}
		if config != nil {
			config(c)
		}
	}
	opt.Life = func(o *daemon.Options) { o.Finder = b.seams() }
	return openShop(t, opt)
}

// lifeAt waits until a device's printer is known at a port and answers.
func lifeAt(t *testing.T, s *Shop, device, port string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for {
		o := s.Daemon().Status()
		if strings.Contains(o.Printers[device].Address, port) && o.Devices[device].Link {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: %+v, link %v; want %s", device, o.Printers[device], o.Devices[device].Link, port)
		}
	}
}

func start(t *testing.T, s *Shop) *Till {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return openTill(t, s, "till1")
}

// The port moves in the middle of a sale, at each stage of it: the sale is made
// once. openShop compares the three books.
func TestPortMovesDuringSale(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		code []uint16
		when printer.Moment
	}{
		{"before the receipt", []uint16{0x8D}, printer.Before},
		{"after the first line", []uint16{0xFF46}, printer.After},
		{"before the close", []uint16{closeReceipt, closeReceiptV3}, printer.Before},
		{"after the close", []uint16{closeReceipt, closeReceiptV3}, printer.After},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newPlugboard(t)
			s := openBoard(t, b, Options{})
			p := s.Printers["front"]
			first := b.plug("U1", p)
			if first == "" {
				noPTY(t)
			}
			till := start(t, s)
			lifeAt(t, s, "front", first)
			must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
			moved := make(chan string, 1)
			p.Inject(printer.Fault{When: printer.Command(c.code...), Do: printer.Call{When: c.when, Do: func(p *printer.Printer) {
				// On another goroutine: the cable does not wait for the printer.
				b.work.Go(func() {
					b.unplug("U1")
					moved <- b.plug("U1", p)
				})
			}}})
			a := must(t, till, fiscal.VerbSale, receipt(obj{"cash": 1500}, kettle()))
			if a.Fiscal.Total != 122000 {
				t.Errorf("sale: %s", a.Raw)
			}
			lifeAt(t, s, "front", <-moved)
			must(t, till, fiscal.VerbSale, receipt(obj{"cash": 1500}, kettle()))
		})
	}
}

// Another printer at the old port is not taken, the old one is found under
// another name without a restart, and a restart begins with it again.
func TestPortKeepsItsPrinter(t *testing.T) {
	t.Parallel()
	b := newPlugboard(t)
	s := openBoard(t, b, Options{})
	mine := s.Printers["front"]
	other := printer.New(printer.Config{Serial: "0000000000000099", FNSerial: "9999078900000099"})
	first := b.plug("U1", mine)
	if first == "" {
		noPTY(t)
	}
	till := start(t, s)
	lifeAt(t, s, "front", first)
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	must(t, till, fiscal.VerbSale, receipt(obj{"cash": 1500}, kettle()))

	// The converter stays, and the printer behind it is another one.
	b.unplug("U1")
	b.plug("U1", other)
	id := "sale-while-away"
	done := make(chan Answer, 1)
	go func() {
		a, err := till.CallID(t.Context(), fiscal.VerbSale, id, receipt(obj{"cash": 1500}, kettle()), func(Answer) {})
		if err != nil {
			t.Error(err)
		}
		done <- a
	}()
	waitAlert(t, s, fiscal.CodePrinterAway, "0000000000000099") // it is named, whether it was met by asking or by searching
	second := b.plug("U2", mine)
	if a := <-done; a.State != fiscal.Done {
		t.Fatalf("sale: %s", a.Raw)
	}
	lifeAt(t, s, "front", second)
	if n := len(other.Storage().Ledger()); n > 1 { // its registration
		t.Errorf("the other printer has %d documents", n)
	}

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	lifeAt(t, s, "front", second)
	if got := s.Daemon().Status().Printers["front"].Serial; got == "" || strings.HasSuffix(got, "99") {
		t.Errorf("serial %q", got)
	}
}

// waitAlert waits for an alert whose detail has these words.
func waitAlert(t *testing.T, s *Shop, code fiscal.Code, words string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for {
		var seen []string
		for _, a := range s.Daemon().Status().Alerts {
			seen = append(seen, fmt.Sprintf("%s %s", a.Code, a.Detail))
			if a.Code == code && strings.Contains(a.Detail, words) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("no %s %q: %q", code, words, seen)
		}
	}
}

// Two devices that look for their printers and change cables: each till prints
// where it printed before, and unplugging one does not touch the other.
func TestPortsOfTwoDevices(t *testing.T) {
	t.Parallel()
	b := newPlugboard(t)
	s := openBoard(t, b, Options{
		Printers: map[string]printer.Config{
			"bar":   {Serial: "0000000000000001", FNSerial: "9999078900000001"},
			"front": {Serial: "0000000000000002", FNSerial: "9999078900000002"},
		},
		Config: func(c *daemon.Config) {
			c.Devices[0].Serial, c.Devices[1].Serial = "0000000000000001", "0000000000000002"
		},
	})
	bar, front := b.plug("U1", s.Printers["bar"]), b.plug("U2", s.Printers["front"])
	if bar == "" || front == "" {
		noPTY(t)
	}
	start(t, s)
	lifeAt(t, s, "bar", filepath.Base(bar))
	lifeAt(t, s, "front", filepath.Base(front))
	b.unplug("U2")
	if o := s.Daemon().Status(); !o.Devices["bar"].Link {
		t.Error("the other device lost its link")
	}
	b.unplug("U1")
	now1, now2 := b.plug("U2", s.Printers["bar"]), b.plug("U1", s.Printers["front"])
	lifeAt(t, s, "bar", now1)
	lifeAt(t, s, "front", now2)
	for device, want := range map[string]string{"bar": "9999078900000001", "front": "9999078900000002"} {
		if got := s.Daemon().Status().Devices[device].FN.Serial; got != want {
			t.Errorf("%s has storage %s, want %s", device, got, want)
		}
	}
}

// noPTY ends a test for which the system has no pseudo terminal; in CI that is a
// failure.
func noPTY(t *testing.T) {
	t.Helper()
	const why = "no pseudo terminal here: is /dev/pts mounted?"
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
