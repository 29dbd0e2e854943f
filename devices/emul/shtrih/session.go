package shtrih

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Reasons why Serve ends.
var (
	ErrPowerOff = errors.New("printer is switched off")
	ErrPortBusy = errors.New("port serves another host")
	ErrReplaced = errors.New("another host took the port")
)

const (
	mainPort      = "main"
	outputPackets = 4096 // more than a host that never reads can make the device say
	readBytes     = 512
)

// lineKind is how a connection behaves when the device goes away.
type lineKind int

const (
	lineStream lineKind = iota // closes
	lineTCP                    // closes, and the device adds FF after ACK
	lineSerial                 // stays open and silent
)

// session is one connection of a host.
type session struct {
	p        *Printer
	port     *port
	conn     io.ReadWriteCloser
	line     lineKind
	timer    *time.Timer
	partial  []byte    // of a frame
	queued   []byte    // bytes that came while a command was executed
	lineFree time.Time // when a paced line has carried what was written
	out      chan packet
	ready    chan struct{} // the answer at the port may go out
	why      error         // why the printer closed the connection
}

// packet is bytes on their way to the host; cut closes the line after them.
type packet struct {
	data []byte
	cut  bool
}

// Serve talks to one host on the main port until the host leaves, the context
// ends or the printer closes the line. It closes conn. What a second connection
// does is decided by LinkOptions.Clients.
func (p *Printer) Serve(ctx context.Context, conn io.ReadWriteCloser) error {
	return p.serve(ctx, mainPort, conn, lineStream)
}

// ServePort is Serve on another physical port with link state of its own, for
// a second host program on the same device.
func (p *Printer) ServePort(ctx context.Context, name string, conn io.ReadWriteCloser) error {
	return p.serve(ctx, name, conn, lineStream)
}

func (p *Printer) serve(ctx context.Context, name string, conn io.ReadWriteCloser, line lineKind) error {
	s := &session{p: p, conn: conn, line: line, timer: newStoppedTimer(), out: make(chan packet, outputPackets), ready: make(chan struct{}, 1)}
	if err := p.attach(s, name); err != nil {
		return errors.Join(err, conn.Close())
	}
	in := make(chan []byte)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { s.read(in, stop) })
	wg.Go(func() { s.drain(stop) })
	err := s.loop(ctx, in)
	close(stop)
	s.timer.Stop()
	_ = conn.Close() // unblocks both goroutines; the host may have closed it first
	wg.Wait()
	return p.release(s, err)
}

func newStoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// attach gives the session its port by the policy for second connections.
func (p *Printer) attach(s *session, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.powered && !p.silent && s.line != lineSerial {
		return ErrPowerOff
	}
	o := p.ports[name]
	if o == nil {
		o = newPort()
		p.ports[name] = o
	}
	if old := o.session; old != nil {
		switch p.cfg.Link.Clients {
		case Refuse:
			return ErrPortBusy
		case Share:
			o = newPort()
			o.private, o.state = true, linkWaitSTX
			p.shared[o] = struct{}{}
		default:
			old.close(ErrReplaced)
		}
	}
	s.port, o.session = o, s
	return nil
}

func (p *Printer) release(s *session, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.port.session == s {
		s.port.detach(p.cfg.Link.DropPendingOnClose)
	}
	delete(p.shared, s.port)
	if s.why != nil {
		return s.why
	}
	return err
}

func (s *session) loop(ctx context.Context, in <-chan []byte) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case chunk, open := <-in:
			if !open {
				return nil // the host left
			}
			s.feed(chunk)
		case <-s.timer.C:
			s.locked(s.expire)
		case <-s.ready:
			s.locked(s.deliver)
		}
	}
}

// locked runs f with the printer locked, unless another session has the port.
func (s *session) locked(f func()) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.port.session == s && s.p.powered {
		f()
	}
}

func (s *session) feed(chunk []byte) {
	for _, b := range chunk {
		var msg []byte
		s.locked(func() {
			if !s.p.pulled {
				msg = s.input(b)
			}
		})
		if msg != nil {
			s.accept(msg)
			s.locked(s.deliver)
		}
	}
}

// send queues bytes for the host.
func (s *session) send(b ...byte) { s.write(packet{data: b}) }

func (s *session) write(k packet) {
	if s.p.pulled {
		return
	}
	select {
	case s.out <- k:
	default: // a host that never reads loses bytes, as on a serial line
	}
}

// close ends the session from the printer's side, after what it has said so far
// has left. A serial line has nothing that could be closed: only silence.
func (s *session) close(why error) {
	if s.line == lineSerial && why != ErrReplaced || s.port.session != s {
		return
	}
	s.why = why
	s.port.detach(s.p.cfg.Link.DropPendingOnClose)
	select {
	case s.out <- packet{cut: true}:
	default:
		_ = s.conn.Close() // nothing of the backlog was read; nobody will miss it
	}
}

func (s *session) read(in chan<- []byte, stop <-chan struct{}) {
	defer close(in)
	buf := make([]byte, readBytes)
	for {
		n, err := s.conn.Read(buf)
		if n > 0 {
			select {
			case in <- append([]byte(nil), buf[:n]...):
			case <-stop:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// drain writes what the device says, at the pace of the line.
func (s *session) drain(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case k := <-s.out:
			if !s.paced(k.data, stop) {
				return
			}
			if k.cut {
				_ = s.conn.Close()
				return
			}
		}
	}
}

// timerGrain is what a timer overshoots by on common systems. Waits below it
// are carried over to the next byte, so that the line keeps its rate.
const timerGrain = time.Millisecond

// bitsPerByte of 8N1.
const bitsPerByte = 10

// paced writes b no faster than the line would carry it.
func (s *session) paced(b []byte, stop <-chan struct{}) bool {
	baud := s.p.cfg.Link.Baud
	if baud <= 0 {
		_, err := s.conn.Write(b)
		return err == nil
	}
	perByte := bitsPerByte * time.Second / time.Duration(baud)
	if now := time.Now(); s.lineFree.Before(now.Add(-timerGrain)) {
		s.lineFree = now
	}
	for i := range b {
		s.lineFree = s.lineFree.Add(perByte)
		if wait := time.Until(s.lineFree); wait >= timerGrain && !sleep(wait, stop) {
			return false
		}
		if _, err := s.conn.Write(b[i : i+1]); err != nil {
			return false
		}
	}
	return true
}

// sleep waits, or reports false when stop closes first.
func sleep(d time.Duration, stop <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}

func (p *Printer) trailingFF(s *session) bool {
	return p.cfg.Link.TrailingFF || s.line == lineTCP && !p.cfg.Link.NoTrailingFF
}
