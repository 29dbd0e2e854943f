package link

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		var w bytes.Buffer
		tr := NewTrace(a, &w)
		go func() {
			io.ReadFull(b, make([]byte, 1))
			b.Write([]byte{0x15})
			io.ReadFull(b, make([]byte, 20))
			b.Close()
		}()
		tr.Write([]byte{0x05})
		io.ReadFull(tr, make([]byte, 1))
		tr.Write([]byte("\x02\x12\xFF\x01Hello, trace test.."))
		tr.Read(make([]byte, 1))
		tr.Close()
		got := w.String()
		for _, want := range []string{
			" > 05 ", "<ENQ>", " < 15 ", "<NAK>", " > 02 12 FF 01 48 65", "<STX>...Hello, trace", " < ! EOF", "# close",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("trace lacks %q:\n%s", want, got)
			}
		}
	})
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestTraceFailureIsHarmless(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	tr := NewTrace(a, failingWriter{})
	go func() { b.Write([]byte{1}); b.Close() }()
	if n, err := tr.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	if tr.Err() == nil {
		t.Error("writer's error is lost")
	}
	tr.Close()
}

func TestFaultsIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		f := NewFaulty(a,
			Fault{Direction: In, Kind: Drop, At: 1},
			Fault{Direction: In, Kind: Double, At: 2},
			Fault{Direction: In, Kind: Flip, At: 3, Mask: 0x80},
			Fault{Direction: In, Kind: Delay, At: 4, Wait: time.Second},
			Fault{Direction: In, Kind: Cut, At: 5})
		go func() {
			for i := range byte(8) {
				if _, err := b.Write([]byte{i}); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		got, err := io.ReadAll(f)
		if !slices.Equal(got, []byte{0, 2, 2, 0x83, 4}) || !errors.Is(err, ErrInjected) {
			t.Errorf("got % X, %v", got, err)
		}
		if time.Since(start) != time.Second {
			t.Errorf("delay %s", time.Since(start))
		}
		if _, err := f.Write([]byte{1}); !errors.Is(err, ErrInjected) {
			t.Errorf("write after cut: %v", err)
		}
	})
}

func TestFaultsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		f := NewFaulty(a, Fault{Direction: Out, Kind: Cut, At: 6}, Fault{Direction: Out, Kind: Flip, At: 0})
		got := make(chan []byte)
		go func() {
			all, _ := io.ReadAll(b)
			got <- all
		}()
		if n, err := f.Write([]byte{0, 1, 2, 3}); n != 4 || err != nil {
			t.Errorf("first write %d, %v", n, err)
		}
		if n, err := f.Write([]byte{4, 5, 6, 7}); n != 2 || !errors.Is(err, ErrInjected) {
			t.Errorf("cut write %d, %v", n, err)
		}
		if g := <-got; !slices.Equal(g, []byte{0xFF, 1, 2, 3, 4, 5}) {
			t.Errorf("passed % X", g)
		}
	})
}

// A script goes on over connections, and calls when what went before is there.
func TestScriptOverConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []byte
		heard := func(c net.Conn) {
			b := make([]byte, 8)
			for {
				n, err := c.Read(b)
				mu.Lock()
				got = append(got, b[:n]...)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		}
		var before int
		s := NewScript(Fault{Direction: Out, Kind: Cut, At: 2}, Fault{Direction: Out, Kind: Call, At: 4, Do: func() {
			mu.Lock()
			defer mu.Unlock()
			before = len(got)
		}})
		first, server := net.Pipe()
		go heard(server)
		if n, err := s.On(first).Write([]byte{0, 1, 2}); n != 2 || !errors.Is(err, ErrInjected) {
			t.Errorf("first: %d, %v", n, err)
		}
		synctest.Wait()
		second, server := net.Pipe()
		go heard(server)
		if n, err := s.On(second).Write([]byte{2, 3, 4, 5}); n != 4 || err != nil {
			t.Errorf("second: %d, %v", n, err)
		}
		second.Close()
		synctest.Wait()
		if !slices.Equal(got, []byte{0, 1, 2, 3, 4, 5}) || before != 4 {
			t.Errorf("got % X, %d before the call", got, before)
		}
	})
}

func TestRandomFaultsRepeat(t *testing.T) {
	t.Parallel()
	if a, b := RandomFaults(7, 20, 100), RandomFaults(7, 20, 100); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("seed 7 differs: %v %v", a, b)
	}
}
