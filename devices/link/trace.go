package link

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Direction of bytes, seen from this computer.
type Direction byte

// Directions.
const (
	Out Direction = '>' // to the device
	In  Direction = '<' // from the device
)

const traceLineBytes = 16

// Trace is a Link that writes every byte that passes to a writer, one block a
// call, with the time and the direction. A failure of the writer never harms
// the link; tracing stops and Err tells why.
type Trace struct {
	Link
	mu  sync.Mutex
	w   io.Writer
	err error
}

var _ Link = (*Trace)(nil)

// NewTrace wraps l.
func NewTrace(l Link, w io.Writer) *Trace { return &Trace{Link: l, w: w} }

// Err is the first error of the trace writer.
func (t *Trace) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *Trace) Read(p []byte) (int, error) {
	n, err := t.Link.Read(p)
	t.note(In, p[:n], err)
	return n, err
}

func (t *Trace) Write(p []byte) (int, error) {
	n, err := t.Link.Write(p)
	t.note(Out, p[:n], err)
	return n, err
}

// Close closes the link and notes it.
func (t *Trace) Close() error {
	err := t.Link.Close()
	t.put(stamp() + " # close\n")
	return err
}

func (t *Trace) note(d Direction, b []byte, err error) {
	s := ""
	if len(b) > 0 {
		s = FormatBytes(stamp()+" "+string(d)+" ", b)
	}
	if err != nil {
		s += fmt.Sprintf("%s %c ! %v\n", stamp(), d, err)
	}
	t.put(s)
}

func (t *Trace) put(s string) {
	if s == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		_, t.err = io.WriteString(t.w, s)
	}
}

func stamp() string { return time.Now().Format("2006-01-02T15:04:05.000000") }

// FormatBytes renders b as lines of sixteen hex bytes, each line with prefix in
// front and with control byte names or ASCII behind.
func FormatBytes(prefix string, b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		row := b[:min(traceLineBytes, len(b))]
		b = b[len(row):]
		fmt.Fprintf(&s, "%s% X%s  %s\n", prefix, row,
			strings.Repeat("   ", traceLineBytes-len(row)), describe(row))
	}
	return s.String()
}

// describe names single control bytes, which are most of the traffic, and
// shows text where there is some.
func describe(row []byte) string {
	var s strings.Builder
	for _, c := range row {
		switch {
		case len(row) > 2 && c >= ' ' && c < 0x7F:
			s.WriteByte(c)
		case len(row) > 2 && c != 0x02:
			s.WriteByte('.')
		default:
			s.WriteString("<" + controlName(c) + ">")
		}
	}
	return s.String()
}

func controlName(c byte) string {
	switch c {
	case 0x02:
		return "STX"
	case 0x03:
		return "ETX"
	case 0x05:
		return "ENQ"
	case 0x06:
		return "ACK"
	case 0x15:
		return "NAK"
	default:
		return fmt.Sprintf("%02X", c)
	}
}
