package lifepay_test

import (
	"strings"
	"testing"
	"time"

	"kassad/devices/lifepay"
	"kassad/fiscal"
)

// TestSaleRequest is the whole body of the vendor's own sale, example A in cash.
func TestSaleRequest(t *testing.T) {
	t.Parallel()
	draft := sale(fruits(t)...)
	draft.Rest, draft.Payments.Cash = fiscal.NoTender, 50000
	draft.Cashier = fiscal.Cashier{Name: "Иванова А.", INN: "500100732259"}
	d := driver(t, lifepay.Options{
		Taxation: 2, CallbackURL: func(doc fiscal.Document) string { return "https://shop.example/cb/" + doc.ID },
	})
	doc := resolve(t, draft)
	base := prepare(t, d, doc)
	want := `{"type":"payment","mode":"email","ext_id":"k1-ABCDEFGHIJKLMNOPQRSTUVWXYZ-1","callback_url":"https://shop.example/cb/sale-1",` +
		`"callback_data":"sale-1","cashier_name":"Иванова А.","cashier_inn":"500100732259","customer_phone":"79161234567",` +
		`"tax_system":"usn6","cash_amount":500.00,"purchase":{"products":[` +
		`{"name":"Ананас","price":99.00,"quantity":1,"unit":"piece","tax":"vat22","type":4,"item_type":1},` +
		`{"name":"Картофель","price":13.50,"quantity":2,"unit":"kg","tax":"vat22","type":4,"item_type":1},` +
		`{"name":"Кешью","price":1134.50,"quantity":0.1,"unit":"kg","tax":"vat10","type":4,"item_type":1}]}}`
	if got := string(base.Cloud.Body); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if base.Device != "lifepay" || base.Cloud.Key != doc.CloudKey() || base.Cloud.Path != "/cloud-print/create-receipt" || doc.Change != 26055 {
		t.Errorf("%+v, change %s", base, doc.Change)
	}
	again := prepare(t, d, doc)
	if string(again.Cloud.Body) != want {
		t.Error("rendered again, the body differs")
	}
	doc.Edition++
	if next := prepare(t, d, doc); next.Cloud.Key != "k1-"+testStem+"-2" || !strings.Contains(string(next.Cloud.Body), next.Cloud.Key) {
		t.Errorf("another attempt has the key %s", next.Cloud.Key)
	}
}

// TestMoneyCases are B1 to B9 of reference 3.2; B10 and B11 are in TestCheck.
func TestMoneyCases(t *testing.T) {
	t.Parallel()
	one := func(price string) fiscal.Draft { return sale(item(t, "Товар", price, "1")) }
	monitor := func(method fiscal.Method) fiscal.Draft {
		a, b := item(t, "Монитор", "20730", "1"), item(t, "Сканер", "3710", "1")
		a.Method, b.Method = method, method
		d := sale(a, b)
		d.Payments.Credit, d.Rest = 2000000, fiscal.TenderCash
		return d
	}
	for name, test := range map[string]struct {
		draft fiscal.Draft
		edit  func(*fiscal.Draft)
		want  map[string]string
	}{
		"B1 cash 500, change 260.55": {draft: sale(fruits(t)...), edit: func(d *fiscal.Draft) { d.Payments.Cash, d.Rest = 50000, 0 }, want: map[string]string{"cash_amount": "500.00"}},
		"B2 card 100, cash the rest": {draft: sale(fruits(t)...), edit: func(d *fiscal.Draft) { d.Payments.Card, d.Rest = 10000, fiscal.TenderCash }, want: map[string]string{"card_amount": "100.00", "cash_amount": "139.45"}},
		"B3 card":                    {draft: sale(fruits(t)...), want: map[string]string{"card_amount": "239.45"}},
		"B4 change 200":              {draft: one("1000"), edit: func(d *fiscal.Draft) { d.Payments.Card, d.Payments.Cash, d.Rest = 70000, 50000, 0 }, want: map[string]string{"card_amount": "700.00", "cash_amount": "500.00"}},
		"B5 cash 15000, card":        {draft: one("26990"), edit: func(d *fiscal.Draft) { d.Payments.Cash = 1500000 }, want: map[string]string{"cash_amount": "15000.00", "card_amount": "11990.00"}},
		"B6 shop instalment":         {draft: monitor(fiscal.PartialPaymentAndCredit), want: map[string]string{"credit_amount": "20000.00", "cash_amount": "4440.00"}},
		"B7 later instalment": {
			draft: sale(item(t, "Оплата кредита", "5000", "1"), item(t, "Оплата кредита", "5000", "1")),
			edit: func(d *fiscal.Draft) {
				for i := range d.Items {
					d.Items[i].Method, d.Items[i].Subject = fiscal.CreditPayment, fiscal.PaymentSubject
				}
			},
			want: map[string]string{"card_amount": "10000.00"},
		},
		"B8 bank credit": {draft: monitor(fiscal.FullPayment), want: map[string]string{"credit_amount": "20000.00", "cash_amount": "4440.00"}},
		"B9 refund": {
			draft: one("9500.59"),
			edit: func(d *fiscal.Draft) {
				d.Verb, d.Items[0].Discount.Percent, d.Items[0].VAT = fiscal.VerbRefund, 3300, fiscal.VAT20
			},
			want: map[string]string{"card_amount": "6365.40", "type": "refund"},
		},
		"prepayment taken":     {draft: one("100"), edit: func(d *fiscal.Draft) { d.Items[0].Method, d.Items[0].VAT = fiscal.Prepayment, fiscal.VAT122 }, want: map[string]string{"card_amount": "100.00"}},
		"prepaid, handed over": {draft: one("100"), edit: func(d *fiscal.Draft) { d.Rest = fiscal.TenderPrepayment }, want: map[string]string{"prepayment_amount": "100.00"}},
		"free of charge":       {draft: one("0"), want: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.edit != nil {
				test.edit(&test.draft)
			}
			doc := resolve(t, test.draft)
			got := fields(t, prepare(t, driver(t, lifepay.Options{}), doc).Cloud.Body)
			if want := test.want["type"]; want != "" && got["type"] != want {
				t.Errorf("type %v", got["type"])
			}
			delete(test.want, "type")
			for _, f := range []string{"cash_amount", "card_amount", "prepayment_amount", "credit_amount", "mc_amount"} {
				text := ""
				if got[f] != nil {
					text = asText(got[f])
				}
				if text != test.want[f] {
					t.Errorf("%s is %q, want %q", f, text, test.want[f])
				}
			}
			products := got["purchase"].(map[string]any)["products"].([]any)
			if p := products[0].(map[string]any); asText(p["type"]) != methodText(doc) {
				t.Errorf("method %v of %s", p["type"], doc.Lines[0].Method)
			}
		})
	}
}

func asText(v any) string {
	if s, ok := v.(interface{ String() string }); ok {
		return s.String()
	}
	return ""
}

func methodText(doc fiscal.Document) string {
	return []string{"", "1", "2", "3", "4", "5", "6", "7"}[doc.Lines[0].Method]
}

// TestReceiptFields are fields that stand alone, by what the document or the
// configuration says.
func TestReceiptFields(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		o    lifepay.Options
		edit func(*fiscal.Draft)
		path string
		want []string
		not  []string
	}{
		"e-mail": {edit: func(d *fiscal.Draft) { d.Customer = "a@example.com" }, want: []string{`"customer_email":"a@example.com"`}, not: []string{"customer_phone"}},
		"FFD 1.2": {
			o: lifepay.Options{FFD: fiscal.FFD12}, edit: func(d *fiscal.Draft) { d.Buyer = fiscal.Buyer{Name: "ООО <Я>", INN: "7707083893"} },
			path: "/cloud-print-ffd1_2/create-receipt", want: []string{`"customer_name":"ООО <Я>"`, `"customer_inn":"7707083893"`},
		},
		"other spelling":     {o: lifepay.Options{Names: lifepay.Names{BuyerINN: "customier_inn"}}, edit: func(d *fiscal.Draft) { d.Buyer.INN = "7707083893" }, want: []string{`"customier_inn":"7707083893"}`}},
		"buy":                {edit: func(d *fiscal.Draft) { d.Verb = fiscal.VerbBuy }, want: []string{`"type":"buy"`}},
		"buy-refund":         {edit: func(d *fiscal.Draft) { d.Verb = fiscal.VerbBuyRefund }, want: []string{`"type":"buy_refund"`}},
		"paper":              {o: lifepay.Options{Mode: lifepay.ModePrint}, edit: func(d *fiscal.Draft) { d.Customer = "" }, want: []string{`"mode":"print"`}},
		"paper not wanted":   {o: lifepay.Options{Mode: lifepay.ModePrint}, edit: func(d *fiscal.Draft) { d.NoPrint = true }, want: []string{`"mode":"email"`}},
		"both":               {o: lifepay.Options{Mode: lifepay.ModePrintEmail}, want: []string{`"mode":"print_email"`}},
		"both but nobody":    {o: lifepay.Options{Mode: lifepay.ModePrintEmail}, edit: func(d *fiscal.Draft) { d.Customer = "" }, want: []string{`"mode":"print"`}},
		"target":             {o: lifepay.Options{TargetSerial: "00106304012797", TargetService: "lifepayCloud"}, want: []string{`"target_serial":"00106304012797"`, `"target_service":"lifepayCloud"`}},
		"test mode":          {o: lifepay.Options{Test: true}, want: []string{`"test":1`}},
		"no test mode":       {not: []string{"test", "callback_url", "cashier_name", "tax_system", "discount", "null"}},
		"card leaves pos be": {want: []string{`"pos":{"perform":0,"slip_count":0}`}},
		"own taxation":       {o: lifepay.Options{Taxation: 2}, edit: func(d *fiscal.Draft) { d.Taxation = 32 }, want: []string{`"tax_system":"patent"`}},
		"own words":          {o: lifepay.Options{Taxations: map[fiscal.Taxation]string{2: "usn_income"}, Taxation: 2, Cashier: "Система"}, want: []string{`"tax_system":"usn_income"`, `"cashier_name":"Система"`}},
		"internet": {
			o:    lifepay.Options{Names: lifepay.Names{Internet: "internet", Additional: "additional_attribute"}},
			edit: func(d *fiscal.Draft) { d.Internet, d.Place, d.Additional = true, "https://shop.example", "A-1" },
			want: []string{`"payment_place":"https://shop.example"`, `"internet":1`, `"additional_attribute":"A-1"`},
		},
		"rate renamed":     {o: lifepay.Options{VAT: map[fiscal.VAT]lifepay.Rate{fiscal.VAT22: {ID: "vat_22"}}}, want: []string{`"tax":"vat_22"`}},
		"unit renamed":     {o: lifepay.Options{Units: map[fiscal.Unit]string{12: "t"}}, edit: func(d *fiscal.Draft) { d.Items[0].Unit = 12 }, want: []string{`"unit":"t"`}},
		"other department": {o: lifepay.Options{AnyDepartment: true}, edit: func(d *fiscal.Draft) { d.Items[0].Department = 3 }, not: []string{"department"}},
		"old refund":       {edit: func(d *fiscal.Draft) { d.Verb, d.Items[0].VAT = fiscal.VerbRefund, fiscal.VAT20 }, want: []string{`"tax":"vat20"`}},
		"agent": {
			o:    lifepay.Options{FFD: fiscal.FFD12, Agents: lifepay.AgentPosition},
			edit: func(d *fiscal.Draft) { d.Items[0].Agent = principal() },
			want: []string{`"agent_item_type":64,"supplier_inn":"7707083893","supplier_data":{"name":"ООО Ромашка","phones":["+74950000000"]}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draft := sale(item(t, "Товар", "10", "1"))
			if test.edit != nil {
				test.edit(&draft)
			}
			call := prepare(t, driver(t, test.o), resolve(t, draft)).Cloud
			fields(t, call.Body) // it is JSON
			for _, w := range test.want {
				if !strings.Contains(string(call.Body), w) {
					t.Errorf("no %s in %s", w, call.Body)
				}
			}
			for _, n := range test.not {
				if strings.Contains(string(call.Body), n) {
					t.Errorf("%s in %s", n, call.Body)
				}
			}
			if test.path != "" && call.Path != test.path {
				t.Errorf("path %s", call.Path)
			}
		})
	}
}

func principal() *fiscal.Agent {
	return &fiscal.Agent{Type: fiscal.OtherAgent, Supplier: fiscal.Supplier{Name: "ООО Ромашка", INN: "7707083893", Phones: []string{"+74950000000"}}}
}

// correction is a correction of one sale of 122.00, its items known or not.
func correction(t *testing.T, items bool) fiscal.Draft {
	t.Helper()
	d := sale(item(t, "Чайник", "122", "1"))
	d.Verb, d.Kind, d.Customer = fiscal.VerbCorrection, fiscal.Sale, ""
	d.Correction = &fiscal.Correction{Date: time.Date(2026, time.November, 20, 0, 0, 0, 0, time.UTC)}
	if !items {
		total := d.Items[0].Price
		d.Items, d.Total = nil, &total
		d.Correction.VAT = map[fiscal.VAT]fiscal.Money{fiscal.VAT22: 2200}
	}
	return d
}

func TestCorrectionRequests(t *testing.T) {
	t.Parallel()
	order := func(d *fiscal.Draft) { d.Correction.ByOrder, d.Correction.Number = true, "12-3" }
	const plain = `"tax_system":"osn","card_amount":122.00,"initiator":"independently","description":"Расчет без применения ККТ",` +
		`"doc_date":"2026-11-20","doc_number":"0","tax":"vat22"}`
	for name, test := range map[string]struct {
		o     lifepay.Options
		items bool
		edit  func(*fiscal.Draft)
		path  string
		want  string
	}{
		"sums":          {path: "/cloud-print/create-receipt-correction", want: `{"type":"sell_correction",`},
		"sums, rest":    {path: "/cloud-print/create-receipt-correction", want: plain},
		"sums of items": {items: true, path: "/cloud-print/create-receipt-correction", want: plain},
		"sums by order": {
			edit: func(d *fiscal.Draft) { order(d); d.Kind = fiscal.Buy }, o: lifepay.Options{CorrectionReason: "Сбой"},
			path: "/cloud-print/create-receipt-correction", want: `"initiator":"directive","description":"Сбой","doc_date":"2026-11-20","doc_number":"12-3"`,
		},
		"sums without VAT": {
			edit: func(d *fiscal.Draft) { d.Correction.VAT = map[fiscal.VAT]fiscal.Money{fiscal.VATNone: 12200} },
			path: "/cloud-print/create-receipt-correction", want: `"tax":"none"`,
		},
		"full": {
			o: lifepay.Options{FFD: fiscal.FFD12}, items: true, path: "/cloud-print-ffd1_2/create-receipt",
			want: `"correction_doc_date":"2026-11-20","correction_initiator":"independently","purchase":{"products":[{"name":"Чайник","price":122.00,`,
		},
		"full refund by order": {
			o: lifepay.Options{FFD: fiscal.FFD12, Names: lifepay.Names{CorrectionNumber: "correction_doc_number", Additional: "additional"}}, items: true,
			edit: func(d *fiscal.Draft) { order(d); d.Kind, d.Correction.FP = fiscal.Refund, "3849583049" },
			path: "/cloud-print-ffd1_2/create-receipt", want: `,"correction_doc_number":"12-3","additional":"3849583049"}`,
		},
		"full kinds": {
			o: lifepay.Options{FFD: fiscal.FFD12}, items: true, edit: func(d *fiscal.Draft) { d.Kind = fiscal.BuyRefund },
			path: "/cloud-print-ffd1_2/create-receipt", want: `"type":"buy_return_correction"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draft := correction(t, test.items)
			if test.edit != nil {
				test.edit(&draft)
			}
			test.o.Taxation = 1
			call := prepare(t, driver(t, test.o), resolve(t, draft)).Cloud
			fields(t, call.Body)
			if call.Path != test.path || !strings.Contains(string(call.Body), test.want) {
				t.Errorf("%s %s\nwant %s", call.Path, call.Body, test.want)
			}
		})
	}
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()
	const std = `"target_serial":"S1","ext_id":"k1-ABCDEFGHIJKLMNOPQRSTUVWXYZ-1","callback_data":"x"`
	for verb, test := range map[fiscal.Verb]struct{ path, want string }{
		fiscal.VerbShiftOpen:  {"/cloud-print/create-session", `{` + std + `,"cashier_name":"И"}`},
		fiscal.VerbShiftClose: {"/cloud-print/create-z-report", `{` + std + `,"cashier_name":"И"}`},
		fiscal.VerbCashIn:     {"/cloud-print/cash-in", `{` + std + `,"cashier_name":"И","amount":1000.05}`},
		fiscal.VerbCashOut:    {"/cloud-print/cash-out", `{` + std + `,"cashier_name":"И","amount":1000.05}`},
		fiscal.VerbXReport:    {"/cloud-print/create-x-report", `{` + std + `}`},
		fiscal.VerbText: {
			"/cloud-print/create-non-fiscal-receipt",
			`{` + std + `,"purchase":{"products":[{"name":" Слоган","price":0.00,"quantity":1},{"name":"конец","price":0.00,"quantity":1}]}}`,
		},
	} {
		t.Run(string(verb), func(t *testing.T) {
			t.Parallel()
			doc := resolve(t, fiscal.Draft{
				ID: "x", Verb: verb, At: testAt, Amount: 100005, Cashier: fiscal.Cashier{Name: "И"}, Text: []string{" Слоган", "", "конец"},
			})
			doc.ID = "x"
			call := prepare(t, driver(t, lifepay.Options{TargetSerial: "S1"}), doc).Cloud
			if call.Path != test.path || string(call.Body) != test.want {
				t.Errorf("%s %s\nwant %s", call.Path, call.Body, test.want)
			}
		})
	}
}
