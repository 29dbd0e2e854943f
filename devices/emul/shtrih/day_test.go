package shtrih

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// A whole day in raw messages, checked in registers, counters and the ledger.
func TestDay(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xFF41))
	must(t, p, tag(ffd.TagCashier, []byte("Ivanova")))
	must(t, p, message(0xE0))
	must(t, p, message(0x50, put(nil, 5, 50000)...))
	sale(t, p, 10000)
	must(t, p, message(0x8D, 2))
	must(t, p, line(2, quantityScale/2, 8000, 2, 4, 1, "Возврат"))
	must(t, p, closing(1, 4000))
	must(t, p, message(0x51, put(nil, 5, 1000)...))
	must(t, p, message(0x8D, 0x80))
	must(t, p, tag(ffd.TagCorrectionType, []byte{0}))
	basis := ffd.AppendTime(nil, ffd.TagCorrectionDate, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC))
	must(t, p, tag(ffd.TagCorrectionBasis, basis))
	must(t, p, line(1, quantityScale, 500, 0xCB, 4, 1, "Забытый"))
	must(t, p, closing(1, 500))
	must(t, p, message(0x40))

	for n, want := range map[uint16]int64{
		121: 10000, 123: 4000, 193: 10000, 195: 4000, regDrawer: 55000, regCashIn: 50000, regCashOut: 1000, regCorrections: 500,
		4230: 2, 4231: 10500, 4243: 1, 4244: 4000, 4282: 1, 4283: 1, 4284: 500, 4292: 3, 213 + 2: 4000, 229 + 2: 364, 245: 10000, 4363: 500,
	} {
		if got := p.Money(n); got != want {
			t.Errorf("money register %d = %d, want %d", n, got, want)
		}
	}
	for n, want := range map[byte]uint32{144: 1, 146: 1, 148: 1, 150: 1, 152: 7, 153: 1, 154: 1, 158: 1, 200: 1, 202: 1, 72: 1} {
		if got := p.Operational(n); got != want {
			t.Errorf("operational register %d = %d, want %d", n, got, want)
		}
	}
	must(t, p, message(0x41))
	ledger := p.Storage().Ledger()
	forms := ""
	for i, e := range ledger {
		forms += string('0'+rune(e.Form/10)) + string('0'+rune(e.Form%10)) + " "
		if e.FD != uint32(i)+1 {
			t.Errorf("FD %d at place %d", e.FD, i)
		}
	}
	if forms != "01 02 03 03 31 05 " {
		t.Errorf("forms %s", forms)
	}
	last := ledger[len(ledger)-1]
	if last.ReceiptsInShift != 3 || last.DocumentsInShift != 5 || ledger[1].Cashier != "Ivanova" {
		t.Errorf("close: %+v", last)
	}
	if c := ledger[4].Correction; c == nil || c.Type != 0 || c.Date.Day() != 20 {
		t.Errorf("correction: %+v", ledger[4].Correction)
	}
	if p.Money(121) != 0 || p.Money(regDrawer) != 55000 || p.Mode() != modeClosed {
		t.Errorf("after Z: 121=%d 241=%d mode %d", p.Money(121), p.Money(regDrawer), p.Mode())
	}
	if tape := p.Tape(); !strings.Contains(tape, notFiscal) || !strings.Contains(tape, "КАССОВЫЙ ЧЕК КОРРЕКЦИИ") || !strings.Contains(tape, "ИТОГ") {
		t.Errorf("tape:\n%s", tape)
	}
}

// Corrections by sums, section 5.5, FFD 1.05 (worked receipt R38).
func TestCorrectionV2(t *testing.T) {
	t.Parallel()
	p := New(Config{FFD: ffd.Version105})
	must(t, p, message(0xE0))
	p.SetTable(17, 1, 71, 1) // tax slot 1 means 22 %
	amount := func(kind, sign byte, total int64) []byte {
		b := put([]byte{kind, sign}, 5, total)
		b = put(b, 5, total)
		b = append(b, make([]byte, 20)...)
		b = put(b, 5, 22000)
		return message(0xFF4A, append(append(b, make([]byte, 25)...), 1)...)
	}
	wantError(t, p, amount(0, 1, 122000), byte(fn.ErrState))
	must(t, p, message(0xFF35))
	wantError(t, p, amount(0, 1, 122000), byte(fn.ErrMissing))
	must(t, p, message(0xFF0C, ffd.AppendTime(nil, ffd.TagCorrectionDate, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC))...))
	must(t, p, tag(ffd.TagCorrectionNumber, []byte("0")))
	wantError(t, p, amount(0, 2, 122000), errParameters)
	a := must(t, p, amount(0, 1, 122000))
	if len(a) != 13 {
		t.Errorf("answer % X", a)
	}
	e := p.Storage().Receipts()[0]
	if e.Form != fn.FormCorrection || e.Total != 122000 || e.Cash != 122000 || e.VAT[vat22] != 22000 || e.Correction.Number != "0" || e.Correction.Date.Day() != 20 {
		t.Errorf("%+v", e)
	}
	must(t, p, message(0xFF35))
	must(t, p, message(0xFF08))
	if p.Drawer() != 0 {
		t.Error("a correction moved the drawer")
	}
}

// Refusals that a till meets, sections 3.9 and 4.1.
func TestRefusals(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	wantError(t, p, message(0x8D, 0), errMode)
	wantError(t, p, line(1, quantityScale, 1, 8, 4, 1, "x"), errMode)
	wantError(t, p, message(0x88), errReceiptClosed)
	wantError(t, p, message(0x8C), errNothingRepeat)
	wantError(t, p, message(0x51, put(nil, 5, 1)...), errNoCash)
	wantError(t, p, tag(1021, []byte("x")), byte(fn.ErrState))
	must(t, p, message(0xE0))
	wantError(t, p, message(0xE0), errMode)
	must(t, p, message(0x8D, 0))
	wantError(t, p, message(0x8D, 0), errReceiptOpen)
	wantError(t, p, message(0x41), errMode)
	wantError(t, p, closing(1, 1), errZeroReceipt)
	wantError(t, p, line(2, quantityScale, 1, 8, 4, 1, "x"), errWrongType)
	wantError(t, p, line(1, quantityScale, 1, 3, 4, 1, "x"), errParameters)
	wantError(t, p, line(1, quantityScale, 1, 8, 4, 33, "x"), errMarking)
	wantError(t, p, line(1, 1<<47, 1<<39, 8, 4, 1, "x"), errProduct)
	must(t, p, line(1, quantityScale, 1000, 8, 0, 0, "x"))
	wantError(t, p, closing(1, 999), errPaidShort)
	wantError(t, p, closing(1, 0, 1001), errNonCashOver)
	wantError(t, p, closing(3, 1000), errParameters)
	wantError(t, p, closing(8, 1000), errParameters)
	wantError(t, p, tag(1041, []byte("9")), byte(fn.ErrForbidden))
	must(t, p, tag(1192, []byte("key")))
	wantError(t, p, tag(1192, []byte("key")), byte(fn.ErrDuplicate))
	wantError(t, p, tag(1008, make([]byte, 65)), byte(fn.ErrParameter))
	other := message(0x88)
	other[1] = 5
	wantError(t, p, other, errOtherOperator)
	a := must(t, p, closing(1, 1500))
	if change := (&reader{b: a[3:8]}).money(); change != 500 {
		t.Errorf("change %d", change)
	}
	must(t, p, message(0x8D, 2))
	must(t, p, line(2, quantityScale, 1001, 8, 4, 1, "x"))
	wantError(t, p, closing(1, 1001), errNoCash)
	must(t, p, closing(1, 0, 1001))
	p.AdvanceClock(25 * time.Hour)
	wantError(t, p, message(0x8D, 0), errShift24)
	if p.Mode() != modeOver24 {
		t.Errorf("mode %d", p.Mode())
	}
	e := p.Storage().Receipts()[0]
	if e.Items[0].Method != 4 || e.Items[0].Subject != 1 || e.Extra != "key" || e.Cashier != "СИСТ. АДМИН." {
		t.Errorf("%+v", e)
	}
}

// Old receipts, section 3.7.
func TestOldReceipt(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	old := func(c uint16, quantity, price int64, group byte) []byte {
		b := put(nil, 5, quantity)
		b = put(b, 5, price)
		b = append(b, 1, group, 0, 0, 0)
		return message(c, append(b, make([]byte, 40)...)...)
	}
	must(t, p, old(0x80, 2000, 1000, 2))
	must(t, p, old(0x80, 1000, 500, 0))
	must(t, p, old(0x84, 1000, 1000, 2))
	must(t, p, message(0x86, append(put(nil, 5, 100), make([]byte, 44)...)...))
	if a := must(t, p, message(0x89)); (&reader{b: a[3:]}).money() != 1400 {
		t.Errorf("subtotal % X", a)
	}
	b := put(nil, 5, 2000)
	b = append(b, make([]byte, 61)...)
	a := must(t, p, message(0x85, b...))
	if len(a) != 7 && len(a) != 8 || (&reader{b: a[len(a)-5:]}).money() != 600 {
		t.Errorf("close: % X", a)
	}
	e := p.Storage().Receipts()[0]
	if e.Total != 1400 || len(e.Items) != 2 || e.Items[0].Quantity != quantityScale || e.Items[1].Sum != 400 || e.VAT[2] != 91 {
		t.Errorf("%+v", e)
	}
}

func TestReadDocument(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	sale(t, p, 1000)
	a := must(t, p, message(0xFF3A, 3, 0, 0, 0))
	r := reader{b: a[3:]}
	form, size := r.u16(), int(r.u16())
	if form != 3 || p.Mode() != modeData {
		t.Errorf("form %d mode %d", form, p.Mode())
	}
	wantError(t, p, message(0x1A, 241), errMode)
	var tlv []byte
	for p.Mode() == modeData {
		tlv = append(tlv, must(t, p, message(0xFF3B))[3:]...)
	}
	fields, err := ffd.Decode(tlv)
	if err != nil || len(tlv) != size {
		t.Fatalf("%d of %d bytes: %v", len(tlv), size, err)
	}
	if total, _ := ffd.Find(fields, ffd.TagTotal); total.Tag == 0 {
		t.Error("no total")
	}
	wantError(t, p, message(0xFF3B), byte(fn.ErrNoData))
	must(t, p, message(0xFF3A, 3, 0, 0, 0))
	must(t, p, message(0x03))
	if p.Mode() != modeOpen {
		t.Errorf("mode %d", p.Mode())
	}
}

func TestBuffer(t *testing.T) { // FF32, FF33, FF64: section 3.8
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	must(t, p, message(0x8D, 0))
	attribute := ffd.Append(ffd.Append(nil, 1085, []byte("n")), 1086, make([]byte, 250))
	tlv := ffd.Append(nil, ffd.TagUserAttribute, attribute)
	must(t, p, message(0xFF32, put(nil, 2, int64(len(tlv)))...))
	for at := 0; at < len(tlv); at += 200 {
		part := tlv[at:min(at+200, len(tlv))]
		must(t, p, message(0xFF33, append(append(put(nil, 2, int64(at)), byte(len(part))), part...)...))
	}
	must(t, p, message(0xFF64))
	if p.Storage().CurrentSize() != len(tlv) {
		t.Errorf("storage has %d bytes", p.Storage().CurrentSize())
	}
}

func TestClockCommands(t *testing.T) { // section 3.4
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	p := New(Config{Now: func() time.Time { return now }})
	must(t, p, message(0x22, 24, 11, 26))
	if p.Mode() != modeDate {
		t.Errorf("mode %d", p.Mode())
	}
	wantError(t, p, message(0x1A, 241), errMode)
	wantError(t, p, message(0x23, 25, 11, 26), errDateMismatch)
	must(t, p, message(0x23, 24, 11, 26))
	must(t, p, message(0x21, 12, 30, 0))
	if got := p.Clock(); !got.Equal(time.Date(2026, 11, 24, 12, 30, 0, 0, time.UTC)) {
		t.Errorf("clock %v", got)
	}
	p.FailMemory()
	must(t, p, []byte{0x16})
}

func TestExtendedAnswers(t *testing.T) { // table 17 field 36, section 3.6
	t.Parallel()
	p := New(Config{ExtendedAnswers: true})
	if a := must(t, p, message(0xE0)); len(a) != 16 {
		t.Errorf("E0: % X", a)
	}
	must(t, p, message(0x8D, 0))
	must(t, p, line(1, quantityScale, 100, 8, 4, 1, "x"))
	if a := must(t, p, closing(1, 100)); len(a) != 21 {
		t.Errorf("FF45: % X", a)
	}
	if a := must(t, p, message(0xFF38)); len(a) != 23 {
		t.Errorf("FF38: % X", a)
	}
	if a := must(t, p, message(0x41)); len(a) != 16 {
		t.Errorf("41: % X", a)
	}
}

func TestTablesCanBeEnumerated(t *testing.T) { // sections 2Dh, 2Eh
	t.Parallel()
	p := New(Config{})
	n := byte(1)
	for ; ; n++ {
		a := p.Execute(message(0x2D, n))
		if errorOf(a) == errNoTable {
			break
		}
		if len(a) != 45 {
			t.Fatalf("2D %d: % X", n, a)
		}
		for f := byte(1); f <= a[44]; f++ {
			must(t, p, message(0x2E, n, f))
			must(t, p, message(0x1F, n, 1, 0, f))
		}
	}
	if n != 26 {
		t.Errorf("%d tables", n-1)
	}
}

func TestStateSurvives(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	p := New(Config{FNSerial: "9999078900005555"})
	must(t, p, message(0xE0))
	sale(t, p, 1234)
	p.SetTable(4, 1, 1, "СПАСИБО")
	must(t, p, message(0x8D, 0))
	must(t, p, line(1, quantityScale, 100, 8, 4, 1, "x"))
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	q := New(Config{})
	if err := q.Load(path); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(p.Storage().Ledger())
	b, _ := json.Marshal(q.Storage().Ledger())
	if string(a) != string(b) || q.Storage().Serial() != "9999078900005555" || q.Drawer() != 1234 || q.Mode() != modeReceipt {
		t.Errorf("mode %02X drawer %d\n%s\n%s", q.Mode(), q.Drawer(), a, b)
	}
	must(t, q, closing(1, 100))
	if err := os.WriteFile(path, []byte(`{"Version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if q.Load(path) == nil {
		t.Error("an empty state was loaded")
	}
}
