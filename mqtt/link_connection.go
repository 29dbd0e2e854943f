package mqtt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	probeNameBytes = 8
	subackFailure  = 0x80
	mqtt311        = 4
)

// connection is one generation of a link: a client of the library that never
// reconnects, and everything that may only be true while it lives.
type connection struct {
	link       *Link
	generation uint64
	client     paho.Client
	ctx        context.Context // ends with the connection; its cause says why
	cancel     context.CancelCauseFunc
	pumps      context.Context // ends earlier, in a polite close
	halt       context.CancelFunc

	probeTopic string
	probes     chan string
	awaited    atomic.Pointer[string] // the loop-back message on its way
	moved      atomic.Uint64          // messages that came, and those that were acknowledged
	slots      chan struct{}          // one per message in flight
	flights    chan flight
	acks       ackList
	work       sync.WaitGroup // pumps
	tracking   sync.WaitGroup
	lost       chan struct{} // the library has ended; closed by gone
	gone       func()

	accepted       bool
	acceptedAt     time.Time
	sessionPresent bool

	mu      sync.Mutex
	wire    *wire
	dialErr error
}

func newConnection(l *Link, generation uint64) *connection {
	ctx, cancel := context.WithCancelCause(context.Background())
	pumps, halt := context.WithCancel(ctx)
	// The probe's name is stable: its subscription outlives the process in the
	// broker's session, and must not pile up there.
	sum := sha256.Sum256([]byte(l.config.ClientID))
	c := &connection{
		link: l, generation: generation, ctx: ctx, cancel: cancel, pumps: pumps, halt: halt,
		probeTopic: l.config.Topics.Probe(hex.EncodeToString(sum[:probeNameBytes])),
		probes:     make(chan string, linkInFlightMax),
		slots:      make(chan struct{}, linkInFlightMax),
		flights:    make(chan flight, linkInFlightMax),
		acks:       newAckList(),
		lost:       make(chan struct{}),
	}
	c.gone = sync.OnceFunc(func() { close(c.lost) })
	c.client = paho.NewClient(c.options())
	return c
}

func (c *connection) options() *paho.ClientOptions {
	config := &c.link.config
	o := paho.NewClientOptions().
		AddBroker("tcp://" + c.link.endpoint.address).
		SetProtocolVersion(mqtt311).
		SetClientID(config.ClientID).
		SetUsername(config.Username).
		SetPassword(config.Password.Reveal()).
		SetCleanSession(false).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetKeepAlive(config.KeepAlive).
		SetPingTimeout(config.Tuning.ConnectTimeout).
		SetConnectTimeout(config.Tuning.ConnectTimeout).
		SetWriteTimeout(linkWriteTimeout).
		SetOrderMatters(true).
		SetAutoAckDisabled(true).
		// Set before CONNECT: what the broker kept for our session comes before
		// any subscription, and is dropped without a handler.
		SetDefaultPublishHandler(c.receive).
		SetConnectionLostHandler(func(_ paho.Client, err error) {
			c.fail(fmt.Errorf("connection lost: %w", err))
			c.gone()
		}).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return c.dial() })
	if config.Will != nil {
		o.SetBinaryWill(config.Will.Topic, config.Will.Payload(), 1, true)
	}
	return o
}

func (c *connection) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.link.config.Tuning.ConnectTimeout)
	defer cancel()
	conn, err := c.link.endpoint.dial(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.dialErr = err
		return nil, err
	}
	if c.ctx.Err() != nil { // abort came before there was a wire to cut
		_ = conn.Close()
		return nil, errCut
	}
	c.wire = &wire{Conn: conn}
	return c.wire, nil
}

// wire lets us cut a connection so that the library notices: it takes "use of
// closed network connection" for its own doing and would wait for a ping. It
// also bounds every write; the library leaves acknowledgements unbounded.
type wire struct{ net.Conn }

var errCut = errors.New("connection cut")

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if errors.Is(err, net.ErrClosed) {
		err = errCut
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(linkWriteTimeout)); err != nil {
		return 0, errCut
	}
	n, err := w.Conn.Write(p)
	if errors.Is(err, net.ErrClosed) {
		err = errCut
	}
	return n, err
}

// connect dials and waits for CONNACK.
func (c *connection) connect(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.abort(ErrClosed) })
	defer stop()
	token := c.client.Connect().(*paho.ConnectToken)
	<-token.Done() // dial and CONNACK have deadlines of their own
	if err := token.Error(); err != nil {
		c.gone() // nothing was started
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.dialErr != nil {
			err = c.dialErr
		}
		return fmt.Errorf("connect to %s: %w", c.link.config.URL, err)
	}
	c.accepted, c.acceptedAt = true, time.Now()
	c.sessionPresent = token.SessionPresent()
	c.tracking.Go(c.track)
	c.work.Go(c.acknowledge)
	return nil
}

// establish subscribes and proves it. Brokers grant subscriptions that they do
// not serve, and acknowledge publishes that they drop (Mosquitto's ACL does
// both), so a message to ourselves must come back. It proves the way there and
// back for this user, not each filter.
func (c *connection) establish(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.abort(ErrClosed) })
	defer stop()
	for _, filter := range append([]string{c.probeTopic}, c.link.config.Subscriptions...) {
		if err := c.subscribe(filter); err != nil {
			if errors.Is(err, ErrRefused) && c.link.config.OnRefused != nil {
				c.link.config.OnRefused(filter, err)
			}
			return err
		}
	}
	c.link.setGranted(c)
	_, err := c.roundTrip(c.ctx)
	return err
}

func (c *connection) subscribe(filter string) error {
	token, ok := c.call(func() paho.Token { return c.client.Subscribe(filter, 1, nil) }).(*paho.SubscribeToken)
	if !ok {
		return fmt.Errorf("subscribe to %s: %w: %w", filter, ErrDown, context.Cause(c.ctx))
	}
	if err := c.await(token, c.link.config.Tuning.ConnectTimeout); err != nil {
		return fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	granted, ok := token.Result()[filter]
	switch {
	case !ok || granted >= subackFailure:
		return fmt.Errorf("subscribe to %s as %q: %w: check the rights of this name at the broker", filter, c.link.config.Username, ErrRefused)
	case granted == 0:
		return fmt.Errorf("subscribe to %s: %w: granted without acknowledgement (QoS 0)", filter, ErrRefused)
	}
	return nil
}

// receive is the library's callback. It only hands over: while it runs, no
// acknowledgement is read and no ping answered.
func (c *connection) receive(_ paho.Client, m paho.Message) {
	if m.Topic() == c.probeTopic {
		c.probeCame(string(m.Payload()))
		c.acks.add(m.Ack)
		return
	}
	c.moved.Add(1)
	var once sync.Once
	in := Incoming{
		Link: c.link.config.Name, Topic: m.Topic(), Payload: m.Payload(),
		Retained: m.Retained(), Duplicate: m.Duplicate(),
		ack: func() { once.Do(func() { c.moved.Add(1); c.acks.add(m.Ack) }) },
	}
	// A refused message is not acknowledged, so not lost: when there is room
	// again the link reconnects and the broker sends it again.
	if _, first := c.link.queue.push(in, c.generation); first {
		c.link.log.Warn("incoming queue is full", "topic", m.Topic())
	}
}

// fail ends the connection for a reason; the first reason stays.
func (c *connection) fail(err error) { c.cancel(err) }

// abort cuts the wire; the broker publishes the will.
func (c *connection) abort(err error) {
	if err != nil {
		c.fail(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wire != nil {
		_ = c.wire.Close()
	}
}

// disconnect ends politely; the broker keeps the will to itself.
func (c *connection) disconnect() {
	c.client.Disconnect(uint(linkDisconnectWait / time.Millisecond))
	c.gone()
	c.abort(ErrClosed)
}

// farewell publishes the last messages and disconnects.
func (c *connection) farewell(request closeRequest) {
	c.halt()
	c.work.Wait() // an older state must not follow the last one
	for _, m := range request.last {
		if err := c.publish(request.ctx, m.Topic, m.Payload, m.Retain); err != nil {
			c.link.log.Warn("last message", "topic", m.Topic, "error", err)
		}
	}
	c.disconnect()
}

// wait returns when all goroutines of the connection have ended.
func (c *connection) wait() {
	c.cancel(ErrClosed)
	c.halt()
	c.work.Wait()
	c.tracking.Wait()
	if !c.accepted {
		return
	}
	timer := time.NewTimer(linkWriteTimeout)
	defer timer.Stop()
	select {
	case <-c.lost:
	case <-timer.C:
	}
}
