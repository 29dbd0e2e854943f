package bifit

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
)

var doneAt = time.Date(2026, 11, 22, 12, 4, 28, 0, time.UTC)

func line(change func(*fiscal.Line)) func(*fiscal.Document) {
	return func(d *fiscal.Document) { change(&d.Lines[0]) }
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		doc         func(*fiscal.Document)
		code, field string
	}{
		"correction":    {func(d *fiscal.Document) { d.Verb = fiscal.VerbCorrection }, "unsupported", ""},
		"its base":      {func(d *fiscal.Document) { d.Correction = &fiscal.Correction{} }, "unsupported", "correction"},
		"cash in":       {func(d *fiscal.Document) { *d = fiscal.Document{Verb: fiscal.VerbCashIn, Amount: 1} }, "unsupported", ""},
		"cash out":      {func(d *fiscal.Document) { *d = fiscal.Document{Verb: fiscal.VerbCashOut, Amount: 1} }, "unsupported", ""},
		"shift open":    {func(d *fiscal.Document) { *d = fiscal.Document{Verb: fiscal.VerbShiftOpen} }, "unsupported", ""},
		"shift close":   {func(d *fiscal.Document) { *d = fiscal.Document{Verb: fiscal.VerbShiftClose} }, "unsupported", ""},
		"no contact":    {func(d *fiscal.Document) { d.Customer = "" }, "contact-required", "customer"},
		"buyer":         {func(d *fiscal.Document) { d.Buyer.Name = "ООО" }, "unsupported", "buyer"},
		"buyer's INN":   {func(d *fiscal.Document) { d.Buyer.INN = "7707083893" }, "unsupported", "buyer"},
		"ENVD":          {func(d *fiscal.Document) { d.Taxation = 8 }, "unsupported", "taxation"},
		"internet":      {func(d *fiscal.Document) { d.Internet = true }, "unsupported", "internet"},
		"its place":     {func(d *fiscal.Document) { d.Place = "site" }, "unsupported", "internet"},
		"additional":    {func(d *fiscal.Document) { d.Additional = "x" }, "unsupported", "additional"},
		"no items":      {func(d *fiscal.Document) { d.Lines = nil }, "empty", "items"},
		"many items":    {func(d *fiscal.Document) { d.Lines = slices.Repeat(d.Lines, 501) }, "too-large", "items"},
		"long name":     {line(func(l *fiscal.Line) { l.Name = strings.Repeat("я", 129) }), "too-long", "items"},
		"no name":       {line(func(l *fiscal.Line) { l.Name = "" }), "bad-value", "items[0].name"},
		"marked":        {line(func(l *fiscal.Line) { l.Subject = 33 }), "marking-unsupported", "items[0].subject"},
		"to be marked":  {line(func(l *fiscal.Line) { l.Subject = 30 }), "marking-unsupported", "items[0].subject"},
		"subject 20":    {line(func(l *fiscal.Line) { l.Subject = 20 }), "unsupported", "items[0].subject"},
		"subject 27":    {line(func(l *fiscal.Line) { l.Subject = 27 }), "unsupported", "items[0].subject"},
		"no method":     {line(func(l *fiscal.Line) { l.Method = 0 }), "unsupported", "items[0].method"},
		"no rate":       {line(func(l *fiscal.Line) { l.VAT = 0 }), "unsupported", "items[0].vat"},
		"agent":         {line(func(l *fiscal.Line) { l.Agent = &fiscal.Agent{} }), "unsupported", "items[0].agent"},
		"item's text":   {line(func(l *fiscal.Line) { l.Additional = "x" }), "unsupported", "items[0].additional"},
		"department":    {line(func(l *fiscal.Line) { l.Department = 2 }), "unsupported", "items[0].department"},
		"four decimals": {line(func(l *fiscal.Line) { l.Quantity = 2_500_100 }), "unsupported", "items"},
		"no quantity":   {line(func(l *fiscal.Line) { l.Quantity = 0 }), "bad-value", "items[0].quantity"},
		"bad price":     {line(func(l *fiscal.Line) { l.Price = -1 }), "bad-value", "items[0].price"},
		"bad sum":       {line(func(l *fiscal.Line) { l.Sum = -1 }), "bad-value", "items[0].sum"},
		"two kopecks":   {func(d *fiscal.Document) { d.Lines[0].Sum, d.Total, d.Payments.Cash = 150_02, 150_02, 150_02 }, "unsupported", "items[0].sum"},
		"two below":     {func(d *fiscal.Document) { d.Lines[0].Sum, d.Total, d.Payments.Cash = 149_98, 149_98, 149_98 }, "unsupported", "items[0].sum"},
		"total":         {func(d *fiscal.Document) { d.Total = 150_01 }, "bad-value", "total"},
		"payments":      {func(d *fiscal.Document) { d.Payments.Card = 1 }, "bad-value", "payments"},
		"minus":         {func(d *fiscal.Document) { d.Payments = fiscal.Payments{Cash: 151_00, Card: -1_00} }, "bad-value", "payments.card"},
		"nothing to pay": {func(d *fiscal.Document) {
			d.Lines[0].Price, d.Lines[0].Sum, d.Total, d.Payments = 0, 0, 0, fiscal.Payments{}
		}, "unsupported", "payments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, doc := driver(t, options()), sale()
			c.doc(&doc)
			e := expect(t, d.Check(doc), c.code+" rejected")
			if e.Field != c.field {
				t.Errorf("field %q, want %q", e.Field, c.field)
			}
			if _, err := d.Prepare(t.Context(), doc); err == nil {
				t.Error("Prepare takes it")
			}
		})
	}
}

func TestCheckTakes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fiscal.Document){
		"example":      func(*fiscal.Document) {},
		"kopeck above": func(d *fiscal.Document) { d.Lines[0].Sum, d.Total, d.Payments.Cash = 150_01, 150_01, 150_01 },
		"kopeck below": func(d *fiscal.Document) { d.Lines[0].Sum, d.Total, d.Payments.Cash = 149_99, 149_99, 149_99 },
		"name of 128":  line(func(l *fiscal.Line) { l.Name = strings.Repeat("я", 128) }),
		"no paper":     func(d *fiscal.Document) { d.NoPrint = true },
		"a gift": func(d *fiscal.Document) {
			d.Lines = append(d.Lines, d.Lines[0])
			d.Lines[1].Price, d.Lines[1].Sum = 0, 0
		},
	} {
		doc := sale()
		change(&doc)
		if err := driver(t, options()).Check(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckWithConfiguration: what depends on the options.
func TestCheckWithConfiguration(t *testing.T) {
	t.Parallel()
	piece := line(func(l *fiscal.Line) { l.Unit = fiscal.Piece })
	bare := func(d *fiscal.Document) { d.Taxation = 0 }
	same := func(*fiscal.Document) {}
	for name, c := range map[string]struct {
		opt  func(*Options)
		doc  func(*fiscal.Document)
		want string
	}{
		"no taxation":         {func(o *Options) { o.Taxation = 0 }, bare, "unsupported rejected"},
		"taxation of its own": {func(o *Options) { o.Taxation = 0 }, same, ""},
		"default taxation":    {func(*Options) {}, bare, ""},
		"units, strict":       {func(o *Options) { o.StrictUnits = true }, same, "unsupported rejected"},
		"pieces, strict":      {func(o *Options) { o.StrictUnits = true }, piece, ""},
		"no such rate":        {func(o *Options) { o.Tokens = map[string]string{"vat.vat10": ""} }, same, "unsupported rejected"},
		"no such kind":        {func(o *Options) { o.Tokens = map[string]string{"type.sale": ""} }, same, "unsupported rejected"},
		"no cash":             {func(o *Options) { o.Tokens = map[string]string{"payment.cash": ""} }, same, "unsupported rejected"},
		"no card, not used":   {func(o *Options) { o.Tokens = map[string]string{"payment.card": ""} }, same, ""},
	} {
		o, doc := options(), sale()
		c.opt(&o)
		c.doc(&doc)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, driver(t, o).Check(doc), c.want)
		})
	}
}

// TestNoKeyNoDocument: documents without a stem would share one key.
func TestNoKeyNoDocument(t *testing.T) {
	t.Parallel()
	doc := sale()
	doc.Stem = ""
	_, err := driver(t, options()).Prepare(t.Context(), doc)
	expect(t, err, "bad-value rejected")
}

func TestWhatItSaysOfItself(t *testing.T) {
	t.Parallel()
	d := driver(t, options())
	info, err := d.Info(context.Background())
	if err != nil || info.Limits != (fiscal.Limits{ItemsMax: 500, NameMax: 128, QuantityDecimals: 3, Contact: true}) {
		t.Errorf("%+v, %v", info, err)
	}
	if !slices.Equal(d.Verbs(), []fiscal.Verb{"sale", "refund", "buy", "buy-refund"}) {
		t.Errorf("%v", d.Verbs())
	}
	p := d.Delays()
	if p.Window != 24*time.Hour || p.Overdue != 15*time.Minute || p.Reloads != 3 || p.RetryFailed || p.Repeat[0] != time.Minute || p.Poll[0] != 3*time.Second {
		t.Errorf("%+v", p)
	}
	for broker, want := range map[string]int{brokerSecret: 0, "": 0} {
		o := options()
		o.BrokerToken, o.Reloads = broker, -1
		if broker == "" {
			o.Reloads = 5
		}
		if got := driver(t, o).Delays().Reloads; got != want {
			t.Errorf("broker token %t: %d reloads", broker != "", got)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
