// Package devices opens the register that a configuration describes.
package devices

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"kassad/devices/link"
	"kassad/devices/shtrih"
	"kassad/fiscal"
)

// KindShtrihM is the family of Shtrih-M, RR-Electro, Elves, Retail and others
// that speak its protocol.
const KindShtrihM = "shtrih-m"

// Settings describe one register.
type Settings struct {
	Name     string // of the device
	Kind     string
	Address  string // see link.Parse, or AddressAuto
	Serial   string // the printer's own serial number; "" for any, or the one that is remembered
	Password uint32
	Mark     string
	Taxation fiscal.Taxation
	// ItemTagsFirst and QuietTime are UNVERIFIED facts of the family, see
	// shtrih.Options.
	ItemTagsFirst bool
	QuietTime     time.Duration
	TraceFile     string // every byte of the wire; "" for none
	Log           *slog.Logger
	// Finder is shared by all devices of a daemon; nil is one of its own.
	Finder *Finder
	// Dial replaces the network of this computer for tcp:// addresses.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Open prepares the register; nothing is sent before it is first needed.
func Open(s Settings) (fiscal.Backend, error) {
	if s.Kind != KindShtrihM {
		return nil, fmt.Errorf("kind %q: this version drives %s", s.Kind, KindShtrihM)
	}
	if s.Finder == nil {
		s.Finder = NewFinder(FinderOptions{Log: s.Log})
	}
	if err := s.Finder.join(s.Name, s.Serial, s.Address); err != nil {
		return nil, err
	}
	open := link.Open
	if s.Dial != nil {
		open = func(ctx context.Context, address string) (link.Link, error) {
			return link.OpenOver(ctx, s.Dial, address)
		}
	}
	dial, admit := s.ways(open)
	var trace io.Writer
	if s.TraceFile != "" {
		trace = &traceFile{path: s.TraceFile}
	}
	return shtrih.New(shtrih.Options{
		Dial: dial, Admit: admit, Password: s.Password, Mark: s.Mark, Taxation: uint8(s.Taxation),
		ItemTagsFirst: s.ItemTagsFirst, QuietTime: s.QuietTime, Trace: trace, Logger: s.Log,
	}), nil
}

// ways are how the driver gets a link, and whether the printer on it is right.
func (s Settings) ways(open func(ctx context.Context, address string) (link.Link, error)) (dial func(ctx context.Context) (link.Link, error), admit func(serial string) error) {
	if s.Address == AddressAuto {
		a := &autoDialer{name: s.Name, finder: s.Finder, open: open, ask: shtrih.Asking{Password: s.Password}, log: s.Finder.log}
		return a.dial, a.admit
	}
	d := &dialer{address: s.Address, open: open, ports: s.Finder.around.Ports, log: s.Log}
	if d.log == nil {
		d.log = s.Finder.log
	}
	d.hold = func(at Known, l link.Link) link.Link { return s.Finder.hold(s.Name, at, l) }
	return d.dial, func(serial string) error { return s.Finder.admit(s.Name, serial) }
}

// dialer opens the link, and finds a USB device again that has come back under
// another name: COM3 as COM7, ttyACM0 as ttyACM2.
type dialer struct {
	address string
	open    func(ctx context.Context, address string) (link.Link, error)
	ports   func() ([]link.Port, error)
	hold    func(at Known, l link.Link) link.Link // notes where the link is open
	log     *slog.Logger

	mu  sync.Mutex
	usb string // serial number of the USB device behind the configured port
}

func (d *dialer) dial(ctx context.Context) (link.Link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := link.Parse(d.address)
	if err != nil {
		return nil, err
	}
	if a.Scheme != "serial" {
		return d.connect(ctx, d.address)
	}
	here, known := d.usbOf(a.Name)
	if d.usb != "" && (!known || here != d.usb) {
		if name, ok := d.find(d.usb); ok {
			d.log.Warn("the port has another name now", "configured", a.Name, "found", name, "usb_serial", d.usb)
			a.Name = name
			return d.connect(ctx, a.String())
		}
		if known {
			return nil, fmt.Errorf("%s is another USB device now (serial number %q, was %q)", a.Name, here, d.usb)
		}
	}
	l, err := d.connect(ctx, a.String())
	if err == nil && known && here != "" {
		d.usb = here
	}
	return l, err
}

func (d *dialer) connect(ctx context.Context, address string) (link.Link, error) {
	l, err := d.open(ctx, address)
	if err != nil {
		return nil, err
	}
	return d.hold(Known{Address: address}, l), nil
}

// usbOf returns the serial number of the USB device behind a port.
func (d *dialer) usbOf(name string) (serial string, known bool) {
	ports, err := d.ports()
	if err != nil {
		return "", false
	}
	for _, p := range ports {
		if p.Name == name {
			return p.Serial, true
		}
	}
	return "", false
}

// find looks for a port by USB serial number; two of one number are nobody.
func (d *dialer) find(serial string) (name string, ok bool) {
	ports, err := d.ports()
	if err != nil {
		return "", false
	}
	for _, p := range ports {
		if p.Serial == serial {
			if ok {
				return "", false
			}
			name, ok = p.Name, true
		}
	}
	return name, ok
}
