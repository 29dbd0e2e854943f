package bifit

import (
	"bytes"
	"strings"
	"testing"

	"kassad/fiscal"
)

func TestRenderExample(t *testing.T) {
	t.Parallel()
	d := driver(t, options())
	base := prepared(t, d, sale())
	want := `{"type":"SALE","taxSystem":"COMMON","cashier":{"name":"Petrov P. P.","inn":"500100732259"},` +
		`"client":{"address":"buyer@example.org"},"items":[{"calculationMethod":"FULL_PAY","paymentSubject":"PRODUCT",` +
		`"name":"Coffee beans","price":60.00,"quantity":2.5,"vat":"VAT_10","total":150.00}],"total":150.00,"payments":{"CASH":150.00}}`
	if got := string(base.Cloud.Body); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if base.Device != "bifit" || base.Cloud.Path != registerPath || base.Cloud.Key != sale().CloudKey() {
		t.Errorf("%+v", base)
	}
	if again := prepared(t, d, sale()); !bytes.Equal(again.Cloud.Body, base.Cloud.Body) {
		t.Error("the same document is other bytes")
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		doc  func(*fiscal.Document)
		opt  func(*Options)
		want string
	}{
		"refund":        {func(d *fiscal.Document) { d.Verb, d.Kind = fiscal.VerbRefund, fiscal.Refund }, nil, `"type":"SALE_RETURN"`},
		"buy":           {func(d *fiscal.Document) { d.Verb, d.Kind = fiscal.VerbBuy, fiscal.Buy }, nil, `"type":"PURCHASE"`},
		"buy-refund":    {func(d *fiscal.Document) { d.Verb, d.Kind = fiscal.VerbBuyRefund, fiscal.BuyRefund }, nil, `"type":"PURCHASE_RETURN"`},
		"default tax":   {func(d *fiscal.Document) { d.Taxation = 0 }, func(o *Options) { o.Taxation = 4 }, `"taxSystem":"SIMPLIFIED_WITH_EXPENSE"`},
		"own tax":       {func(d *fiscal.Document) { d.Taxation = 32 }, nil, `"taxSystem":"PATENT"`},
		"no cashier":    {func(d *fiscal.Document) { d.Cashier = fiscal.Cashier{} }, nil, `"cashier":{"name":"Кассир"},`},
		"own cashier":   {func(d *fiscal.Document) { d.Cashier = fiscal.Cashier{} }, func(o *Options) { o.Cashier = "Иванова" }, `"cashier":{"name":"Иванова"},`},
		"INN alone":     {func(d *fiscal.Document) { d.Cashier.Name = "" }, nil, `"cashier":{"name":"Кассир","inn":"500100732259"}`},
		"phone":         {func(d *fiscal.Document) { d.Customer = "+79161234567" }, nil, `"client":{"address":"+79161234567"}`},
		"phone, bare":   {func(d *fiscal.Document) { d.Customer = "+79161234567" }, func(o *Options) { o.Tokens["phone.prefix"] = "7" }, `"client":{"address":"79161234567"}`},
		"place":         {nil, func(o *Options) { o.Place = "Москва, ул. Ленина, 1" }, `,"paymentAddress":"Москва, ул. Ленина, 1"}`},
		"own place key": {nil, func(o *Options) { o.Place, o.Tokens["field.place"] = "x", "place" }, `,"place":"x"}`},
		"own card": {func(d *fiscal.Document) { d.Payments = fiscal.Payments{Card: 150_00} }, func(o *Options) { o.Tokens["payment.card"] = "ELECTRONIC" },
			`"payments":{"ELECTRONIC":150.00}}`},
		"all payments": {func(d *fiscal.Document) {
			d.Payments = fiscal.Payments{Cash: 1, Card: 10_00, Prepayment: 100_00, Credit: 39_98, Other: 1}
		}, nil, `"payments":{"CASH":0.01,"CARD":10.00,"PREPAYMENT":100.00,"CREDIT":39.98,"CONSIDERATION":0.01}`},
		"grams": {func(d *fiscal.Document) {
			d.Lines[0].Quantity = 2_499_000
			d.Lines[0].Sum, d.Total, d.Payments.Cash = 149_94, 149_94, 149_94
		}, nil, `"quantity":2.499,`},
		"own unit": {nil, func(o *Options) { o.Tokens["field.unit"], o.StrictUnits = "measure", true }, `"total":150.00,"measure":11}`},
		"name":     {func(d *fiscal.Document) { d.Lines[0].Name = "Сок \"Я\" <1 л>" }, nil, `"name":"Сок \"Я\" \u003c1 л\u003e"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options()
			o.Tokens = map[string]string{}
			if c.opt != nil {
				c.opt(&o)
			}
			doc := sale()
			if c.doc != nil {
				c.doc(&doc)
			}
			contains(t, string(prepared(t, driver(t, o), doc).Cloud.Body), c.want)
		})
	}
}

// TestRenderWords sends every word of the contract that has a token.
func TestRenderWords(t *testing.T) {
	t.Parallel()
	d := driver(t, options())
	try := func(want string, change func(*fiscal.Line)) {
		t.Helper()
		doc := sale()
		change(&doc.Lines[0])
		contains(t, string(prepared(t, d, doc).Cloud.Body), want)
	}
	for i, want := range []string{"VAT_20", "VAT_10", "VAT_120", "VAT_110", "VAT_0", "WITHOUT_VAT", "VAT_5", "VAT_7", "VAT_105", "VAT_107", "VAT_22", "VAT_122"} {
		try(`"vat":"`+want+`"`, func(l *fiscal.Line) { l.VAT = fiscal.VAT(i + 1) })
	}
	for i, want := range []string{"PREPAY_FULL", "PREPAY_PARTIAL", "AVANS", "FULL_PAY", "PARTIAL_SETTLEMENT_AND_CREDIT", "TRANSFER_ON_CREDIT", "CREDIT_PAYMENT"} {
		try(`"calculationMethod":"`+want+`"`, func(l *fiscal.Line) { l.Method = fiscal.Method(i + 1) })
	}
	for i, want := range []string{
		"PRODUCT", "EXCISABLE_PRODUCT", "JOB", "SERVICE", "GAMBLING_RATE", "GAMBLING_WIN", "LOTTERY_TICKET", "LOTTERY_WIN", "PROVISION_RID", "PAYMENT",
		"AGENCY", "COMPOUND_SUBJECT", "OTHER_SUBJECT", "PROPERTY_LAW", "NON_OPERATING_INCOME", "INSURANCE_CONTRIBUTIONS", "TRADE_FEE", "RESORT_FEE", "PLEDGE",
	} {
		try(`"paymentSubject":"`+want+`"`, func(l *fiscal.Line) { l.Subject = fiscal.Subject(i + 1) })
	}
}

// TestWorkedExample is the receipt of reference 12.9: 500 in cash for 239.45.
func TestWorkedExample(t *testing.T) {
	t.Parallel()
	item := func(price fiscal.Money, q fiscal.Quantity) fiscal.Item {
		return fiscal.Item{Name: "x", Price: price, Quantity: q, VAT: fiscal.VATNone}
	}
	draft := fiscal.Draft{
		ID: "1", Verb: fiscal.VerbSale, At: doneAt, Customer: "+79161234567",
		Items:    []fiscal.Item{item(110_00, 1_000_000), item(15_00, 2_000_000), item(1200_00, 100_000)},
		Payments: fiscal.Payments{Cash: 500_00},
	}
	draft.Items[0].Discount.Percent = 10_00
	draft.Items[1].Discount.Percent = 10_00
	draft.Items[2].Discount.Amount = 6_55
	doc, err := draft.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	doc.Stem = "S"
	body := string(prepared(t, driver(t, options()), doc).Cloud.Body)
	for _, want := range []string{`"total":99.00}`, `"total":27.00}`, `"total":239.45,"payments":{"CASH":239.45}`} {
		contains(t, body, want)
	}
	if strings.Contains(body, "500") {
		t.Errorf("the change was sent: %s", body)
	}
}
