package broker_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"kassad/mqtt/broker"
	"kassad/mqtt/mqtttest"
)

func persistent(id string) func(*paho.ClientOptions) {
	return func(o *paho.ClientOptions) { o.SetClientID(id).SetCleanSession(false) }
}

// raw is a client that sends exactly the packets of a test.
type raw struct {
	t *testing.T
	net.Conn
}

func dialRaw(t *testing.T, address, id string) *raw {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	r := &raw{t: t, Conn: c}
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.ClientIdentifier, connect.Keepalive = "MQTT", 4, id, 60
	r.send(connect)
	p := r.read()
	if ack, ok := p.(*packets.ConnackPacket); !ok || ack.ReturnCode != 0 {
		t.Fatalf("first packet is %v", p)
	}
	return r
}

func (r *raw) send(p packets.ControlPacket) {
	r.t.Helper()
	if err := p.Write(r.Conn); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) read() packets.ControlPacket {
	r.t.Helper()
	p, err := packets.ReadPacket(r.Conn)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *raw) subscribe(id uint16, filter string) byte {
	r.t.Helper()
	s := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	s.MessageID, s.Topics, s.Qoss = id, []string{filter}, []byte{1}
	r.send(s)
	for {
		if ack, ok := r.read().(*packets.SubackPacket); ok {
			if ack.MessageID != id {
				r.t.Errorf("SUBACK %d, want %d", ack.MessageID, id)
			}
			return ack.ReturnCodes[0]
		}
	}
}

// Identifiers of the two directions are apart (see packetid.go): neither a
// PUBLISH nor a SUBSCRIBE may touch an unacknowledged message of the same
// number, and each gets an acknowledgement with its own.
func TestPacketIdentifiersOfTwoDirections(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	const count = 20
	r := dialRaw(t, b.Addr(), "daemon")
	if r.subscribe(7, "in") != 1 {
		t.Fatal("not subscribed")
	}
	other := mqtttest.MustConnect(t, b.LocalURL())
	for i := range count {
		other.Send(t, "in", fmt.Sprint(i), false)
	}
	ids := map[uint16]bool{}
	for range count {
		ids[r.read().(*packets.PublishPacket).MessageID] = true // and never acknowledged
	}
	for id := range ids {
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.Qos, p.MessageID, p.TopicName = 1, id, "out"
		r.send(p)
		if ack, ok := r.read().(*packets.PubackPacket); !ok || ack.MessageID != id {
			t.Fatalf("got %v, want PUBACK %d", ack, id)
		}
	}
	_ = r.Close()

	again := dialRaw(t, b.Addr(), "daemon")
	for i := range count {
		p, ok := again.read().(*packets.PublishPacket)
		if !ok || !p.Dup || string(p.Payload) != fmt.Sprint(i) {
			t.Fatalf("message %d comes again as %v", i, p)
		}
	}
	for id := range ids {
		if granted := again.subscribe(id, "in"); granted != 1 {
			t.Errorf("SUBSCRIBE %d: %#x", id, granted)
		}
	}
}

// A message that asks for no acknowledgement gets none, also behind one that did.
func TestNoAcknowledgementUnasked(t *testing.T) {
	t.Parallel()
	r := dialRaw(t, mqtttest.StartBroker(t).Addr(), "till")
	for _, id := range []uint16{5, 0, 6} {
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		if p.TopicName, p.MessageID = "out", id; id > 0 {
			p.Qos = 1
		}
		if r.send(p); id == 0 {
			continue
		}
		if ack, ok := r.read().(*packets.PubackPacket); !ok || ack.MessageID != id {
			t.Errorf("got %v, want PUBACK %d", ack, id)
		}
	}
}

// A broker that is about to close waits for who has not acknowledged yet, as long
// as it may, and for nobody else.
func TestSettleWaitsForAcknowledgements(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	r := dialRaw(t, b.Addr(), "till")
	if r.subscribe(7, "in") != 1 {
		t.Fatal("not subscribed")
	}
	mqtttest.MustConnect(t, b.LocalURL()).Send(t, "in", "x", false)
	id := r.read().(*packets.PublishPacket).MessageID
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if b.Settle(short); short.Err() == nil {
		t.Error("it has not waited")
	}
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = id
	r.send(ack)
	long, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if b.Settle(long); long.Err() != nil {
		t.Error("it waits for nobody")
	}
}

// What is published while a session moves from connection to connection
// arrives.
func TestNothingIsLostWhileASessionMoves(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	const count = 3000
	r := dialRaw(t, b.Addr(), "daemon")
	r.subscribe(1, "in")
	done := make(chan struct{})
	other := mqtttest.MustConnect(t, b.LocalURL())
	go func() {
		defer close(done)
		for i := range count {
			other.Client.Publish("in", 1, false, fmt.Sprint(i)).WaitTimeout(patience)
		}
	}()
	got := map[string]bool{}
	for moves := 0; len(got) < count; moves++ {
		for range 20 { // then the next connection takes over
			if len(got) == count {
				break
			}
			p, ok := r.read().(*packets.PublishPacket)
			if !ok {
				continue
			}
			got[string(p.Payload)] = true
			ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
			ack.MessageID = p.MessageID
			r.send(ack)
		}
		if moves < 200 && len(got) < count {
			r = dialRaw(t, b.Addr(), "daemon")
		}
	}
	<-done
}

// A name cannot take the session, and with it the unread messages, of another.
func TestSessionBelongsToItsName(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	till := s.login(t, "till1", persistent("till-1"))
	till.SubscribeTo(t, s.topics.Results("till1"))
	daemon := s.login(t, "daemon")
	for _, thief := range []string{"till2", "ivanov"} { // a session of its own, whatever it calls it
		c := s.login(t, thief, persistent("till-1"))
		daemon.Send(t, s.topics.Result("till1", "sale"), "yours", false)
		if m := till.Next(t); string(m.Payload()) != "yours" {
			t.Errorf("got %s", m.Payload())
		}
		c.SubscribeTo(t, s.topics.NodeState())
		daemon.Send(t, s.topics.NodeState(), "fence", false)
		if m := c.Next(t); string(m.Payload()) != "fence" {
			t.Errorf("%s inherits %s", thief, m.Topic())
		}
	}
	// Who has the id first keeps nobody out: not its owner, and not the daemon.
	s.login(t, "till2", persistent("till-2-next"))
	s.login(t, "till1", persistent("till-2-next"))
	squatter := s.login(t, "till2", persistent("kassad"))
	squatter.SubscribeTo(t, s.topics.Results("till2"))
	daemon2 := s.login(t, "daemon", persistent("kassad"))
	daemon.Send(t, s.topics.Result("till2", "sale"), "not for the daemon", false)
	if m := squatter.Next(t); string(m.Payload()) != "not for the daemon" {
		t.Errorf("got %s", m.Payload())
	}
	daemon2.SubscribeTo(t, s.topics.NodeState())
	daemon.Send(t, s.topics.NodeState(), "fence", false)
	if m := daemon2.Next(t); string(m.Payload()) != "fence" {
		t.Errorf("inherited %s", m.Topic())
	}
}

// The library publishes a will without asking for a right.
func TestWillNeedsARight(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	daemon := s.login(t, "daemon")
	daemon.SubscribeTo(t, "#")
	leave := func(topic string) {
		c := s.login(t, "till1", func(o *paho.ClientOptions) {
			o.SetWill(topic, "will", 1, true)
		})
		// A second client with the id would be a take-over; cutting needs the
		// protocol broken.
		c.Client.Publish("a", 1, false, strings.Repeat("x", 600_000))
		select {
		case <-c.Lost:
		case <-time.After(patience):
			t.Fatal("still connected")
		}
	}
	leave(s.topics.Result("till2", "sale"))
	if !s.sawDenial("till1", "will", s.topics.Result("till2", "sale")) {
		t.Error("not reported")
	}
	leave(s.topics.Command("till1", "status"))
	if m := daemon.Next(t); m.Topic() != s.topics.Command("till1", "status") {
		t.Errorf("got %s", m.Topic())
	}
}

// The will of a connection that its own client replaced is kept back.
func TestNoWillOnTakeOver(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	watcher := mqtttest.MustConnect(t, b.LocalURL())
	watcher.SubscribeTo(t, "#")
	will := func(o *paho.ClientOptions) { o.SetClientID("node").SetWill("state", "offline", 1, true) }
	for range 20 {
		mqtttest.MustConnect(t, b.LocalURL(), will)
	}
	watcher.Send(t, "fence", "x", false)
	if m := watcher.Next(t); m.Topic() != "fence" {
		t.Errorf("got %s %s", m.Topic(), m.Payload())
	}
}

// Quick reconnects with a clean session must not remove the new client with
// the old.
func TestCleanTakeOverStays(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	same := func(o *paho.ClientOptions) { o.SetClientID("till") }
	var c *mqtttest.Client
	for range 50 {
		c = mqtttest.MustConnect(t, b.LocalURL(), same)
		c.SubscribeTo(t, "a")
	}
	other := mqtttest.MustConnect(t, b.LocalURL())
	other.Send(t, "a", "x", false)
	c.Next(t)
}

func TestFloodingTerminalIsSlowedDown(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	till := s.login(t, "till1")
	begun := time.Now()
	const count = 1200 // 1000 at once, then 200 a second
	var last paho.Token
	for i := range count {
		last = till.Client.Publish(s.topics.Command("till1", "status"), 1, false, fmt.Sprint(i))
	}
	if !last.WaitTimeout(patience) {
		t.Fatal("not acknowledged")
	}
	if took := time.Since(begun); took < 700*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestTooLargePacketCostsTheConnection(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	c := mqtttest.MustConnect(t, b.LocalURL())
	c.Client.Publish("a", 1, false, make([]byte, 600_000))
	select {
	case <-c.Lost:
	case <-time.After(patience):
		t.Fatal("taken")
	}
}

func TestCloseWithEverybodyConnected(t *testing.T) {
	t.Parallel()
	for range 5 {
		b := mqtttest.StartBroker(t, func(c *broker.Config) { c.Listen = mqtttest.FreeAddress(t) })
		var all []*mqtttest.Client
		for range 20 {
			c := mqtttest.MustConnect(t, b.LocalURL())
			c.SubscribeTo(t, "#")
			all = append(all, c)
		}
		silent, err := net.Dial("tcp", b.Addr()) // never says CONNECT
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan error, 1)
		go func() { closed <- b.Close() }()
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("does not close")
		}
		_ = silent.Close()
		for _, c := range all {
			<-c.Lost
		}
	}
}
