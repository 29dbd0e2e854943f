package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/mqtt"
	"kassad/mqtt/broker"
	"kassad/mqtt/mqtttest"
)

const patience = time.Minute

// events records what a link tells.
type events struct {
	up       chan bool // sessionPresent
	down     chan error
	refused  chan string
	takeOver chan struct{}
}

// startLink starts a link with quick retries; change may alter its config.
func startLink(t *testing.T, url string, change ...func(*mqtt.LinkConfig)) (*mqtt.Link, *events) {
	t.Helper()
	e := &events{up: make(chan bool, 100), down: make(chan error, 1000), refused: make(chan string, 100), takeOver: make(chan struct{}, 10)}
	topics := mqtttest.Topics(t)
	config := mqtt.LinkConfig{
		Name: "test", URL: url, ClientID: "kassad-" + t.Name(), Topics: topics,
		Subscriptions: []string{topics.Commands(), topics.Requests()},
		OnUp:          func(_ context.Context, present bool) { e.up <- present },
		OnDown:        func(err error) { e.down <- err },
		OnRefused:     func(filter string, _ error) { e.refused <- filter },
		OnTakeOver:    func() { e.takeOver <- struct{}{} },
		Tuning:        mqtt.LinkTuning{BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond},
	}
	config.ClientID = strings.NewReplacer("/", "-", "#", "").Replace(config.ClientID)
	for _, f := range change {
		f(&config)
	}
	l, err := mqtt.NewLink(config, mqtttest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	l.Start(context.Background())
	t.Cleanup(func() { closeLink(t, l) })
	return l, e
}

func closeLink(t *testing.T, l *mqtt.Link, last ...mqtt.Outgoing) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.Close(ctx, last...); err != nil {
		t.Error(err)
	}
}

func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

func receive(t *testing.T, l *mqtt.Link) mqtt.Incoming {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in, err := l.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func publish(t *testing.T, l *mqtt.Link, topic, payload string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.Publish(ctx, topic, []byte(payload), false); err != nil {
		t.Fatal(err)
	}
}

// target is a broker that the core tests run against.
type target struct {
	name  string
	start func(t *testing.T) (url string, restart func())
}

func targets() []target {
	return []target{
		{"embedded", func(t *testing.T) (string, func()) {
			b := mqtttest.StartBroker(t)
			address := b.Addr()
			return "tcp://" + address, func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				b = mqtttest.StartBroker(t, func(c *broker.Config) { c.Listen = address })
			}
		}},
		{"mosquitto", func(t *testing.T) (string, func()) {
			m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
			return m.URL, func() { m.Restart(t) }
		}},
	}
}

func onTargets(t *testing.T, test func(t *testing.T, url string, restart func())) {
	t.Helper()
	for _, target := range targets() {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			url, restart := target.start(t)
			test(t, url, restart)
		})
	}
}

func TestCommandAndAnswer(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		topics := mqtttest.Topics(t)
		l, e := startLink(t, url)
		if present := await(t, "up", e.up); present {
			t.Error("a first connection found a session")
		}
		till := mqtttest.MustConnect(t, url)
		till.SubscribeTo(t, topics.Results("till1"))
		till.Send(t, topics.Command("till1", "sale"), `{"id":"1"}`, false)
		in := receive(t, l)
		if in.Link != "test" || in.Topic != topics.Command("till1", "sale") || string(in.Payload) != `{"id":"1"}` || in.Retained || in.Duplicate {
			t.Errorf("got %+v", in)
		}
		in.Ack()
		publish(t, l, topics.Result("till1", "sale"), `{"state":"accepted"}`)
		if m := till.Next(t); string(m.Payload()) != `{"state":"accepted"}` {
			t.Errorf("got %s", m.Payload())
		}
	})
}

// A command that was not acknowledged comes again after a crash; one that was
// does not. The daemon publishes in between, from packet identifier 1 on.
func TestUnacknowledgedComesAgain(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		topics := mqtttest.Topics(t)
		identify := func(c *mqtt.LinkConfig) { c.ClientID = "kassad-" + strings.ReplaceAll(t.Name(), "/", "-") }
		ctx, crash := context.WithCancel(t.Context())
		first := newLink(t, url, identify)
		first.Start(ctx)
		till := mqtttest.MustConnect(t, url)
		waitUp(t, first)
		const commands = 10
		for i := range commands {
			till.Send(t, topics.Command("till1", "sale"), fmt.Sprint(i), false)
		}
		for i := range commands {
			in := receive(t, first)
			if i%2 == 0 {
				in.Ack()
			}
			publish(t, first, topics.Result("till1", "sale"), "accepted")
		}
		publish(t, first, topics.Result("till1", "sale"), "the acknowledgements before this are written")
		crash()
		closeLink(t, first)

		again, e := startLink(t, url, identify)
		if present := await(t, "up", e.up); !present {
			t.Error("the session is gone")
		}
		got := map[string]bool{}
		for range commands / 2 {
			in := receive(t, again)
			if !in.Duplicate {
				t.Errorf("%s: not marked as a duplicate", in.Payload)
			}
			got[string(in.Payload)] = true
			in.Ack()
		}
		for i := range commands {
			if got[fmt.Sprint(i)] != (i%2 == 1) {
				t.Errorf("command %d: came again is %v", i, got[fmt.Sprint(i)])
			}
		}
		if s := again.Status(); s.Queued != 0 {
			t.Errorf("%d more came again", s.Queued)
		}
	})
}

func newLink(t *testing.T, url string, change ...func(*mqtt.LinkConfig)) *mqtt.Link {
	t.Helper()
	topics := mqtttest.Topics(t)
	config := mqtt.LinkConfig{
		Name: "test", URL: url, ClientID: "kassad", Topics: topics, Subscriptions: []string{topics.Commands()},
		Tuning: mqtt.LinkTuning{BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond},
	}
	for _, f := range change {
		f(&config)
	}
	l, err := mqtt.NewLink(config, mqtttest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// waitUp polls by measuring the round trip, which fails while the link is down.
func waitUp(t *testing.T, l *mqtt.Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !l.Status().Up {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("link does not come up")
		}
	}
}

// Mosquitto keeps a retained command and sends it at the next subscription,
// until the daemon clears it. The embedded broker keeps none and tells at once
// (see its own tests).
func TestRetainedCommandIsMarked(t *testing.T) {
	t.Parallel()
	url := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{}).URL
	topics := mqtttest.Topics(t)
	till := mqtttest.MustConnect(t, url)
	till.Send(t, topics.Command("till1", "sale"), "retained", true)
	l, e := startLink(t, url)
	await(t, "up", e.up)
	in := receive(t, l)
	if !in.Retained {
		t.Error("the retain flag is lost")
	}
	in.Ack()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.Publish(ctx, in.Topic, nil, true); err != nil {
		t.Fatal(err)
	}
	if in := receive(t, l); in.Retained || len(in.Payload) != 0 {
		t.Errorf("got %+v, want our own clearing", in)
	}
}

func TestTooLargePayloadIsHandedOver(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		topics := mqtttest.Topics(t)
		l, e := startLink(t, url)
		await(t, "up", e.up)
		till := mqtttest.MustConnect(t, url)
		till.Send(t, topics.Command("till1", "sale"), strings.Repeat("x", 290_000), false)
		if in := receive(t, l); len(in.Payload) != 290_000 {
			t.Errorf("got %d bytes", len(in.Payload))
		}
	})
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		l, e := startLink(t, url)
		await(t, "up", e.up)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		rtt, err := l.RTT(ctx, 20)
		if err != nil {
			t.Fatal(err)
		}
		if rtt.Samples != 20 || rtt.P50 <= 0 || rtt.P50 > rtt.Max {
			t.Errorf("got %+v", rtt)
		}
		t.Logf("%+v delayed %v", rtt, rtt.Delayed())
	})
}

func TestDownAndClosed(t *testing.T) {
	t.Parallel()
	l, e := startLink(t, "tcp://"+mqtttest.FreeAddress(t))
	if err := await(t, "down", e.down); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	if err := l.Publish(t.Context(), "a", nil, false); !errors.Is(err, mqtt.ErrDown) {
		t.Errorf("got %v", err)
	}
	if _, err := l.RTT(t.Context(), 1); !errors.Is(err, mqtt.ErrDown) {
		t.Errorf("got %v", err)
	}
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			if _, err := l.Receive(context.Background()); !errors.Is(err, mqtt.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
	}
	closeLink(t, l)
	readers.Wait()
	never := newLink(t, "tcp://127.0.0.1:1")
	closeLink(t, never)
	closeLink(t, never)
}
