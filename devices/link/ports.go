package link

import (
	"fmt"
	"net/netip"
	"strings"
)

// Kind is what stands behind the name of a serial port.
type Kind string

// Kinds of ports.
const (
	KindUSB       Kind = "usb"       // a device that is a serial port itself (CDC): it has no speed
	KindAdapter   Kind = "adapter"   // a USB converter with a real line behind it
	KindLine      Kind = "line"      // a line of the computer's own
	KindBluetooth Kind = "bluetooth" // opening it calls a paired device
	KindRemote    Kind = "remote"    // of another computer, through a remote desktop
)

// Port is a serial port found on this computer. VID and PID are upper-case
// hex; they, Serial and Product are empty for ports that are not USB.
type Port struct {
	Name    string `json:"name"`
	ByID    string `json:"by_id,omitempty"` // the lasting name of udev
	Kind    Kind   `json:"kind,omitempty"`
	VID     string `json:"vid,omitempty"`
	PID     string `json:"pid,omitempty"`
	Serial  string `json:"serial,omitempty"`
	Product string `json:"product,omitempty"`
	// Foreign is what the system itself says of a port that is nobody's to
	// probe: "modem", "console"; else empty.
	Foreign string `json:"foreign,omitempty"`
}

// Identity is what stays the same when the device of a USB port comes back
// under another name; "" for other ports.
func (p Port) Identity() string {
	if p.VID == "" {
		return ""
	}
	return p.VID + ":" + p.PID + ":" + p.Serial
}

// Ports lists serial ports without opening any of them, so that it may be
// called while a port is in use.
func Ports() ([]Port, error) {
	ports, err := listPorts()
	for i := range ports { // what a device says of itself must not steer a screen
		p := &ports[i]
		p.VID, p.PID, p.Serial, p.Product = printable(p.VID), printable(p.PID), printable(p.Serial), printable(p.Product)
	}
	return ports, err
}

// descriptorTextMax is the longest string of a USB descriptor.
const descriptorTextMax = 126

// printable takes control characters and what is too long out of a text.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 || r == '\uFFFD' {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > descriptorTextMax {
		s = string(r[:descriptorTextMax])
	}
	return s
}

// Resolve finds the name of the port whose USB serial number is serial. More
// than one is an error: some adapters all carry the same number.
func Resolve(serial string) (string, error) {
	ports, err := Ports()
	if err != nil {
		return "", fmt.Errorf("list ports: %w", err)
	}
	return resolve(ports, serial)
}

func resolve(ports []Port, serial string) (string, error) {
	var found []string
	for _, p := range ports {
		if p.Serial != "" && strings.EqualFold(p.Serial, serial) {
			found = append(found, p.Name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: USB serial number %s", ErrNoPort, serial)
	case 1:
		return found[0], nil
	default:
		return "", fmt.Errorf("%w: USB serial number %s is on %s", ErrAddress, serial, strings.Join(found, ", "))
	}
}

// InUse tells who has a serial port open, without opening it: "minicom (4711)".
// What the system does not show to this user is not seen.
func InUse(name string) (who string, used bool) { return holder(name) }

// Connected tells whether this computer has a connection to a place of a network,
// or is making one. A printer serves one at a time, and some drop it for the next.
func Connected(at netip.AddrPort) bool { return connected(at) }
