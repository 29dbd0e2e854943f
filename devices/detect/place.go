// Package detect finds out which printers this computer has, without harm to
// what else is plugged in: first what the system knows without asking a device,
// then one harmless byte (shtrih.Probe), to each place at most once at a time,
// and to none that is excluded or in use.
package detect

import (
	"net/netip"
	"slices"
	"strings"

	"kassad/devices/link"
)

// Why a place is left alone.
type Why string

// Reasons. InUse and Excluded have a detail: by whom, by which line.
const (
	Excluded  Why = "excluded"
	InUse     Why = "in-use"
	Modem     Why = "modem"
	Console   Why = "console"
	Bluetooth Why = "bluetooth"
	Remote    Why = "remote"
)

// Place is where a printer may be.
type Place struct {
	Address string    `json:"address"` // for link.Open; of a port at its first speed
	Port    link.Port `json:"port,omitzero"`
	Network string    `json:"network,omitempty"` // the interface behind which it is
	Left    Why       `json:"left,omitempty"`    // why it is not asked
	Detail  string    `json:"detail,omitempty"`
}

// Name is the place as people call it.
func (p Place) Name() string {
	if p.Port.Name != "" {
		return p.Port.Name
	}
	return strings.TrimPrefix(p.Address, "tcp://")
}

// Mark is what makes the same place another one: another name, another device.
func (p Place) Mark() string { return p.Address + " " + p.Port.Identity() }

// The subnets of a printer that is a network card of its own, and its TCP port
// (Shtrih-M reference, 1.3); the address is the usual one of documentation.
var (
	gadgetNets = []netip.Prefix{netip.MustParsePrefix("192.168.137.0/24"), netip.MustParsePrefix("192.168.138.0/24")}
	gadgetHost = byte(111)
)

const (
	gadgetPort    = 7778
	neighboursMax = 4 // a link to one printer has one
	baudFirst     = 115200
)

// Surroundings are where this computer's ports and networks are learned from.
// Tests put others in their place.
type Surroundings struct {
	Ports    func() ([]link.Port, error)
	Networks func() ([]link.Network, error)
	InUse    func(port string) (who string, used bool)
	// Connected tells whether this computer has a connection to there.
	Connected func(at netip.AddrPort) bool
}

// System is this computer.
func System() Surroundings {
	return Surroundings{Ports: link.Ports, Networks: link.Networks, InUse: link.InUse, Connected: link.Connected}
}

// Places lists where a printer may be, with what the system tells of each. No
// port is opened and nothing is sent. A part that cannot be listed is an error
// beside what the others have.
func (s Surroundings) Places(exclude Exclusions) ([]Place, error) {
	var out []Place
	ports, err := s.Ports()
	for _, p := range ports {
		out = append(out, s.port(p, exclude))
	}
	nets, netErr := s.Networks()
	if err == nil {
		err = netErr
	}
	line, excluded := exclude.Networks()
	for _, n := range nets {
		for _, at := range hosts(n) {
			p := Place{Address: "tcp://" + netip.AddrPortFrom(at, gadgetPort).String(), Network: n.Name}
			if excluded {
				p.Left, p.Detail = Excluded, line
			}
			out = append(out, p)
		}
	}
	return out, err
}

func (s Surroundings) port(p link.Port, exclude Exclusions) Place {
	place := Place{Port: p, Address: link.Address{Scheme: "serial", Name: p.Name, Baud: baudFirst}.String()}
	if line, excluded := exclude.Port(p); excluded {
		place.Left, place.Detail = Excluded, line
		return place
	}
	switch {
	case p.Foreign != "":
		place.Left = Why(p.Foreign)
	case p.Kind == link.KindBluetooth:
		place.Left, place.Detail = Bluetooth, "opening it would call the paired device"
	case p.Kind == link.KindRemote:
		place.Left, place.Detail = Remote, "a port of another computer, which may vanish"
	}
	return place
}

// Use marks the ports that somebody has open, and the places on networks to which
// this computer is connected. It goes through the processes of
// the computer, so it is for who is about to ask, or to show.
func (s Surroundings) Use(places []Place) {
	for i := range places {
		p := &places[i]
		if p.Left != "" {
			continue
		}
		if p.Port.Name == "" {
			at, err := netip.ParseAddrPort(strings.TrimPrefix(p.Address, "tcp://"))
			if err == nil && s.Connected(at) {
				p.Left, p.Detail = InUse, "a program of this computer is connected"
			}
			continue
		}
		if who, used := s.InUse(p.Port.Name); used {
			p.Left, p.Detail = InUse, who
		}
	}
}

// hosts are the addresses of a printer behind an interface: on the link of a
// gadget, and in its usual subnets, who has been heard there, and the usual
// address. Other networks are not looked at, and none is scanned.
func hosts(n link.Network) []netip.Addr {
	usual := slices.ContainsFunc(gadgetNets, func(net netip.Prefix) bool { return net.Contains(n.Prefix.Addr()) })
	if !usual && !n.Gadget {
		return nil
	}
	out := slices.Clone(n.Neighbours[:min(len(n.Neighbours), neighboursMax)])
	if usual {
		b := n.Prefix.Addr().As4()
		b[3] = gadgetHost
		if at := netip.AddrFrom4(b); at != n.Prefix.Addr() && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// Changed tells whether the places differ from what they were.
func Changed(a, b []Place) bool {
	return !slices.EqualFunc(a, b, func(x, y Place) bool { return x.Mark() == y.Mark() })
}
