package shtrih

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/link"
)

// step is one thing a scripted peer does.
type step struct {
	expect []byte
	send   []byte
	wait   time.Duration
	hangUp bool
}

func expect(s string) step { return step{expect: mustHex(s)} }
func send(s string) step   { return step{send: mustHex(s)} }
func after(d time.Duration) step {
	return step{wait: d}
}

func mustHex(s string) []byte {
	var out []byte
	for _, f := range bytes.Fields([]byte(s)) {
		var b byte
		if _, err := fmt.Sscanf(string(f), "%02X", &b); err != nil {
			panic(err)
		}
		out = append(out, b)
	}
	return out
}

// play runs the script; the result is nil if every byte expected came and
// nothing else did.
func play(peer net.Conn, script []step) <-chan error {
	done := make(chan error, 1)
	go func() {
		defer peer.Close()
		for i, s := range script {
			switch {
			case s.wait > 0:
				<-time.After(s.wait)
			case s.hangUp:
				done <- nil
				return
			case s.send != nil:
				if _, err := peer.Write(s.send); err != nil {
					done <- fmt.Errorf("step %d: send: %w", i, err)
					return
				}
			default:
				got := make([]byte, len(s.expect))
				if n, err := io.ReadFull(peer, got); err != nil {
					done <- fmt.Errorf("step %d: want % X, got % X: %w", i, s.expect, got[:n], err)
					return
				}
				if !bytes.Equal(got, s.expect) {
					done <- fmt.Errorf("step %d: want % X, got % X", i, s.expect, got)
					return
				}
			}
		}
		peer.SetReadDeadline(time.Now().Add(time.Minute))
		if extra, _ := io.ReadAll(peer); len(extra) > 0 {
			done <- fmt.Errorf("unexpected % X", extra)
			return
		}
		done <- nil
	}()
	return done
}

// Exchange of the tests: 10h, short answer refused or good.
const (
	frame10  = "02 05 10 1E 00 00 00 0B"
	answer10 = "02 10 10 00 1E 92 02 02 00 00 9F E5 18 01 00 92 08 00 75"
	frame88  = "02 05 88 1E 00 00 00 93"
	answer88 = "02 03 88 00 1E 95"
	bad88    = "02 03 88 00 1E 94"
)

type exchangeCase struct {
	name    string
	message string
	script  []step
	fate    fate   // 0: answered
	answer  string // message bytes
	pending int
	broken  bool
	atMost  time.Duration
}

const message88 = "88 1E 00 00 00"

func TestExchange(t *testing.T) {
	t.Parallel()
	for _, c := range []exchangeCase{
		{
			name: "worked example 1.1", message: "10 1E 00 00 00", answer: "10 00 1E 92 02 02 00 00 9F E5 18 01 00 92 08 00",
			script: []step{expect("05"), send("15"), expect(frame10), send("06"), send(answer10), expect("06")},
		},
		{
			name: "lost answer 1.1", message: message88, answer: "88 00 1E",
			script: []step{
				expect("05"), send("15"), expect(frame88), send("06"), send(bad88), expect("15 05"), send("06"), send(answer88), expect("06"),
			},
		},
		{
			name: "ENQ swallowed after NAK", message: message88, answer: "88 00 1E",
			script: []step{
				expect("05"), send("15"), expect(frame88), send("06"), send(bad88), expect("15 05"), after(400 * time.Millisecond),
				expect("05"), send("06"), send(answer88), expect("06"),
			},
		},
		{
			name: "stray FF everywhere, 1.3", message: message88, answer: "88 00 1E",
			script: []step{expect("05"), send("FF 15"), expect(frame88), send("FF 06 FF"), send("FF " + answer88), expect("06")},
		},
		{
			name: "frame refused once", message: message88, answer: "88 00 1E",
			script: []step{
				expect("05"), send("15"), expect(frame88), send("15"), expect(frame88), send("06"), send(answer88), expect("06"),
			},
		},
		{
			name: "frame refused to the limit", message: message88, fate: fateNotAccepted,
			script: []step{
				expect("05"), send("15"), expect(frame88), send("15"), expect(frame88), send("15"), expect(frame88), send("15"),
			},
		},
		{
			name: "confirmation lost, answer comes", message: message88, answer: "88 00 1E",
			script: []step{expect("05"), send("15"), expect(frame88), after(200 * time.Millisecond), send(answer88), expect("06")},
		},
		{
			name: "confirmation and answer lost, ENQ brings it", message: message88, answer: "88 00 1E",
			script: []step{expect("05"), send("15"), expect(frame88), expect("05"), send("06"), send(answer88), expect("06")},
		},
		{
			name: "frame lost: never sent again", message: message88, fate: fateUnknown,
			script: []step{expect("05"), send("15"), expect(frame88), expect("05"), send("15")},
		},
		{
			name: "restart after a damaged answer: never sent again", message: message88, fate: fateUnknown,
			script: []step{expect("05"), send("15"), expect(frame88), send("06"), send(bad88), expect("15 05"), send("15")},
		},
		{
			name: "slow command of a device that hears nothing meanwhile", message: message88, answer: "88 00 1E", atMost: 21 * time.Second,
			script: []step{
				expect("05"), send("15"), expect(frame88), send("06"), after(20 * time.Second), send(answer88),
				expect("05 05 05 05 05 05"), expect("06"),
			},
		},
		{
			name: "slow command of a device that answers ENQ", message: message88, answer: "88 00 1E", atMost: 8 * time.Second,
			script: []step{
				expect("05"), send("15"), expect(frame88), send("06"), expect("05"), send("06"), expect("05"), send("06"),
				after(time.Second), send(answer88), expect("06"),
			},
		},
		{
			name: "accepted and then silence", message: message88, fate: fateUnknown, atMost: 31 * time.Second,
			script: []step{expect("05"), send("15"), expect(frame88), send("06"), expect("05 05 05 05 05 05 05 05 05")},
		},
		{
			name: "answer lost while the cable was out", message: message88, answer: "88 00 1E", atMost: 4 * time.Second,
			script: []step{expect("05"), send("15"), expect(frame88), send("06"), expect("05"), send("06"), send(answer88), expect("06")},
		},
		{
			name: "restart after the command was accepted", message: message88, fate: fateUnknown, atMost: 4 * time.Second,
			script: []step{expect("05"), send("15"), expect(frame88), send("06"), expect("05"), send("15")},
		},
		{
			name: "answer and ENQ cross", message: message88, answer: "88 00 1E", atMost: 4 * time.Second,
			script: []step{expect("05"), send("15"), expect(frame88), send("06"), expect("05"), send(answer88), expect("06")},
		},
		{
			name: "no reply to ENQ", message: message88, fate: fateUnreachable, atMost: 10 * time.Second,
			script: []step{expect("05 05 05 05 05 05 05 05")},
		},
		{
			name: "echoing cable", message: message88, fate: fateUnreachable, atMost: 3 * time.Second, broken: true,
			script: []step{expect("05"), send("05"), expect("05"), send("05"), expect("05"), send("05")},
		},
		{
			name: "hang-up before the frame", message: message88, fate: fateUnreachable, broken: true,
			script: []step{expect("05"), {hangUp: true}},
		},
		{
			name: "hang-up after the frame", message: message88, fate: fateUnknown, broken: true,
			script: []step{expect("05"), send("15"), expect(frame88), {hangUp: true}},
		},
		{
			name: "hang-up after ACK", message: message88, fate: fateUnknown, broken: true,
			script: []step{expect("05"), send("15"), expect(frame88), send("06"), {hangUp: true}},
		},
		{
			name: "answer of another command", message: message88, fate: fateUnknown, pending: 1,
			script: []step{expect("05"), send("15"), expect(frame88), send("06"), send(answer10), expect("06")},
		},
		{
			name: "pending answer first", message: message88, answer: "88 00 1E", pending: 1,
			script: []step{
				expect("05"), send("06"), send(answer10), expect("06"), expect("05"), send("15"), expect(frame88), send("06"),
				send(answer88), expect("06"),
			},
		},
		{
			name: "executing something for long", message: message88, fate: fateUnreachable, atMost: 11 * time.Second,
			script: []step{expect("05"), send("06"), expect("05 05 05")},
		},
		{
			name: "late reply to the first ENQ", message: message88, answer: "88 00 1E",
			script: []step{
				expect("05"), expect("05"), send("15"), after(50 * time.Millisecond), send("15"), expect(frame88), send("06"),
				send(answer88), expect("06"),
			},
		},
		{
			name: "garbage instead of NAK", message: message88, answer: "88 00 1E",
			script: []step{
				expect("05"), send("41 42 43"), expect("05"), send("15"), expect(frame88), send("06"), send(answer88), expect("06"),
			},
		},
		{
			name: "answer cut in the middle", message: message88, answer: "88 00 1E",
			script: []step{
				expect("05"), send("15"), expect(frame88), send("06"), send("02 03 88"), expect("15 05"), send("06"), send(answer88), expect("06"),
			},
		},
		{
			name: "STX of the answer lost", message: message88, answer: "88 00 1E",
			script: []step{
				expect("05"), send("15"), expect(frame88), send("06"), send("03 88 00 1E 95"), expect("15 05"), send("06"), send(answer88), expect("06"),
			},
		},
		{
			name: "answer damaged every time", message: message88, fate: fateUnknown,
			script: []step{
				expect("05"), send("15"), expect(frame88), send("06"), send(bad88), expect("15 05"), send("06"), send(bad88),
				expect("15 05"), send("06"), send(bad88), expect("15 05"), send("06"), send(bad88), expect("15 05"), send("06"), send(bad88),
			},
		},
		{
			name: "late NAK, the frame was accepted", message: message88, answer: "88 00 1E",
			script: []step{
				expect("05"), send("15"), expect(frame88), send("15 06"), expect("05"), send("06"), send(answer88), expect("06"),
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runExchange(t, c) })
		})
	}
}

func runExchange(t *testing.T, c exchangeCase) {
	host, peer := net.Pipe()
	played := play(peer, c.script)
	conn := newConn(newBuffered(host), slog.New(slog.DiscardHandler))
	start := time.Now()
	answer, err := conn.exchange(context.Background(), mustHex(c.message))
	if c.atMost > 0 && time.Since(start) > c.atMost {
		t.Errorf("took %s", time.Since(start))
	}
	synctest.Wait() // what was sent has arrived
	conn.link.Close()
	if err := <-played; err != nil {
		t.Errorf("peer: %v", err)
	}
	var lost *linkError
	switch {
	case c.fate == 0 && (err != nil || !bytes.Equal(answer, mustHex(c.answer))):
		t.Errorf("answer % X, %v", answer, err)
	case c.fate != 0 && (!errors.As(err, &lost) || lost.Fate != c.fate):
		t.Errorf("error %v, want fate %s", err, c.fate)
	}
	if n := len(conn.takePending()); n != c.pending {
		t.Errorf("%d pending answers, want %d", n, c.pending)
	}
	if c.broken && !conn.broken {
		t.Error("link not marked broken")
	}
}

// A confirmation lost on the way makes the device offer its answer again; the
// duplicate is dropped, not taken for the next command's (1.1).
func TestDuplicateAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host, peer := net.Pipe()
		played := play(peer, []step{
			expect("05"), send("15"), expect(frame10), send("06"), send(answer10), expect("06"), // this ACK gets lost
			expect("05"), expect("05"), send("06"), send(answer10), expect("06"),
			expect("05"), send("15"), expect(frame88), send("06"), send(answer88), expect("06"),
		})
		c := newConn(host, slog.New(slog.DiscardHandler))
		if _, err := c.exchange(context.Background(), mustHex("10 1E 00 00 00")); err != nil {
			t.Fatal(err)
		}
		answer, err := c.exchange(context.Background(), mustHex(message88))
		if err != nil || answer[0] != 0x88 || len(c.takePending()) != 0 {
			t.Errorf("% X %v", answer, err)
		}
		host.Close()
		if err := <-played; err != nil {
			t.Error(err)
		}
	})
}

// What a timed-out command answers late is kept for the caller.
func TestLateAnswerIsPending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host, peer := net.Pipe()
		go func() {
			b := make([]byte, 1)
			io.ReadFull(peer, b)
			peer.Write([]byte{nak})
			io.ReadFull(peer, make([]byte, 8))
			peer.Write([]byte{ack})
			<-time.After(40 * time.Second) // longer than the command may take
			peer.Write(mustHex(answer88))
			for { // a device that keeps its answer until it is confirmed
				if _, err := io.ReadFull(peer, b); err != nil {
					return
				}
				switch b[0] {
				case enq:
					peer.Write([]byte{ack})
					peer.Write(mustHex(answer88))
				case ack:
					io.ReadFull(peer, b)
					peer.Write([]byte{nak})
					io.ReadFull(peer, make([]byte, 8))
					peer.Write([]byte{ack})
					peer.Write(mustHex(answer10))
				}
			}
		}()
		c := newConn(newBuffered(host), slog.New(slog.DiscardHandler))
		var lost *linkError
		if _, err := c.exchange(context.Background(), mustHex(message88)); !errors.As(err, &lost) || lost.Fate != fateUnknown {
			t.Fatalf("first: %v", err)
		}
		<-time.After(20 * time.Second)
		answer, err := c.exchange(context.Background(), mustHex("10 1E 00 00 00"))
		if err != nil || answer[0] != 0x10 {
			t.Fatalf("second: % X, %v", answer, err)
		}
		p := c.takePending()
		if len(p) != 1 || p[0].Message[0] != 0x88 {
			t.Errorf("pending %+v", p)
		}
		c.link.Close()
	})
}

// A device that queues ENQ while it executes offers its answer again for every
// second one. What comes twice is dropped, and no later command sees it.
func TestQueuedENQ(t *testing.T) {
	t.Parallel()
	for _, queued := range []int{1, 2, 3, 4} {
		t.Run(fmt.Sprint(queued), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { queuedENQ(t, queued) })
		})
	}
}

func queuedENQ(t *testing.T, queued int) {
	host, peer := net.Pipe()
	d := &protocolDevice{}
	served := make(chan struct{})
	go func() {
		d.serve(newBuffered(peer), func(m []byte) []byte {
			<-time.After(time.Duration(queued)*silenceMax + time.Second)
			return []byte{m[0], 0, 30}
		})
		close(served)
	}()
	c := newConn(newBuffered(host), slog.New(slog.DiscardHandler))
	for _, m := range []string{message88, "89 1E 00 00 00", message88} {
		answer, err := c.exchange(context.Background(), mustHex(m))
		if err != nil || !bytes.Equal(answer, []byte{mustHex(m)[0], 0, 30}) {
			t.Errorf("%s: % X, %v", m, answer, err)
		}
	}
	if p := c.takePending(); len(p) != 0 || d.executed != 3 {
		t.Errorf("%d executed, pending %+v", d.executed, p)
	}
	c.link.Close()
	<-served
}

// Noise never ends an exchange by itself: bytes and time are bounded.
func TestNoiseIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host, peer := net.Pipe()
		go io.Copy(io.Discard, peer)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if _, err := peer.Write([]byte{0x41}); err != nil {
					return
				}
				<-time.After(10 * time.Millisecond)
			}
		}()
		c := newConn(host, slog.New(slog.DiscardHandler))
		start := time.Now()
		_, err := c.exchange(context.Background(), mustHex(message88))
		var lost *linkError
		if !errors.As(err, &lost) || lost.Fate != fateUnreachable || !errors.Is(err, errNoise) {
			t.Errorf("noise: %v", err)
		}
		if time.Since(start) > 5*time.Second {
			t.Errorf("took %s", time.Since(start))
		}
		host.Close()
		<-ended
	})
}

func TestCancelledExchange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host, peer := net.Pipe()
		played := play(peer, []step{expect("05"), send("15"), expect(frame88), send("06")})
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(3*time.Second, cancel)
		c := newConn(host, slog.New(slog.DiscardHandler))
		start := time.Now()
		_, err := c.exchange(ctx, mustHex(message88))
		var lost *linkError
		if !errors.As(err, &lost) || lost.Fate != fateUnknown || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if time.Since(start) != 3*time.Second || c.broken {
			t.Errorf("took %s, broken %v", time.Since(start), c.broken)
		}
		if _, err := c.exchange(ctx, mustHex(message88)); !errors.As(err, &lost) || lost.Fate != fateUnreachable {
			t.Errorf("already cancelled: %v", err)
		}
		host.Close()
		<-played
	})
}

// After ENQ→NAK a fiscal command's frame is on the wire at most once, whatever
// single byte of the conversation is lost, doubled or damaged.
func TestOneByteFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range []link.FaultKind{link.Drop, link.Double, link.Flip, link.Cut} {
		for _, direction := range []link.Direction{link.In, link.Out} {
			for at := range int64(14) {
				f := link.Fault{Direction: direction, Kind: kind, At: at}
				t.Run(f.String(), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { oneByteFault(t, f) })
				})
			}
		}
	}
}

// protocolDevice is the device side of 1.1, read byte by byte from the state
// table. It executes at once.
type protocolDevice struct {
	executed int
	answer   []byte
}

func (d *protocolDevice) serve(c net.Conn, answerOf func(message []byte) []byte) {
	defer c.Close()
	b := make([]byte, 1)
	next := func(wait time.Duration) (byte, bool, error) {
		c.SetReadDeadline(time.Time{})
		if wait > 0 {
			c.SetReadDeadline(time.Now().Add(wait))
		}
		n, err := c.Read(b)
		if n == 1 {
			return b[0], true, nil
		}
		if isTimeout(err) {
			return 0, false, nil
		}
		return 0, false, err
	}
	confirming, unconfirmed := false, false
	for {
		x, _, err := next(0)
		if err != nil {
			return
		}
		switch {
		case confirming:
			confirming = false
			unconfirmed = x != ack
		case unconfirmed:
			if x == enq {
				c.Write([]byte{ack})
				c.Write(d.answer)
				confirming, unconfirmed = true, false
			}
		case x != stx:
			c.Write([]byte{nak})
		default:
			frame := []byte{stx}
			v := needMore
			var message []byte
			for v == needMore {
				x, ok, err := next(100 * time.Millisecond)
				if err != nil {
					return
				}
				if !ok {
					v = badFrame
					break
				}
				frame = append(frame, x)
				message, _, v = decodeFrame(frame)
			}
			if v == badFrame {
				c.Write([]byte{nak})
				continue
			}
			c.Write([]byte{ack})
			d.executed++
			d.answer = appendFrame(nil, answerOf(slices.Clone(message)))
			c.Write(d.answer)
			confirming = true
		}
	}
}

func oneByteFault(t *testing.T, f link.Fault) {
	host, peer := net.Pipe()
	d := &protocolDevice{}
	served := make(chan struct{})
	go func() {
		d.serve(peer, func(m []byte) []byte { return []byte{m[0], 0, 30} })
		close(served)
	}()
	c := newConn(link.NewFaulty(newBuffered(host), f), slog.New(slog.DiscardHandler))
	_, err := c.exchange(context.Background(), mustHex(message88))
	var lost *linkError
	errors.As(err, &lost)
	// A second command must get its own answer, whatever happened to the first.
	if answer, err := c.exchange(context.Background(), mustHex("89 1E 00 00 00")); err == nil && answer[0] != 0x89 {
		t.Errorf("second command got % X", answer)
	} else if err != nil && f.Kind != link.Cut {
		t.Errorf("second command: %v", err)
	}
	c.link.Close()
	<-served
	switch {
	case err == nil && d.executed == 0:
		t.Error("answered, not executed")
	case lost != nil && lost.Fate != fateUnknown && d.executed > 1:
		t.Errorf("%v, but executed", err)
	case d.executed > 2:
		t.Errorf("executed %d times", d.executed)
	}
}

// buffered gives a pipe the one property of a wire that it lacks: writing does
// not wait for the reader.
type buffered struct {
	net.Conn
	queue chan []byte
	ended chan struct{}
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c, queue: make(chan []byte, 1024), ended: make(chan struct{})}
	go func() {
		for {
			select {
			case x := <-b.queue:
				for len(x) > 0 {
					n, err := c.Write(x)
					x = x[n:]
					if err != nil && !isTimeout(err) {
						return
					}
					if err != nil {
						<-time.After(time.Millisecond)
					}
				}
			case <-b.ended:
				return
			}
		}
	}()
	return b
}

func (b *buffered) SetDeadline(t time.Time) error { return b.SetReadDeadline(t) }

func (b *buffered) Write(p []byte) (int, error) {
	select {
	case <-b.ended:
		return 0, net.ErrClosed
	case b.queue <- slices.Clone(p):
		return len(p), nil
	}
}

func (b *buffered) Close() error {
	select {
	case <-b.ended:
	default:
		close(b.ended)
	}
	return b.Conn.Close()
}
