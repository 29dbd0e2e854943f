package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kassad/mqtt"
	"kassad/mqtt/mqtttest"
)

func withState(s *mqtt.State) func(*mqtt.LinkConfig) {
	return func(c *mqtt.LinkConfig) { c.State = s }
}

func TestStateIsPublishedAgainAfterBrokerLostIt(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, restart func()) {
		topics := mqtttest.Topics(t)
		state := mqtt.NewState(0)
		want := map[string]string{}
		for i := range 40 { // more than may be in flight
			topic := topics.DeviceAlert("front", fmt.Sprintf("code-%d", i))
			want[topic] = fmt.Sprint(i)
			set(t, state, topic, fmt.Sprint(i))
		}
		set(t, state, topics.NodeState(), "online")
		want[topics.NodeState()] = "online"
		_, e := startLink(t, url, withState(state))
		await(t, "up", e.up)
		retainedSoon(t, url, want)
		restart()
		await(t, "loss", e.down)
		await(t, "up", e.up)
		retainedSoon(t, url, want)
	})
}

func set(t *testing.T, s *mqtt.State, topic, payload string) {
	t.Helper()
	if err := s.Set(topic, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

// retainedSoon waits until a newcomer sees exactly these topics.
func retainedSoon(t *testing.T, url string, want map[string]string) {
	t.Helper()
	c := mqtttest.MustConnect(t, url)
	topics := mqtttest.Topics(t)
	c.SubscribeTo(t, topics.Root()+"/node/state")
	c.SubscribeTo(t, topics.Root()+"/dev/#")
	got := map[string]string{}
	for len(got) < len(want) {
		m := c.Next(t) // those not yet retained arrive as they are published
		got[m.Topic()] = string(m.Payload())
	}
	for topic, payload := range want {
		if got[topic] != payload {
			t.Errorf("%s: %q, want %q", topic, got[topic], payload)
		}
	}
}

func TestStateCoalesces(t *testing.T) {
	t.Parallel()
	url := "tcp://" + mqtttest.StartBroker(t).Addr()
	topics := mqtttest.Topics(t)
	state := mqtt.NewState(20 * time.Millisecond)
	_, e := startLink(t, url, withState(state))
	await(t, "up", e.up)
	c := mqtttest.MustConnect(t, url)
	c.SubscribeTo(t, topics.Everything())
	begun := time.Now()
	const changes = 20_000
	for i := range changes {
		set(t, state, topics.SpoolState(), fmt.Sprint(i))
		set(t, state, topics.SpoolState(), fmt.Sprint(i)) // no change
	}
	published := 0
	for last := ""; last != fmt.Sprint(changes-1); published++ {
		last = string(c.Next(t).Payload())
	}
	if most := int(time.Since(begun)/(20*time.Millisecond)) + 2; published > most {
		t.Errorf("%d published, want at most %d", published, most)
	}
}

func TestStateDeleteClears(t *testing.T) {
	t.Parallel()
	url := "tcp://" + mqtttest.StartBroker(t).Addr()
	topics := mqtttest.Topics(t)
	alert, old := topics.NodeAlert("clock-wrong"), topics.Device("renamed", "state")
	c := mqtttest.MustConnect(t, url)
	c.Send(t, old, "from an earlier life", true)
	c.SubscribeTo(t, alert)
	c.SubscribeTo(t, old)
	c.Next(t)
	state := mqtt.NewState(time.Millisecond)
	if err := state.Delete(old); err != nil { // before there is a connection
		t.Fatal(err)
	}
	_, e := startLink(t, url, withState(state))
	await(t, "up", e.up)
	if m := c.Next(t); m.Topic() != old || len(m.Payload()) != 0 {
		t.Errorf("got %s %q", m.Topic(), m.Payload())
	}
	set(t, state, alert, "on")
	if m := c.Next(t); m.Topic() != alert || string(m.Payload()) != "on" {
		t.Errorf("got %s %q", m.Topic(), m.Payload())
	}
	if got := state.Topics(); len(got) != 1 || got[0] != alert {
		t.Errorf("topics %q", got)
	}
	if err := state.Delete(alert); err != nil {
		t.Fatal(err)
	}
	if m := c.Next(t); m.Topic() != alert || len(m.Payload()) != 0 {
		t.Errorf("got %s %q", m.Topic(), m.Payload())
	}
	if state.Get(alert) != nil || len(state.Topics()) != 0 {
		t.Error("the registry still holds it")
	}
}

func TestStateLimits(t *testing.T) {
	t.Parallel()
	state := mqtt.NewState(0)
	if err := state.Set("", nil); !errors.Is(err, mqtt.ErrTopic) {
		t.Errorf("got %v", err)
	}
	if err := state.Set(strings.Repeat("x", 1000), nil); !errors.Is(err, mqtt.ErrTopic) {
		t.Errorf("got %v", err)
	}
	var err error
	for i := 0; err == nil; i++ {
		if i > 10_000 {
			t.Fatal("no end")
		}
		err = state.Set(fmt.Sprint(i), []byte("x"))
	}
	if !errors.Is(err, mqtt.ErrStateFull) {
		t.Errorf("got %v", err)
	}
}

// The will of a connection that died can come after the next birth; the daemon
// sees it on its own topic and refreshes.
func TestWillLastStateAndRefresh(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		topics := mqtttest.Topics(t)
		watcher := mqtttest.MustConnect(t, url)
		watcher.SubscribeTo(t, topics.NodeState())
		next := func(want string) {
			t.Helper()
			m := watcher.Next(t)
			for m.Retained() { // a broker may look for what is retained after its SUBACK
				m = watcher.Next(t)
			}
			if string(m.Payload()) != want {
				t.Errorf("got %q, want %q", m.Payload(), want)
			}
		}
		state := mqtt.NewState(time.Millisecond)
		set(t, state, topics.NodeState(), "online")
		epoch := 0
		will := func(c *mqtt.LinkConfig) {
			c.State = state
			c.Will = &mqtt.Will{Topic: topics.NodeState(), Payload: func() []byte {
				epoch++
				return fmt.Appendf(nil, "offline %d", epoch)
			}}
		}
		ctx, crash := context.WithCancel(t.Context())
		first := newLink(t, url, will)
		first.Start(ctx)
		next("online")
		crash()
		closeLink(t, first)
		next("offline 1")

		second := newLink(t, url, will)
		second.Start(t.Context())
		next("online")
		state.Refresh(topics.NodeState())
		next("online")
		closeLink(t, second, mqtt.Outgoing{Topic: topics.NodeState(), Payload: []byte("offline, stopped"), Retain: true})
		next("offline, stopped")
		watcher.Send(t, topics.NodeState(), "the next message", false)
		next("the next message")
	})
}
