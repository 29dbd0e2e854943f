//go:build linux

package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// event is what the tap has seen of an event of the node.
type event struct {
	ID    string // of the command that ended, if any
	Class string
	Life  int // of the broker that acknowledged it; 0: none has
}

// tap stands between the daemon and its broker. It passes every byte on, and
// reads along: what the daemon has published, and what the broker has
// acknowledged. A broker that is killed may lose what it has acknowledged, the
// daemon may not.
type tap struct {
	address string
	broker  string
	root    string // of the node's topics, with a slash
	life    func() int

	mu      sync.Mutex
	events  map[uint64]*event
	order   []uint64      // as they were published first
	working chan struct{} // closed when the next command is in hand
}

// openTap listens until the test ends.
func openTap(t *testing.T, broker, root string, life func() int) *tap {
	t.Helper()
	p := &tap{broker: broker, root: root + "/", life: life, events: map[uint64]*event{}, working: make(chan struct{})}
	l, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); l.Close(); group.Wait() })
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { p.join(ctx, conn) })
		}
	})
	return p
}

// join carries one connection of the daemon.
func (p *tap) join(ctx context.Context, daemon net.Conn) {
	defer daemon.Close()
	life := p.life() // before the dial: rather too early a life than one too late
	broker, err := net.Dial("tcp", p.broker)
	if err != nil {
		return
	}
	defer broker.Close()
	defer context.AfterFunc(ctx, func() { daemon.Close(); broker.Close() })()
	flying := map[uint16]uint64{} // packet ids of events
	var mu sync.Mutex
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer broker.Close()
		carry(broker, daemon, func(c packets.ControlPacket) {
			if m, ok := c.(*packets.PublishPacket); ok {
				if seq := p.published(m); seq != 0 {
					mu.Lock()
					flying[m.MessageID] = seq
					mu.Unlock()
				}
			}
		})
	}()
	carry(daemon, broker, func(c packets.ControlPacket) {
		if m, ok := c.(*packets.PubackPacket); ok {
			mu.Lock()
			seq := flying[m.MessageID]
			delete(flying, m.MessageID)
			mu.Unlock()
			p.acknowledged(seq, life)
		}
	})
	daemon.Close()
	<-done
}

// carry passes packets on, byte for byte, and shows them before.
func carry(to io.Writer, from io.Reader, show func(packets.ControlPacket)) {
	for {
		var raw bytes.Buffer
		c, err := packets.ReadPacket(io.TeeReader(from, &raw))
		if err == nil {
			show(c)
		}
		if _, werr := to.Write(raw.Bytes()); err != nil || werr != nil {
			return
		}
	}
}

// published notes an event before the broker can have it, and tells when a
// command is in hand. It returns the number of an event.
func (p *tap) published(m *packets.PublishPacket) uint64 {
	topic := strings.TrimPrefix(m.TopicName, p.root)
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasPrefix(topic, "res/") && bytes.Contains(m.Payload, []byte(`"state":"working"`)) {
		close(p.working)
		p.working = make(chan struct{})
	}
	class, isEvent := strings.CutPrefix(topic, "evt/")
	if !isEvent {
		return 0
	}
	var e struct {
		Seq uint64 `json:"seq"`
		ID  string `json:"id"`
	}
	if json.Unmarshal(m.Payload, &e) != nil {
		return 0
	}
	if p.events[e.Seq] == nil {
		p.events[e.Seq] = &event{ID: e.ID, Class: class}
		p.order = append(p.order, e.Seq)
	}
	return e.Seq
}

func (p *tap) acknowledged(seq uint64, life int) {
	if seq == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.events[seq]; e.Life == 0 {
		e.Life = life
	}
}

// inHand is closed when the daemon has the next command at a device.
func (p *tap) inHand() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.working
}
