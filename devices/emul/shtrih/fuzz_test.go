package shtrih

import (
	"bytes"
	"testing"
)

// FuzzMessages feeds any messages to a device: it never panics, always answers
// with something that fits a frame, and never makes a document without a
// number of its own.
func FuzzMessages(f *testing.F) {
	f.Add(frame(message(0x10)))
	f.Add(bytes.Join([][]byte{
		frame(message(0xE0)), frame(message(0x8D, 0)), frame(line(1, quantityScale, 10000, 1, 4, 1, "Товар")), frame(closing(1, 10000)), frame(message(0x41)),
	}, nil))
	f.Add(bytes.Join([][]byte{frame(message(0xFF35)), frame(message(0xFF0C, 0xF0, 3, 1, 0, 'x')), frame(message(0xFF3A, 1, 0, 0, 0)), frame(message(0xFF3B))}, nil))
	f.Add(bytes.Join([][]byte{frame(message(0xE0)), frame(message(0x80, make([]byte, 55)...)), frame(message(0x87, make([]byte, 49)...)), frame(message(0x85, make([]byte, 66)...))}, nil))
	for c := range commandTable() {
		b := []byte{byte(c), 30, 0, 0, 0}
		if c > 0xFF {
			b = append([]byte{byte(c >> 8)}, b...)
		}
		f.Add(frame(b))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := New(Config{CashDrawer: 1 << 30})
		for len(data) > 2 {
			n := min(int(data[1]), len(data)-2)
			a := p.Execute(data[2 : 2+n])
			if len(a) < 2 || len(a) > messageMax {
				t.Fatalf("% X: answer of %d bytes", data[2:2+n], len(a))
			}
			data = data[min(n+3, len(data)):]
		}
		for i, e := range p.Storage().Ledger() {
			if e.FD != uint32(i)+1 || e.Total != e.Cash+e.Card+e.Prepaid+e.Credit+e.Provision {
				t.Fatalf("document %d: %+v", i+1, e)
			}
		}
	})
}

// FuzzLink feeds any bytes to the state machine of the link.
func FuzzLink(f *testing.F) {
	f.Add([]byte{byteENQ, byteSTX, 1, 0xFC, 0xFD, byteACK})
	f.Add(append([]byte{byteENQ}, frame(message(0x10))...))
	f.Add([]byte{byteENQ, byteSTX, 0, byteNAK, byteSTX, 255, byteENQ})
	f.Fuzz(func(t *testing.T, data []byte) {
		p := New(Config{})
		s := &session{p: p, port: newPort(), out: make(chan packet, len(data)*2+1), timer: newStoppedTimer(), ready: make(chan struct{}, 1)}
		s.port.session = s
		for _, b := range data {
			s.feed([]byte{b})
		}
		if len(s.partial) > messageMax+3 {
			t.Fatalf("%d bytes of a frame are kept", len(s.partial))
		}
	})
}
