package broker

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

const (
	daemonListener = "daemon"
	acceptPause    = 50 * time.Millisecond
)

// listener replaces the library's: that one gives a silent connection for ever
// to say CONNECT, takes any number of them, and ends at the first failed
// accept.
type listener struct {
	id  string
	net net.Listener
	tls *tls.Config
	log *denials

	mu     sync.Mutex
	closed chan struct{}
	conns  map[*conn]struct{}
	work   sync.WaitGroup
}

var _ listeners.Listener = (*listener)(nil)

// conn carries what belongs to a connection and not to a session. ackID, budget
// and scanning are used by the connection's reading goroutine only.
type conn struct {
	net.Conn
	raw     net.Conn // below TLS
	address string
	since   time.Time
	ackID   uint16
	budget  *budget       // of the name that has logged in; nil: unlimited
	greeted chan struct{} // CONNACK is written

	scanning bool          // holds the index for a subscription
	gone     chan struct{} // closed
	closing  sync.Once
}

func newConn(accepted net.Conn) *conn {
	return &conn{
		Conn: accepted, raw: accepted, address: addressOf(accepted), since: time.Now(),
		greeted: make(chan struct{}), gone: make(chan struct{}),
	}
}

func (c *conn) Close() error {
	c.closing.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// drop closes without a farewell: that of TLS waits up to 5 s for a client that
// does not read.
func (c *conn) drop() {
	c.closing.Do(func() { close(c.gone) })
	_ = c.raw.Close()
}

// awaitGreeting holds a message back until CONNACK is written: the library
// registers a client before, and a message to it could be quicker.
func (c *conn) awaitGreeting() {
	select {
	case <-c.greeted:
	case <-c.gone:
	}
}

func listen(open func(network, address string) (net.Listener, error), id, address string, config *tls.Config, log *denials) (*listener, error) {
	l, err := open("tcp", address)
	if err != nil {
		return nil, err
	}
	return &listener{id: id, net: l, tls: config, log: log, closed: make(chan struct{}), conns: make(map[*conn]struct{})}, nil
}

func (l *listener) Init(*slog.Logger) error { return nil }
func (l *listener) ID() string              { return l.id }
func (l *listener) Address() string         { return l.net.Addr().String() }
func (l *listener) Protocol() string        { return "tcp" }

// Serve accepts until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	if !l.begin() {
		return
	}
	defer l.work.Done()
	for {
		accepted, err := l.net.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: wait for some to come back
			l.log.warn("", "broker cannot accept", "error", err)
			pause(acceptPause, l.closed)
			continue
		}
		l.take(accepted, establish)
	}
}

func (l *listener) take(accepted net.Conn, establish listeners.EstablishFn) {
	c := newConn(accepted)
	if l.tls != nil {
		c.Conn = tls.Server(accepted, l.tls)
	}
	// The library sets its own deadline once it has read CONNECT.
	if err := c.SetDeadline(time.Now().Add(handshakeTime)); err != nil || !l.admit(c) {
		c.drop()
		return
	}
	go func() {
		defer l.work.Done()
		err := establish(l.id, c)
		l.log.log.Debug("broker connection ended", "remote", c.RemoteAddr().String(), "error", err)
		_ = c.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, c)
	}()
}

// Close ends every connection and waits for its goroutine: the library counts
// them only once they run, and would miss the youngest. Its own way to close
// them is not used, it locks itself out while a client is leaving.
func (l *listener) Close(listeners.CloseFn) {
	l.shut()
	l.mu.Lock()
	for c := range l.conns {
		c.drop()
	}
	l.mu.Unlock()
	l.work.Wait()
}

func (l *listener) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
	default:
		close(l.closed)
		_ = l.net.Close()
	}
}

func pause(d time.Duration, done <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done:
	}
}
