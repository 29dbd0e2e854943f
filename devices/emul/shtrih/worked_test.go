package shtrih

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kassad/fiscal/ffd"
)

// worked mirrors the fields of the project's worked receipts that a printer
// can be asked for (format reference 7).
type worked struct {
	ID, FFD   string
	Form      int            `json:"document_form"`
	Operation byte           `json:"operation_1054"`
	Taxation  byte           `json:"taxation_1055"`
	Items     []workedItem   `json:"items"`
	Total     int64          `json:"total_1020"`
	Cash      int64          `json:"cash_1031"`
	Card      int64          `json:"electronic_1081"`
	Prepaid   int64          `json:"prepaid_1215"`
	Credit    int64          `json:"credit_1216"`
	Provision int64          `json:"provision_1217"`
	Tendered  int64          `json:"cash_tendered"`
	Change    int64          `json:"change"`
	Drawer    int64          `json:"drawer_delta"`
	Base      map[byte]int64 `json:"base_by_rate"`
	ByItem    map[byte]int64 `json:"vat_by_rate_sum_of_items"`
	OnTotal   map[byte]int64 `json:"vat_by_rate_on_total"`
}

type workedItem struct {
	Name     string
	Price    int64  `json:"price_1079"`
	Quantity string `json:"quantity_1023"`
	Unit     byte   `json:"unit_2108"`
	VAT      byte   `json:"vat_1199"`
	Method   byte   `json:"payment_method_1214"`
	Subject  byte   `json:"payment_object_1212"`
	Sum      int64  `json:"sum_1043"`
	VATSum   *int64 `json:"vat_sum_1200"`
}

type workedFile struct {
	Receipts []worked
	Shift    struct {
		Receipts []string
		Counters struct {
			Sale struct {
				Count   uint32 `json:"1135"`
				Sum     int64  `json:"1201"`
				Cash    int64  `json:"1136"`
				Card    int64  `json:"1138"`
				Prepaid int64  `json:"1218"`
				Credit  int64  `json:"1219"`
				VAT     map[byte]int64
			} `json:"1129"`
			Count uint32 `json:"1134"`
		} `json:"counters_1194"`
		Start int64 `json:"cash_in_drawer_start"`
		End   int64 `json:"cash_in_drawer_end"`
	} `json:"shift_example"`
}

// workedReceipts reads the project's copy of the worked receipts.
func workedReceipts(t *testing.T) workedFile {
	t.Helper()
	b, err := os.ReadFile("testdata/worked-receipts.json")
	if err != nil {
		t.Fatal(err)
	}
	var f workedFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func millionthsOf(t *testing.T, s string) int64 {
	t.Helper()
	whole, frac, _ := strings.Cut(s, ".")
	v, err := strconv.ParseInt(whole+(frac + "000000")[:6], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wireOf(code byte) byte {
	for _, r := range rates() {
		if r.code == code {
			return r.wire
		}
	}
	return 0
}

// elsewhere tells the receipts that are not made of items here: marked goods,
// which no command takes, and the correction by sums (TestCorrectionV2).
func (w worked) elsewhere() bool {
	marked := func(i workedItem) bool { return i.Subject == 31 || i.Subject == 33 }
	return len(w.Items) == 0 || slices.ContainsFunc(w.Items, marked)
}

// run sends one worked receipt and returns the change.
func (w worked) run(t *testing.T, p *Printer) int64 {
	t.Helper()
	kind := typeOfOperation(w.Operation)
	if w.Form == 31 {
		kind |= correctionBit
	}
	must(t, p, message(0x8D, kind))
	if w.Form == 31 {
		must(t, p, tag(ffd.TagCorrectionType, []byte{0}))
		day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		must(t, p, tag(ffd.TagCorrectionBasis, ffd.AppendTime(nil, ffd.TagCorrectionDate, day)))
	}
	for _, i := range w.Items {
		must(t, p, line(w.Operation, millionthsOf(t, i.Quantity), i.Price, wireOf(i.VAT), i.Method, i.Subject, i.Name))
		if w.FFD == "1.2" {
			must(t, p, message(0xFF4D, ffd.AppendByte(nil, ffd.TagUnit, i.Unit)...))
		}
	}
	tendered := max(w.Tendered, w.Cash)
	a := must(t, p, closing(w.Taxation, tendered, w.Card, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, w.Prepaid, w.Credit, w.Provision))
	return (&reader{b: a[3:]}).money()
}

// Every worked receipt comes out of the device with its figures, in both ways
// of computing VAT.
func TestWorkedReceipts(t *testing.T) {
	t.Parallel()
	for _, w := range workedReceipts(t).Receipts {
		if w.elsewhere() {
			continue
		}
		for _, onTurnover := range []bool{false, true} {
			t.Run(w.ID+map[bool]string{true: " on turnover"}[onTurnover], func(t *testing.T) {
				t.Parallel()
				w.check(t, onTurnover)
			})
		}
	}
}

func (w worked) check(t *testing.T, onTurnover bool) {
	cfg := Config{CashDrawer: 100_000_000, TaxOnTurnover: onTurnover, FFD: ffd.Version12}
	if w.FFD == "1.05" {
		cfg.FFD = ffd.Version105
	}
	p := New(cfg)
	must(t, p, message(0xE0))
	if change := w.run(t, p); change != w.Change {
		t.Errorf("change %d, want %d", change, w.Change)
	}
	e := p.Storage().Receipts()[0]
	if e.Total != w.Total || e.Cash != w.Cash || e.Card != w.Card || e.Prepaid != w.Prepaid || e.Credit != w.Credit || e.Provision != w.Provision {
		t.Errorf("payments: %+v", e)
	}
	want := w.ByItem
	if onTurnover {
		want = w.OnTotal
	}
	for c, v := range e.VAT {
		target := want[c]
		if c == vat0 || c == vatNone {
			target = w.Base[c]
		}
		if v != target {
			t.Errorf("VAT code %d: %d, want %d", c, v, target)
		}
	}
	for n, i := range w.Items {
		got := e.Items[n]
		if got.Sum != i.Sum || got.Quantity != millionthsOf(t, i.Quantity) || i.VATSum != nil && got.VATSum != *i.VATSum || got.Unit != i.Unit {
			t.Errorf("item %d: %+v, want %+v", n, got, i)
		}
	}
	if delta := p.Drawer() - 100_000_000; w.Form == 3 && delta != w.Drawer {
		t.Errorf("drawer moved by %d, want %d", delta, w.Drawer)
	}
}

// The worked shift (format reference 7): counters of the storage at its end.
func TestWorkedShift(t *testing.T) {
	t.Parallel()
	f := workedReceipts(t)
	p := New(Config{CashDrawer: f.Shift.Start})
	must(t, p, message(0xE0))
	for _, id := range f.Shift.Receipts {
		for _, w := range f.Receipts {
			if w.ID == id {
				w.run(t, p)
			}
		}
	}
	c, want := p.Storage().ShiftCounters(), f.Shift.Counters
	s := c.Operations[1]
	if c.Count() != want.Count || s.Count != want.Sale.Count || s.Sum != want.Sale.Sum || s.Cash != want.Sale.Cash ||
		s.Card != want.Sale.Card || s.Prepaid != want.Sale.Prepaid || s.Credit != want.Sale.Credit {
		t.Errorf("counters %+v, want %+v", s, want)
	}
	for code, v := range want.Sale.VAT {
		if s.VAT[code] != v {
			t.Errorf("VAT %d: %d, want %d", code, s.VAT[code], v)
		}
	}
	if p.Drawer() != f.Shift.End {
		t.Errorf("drawer %d, want %d", p.Drawer(), f.Shift.End)
	}
	must(t, p, message(0x41))
}
