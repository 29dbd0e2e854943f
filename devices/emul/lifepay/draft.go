package lifepay

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Kind is what a path makes.
type Kind string

// Kinds of document.
const (
	KindReceipt    Kind = "receipt"
	KindCorrection Kind = "correction"
	KindOpen       Kind = "open-shift"
	KindZ          Kind = "z-report"
	KindX          Kind = "x-report"
	KindNonFiscal  Kind = "non-fiscal"
	KindCashIn     Kind = "cash-in"
	KindCashOut    Kind = "cash-out"
)

// endpoints are the paths of sections 2, 4 and 5 below cloud-print/.
var endpoints = map[string]Kind{
	"create-receipt": KindReceipt, "create-receipt-correction": KindCorrection, "create-session": KindOpen, "create-z-report": KindZ,
	"create-x-report": KindX, "create-non-fiscal-receipt": KindNonFiscal, "cash-in": KindCashIn, "cash-out": KindCashOut,
}

// defaultTypes are what "type" means when it is absent.
var defaultTypes = map[Kind]string{KindReceipt: "payment", KindNonFiscal: "payment", KindCorrection: "sell_correction"}

// draft is a checked request.
type draft struct {
	kind    Kind
	ffd12   bool   // of the FFD 1.2 address
	vendor  string // "type" as the vendor names it
	test    bool
	extID   string
	url     string
	data    json.RawMessage // callback_data
	printer *printer

	mode, phone, email, order string
	cashier, cashierINN       string
	place, buyer, buyerINN    string
	taxSystem                 byte // 0: the printer's
	lines                     []line
	total                     Kopecks
	payments                  Payments
	correction                *correction
	industry                  bool
}

// correction is what a correction has beyond a receipt.
type correction struct {
	byOrder     byte // tag 1173
	date        time.Time
	number      string
	description string
	tax         string // of a correction without positions
}

func (d *draft) operation() byte { return operations[d.vendor] }

// fieldErrors is the data of a refusal: texts by field.
type fieldErrors map[string][]string

func (e fieldErrors) add(field, text string) { e[field] = append(e[field], text) }

// checker turns one request into a draft.
type checker struct {
	s       *Service
	who     identity
	draft   draft
	form    *form
	errs    fieldErrors
	unknown []string // of positions
	// nonCash is set where the service itself answers 3896.
	nonCash bool
}

// check is step 6 of section 2.7.
func (s *Service) check(in values, kind Kind, ffd12 bool, who identity) *checker {
	c := &checker{s: s, who: who, draft: draft{kind: kind, ffd12: ffd12}, errs: fieldErrors{}}
	c.form = newForm(in, s.opt.EmptyIsValue, c.errs.add)
	c.common()
	switch kind {
	case KindReceipt:
		c.receipt()
	case KindCorrection:
		c.correction()
	case KindNonFiscal:
		c.draft.vendor = c.form.oneOf("type", defaultTypes[KindNonFiscal], "payment", "refund", "buy", "buy_refund")
		c.buyer()
		c.positions(true)
		c.pay()
	case KindCashIn, KindCashOut:
		c.cash()
	}
	c.route()
	c.unknown = append(c.form.unknown(""), c.unknown...)
	return c
}

// common reads the fields that all documents have (section 5).
func (c *checker) common() {
	f, d := c.form, &c.draft
	f.take("apikey", "login")
	d.test = f.flag("test")
	d.extID = f.text("ext_id", 50)
	d.url = f.text("callback_url", 255)
	if raw, ok := f.raw("callback_data"); ok {
		d.data = raw
	}
	d.cashier = f.text("cashier_name", 0)
	or(&d.cashier, "Кассир")
	d.cashierINN = f.digits("cashier_inn", "", 12)
}

func (c *checker) receipt() {
	f, d, o := c.form, &c.draft, c.s.opt
	types := []string{"payment", "refund"}
	if !o.NoBuy {
		types = append(types, "buy", "buy_refund")
	}
	if d.ffd12 {
		types = append(types, "sell_correction", "sell_return_correction", "buy_correction", "buy_return_correction")
	}
	d.vendor = f.oneOf("type", defaultTypes[KindReceipt], types...)
	c.buyer()
	if d.ffd12 {
		c.modern()
	} else {
		f.take("agent_sum", "agent_phone", "supplier_name", "supplier_address", "supplier_inn", "supplier_phone")
	}
	c.positions(true)
	c.pay()
}

// buyer reads section 2.1 but for purchase and payments.
func (c *checker) buyer() {
	f, d := c.form, &c.draft
	d.mode = f.oneOf("mode", "print", "print", "email", "print_email")
	d.phone = f.digits("customer_phone", "7", 11)
	d.email = f.text("customer_email", 100)
	d.buyer = f.text("customer_name", 0)
	d.buyerINN = c.customerINN()
	d.order = f.text("order_number", 0)
	d.place = f.text("payment_place", 0)
	f.oneOf("target_service", "", "lifepayCloud")
	f.take("chpu_login", "chpu_serial", "pos")
	if name := f.oneOf("tax_system", "", "osn", "usn6", "usn15", "eshn", "patent"); name != "" {
		d.taxSystem = taxSystems[name]
	}
}

// customerINN reads both spellings of section 4.1, or the one that is set.
func (c *checker) customerINN() string {
	for _, name := range []string{"customer_inn", "customier_inn"} {
		if only := c.s.opt.CustomerINNField; only != "" && only != name {
			continue
		}
		if s := c.form.text(name, 12); s != "" {
			return s
		}
	}
	return ""
}

// modern reads what FFD 1.2 adds to a receipt (section 4.1).
func (c *checker) modern() {
	f, d := c.form, &c.draft
	if d.buyer != "" && d.buyerINN == "" {
		name := c.s.opt.CustomerINNField
		or(&name, "customer_inn")
		f.required(name)
	}
	_, d.industry = f.raw("industry_props")
	if !isCorrection(d.vendor) {
		return
	}
	d.correction = &correction{number: f.text("correction_doc_number", 32)}
	if f.need("correction_doc_date") {
		d.correction.date = c.date("correction_doc_date")
	}
	if f.need("correction_initiator") {
		d.correction.byOrder = initiators[f.oneOf("correction_initiator", "independently", "independently", "directive")]
	}
}

// correction reads section 5.1. Its page does not show the payments and taxes;
// they are taken to be those of a receipt.
func (c *checker) correction() {
	f, d, o := c.form, &c.draft, c.s.opt
	if o.InitiatorRequired {
		f.need("initiator")
	}
	k := &correction{byOrder: initiators[f.oneOf("initiator", "independently", "independently", "directive")]}
	d.correction = k
	if f.need("description") {
		k.description = f.text("description", 256)
	}
	if f.need("doc_date") {
		k.date = c.date("doc_date")
	}
	if f.need("doc_number") {
		k.number = f.text("doc_number", 32)
	}
	d.vendor = f.oneOf("type", defaultTypes[KindCorrection], o.CorrectionTypes...)
	c.buyer()
	k.tax = f.oneOf(o.CorrectionTaxField, "", o.Taxes...)
	c.positions(false)
	c.pay()
}

func (c *checker) date(name string) time.Time {
	at, err := time.Parse(time.DateOnly, c.form.text(name, 0))
	if err != nil {
		c.form.complain(name, "Неверный формат значения "+label(name)+".")
	}
	return at
}

// cash reads cash-in and cash-out (section 5).
func (c *checker) cash() {
	c.form.need("target_serial")
	if !c.form.need("amount") {
		return
	}
	if v, ok := c.form.amount("amount"); ok {
		if c.draft.total = v; v == 0 {
			c.form.complain("amount", "Значение «Amount» должно быть больше 0.")
		}
	}
}

// pay reads the payment fields and settles them against the total.
func (c *checker) pay() {
	var sent [5]tender
	for i, name := range paymentFields {
		raw, ok := c.form.raw(name)
		if !ok {
			continue
		}
		if s, _ := scalar(raw); s == "#" {
			sent[i] = tender{set: true, rest: true}
			continue
		}
		v, _ := c.form.amount(name) // a wrong one is in errs
		sent[i] = tender{set: true, value: v}
	}
	if len(c.errs) > 0 {
		return // sums of wrong figures would only add noise
	}
	d := &c.draft
	if d.kind == KindCorrection && len(d.lines) == 0 {
		for _, t := range sent {
			d.total += t.value
		}
		if d.total == 0 {
			c.errs.add(paymentFields[0], "Необходимо указать хотя бы один вид оплаты.")
			return
		}
	}
	if c.s.opt.NoPaymentIsCash && sent == [5]tender{} {
		sent[cashField] = tender{set: true, rest: true}
	}
	payments, wrong := settle(d.total, sent)
	for field, text := range wrong {
		c.errs.add(field, text)
	}
	d.payments = payments
	c.judgeNonCash(sent)
}

func (c *checker) judgeNonCash(sent [5]tender) {
	if len(c.errs) > 0 || c.draft.payments.NonCash() <= c.draft.total {
		return
	}
	switch c.s.opt.NonCashOver {
	case NonCashByCode:
		c.nonCash = true
	case NonCashByField:
		for i, t := range sent {
			if i != cashField && t.value > 0 {
				c.errs.add(paymentFields[i], codeTexts[CodeNonCash])
			}
		}
	}
}

// route finds the printer: the one that is named, the one of the trade point,
// or any active one (section 2.1).
func (c *checker) route() {
	serial := c.form.text("target_serial", 0)
	if serial == "" {
		serial = c.who.login.Printer
	}
	var first *printer
	for _, p := range c.who.account.printers {
		switch {
		case serial != "" && p.cfg.Serial != serial, c.draft.ffd12 && p.cfg.FFD != "1.2":
			continue
		case serial != "", p.state == PrinterOK:
			c.draft.printer = p
			return
		case first == nil:
			first = p
		}
	}
	if c.draft.printer = first; first == nil && len(c.errs["target_serial"]) == 0 {
		c.errs.add("target_serial", "Принтер не найден.")
	}
}

// positionText puts a complaint about position i (from 0) in the vendor's words
// (section 1.2).
func positionText(i int, text string) string {
	return "Ошибка в позиции " + strconv.Itoa(i+1) + ": " + text
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
