package mqtttest

import (
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Script is a broker that does what a test says. It answers CONNECT,
// SUBSCRIBE and PINGREQ as a broker does, sends a client's own messages below
// /node/probe/ back, and acknowledges publishes, unless On answers first.
type Script struct {
	// On is called with every packet of a client. True: it has dealt with the
	// packet. It must be set before the first connection.
	On func(c *ScriptConn, p packets.ControlPacket) bool

	listener net.Listener
	work     sync.WaitGroup
	mu       sync.Mutex
	conns    map[*ScriptConn]struct{}
	count    int
}

// ScriptConn is one connection to a Script.
type ScriptConn struct {
	Number int // from 1
	net.Conn
	mu sync.Mutex
}

// StartScript starts a scripted broker.
func StartScript(t testing.TB, on func(c *ScriptConn, p packets.ControlPacket) bool) *Script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Script{On: on, listener: l, conns: make(map[*ScriptConn]struct{})}
	s.work.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

// URL is where clients connect.
func (s *Script) URL() string { return "tcp://" + s.listener.Addr().String() }

// Cut closes every connection; clients may connect again.
func (s *Script) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Last returns the youngest connection.
func (s *Script) Last() *ScriptConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.Number == s.count {
			return c
		}
	}
	return nil
}

func (s *Script) accept() {
	for {
		accepted, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.count++
		c := &ScriptConn{Number: s.count, Conn: accepted}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.work.Go(func() { s.serve(c) })
	}
}

func (s *Script) stop() {
	_ = s.listener.Close()
	s.Cut()
	s.work.Wait()
}

func (s *Script) serve(c *ScriptConn) {
	defer func() { _ = c.Close() }()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		if s.On != nil && s.On(c, p) {
			continue
		}
		c.Answer(p)
	}
}

// Send writes a packet.
func (c *ScriptConn) Send(p packets.ControlPacket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = p.Write(c.Conn) // a client that has gone is part of many scripts
}

// Answer does what a good broker would.
func (c *ScriptConn) Answer(p packets.ControlPacket) {
	switch p := p.(type) {
	case *packets.ConnectPacket:
		c.Send(packets.NewControlPacket(packets.Connack))
	case *packets.SubscribePacket:
		ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
		ack.MessageID, ack.ReturnCodes = p.MessageID, p.Qoss
		c.Send(ack)
	case *packets.PublishPacket:
		c.Acknowledge(p.MessageID)
		if IsProbe(p.TopicName) {
			back := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
			back.TopicName, back.Payload, back.Qos, back.MessageID = p.TopicName, p.Payload, 1, 1
			c.Send(back)
		}
	case *packets.PingreqPacket:
		c.Send(packets.NewControlPacket(packets.Pingresp))
	case *packets.DisconnectPacket:
		_ = c.Close()
	}
}

// Acknowledge sends a PUBACK.
func (c *ScriptConn) Acknowledge(id uint16) {
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = id
	c.Send(ack)
}
