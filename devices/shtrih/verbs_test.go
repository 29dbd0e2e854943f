package shtrih

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
)

func TestPrintVerbs(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		ctx := context.Background()
		for name, f := range map[string]func() error{
			"40h": func() error { return d.PrintXReport(ctx) },
			"8Ch": func() error { return d.PrintCopy(ctx) },
			"28h": func() error { return d.OpenDrawer(ctx) },
			"25h": func() error { return d.PrintText(ctx, []string{"Слоган", "", strings.Repeat("-", 40)}, true) },
		} {
			if err := f(); err != nil || s.count(name) != 1 {
				t.Errorf("%s: %v, %d", name, err, s.count(name))
			}
		}
		if s.count("17h") != 4 {
			t.Errorf("%d lines", s.count("17h"))
		}
		s.refuse["17h"] = []byte{0, 0x6B}
		wantError(t, d.PrintText(ctx, []string{"a", "b"}, false), fiscal.CodePaperOut, fiscal.OutcomeUnknown)
		s.refuse["40h"] = []byte{0x6B}
		wantError(t, d.PrintXReport(ctx), fiscal.CodePaperOut, fiscal.OutcomeRejected)
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.store(storedDocument{form: 2, shift: 7})
		s.receipt = 0
		st, err := d.Status(context.Background())
		if err != nil || !st.Shift.Open || st.Shift.Number != 7 || st.FN.LastFD != 101 || !st.Paper || !st.Cover || st.Shift.OpenedAt.IsZero() ||
			len(st.Conditions) != 0 {
			t.Errorf("%+v, %v", st, err)
		}
		s.mode, s.submode = modeExpired, submodePaperEnded
		st, err = d.Status(context.Background())
		if err != nil || !st.Shift.Expired || st.Paper || !slices.Equal(st.Conditions, []fiscal.Code{fiscal.CodePaperOut, fiscal.CodeShiftExpired}) ||
			!slices.Equal(st.Warnings, []fiscal.Code{fiscal.CodePaperOwed}) {
			t.Errorf("%+v, %v", st, err)
		}
		info, err := d.Info(context.Background())
		if err != nil || info.Serial != "0001234" || info.FFD != fiscal.FFD12 || info.Model != "M-01F" {
			t.Errorf("%+v, %v", info, err)
		}
	})
}

func TestSetClock(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		wantError(t, d.SetClock(context.Background(), time.Now()), fiscal.CodePrinterBusy, fiscal.OutcomeRejected)
		s.mode = modeClosed
		if err := d.SetClock(context.Background(), time.Now().Add(time.Minute)); err != nil || s.count("21h") != 1 || s.count("22h") != 0 {
			t.Errorf("%v, log %v", err, s.log)
		}
		if err := d.SetClock(context.Background(), time.Now().Add(48*time.Hour)); err != nil || s.count("22h") != 1 || s.count("23h") != 1 {
			t.Errorf("%v, log %v", err, s.log)
		}
		wantError(t, d.SetClock(context.Background(), time.Now().Add(-time.Hour)), fiscal.CodeClockWrong, fiscal.OutcomeRejected)
	})
}

func TestCounters(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.registers = map[uint64]uint64{
			4292: 5, 4293: 2, 4294: 70000, 4295: 30000, 4296: 40000, 4306: 1, 4307: 100, 4308: 100,
			221: 50000, 209: 20000, 225: 3333, 4345: 1, 4346: 1, 4347: 500, 4231: 999,
		}
		s.cashIn, s.cashInCount, s.drawer = 1000, 1, 30900
		c, err := d.Counters(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		sale := c.ByKind[fiscal.Sale]
		if sale.Count != 2 || sale.Total != 70000 || sale.Payments.Cash != 30000 || sale.Payments.Card != 40000 {
			t.Errorf("sale %+v", sale)
		}
		if v := sale.VAT[fiscal.VAT20]; v == nil || *v.Base != 20000 || *v.Tax != 3333 || *sale.VAT[fiscal.VATNone].Base != 50000 || len(sale.VAT) != 2 {
			t.Errorf("VAT %+v", sale.VAT)
		}
		if c.ByKind[fiscal.Refund].Total != 100 || c.ByKind[fiscal.Buy].Count != 0 || *c.Corrections[fiscal.Sale] != (fiscal.Tally{Count: 1, Total: 500}) ||
			*c.CashIn != (fiscal.Tally{Count: 1, Total: 1000}) || *c.Drawer != 30900 || c.GrandTotals[fiscal.Sale] != 999 {
			t.Errorf("%+v", c)
		}
	})
}

// Every kind has registers of its own: of its rates, its corrections, its total of a
// lifetime.
func TestCountersOfEachKind(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.registers = map[uint64]uint64{4292: 9, 4345: 9}
		for i, kind := range allKinds() {
			of := uint64(receiptType(kind))
			n := uint64(i + 1)
			s.registers[4293+13*uint64(i)], s.registers[4294+13*uint64(i)] = n, 1000*n
			s.registers[209+of], s.registers[225+of] = 600*n, 100*n
			s.registers[4346+2*uint64(i)], s.registers[4347+2*uint64(i)] = n, 10*n
			s.registers[4231+13*uint64(i)] = 7000 * n
		}
		c, err := d.Counters(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for i, kind := range allKinds() {
			n, k := fiscal.Money(i+1), c.ByKind[kind]
			if k.Count != uint32(n) || k.Total != 1000*n || c.GrandTotals[kind] != 7000*n || *c.Corrections[kind] != (fiscal.Tally{Count: uint32(n), Total: 10 * n}) {
				t.Errorf("%s: %+v, corrections %+v, ever %s", kind, k, c.Corrections[kind], c.GrandTotals[kind])
			}
			if v := k.VAT[fiscal.VAT20]; v == nil || *v.Base != 600*n || v.Tax == nil || *v.Tax != 100*n {
				t.Errorf("%s: VAT %+v", kind, v)
			}
		}
	})
}

// A device without the storage's registers: its own are used, and what it does
// not have is absent.
func TestCountersOfOldDevice(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.lacks = func(n uint64) bool { return n > 255 }
		s.counts = map[byte]uint32{144: 3, 146: 1}
		s.registers = map[uint64]uint64{193: 100, 197: 30, 201: 20, 195: 7} // two kinds that are no cash
		c, err := d.Counters(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if k := c.ByKind[fiscal.Sale]; k.Count != 3 || k.Total != 150 || k.Payments.Cash != 100 || k.Payments.Card != 50 {
			t.Errorf("sale %+v", k)
		}
		if k := c.ByKind[fiscal.Refund]; k.Count != 1 || k.Total != 7 {
			t.Errorf("refund %+v", k)
		}
		if c.Corrections != nil || c.GrandTotals != nil || c.FirstFD != 0 {
			t.Errorf("not absent: %+v", c)
		}
	})
}

func TestProbeLink(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		l, err := s.dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		f, err := probeLink(context.Background(), l, greeting{reply: probePatient, tries: 2}, Asking{Log: d.log})
		if err != nil || f.Model != "M-01F" || f.Serial != "0001234" {
			t.Errorf("%+v, %v", f, err)
		}
	})
}
