package sim

import (
	"bufio"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// worldBroker is a broker on the emulated network: MQTT 3.1.1, sessions,
// QoS 1, retained messages, wills. The daemon's real link connects to it;
// terminals sit on it in process. It fails as brokers do.
type worldBroker struct {
	network *Network
	address string

	mu       sync.Mutex
	listener net.Listener
	sessions map[string]*brokerSession
	retained map[string][]byte
	seats    map[string]*seat
	order    []string // of seats
	heard    func(topic string, payload []byte)
	acked    func(topic string, payload []byte) // by a client, of what it was sent
	faults   brokerFaults
}

// brokerFaults are counts of what goes wrong next.
type brokerFaults struct {
	mute      int           // acknowledgements that are not sent
	twice     int           // deliveries that are made twice
	late      time.Duration // of the next deliveries to the daemon
	lateCount int
	lateWill  time.Duration // of the next will
}

// brokerSession is what a broker keeps of a client.
type brokerSession struct {
	client  string
	conn    *brokerConn // nil: away
	filters map[string]bool
	waiting []*packets.PublishPacket // sent or to be sent, not acknowledged
	next    uint16
	free    time.Time // nothing is sent before
}

// brokerGap is between two messages to one client: longer than a flush, so that
// which commands share a flush does not hang on the scheduler of this machine.
const brokerGap = 7*time.Millisecond + 313*time.Nanosecond

// brokerConn is a connection of a client.
type brokerConn struct {
	net.Conn
	session *brokerSession
	will    *packets.PublishPacket
	polite  bool
}

// seat is a terminal that the broker serves in process.
type seat struct {
	filters []string
	up      bool
	kept    [][2]string // while away
	hear    func(topic string, payload []byte)
}

const brokerKeptMax = 2000

func newWorldBroker(n *Network, address string) *worldBroker {
	return &worldBroker{
		network: n, address: address, sessions: map[string]*brokerSession{}, retained: map[string][]byte{}, seats: map[string]*seat{},
		heard: func(string, []byte) {}, acked: func(string, []byte) {},
	}
}

// open begins to take connections.
func (b *worldBroker) open() error {
	l, err := b.network.Listen("tcp", b.address)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.listener = l
	b.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(&brokerConn{Conn: c})
		}
	}()
	return nil
}

// shut ends all connections. A broker that forgets loses its memory.
func (b *worldBroker) shut(forgets bool) {
	b.mu.Lock()
	l := b.listener
	b.listener = nil
	for _, s := range b.sessions {
		if s.conn != nil {
			s.conn.will, s.conn.polite = nil, true
			_ = s.conn.Close()
			s.conn = nil
		}
	}
	if forgets {
		b.sessions, b.retained = map[string]*brokerSession{}, map[string][]byte{}
		for _, t := range b.seats {
			t.kept = nil
		}
	}
	b.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
}

func (b *worldBroker) isUp() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listener != nil
}

// serve reads a connection until it ends.
func (b *worldBroker) serve(c *brokerConn) {
	in := bufio.NewReader(c)
	for {
		p, err := packets.ReadPacket(in)
		if err != nil || !b.packet(c, p) {
			break
		}
	}
	_ = c.Close()
	b.mu.Lock()
	if c.session != nil && c.session.conn == c {
		c.session.conn = nil
	}
	will, after := c.will, time.Duration(0)
	if c.polite {
		will = nil
	}
	if will != nil {
		after, b.faults.lateWill = b.faults.lateWill, 0
	}
	b.mu.Unlock()
	if will == nil {
		return
	}
	if after > 0 {
		time.AfterFunc(after, func() { b.publish(will.TopicName, will.Payload, will.Retain) })
		return
	}
	b.publish(will.TopicName, will.Payload, will.Retain)
}

// packet answers one packet; false ends the connection.
func (b *worldBroker) packet(c *brokerConn, p packets.ControlPacket) bool {
	switch p := p.(type) {
	case *packets.ConnectPacket:
		b.connect(c, p)
	case *packets.SubscribePacket:
		b.subscribe(c, p)
	case *packets.PublishPacket:
		b.publish(p.TopicName, p.Payload, p.Retain)
		if p.Qos == 0 {
			return true
		}
		b.mu.Lock()
		mute := b.faults.mute > 0
		if mute {
			b.faults.mute--
		}
		b.mu.Unlock()
		if !mute {
			ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
			ack.MessageID = p.MessageID
			_ = ack.Write(c)
		}
	case *packets.PubackPacket:
		b.mu.Lock()
		defer b.mu.Unlock()
		c.session.waiting = slices.DeleteFunc(c.session.waiting, func(w *packets.PublishPacket) bool {
			if w.MessageID == p.MessageID {
				b.acked(w.TopicName, w.Payload)
			}
			return w.MessageID == p.MessageID
		})
	case *packets.PingreqPacket:
		_ = packets.NewControlPacket(packets.Pingresp).Write(c)
	case *packets.UnsubscribePacket:
		b.mu.Lock()
		for _, f := range p.Topics {
			delete(c.session.filters, f)
		}
		b.mu.Unlock()
		ack := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
		ack.MessageID = p.MessageID
		_ = ack.Write(c)
	case *packets.DisconnectPacket:
		b.mu.Lock()
		defer b.mu.Unlock()
		c.polite = true
		return false
	}
	return true
}

func (b *worldBroker) connect(c *brokerConn, p *packets.ConnectPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sessions[p.ClientIdentifier]
	present := s != nil && !p.CleanSession
	if !present {
		s = &brokerSession{client: p.ClientIdentifier, filters: map[string]bool{}}
	}
	if old := b.sessions[p.ClientIdentifier]; old != nil && old.conn != nil {
		_ = old.conn.Close() // a take-over
	}
	b.sessions[p.ClientIdentifier] = s
	c.session, s.conn = s, c
	if p.WillFlag {
		c.will = &packets.PublishPacket{TopicName: p.WillTopic, Payload: p.WillMessage}
		c.will.Retain = p.WillRetain
	}
	ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	ack.SessionPresent = present
	_ = ack.Write(c)
	for _, w := range s.waiting {
		w.Dup = true
		s.send(w)
	}
}

// send writes to the client in its turn; mu is held. What is not written when
// the connection ends waits for the next one.
func (s *brokerSession) send(q *packets.PublishPacket) {
	c, now, p := s.conn, time.Now(), *q // q changes when it is sent again
	at := s.free
	if at.Before(now) {
		at = now
	}
	s.free = at.Add(brokerGap)
	if at.Equal(now) {
		_ = p.Write(c)
		return
	}
	time.AfterFunc(at.Sub(now), func() { _ = p.Write(c) })
}

func (b *worldBroker) subscribe(c *brokerConn, p *packets.SubscribePacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	ack.MessageID = p.MessageID
	for _, f := range p.Topics {
		c.session.filters[f] = true
		ack.ReturnCodes = append(ack.ReturnCodes, 1)
	}
	_ = ack.Write(c)
	for _, topic := range slices.Sorted(maps.Keys(b.retained)) {
		if slices.ContainsFunc(p.Topics, func(f string) bool { return topicMatches(f, topic) }) {
			b.deliver(c.session, topic, b.retained[topic], true)
		}
	}
}

// topicMatches tells whether a filter covers a topic.
func topicMatches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(t) || level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}

// publish hands a message to everybody who wants it. false: nobody took it.
func (b *worldBroker) publish(topic string, payload []byte, retain bool) bool {
	b.mu.Lock()
	if b.listener == nil {
		b.mu.Unlock()
		return false
	}
	if retain && len(payload) == 0 {
		delete(b.retained, topic)
	} else if retain {
		b.retained[topic] = payload
	}
	for _, client := range slices.Sorted(maps.Keys(b.sessions)) {
		s := b.sessions[client]
		for f := range s.filters {
			if topicMatches(f, topic) {
				b.route(s, topic, payload)
				break
			}
		}
	}
	var hear []func(string, []byte)
	for _, name := range b.order {
		t := b.seats[name]
		if !slices.ContainsFunc(t.filters, func(f string) bool { return topicMatches(f, topic) }) {
			continue
		}
		if !t.up {
			if len(t.kept) < brokerKeptMax {
				t.kept = append(t.kept, [2]string{topic, string(payload)})
			}
			continue
		}
		hear = append(hear, t.hear)
	}
	b.mu.Unlock()
	b.heard(topic, payload)
	for _, h := range hear {
		h(topic, payload)
	}
	return true
}

// route delivers to a session as the faults have it; mu is held.
func (b *worldBroker) route(s *brokerSession, topic string, payload []byte) {
	command := strings.Contains(topic, "/cmd/")
	if command && b.faults.lateCount > 0 {
		b.faults.lateCount--
		time.AfterFunc(b.faults.late, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if s := b.sessions[s.client]; s != nil {
				b.deliver(s, topic, payload, false)
			}
		})
		return
	}
	b.deliver(s, topic, payload, false)
	if command && b.faults.twice > 0 {
		b.faults.twice--
		b.deliver(s, topic, payload, false)
	}
}

// deliver sends now or when the client is back; mu is held.
func (b *worldBroker) deliver(s *brokerSession, topic string, payload []byte, retained bool) {
	s.next++
	if s.next == 0 {
		s.next = 1
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.Qos, p.TopicName, p.Payload, p.MessageID, p.Retain = 1, topic, payload, s.next, retained
	s.waiting = append(s.waiting, p)
	if s.conn != nil {
		s.send(p)
	}
}

// cut breaks all connections at once; they may come back.
func (b *worldBroker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, client := range slices.Sorted(maps.Keys(b.sessions)) {
		if c := b.sessions[client].conn; c != nil {
			_ = c.Close()
		}
	}
}

// spoil changes the faults that are to come.
func (b *worldBroker) spoil(f func(*brokerFaults)) {
	if b == nil { // the embedded one has no faults of this kind
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.faults)
}

// sit gives a terminal a place.
func (b *worldBroker) sit(name string, filters []string, hear func(topic string, payload []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seats[name] = &seat{filters: filters, up: true, hear: hear}
	b.order = append(b.order, name)
}

// away takes a terminal off, or gives it back with what was kept for it.
func (b *worldBroker) away(name string, gone bool) {
	b.mu.Lock()
	t := b.seats[name]
	t.up = !gone
	kept := t.kept
	if !gone {
		t.kept = nil
	}
	b.mu.Unlock()
	if gone {
		return
	}
	for _, k := range kept {
		t.hear(k[0], []byte(k[1]))
	}
}
