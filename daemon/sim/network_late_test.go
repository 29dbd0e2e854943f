package sim

import (
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/link"
)

// A late byte comes after the reader's deadline, what follows it after it, and
// what went before at once.
func TestLateByte(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		l, err := n.Listen("tcp", "10.0.0.1:7778")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if c, err := l.Accept(); err == nil {
				io.WriteString(c, "abcd")
				io.WriteString(c, "ef")
			}
		}()
		line := n.Line("10.0.0.1:7778")
		sent := line.Late(link.In, 2, time.Minute)
		if sent() {
			t.Error("sent before anything was")
		}
		c, err := n.Dial(t.Context(), "tcp", "10.0.0.1:7778")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Second))
		b := make([]byte, 8)
		if k, err := c.Read(b); string(b[:k]) != "ab" || err != nil {
			t.Errorf("at once: %q, %v", b[:k], err)
		}
		if k, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) || !sent() {
			t.Errorf("before its time: %q, %v, sent %t", b[:k], err, sent())
		}
		c.SetDeadline(time.Time{})
		begun := time.Now()
		if _, err := io.ReadFull(c, b[:4]); string(b[:4]) != "cdef" || err != nil {
			t.Errorf("late: %q, %v", b[:4], err)
		}
		if d := time.Since(begun); d < 58*time.Second || d > time.Minute {
			t.Errorf("after %s", d)
		}
	})
}
