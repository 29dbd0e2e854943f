package link

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
)

// A printer on the network to which a program of this computer is connected is
// seen, and is free again when that has closed.
func TestConnected(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" && runtime.GOOS != "windows" {
		return // nothing is known there
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := netip.MustParseAddrPort(l.Addr().String())
	if Connected(at) {
		t.Error("before")
	}
	c, err := net.Dial("tcp4", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !Connected(at) {
		t.Error("a connection is not seen")
	}
	if Connected(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), at.Port())) {
		t.Error("seen at another address")
	}
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil { // not the end of it while the other side is open
		t.Fatal(err)
	}
	if Connected(at) {
		t.Error("after")
	}
	if err := served.Close(); err != nil {
		t.Fatal(err)
	}
}
