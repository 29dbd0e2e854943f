package devices

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"kassad/devices/detect"
	"kassad/devices/link"
)

// AddressAuto is the address of a device whose printer is looked for.
const AddressAuto = "auto"

// ErrOtherPrinter: a printer answers, and it is not the one of this device.
var ErrOtherPrinter = errors.New("another printer")

// Known is what is remembered of a device's printer.
type Known struct {
	Serial  string `json:"serial"`        // of the printer, as it reports it
	Address string `json:"address"`       // where it was last
	USB     string `json:"usb,omitempty"` // identity of the port there
}

// Memory keeps over restarts what is known of devices that look for their
// printers.
type Memory interface {
	Recall(device string) (Known, bool)
	Remember(device string, k Known) error
}

// FinderOptions are the seams of a Finder. Zero values are this computer, no
// exclusion and no memory.
type FinderOptions struct {
	Around  *detect.Surroundings
	Probe   detect.Prober
	Exclude detect.Exclusions
	Memory  Memory
	Log     *slog.Logger
}

// Finder knows where the printers of all devices of a daemon are, so that none
// takes another's, and looks for those whose address is auto.
type Finder struct {
	around  detect.Surroundings
	probe   detect.Prober
	exclude detect.Exclusions
	memory  Memory
	log     *slog.Logger
	turn    chan struct{} // one search at a time: two would find each other's ports in use

	mu      sync.Mutex
	members map[string]*member
}

// member is a device.
type member struct {
	name   string
	serial string       // pinned by the configuration
	auto   bool         // it looks for its printer
	fixed  link.Address // else
	known  Known
	live   Known // of the link that is open: the place; Serial once admitted
	link   *heldLink
}

// wanted is the serial number of the printer that this device must have; "" if
// it is not known yet.
func (m *member) wanted() string {
	if m.serial != "" {
		return m.serial
	}
	return m.known.Serial
}

// NewFinder makes a Finder.
func NewFinder(o FinderOptions) *Finder {
	f := &Finder{
		probe: o.Probe, exclude: o.Exclude, memory: o.Memory, log: o.Log,
		turn: make(chan struct{}, 1), members: map[string]*member{},
	}
	f.around = detect.System()
	if o.Around != nil {
		f.around = *o.Around
	}
	if f.probe == nil {
		f.probe = detect.Probe
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

// join enters a device. What its configuration says wins over what is
// remembered.
func (f *Finder) join(name, serial, address string) error {
	m := &member{name: name, serial: serial, auto: address == AddressAuto}
	if !m.auto {
		var err error
		if m.fixed, err = link.Parse(address); err != nil {
			return err
		}
	}
	if f.memory != nil && m.auto {
		m.known, _ = f.memory.Recall(name)
	}
	if serial != "" && m.known.Serial != serial {
		m.known = Known{Serial: serial}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[name] = m
	return nil
}

// Where tells what is known of a device's printer.
func (f *Finder) Where(device string) (Known, bool) {
	if f == nil {
		return Known{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[device]
	if m == nil || m.known.Serial == "" {
		return Known{}, false
	}
	return m.known, true
}

// places lists where printers may be, marking what belongs to another device
// than the one that asks.
func (f *Finder) places(device string) ([]detect.Place, error) {
	places, err := f.around.Places(f.exclude)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range places {
		p := &places[i]
		for _, m := range f.members {
			if p.Left == "" && m.name != device && m.holds(*p) {
				p.Left, p.Detail = detect.InUse, "device "+m.name
			}
		}
	}
	return places, err
}

// holds tells whether a place is a device's: where its link is open, or, as
// long as it has none, where its configuration says.
func (m *member) holds(p detect.Place) bool {
	if m.live.Address != "" {
		return samePlace(m.live.Address, p)
	}
	return !m.auto && samePlace(m.fixed.String(), p)
}

// samePlace tells whether an address leads to p, at whatever speed.
func samePlace(address string, p detect.Place) bool {
	a, err := link.Parse(address)
	if err != nil {
		return false
	}
	switch a.Scheme {
	case "tcp":
		return address == p.Address
	case "usb":
		return p.Port.Serial != "" && strings.EqualFold(a.Name, p.Port.Serial)
	default:
		return p.Port.Name != "" && (strings.EqualFold(a.Name, p.Port.Name) || a.Name == p.Port.ByID)
	}
}

// owner is the other device whose printer has this serial number.
func (f *Finder) owner(serial, except string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if m.name != except && serial != "" && (m.wanted() == serial || m.live.Serial == serial) {
			return m.name, true
		}
	}
	return "", false
}

// hold notes that a device's link is open at a place, until it is closed.
func (f *Finder) hold(device string, at Known, l link.Link) link.Link {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[device]
	h := &heldLink{Link: l}
	h.release = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if m.link == h {
			m.link, m.live = nil, Known{}
		}
	}
	m.link, m.live = h, Known{Address: at.Address, USB: at.USB}
	return h
}

// heldLink gives its place back when it is closed.
type heldLink struct {
	link.Link
	release func()
}

// Close closes the link.
func (h *heldLink) Close() error {
	err := h.Link.Close()
	h.release()
	return err
}

// admit decides whether the printer with this serial number is the device's,
// and remembers it. A device with an address of its own takes a new printer
// there, as ever, unless its serial number is pinned; one that looks for its
// printer never does.
func (f *Finder) admit(device, serial string) error {
	if other, taken := f.owner(serial, device); taken && f.isAuto(device) {
		return fmt.Errorf("%w: %s is that of device %s", ErrOtherPrinter, serial, other)
	}
	f.mu.Lock()
	m := f.members[device]
	was, now := m.known, Known{Serial: serial, Address: m.live.Address, USB: m.live.USB}
	if want := m.wanted(); want != "" && want != serial && (m.auto || m.serial != "") {
		f.mu.Unlock()
		return fmt.Errorf("%w: serial number %s, and device %s is %s; after a change of printers set serial = %q", ErrOtherPrinter, serial, device, want, serial)
	}
	m.live.Serial = serial
	m.known = now
	f.mu.Unlock()
	if was == now {
		return nil
	}
	f.tell(device, was, now)
	if f.memory != nil && m.auto {
		if err := f.memory.Remember(device, now); err != nil {
			f.log.Warn("the printer's serial number could not be kept", "device", device, "err", err)
		}
	}
	return nil
}

func (f *Finder) isAuto(device string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.members[device].auto
}

func (f *Finder) tell(device string, was, now Known) {
	switch {
	case was.Serial == "" || was.Address == "":
		f.log.Info("the printer is known from now on", "device", device, "serial", now.Serial, "address", now.Address)
	case was.Serial != now.Serial:
		f.log.Warn("another printer at this address", "device", device, "was", was.Serial, "is", now.Serial, "address", now.Address)
	default:
		f.log.Info("the printer has another address now", "device", device, "serial", now.Serial, "was", was.Address, "is", now.Address)
	}
}
