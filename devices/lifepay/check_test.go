package lifepay_test

import (
	"strings"
	"testing"
	"time"

	"kassad/devices/lifepay"
	"kassad/fiscal"
)

// TestCheck is everything that the service would not take, or would drop.
// Documents are edited after they were resolved: some of this never comes out
// of Resolve.
func TestCheck(t *testing.T) {
	t.Parallel()
	ffd12 := lifepay.Options{FFD: fiscal.FFD12}
	agents := lifepay.Options{FFD: fiscal.FFD12, Agents: lifepay.AgentPosition}
	const unsupported = fiscal.CodeUnsupported
	line := func(edit func(*fiscal.Line)) func(*fiscal.Document) {
		return func(d *fiscal.Document) { edit(&d.Lines[0]) }
	}
	agent := func(edit func(*fiscal.Agent)) func(*fiscal.Document) {
		return line(func(l *fiscal.Line) { l.Agent = principal(); edit(l.Agent) })
	}
	for name, test := range map[string]struct {
		o     lifepay.Options
		edit  func(*fiscal.Document)
		code  fiscal.Code
		field string
	}{
		"verb":                 {edit: func(d *fiscal.Document) { d.Verb = fiscal.VerbDrawer }, code: unsupported},
		"kind":                 {edit: func(d *fiscal.Document) { d.Kind = 0 }, code: fiscal.CodeBadValue, field: "kind"},
		"no contact":           {edit: func(d *fiscal.Document) { d.Customer = "" }, code: fiscal.CodeContactRequired, field: "customer"},
		"no contact, no paper": {o: lifepay.Options{Mode: lifepay.ModePrint}, edit: func(d *fiscal.Document) { d.Customer, d.NoPrint = "", true }, code: fiscal.CodeContactRequired, field: "customer"},
		"foreign phone":        {edit: func(d *fiscal.Document) { d.Customer = "+375291234567" }, code: fiscal.CodeBadValue, field: "customer"},
		"phone without plus":   {edit: func(d *fiscal.Document) { d.Customer = "79161234567" }, code: fiscal.CodeBadValue, field: "customer"},
		"long e-mail":          {edit: func(d *fiscal.Document) { d.Customer = strings.Repeat("a", 90) + "@example.com" }, code: fiscal.CodeTooLong, field: "customer"},
		"taxation":             {edit: func(d *fiscal.Document) { d.Taxation = 8 }, code: unsupported, field: "taxation"},
		"taxation taken away":  {o: lifepay.Options{Taxations: map[fiscal.Taxation]string{32: ""}}, edit: func(d *fiscal.Document) { d.Taxation = 32 }, code: unsupported, field: "taxation"},
		"internet":             {edit: func(d *fiscal.Document) { d.Internet = true }, code: unsupported, field: "internet"},
		"additional":           {edit: func(d *fiscal.Document) { d.Additional = "1" }, code: unsupported, field: "additional"},
		"buyer's INN, 1.2":     {o: ffd12, edit: func(d *fiscal.Document) { d.Buyer.Name = "ООО" }, code: fiscal.CodeBadValue, field: "buyer.inn"},
		"other payment":        {edit: func(d *fiscal.Document) { d.Payments = fiscal.Payments{Other: d.Total} }, code: unsupported, field: "payments.other"},
		"B10 card above":       {edit: func(d *fiscal.Document) { d.Payments.Card += 55 }, code: fiscal.CodeNoncashOverTotal, field: "payments"},
		"B11 too little":       {edit: func(d *fiscal.Document) { d.Payments = fiscal.Payments{Cash: 20000} }, code: fiscal.CodePaymentsShort, field: "payments"},
		"too much cash":        {edit: func(d *fiscal.Document) { d.Payments.Cash = 1 }, code: fiscal.CodeBadValue, field: "payments"},
		"lines and total":      {edit: line(func(l *fiscal.Line) { l.Sum++ }), code: fiscal.CodeBadValue, field: "total"},
		"no lines":             {edit: func(d *fiscal.Document) { d.Lines = nil }, code: fiscal.CodeEmpty, field: "items"},
		"too many lines":       {o: lifepay.Options{ItemsMax: 2}, edit: func(*fiscal.Document) {}, code: fiscal.CodeTooLarge, field: "items"},
		"no name":              {edit: line(func(l *fiscal.Line) { l.Name = "" }), code: fiscal.CodeBadValue, field: "items[0].name"},
		"long name":            {edit: line(func(l *fiscal.Line) { l.Name = strings.Repeat("я", 129) }), code: fiscal.CodeTooLong, field: "items[0].name"},
		"five decimals":        {edit: line(func(l *fiscal.Line) { l.Quantity = 1000010 }), code: unsupported, field: "items[0].quantity"},
		"four of three":        {o: lifepay.Options{QuantityDecimals: 3}, edit: line(func(l *fiscal.Line) { l.Quantity = 1000100 }), code: unsupported, field: "items[0].quantity"},
		"marked":               {edit: line(func(l *fiscal.Line) { l.Subject = fiscal.MarkedGoods }), code: fiscal.CodeMarkingUnsupported, field: "items[0].subject"},
		"marked, 1.2":          {o: ffd12, edit: line(func(l *fiscal.Line) { l.Subject = fiscal.MarkedExciseNoCode }), code: fiscal.CodeMarkingUnsupported, field: "items[0].subject"},
		"subject of 1.2":       {edit: line(func(l *fiscal.Line) { l.Subject = 20 }), code: unsupported, field: "items[0].subject"},
		"unit":                 {edit: line(func(l *fiscal.Line) { l.Unit = 12 }), code: unsupported, field: "items[0].unit"},
		"item's additional":    {edit: line(func(l *fiscal.Line) { l.Additional = "x" }), code: unsupported, field: "items[0].additional"},
		"department":           {edit: line(func(l *fiscal.Line) { l.Department = 2 }), code: unsupported, field: "items[0].department"},
		"rate ended":           {edit: line(func(l *fiscal.Line) { l.VAT = fiscal.VAT20 }), code: fiscal.CodeBadValue, field: "items[0].vat"},
		"rate of a later day":  {edit: func(d *fiscal.Document) { d.At = d.At.AddDate(-1, 0, 0) }, code: fiscal.CodeBadValue, field: "items[0].vat"},
		"rate, buy": {edit: func(d *fiscal.Document) {
			d.Verb, d.Kind, d.Lines[0].VAT = fiscal.VerbBuy, fiscal.Buy, fiscal.VAT120
		}, code: fiscal.CodeBadValue, field: "items[0].vat"},
		"rate taken away":  {o: lifepay.Options{VAT: map[fiscal.VAT]lifepay.Rate{fiscal.VAT22: {}}}, edit: func(*fiscal.Document) {}, code: unsupported, field: "items[0].vat"},
		"agent":            {edit: agent(func(*fiscal.Agent) {}), code: unsupported, field: "items[0].agent"},
		"agent, 1.2":       {o: ffd12, edit: agent(func(*fiscal.Agent) {}), code: unsupported, field: "items[0].agent"},
		"agent: operation": {o: agents, edit: agent(func(a *fiscal.Agent) { a.Operation = "x" }), code: unsupported, field: "items[0].agent.operation"},
		"agent: phones":    {o: agents, edit: agent(func(a *fiscal.Agent) { a.Phones = []string{"+7"} }), code: unsupported, field: "items[0].agent.phones"},
		"agent: acceptor":  {o: agents, edit: agent(func(a *fiscal.Agent) { a.Acceptor = []string{"+7"} }), code: unsupported, field: "items[0].agent.acceptor"},
		"agent: transfer":  {o: agents, edit: agent(func(a *fiscal.Agent) { a.Transfer.INN = "1" }), code: unsupported, field: "items[0].agent.transfer"},
		"long callback": {
			o:    lifepay.Options{CallbackURL: func(fiscal.Document) string { return "https://" + strings.Repeat("a", 248) }},
			edit: func(*fiscal.Document) {}, code: fiscal.CodeTooLong, field: "callback_url",
		},
		"cash without a printer": {edit: func(d *fiscal.Document) { *d = fiscal.Document{Verb: fiscal.VerbCashIn, Amount: 1} }, code: unsupported, field: "target_serial"},
		"no cash":                {o: lifepay.Options{TargetSerial: "1"}, edit: func(d *fiscal.Document) { *d = fiscal.Document{Verb: fiscal.VerbCashOut} }, code: fiscal.CodeBadValue, field: "amount"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, doc := driver(t, test.o), resolve(t, sale(fruits(t)...))
			test.edit(&doc)
			if e := wantError(t, d.Check(doc), test.code, fiscal.OutcomeRejected); e.Field != test.field {
				t.Errorf("field %q, want %q", e.Field, test.field)
			}
			if _, err := d.Prepare(t.Context(), doc); err == nil {
				t.Error("it is prepared nevertheless")
			}
		})
	}
}

func TestCheckCorrection(t *testing.T) {
	t.Parallel()
	const unsupported = fiscal.CodeUnsupported
	for name, test := range map[string]struct {
		ffd   string
		items bool
		edit  func(*fiscal.Document)
		code  fiscal.Code
		field string
	}{
		"base":            {edit: func(d *fiscal.Document) { d.Correction = nil }, code: fiscal.CodeBadValue, field: "correction"},
		"refund":          {edit: func(d *fiscal.Document) { d.Kind = fiscal.Refund }, code: unsupported, field: "correction.kind"},
		"fp":              {edit: func(d *fiscal.Document) { d.Correction.FP = "1" }, code: unsupported, field: "correction.fp"},
		"additional":      {edit: func(d *fiscal.Document) { d.Additional = "1" }, code: unsupported, field: "additional"},
		"customer":        {edit: func(d *fiscal.Document) { d.Customer = "+79161234567" }, code: unsupported, field: "customer"},
		"buyer":           {edit: func(d *fiscal.Document) { d.Buyer.INN = "7707083893" }, code: unsupported, field: "buyer"},
		"place":           {edit: func(d *fiscal.Document) { d.Place = "x" }, code: unsupported, field: "place"},
		"internet":        {edit: func(d *fiscal.Document) { d.Internet = true }, code: unsupported, field: "internet"},
		"agent":           {items: true, edit: func(d *fiscal.Document) { d.Lines[0].Agent = principal() }, code: unsupported, field: "items"},
		"two rates":       {edit: func(d *fiscal.Document) { d.Correction.VAT[fiscal.VAT10] = 100 }, code: unsupported, field: "vat"},
		"a part":          {edit: func(d *fiscal.Document) { d.Correction.VAT[fiscal.VAT22] = 1000 }, code: unsupported, field: "vat"},
		"a part untaxed":  {edit: func(d *fiscal.Document) { d.Correction.VAT = map[fiscal.VAT]fiscal.Money{fiscal.VATNone: 12000} }, code: unsupported, field: "vat"},
		"other payment":   {edit: func(d *fiscal.Document) { d.Payments = fiscal.Payments{Other: d.Total} }, code: unsupported, field: "payments.other"},
		"1.2, no items":   {ffd: fiscal.FFD12, edit: func(*fiscal.Document) {}, code: fiscal.CodeEmpty, field: "items"},
		"1.2, number":     {ffd: fiscal.FFD12, items: true, edit: func(d *fiscal.Document) { d.Correction.Number = "1" }, code: unsupported, field: "correction.number"},
		"1.2, fp":         {ffd: fiscal.FFD12, items: true, edit: func(d *fiscal.Document) { d.Correction.FP = "1" }, code: unsupported, field: "correction.fp"},
		"1.2, additional": {ffd: fiscal.FFD12, items: true, edit: func(d *fiscal.Document) { d.Additional = "1" }, code: unsupported, field: "additional"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := resolve(t, correction(t, test.items))
			test.edit(&doc)
			if e := wantError(t, driver(t, lifepay.Options{FFD: test.ffd}).Check(doc), test.code, fiscal.OutcomeRejected); e.Field != test.field {
				t.Errorf("field %q, want %q", e.Field, test.field)
			}
		})
	}
}

// TestRateDays: a rate holds on the first and the last day by the shop's clock,
// and refunds do not ask.
func TestRateDays(t *testing.T) {
	t.Parallel()
	moscow := time.FixedZone("", 3*3600)
	day := func(y int, m time.Month, d, h int) time.Time { return time.Date(y, m, d, h, 30, 0, 0, moscow) }
	last, first := day(2025, time.December, 31, 23), day(2026, time.January, 1, 0)
	for _, test := range []struct {
		vat  fiscal.VAT
		at   time.Time
		good bool
	}{
		{fiscal.VAT20, last, true}, {fiscal.VAT20, first, false}, {fiscal.VAT22, last, false}, {fiscal.VAT22, first, true},
		{fiscal.VAT120, last, true}, {fiscal.VAT120, first, false}, {fiscal.VAT122, last, false}, {fiscal.VAT122, first, true},
		{fiscal.VAT5, day(2024, time.December, 31, 23), false}, {fiscal.VAT105, day(2025, time.January, 1, 0), true},
		{fiscal.VAT7, day(2024, time.December, 31, 23), false}, {fiscal.VAT107, first, true},
		{fiscal.VAT10, last, true}, {fiscal.VAT110, first, true}, {fiscal.VAT0, first, true}, {fiscal.VATNone, last, true},
	} {
		draft := sale(item(t, "Товар", "10", "1"))
		draft.At, draft.Items[0].VAT = test.at, test.vat
		if err := driver(t, lifepay.Options{}).Check(resolve(t, draft)); (err == nil) != test.good {
			t.Errorf("%s on %s: %v", test.vat, test.at, err)
		}
		draft.Verb = fiscal.VerbRefund
		if err := driver(t, lifepay.Options{}).Check(resolve(t, draft)); err != nil {
			t.Errorf("refund at %s on %s: %v", test.vat, test.at, err)
		}
	}
}

func TestPrepareNeedsAKey(t *testing.T) {
	t.Parallel()
	d, doc := driver(t, lifepay.Options{}), resolve(t, sale(fruits(t)...))
	for stem, code := range map[string]fiscal.Code{"": fiscal.CodeBadValue, strings.Repeat("A", 46): fiscal.CodeTooLong} {
		doc.Stem = stem
		if err := d.Check(doc); err != nil {
			t.Error(err)
		}
		_, err := d.Prepare(t.Context(), doc)
		wantError(t, err, code, fiscal.OutcomeRejected)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*lifepay.Options){
		"login": func(o *lifepay.Options) { o.Login = "+7000000000" }, "short login": func(o *lifepay.Options) { o.Login = "7000000000" },
		"8": func(o *lifepay.Options) { o.Login = "80000000001" }, "key": func(o *lifepay.Options) { o.APIKey = "" },
		"long key": func(o *lifepay.Options) { o.APIKey = strings.Repeat("k", 256) }, "ffd": func(o *lifepay.Options) { o.FFD = "1.1" },
		"mode": func(o *lifepay.Options) { o.Mode = "fax" }, "rounding": func(o *lifepay.Options) { o.Rounding = "up" },
		"agents": func(o *lifepay.Options) { o.Agents = "any" }, "agents of 1.05": func(o *lifepay.Options) { o.Agents = lifepay.AgentPosition },
		"taxation": func(o *lifepay.Options) { o.Taxation = 8 }, "decimals": func(o *lifepay.Options) { o.QuantityDecimals = 7 },
		"names": func(o *lifepay.Options) { o.NameMax = 63 }, "reason": func(o *lifepay.Options) { o.CorrectionReason = strings.Repeat("я", 257) },
		"field": func(o *lifepay.Options) { o.Names.Additional = `a":1,"b` }, "credential": func(o *lifepay.Options) { o.Names.Internet = "apikey" }, "key of the document": func(o *lifepay.Options) { o.Names.Additional = "ext_id" },
		"twice":     func(o *lifepay.Options) { o.Names.Additional, o.Names.CorrectionNumber = "extra", "extra" },
		"address":   func(o *lifepay.Options) { o.BaseURL = "http://sapi.life-pay.ru" },
		"authority": func(o *lifepay.Options) { o.CAFile = "/nonexistent" },
	} {
		o := lifepay.Options{Login: testLogin, APIKey: testKey}
		edit(&o)
		_, err := lifepay.New(o)
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if shown := err.Error(); strings.Contains(shown, testKey) || strings.Contains(shown, o.Login) {
			t.Errorf("%s: %s shows a credential", name, shown)
		}
	}
}

func TestWhatTheServiceCarries(t *testing.T) {
	t.Parallel()
	d := driver(t, lifepay.Options{})
	info, err := d.Info(t.Context())
	if err != nil || info.FFD != fiscal.FFD105 || info.Limits != (fiscal.Limits{NameMax: 128, QuantityDecimals: 4, Contact: true}) {
		t.Errorf("%+v, %v", info, err)
	}
	p := d.Delays()
	if p.Window != 24*time.Hour || p.Overdue != 15*time.Minute || p.Poll != nil || p.Reloads != 0 || p.RetryFailed ||
		len(p.Repeat) != 4 || p.Repeat[0] != time.Minute || p.Repeat[3] != 10*time.Minute {
		t.Errorf("%+v", p)
	}
	info, err = driver(t, lifepay.Options{Mode: lifepay.ModePrint, FFD: fiscal.FFD12, RetryFailed: true}).Info(t.Context())
	if err != nil || info.FFD != fiscal.FFD12 || info.Limits.Contact {
		t.Errorf("%+v, %v", info, err)
	}
	for _, v := range d.Verbs() {
		if !v.Journalled() {
			t.Errorf("%s is no command that is kept", v)
		}
	}
	if len(d.Verbs()) != 11 || d.Close() != nil {
		t.Errorf("verbs %v", d.Verbs())
	}
}
