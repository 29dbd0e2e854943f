package shtrih

import (
	"testing"
)

// A sale over the wire: section 5.4 in raw frames.
func TestSaleOverTheWire(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := New(Config{})
		h := dial(t, p)
		defer h.close()
		h.ready()
		for _, msg := range [][]byte{
			message(0xFC)[:1], message(0x10), message(0x11), message(0xE0), message(0x8D, 0),
			line(1, quantityScale, 10000, 0x01, 4, 1, "Товар"), closing(1, 10000),
		} {
			if a := h.exchange(msg); errorOf(a) != ok {
				t.Fatalf("% X: % X %s", msg, a, errorText(errorOf(a)))
			}
		}
		ledger := p.Storage().Receipts()
		if len(ledger) != 1 || ledger[0].Total != 10000 || ledger[0].Cash != 10000 || ledger[0].FD != 3 {
			t.Fatalf("ledger: %+v", ledger)
		}
		if e := errorOf(h.exchange(message(0x41))); e != ok {
			t.Fatalf("Z: %02Xh", e)
		}
	})
}
