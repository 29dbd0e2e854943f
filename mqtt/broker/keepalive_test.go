package broker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
)

// A client that asks for no keep-alive, or for a day, has 20 minutes all the
// same: it would hold its place in silence.
func TestKeepAliveIsBounded(t *testing.T) {
	t.Parallel()
	b, err := New(Config{Listen: "127.0.0.1:0", Topics: mustTopics(t)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	for asked, want := range map[uint16]uint16{0: keepAliveSecondsMax, 65_535: keepAliveSecondsMax, 60: 60} {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		id := fmt.Sprintf("%05d", asked)
		connect := append([]byte{0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, byte(asked >> 8), byte(asked), 0, 5}, id...)
		if _, err := c.Write(connect); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		cl, ok := b.server.Clients.Get(id)
		if !ok || cl.State.Keepalive != want {
			t.Errorf("asked for %d: %v", asked, ok)
		}
	}
}
