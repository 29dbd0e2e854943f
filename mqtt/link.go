package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Errors of a link.
var (
	// ErrDown: there is no connection, or it went away before the broker
	// acknowledged. The message may or may not have arrived.
	ErrDown = errors.New("link is down")
	// ErrClosed: the link was closed by this process.
	ErrClosed = errors.New("link is closed")
	// ErrRefused: the broker does not grant a subscription.
	ErrRefused = errors.New("subscription refused")
	// ErrLoopBack: a message to ourselves did not come back.
	ErrLoopBack = errors.New("loop-back message lost")
	// ErrAckTimeout: the broker owes an acknowledgement for too long.
	ErrAckTimeout = errors.New("no acknowledgement from the broker")
	// ErrPayload: more than the contract allows.
	ErrPayload = errors.New("payload is larger than 256 KiB")

	errOverflow = errors.New("messages were refused while the queue was full: asking for them again")
)

// Link is one connection to one broker, kept up until it is closed. The
// library's own reconnection is not used: every connection is a client of its
// own, so that an acknowledgement can only come from the connection that sent
// the message.
type Link struct {
	config   LinkConfig
	endpoint endpoint
	log      *slog.Logger
	queue    *queue
	kick     chan struct{}

	hard, soft context.Context // soft ends in Close, hard cuts the connection
	stop, end  context.CancelFunc
	started    sync.Once
	generation uint64 // of the youngest connection, from 1
	finished   chan struct{}
	probing    sync.Mutex // one RTT at a time

	mu      sync.Mutex
	current *connection // nil while not up
	granted *connection // nil while not subscribed: what came by it can be answered by it
	status  LinkStatus
	goodbye closeRequest
}

// LinkStatus is what health and doctor show of a link.
type LinkStatus struct {
	Up          bool
	Since       time.Time // of Up or of its loss
	Connections uint64    // how often it has come up
	LastError   string
	Queued      int    // messages waiting for the daemon
	Refused     uint64 // messages that met a full queue, asked for again later
}

type closeRequest struct {
	ctx  context.Context
	last []Outgoing
}

// NewLink checks the configuration and opens nothing.
func NewLink(config LinkConfig, log *slog.Logger) (*Link, error) {
	e, err := config.check(log)
	if err != nil {
		return nil, err
	}
	return &Link{
		config:   config,
		endpoint: e,
		log:      log.With("link", config.Name),
		queue:    newQueue(config.Tuning.QueueMessages),
		kick:     make(chan struct{}, 1),
		finished: make(chan struct{}),
	}, nil
}

// Start begins connecting. When ctx ends the connection is cut, and the broker
// publishes the will; Close is the polite end.
func (l *Link) Start(ctx context.Context) {
	l.started.Do(func() {
		l.hard, l.stop = context.WithCancel(ctx)
		l.soft, l.end = context.WithCancel(l.hard)
		go l.run()
	})
}

// Close publishes last (the state "offline"), disconnects so that the broker
// keeps the will to itself, and waits until everything has ended. When ctx
// ends first, the connection is cut.
func (l *Link) Close(ctx context.Context, last ...Outgoing) error {
	l.started.Do(func() { // never started
		l.stop, l.end = func() {}, func() {}
		l.queue.finish()
		close(l.finished)
	})
	l.mu.Lock()
	l.goodbye = closeRequest{ctx: ctx, last: last}
	l.mu.Unlock()
	l.end()
	select {
	case <-l.finished:
		return nil
	case <-ctx.Done():
		l.stop()
		<-l.finished
		return ctx.Err()
	}
}

// Receive waits for the next message. It returns ErrClosed when the link is
// closed and everything received has been handed out.
func (l *Link) Receive(ctx context.Context) (Incoming, error) {
	in, err := l.queue.pop(ctx)
	if c := l.up(); c != nil && l.queue.recovered(c.generation) {
		c.fail(errOverflow)
	}
	return in, err
}

// Publish sends a message and waits for the acknowledgement. nil means that
// the broker acknowledged on the connection that sent it. After any error the
// message may still have arrived. It works as soon as the subscriptions are
// granted: what the broker has kept for us comes before the loop-back message,
// and what is acknowledged only once it is answered would hold that back.
func (l *Link) Publish(ctx context.Context, topic string, payload []byte, retain bool) error {
	if err := checkOutgoing(topic, payload); err != nil {
		return err
	}
	l.mu.Lock()
	c := l.granted
	l.mu.Unlock()
	if c == nil {
		return ErrDown
	}
	return c.publish(ctx, topic, payload, retain)
}

// Kick tells the link that the outbox has something new.
func (l *Link) Kick() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// Name returns the configured name.
func (l *Link) Name() string { return l.config.Name }

// Status returns the present state of the link.
func (l *Link) Status() LinkStatus {
	l.mu.Lock()
	status := l.status
	l.mu.Unlock()
	status.Queued, status.Refused = l.queue.figures()
	return status
}

// checkOutgoing stops what a broker would answer by closing the connection,
// for the same message again after every reconnect.
func checkOutgoing(topic string, payload []byte) error {
	if topic == "" || len(topic) > topicBytesMax || strings.ContainsAny(topic, "+#\x00") {
		return fmt.Errorf("publish to %.*q: %w", topicBytesMax, topic, ErrTopic)
	}
	if len(payload) > linkPayloadBytesMax {
		return fmt.Errorf("publish to %q: %d bytes: %w", topic, len(payload), ErrPayload)
	}
	return nil
}

// run is the life of the link.
func (l *Link) run() {
	defer close(l.finished)
	defer l.queue.finish()
	defer l.stop()
	wait := backoff{min: l.config.Tuning.BackoffMin, max: l.config.Tuning.BackoffMax, draw: l.config.Tuning.Draw}
	var rivals takeOver
	for {
		if !l.pause(wait.next()) {
			return
		}
		end := l.once()
		if end.final {
			if end.up {
				l.report(end)
			}
			return
		}
		if end.life >= l.config.Tuning.StableAfter || errors.Is(end.err, errOverflow) {
			wait.reset()
		}
		l.report(end)
		if rivals.ended(end.accepted, end.life, end.err) {
			l.log.Error("the broker closes every connection soon after accepting it: another program seems to use the same client id", "client_id", l.config.ClientID)
			if l.config.OnTakeOver != nil {
				l.config.OnTakeOver()
			}
		}
	}
}

// pause waits between attempts. It is false when the link is to end.
func (l *Link) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return l.soft.Err() == nil
	case <-l.soft.Done():
		return false
	}
}

// ending is how a connection, or an attempt, ended.
type ending struct {
	err      error
	accepted bool          // the broker had accepted us
	up       bool          // and the link had been up
	life     time.Duration // since accepted
	final    bool          // the link is to end
}

// once makes one connection and stays with it until it ends.
func (l *Link) once() ending {
	l.generation++
	c := newConnection(l, l.generation)
	defer c.wait()
	defer l.setGranted(nil)
	err := c.connect(l.soft)
	if err == nil {
		err = c.establish(l.soft)
	}
	end := ending{err: err, up: err == nil}
	if end.up {
		l.serve(c)
	} else {
		c.abort(err)
	}
	// A connection lost in the middle shows as some step's failure; the loss is
	// the cause, and the one that tells a take-over.
	if cause := context.Cause(c.ctx); cause != nil {
		end.err = cause
	}
	if end.accepted = c.accepted; c.accepted {
		end.life = time.Since(c.acceptedAt)
	}
	end.final = l.soft.Err() != nil
	return end
}

// serve is the time between up and down.
func (l *Link) serve(c *connection) {
	l.setUp(c)
	defer l.setDown()
	if l.config.OnUp != nil {
		l.config.OnUp(c.ctx, c.sessionPresent)
	}
	if l.queue.recovered(c.generation) { // refused before the link was up
		c.fail(errOverflow)
	}
	c.startPumps()
	select {
	case <-c.ctx.Done():
		if errors.Is(context.Cause(c.ctx), errOverflow) {
			c.disconnect()
			return
		}
		c.abort(nil)
	case <-l.soft.Done():
		if l.hard.Err() != nil {
			c.abort(ErrClosed)
			return
		}
		l.mu.Lock()
		goodbye := l.goodbye
		l.mu.Unlock()
		cut := context.AfterFunc(l.hard, func() { c.abort(ErrClosed) })
		defer cut()
		c.farewell(goodbye)
	}
}

func (l *Link) up() *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

func (l *Link) setGranted(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.granted = c
}

func (l *Link) setUp(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = c
	l.status.Up, l.status.Since, l.status.LastError = true, time.Now(), ""
	l.status.Connections++
	l.log.Info("link is up", "session_present", c.sessionPresent)
}

func (l *Link) setDown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = nil
	l.status.Up, l.status.Since = false, time.Now()
}

// report tells of an end once: every loss of an up link, and of failed
// attempts those that fail differently from the one before.
func (l *Link) report(end ending) {
	l.mu.Lock()
	changed := l.status.LastError != end.err.Error()
	l.status.LastError = end.err.Error()
	l.mu.Unlock()
	if end.up || changed {
		l.log.Warn("link is down", "error", end.err)
	}
	if l.config.OnDown != nil {
		l.config.OnDown(end.err)
	}
}
