package link

import (
	"net"
	"net/netip"
	"slices"
)

// Network is an interface behind which a printer may be that is a network card
// of its own (RNDIS).
type Network struct {
	Name   string       `json:"name"`
	Prefix netip.Prefix `json:"prefix"` // our address there
	// Gadget: the kernel says that a USB device is the card (Linux).
	Gadget bool `json:"gadget,omitempty"`
	// Neighbours are addresses that have been heard there, without asking.
	Neighbours []netip.Addr `json:"neighbours,omitempty"`
}

// Networks lists the interfaces that are up, with their IPv4 addresses.
// Nothing is sent.
func Networks() ([]Network, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	heard := neighbours()
	var out []Network
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue // it has gone meanwhile, or leads nowhere
		}
		for _, a := range addresses {
			prefix, err := netip.ParsePrefix(a.String())
			if err != nil || !prefix.Addr().Is4() {
				continue
			}
			n := Network{Name: i.Name, Prefix: prefix, Gadget: isGadget(i.Name)}
			for _, at := range heard[i.Name] {
				if prefix.Contains(at) && at != prefix.Addr() && !slices.Contains(n.Neighbours, at) {
					n.Neighbours = append(n.Neighbours, at)
				}
			}
			out = append(out, n)
		}
	}
	return out, nil
}
