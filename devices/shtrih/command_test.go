package shtrih

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

const pwd = 30

// Requests of sections 6.1, 6.3, 6.4 and layouts of section 3.
func TestEncode(t *testing.T) {
	t.Parallel()
	inn, err := ffd.AppendPadded(nil, ffd.TagCashierINN, "500100732259", 12)
	if err != nil {
		t.Fatal(err)
	}
	name, err := ffd.AppendText(nil, ffd.TagCashier, "Иванов")
	if err != nil {
		t.Fatal(err)
	}
	goods := []byte{0xD2, 0xEE, 0xE2, 0xE0, 0xF0} // "Товар", CP1251
	date := time.Date(2026, 2, 17, 15, 12, 9, 0, time.UTC)
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"8D sale, 6.1", encodeOpenReceipt(pwd, fiscal.Sale, false), "8D 1E 00 00 00 00"},
		{"8D refund, 4.4", encodeOpenReceipt(pwd, fiscal.Refund, false), "8D 1E 00 00 00 02"},
		{"8D buy, 4.4", encodeOpenReceipt(pwd, fiscal.Buy, false), "8D 1E 00 00 00 01"},
		{"8D buy refund, 4.4", encodeOpenReceipt(pwd, fiscal.BuyRefund, false), "8D 1E 00 00 00 03"},
		{"8D correction, 3.7", encodeOpenReceipt(pwd, fiscal.Refund, true), "8D 1E 00 00 00 82"},
		{"1A 241, 6.1", encodeMoneyRegister(pwd, 241), "1A 1E 00 00 00 F1"},
		{"1A 4096, 6.5", encodeMoneyRegister(pwd, 4096), "1A 1E 00 00 00 00 10"},
		{"1B 250, 6.5", encodeOperationRegister(pwd, 250), "1B 1E 00 00 00 FA"},
		{"1E 17/1/7=1, 6.1", encodeWriteTable(pwd, 17, 1, 7, []byte{1}), "1E 1E 00 00 00 11 01 00 07 01"},
		{"1F, 3.3", encodeReadTable(pwd, 18, 1, 3), "1F 1E 00 00 00 12 01 00 03"},
		{"2E, 3.3", encodeField(pwd, 17, 7), "2E 1E 00 00 00 11 07"},
		{"50 1000.00, 6.1", encodeCash(cmdCashIn, pwd, 100000), "50 1E 00 00 00 A0 86 01 00 00"},
		{"22, 3.4", encodeDate(cmdSetDate, pwd, date), "22 1E 00 00 00 11 02 1A"},
		{"21, 3.4", encodeTime(pwd, date), "21 1E 00 00 00 0F 0C 09"},
		{"FF01, 6.1", fnCommand(fnStatusQuery, pwd), "FF 01 1E 00 00 00"},
		{"FF40, 6.1", fnCommand(fnShift, pwd), "FF 40 1E 00 00 00"},
		{"FF41, 6.1", fnCommand(fnBeginShiftOpen, pwd), "FF 41 1E 00 00 00"},
		{"FF0A FD 163, 6.1", encodeDocument(fnFind, pwd, 163), "FF 0A 1E 00 00 00 A3 00 00 00"},
		{"FF0C 1203, 6.1", encodeTags(fnSendTags, pwd, inn), "FF 0C 1E 00 00 00 B3 04 0C 00 35 30 30 31 30 30 37 33 32 32 35 39"},
		{"FF0C 1021, 6.1", encodeTags(fnSendTags, pwd, name), "FF 0C 1E 00 00 00 FD 03 06 00 88 A2 A0 AD AE A2"},
		{
			"FF46, 6.1",
			encodeItem(pwd, item{
				kind: fiscal.Sale, quantity: fiscal.QuantityUnit, price: 10000, sum: moneyNotGiven, tax: 0, rate: 1, dept: 1,
				method: 4, subject: 1, name: goods,
			}),
			"FF 46 1E 00 00 00 01 40 42 0F 00 00 00 10 27 00 00 00 FF FF FF FF FF 00 00 00 00 00 01 01 04 01 D2 EE E2 E0 F0",
		},
		{
			"FF46, 6.4",
			encodeItem(pwd, item{
				kind: fiscal.Sale, quantity: fiscal.QuantityUnit, price: 10000, sum: 10000, tax: 1000, rate: 0xCB, dept: 1,
				method: 1, subject: 1, name: goods,
			}),
			"FF 46 1E 00 00 00 01 40 42 0F 00 00 00 10 27 00 00 00 10 27 00 00 00 E8 03 00 00 00 CB 01 01 01 D2 EE E2 E0 F0",
		},
	} {
		if want := unhex(t, c.want); !bytes.Equal(c.got, want) {
			t.Errorf("%s:\n got % X\nwant % X", c.name, c.got, want)
		}
	}
}

// FF45 and FF76, sections 3.9 and 6.1.
func TestEncodeClose(t *testing.T) {
	t.Parallel()
	c := closing{taxation: 1}
	c.payments[slotCash] = 10000
	got := encodeClose(pwd, c)
	want := append(unhex(t, "FF 45 1E 00 00 00 10 27 00 00 00"), make([]byte, 106)...)
	want = append(want, 1)
	if !bytes.Equal(got, want) || len(got) != 118 {
		t.Errorf("FF45: LEN %d, % X", len(got), got)
	}
	if f := appendFrame(nil, got); f[1] != 0x76 || f[len(f)-1] != 0xE4 {
		t.Errorf("FF45 frame: LEN %02X LRC %02X", f[1], f[len(f)-1])
	}
	c.payments[slotOther] = 0x0102030405
	for i := range c.taxes {
		c.taxes[i] = fiscal.Money(i + 1)
	}
	got = encodeClose3(pwd, c)
	if len(got) != 138 || got[1] != 0x76 || got[137] != 1 || got[87] != 1 || got[87+9*5] != 10 || !bytes.Equal(got[81:86], []byte{5, 4, 3, 2, 1}) {
		t.Errorf("FF76: LEN %d, % X", len(got), got)
	}
}

// FF4A, section 3.9: LEN 69.
func TestEncodeCorrection(t *testing.T) {
	t.Parallel()
	got := encodeCorrection(pwd, correction{
		byOrder: true, kind: fiscal.Buy, total: 1, payments: fiscal.Payments{Cash: 2, Card: 3, Prepayment: 4, Credit: 5, Other: 6},
		taxes: [6]fiscal.Money{7, 8, 9, 10, 11, 12}, taxation: 32,
	})
	want := unhex(t, "FF 4A 1E 00 00 00 01 03")
	for v := range byte(12) {
		want = append(want, v+1, 0, 0, 0, 0)
	}
	want = append(want, 32)
	if !bytes.Equal(got, want) || len(got) != 69 {
		t.Errorf("got % X", got)
	}
}

// Answers of section 6.2.
func TestDecodeStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want status
	}{
		{"10 00 1E 92 02 02 00 00 9F E5 18 01 00 92 08 00", status{flags: 0x0292, mode: 2}},
		{"10 00 1E 92 02 08 00 01 9F E5 18 01 00 8B 02 00", status{flags: 0x0292, mode: 8, operations: 1}},
		{"10 00 1E B2 02 02 00 00 9F F8 00 00 00 75 08 00", status{flags: 0x02B2, mode: 2}},
		{"10 00 1E 92 02 28 05 02 9F E5 18 01 01 8B 02 00 00", status{flags: 0x0292, mode: 8, document: 2, submode: 5, operations: 258}},
	} {
		code, data := answerError(unhex(t, c.in))
		got, err := decodeShortStatus(data)
		if code != 0 || err != nil || got != c.want {
			t.Errorf("%s: %d %+v %v", c.in, code, got, err)
		}
	}
	_, data := answerError(unhex(t, "11 00 1E 43 31 4A 86 0D 01 11 01 37 00 B2 02 02 00 00 4E 41 00 00 01 01 10 01 03 11 0D 2F 15 00"+
		"8F 10 00 00 09 00 00 00 00 00 AE A9 DB 56 01 00"))
	got, err := decodeFullStatus(data)
	want := fullStatus{
		status: status{flags: 0x02B2, mode: 2, operations: -1}, firmware: "C.1.34378",
		clock: time.Date(2017, 3, 1, 13, 47, 21, 0, time.UTC), serial: 4239, closedShift: 9, inn: 5752203694,
	}
	if err != nil || got != want {
		t.Errorf("11h: %+v, %v", got, err)
	}
}

// Answers of sections 6.1 and 6.3.
func TestDecodeStorage(t *testing.T) {
	t.Parallel()
	data := func(s string) []byte {
		_, d := answerError(unhex(t, s))
		return d
	}
	fn, err := decodeFNStatus(append(append(data("FF 01 00 03 00 00 01 00 15 07 1D 0B 1D"), "9287440301120991"...), 0xA9, 1, 0, 0))
	if want := (fnStatus{
		phase: 3, shiftOpen: true, lastAt: time.Date(2021, 7, 29, 11, 29, 0, 0, time.UTC), serial: "9287440301120991", lastFD: 425,
	}); err != nil || fn != want {
		t.Errorf("FF01: %+v, %v", fn, err)
	}
	s, err := decodeShift(data("FF 40 00 01 07 00 01 00"))
	if s != (shiftState{open: true, number: 7, receipt: 1}) || err != nil {
		t.Errorf("FF40: %+v, %v", s, err)
	}
	m, err := decodeClose(data("FF 45 00 00 00 00 00 00 16 00 00 00 8F 62 46 CF"))
	if m != (made{fd: 22, sign: 3477496463}) || err != nil {
		t.Errorf("FF45: %+v, %v", m, err)
	}
	m, err = decodeClose(data("FF 45 00 01 02 00 00 00 16 00 00 00 8F 62 46 CF 1A 02 11 0F 0C"))
	if m != (made{fd: 22, sign: 3477496463, change: 513, at: time.Date(2026, 2, 17, 15, 12, 0, 0, time.UTC)}) || err != nil {
		t.Errorf("FF45 extended: %+v, %v", m, err)
	}
	for _, c := range []struct {
		in   string
		want archived
	}{
		{"FF 0A 00 03 00 11 03 18 14 35 A3 00 00 00 EB EA 4B 2E 01 20 4E 00 00 00",
			archived{form: 3, at: time.Date(2017, 3, 24, 20, 53, 0, 0, time.UTC), fd: 163, sign: 776727275, kind: fiscal.Sale, total: 20000}},
		{"FF 0A 00 02 00 11 07 06 02 35 03 00 00 00 5B E1 AE D0 01 00",
			archived{form: 2, at: time.Date(2017, 7, 6, 2, 53, 0, 0, time.UTC), fd: 3, sign: 3501121883, shift: 1}},
		{"FF 0A 00 05 00 11 07 06 02 36 06 00 00 00 FD 00 61 D9 01 00",
			archived{form: 5, at: time.Date(2017, 7, 6, 2, 54, 0, 0, time.UTC), fd: 6, sign: 3647013117, shift: 1}},
	} {
		a, err := decodeArchived(data(c.in))
		if a != c.want || err != nil {
			t.Errorf("FF0A %s: %+v, %v", c.in, a, err)
		}
	}
	r, extended := decodeShiftReport(data("E0 00 1E 16 00 00 00 8F 62 46 CF 1A 02 11 0F 0C"))
	if !extended || r.fd != 22 || r.sign != 3477496463 || r.at.Minute() != 12 {
		t.Errorf("E0 extended: %+v", r)
	}
	if _, extended := decodeShiftReport(data("41 00 1E")); extended {
		t.Error("plain 41 taken as extended")
	}
	c, err := decodeCorrection(data("FF 4A 00 03 00 16 00 00 00 8F 62 46 CF"))
	if c != (made{receipt: 3, fd: 22, sign: 3477496463}) || err != nil {
		t.Errorf("FF4A: %+v, %v", c, err)
	}
}

// F7 of sections 3.1 and 6.3.
func TestDecodeModel(t *testing.T) {
	t.Parallel()
	_, data := answerError(unhex(t, "F7 00 08 00 C0 F7 3F 08 00 00 00 00 01 0C 0A 00 00 00 00 00 00 1E 00 00 00 00 06 FF 00 28 00 00 00 0D 0E 10 0A 1D"))
	m := decodeModel(data)
	if !m.known || m.fnTable != 13 || m.ffdTable != 10 || m.ffdField != 29 || m.taxModeField != 6 || !m.receiptSensor || m.coverSensor || !m.cashcore {
		t.Errorf("%+v", m)
	}
	_, data = answerError(unhex(t, "F7 00 18 00 00 37 00 1E 00 00 00 00 01 0C 0A 00 00 00 00 00 00 1E 00 00 00 0C 06 FF 00 20 20 58 02 0E 0F"))
	if m := decodeModel(data); !m.coverSensor || m.ffdTable != 0 || m.fnTable != 0x0F && m.fnTable != 0x0E {
		t.Errorf("%+v", m)
	}
	if m := decodeModel(nil); m.known {
		t.Errorf("%+v", m)
	}
}

func TestErrorByte(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want byte
	}{{"10 4F", 0x4F}, {"FF 45 58", 0x58}, {"FF 37", 0x37}, {"FF 01 00 03", 0}, {"E0 00 1E", 0}} {
		if got, _ := answerError(unhex(t, c.in)); got != c.want {
			t.Errorf("%s: %02X", c.in, got)
		}
	}
}

// Tax bytes of section 4.7.
func TestRowByte(t *testing.T) {
	t.Parallel()
	want := []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x81, 0x82, 0x84, 0x88, 0xCB, 0xCC}
	nano := append(append([]byte(nil), want[:10]...), 0x90, 0xA0)
	for i := range want {
		if got := rowByte(byte(i+1), 250); got != want[i] {
			t.Errorf("row %d: %02X", i+1, got)
		}
		if got := rowByte(byte(i+1), modelNano); got != nano[i] {
			t.Errorf("Nano row %d: %02X", i+1, got)
		}
	}
	for v := fiscal.VAT20; v <= fiscal.VAT122; v++ {
		if _, ok := rateRowOf(v); !ok {
			t.Errorf("rate %s has no row", v)
		}
	}
}

// Every decoder answers short data by an error, and takes all that has the
// bytes of its layout, also more of them.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{0xFF, 0x01, 0x00, 0x03})
	f.Add([]byte{0x10, 0x00, 0x1E})
	f.Add(unhex(f, "FF 0A 00 03 00 11 03 18 14 35 A3 00 00 00 EB EA 4B 2E 01 20 4E 00 00 00"))
	f.Add(append([]byte{0x11, 0x00}, bytes.Repeat([]byte{0x31}, 60)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		_, data := answerError(b)
		for name, layout := range map[string]struct {
			least int
			err   error
		}{
			"10h": {11, second(decodeShortStatus(data))}, "11h": {46, second(decodeFullStatus(data))}, "FF01": {30, second(decodeFNStatus(data))},
			"FF40": {5, second(decodeShift(data))}, "FF45": {13, second(decodeClose(data))}, "FF4A": {10, second(decodeCorrection(data))},
			"FF39": {13, second(decodeOFD(data))}, "FF03": {3, second(decodeExpiry(data))}, "FC": {6, second(decodeDevice(data))},
			"1Ah": {7, second(decodeMoneyRegister(data))}, "1Bh": {3, second(decodeOperationRegister(data))},
		} {
			if (layout.err != nil) != (len(data) < layout.least) {
				t.Errorf("%s of %d bytes: %v", name, len(data), layout.err)
			}
		}
		if a, err := decodeArchived(data); (err == nil && len(data) < 15) || a.total < 0 || (a.receipt() || a.correction()) && err == nil && len(data) < 21 {
			t.Errorf("FF0A of %d bytes: %+v, %v", len(data), a, err)
		}
		if _, ok := decodeShiftReport(data); ok != (len(data) >= 14) {
			t.Errorf("a report of %d bytes: %t", len(data), ok)
		}
		if m := decodeModel(data); m.known != (len(data) >= 8) {
			t.Errorf("F7h of %d bytes: %+v", len(data), m)
		}
		if fields, err := ffd.Decode(data); err == nil {
			renderTags(fields)
			keyOf(fields)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// Every code of section 4.1 is known by its own words.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	table := unhex(t, "01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 10 11 12 14 15 16 17 20 23 24 2B 2C 2D 2E 2F 30 31 32 33 34 35 36 37 38 39"+
		"3A 3B 3E 3F 3C 3D 40 41 42 43 44 45 46 47 4C 48 49 4A 4B 4D 4E 4F 50 51 52 53 54 55 56 58 59 5A 5B 5C 5D 5E 5F 60 61 62 63"+
		"65 66 67 68 69 6D 6E 6A 6B 6C 6F 71 72 73 74 75 76 77 78 79 7A 7B 7C 7D 7E 7F 80 81 82 83 84 85 86 87 88 89 8A 8B 8C 8D 8E 8F"+
		"90 91 92 93 94 96 9B 9C 9D 9E A0 A1 A2 A3 A4 A5 BE C0 C2 C4 C5 C6 C7 C8 C9 CA CB CE CF D1 D2 D3 D4 D5 E0 E1 E2 E3 E4")
	unknown := vendorErrorOf(0xF9)
	for _, code := range table {
		v := vendorErrorOf(code)
		if v == unknown || v.Text == "" {
			t.Errorf("%02Xh is not in the table", code)
		}
		if v.Code.Info().Russian == "" {
			t.Errorf("%02Xh: code %q has no text", code, v.Code)
		}
	}
	for code, want := range map[byte]fiscal.Code{
		0x6B: fiscal.CodePaperOut, 0x4E: fiscal.CodeShiftExpired, 0x16: fiscal.CodeShiftExpired, 0x07: fiscal.CodeClockWrong,
		0x17: fiscal.CodeClockWrong, 0x03: fiscal.CodeFNFault, 0x04: fiscal.CodeFNFault, 0x14: fiscal.CodeOFDOverdue,
		0x12: fiscal.CodeFNFull, 0x06: fiscal.CodeFNFull, 0x05: fiscal.CodeFNExpired, 0x2F: fiscal.CodeFNMissing,
		0x30: fiscal.CodeFNMissing, 0x46: fiscal.CodeNoCash, 0xC8: fiscal.CodePrinterFault, 0x45: fiscal.CodePaymentsShort,
		0x4D: fiscal.CodeNoncashOverTotal, 0x0E: fiscal.CodeTooLarge, 0x4A: fiscal.CodeForeignReceipt,
	} {
		e := (&refusal{Command: "FF45", Code: code}).asFiscal()
		if e.Code != want || e.Vendor != fmt.Sprintf("0x%02X", code) {
			t.Errorf("%02Xh: %+v", code, e)
		}
		doubt := code == 3 || code == 4 || code == 0x2F || code == 0x30
		if (e.Outcome == fiscal.OutcomeUnknown) != doubt {
			t.Errorf("%02Xh: outcome %d", code, e.Outcome)
		}
	}
}
