package relay

import (
	"net"
	"net/netip"
	"sync"
)

// gate bounds the connections of a listener: all of them, and those of one
// address. One too many is closed at once, so that whoever opens connections
// and says nothing stands in nobody else's way.
type gate struct {
	net.Listener
	mu     sync.Mutex
	total  int
	counts map[netip.Prefix]int
}

func newGate(l net.Listener) *gate { return &gate{Listener: l, counts: map[netip.Prefix]int{}} }

// Accept waits for a connection that may stay.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, local := caller(c.RemoteAddr().String())
		if g.enter(from, local) {
			return &guest{Conn: c, leave: sync.OnceFunc(func() { g.leave(from) })}, nil
		}
		_ = c.Close()
	}
}

func (g *gate) enter(from netip.Prefix, local bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= connectionsMax || !local && g.counts[from] >= perAddressMax {
		return false
	}
	g.total++
	g.counts[from]++
	return true
}

func (g *gate) leave(from netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.counts[from]--; g.counts[from] == 0 {
		delete(g.counts, from)
	}
}

type guest struct {
	net.Conn
	leave func()
}

func (c *guest) Close() error {
	c.leave()
	return c.Conn.Close()
}

// networkBits of an IPv6 address belong to one customer as a rule; the rest is
// the customer's own choice.
const networkBits = 64

// caller is who is at the other end, as far as it can be told apart. local is
// this computer.
func caller(remote string) (from netip.Prefix, local bool) {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}, false
	}
	addr := at.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = networkBits
	}
	from, _ = addr.Prefix(bits) // bits fit the address
	return from, addr.IsLoopback()
}
