package shtrih

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// host is the smallest raw host: it writes bytes and reads what it expects.
type host struct {
	t    *testing.T
	p    *Printer
	conn net.Conn
	done chan error
}

// dial connects a host over a pipe. The test must be in a synctest bubble.
func dial(t *testing.T, p *Printer) *host {
	t.Helper()
	near, far := net.Pipe()
	h := &host{t: t, p: p, conn: near, done: make(chan error, 1)}
	go func() { h.done <- p.Serve(t.Context(), far) }()
	synctest.Wait()
	return h
}

// bubble runs a test with virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Parallel()
	synctest.Test(t, f)
}

func (h *host) close() {
	h.t.Helper()
	_ = h.conn.Close()
	<-h.done
}

func (h *host) write(b ...byte) {
	h.t.Helper()
	if _, err := h.conn.Write(b); err != nil {
		h.t.Fatalf("write % X: %v", b, err)
	}
}

// read takes exactly n bytes or fails after a long while.
func (h *host) read(n int) []byte {
	h.t.Helper()
	b, err := h.readErr(n)
	if err != nil {
		h.t.Fatalf("read %d bytes: got % X: %v", n, b, err)
	}
	return b
}

func (h *host) readErr(n int) ([]byte, error) {
	_ = h.conn.SetReadDeadline(time.Now().Add(10 * time.Minute))
	var out []byte
	for len(out) < n {
		buf := make([]byte, n-len(out))
		k, err := h.conn.Read(buf)
		out = append(out, buf[:k]...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// silent fails if the device says anything within d.
func (h *host) silent(d time.Duration) {
	h.t.Helper()
	_ = h.conn.SetReadDeadline(time.Now().Add(d))
	buf := make([]byte, 64)
	n, err := h.conn.Read(buf)
	var netErr net.Error
	if n > 0 || !(errors.As(err, &netErr) && netErr.Timeout()) {
		h.t.Fatalf("want silence, got % X, %v", buf[:n], err)
	}
}

func (h *host) expect(want ...byte) {
	h.t.Helper()
	if got := h.read(len(want)); !bytes.Equal(got, want) {
		h.t.Fatalf("got % X, want % X", got, want)
	}
}

// gone expects the device to close the line.
func (h *host) gone() {
	h.t.Helper()
	if b, err := h.readErr(1); err == nil {
		h.t.Fatalf("want a closed line, got % X", b)
	}
	<-h.done
}

// ready does ENQ, NAK.
func (h *host) ready() {
	h.t.Helper()
	h.write(byteENQ)
	h.expect(byteNAK)
}

// frame reads one answer frame and returns its message.
func (h *host) frame() []byte {
	h.t.Helper()
	head := h.read(2)
	if head[0] != byteSTX {
		h.t.Fatalf("want STX, got % X", head)
	}
	rest := h.read(int(head[1]) + 1)
	if got := lrc(append(head[1:], rest...)); got != 0 {
		h.t.Fatalf("bad LRC: % X % X", head, rest)
	}
	return rest[:len(rest)-1]
}

// exchange sends a command and returns the confirmed answer.
func (h *host) exchange(msg []byte) []byte {
	h.t.Helper()
	h.write(frame(msg)...)
	h.expect(byteACK)
	answer := h.frame()
	h.write(byteACK)
	return answer
}

// message builds code, password 30, parameters.
func message(code uint16, params ...byte) []byte {
	var b []byte
	if code > 0xFF {
		b = append(b, byte(code>>8))
	}
	b = append(b, byte(code), 30, 0, 0, 0)
	return append(b, params...)
}

// errorOf is the error byte of an answer.
func errorOf(answer []byte) byte {
	if answer[0] == 0xFF && len(answer) > 2 {
		return answer[2]
	}
	return answer[1]
}

// must executes past the link and fails on an error byte.
func must(t *testing.T, p *Printer, msg []byte) []byte {
	t.Helper()
	a := p.Execute(msg)
	if e := errorOf(a); e != ok {
		t.Fatalf("% X: error %02Xh %s", msg, e, errorText(e))
	}
	return a
}

func wantError(t *testing.T, p *Printer, msg []byte, want byte) {
	t.Helper()
	if got := errorOf(p.Execute(msg)); got != want {
		t.Errorf("% X: got %02Xh, want %02Xh", msg, got, want)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// line builds FF46.
func line(op byte, quantity, price int64, vat, method, subject byte, name string) []byte {
	b := put([]byte{op}, 6, quantity)
	b = put(b, 5, price)
	b = put(b, 5, letDeviceCount)
	b = put(b, 5, letDeviceCount)
	b = append(b, vat, 1, method, subject)
	n, err := ffd.EncodeText1251(name)
	if err != nil {
		panic(err)
	}
	return message(0xFF46, append(b, n...)...)
}

// closing builds FF45.
func closing(taxation byte, payments ...int64) []byte {
	var b []byte
	for i := range 16 {
		v := int64(0)
		if i < len(payments) {
			v = payments[i]
		}
		b = put(b, 5, v)
	}
	b = append(b, 0)
	b = append(b, make([]byte, 30)...)
	return message(0xFF45, append(b, taxation)...)
}

func tag(t ffd.Tag, value []byte) []byte { return message(0xFF0C, ffd.Append(nil, t, value)...) }

// sale makes a whole receipt of one item past the link.
func sale(t *testing.T, p *Printer, total int64) fn.Entry {
	t.Helper()
	must(t, p, message(0x8D, 0))
	must(t, p, line(1, quantityScale, total, 0xCB, 4, 1, "Товар"))
	must(t, p, closing(1, total))
	all := p.Storage().Ledger()
	return all[len(all)-1]
}
