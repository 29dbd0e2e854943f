package broker_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"kassad/mqtt/broker"
	"kassad/mqtt/mqtttest"
)

func TestMQTT5IsRefused(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	c, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01x")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || len(answer) < 4 || answer[0] != 0x20 || answer[3] != 0x84 {
		t.Errorf("got %x, %v, want a CONNACK with 0x84", answer, err)
	}
}

func TestLogHoldsNoPackets(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(p)
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	b, err := broker.New(broker.Config{Listen: "127.0.0.1:0", Topics: mqtttest.Topics(t)}, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.CleanSession, connect.ClientIdentifier = "MQTT", 4, true, "x"
	connect.UsernameFlag, connect.PasswordFlag, connect.Username, connect.Password = true, true, "u", []byte("hunter2")
	for range 2 { // the second is an error, which the library logs with the packet
		if err := connect.Write(c); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.ReadAll(c)
	_ = c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "104 117 110 116") {
		t.Errorf("the log holds a password:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "level=DEBUG msg=\"broker: ") {
		t.Errorf("the library's log is gone:\n%s", out.String())
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
