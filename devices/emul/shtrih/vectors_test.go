package shtrih

import (
	"bytes"
	"testing"
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// Section 6.1: frames, LRC included.
func TestFrames(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ msg, frame string }{
		{"FC", "02 01 FC FD"},
		{"10 1E 00 00 00", "02 05 10 1E 00 00 00 0B"},
		{"11 1E 00 00 00", "02 05 11 1E 00 00 00 0A"},
		{"88 1E 00 00 00", "02 05 88 1E 00 00 00 93"},
		{"88 00 1E", "02 03 88 00 1E 95"},
		{"B0 1E 00 00 00", "02 05 B0 1E 00 00 00 AB"},
		{"E0 1E 00 00 00", "02 05 E0 1E 00 00 00 FB"},
		{"41 1E 00 00 00", "02 05 41 1E 00 00 00 5A"},
		{"8D 1E 00 00 00 00", "02 06 8D 1E 00 00 00 00 95"},
		{"8D 00 1E", "02 03 8D 00 1E 90"},
		{"1A 1E 00 00 00 F1", "02 06 1A 1E 00 00 00 F1 F3"},
		{"1E 1E 00 00 00 11 01 00 07 01", "02 0A 1E 1E 00 00 00 11 01 00 07 01 1C"},
		{"50 1E 00 00 00 A0 86 01 00 00", "02 0A 50 1E 00 00 00 A0 86 01 00 00 63"},
		{"50 00 1E 05 00", "02 05 50 00 1E 05 00 4E"},
		{"10 4F", "02 02 10 4F 5D"},
		{"FF 45 58", "02 03 FF 45 58 E1"},
		{"FF 01 1E 00 00 00", "02 06 FF 01 1E 00 00 00 E6"},
		{"FF 40 00 01 07 00 01 00", "02 08 FF 40 00 01 07 00 01 00 B0"},
		{"FF 46 00", "02 03 FF 46 00 BA"},
		{"FF 45 00 00 00 00 00 00 16 00 00 00 8F 62 46 CF", "02 10 FF 45 00 00 00 00 00 00 16 00 00 00 8F 62 46 CF D8"},
		{"FF 45 00 00 00 00 00 00 16 00 00 00 8F 62 46 CF 1A 02 11 0F 0C", "02 15 FF 45 00 00 00 00 00 00 16 00 00 00 8F 62 46 CF 1A 02 11 0F 0C D7"},
		{"FF 0A 1E 00 00 00 A3 00 00 00", "02 0A FF 0A 1E 00 00 00 A3 00 00 00 42"},
	} {
		if got, want := frame(unhex(t, v.msg)), unhex(t, v.frame); !bytes.Equal(got, want) {
			t.Errorf("%s: got % X, want % X", v.msg, got, want)
		}
	}
}

// Section 6.1: the requests of a receipt, byte for byte, and their answers.
func TestReceiptVectors(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, unhex(t, "E0 1E 00 00 00"))
	for _, v := range []struct{ name, request, answer string }{
		{"open", "8D 1E 00 00 00 00", "8D 00 1E"},
		{"1203", "FF 0C 1E 00 00 00 B3 04 0C 00 35 30 30 31 30 30 37 33 32 32 35 39", "FF 0C 00"},
		{"1008", "FF 0C 1E 00 00 00 F0 03 0C 00 2B 37 39 31 32 33 34 35 36 37 38 39", "FF 0C 00"},
		{"1021", "FF 0C 1E 00 00 00 FD 03 06 00 88 A2 A0 AD AE A2", "FF 0C 00"},
		{"item", "FF 46 1E 00 00 00 01 40 42 0F 00 00 00 10 27 00 00 00 FF FF FF FF FF 00 00 00 00 00 01 01 04 01 D2 EE E2 E0 F0", "FF 46 00"},
	} {
		if got := p.Execute(unhex(t, v.request)); !bytes.Equal(got, unhex(t, v.answer)) {
			t.Errorf("%s: got % X, want %s", v.name, got, v.answer)
		}
	}
	closeFrame := frame(closing(1, 10000))
	if len(closeFrame) != 118+3 || closeFrame[1] != 0x76 || closeFrame[len(closeFrame)-1] != 0xE4 {
		t.Fatalf("FF45 frame: LEN %02X LRC %02X", closeFrame[1], closeFrame[len(closeFrame)-1])
	}
	a := must(t, p, closing(1, 10000))
	if len(a) != 16 {
		t.Fatalf("FF45 answer has %d bytes", len(a))
	}
	e := p.Storage().Receipts()[0]
	if e.Cashier != "Иванов" || e.CashierINN != "500100732259" || e.Contact != "+79123456789" || e.Items[0].Name != "Товар" {
		t.Errorf("ledger: %+v", e)
	}
	if e.Items[0].VATCode != vat20 || e.Items[0].VATSum != 1667 || e.VAT[vat20] != 1667 {
		t.Errorf("VAT: %+v", e.Items[0])
	}
	r := reader{b: a[3:]}
	if change, fd, fp := r.money(), r.u32(), r.u32(); change != 0 || fd != e.FD || fp != e.FP {
		t.Errorf("answer % X, ledger FD %d FP %d", a, e.FD, e.FP)
	}
}

// Section 6.2: layouts of 10h and 11h.
func TestStatusVectors(t *testing.T) {
	t.Parallel()
	p := New(Config{Serial: "0000000000004239", INN: "5752203694"})
	must(t, p, message(0xE0))
	if got, want := p.Execute(message(0x10)), unhex(t, "10 00 1E 92 02 02 00 00 9F E5 00 00 00 00 04 00"); !bytes.Equal(got, want) {
		t.Errorf("10h idle: got % X, want % X", got, want)
	}
	must(t, p, message(0x8D, 0))
	must(t, p, line(1, quantityScale, 100, 8, 4, 1, "x"))
	if got, want := p.Execute(message(0x10)), unhex(t, "10 00 1E 92 02 08 00 01 9F E5 00 00 00 00 02 00"); !bytes.Equal(got, want) {
		t.Errorf("10h in a receipt: got % X, want % X", got, want)
	}
	full := must(t, p, message(0x11))
	if len(full) != 48 {
		t.Fatalf("11h has %d bytes, want 48", len(full))
	}
	r := reader{b: full[32:]}
	if serial := r.u32(); serial != 4239 {
		t.Errorf("serial %d", serial)
	}
	if !bytes.Equal(full[42:48], unhex(t, "AE A9 DB 56 01 00")) {
		t.Errorf("INN % X", full[42:48])
	}
}

// Section 6.3 and 3.1: exact answers to questions.
func TestQuestionVectors(t *testing.T) {
	t.Parallel()
	p := New(Config{FNSerial: "9287440301120991"})
	for _, v := range []struct{ name, request, answer string }{
		{"error text 5Eh", "6B 5E", "6B 00 CA CA D2 3A 20 CD E5 E2 E5 F0 ED E0 FF 20 EE EF E5 F0 E0 F6 E8 FF"},
		{"FN serial", "FF 02 1E 00 00 00", "FF 02 00 39 32 38 37 34 34 30 33 30 31 31 32 30 39 39 31"},
		{"registration tag 1041", "FF 0E 1E 00 00 00 F0 11 04", "FF 0E 00 11 04 10 00 39 32 38 37 34 34 30 33 30 31 31 32 30 39 39 31"},
		{"unsent", "FF 3F 1E 00 00 00", "FF 3F 00 00 00"},
		{"shift", "FF 40 1E 00 00 00", "FF 40 00 00 00 00 00 00"},
		{"drawer", "1A 1E 00 00 00 F1", "1A 00 1E 00 00 00 00 00 00"},
		{"no print", "1E 1E 00 00 00 11 01 00 07 01", "1E 00"},
		{"cash in", "50 1E 00 00 00 A0 86 01 00 00", "50 00 1E 01 00"},
		{"wrong password", "10 FF FF FF FF", "10 4F"},
	} {
		if got := p.Execute(unhex(t, v.request)); !bytes.Equal(got, unhex(t, v.answer)) {
			t.Errorf("%s: got % X, want %s", v.name, got, v.answer)
		}
	}
	if a := must(t, p, unhex(t, "FF 01 1E 00 00 00")); len(a) != 33 || a[3] != 3 || a[4] != 0 || a[6] != 0 || string(a[13:29]) != "9287440301120991" || a[29] != 1 {
		t.Errorf("FF01: % X", a)
	}
	if a := must(t, p, unhex(t, "F7 01")); len(a) != 29 || a[2+24] != 14 || a[2+25] != 0xFF {
		t.Errorf("F7: % X", a)
	}
	if a := must(t, p, []byte{0xFC}); a[6] != 250 || ffd.DecodeText1251(a[8:]) != "ШТРИХ-М-01Ф" {
		t.Errorf("FC: % X", a)
	}
}

// Section 6.3: FF0A bodies by form.
func TestFindDocumentVectors(t *testing.T) {
	t.Parallel()
	at := time.Date(2017, 3, 24, 20, 53, 30, 0, time.UTC)
	p := New(Config{Now: func() time.Time { return at }, FFD: ffd.Version105, INN: "5024054445", RNM: "0000001358026131", Taxations: 0x3F})
	must(t, p, message(0xE0))
	sale(t, p, 20000)
	must(t, p, message(0x41))
	for _, v := range []struct {
		fd   byte
		head string // form, confirmed, time
		body string
	}{
		{1, "01 01 11 03 18 14 35", "35 30 32 34 30 35 34 34 34 35 20 20 30 30 30 30 30 30 31 33 35 38 30 32 36 31 33 31 20 20 20 20 3F 20"},
		{2, "02 01 11 03 18 14 35", "01 00"},
		{3, "03 01 11 03 18 14 35", "01 20 4E 00 00 00"},
		{4, "05 01 11 03 18 14 35", "01 00"},
	} {
		a := must(t, p, message(0xFF0A, v.fd, 0, 0, 0))
		if !bytes.Equal(a[3:10], unhex(t, v.head)) || !bytes.Equal(a[18:], unhex(t, v.body)) || a[10] != v.fd {
			t.Errorf("FD %d: % X", v.fd, a)
		}
	}
	wantError(t, p, message(0xFF0A, 5, 0, 0, 0), byte(fn.ErrNoData))
}

// Section 6.5: behaviour of a real M-01F.
func TestBehaviourVectors(t *testing.T) {
	t.Parallel()
	closed := func(*testing.T, *Printer) {}
	open := func(t *testing.T, p *Printer) { must(t, p, message(0xE0)) }
	inReceipt := func(t *testing.T, p *Printer) {
		open(t, p)
		must(t, p, message(0x8D, 0))
	}
	for _, v := range []struct {
		name   string
		before func(*testing.T, *Printer)
		msg    string
		want   byte
	}{
		{"10 without password", closed, "10", errLength},
		{"10 wrong password", closed, "10 FF FF FF FF", errPassword},
		{"11 too long", closed, "11 1E 00 00 00 00", errLength},
		{"register by two bytes below 4096", open, "1A 1E 00 00 00 00 00", errParameters},
		{"register 4096", open, "1A 1E 00 00 00 00 10", ok},
		{"operational 250", open, "1B 1E 00 00 00 FA", errParameters},
		{"unknown table", closed, "1F 1E 00 00 00 FF FF FF FF", errNoTable},
		{"row 0", closed, "1F 1E 00 00 00 01 00 00 01", errParameters},
		{"tax rate is read-only", closed, "1E 1E 00 00 00 06 01 00 01 D0 07", errReadOnly},
		{"12 without flags", open, "12 1E 00 00 00 00", errParameters},
		{"12 alone", open, "12", errPassword},
		{"17 alone", open, "17", errPassword},
		{"1E alone", open, "1E", errPassword},
		{"21 alone", closed, "21", errPassword},
		{"reset in mode 4", closed, "16", errMode},
		{"bad date", closed, "22 1E 00 00 00 20 0C 18", errDateFormat},
		{"date in mode 2", open, "22 1E 00 00 00 01 0C 1A", errDateMismatch},
		{"date in mode 8", inReceipt, "22 1E 00 00 00 01 0C 1A", errMode},
		{"confirm in mode 4", closed, "23 1E 00 00 00 01 0C 1A", errMode},
		{"cut type 2", closed, "25 1E 00 00 00 02", errParameters},
		{"cut in a receipt", inReceipt, "25 1E 00 00 00 00", errReceiptOpen},
		{"time in mode 2", open, "21 1E 00 00 00 0C 00 00", errMode},
		{"rate 230400", closed, "14 1E 00 00 00 00 07 80", errParameters},
		{"empty", closed, "", errLength},
		{"unknown command", closed, "FF 61 1E 00 00 00", errUnsupported},
		{"font 0", closed, "26 1E 00 00 00 00", errParameters},
		{"line of 73", closed, "17 1E 00 00 00 02 " + spaces(73), errParameters},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			p := New(Config{})
			v.before(t, p)
			wantError(t, p, unhex(t, v.msg), v.want)
		})
	}
}

func spaces(n int) string {
	s := ""
	for range n {
		s += "20"
	}
	return s
}

// Section 6.4: the maker's tester list up to marking, whose tags 1293 and 1294
// go with fractional marked items.
func TestMakersReceipt(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	must(t, p, message(0x8D, 0))
	must(t, p, unhex(t, "FF 46 1E 00 00 00 01 40 42 0F 00 00 00 10 27 00 00 00 10 27 00 00 00 E8 03 00 00 00 CB 01 01 01 D2 EE E2 E0 F0"))
	must(t, p, unhex(t, "FF 4D 1E 00 00 00 0D 05 08 00 01 00 00 00 00 00 00 00"))
	must(t, p, unhex(t, "FF 4D 1E 00 00 00 0E 05 08 00 03 00 00 00 00 00 00 00"))
	must(t, p, closing(0, 10000))
	i := p.Storage().Receipts()[0].Items[0]
	if i.VATCode != vat22 || i.VATSum != 1803 || i.Method != 1 || i.Subject != 1 || len(i.Fields) != 11 {
		t.Errorf("item: %+v", i)
	}
}

// Section 4.7: every byte of a rate reaches tag 1199.
func TestVATBytes(t *testing.T) {
	t.Parallel()
	for b, want := range map[byte]byte{
		0x01: 1, 0x02: 2, 0x04: 5, 0x08: 6, 0x00: 6, 0x10: 3, 0x20: 4, 0x81: 7, 0x82: 8, 0x84: 9, 0x88: 10, 0xCB: 11, 0xCC: 12,
		0x90: 11, 0xA0: 12, 0xC1: 1,
	} {
		if got, known := vatOfByte(b); got != want || !known {
			t.Errorf("%02Xh: got %d, want %d", b, got, want)
		}
	}
	if _, known := vatOfByte(0x03); known {
		t.Error("03h (two bits) is a rate")
	}
}
