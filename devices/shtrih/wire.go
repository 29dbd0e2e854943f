package shtrih

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// control reads one byte where a control byte or STX is expected and skips the
// stray FF of TCP devices (1.3).
func (c *conn) control(deadline time.Time) (byte, error) {
	for {
		b, err := c.readByte(deadline)
		if err != nil || b != strayByte {
			return b, err
		}
	}
}

// drain reads until the line is quiet. It is bounded by bytes and by time.
func (c *conn) drain() ([]byte, error) {
	var got []byte
	limit := time.Now().Add(drainTimeout)
	for {
		b, err := c.readByte(time.Now().Add(quietTimeout))
		if isTimeout(err) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, b)
		if len(got) > drainBytesMax || time.Now().After(limit) {
			c.broken = true
			return got, errNoise
		}
	}
}

func (c *conn) readByte(deadline time.Time) (byte, error) {
	if len(c.buf) == 0 {
		if c.spent >= exchangeByteMax {
			return 0, errNoise
		}
		if err := c.link.SetDeadline(deadline); err != nil {
			return 0, c.lost(err)
		}
		if err := c.ended(); err != nil {
			return 0, err
		}
		chunk := make([]byte, messageBytesMax+frameExtraBytes)
		n, err := c.link.Read(chunk)
		if n == 0 {
			if ended := c.ended(); ended != nil && isTimeout(err) {
				return 0, ended
			}
			return 0, c.lost(err)
		}
		c.buf = append(c.buf[:0], chunk[:n]...)
		c.spent += n
	}
	b := c.buf[0]
	c.buf = c.buf[1:]
	return b, nil
}

func (c *conn) write(b []byte, deadline time.Time) (int, error) {
	if err := c.link.SetDeadline(deadline); err != nil {
		return 0, c.lost(err)
	}
	if err := c.ended(); err != nil {
		return 0, err
	}
	n, err := c.link.Write(b)
	if err != nil {
		if isTimeout(err) {
			c.broken = true // half a frame may be in the pipe: only a new link is clean
			return n, err
		}
		return n, c.lost(err)
	}
	return n, nil
}

// lost marks the link broken, unless err is a mere timeout.
func (c *conn) lost(err error) error {
	if err == nil {
		err = errNoise // neither bytes nor error: a broken Link
	}
	if !isTimeout(err) {
		c.broken = true
	}
	return err
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// earlier is now+d, but not later than deadline.
func earlier(deadline time.Time, d time.Duration) time.Time {
	if t := time.Now().Add(d); t.Before(deadline) {
		return t
	}
	return deadline
}

// answers tells whether answer belongs to the command: same code, and for FFxx
// the same sub-code or the short refusal "FF error" of some firmware (2).
func answers(answer, message []byte) bool {
	if len(answer) < 2 || answer[0] != message[0] {
		return false
	}
	if message[0] != 0xFF || len(answer) == 2 {
		return true
	}
	return answer[1] == message[1]
}

// commandName is the code of a message as the reference writes it.
func commandName(message []byte) string {
	switch {
	case len(message) == 0:
		return "empty"
	case message[0] == 0xFF && len(message) > 1:
		return fmt.Sprintf("FF%02X", message[1])
	default:
		return fmt.Sprintf("%02Xh", message[0])
	}
}
