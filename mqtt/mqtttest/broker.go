// Package mqtttest starts brokers for tests: the embedded one, a real
// Mosquitto, and a scripted one that misbehaves on purpose.
package mqtttest

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"kassad/mqtt"
	"kassad/mqtt/broker"
)

// Topics returns a root for tests.
func Topics(t testing.TB) mqtt.Topics {
	t.Helper()
	topics, err := mqtt.NewTopics("local", "shop", "main")
	if err != nil {
		t.Fatal(err)
	}
	return topics
}

// Log returns a logger into the test's output, or none if quiet.
func Log(t testing.TB) *slog.Logger {
	t.Helper()
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// StartBroker starts the embedded broker, on a free loopback port and without
// users unless change says otherwise. It is closed with the test.
func StartBroker(t testing.TB, change ...func(*broker.Config)) *broker.Broker {
	t.Helper()
	config := broker.Config{Listen: FreeAddress(t), Topics: Topics(t)}
	free := config.Listen
	for _, f := range change {
		f(&config)
	}
	for attempt := 1; ; attempt++ {
		b, err := broker.New(config, Log(t))
		if err != nil {
			t.Fatal(err)
		}
		err = b.Start(t.Context())
		if err == nil {
			t.Cleanup(func() { closeAll(t, b) })
			return b
		}
		if attempt == portTrys {
			t.Fatal(err)
		}
		if config.Listen != free { // of a broker that is restarted: wait
			<-time.After(portPause)
			continue
		}
		free = FreeAddress(t) // somebody else was quicker
		config.Listen = free
	}
}

func closeAll(t testing.TB, closers ...io.Closer) {
	t.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Ports below the range from which systems take those of outgoing connections:
// a broker that is restarted finds its own again.
const (
	portMin  = 20_000
	portMax  = 32_000
	portTrys = 100

	portPause = 20 * time.Millisecond
)

// FreeAddress returns a loopback address that was free a moment ago.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range portTrys {
		address := fmt.Sprintf("127.0.0.1:%d", portMin+rand.IntN(portMax-portMin))
		l, err := net.Listen("tcp", address)
		if err == nil {
			closeAll(t, l)
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}
