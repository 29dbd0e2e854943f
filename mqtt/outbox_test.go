package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"kassad/mqtt"
	"kassad/mqtt/mqtttest"
)

// memoryOutbox keeps entries in memory; its payload is the id.
type memoryOutbox struct {
	topic string

	mu      sync.Mutex
	entries []mqtt.Outgoing
	sent    []uint64
	done    map[uint64]bool
	fail    error
	changed chan struct{} // holds a token after each Sent
}

var _ mqtt.Outbox = (*memoryOutbox)(nil)

func newOutbox(t *testing.T, count int) *memoryOutbox {
	o := &memoryOutbox{topic: mqtttest.Topics(t).Event("receipt"), done: make(map[uint64]bool), changed: make(chan struct{}, 1)}
	o.add(count)
	return o
}

func (o *memoryOutbox) add(count int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range count {
		id := uint64(len(o.entries) + 1)
		o.entries = append(o.entries, mqtt.Outgoing{ID: id, Topic: o.topic, Payload: fmt.Append(nil, id)})
	}
}

func (o *memoryOutbox) Next(_ string, after uint64, limit int) ([]mqtt.Outgoing, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return nil, o.fail
	}
	var list []mqtt.Outgoing
	for i := int(after); i < len(o.entries) && len(list) < limit; i++ {
		if entry := o.entries[i]; !o.done[entry.ID] {
			list = append(list, entry)
		}
	}
	return list, nil
}

func (o *memoryOutbox) Sent(ids ...uint64) {
	o.mu.Lock()
	o.sent = append(o.sent, ids...)
	for _, id := range ids {
		o.done[id] = true
	}
	o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

func (o *memoryOutbox) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.sent)
}

func (o *memoryOutbox) marked() []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.sent)
}

func (o *memoryOutbox) awaitMarked(t *testing.T, count int) {
	t.Helper()
	for o.count() < count {
		await(t, "progress of the outbox", o.changed)
	}
}

func withOutbox(o mqtt.Outbox) func(*mqtt.LinkConfig) {
	return func(c *mqtt.LinkConfig) { c.Outbox = o }
}

func TestTenThousandInOrder(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		const count = 10_000
		outbox := newOutbox(t, count)
		reader := mqtttest.MustConnect(t, url)
		reader.SubscribeTo(t, outbox.topic)
		_, e := startLink(t, url, withOutbox(outbox))
		await(t, "up", e.up)
		for i := range count {
			if m := reader.Next(t); string(m.Payload()) != strconv.Itoa(i+1) {
				t.Fatalf("got %s, want %d", m.Payload(), i+1)
			}
		}
		outbox.awaitMarked(t, count)
		if got := outbox.marked(); len(got) != count || !slices.IsSorted(got) {
			t.Errorf("%d marked, in order %v", len(got), slices.IsSorted(got))
		}
	})
}

func TestKickSendsWhatIsNew(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		outbox := newOutbox(t, 0)
		l, e := startLink(t, url, withOutbox(outbox))
		await(t, "up", e.up)
		for i := range 100 {
			outbox.add(1)
			l.Kick()
			outbox.awaitMarked(t, i+1)
		}
	})
}

// The broker dies in the middle: what it had acknowledged is not sent again,
// the rest is, and everything arrives.
func TestBrokerDiesInTheMiddle(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, restart func()) {
		const count = 3000
		outbox := newOutbox(t, count)
		_, e := startLink(t, url, withOutbox(outbox))
		await(t, "up", e.up)
		outbox.awaitMarked(t, 100)
		restart()
		await(t, "loss", e.down)
		outbox.awaitMarked(t, count)
		got := outbox.marked()
		slices.Sort(got)
		if twice := len(got) - len(slices.Compact(got)); twice != 0 || len(got) != count {
			t.Errorf("%d marked, %d twice", len(got), twice)
		}
	})
}

// publishes records what a scripted broker was sent.
type publishes struct {
	mu   sync.Mutex
	list map[int][]string // by connection
	more chan string
}

func newPublishes() *publishes {
	return &publishes{list: make(map[int][]string), more: make(chan string, 1000)}
}

func (p *publishes) add(connection int, payload string) {
	p.mu.Lock()
	p.list[connection] = append(p.list[connection], payload)
	p.mu.Unlock()
	p.more <- payload
}

func (p *publishes) of(connection int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list[connection])
}

func (p *publishes) await(t *testing.T, payload string) {
	t.Helper()
	for await(t, "publish of "+payload, p.more) != payload {
	}
}

// The scripted broker acknowledges 5 of 20 and dies. Exactly the others come
// again, in order, though the library would have been ready to call a token of
// the first connection complete.
func TestExactlyTheUnacknowledgedComeAgain(t *testing.T) {
	t.Parallel()
	seen := newPublishes()
	outbox := newOutbox(t, 20)
	script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
		publish, ok := p.(*packets.PublishPacket)
		if !ok || mqtttest.IsProbe(publish.TopicName) {
			return false
		}
		seen.add(c.Number, string(publish.Payload))
		if n, _ := strconv.Atoi(string(publish.Payload)); c.Number == 1 && n > 5 {
			return true
		}
		return false
	})
	l, e := startLink(t, script.URL(), withOutbox(outbox))
	await(t, "up", e.up)
	seen.await(t, "20")
	outbox.awaitMarked(t, 5)
	script.Cut()
	await(t, "second up", e.up)
	outbox.awaitMarked(t, 20)
	var want []string
	for i := 6; i <= 20; i++ {
		want = append(want, strconv.Itoa(i))
	}
	if got := seen.of(2); !slices.Equal(got, want) {
		t.Errorf("sent again %q, want %q", got, want)
	}
	if got := outbox.marked(); len(got) != 20 || !slices.IsSorted(got) {
		t.Errorf("marked %d", got)
	}
	if s := l.Status(); !s.Up || s.Connections != 2 {
		t.Errorf("status %+v", s)
	}
}

// A PUBACK of the new connection with the identifier of an old publish says
// nothing about the old one.
func TestAcknowledgementOfAnotherConnection(t *testing.T) {
	t.Parallel()
	first := make(chan uint16, 1)
	script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
		publish, ok := p.(*packets.PublishPacket)
		if !ok || mqtttest.IsProbe(publish.TopicName) {
			return false
		}
		first <- publish.MessageID
		return true
	})
	l, e := startLink(t, script.URL())
	await(t, "up", e.up)
	result := make(chan error, 1)
	go func() { result <- l.Publish(context.Background(), "a", []byte("x"), false) }()
	id := await(t, "publish", first)
	script.Cut()
	await(t, "second up", e.up)
	script.Last().Acknowledge(id)
	if err := await(t, "result", result); !errors.Is(err, mqtt.ErrDown) {
		t.Errorf("got %v, want ErrDown", err)
	}
}

// State, outbox and Publish together never have more than 16 in flight.
func TestAtMostSixteenInFlight(t *testing.T) {
	t.Parallel()
	var flying, most atomic.Int32
	release := make(chan struct{})
	arrived := make(chan struct{}, 1000)
	script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
		publish, ok := p.(*packets.PublishPacket)
		if !ok || mqtttest.IsProbe(publish.TopicName) {
			return false
		}
		most.Store(max(most.Load(), flying.Add(1)))
		arrived <- struct{}{}
		go func() {
			select {
			case <-release:
			case <-t.Context().Done():
			}
			flying.Add(-1)
			c.Acknowledge(publish.MessageID)
		}()
		return true
	})
	state := mqtt.NewState(0)
	for i := range 40 {
		set(t, state, fmt.Sprintf("state/%d", i), "x")
	}
	outbox := newOutbox(t, 100)
	l, e := startLink(t, script.URL(), withOutbox(outbox), withState(state))
	await(t, "up", e.up)
	var publishers sync.WaitGroup
	for range 20 {
		publishers.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := l.Publish(ctx, "p", []byte("x"), false); err != nil {
				t.Error(err)
			}
		})
	}
	for range 16 {
		await(t, "publish", arrived)
	}
	select {
	case <-arrived:
		t.Error("a 17th message came without an acknowledgement")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	publishers.Wait()
	outbox.awaitMarked(t, 100)
	if got := most.Load(); got != 16 {
		t.Errorf("%d were in flight", got)
	}
}

func TestUnsendableEntryDoesNotStopTheRest(t *testing.T) {
	t.Parallel()
	url := "tcp://" + mqtttest.StartBroker(t).Addr()
	outbox := newOutbox(t, 5)
	outbox.entries[1].Topic = "a/+/b"
	outbox.entries[3].Payload = make([]byte, 256<<10+1)
	_, e := startLink(t, url, withOutbox(outbox))
	await(t, "up", e.up)
	outbox.awaitMarked(t, 3)
	if got := outbox.marked(); !slices.Equal(got, []uint64{1, 3, 5}) {
		t.Errorf("marked %d", got)
	}
}

func TestOutboxFailureIsTriedAgain(t *testing.T) {
	t.Parallel()
	url := "tcp://" + mqtttest.StartBroker(t).Addr()
	outbox := newOutbox(t, 1)
	outbox.fail = errors.New("disk")
	l, e := startLink(t, url, withOutbox(outbox))
	await(t, "up", e.up)
	outbox.mu.Lock()
	outbox.fail = nil
	outbox.mu.Unlock()
	l.Kick()
	outbox.awaitMarked(t, 1)
}

// Close lets what is in flight land, so that it is not sent twice.
func TestCloseWaitsForWhatIsInFlight(t *testing.T) {
	t.Parallel()
	release, arrived := make(chan struct{}), make(chan struct{}, 100)
	script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
		publish, ok := p.(*packets.PublishPacket)
		if !ok || mqtttest.IsProbe(publish.TopicName) {
			return false
		}
		arrived <- struct{}{}
		go func() {
			<-release
			c.Acknowledge(publish.MessageID)
		}()
		return true
	})
	outbox := newOutbox(t, 10)
	l, e := startLink(t, script.URL(), withOutbox(outbox))
	await(t, "up", e.up)
	for range 10 {
		await(t, "publish", arrived)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		closeLink(t, l)
	}()
	close(release)
	await(t, "close", closed)
	if got := outbox.marked(); len(got) != 10 {
		t.Errorf("%d of 10 marked", len(got))
	}
}

// heldOutbox keeps the pump that asks it for entries.
type heldOutbox struct {
	*memoryOutbox
	asked, free chan struct{}
	over        <-chan struct{} // the test has ended
}

func (o heldOutbox) Next(link string, after uint64, limit int) ([]mqtt.Outgoing, error) {
	select {
	case o.asked <- struct{}{}:
		<-o.free
	case <-o.over:
	}
	return o.memoryOutbox.Next(link, after, limit)
}

// Who watches the pump sees a turn that does not end, and that an idle pump is
// in none.
func TestPumpingIsSeen(t *testing.T) {
	t.Parallel()
	onTargets(t, func(t *testing.T, url string, _ func()) {
		outbox := heldOutbox{memoryOutbox: newOutbox(t, 1), asked: make(chan struct{}), free: make(chan struct{}), over: t.Context().Done()}
		var busy atomic.Bool
		idle := make(chan struct{}, 1)
		startLink(t, url, withOutbox(outbox), func(c *mqtt.LinkConfig) {
			c.Pumping = func(b bool) {
				busy.Store(b)
				if !b && outbox.count() == 1 {
					select {
					case idle <- struct{}{}:
					default:
					}
				}
			}
		})
		await(t, "the pump", outbox.asked)
		if !busy.Load() {
			t.Error("the pump is held, and seems idle")
		}
		go func() {
			for {
				select {
				case <-outbox.asked:
				case outbox.free <- struct{}{}:
				case <-t.Context().Done():
					return
				}
			}
		}()
		await(t, "the pump at rest", idle)
	})
}
