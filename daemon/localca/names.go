package localca

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Host is how terminals may call this computer.
type Host struct {
	Name      func() (string, error)       // of the computer
	Addresses func() ([]netip.Addr, error) // of its network cards
	// Route is the address from which this computer would reach others; it is
	// the one that terminals can reach.
	Route func() (netip.Addr, bool)
}

// ThisHost is this computer.
func ThisHost() Host { return Host{Name: os.Hostname, Addresses: addresses, Route: route} }

// Names are those of a certificate: what people call the computer, with and
// without .local, and every address that another computer may dial. The first
// is the computer's name, or localhost.
func (h Host) Names() []string {
	var names []string
	if name, err := h.Name(); err == nil && validHost(name) {
		names = append(names, strings.ToLower(name))
		if !strings.Contains(name, ".") {
			names = append(names, strings.ToLower(name)+".local")
		}
	}
	names = append(names, "localhost", "127.0.0.1", "::1")
	list, _ := h.Addresses() // none: the names are left
	for _, a := range list {
		names = append(names, a.String())
	}
	return uniq(append(names, h.Reachable())) // the one that terminals are given, whatever was listed
}

func uniq(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// validHost keeps names out that no certificate may have.
func validHost(name string) bool {
	return name != "" && len(name) <= 63 && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && !strings.HasPrefix(name, "-")
}

// Reachable is the address to give to a terminal: the one with the way out,
// else the first private one, else the name.
func (h Host) Reachable() string {
	if a, ok := h.Route(); ok {
		return a.String()
	}
	list, _ := h.Addresses()
	for _, a := range list {
		if a.Is4() && a.IsPrivate() {
			return a.String()
		}
	}
	name, err := h.Name()
	if err != nil || !validHost(name) {
		return "localhost"
	}
	return strings.ToLower(name)
}

func addresses() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() {
			continue
		}
		out = append(out, p.Addr().Unmap())
	}
	return out, nil
}

// documentation is an address that nobody has (RFC 5737).
const documentation = "192.0.2.1:9"

// route asks the system which address it would send from. Nothing is sent.
func route() (netip.Addr, bool) {
	conn, err := net.Dial("udp4", documentation)
	if err != nil {
		return netip.Addr{}, false
	}
	defer conn.Close()
	at, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return at.Addr(), err == nil && !at.Addr().IsLoopback()
}
