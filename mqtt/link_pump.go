package mqtt

import (
	"context"
	"fmt"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// flight is a published message without its acknowledgement.
type flight struct {
	token paho.Token
	done  func(error) // not called when the connection ends first
}

// await waits for a token. A token that completes when the connection is
// already gone proves nothing.
func (c *connection) await(token paho.Token, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-token.Done():
	case <-timer.C:
		return fmt.Errorf("%w for %v", ErrAckTimeout, timeout)
	case <-c.ctx.Done():
	}
	if c.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrDown, context.Cause(c.ctx))
	}
	return token.Error()
}

// publish takes a slot, sends and waits.
func (c *connection) publish(ctx context.Context, topic string, payload []byte, retain bool) error {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return fmt.Errorf("%w: %w", ErrDown, context.Cause(c.ctx))
	}
	result := make(chan error, 1)
	c.send(topic, payload, retain, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return fmt.Errorf("%w: %w", ErrDown, context.Cause(c.ctx))
	}
}

// send needs a slot. flights has room for as many as there are slots.
func (c *connection) send(topic string, payload []byte, retain bool, done func(error)) {
	token := c.call(func() paho.Token { return c.client.Publish(topic, 1, retain, payload) })
	if token != nil {
		c.flights <- flight{token: token, done: done}
	}
}

// call keeps the library from holding us: when the connection is lost just
// now, its functions wait for the write timeout. It returns nil then.
func (c *connection) call(f func() paho.Token) paho.Token {
	result := make(chan paho.Token, 1)
	go func() { result <- f() }()
	select {
	case token := <-result:
		return token
	case <-c.ctx.Done():
		return nil
	}
}

// track waits for acknowledgements in order and frees the slots.
func (c *connection) track() {
	for {
		select {
		case f := <-c.flights:
			err := c.await(f.token, c.link.config.Tuning.AckTimeout)
			if err != nil {
				c.fail(err)
			}
			f.done(err)
			<-c.slots
		case <-c.ctx.Done():
			return
		}
	}
}

// startPumps sends the whole retained state, then the outbox from its first
// unacknowledged entry, and what is new of both.
func (c *connection) startPumps() {
	stated := make(chan struct{})
	if c.link.config.State == nil {
		close(stated)
	} else {
		c.work.Go(func() { c.pumpState(stated) })
	}
	if c.link.config.Outbox != nil {
		c.work.Go(func() {
			select {
			case <-stated:
				c.pumpOutbox()
			case <-c.pumps.Done():
			}
		})
	}
}

// pumpState publishes what has changed; stated is closed after the first round.
func (c *connection) pumpState(stated chan struct{}) {
	changed, stop := c.link.config.State.watch()
	defer stop()
	cursor := newStateCursor(c.link.config.State)
	timer := time.NewTimer(0)
	defer timer.Stop()
	first := sync.OnceFunc(func() { close(stated) })
	for c.pumps.Err() == nil {
		select {
		case c.slots <- struct{}{}: // taken before the message is chosen: latest wins
		case <-c.pumps.Done():
			return
		}
		topic, payload, wait, ok := cursor.next(time.Now())
		if ok {
			c.send(topic, payload, true, func(error) {})
			continue
		}
		<-c.slots
		first()
		if wait > 0 {
			timer.Reset(wait)
		}
		select {
		case <-changed:
		case <-timer.C:
		case <-c.pumps.Done():
		}
	}
}

// pumpOutbox sends entries in order and marks those acknowledged on this
// connection.
func (c *connection) pumpOutbox() {
	p := outboxPump{c: c, acked: make(chan uint64, linkInFlightMax)}
	defer p.mark()
	turns := c.link.config.Pumping
	if turns == nil {
		turns = func(bool) {}
	}
	defer turns(false)
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		turns(true)
		if len(p.ready) == 0 && !p.dry && !p.fetch() {
			retry.Reset(linkOutboxRetry)
		}
		var slot chan struct{}
		if len(p.ready) > 0 {
			slot = c.slots
		}
		turns(false)
		select {
		case slot <- struct{}{}:
			turns(true)
			p.sendFirst()
		case id := <-p.acked:
			turns(true)
			p.flying--
			p.mark(id)
		case <-c.link.kick:
			p.dry = false
		case <-retry.C:
			p.dry = false
		case <-c.pumps.Done():
			p.settle()
			return
		}
	}
}

type outboxPump struct {
	c      *connection
	ready  []Outgoing
	after  uint64 // the last id sent, or skipped, on this connection
	dry    bool   // nothing above after until a kick
	acked  chan uint64
	flying int // sent and not marked
}

// fetch is false when the outbox failed, which is worth another attempt.
func (p *outboxPump) fetch() bool {
	p.dry = true
	link := p.c.link
	entries, err := link.config.Outbox.Next(link.config.Name, p.after, linkInFlightMax)
	if err != nil {
		link.log.Error("read outbox", "error", err)
		return false
	}
	for _, entry := range entries {
		p.after = entry.ID
		p.dry = false
		if err := checkOutgoing(entry.Topic, entry.Payload); err != nil {
			// Sending it would cost the connection, for ever.
			link.log.Error("outbox entry cannot be sent", "id", entry.ID, "error", err)
			continue
		}
		p.ready = append(p.ready, entry)
	}
	return true
}

func (p *outboxPump) sendFirst() {
	entry := p.ready[0]
	p.ready = p.ready[1:]
	p.flying++
	p.c.send(entry.Topic, entry.Payload, entry.Retain, func(err error) {
		if err == nil {
			p.acked <- entry.ID
		}
	})
}

// settle waits, in a polite close, for what is still in flight: every entry
// marked now is one that nobody receives twice.
func (p *outboxPump) settle() {
	timer := time.NewTimer(linkSettleWait)
	defer timer.Stop()
	for p.flying > 0 {
		select {
		case id := <-p.acked:
			p.flying--
			p.mark(id)
		case <-p.c.ctx.Done():
			return
		case <-timer.C:
			return
		}
	}
}

// mark hands the acknowledged ids over in one piece.
func (p *outboxPump) mark(ids ...uint64) {
	for {
		select {
		case id := <-p.acked:
			p.flying--
			ids = append(ids, id)
			continue
		default:
		}
		if len(ids) > 0 {
			p.c.link.config.Outbox.Sent(ids...)
		}
		return
	}
}

// ackList carries acknowledgements from the daemon to the library, whose Ack
// waits for the wire.
type ackList struct {
	mu    *sync.Mutex
	list  *[]func()
	ready chan struct{}
}

func newAckList() ackList {
	return ackList{mu: new(sync.Mutex), list: new([]func()), ready: make(chan struct{}, 1)}
}

func (a ackList) add(ack func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*a.list = append(*a.list, ack)
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

func (a ackList) take() []func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := *a.list
	*a.list = nil
	return list
}

// acknowledge passes acknowledgements on, at a polite close to the last.
func (c *connection) acknowledge() {
	for halted := false; !halted; {
		select {
		case <-c.acks.ready:
		case <-c.pumps.Done():
			halted = true
		}
		for _, ack := range c.acks.take() {
			if c.ctx.Err() != nil {
				return
			}
			ack()
		}
	}
}
