package lifepay

import (
	"math/big"
	"testing"
)

func twoOf(method int, prices ...int) object {
	var list []object
	for _, p := range prices {
		list = append(list, object{"name": "Монитор", "price": p, "quantity": 1, "type": method})
	}
	return object{"products": list}
}

// The cases of section 3.2.
func TestPayments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		in     object
		state  State
		code   int
		pay    Payments
		total  Kopecks
		change Kopecks
	}{
		{"B1", object{"purchase": exampleA(), "cash_amount": 500}, StateProcessed, 0, Payments{Cash: 50000}, 23945, 26055},
		{"B2", object{"purchase": exampleA(), "card_amount": 100, "cash_amount": "#"}, StateProcessed, 0, Payments{Card: 10000, Cash: 13945}, 23945, 0},
		{"B3", object{"purchase": exampleA(), "card_amount": "#"}, StateProcessed, 0, Payments{Card: 23945}, 23945, 0},
		{"B4", object{"purchase": one(1000, 1), "card_amount": 700, "cash_amount": 500}, StateProcessed, 0, Payments{Card: 70000, Cash: 50000}, 100000, 20000},
		{"B5", object{"purchase": one(26990, 1), "cash_amount": 15000, "card_amount": "#"}, StateProcessed, 0, Payments{Cash: 1500000, Card: 1199000}, 2699000, 0},
		{"B6", object{"purchase": twoOf(5, 20730, 3710), "credit_amount": 20000, "cash_amount": "#"}, StateProcessed, 0, Payments{Credit: 2000000, Cash: 444000}, 2444000, 0},
		{"B7", object{"purchase": twoOf(7, 5000, 5000), "card_amount": "#"}, StateProcessed, 0, Payments{Card: 1000000}, 1000000, 0},
		{"B8", object{"purchase": twoOf(4, 20730, 3710), "credit_amount": 20000, "cash_amount": "#"}, StateProcessed, 0, Payments{Credit: 2000000, Cash: 444000}, 2444000, 0},
		{"B9", object{"type": "refund", "card_amount": "#", "purchase": object{"products": []object{
			{"name": "Пылесос", "price": "9500.59", "quantity": "1", "tax": "vat18", "discount": object{"type": "percent", "value": 33}},
		}}}, StateProcessed, 0, Payments{Card: 636540}, 636540, 0},
		{"B10", object{"purchase": exampleA(), "card_amount": 240}, StateError, CodeNonCash, Payments{Card: 24000}, 23945, 55},
		{"mobile", object{"purchase": one(10, 1), "mc_amount": "4.00", "prepayment_amount": "#"}, StateProcessed, 0, Payments{MC: 400, Prepayment: 600}, 1000, 0},
		{"nothing to pay", object{"purchase": one(0, 1)}, StateProcessed, 0, Payments{}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := service(t, Config{})
			d := accepted(t, s, createReceipt, body(tt.in))
			if d.State != tt.state || d.ErrorCode != tt.code || d.Payments != tt.pay || d.Total != tt.total || d.Change != tt.change {
				t.Errorf("%s %d, paid %+v of %s, change %s", d.State, d.ErrorCode, d.Payments, d.Total, d.Change)
			}
			list := s.Storage(DemoPrinter).Receipts()
			if made := tt.state == StateProcessed; made != (len(list) == 1) {
				t.Fatalf("%d receipts", len(list))
			}
			if len(list) == 1 && (list[0].FD != d.FD || list[0].FP != d.FP || list[0].Total != int64(tt.total) ||
				list[0].Cash+list[0].Card+list[0].Prepaid+list[0].Credit != int64(tt.total)) {
				t.Errorf("in the storage: %+v", list[0])
			}
		})
	}
}

func TestPaymentsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		opt    Options
		in     object
		code   int
		fields []string
	}{
		{"B11", Options{}, object{"purchase": exampleA(), "cash_amount": 200}, 400, []string{"cash_amount"}},
		{"none", Options{}, object{"purchase": exampleA()}, 400, []string{"card_amount"}},
		{"two rests", Options{}, object{"purchase": exampleA(), "cash_amount": "#", "card_amount": "#"}, 400, []string{"card_amount", "cash_amount"}},
		{"negative rest", Options{}, object{"purchase": exampleA(), "cash_amount": 240, "card_amount": "#"}, 400, []string{"card_amount"}},
		{"negative", Options{}, object{"purchase": exampleA(), "cash_amount": -1, "card_amount": "#"}, 400, []string{"cash_amount"}},
		{"three decimals", Options{}, object{"purchase": exampleA(), "cash_amount": "239.455"}, 400, []string{"cash_amount"}},
		{"words", Options{}, object{"purchase": exampleA(), "cash_amount": "all"}, 400, []string{"cash_amount"}},
		{"B10 by the service", Options{NonCashOver: NonCashByCode}, object{"purchase": exampleA(), "card_amount": 240}, CodeNonCash, nil},
		{"B10 by field", Options{NonCashOver: NonCashByField}, object{"purchase": exampleA(), "card_amount": 240}, 400, []string{"card_amount"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := service(t, Config{Options: tt.opt})
			wantRefusal(t, s, createReceipt, body(tt.in), tt.code, tt.fields...)
		})
	}
}

func wantRefusal(t *testing.T, s *Service, path string, in object, code int, fields ...string) reply {
	t.Helper()
	r := post(t, s, path, in)
	if r.Status != 200 || r.Code != code || len(r.Fields) != len(fields) {
		t.Errorf("HTTP %d %s, want code %d with %v", r.Status, r.Text, code, fields)
	}
	for _, f := range fields {
		if len(r.Fields[f]) == 0 {
			t.Errorf("%s has no text for %s", r.Text, f)
		}
	}
	if len(s.Documents()) != 0 {
		t.Error("a refused request made a document")
	}
	return r
}

func TestNoPaymentIsCash(t *testing.T) {
	t.Parallel()
	s := service(t, Config{Options: Options{NoPaymentIsCash: true}})
	if d := accepted(t, s, createReceipt, body(object{"purchase": exampleA()})); d.Payments != (Payments{Cash: 23945}) {
		t.Errorf("%+v", d.Payments)
	}
}

// The table of section 3.3.
func TestRounding(t *testing.T) {
	t.Parallel()
	tests := []struct {
		price, quantity, percent       string
		halfUp, halfEven, cut, unitOff Kopecks
	}{
		{"33.33", "3", "10", 8999, 8999, 8999, 9000},
		{"10.05", "0.1", "", 101, 100, 100, 101},
		{"19.99", "3", "15", 5097, 5097, 5097, 5097},
		{"99.99", "0.3333", "7.5", 3083, 3083, 3082, 3083},
		{"0.01", "0.5", "", 1, 0, 0, 1},
		{"9500.59", "1", "33", 636540, 636540, 636539, 636540},
	}
	for _, tt := range tests {
		var d discount
		if tt.percent != "" {
			d = discount{percent: true, value: rat(t, tt.percent)}
		}
		for mode, want := range map[Rounding]Kopecks{HalfUp: tt.halfUp, HalfEven: tt.halfEven, Truncate: tt.cut, UnitHalfUp: tt.unitOff} {
			got, ok := mode.net(rat(t, tt.price), rat(t, tt.quantity), d)
			if !ok || got != want {
				t.Errorf("%s x %s, %s%% %s: got %s, want %s", tt.price, tt.quantity, tt.percent, mode, got, want)
			}
		}
	}
}

func rat(t *testing.T, s string) *big.Rat {
	t.Helper()
	r, ok := decimal(s)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"1": "1", " 1.50 ": "3/2", "1e-3": "1/1000", "-2E2": "-200", "+0.1": "1/10"} {
		if r, ok := decimal(in); !ok || r.RatString() != want {
			t.Errorf("%q: %v %v", in, r, ok)
		}
	}
	for _, in := range []string{"", "#", "1/2", "0x10", "1e999999999", "1,5", "1_000", ".5", "Inf", "123456789012345678901"} {
		if r, ok := decimal(in); ok {
			t.Errorf("%q: %v", in, r)
		}
	}
}

func TestKopecks(t *testing.T) {
	t.Parallel()
	for k, want := range map[Kopecks]string{0: "0.00", 5: "0.05", 123456: "1234.56", -5: "-0.05"} {
		if k.String() != want {
			t.Errorf("%d: %s", int64(k), k)
		}
	}
}

func TestVAT(t *testing.T) {
	t.Parallel()
	// Example A at the rates of its time, section 3.1.
	for _, tt := range []struct {
		name string
		sum  Kopecks
		want Kopecks
	}{{"vat18", 9900, 1510}, {"vat18", 2700, 412}, {"vat10", 11345, 1031}, {"none", 100, 0}, {"vat22", 12200, 2200}, {"vat107", 10700, 700}} {
		if got := vats[tt.name].of(tt.sum); got != tt.want {
			t.Errorf("%s of %s: %s, want %s", tt.name, tt.sum, got, tt.want)
		}
	}
	for _, name := range KnownTaxes() {
		if vats[name].code == 0 {
			t.Errorf("%s has no code", name)
		}
	}
}
