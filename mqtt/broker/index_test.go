package broker_test

import (
	"fmt"
	"sync"
	"testing"

	"kassad/mqtt/mqtttest"
)

// Clients subscribe to everything while messages are retained and cleared; the
// race detector finds what the library leaves open.
func TestSubscribeWhileRetaining(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	publisher := mqtttest.MustConnect(t, b.LocalURL())
	var group sync.WaitGroup
	for range 3 {
		c := mqtttest.MustConnect(t, b.LocalURL())
		group.Go(func() {
			for range 50 {
				c.SubscribeTo(t, "a/#")
			}
		})
	}
	for i := range 200 {
		topic := fmt.Sprintf("a/b/%d", i%20)
		publisher.Send(t, topic, "x", true)
		publisher.Send(t, topic, "", true)
	}
	publisher.Send(t, "a/b/last", "x", true)
	group.Wait()
	late := mqtttest.MustConnect(t, b.LocalURL())
	late.SubscribeTo(t, "a/+/+")
	if m := late.Next(t); m.Topic() != "a/b/last" || !m.Retained() {
		t.Errorf("got %s", m.Topic())
	}
}
