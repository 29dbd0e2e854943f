package shtrih

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

func TestTCPSendsFFAfterConfirmation(t *testing.T) { // section 1.3
	t.Parallel()
	p := New(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	addr := make(chan net.Addr, 1)
	done := make(chan error, 1)
	go func() { done <- p.ListenTCP(ctx, "127.0.0.1:0", func(a net.Addr) { addr <- a }) }()
	conn, err := net.Dial("tcp", (<-addr).String())
	if err != nil {
		t.Fatal(err)
	}
	talk(t, conn, true)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = conn.Close()
}

// talk does one FCh exchange by hand.
func talk(t *testing.T, rw io.ReadWriter, tail bool) {
	t.Helper()
	if d, can := rw.(interface{ SetDeadline(time.Time) error }); can {
		_ = d.SetDeadline(time.Now().Add(10 * time.Second))
	}
	step := func(out []byte, n int) []byte {
		if _, err := rw.Write(out); err != nil {
			t.Fatal(err)
		}
		in := make([]byte, n)
		if _, err := io.ReadFull(rw, in); err != nil {
			t.Fatal(err)
		}
		return in
	}
	if got := step([]byte{byteENQ}, 1); got[0] != byteNAK {
		t.Fatalf("ENQ: % X", got)
	}
	head := step(frame([]byte{0xFC}), 3)
	if head[0] != byteACK || head[1] != byteSTX {
		t.Fatalf("answer: % X", head)
	}
	rest := make([]byte, head[2]+1)
	if _, err := io.ReadFull(rw, rest); err != nil {
		t.Fatal(err)
	}
	want, out := byte(byteNAK), []byte{byteACK, byteENQ}
	if tail {
		want, out = byteTail, []byte{byteACK}
	}
	if got := step(out, 1); got[0] != want {
		t.Fatalf("after ACK: %02X, want %02X", got[0], want)
	}
}
