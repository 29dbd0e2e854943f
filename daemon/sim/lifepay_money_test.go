package sim

import (
	"testing"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// roundings are all that the service might do; nobody knows.
var roundings = []lifepay.Rounding{lifepay.HalfUp, lifepay.HalfEven, lifepay.Truncate, lifepay.UnitHalfUp}

// rounded runs a case at services that round in each way.
func rounded(t *testing.T, run func(t *testing.T, s *Shop, till *Till)) {
	t.Helper()
	for _, mode := range roundings {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{
				cloud:  lifepay.Config{Options: lifepay.Options{Rounding: mode}},
				config: func(c *daemon.LifePayConfig) { c.Rounding = "as-one" },
			}.open(t)
			run(t, s, till)
		})
	}
}

// entryOf is the fiscal document of an answer, as the tax office sees it.
func entryOf(t *testing.T, s *Shop, a Answer) fn.Entry {
	t.Helper()
	for _, e := range s.LifePay.Ledger()[a.Fiscal.FN] {
		if e.FD == a.Fiscal.FD {
			return e
		}
	}
	t.Fatalf("the tax office has not seen %s", a.Raw)
	return fn.Entry{}
}

// The vendor's own example (reference 3.1, 3.2): three products, 239.45.
func TestLifePayExample(t *testing.T) {
	t.Parallel()
	example := func(payments obj) obj {
		return byMail(payments,
			item("Ананас", "110", "1", "vat22", obj{"discount": obj{"percent": 10}}),
			item("Картофель", "15", "2", "vat22", obj{"unit": "kg", "discount": obj{"percent": 10}}),
			item("Кешью", "1200", "0.1", "vat10", obj{"unit": "kg", "discount": obj{"amount": "6.55"}}))
	}
	rounded(t, func(t *testing.T, s *Shop, till *Till) {
		for _, tt := range []struct {
			payments   obj
			change     fiscal.Money
			cash, card int64
			tendered   lifepay.Kopecks
		}{
			{payments: obj{"cash": 500}, change: 26055, cash: 23945, tendered: 50000},
			{payments: obj{"card": 100, "cash": "#"}, cash: 13945, card: 10000, tendered: 13945},
			{payments: obj{"card": "#"}, card: 23945},
		} {
			a := must(t, till, fiscal.VerbSale, example(tt.payments))
			e, d := entryOf(t, s, a), one(t, s, extID(s, a.ID, 1))
			if a.Fiscal.Total != 23945 || a.Fiscal.Change != tt.change || e.Total != 23945 || e.Cash != tt.cash || e.Card != tt.card {
				t.Errorf("%v: %d, %d in cash, %d by card, told %s", tt.payments, e.Total, e.Cash, e.Card, a.Raw)
			}
			if d.Payments.Cash != tt.tendered || fiscal.Money(d.Change) != tt.change {
				t.Errorf("%v: the service took %+v, change %s", tt.payments, d.Payments, d.Change)
			}
			sums := []int64{9900, 2700, 11345}
			for i, it := range e.Items {
				if it.Sum != sums[i] {
					t.Errorf("%v: item %d is %d", tt.payments, i, it.Sum)
				}
			}
		}
	})
}

// Lines that are no whole kopecks (reference 3.3) cost the same whatever the
// service does to a half: their sums are ours.
func TestLifePayRounding(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, price, quantity string
		percent               string
		total                 int64
	}{
		{"33.33 × 3, 10 %", "33.33", "3", "10", 9000},
		{"10.05 × 0.1", "10.05", "0.1", "", 101},
		{"19.99 × 3, 15 %", "19.99", "3", "15", 5097},
		{"99.99 × 0.3333, 7.5 %", "99.99", "0.3333", "7.5", 3083},
		{"0.01 × 0.5", "0.01", "0.5", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rounded(t, func(t *testing.T, s *Shop, till *Till) {
				it := item("Кешью", tt.price, tt.quantity, "vat10", obj{"unit": "kg"})
				if tt.percent != "" {
					it["discount"] = obj{"percent": tt.percent}
				}
				a := must(t, till, fiscal.VerbSale, byMail(obj{"card": "#"}, it))
				if e := entryOf(t, s, a); e.Total != tt.total || e.Card != tt.total || int64(a.Fiscal.Total) != tt.total {
					t.Errorf("the tax office has %d, told %s", e.Total, a.Raw)
				}
			})
		})
	}
}

// Money first, goods later (reference 2.10), and a credit of two instalments
// (3.2).
func TestLifePayPrepaymentAndCredit(t *testing.T) {
	t.Parallel()
	s, till := lifePay{}.open(t)
	monitor := func(price, method string) obj {
		return item("Монитор", price, "1", "vat22", obj{"method": method})
	}
	for _, tt := range []struct {
		body   obj
		method uint8
		want   fn.Entry
	}{
		{byMail(obj{"card": "#"}, monitor("20730", "prepayment")), 1, fn.Entry{Total: 2073000, Card: 2073000}},
		{byMail(obj{"prepayment": 20730}, monitor("20730", "full-payment")), 4, fn.Entry{Total: 2073000, Prepaid: 2073000}},
		{byMail(obj{"credit": 20000, "cash": "#"}, monitor("24440", "partial-payment-and-credit")), 5, fn.Entry{Total: 2444000, Credit: 2000000, Cash: 444000}},
		{byMail(obj{"card": "#"}, monitor("10000", "credit-payment")), 7, fn.Entry{Total: 1000000, Card: 1000000}},
		{byMail(obj{"card": "#"}, monitor("10000", "credit-payment")), 7, fn.Entry{Total: 1000000, Card: 1000000}},
	} {
		e := entryOf(t, s, must(t, till, fiscal.VerbSale, tt.body))
		got := fn.Entry{Total: e.Total, Cash: e.Cash, Card: e.Card, Prepaid: e.Prepaid, Credit: e.Credit}
		if got.Total != tt.want.Total || got.Cash != tt.want.Cash || got.Card != tt.want.Card || got.Prepaid != tt.want.Prepaid || got.Credit != tt.want.Credit {
			t.Errorf("%v: %+v", tt.body["payments"], got)
		}
		if uint8(e.Items[0].Method) != tt.method {
			t.Errorf("method %d, want %d", e.Items[0].Method, tt.method)
		}
	}
	for code, payments := range map[fiscal.Code]obj{fiscal.CodeNoncashOverTotal: {"card": 240}, fiscal.CodePaymentsShort: {"cash": 200}} {
		a, err := till.Call(t.Context(), fiscal.VerbSale, byMail(payments, item("Набор", "239.45", "1", "vat22", nil)))
		if err != nil || a.State != fiscal.Rejected || a.Error.Code != code {
			t.Errorf("%v: %v, %s", payments, err, a.Raw)
		}
	}
}
