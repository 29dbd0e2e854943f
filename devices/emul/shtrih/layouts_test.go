package shtrih

import (
	"bytes"
	"testing"
	"time"

	"kassad/fiscal/ffd"
)

// Lengths of answers, sections 3.1 to 3.9, on a device with an open shift and
// two documents.
func TestAnswerLengths(t *testing.T) {
	t.Parallel()
	text := []byte("text")
	for _, v := range []struct {
		name string
		msg  []byte
		want int
	}{
		{"short status", message(0x10), 17}, // with F7 bit 34
		{"full status", message(0x11), 48},
		{"money register", message(0x1A, 241), 9},
		{"operational register", message(0x1B, 185), 5},
		{"read port", message(0x15, 0), 4},
		{"font", message(0x26, 1), 7},
		{"document header", message(0x18, make([]byte, 32)...), 5},
		{"bold", message(0x12, append([]byte{2}, text...)...), 3},
		{"font line", message(0x2F, append([]byte{2, 1}, text...)...), 3},
		{"feed", message(0x29, 2, 1), 3},
		{"drawer", message(0x28, 0), 3},
		{"EAN-13", message(0xC2, 1, 2, 3, 4, 5), 3},
		{"cash in", message(0x50, 1, 0, 0, 0, 0), 5},
		{"department report", message(0x42), 3},
		{"repeat", message(0x8C), 3},
		{"continue", message(0xB0), 3},
		{"non-fiscal", message(0xE2), 3},
		{"totals 0", []byte{0xFE, 0xF4, 0, 0, 0, 0}, 2 + 4*8},
		{"totals 1", []byte{0xFE, 0xF4, 1, 0, 0, 0}, 2 + 16*8},
		{"totals 5", []byte{0xFE, 0xF4, 5, 0, 0, 0}, 2 + 4*8},
		{"FF01", message(0xFF01), 33},
		{"FF02", message(0xFF02), 19},
		{"FF03", message(0xFF03), 8},
		{"FF04", message(0xFF04), 20},
		{"FF09", message(0xFF09), 67},
		{"FF39", message(0xFF39), 16},
		{"FF3A", message(0xFF3A, 1, 0, 0, 0), 7},
		{"FF3C", message(0xFF3C, 1, 0, 0, 0), 30},
		{"FF3F", message(0xFF3F), 5},
		{"FF40", message(0xFF40), 8},
		{"FF63", message(0xFF63), 11},
		{"FF74", message(0xFF74), 51},
		{"FF75", message(0xFF75), 11},
		{"FF30", message(0xFF30), 6},
		{"FF38", message(0xFF38), 18},
		{"FF43", message(0xFF43), 13},
		{"41", message(0x41), 3},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			p := New(Config{LastPrintResult: true})
			must(t, p, message(0xE0))
			if a := must(t, p, v.msg); len(a) != v.want {
				t.Errorf("%d bytes, want %d: % X", len(a), v.want, a)
			}
		})
	}
	p := New(Config{FFD: ffd.Version105})
	if a := must(t, p, message(0xFF09)); len(a) != 50 {
		t.Errorf("FF09 in FFD 1.05: % X", a)
	}
	if a := must(t, p, message(0xFF0B)); len(a) != 13 {
		t.Errorf("FF0B: % X", a)
	}
}

// FF76 has ten tax sums (section 3.9).
func TestCloseV3(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	must(t, p, line(1, quantityScale, 12200, 0xCB, 4, 1, "x"))
	b := make([]byte, 132)
	copy(b, put(nil, 5, 20000))
	if a := must(t, p, message(0xFF76, b...)); len(a) != 16 || (&reader{b: a[3:]}).money() != 7800 {
		t.Errorf("% X", a)
	}
	if e := p.Storage().Receipts()[0]; e.VAT[vat22] != 2200 || e.Taxation != 1 {
		t.Errorf("%+v", e)
	}
}

// Discounts become lower prices: the format knows none.
func TestDiscounts(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	b := put([]byte{1}, 5, 2000)
	for _, v := range []int64{1000, 300, 100} { // price, discount, charge
		b = put(b, 5, v)
	}
	b = append(b, 1, 8, 0, 0, 0, 0, 0)
	must(t, p, message(0xFF0D, append(b, 'x', 0)...))
	must(t, p, line(1, quantityScale, 200, 8, 4, 1, "y"))
	must(t, p, message(0xFF4B, append(append(put(nil, 5, 101), 0, 0, 0, 0, 0, 0), text40()...)...))
	if a := must(t, p, message(0x89)); (&reader{b: a[3:]}).money() != 1899 {
		t.Errorf("% X", a)
	}
	wantError(t, p, message(0xFF4B, append(append(put(nil, 5, 5000), 0, 0, 0, 0, 0, 0), text40()...)...), errDiscount)
	closeOld := put(nil, 5, 1709)
	closeOld = append(closeOld, make([]byte, 15)...)
	closeOld = put(closeOld, 2, 1000) // 10 %
	closeOld = append(closeOld, make([]byte, 44)...)
	must(t, p, message(0x85, closeOld...))
	e := p.Storage().Receipts()[0]
	if e.Total != 1709 || e.Items[0].Sum+e.Items[1].Sum != 1709 {
		t.Errorf("%+v", e)
	}
}

func text40() []byte { return make([]byte, 40) }

// Unsent documents in FF39, FF3F and the registers of section 3.2.
func TestUnsent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	p := New(Config{Accumulate: true, Now: func() time.Time { return at }})
	must(t, p, message(0xE0))
	sale(t, p, 500)
	if a := must(t, p, message(0xFF39)); !bytes.Equal(a[3:], []byte{2, 0, 3, 0, 1, 0, 0, 0, 26, 11, 22, 10, 30}) {
		t.Errorf("FF39: % X", a)
	}
	if p.Money(4354) != 1 || p.Money(4356) != 500 {
		t.Errorf("registers %d %d", p.Money(4354), p.Money(4356))
	}
	p.Storage().Acknowledge(-1)
	if a := must(t, p, message(0xFF3F)); a[3] != 0 {
		t.Errorf("FF3F: % X", a)
	}
}

func TestTagsOfRegistration(t *testing.T) { // FF0E with FFFFh, section 3.8
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xFF0E, 1, 0xFF, 0xFF))
	var tlv []byte
	for p.Mode() == modeData {
		tlv = append(tlv, must(t, p, message(0xFF3B))[3:]...)
	}
	fields, err := ffd.Decode(tlv)
	if inn, _ := ffd.Find(fields, ffd.TagUserINN); err != nil || inn.Text() != "7707083893" {
		t.Errorf("%v %q", err, inn.Text())
	}
}
