package fiscal

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// sale is a sane draft paid by card.
func sale(items ...Item) Draft {
	return Draft{ID: "1", Verb: VerbSale, At: workedAt, Items: items, Rest: TenderCard}
}

func piece(price Money, n int64) Item {
	return Item{Name: "Товар", Price: price, Quantity: Quantity(n) * QuantityUnit, VAT: VAT22}
}

func weighed(price Money, q Quantity) Item {
	return Item{Name: "Сыр", Price: price, Quantity: q, Unit: 11, VAT: VAT10}
}

// priced is price × quantity of one line.
type priced struct {
	price    Money
	quantity Quantity
}

func TestDiscounts(t *testing.T) {
	t.Parallel()
	one := QuantityUnit
	percent := func(it Item, p Percent) Item { it.Discount.Percent = p; return it }
	amount := func(it Item, m Money) Item { it.Discount.Amount = m; return it }
	tests := []struct {
		name     string
		items    []Item
		discount Discount
		want     []priced
	}{
		{"none", []Item{piece(11000, 1)}, Discount{}, []priced{{11000, one}}},
		{"percent goes into the price first", []Item{percent(piece(11000, 1), 1000)}, Discount{}, []priced{{9900, one}}},
		{"percent rounds the price half up", []Item{percent(piece(105, 3), 1000)}, Discount{}, []priced{{95, 3 * one}}},
		{"amount divides", []Item{amount(piece(1000, 3), 300)}, Discount{}, []priced{{900, 3 * one}}},
		{"amount splits", []Item{amount(piece(1000, 3), 100)}, Discount{}, []priced{{966, 1 * one}, {967, 2 * one}}},
		{"amount is everything", []Item{amount(piece(1000, 3), 3000)}, Discount{}, []priced{{0, 3 * one}}},
		{"receipt percent after item percent", []Item{percent(piece(1000, 1), 1000)}, Discount{Percent: 1000}, []priced{{810, one}}},
		{"receipt percent after item amount", []Item{amount(piece(1000, 3), 100)}, Discount{Percent: 1000}, []priced{{869, one}, {870, 2 * one}}},
		{"proportional", []Item{piece(30000, 1), piece(10000, 1)}, Discount{Amount: 4000}, []priced{{27000, one}, {9000, one}}},
		{"largest fractional part", []Item{piece(100, 1), piece(200, 1)}, Discount{Amount: 1}, []priced{{100, one}, {199, one}}},
		{"tie goes to the first", []Item{piece(100, 1), piece(100, 1), piece(100, 1)}, Discount{Amount: 2}, []priced{{99, one}, {99, one}, {100, one}}},
		{"weighed, the price below hits", []Item{amount(weighed(10000, 500_000), 1)}, Discount{}, []priced{{9998, 500_000}}},
		{"weighed, the kopeck goes to a piece", []Item{weighed(10000, 2_000_000-100_000), piece(10000, 1)}, Discount{Amount: 15}, []priced{{9995, 1_900_000}, {9994, one}}},
		{"weighed alone splits off whole units", []Item{amount(weighed(10000, 2_500_000), 1)}, Discount{}, []priced{{9999, 1_500_000}, {10000, one}}},
		{"a free piece takes no kopeck", []Item{piece(0, 1), weighed(10000, 1_900_000)}, Discount{Amount: 7}, []priced{{0, one}, {9996, 900_000}, {9997, one}}},
		{"free items stay free", []Item{piece(0, 1), piece(100, 1)}, Discount{Amount: 50}, []priced{{0, one}, {50, one}}},
		{"discount of nothing", []Item{piece(0, 1)}, Discount{Amount: 0}, []priced{{0, one}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := sale(tt.items...)
			d.Discount = tt.discount
			doc, err := d.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			var got []priced
			for _, l := range doc.Lines {
				got = append(got, priced{l.Price, l.Quantity})
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPayments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		paid   Payments
		rest   Tender
		want   Payments
		change Money
		code   Code
	}{
		{name: "exact", paid: Payments{Cash: 10000}, want: Payments{Cash: 10000}},
		{name: "change from cash", paid: Payments{Cash: 50000}, want: Payments{Cash: 10000}, change: 40000},
		{name: "card and cash", paid: Payments{Cash: 5000, Card: 7000}, want: Payments{Cash: 3000, Card: 7000}, change: 2000},
		{name: "rest by card", paid: Payments{Cash: 2500}, rest: TenderCard, want: Payments{Cash: 2500, Card: 7500}},
		{name: "rest by other", rest: TenderOther, want: Payments{Other: 10000}},
		{name: "rest is nothing", paid: Payments{Cash: 20000}, rest: TenderCard, want: Payments{Cash: 10000}, change: 10000},
		{name: "nothing paid", code: CodePaymentsShort},
		{name: "a kopeck short", paid: Payments{Card: 9999}, code: CodePaymentsShort},
		{name: "a kopeck over", paid: Payments{Card: 10001}, code: CodeNoncashOverTotal},
		{name: "over with rest", paid: Payments{Card: 10001}, rest: TenderCash, code: CodeNoncashOverTotal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := sale(piece(10000, 1))
			d.Payments, d.Rest = tt.paid, tt.rest
			doc, err := d.Resolve()
			if tt.code != "" {
				wantCode(t, err, tt.code, "payments")
				return
			}
			if err != nil || doc.Payments != tt.want || doc.Change != tt.change {
				t.Errorf("got %+v change %s, %v", doc.Payments, doc.Change, err)
			}
		})
	}
}

func TestZeroTotalIsLegal(t *testing.T) {
	t.Parallel()
	d := sale(piece(0, 1))
	d.Rest = NoTender
	if doc, err := d.Resolve(); err != nil || doc.Total != 0 || doc.Payments != (Payments{}) {
		t.Errorf("got %+v, %v", doc, err)
	}
}

func TestResolveDefaults(t *testing.T) {
	t.Parallel()
	it := piece(100, 1)
	it.Name, it.Additional = "  «Ананас» — 1 м² ", " ещё "
	doc, err := sale(it, Item{Method: Advance, Subject: PaymentSubject, Price: 100, Quantity: QuantityUnit, VAT: VAT122}).Resolve()
	if err != nil {
		t.Fatal(err)
	}
	l := doc.Lines[0]
	if l.Name != `"Ананас" - 1 м2` || l.Additional != "ещё" || l.Method != FullPayment || l.Subject != Goods || l.Department != 1 || l.Tax != 18 {
		t.Errorf("got %+v", l)
	}
	if doc.Lines[1].Name != "Аванс" {
		t.Errorf("an advance is named %q", doc.Lines[1].Name)
	}
	if doc.Kind != Sale || doc.ID != "1" || !doc.At.Equal(workedAt) {
		t.Errorf("got %+v", doc)
	}
}

func TestResolveLeavesTheDraftAlone(t *testing.T) {
	t.Parallel()
	it := piece(100, 1)
	it.Agent = &Agent{Type: OtherAgent, Supplier: Supplier{INN: "7707083893", Phones: []string{"+7 495 000-00-00"}}}
	d := sale(it)
	doc, err := d.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if d.Items[0].Agent.Supplier.Phones[0] != "+7 495 000-00-00" || doc.Lines[0].Agent.Supplier.Phones[0] != "+74950000000" {
		t.Errorf("draft %v, document %v", d.Items[0].Agent, doc.Lines[0].Agent)
	}
}

func TestContacts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"+79161234567": "+79161234567", "8 (916) 123-45-67": "+79161234567", "79161234567": "+79161234567", " 9161234567 ": "+79161234567",
		"a@b.ru": "a@b.ru", " buyer@xn--80akhbyknj4f.xn--p1ai ": "buyer@xn--80akhbyknj4f.xn--p1ai",
	} {
		if got, ok := NormalContact(in); !ok || got != want {
			t.Errorf("%q: got %q, %t", in, got, ok)
		}
	}
	for _, in := range []string{"", "+7916123456", "+89161234567", "+375291234567", "123", "a@b", "a@b@c.ru", "@b.ru", "почта@домен.рф", "a b@c.ru", "a@.ru", "a@b..ru", "none"} {
		if got, ok := NormalContact(in); ok {
			t.Errorf("%q is taken for %q", in, got)
		}
	}
}

func TestOtherVerbs(t *testing.T) {
	t.Parallel()
	cashier := Cashier{Name: "Иванова А.", INN: "500100732259"}
	for _, tt := range []struct {
		name  string
		draft Draft
		code  Code
		field string
	}{
		{"shift-open", Draft{Verb: VerbShiftOpen, At: workedAt, Cashier: cashier}, "", ""},
		{"shift-close without at", Draft{Verb: VerbShiftClose}, CodeBadValue, "at"},
		{"cash-in", Draft{Verb: VerbCashIn, At: workedAt, Amount: 1}, "", ""},
		{"cash-out of nothing", Draft{Verb: VerbCashOut, At: workedAt}, CodeBadValue, "amount"},
		{"cash-in of too much", Draft{Verb: VerbCashIn, At: workedAt, Amount: MoneyMax + 1}, CodeBadValue, "amount"},
		{"drawer", Draft{Verb: VerbDrawer}, "", ""},
		{"text", Draft{Verb: VerbText, Text: []string{"", "  до свидания"}}, "", ""},
		{"empty text", Draft{Verb: VerbText}, CodeEmpty, "lines"},
		{"long text", Draft{Verb: VerbText, Text: make([]string, TextLinesMax+1)}, CodeTooLarge, "lines"},
		{"wide text", Draft{Verb: VerbText, Text: []string{strings.Repeat("x", TextLineMaxChars+1)}}, CodeTooLong, "lines[0]"},
		{"query", Draft{Verb: VerbQuery}, CodeUnknownVerb, ""},
		{"cashier of a company", Draft{Verb: VerbShiftOpen, At: workedAt, Cashier: Cashier{INN: "7707083893"}}, CodeBadValue, "cashier.inn"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc, err := tt.draft.Resolve()
			if tt.code != "" {
				wantCode(t, err, tt.code, tt.field)
			} else if err != nil || doc.Verb != tt.draft.Verb {
				t.Errorf("got %+v, %v", doc, err)
			}
		})
	}
}

func TestRefusedReceipts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code   Code
		field  string
		change func(d *Draft)
	}{
		{CodeEmpty, "items", func(d *Draft) { d.Items = nil }},
		{CodeTooLarge, "items", func(d *Draft) { d.Items = slices.Repeat(d.Items, ItemsMax+1) }},
		{CodeTooLarge, "items", func(d *Draft) {
			d.Items = slices.Repeat([]Item{piece(1000, 7)}, ItemsMax)
			d.Discount.Amount = 1234
		}},
		{CodeBadValue, "items[0].name", func(d *Draft) { d.Items[0].Name = " " }},
		{CodeNotEncodable, "items[0].name", func(d *Draft) { d.Items[0].Name = "шляпа 🎩" }},
		{CodeNotEncodable, "items[0].name", func(d *Draft) { d.Items[0].Name = "a\nb" }},
		{CodeNotEncodable, "items[0].name", func(d *Draft) { d.Items[0].Name = "║" }},
		{CodeBadValue, "items[0].price", func(d *Draft) { d.Items[0].Price = -1 }},
		{CodeBadValue, "items[0].quantity", func(d *Draft) { d.Items[0].Quantity = QuantityMax + 1 }},
		{CodeBadValue, "items[0].quantity", func(d *Draft) { d.Items[0] = piece(MoneyMax, 2) }},
		{CodeBadValue, "items", func(d *Draft) { d.Items = []Item{piece(MoneyMax, 1), piece(1, 1)} }},
		{CodeBadValue, "items[0].vat", func(d *Draft) { d.Items[0].VAT = 0 }},
		{CodeBadValue, "items[0].vat", func(d *Draft) { d.Items[0].VAT = 13 }},
		{CodeBadValue, "items[0].method", func(d *Draft) { d.Items[0].Method = 8 }},
		{CodeBadValue, "items[0].subject", func(d *Draft) { d.Items[0].Subject = 28 }},
		{CodeMarkingUnsupported, "items[0].subject", func(d *Draft) { d.Items[0].Subject = MarkedGoodsNoCode }},
		{CodeBadValue, "items[0].unit", func(d *Draft) { d.Items[0].Unit = 1 }},
		{CodeBadValue, "items[0].department", func(d *Draft) { d.Items[0].Department = 17 }},
		{CodeTooLong, "items[0].additional", func(d *Draft) { d.Items[0].Additional = strings.Repeat("a", 65) }},
		{CodeBadValue, "items[0].discount", func(d *Draft) { d.Items[0].Discount = Discount{Percent: 1, Amount: 1} }},
		{CodeBadValue, "items[0].discount.percent", func(d *Draft) { d.Items[0].Discount.Percent = PercentMax + 1 }},
		{CodeBadValue, "items[0].discount.amount", func(d *Draft) { d.Items[0].Discount.Amount = 10001 }},
		{CodeBadValue, "discount.amount", func(d *Draft) { d.Discount.Amount = 10001 }},
		{CodeBadValue, "items[0].sum", func(d *Draft) { d.Items[0].Sum = new(Money(9998)) }},
		{CodeBadValue, "total", func(d *Draft) { d.Total = new(Money(9999)) }},
		{CodeBadValue, "items[0].agent.type", func(d *Draft) { d.Items[0].Agent = &Agent{} }},
		{CodeBadValue, "items[0].agent.supplier.inn", func(d *Draft) { d.Items[0].Agent = &Agent{Type: OtherAgent} }},
		{CodeBadValue, "items[0].agent.supplier.name", func(d *Draft) { d.Items[0].Agent = &Agent{Type: OtherAgent, Supplier: Supplier{INN: noINN}} }},
		{CodeBadValue, "items[0].agent.supplier.phones[0]", func(d *Draft) {
			d.Items[0].Agent = &Agent{Type: OtherAgent, Supplier: Supplier{INN: noINN, Phones: []string{"8 495"}}}
		}},
		{CodeBadValue, "customer", func(d *Draft) { d.Customer = "мама" }},
		{CodeTooLong, "customer", func(d *Draft) { d.Customer = strings.Repeat("a", 60) + "@b.ru" }},
		{CodeBadValue, "customer", func(d *Draft) { d.Internet = true }},
		{CodeBadValue, "buyer.inn", func(d *Draft) { d.Buyer.INN = "7707083894" }},
		{CodeTooLong, "cashier.name", func(d *Draft) { d.Cashier.Name = strings.Repeat("И", 65) }},
		{CodeTooLong, "additional", func(d *Draft) { d.Additional = strings.Repeat("1", 17) }},
		{CodeBadValue, "taxation", func(d *Draft) { d.Taxation = 8 }},
		{CodeBadValue, "payments.cash", func(d *Draft) { d.Payments.Cash = -1 }},
		{CodeBadValue, "payments.card", func(d *Draft) { d.Payments.Card = MoneyMax + 1 }},
		{CodeBadValue, "at", func(d *Draft) { d.At = time.Time{} }},
		{CodeBadValue, "payments.credit", func(d *Draft) { d.Items[0].Method, d.Rest = Credit, TenderOther }},
	}
	for _, tt := range tests {
		t.Run(string(tt.code)+" "+tt.field, func(t *testing.T) {
			t.Parallel()
			d := sale(piece(10000, 1))
			tt.change(&d)
			_, err := d.Resolve()
			wantCode(t, err, tt.code, tt.field)
		})
	}
}

// A correction of today is no correction of tomorrow, also in the hours in which
// Greenwich has another day.
func TestCorrectionOfTheSameDay(t *testing.T) {
	t.Parallel()
	d := sale(piece(10000, 1))
	d.At = time.Date(2026, time.December, 1, 0, 30, 0, 0, time.FixedZone("", 3*3600))
	d.Verb, d.Kind, d.Correction = VerbCorrection, Sale, &Correction{Date: time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)}
	if _, err := d.Resolve(); err != nil {
		t.Error(err)
	}
	d.Correction.Date = d.Correction.Date.AddDate(0, 0, 1)
	_, err := d.Resolve()
	wantCode(t, err, CodeBadValue, "correction.date")
}

func TestRefusedCorrections(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, field string
		change      func(d *Draft)
	}{
		{"no base", "correction", func(d *Draft) { d.Correction = nil }},
		{"no kind", "correction.kind", func(d *Draft) { d.Kind = 0 }},
		{"no date", "correction.date", func(d *Draft) { d.Correction.Date = time.Time{} }},
		{"date to come", "correction.date", func(d *Draft) { d.Correction.Date = workedAt.AddDate(0, 0, 1) }},
		{"order without number", "correction.number", func(d *Draft) { d.Correction.ByOrder = true }},
		{"sign of letters", "correction.fp", func(d *Draft) { d.Correction.FP = "abc" }},
		{"two for tag 1192", "additional", func(d *Draft) { d.Correction.FP, d.Additional = "123", "456" }},
		{"sums beside items", "vat", func(d *Draft) { d.Correction.VAT = map[VAT]Money{VAT22: 1} }},
		{"change", "payments.cash", func(d *Draft) { d.Payments.Cash = 20000 }},
		{"neither items nor total", "total", func(d *Draft) { d.Items = nil }},
		{"total without rates", "vat", func(d *Draft) { d.Items, d.Total = nil, new(Money(10000)) }},
		{"more tax than fits", "vat.vat22", func(d *Draft) {
			d.Items, d.Total, d.Correction.VAT = nil, new(Money(10000)), map[VAT]Money{VAT22: 2000}
		}},
		{"more tax than fits at the last rate", "vat." + VAT122.String(), func(d *Draft) {
			d.Items, d.Total, d.Correction.VAT = nil, new(Money(10000)), map[VAT]Money{VAT122: 2000}
		}},
		{"discount of nothing", "discount", func(d *Draft) {
			d.Items, d.Total, d.Correction.VAT, d.Discount.Amount = nil, new(Money(10000)), map[VAT]Money{VATNone: 10000}, 1
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := sale(piece(10000, 1))
			d.Verb, d.Kind, d.Correction = VerbCorrection, Sale, &Correction{Date: workedAt}
			tt.change(&d)
			_, err := d.Resolve()
			wantCode(t, err, CodeBadValue, tt.field)
		})
	}
}

func TestCheckDevice(t *testing.T) {
	t.Parallel()
	resolved := func(it Item) Document {
		doc, err := sale(it).Resolve()
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	cashByAgent := piece(100, 1)
	cashByAgent.Subject = 27
	for _, tt := range []struct {
		name  string
		doc   Document
		info  Info
		code  Code
		field string
	}{
		{"unknown device", resolved(piece(100, 1)), Info{}, "", ""},
		{"subject 27 on 1.2", resolved(cashByAgent), Info{FFD: FFD12}, "", ""},
		{"subject 27 on 1.05", resolved(cashByAgent), Info{FFD: FFD105}, CodeUnsupported, "items"},
		{"three decimals", resolved(weighed(100, 1_234_000)), Info{Limits: Limits{QuantityDecimals: 3}}, "", ""},
		{"four decimals", resolved(weighed(100, 1_234_500)), Info{Limits: Limits{QuantityDecimals: 3}}, CodeUnsupported, "items"},
		{"six decimals", resolved(weighed(100, 1_234_567)), Info{Limits: Limits{QuantityDecimals: 6}}, "", ""},
		{"short names", resolved(piece(100, 1)), Info{Limits: Limits{NameMax: 4}}, CodeTooLong, "items"},
		{"few items", Document{Verb: VerbSale, Lines: make([]Line, 3)}, Info{Limits: Limits{ItemsMax: 2}}, CodeTooLarge, "items"},
		{"totals only on 1.2", Document{Verb: VerbCorrection, Kind: Sale}, Info{FFD: FFD12}, CodeEmpty, "items"},
		{"totals only on 1.05", Document{Verb: VerbCorrection, Kind: Buy}, Info{FFD: FFD105}, "", ""},
		{"a shift has no limits", Document{Verb: VerbShiftOpen}, Info{FFD: FFD105, Taxations: 1}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.doc.CheckDevice(tt.info)
			if tt.code != "" {
				wantCode(t, err, tt.code, tt.field)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
