package broker_test

import (
	"log/slog"
	"net"
	"testing"

	"kassad/mqtt/broker"
	"kassad/mqtt/mqtttest"
)

// A port that somebody else has is an error of Start, and Close is still in
// order: the daemon closes everything when it cannot start.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := broker.New(broker.Config{Listen: l.Addr().String(), Topics: mqtttest.Topics(t)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err == nil {
		t.Error("started on a port in use")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
