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
	Kind     string
	Address  string // see link.Parse
	Password uint32
	Mark     string
	Taxation fiscal.Taxation
	// ItemTagsFirst and QuietTime are UNVERIFIED facts of the family, see
	// shtrih.Options.
	ItemTagsFirst bool
	QuietTime     time.Duration
	TraceFile     string // every byte of the wire; "" for none
	Log           *slog.Logger
	// Dial replaces the network of this computer for tcp:// addresses.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Open prepares the register; nothing is sent before it is first needed.
func Open(s Settings) (fiscal.Backend, error) {
	if s.Kind != KindShtrihM {
		return nil, fmt.Errorf("kind %q: this version drives %s", s.Kind, KindShtrihM)
	}
	if _, err := link.Parse(s.Address); err != nil {
		return nil, err
	}
	dial := &dialer{address: s.Address, open: link.Open, ports: link.Ports, log: s.Log}
	if s.Dial != nil {
		dial.open = func(ctx context.Context, address string) (link.Link, error) {
			return link.OpenOver(ctx, s.Dial, address)
		}
	}
	var trace io.Writer
	if s.TraceFile != "" {
		trace = &traceFile{path: s.TraceFile}
	}
	return shtrih.New(shtrih.Options{
		Dial: dial.dial, Password: s.Password, Mark: s.Mark, Taxation: uint8(s.Taxation),
		ItemTagsFirst: s.ItemTagsFirst, QuietTime: s.QuietTime, Trace: trace, Logger: s.Log,
	}), nil
}

// dialer opens the link, and finds a USB device again that has come back under
// another name: COM3 as COM7, ttyACM0 as ttyACM2.
type dialer struct {
	address string
	open    func(ctx context.Context, address string) (link.Link, error)
	ports   func() ([]link.Port, error)
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
		return d.open(ctx, d.address)
	}
	here, known := d.usbOf(a.Name)
	if d.usb != "" && (!known || here != d.usb) {
		if name, ok := d.find(d.usb); ok {
			d.log.Warn("the port has another name now", "configured", a.Name, "found", name, "usb_serial", d.usb)
			a.Name = name
			return d.open(ctx, a.String())
		}
		if known {
			return nil, fmt.Errorf("%s is another USB device now (serial number %q, was %q)", a.Name, here, d.usb)
		}
	}
	l, err := d.open(ctx, a.String())
	if err == nil && known && here != "" {
		d.usb = here
	}
	return l, err
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
