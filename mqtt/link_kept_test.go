package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"kassad/mqtt"
	"kassad/mqtt/mqtttest"
)

// What a broker has kept for a daemon that was away stands before the loop-back
// message, or leaves no room for it. A daemon that acknowledges only what it
// has answered gets all of it, and the link comes up.
func TestKeptMessagesAreAnswered(t *testing.T) {
	t.Parallel()
	full := map[string]int{"embedded": 2048, "mosquitto": 900}
	for _, target := range targets() {
		for _, kept := range []int{300, full[target.name]} {
			t.Run(fmt.Sprint(target.name, kept), func(t *testing.T) {
				t.Parallel()
				url, _ := target.start(t)
				answerKept(t, url, kept)
			})
		}
	}
}

func answerKept(t *testing.T, url string, kept int) {
	topics := mqtttest.Topics(t)
	identify := func(c *mqtt.LinkConfig) {
		c.ClientID = "kassad-" + t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		c.Tuning.ConnectTimeout = time.Second
	}
	first, e := startLink(t, url, identify)
	await(t, "up", e.up)
	closeLink(t, first)
	till := mqtttest.MustConnect(t, url)
	for i := range kept {
		till.Send(t, topics.Command("till1", "sale"), fmt.Sprint(i), false)
	}

	l, e := startLink(t, url, identify)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	got := map[string]bool{}
	for len(got) < kept {
		in, err := l.Receive(ctx)
		if err != nil {
			t.Fatalf("%v: got %d of %d, down for %v", err, len(got), kept, reasons(e.down))
		}
		for err = mqtt.ErrDown; errors.Is(err, mqtt.ErrDown) && ctx.Err() == nil; <-again.C {
			err = l.Publish(ctx, topics.Result("till1", "sale"), []byte("refused"), false)
		}
		if err != nil {
			t.Fatalf("answer: %v: got %d of %d, down for %v", err, len(got), kept, reasons(e.down))
		}
		got[string(in.Payload)] = true
		in.Ack()
	}
	await(t, "up", e.up)
	if n := len(e.down); n > 5 {
		t.Errorf("%d times down: %v", n, reasons(e.down))
	}
}

// A daemon that is behind when its connection is lost gets what waits in its
// queue again. It hands out each once, and acknowledges it to the broker that
// it has now.
func TestWaitingMessagesAreAcknowledgedToTheNextConnection(t *testing.T) {
	t.Parallel()
	topics := mqtttest.Topics(t)
	acks := make(chan uint16, 10)
	commands := []string{"a", "b", "a"} // a till may say the same twice
	script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
		switch p := p.(type) {
		case *packets.PubackPacket:
			if p.MessageID > 1 { // 1 is the loop-back message
				acks <- p.MessageID
			}
		case *packets.SubscribePacket:
			if p.Topics[0] != topics.Commands() {
				break
			}
			c.Answer(p)
			for i, command := range commands {
				m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
				m.Qos, m.Dup, m.MessageID = 1, c.Number > 1, uint16(10*c.Number+i)
				m.TopicName, m.Payload = topics.Command("till1", "sale"), []byte(command)
				c.Send(m)
			}
			return true
		}
		return false
	})
	l, e := startLink(t, script.URL())
	await(t, "up", e.up)
	script.Cut()
	await(t, "up again", e.up)
	if n := l.Status().Queued; n != len(commands) {
		t.Errorf("%d messages wait, want %d", n, len(commands))
	}
	for i, command := range commands {
		in := receive(t, l)
		if got := string(in.Payload); got != command {
			t.Errorf("message %d is %q, want %q", i, got, command)
		}
		in.Ack()
		if id := await(t, "acknowledgement", acks); id != uint16(20+i) {
			t.Errorf("packet %d is acknowledged, want %d", id, 20+i)
		}
	}
}

// reasons are those for which the link has been down so far.
func reasons(down <-chan error) (all []error) {
	for len(down) > 0 {
		all = append(all, <-down)
	}
	return all
}

// The loop-back message is waited for while the broker brings others, though
// not for ever; silence ends the wait as before.
func TestPatienceForTheLoopBack(t *testing.T) {
	t.Parallel()
	const timeout = 400 * time.Millisecond
	for _, test := range []struct {
		name     string
		every    time.Duration // between messages
		messages int
		up       bool
		least    time.Duration
	}{
		{"messages, then it", timeout / 8, 24, true, 2 * timeout},
		{"messages, then silence", timeout / 8, 24, false, 3 * timeout},
		{"messages without end", timeout / 8, 1000, false, 4 * timeout}, // 12, but for a machine that stops between two
		{"silence", timeout, 0, false, timeout / 2},                     // of its own clock a whole one
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			command := mqtttest.Topics(t).Command("till1", "sale")
			begun := make(chan time.Time, 100)
			stop := make(chan struct{})
			defer close(stop)
			script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
				probe, ok := p.(*packets.PublishPacket)
				if !ok || !mqtttest.IsProbe(probe.TopicName) || c.Number > 1 {
					return false
				}
				c.Acknowledge(probe.MessageID)
				begun <- time.Now()
				if len(begun) > 1 {
					return true
				}
				go func() {
					tick := time.NewTicker(test.every)
					defer tick.Stop()
					for i := range test.messages {
						m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
						m.Qos, m.MessageID, m.TopicName, m.Payload = 1, uint16(i+1), command, []byte("x")
						select {
						case <-tick.C:
							c.Send(m)
						case <-stop:
							return
						}
					}
					if test.up {
						back := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
						back.TopicName, back.Payload = probe.TopicName, probe.Payload
						c.Send(back)
					}
				}()
				return true
			})
			_, e := startLink(t, script.URL(), func(c *mqtt.LinkConfig) { c.Tuning.ConnectTimeout = timeout })
			if test.up {
				await(t, "up", e.up)
				if len(e.down) > 0 {
					t.Errorf("down before: %v", <-e.down)
				}
			} else if err := await(t, "down", e.down); !errors.Is(err, mqtt.ErrLoopBack) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(<-begun); took < test.least {
				t.Errorf("took %v", took)
			}
		})
	}
}
