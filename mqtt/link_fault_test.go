package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"kassad/mqtt"
	"kassad/mqtt/mqtttest"
)

func TestRefusedSubscriptionIsNamedAndTriedAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []byte{0x80, 0x00} { // refused; granted without acknowledgement
		commands := mqtttest.Topics(t).Commands()
		script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
			subscribe, ok := p.(*packets.SubscribePacket)
			if !ok || subscribe.Topics[0] != commands || c.Number > 2 {
				return false
			}
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = subscribe.MessageID, []byte{code}
			c.Send(ack)
			return true
		})
		_, e := startLink(t, script.URL())
		for range 2 {
			if got := await(t, "refusal", e.refused); got != commands {
				t.Errorf("refused %s", got)
			}
			if err := await(t, "down", e.down); !errors.Is(err, mqtt.ErrRefused) || !strings.Contains(err.Error(), commands) {
				t.Errorf("got %v", err)
			}
		}
		await(t, "up", e.up)
	}
}

// Mosquitto grants a subscription and acknowledges a publish that its ACL
// denies; only the loop-back message tells.
func TestSilentDenialIsFound(t *testing.T) {
	t.Parallel()
	topics := mqtttest.Topics(t)
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{
		Password: map[string]string{"kassad": "secret"},
		ACL:      "user kassad\ntopic readwrite " + topics.Root() + "/cmd/#\n",
	})
	login := func(c *mqtt.LinkConfig) {
		c.Username, c.Password = "kassad", "secret"
		c.Tuning.ConnectTimeout = 3 * time.Second
	}
	_, e := startLink(t, m.URL, login)
	err := await(t, "down", e.down)
	if !errors.Is(err, mqtt.ErrLoopBack) || !strings.Contains(err.Error(), `"kassad" may read and write `+topics.Root()+"/node/probe/") {
		t.Errorf("got %v", err)
	}
}

func TestWrongPasswordIsNamed(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{Password: map[string]string{"kassad": "secret"}})
	_, e := startLink(t, m.URL, func(c *mqtt.LinkConfig) { c.Username, c.Password = "kassad", "wrong-password" })
	err := await(t, "down", e.down)
	if !strings.Contains(err.Error(), "not Authorized") || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("got %v", err)
	}
}

func TestBrokerThatOwesAnAcknowledgementIsGivenUp(t *testing.T) {
	t.Parallel()
	script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
		publish, ok := p.(*packets.PublishPacket)
		return ok && !mqtttest.IsProbe(publish.TopicName)
	})
	l, e := startLink(t, script.URL(), func(c *mqtt.LinkConfig) { c.Tuning.AckTimeout = 50 * time.Millisecond })
	await(t, "up", e.up)
	if err := l.Publish(t.Context(), "a", nil, false); !errors.Is(err, mqtt.ErrAckTimeout) && !errors.Is(err, mqtt.ErrDown) {
		t.Errorf("got %v", err)
	}
	if err := await(t, "down", e.down); !errors.Is(err, mqtt.ErrAckTimeout) {
		t.Errorf("got %v", err)
	}
	await(t, "second up", e.up)
}

func TestPublishGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
		publish, ok := p.(*packets.PublishPacket)
		return ok && !mqtttest.IsProbe(publish.TopicName)
	})
	l, e := startLink(t, script.URL())
	await(t, "up", e.up)
	for range 20 { // the last ones wait for a slot
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if err := l.Publish(ctx, "a", nil, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
	}
	for _, topic := range []string{"", "a/#", "a/+", "a\x00", strings.Repeat("a", 1000)} {
		if err := l.Publish(t.Context(), topic, nil, false); !errors.Is(err, mqtt.ErrTopic) {
			t.Errorf("%q: got %v", topic, err)
		}
	}
	if err := l.Publish(t.Context(), "a", make([]byte, 300_000), false); !errors.Is(err, mqtt.ErrPayload) {
		t.Errorf("got %v", err)
	}
}

// Close during every stage of a connection that hangs.
func TestCloseAtEveryStage(t *testing.T) {
	t.Parallel()
	for _, hang := range []string{"CONNECT", "SUBSCRIBE", "PUBLISH"} {
		t.Run(hang, func(t *testing.T) {
			t.Parallel()
			reached := make(chan struct{}, 100)
			script := mqtttest.StartScript(t, func(_ *mqtttest.ScriptConn, p packets.ControlPacket) bool {
				if !strings.HasPrefix(p.String(), hang) {
					return false
				}
				reached <- struct{}{}
				return true
			})
			l, _ := startLink(t, script.URL())
			await(t, hang, reached)
			begun := time.Now()
			closeLink(t, l)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Two programs with one client id throw each other out.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		same := func(c *mqtt.LinkConfig) { c.ClientID = "kassad-main" }
		_, one := startLink(t, url, same)
		await(t, "up", one.up)
		_, two := startLink(t, url, same)
		select {
		case <-one.takeOver:
		case <-two.takeOver:
		case <-time.After(patience):
			t.Fatal("nobody noticed")
		}
	})
}

func TestRestartIsNoTakeOver(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, restart func()) {
		_, e := startLink(t, url)
		await(t, "up", e.up)
		for range 2 {
			restart()
			await(t, "up", e.up)
		}
		if len(e.takeOver) != 0 {
			t.Error("a restart looks like a take-over")
		}
	})
}

// More arrives than the queue holds: nothing is lost, the broker sends the
// rest again.
func TestFullQueueLosesNothing(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		topics := mqtttest.Topics(t)
		l, e := startLink(t, url, func(c *mqtt.LinkConfig) { c.Tuning.QueueMessages = 8 })
		await(t, "up", e.up)
		till := mqtttest.MustConnect(t, url)
		const count = 100
		for i := range count {
			till.Send(t, topics.Command("till1", "sale"), fmt.Sprint(i), false)
		}
		publish(t, l, topics.Event("audit"), "what came before this has been read from the wire")
		got := map[string]bool{}
		for len(got) < count {
			in := receive(t, l)
			got[string(in.Payload)] = true
			in.Ack()
		}
		if s := l.Status(); s.Refused == 0 {
			t.Error("the queue was never full")
		}
	})
}

func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		topics := mqtttest.Topics(t)
		l, e := startLink(t, url)
		await(t, "up", e.up)
		till := mqtttest.MustConnect(t, url)
		var want, got []string
		for i := range 500 {
			want = append(want, fmt.Sprint(i))
			till.Publish(topics.Command("till1", "sale"), 1, false, fmt.Sprint(i))
		}
		for range want {
			in := receive(t, l)
			got = append(got, string(in.Payload))
			in.Ack()
			in.Ack() // once is enough, twice does no harm
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}
