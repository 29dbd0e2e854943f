package fn

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"kassad/fiscal/ffd"
)

var start = time.Date(2026, 11, 22, 10, 0, 30, 0, time.UTC)

func storage(change func(*Config)) *Storage {
	cfg := Config{
		Serial: "9999078900000001", Now: func() time.Time { return start },
		Registration: Registration{INN: "7707083893", RNM: "0000000001062448", UserName: "ООО", Taxations: 1},
	}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// body is the least data of a receipt.
func body(total int64) []byte {
	b := ffd.AppendByte(nil, ffd.TagTaxation, 1)
	b = ffd.AppendVLN(b, ffd.TagCash, uint64(total))
	for _, t := range []ffd.Tag{ffd.TagCard, ffd.TagPrepaid, ffd.TagCredit, ffd.TagProvision} {
		b = ffd.AppendVLN(b, t, 0)
	}
	i := ffd.AppendVLN(nil, ffd.TagItemPrice, uint64(total))
	i = ffd.AppendFVLN(i, ffd.TagQuantity, 0, 1)
	i = ffd.AppendVLN(i, ffd.TagItemSum, uint64(total))
	return ffd.Append(b, ffd.TagItem, ffd.AppendByte(i, ffd.TagVATRate, 6))
}

func do(t *testing.T, s *Storage, k Kind, at time.Time, c Closing) Document {
	t.Helper()
	if err := s.Begin(k, at); err != nil {
		t.Fatalf("begin %d: %v", k, err)
	}
	c.At = at
	d, err := s.Commit(c)
	if err != nil {
		t.Fatalf("commit %d: %v", k, err)
	}
	return d
}

func opened(t *testing.T, change func(*Config)) *Storage {
	t.Helper()
	s := storage(change)
	do(t, s, KindShiftOpen, start, Closing{})
	return s
}

func want(t *testing.T, got error, code Error) {
	t.Helper()
	var e Error
	if !errors.As(got, &e) || e != code {
		t.Errorf("got %v, want %v", got, code)
	}
}

func TestNumbersGrowByOne(t *testing.T) {
	t.Parallel()
	s := opened(t, nil)
	for n := uint32(3); n < 10; n++ {
		if err := s.Begin(KindReceipt, start); err != nil {
			t.Fatal(err)
		}
		if err := s.Cancel(); err != nil { // a cancelled document uses no number
			t.Fatal(err)
		}
		d := do(t, s, KindReceipt, start, Closing{Operation: 1, Total: 100, Data: body(100)})
		if d.Number != n || d.Receipt != uint16(n-2) || d.Sign == 0 {
			t.Errorf("got %d, receipt %d", d.Number, d.Receipt)
		}
	}
	if c := s.ShiftCounters(); c.Operations[1].Count != 7 || c.Operations[1].Sum != 700 || c.Operations[1].Cash != 700 {
		t.Errorf("%+v", c.Operations[1])
	}
}

// Rules of time, format reference 4.2.
func TestTime(t *testing.T) {
	t.Parallel()
	s := opened(t, nil)
	want(t, s.Begin(KindReceipt, start.Add(-2*time.Minute)), ErrTime)
	want(t, s.Begin(KindReceipt, start.Add(24*time.Hour)), ErrShift24)
	if err := s.Begin(KindReceipt, start); err != nil {
		t.Fatal(err)
	}
	closing := Closing{Operation: 1, Total: 1, Data: body(1)}
	for at, code := range map[time.Duration]Error{-2 * time.Minute: ErrTime, 6 * time.Minute: ErrGap, 25 * time.Hour: ErrShift24} {
		closing.At = start.Add(at)
		_, err := s.Commit(closing)
		want(t, err, code)
	}
	closing.At = start.Add(4 * time.Minute)
	if _, err := s.Commit(closing); err != nil {
		t.Error(err)
	}
	do(t, s, KindShiftClose, start.Add(30*time.Hour), Closing{}) // closing is always possible
}

func TestStates(t *testing.T) {
	t.Parallel()
	s := storage(nil)
	want(t, s.Begin(KindReceipt, start), ErrState)
	want(t, s.Begin(KindShiftClose, start), ErrState)
	want(t, s.Write(nil), ErrState)
	want(t, s.Cancel(), ErrState)
	_, err := s.Commit(Closing{})
	want(t, err, ErrState)
	do(t, s, KindShiftOpen, start, Closing{})
	want(t, s.Begin(KindShiftOpen, start), ErrState)
	if err := s.Begin(KindReceipt, start); err != nil {
		t.Fatal(err)
	}
	want(t, s.Begin(KindReceipt, start), ErrState)
	s.PowerLoss()
	if s.Current() != KindNone {
		t.Error("a document survived the power loss")
	}
	do(t, s, KindShiftClose, start, Closing{})
	s.SetPhase(PhaseArchived)
	want(t, s.Begin(KindShiftOpen, start), ErrState)
}

// Data rules, Shtrih-M reference 2.1.
func TestData(t *testing.T) {
	t.Parallel()
	s := opened(t, nil)
	if err := s.Begin(KindReceipt, start); err != nil {
		t.Fatal(err)
	}
	for _, own := range ownTags(s.FFD()) {
		want(t, s.Write(ffd.Append(nil, own, nil)), ErrForbidden)
	}
	want(t, s.Write([]byte{1}), ErrFormat)
	want(t, s.Write(ffd.Append(nil, ffd.TagReceiptExtra, make([]byte, 17))), ErrParameter)
	want(t, s.Write(ffd.Append(nil, ffd.TagItem, make([]byte, 1025))), ErrFormat)
	want(t, s.Write(ffd.Append(nil, ffd.TagItem, ffd.Append(nil, 2000, make([]byte, 1025)))), ErrTLVSize)
	want(t, s.Write(ffd.Append(nil, 2000, make([]byte, 31000))), ErrTLVSize)
	if err := s.Write(ffd.Append(nil, ffd.TagReceiptExtra, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	want(t, s.Write(ffd.Append(nil, ffd.TagReceiptExtra, []byte("x"))), ErrDuplicate)
	_, err := s.Commit(Closing{At: start, Operation: 1, Total: 1})
	want(t, err, ErrMissing) // no payments
	_, err = s.Commit(Closing{At: start, Operation: 1, Total: 2, Data: body(1)})
	want(t, err, ErrParameter)
	_, err = s.Commit(Closing{At: start, Operation: 5, Total: 1, Data: body(1)})
	want(t, err, ErrParameter)
	if _, err = s.Commit(Closing{At: start, Operation: 1, Total: 1, Data: body(1)}); err != nil {
		t.Fatal(err)
	}
	if e := s.Receipts()[0]; e.Extra != "x" || e.Items[0].Quantity != 1_000_000 || e.INN != "7707083893" {
		t.Errorf("%+v", e)
	}
}

func TestCorrectionRules(t *testing.T) {
	t.Parallel()
	for version, code := range map[byte]Error{ffd.Version105: ErrMissing, ffd.Version12: ErrMissingTags} {
		s := opened(t, func(c *Config) { c.FFD = version })
		if err := s.Begin(KindCorrection, start); err != nil {
			t.Fatal(err)
		}
		_, err := s.Commit(Closing{At: start, Operation: 1, Total: 1, Data: body(1)})
		want(t, err, code)
		b := ffd.AppendByte(body(1), ffd.TagCorrectionType, 1)
		b = ffd.Append(b, ffd.TagCorrectionBasis, ffd.AppendTime(nil, ffd.TagCorrectionDate, start))
		if version == ffd.Version105 {
			_, err = s.Commit(Closing{At: start, Operation: 2, Total: 1, Data: b})
			want(t, err, ErrParameter)
		}
		if _, err = s.Commit(Closing{At: start, Operation: 1, Total: 1, Data: b}); err != nil {
			t.Error(err)
		}
		c := s.ShiftCounters()
		if c.Corrections[1].Count != 1 || c.Operations[1].Count != 1 {
			t.Errorf("%+v", c)
		}
	}
}

// The operator's queue and what blocks (format reference 4.2, 4.3).
func TestQueueAndBlocks(t *testing.T) {
	t.Parallel()
	s := opened(t, func(c *Config) { c.Accumulate = true; c.Expires = start.AddDate(0, 4, 0) })
	do(t, s, KindShiftClose, start, Closing{})
	if q := s.Queue(); q.Count != 3 || q.First.Number != 1 {
		t.Errorf("%+v", q)
	}
	later := start.Add(49 * time.Hour)
	if s.Status(later).Warnings != WarnOFDOverdue {
		t.Errorf("warnings %02X", s.Status(later).Warnings)
	}
	later = start.Add(30 * 24 * time.Hour)
	want(t, s.Begin(KindShiftOpen, later), ErrBlocked)
	s.Acknowledge(1)
	if q := s.Queue(); q.Count != 2 || q.First.Number != 2 {
		t.Errorf("%+v", q)
	}
	s.Acknowledge(-1)
	do(t, s, KindShiftOpen, later, Closing{})
	do(t, s, KindShiftClose, later, Closing{})
	for left, flags := range map[int]byte{29: WarnThirtyDays, 2: WarnThirtyDays | WarnThreeDays} {
		s.Acknowledge(-1)
		if got := s.Status(start.AddDate(0, 4, -left)).Warnings; got != flags {
			t.Errorf("%d days left: %02X", left, got)
		}
	}
	want(t, s.Begin(KindShiftOpen, start.AddDate(0, 4, 1)), ErrLifetime)
	s.SetArchiveMax(5)
	if s.Status(later).Warnings&WarnFull == 0 {
		t.Error("full archive without a warning")
	}
	want(t, s.Begin(KindShiftOpen, later), ErrExhausted)
}

func TestArchive(t *testing.T) {
	t.Parallel()
	s := opened(t, nil)
	d := do(t, s, KindReceipt, start, Closing{Operation: 1, Total: 80730, Data: body(80730)})
	full, err := s.TLV(d.Number, start)
	if err != nil {
		t.Fatal(err)
	}
	old, err := s.TLV(d.Number, start.AddDate(0, 0, 31))
	if err != nil || len(old) >= len(full) {
		t.Errorf("%d of %d bytes after a month, %v", len(old), len(full), err)
	}
	fields, err := ffd.Decode(full)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := ffd.Find(fields, ffd.TagFiscalSign)
	if sign, err := f.FiscalSign(); err != nil || sign != d.Sign {
		t.Errorf("sign %d, want %d, %v", sign, d.Sign, err)
	}
	_, err = s.Document(99)
	want(t, err, ErrNoData)
	d.Number, d.Sign = 9895, 3304159072
	if got, text := s.QR(d), "t=20261122T1000&s=807.30&fn=9999078900000001&i=9895&fp=3304159072&n=1"; got != text {
		t.Errorf("QR %s", got)
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	s := opened(t, nil)
	do(t, s, KindReceipt, start, Closing{Operation: 1, Total: 5, Data: body(5)})
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	other := storage(nil)
	if err := json.Unmarshal(b, other); err != nil {
		t.Fatal(err)
	}
	if got := other.Ledger(); len(got) != 3 || got[2].Total != 5 || !other.Shift().Open {
		t.Errorf("%+v", got)
	}
	d := do(t, other, KindReceipt, start, Closing{Operation: 2, Total: 5, Data: body(5)})
	if d.Number != 4 || d.Receipt != 2 {
		t.Errorf("%+v", d)
	}
	if err := json.Unmarshal([]byte(`{"Documents":[{"Number":2}]}`), other); err == nil {
		t.Error("a gap in the numbers was loaded")
	}
}

// Equal storages sign equally, so that a run can be repeated by its seed.
func TestSignsRepeat(t *testing.T) {
	t.Parallel()
	sign := func(seed uint64) uint32 {
		d, _ := storage(func(c *Config) { c.Seed = seed }).LastDocument()
		return d.Sign
	}
	first, again, other := sign(1), sign(1), sign(2)
	if first != again || first == other {
		t.Error("signs do not follow the seed")
	}
}

func TestOpenShiftDocumentsOfTheTaxOffice(t *testing.T) {
	t.Parallel()
	s := opened(t, nil)
	do(t, s, KindReceipt, start, Closing{Operation: 1, Total: 5, Data: body(5)})
	do(t, s, KindStateReport, start, Closing{})
	do(t, s, KindShiftClose, start, Closing{})
	e := s.LedgerSince(4)
	if len(e) != 1 || e[0].Form != FormShiftClose || e[0].ReceiptsInShift != 1 || e[0].DocumentsInShift != 4 {
		t.Errorf("%+v", e)
	}
	if _, there := ffd.Find(e[0].Fields, 1194); !there {
		t.Error("FFD 1.2 close report without counters")
	}
}
