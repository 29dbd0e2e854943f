//go:build linux

package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// event is what the tap has seen of an event of the node.
type event struct {
	ID    string // of the command that ended, if any
	Class string
	Life  int // of the broker that acknowledged it; 0: none has
}

// wire is how the line through a tap is.
type wire int

const (
	whole  wire = iota
	nicked      // it tears at the next message of the daemon, after it or before it
	torn        // nobody gets through
)

// tap stands between the daemon and its broker. It passes every byte on, and
// reads along: what the daemon has published, and what the broker has
// acknowledged. A broker that is killed may lose what it has acknowledged, the
// daemon may not. A tap is a victim as well: the line tears between a message
// and its acknowledgement, which is a moment too short to be met by chance.
type tap struct {
	address string
	broker  string
	root    string // of the node's topics, with a slash
	life    func() int

	mu      sync.Mutex
	events  map[uint64]*event
	order   []uint64      // as they were published first
	working chan struct{} // closed when the next command is in hand
	wire    wire
	tears   int
	flow    chan struct{} // closed unless the line is frozen
}

// Kill lets the line tear at the next message.
func (p *tap) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wire = nicked
}

// Start mends the line.
func (p *tap) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wire = whole
	return nil
}

// Signal freezes the line, or lets go of it.
func (p *tap) Signal(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == syscall.SIGSTOP {
		p.flow = make(chan struct{})
	} else {
		close(p.flow)
	}
	return nil
}

// tear decides about a message of the daemon: whether it still passes, and
// whether the line tears with it.
func (p *tap) tear() (passes, tears bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.wire {
	case nicked:
		p.wire = torn
		p.tears++
		return p.tears%2 == 0, true
	case torn:
		return false, true
	default:
		return true, false
	}
}

func (p *tap) flowing() (flow <-chan struct{}, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flow, p.wire == torn
}

// openTap listens until the test ends.
func openTap(t *testing.T, broker, root string, life func() int) *tap {
	t.Helper()
	p := &tap{broker: broker, root: root + "/", life: life, events: map[uint64]*event{}, working: make(chan struct{}), flow: make(chan struct{})}
	close(p.flow)
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
	if _, cut := p.flowing(); cut {
		return
	}
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
		p.carry(ctx, broker, daemon, func(c packets.ControlPacket) (passes, ends bool) {
			m, ok := c.(*packets.PublishPacket)
			if !ok {
				return true, false
			}
			if seq := p.published(m); seq != 0 {
				mu.Lock()
				flying[m.MessageID] = seq
				mu.Unlock()
			}
			return p.tear()
		})
	}()
	p.carry(ctx, daemon, broker, func(c packets.ControlPacket) (passes, ends bool) {
		if m, ok := c.(*packets.PubackPacket); ok {
			mu.Lock()
			seq := flying[m.MessageID]
			delete(flying, m.MessageID)
			mu.Unlock()
			p.acknowledged(seq, life)
		}
		return true, false
	})
	daemon.Close()
	<-done
}

// carry passes packets on, byte for byte, and shows them before.
func (p *tap) carry(ctx context.Context, to io.Writer, from io.Reader, show func(packets.ControlPacket) (passes, ends bool)) {
	for ends := false; !ends; {
		var raw bytes.Buffer
		c, err := packets.ReadPacket(io.TeeReader(from, &raw))
		flow, _ := p.flowing()
		select {
		case <-flow:
		case <-ctx.Done():
			return
		}
		passes := true
		if err == nil {
			passes, ends = show(c)
		}
		if !passes {
			return
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
