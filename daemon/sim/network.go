package sim

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"kassad/daemon"
	"kassad/devices/link"
)

// Network is an emulated network. Nothing of it is the system's: it lives in
// virtual time as well, and every byte can be tampered with.
type Network struct {
	mu        sync.Mutex
	next      int
	listeners map[string]*netListener
	lines     map[string]*Line
}

// firstPort is the first that an address with port 0 gets.
const firstPort = 40_001

// NewNetwork makes a network without anybody on it.
func NewNetwork() *Network {
	return &Network{next: firstPort, listeners: map[string]*netListener{}, lines: map[string]*Line{}}
}

// Host is one program on the network, which can be killed.
type Host struct {
	net *Network

	mu        sync.Mutex
	dead      bool
	conns     map[*netConn]bool
	listeners []*netListener
}

// Host makes a program without connections.
func (n *Network) Host() *Host { return &Host{net: n, conns: map[*netConn]bool{}} }

// Network is what a daemon is given.
func (h *Host) Network() daemon.Network { return daemon.Network{Dial: h.Dial, Listen: h.Listen} }

// Dial connects the host to who listens at address.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if h.isDead() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ENETDOWN}
	}
	c, near, err := h.net.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if !h.adopt(near) {
		near.reset()
	}
	return c, nil
}

// Listen takes an address for the host.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	if h.isDead() {
		return nil, &net.OpError{Op: "listen", Net: network, Err: syscall.ENETDOWN}
	}
	l, err := h.net.listen(network, address)
	if err != nil {
		return nil, err
	}
	l.host = h
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = append(h.listeners, l)
	return l, nil
}

// Kill ends the host as kill -9 does: from now on no byte of its leaves, and
// its connections are reset by the system.
func (h *Host) Kill() {
	h.mu.Lock()
	h.dead = true
	conns, listeners := h.conns, h.listeners
	h.conns = nil
	h.mu.Unlock()
	for c := range conns {
		c.reset()
	}
	for _, l := range listeners {
		_ = l.Close()
	}
}

func (h *Host) isDead() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dead
}

func (h *Host) adopt(c *netConn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead {
		return false
	}
	h.conns[c] = true
	c.host = h
	return true
}

func (h *Host) forget(c *netConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// Listen takes an address; port 0 is the next free one.
func (n *Network) Listen(network, address string) (net.Listener, error) {
	return n.listen(network, address)
}

func (n *Network) listen(network, address string) (*netListener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if host, port, err := net.SplitHostPort(address); network == "tcp" && err == nil && port == "0" {
		address = net.JoinHostPort(host, strconv.Itoa(n.next))
		n.next++
	}
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: syscall.EADDRINUSE}
	}
	l := &netListener{net: n, address: address, conns: make(chan *netConn), closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Line is the way to an address; it need not be listened on yet.
func (n *Network) Line(address string) *Line {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lines[address] == nil {
		n.lines[address] = &Line{live: map[*netConn]bool{}, Delay: lineDelay, script: link.NewScript()}
	}
	return n.lines[address]
}

// lineDelay is how long a byte takes by default.
const lineDelay = 300 * time.Microsecond

// dialTimeout is how long a system repeats a SYN that nobody answers.
const dialTimeout = 127 * time.Second

// Dial connects to who listens at address.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, _, err := n.dial(ctx, network, address)
	return c, err
}

func (n *Network) dial(ctx context.Context, network, address string) (net.Conn, *netConn, error) {
	line := n.Line(address)
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	if line.isDown() {
		timer := time.NewTimer(dialTimeout) // packets get lost, nobody refuses
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return nil, nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
	}
	if l == nil {
		return nil, nil, refused
	}
	near, far := line.connect(address)
	select {
	case l.conns <- far:
		return line.scripted(near), near, nil
	case <-l.closed:
		return nil, nil, refused
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// Line is the way to one address, for all connections of it.
type Line struct {
	Delay time.Duration // of every byte, either way; to be set before the first connection

	mu     sync.Mutex
	down   bool
	script *link.Script
	live   map[*netConn]bool
	late   *late
}

// Script tampers with the bytes from now on; Out is from who dials.
func (l *Line) Script(faults ...link.Fault) *link.Script {
	s := link.NewScript(faults...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.script = s
	for c := range l.live {
		c.rescript(s)
	}
	return s
}

// Down loses everything silently until Up: no connection is closed, no dial
// answered.
func (l *Line) Down() { l.set(true) }

// Up mends the line. What was under way is lost.
func (l *Line) Up() { l.set(false) }

func (l *Line) set(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *Line) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

// Reset breaks all connections, as a switch that starts anew.
func (l *Line) Reset() {
	l.mu.Lock()
	live := l.live
	l.live = map[*netConn]bool{}
	l.mu.Unlock()
	for c := range live {
		c.reset()
	}
}

func (l *Line) connect(address string) (near, far *netConn) {
	out, back := newStream(l, link.Out), newStream(l, link.In)
	near = &netConn{line: l, in: back, out: out, address: netAddr(address)}
	far = &netConn{line: l, in: out, out: back, address: netAddr(address)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live[near] = true
	return near, far
}

func (l *Line) scripted(c *netConn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &scripted{c, l.script.On(c)}
	c.mu.Lock()
	c.scripted = s
	c.mu.Unlock()
	return s
}

func (l *Line) forget(c *netConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, c)
}

// scripted is a dialled connection on which the line's script happens.
type scripted struct {
	*netConn
	faulty *link.Faulty
}

func (s *scripted) Read(p []byte) (int, error)  { return s.faulty.Read(p) }
func (s *scripted) Write(p []byte) (int, error) { return s.faulty.Write(p) }
func (s *scripted) Close() error                { return s.faulty.Close() }

// netConn is one end of a connection.
type netConn struct {
	line    *Line
	in, out *stream
	address net.Addr
	host    *Host // nil: nobody kills it

	mu       sync.Mutex
	scripted *scripted
}

func (c *netConn) rescript(s *link.Script) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.scripted != nil {
		c.scripted.faulty.Follow(s)
	}
}

func (c *netConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *netConn) Write(p []byte) (int, error) { return c.out.write(p) }

func (c *netConn) Close() error {
	c.line.forget(c)
	if c.host != nil {
		c.host.forget(c)
	}
	c.in.end(net.ErrClosed, syscall.EPIPE)
	c.out.end(io.EOF, net.ErrClosed)
	return nil
}

// reset breaks both directions at once.
func (c *netConn) reset() {
	for _, s := range []*stream{c.in, c.out} {
		s.drop()
		s.end(syscall.ECONNRESET, syscall.ECONNRESET)
	}
}

func (c *netConn) LocalAddr() net.Addr  { return c.address }
func (c *netConn) RemoteAddr() net.Addr { return c.address }

func (c *netConn) SetDeadline(t time.Time) error {
	c.in.setDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *netConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(t)
	return nil
}

// SetWriteDeadline has nothing to do: no write ever waits.
func (c *netConn) SetWriteDeadline(time.Time) error { return nil }

func netAddr(address string) net.Addr {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return &net.UnixAddr{Name: address, Net: "unix"}
	}
	p, _ := strconv.Atoi(port)
	return &net.TCPAddr{IP: net.ParseIP(host), Port: p}
}

// stream is one direction of a connection.
type stream struct {
	line      *Line
	direction link.Direction

	mu       sync.Mutex
	parcels  []parcel
	readEnd  error // what a reader gets when all has arrived; nil: still open
	writeEnd error
	deadline time.Time
	changed  chan struct{} // closed and renewed with every change
}

// parcel is a write on its way.
type parcel struct {
	due  time.Time
	data []byte
}

func newStream(l *Line, d link.Direction) *stream {
	return &stream{line: l, direction: d, changed: make(chan struct{})}
}

// change wakes the reader; mu is held.
func (s *stream) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) write(p []byte) (int, error) {
	down := s.line.isDown()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeEnd != nil {
		return 0, s.writeEnd
	}
	if down {
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		n, due := s.line.due(s.direction, len(rest))
		s.parcels = append(s.parcels, parcel{due, append([]byte{}, rest[:n]...)})
		rest = rest[n:]
	}
	s.change()
	return len(p), nil
}

func (s *stream) read(p []byte) (int, error) {
	for {
		n, wait, changed, err := s.poll(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		if wait < 0 {
			<-changed
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// poll takes what has arrived, or tells how long to wait; negative: for a change.
func (s *stream) poll(p []byte) (n int, wait time.Duration, changed chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := time.Now(), time.Duration(-1)
	switch {
	case !s.deadline.IsZero() && !now.Before(s.deadline):
		return 0, 0, nil, os.ErrDeadlineExceeded
	case len(s.parcels) > 0 && !now.Before(s.parcels[0].due):
		n = copy(p, s.parcels[0].data)
		if s.parcels[0].data = s.parcels[0].data[n:]; len(s.parcels[0].data) == 0 {
			s.parcels = s.parcels[1:]
		}
		return n, 0, nil, nil
	case len(s.parcels) > 0:
		wait = s.parcels[0].due.Sub(now)
	case s.readEnd != nil:
		return 0, 0, nil, s.readEnd
	}
	if !s.deadline.IsZero() && (wait < 0 || s.deadline.Sub(now) < wait) {
		wait = s.deadline.Sub(now)
	}
	return 0, wait, s.changed, nil
}

// end closes a direction; the first reason stays, but for a reader's own.
func (s *stream) end(read, write error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readEnd == nil || read == net.ErrClosed {
		s.readEnd = read
	}
	if read == net.ErrClosed {
		s.parcels = nil
	}
	if s.writeEnd == nil {
		s.writeEnd = write
	}
	s.change()
}

func (s *stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parcels = nil
}

func (s *stream) setDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	s.change()
}

// netListener is an address that somebody listens on.
type netListener struct {
	net     *Network
	host    *Host // nil: nobody kills it
	address string
	conns   chan *netConn
	closed  chan struct{}
	once    sync.Once
}

func (l *netListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		if l.host != nil && !l.host.adopt(c) {
			c.reset()
		}
		return c, nil
	case <-l.closed:
		return nil, fmt.Errorf("accept: %w", net.ErrClosed)
	}
}

func (l *netListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.listeners, l.address)
	})
	return nil
}

func (l *netListener) Addr() net.Addr { return netAddr(l.address) }
