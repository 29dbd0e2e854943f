package bifit_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/devices/emul/bifit"
	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// refusal is one bad request: what replaces what in the coffee receipt, the
// field that the answer names, and the switch that lets it pass.
type refusal struct {
	name, from, to, field string
	let                   func(*bifit.Tolerate)
}

func refusals() []refusal {
	long := strings.Repeat("я", 129)
	return []refusal{
		{"no items", `[{"calculationMethod":"FULL_PAY","paymentSubject":"PRODUCT","name":"Coffee beans","price":60.00,"quantity":2.500,"vat":"VAT_10","total":150.00}],"total":150.00,"payments":{"CASH":150.00}`, `[],"total":0,"payments":{"CASH":0}`, "items", func(t *bifit.Tolerate) { t.NoItems = true }},
		{"no payments", `{"CASH":150.00}`, `{}`, "payments", func(t *bifit.Tolerate) { t.NoPayments, t.Paid = true, true }},
		{"blank cashier", `Petrov P. P.`, ` `, "cashier.name", func(t *bifit.Tolerate) { t.Cashier = true }},
		{"cashier INN", `500100732259`, `500100732258`, "cashier.inn", func(t *bifit.Tolerate) { t.CashierINN = true }},
		{"cashier INN of a firm", `500100732259`, `7707083893`, "cashier.inn", func(t *bifit.Tolerate) { t.CashierINN = true }},
		{"type", `"SALE"`, `"SELL"`, "type", func(t *bifit.Tolerate) { t.Tokens = true }},
		{"type in small letters", `"SALE"`, `"sale"`, "type", func(t *bifit.Tolerate) { t.Tokens = true }},
		{"tax system", `"COMMON"`, `"ENVD"`, "taxSystem", func(t *bifit.Tolerate) { t.Tokens = true }},
		{"method", `"FULL_PAY"`, `"4"`, "items[0].calculationMethod", func(t *bifit.Tolerate) { t.Tokens = true }},
		{"subject", `"PRODUCT"`, `"COMMODITY"`, "items[0].paymentSubject", func(t *bifit.Tolerate) { t.Tokens = true }},
		{"VAT of 18 %", `"VAT_10"`, `"VAT_18"`, "items[0].vat", func(t *bifit.Tolerate) { t.Tokens = true }},
		{"payment", `"CASH"`, `"CASHLESS"`, "payments.CASHLESS", func(t *bifit.Tolerate) { t.Tokens = true }},
		{"quantity zero", `"quantity":2.500`, `"quantity":0`, "items[0].quantity", func(t *bifit.Tolerate) { t.Quantity, t.Lines = true, true }},
		{"quantity negative", `"quantity":2.500`, `"quantity":-2.5`, "items[0].quantity", func(t *bifit.Tolerate) { t.Quantity, t.Lines = true, true }},
		{"four decimals", `"quantity":2.500`, `"quantity":2.5001`, "items[0].quantity", func(t *bifit.Tolerate) { t.Quantity = true }},
		{"price negative", `"price":60.00`, `"price":-60.00`, "items[0].price", func(t *bifit.Tolerate) { t.Price, t.Lines = true, true }},
		{"line", `"price":60.00`, `"price":60.01`, "items[0].total", func(t *bifit.Tolerate) { t.Lines = true }},
		{"sum", `"total":150.00,"payments"`, `"total":149.99,"payments"`, "total", func(t *bifit.Tolerate) { t.Sum, t.Paid = true, true }},
		{"paid short", `"CASH":150.00`, `"CASH":149.99`, "payments", func(t *bifit.Tolerate) { t.Paid = true }},
		{"paid over", `"CASH":150.00`, `"CASH":200`, "payments", func(t *bifit.Tolerate) { t.Paid = true }},
		{"payment negative", `"CASH":150.00`, `"CASH":160,"CARD":-10`, "payments.CARD", func(t *bifit.Tolerate) { t.Paid = true }},
		{"name too long", `Coffee beans`, long, "items[0].name", func(t *bifit.Tolerate) { t.Lengths = true }},
		{"cashier too long", `Petrov P. P.`, long[:130], "cashier.name", func(t *bifit.Tolerate) { t.Lengths = true }},
		{"contact too long", `buyer@example.org`, long[:130], "client.address", func(t *bifit.Tolerate) { t.Lengths = true }},
		{"place too long", `"total":150.00,"payments"`, `"paymentAddress":"` + long + long + `","total":150.00,"payments"`, "paymentAddress", func(t *bifit.Tolerate) { t.Lengths = true }},
		{"unknown field", `"total":150.00,"payments"`, `"discount":0,"total":150.00,"payments"`, "discount", func(t *bifit.Tolerate) { t.UnknownFields = true }},
		{"unknown item field", `"price":60.00`, `"measure":11,"price":60.00`, "items[0].measure", func(t *bifit.Tolerate) { t.UnknownFields = true }},
	}
}

// TestRefusals: every check of section 14.4 refuses with 400, the field and no
// document, and can be switched off.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := strings.Replace(coffee, c.from, c.to, 1)
			if body == coffee {
				t.Fatal("the case changes nothing")
			}
			h := newHost(t, bifit.Config{})
			a := h.register("a", body)
			h.want(a, http.StatusBadRequest)
			if got := field[string](t, a, "field"); got != c.field || field[string](t, a, "error") != "bad_request" {
				t.Errorf("answer %s, want the field %s", a.body, c.field)
			}
			if docs := h.s.Documents(); len(docs) > 0 {
				t.Errorf("a refused receipt left %+v", docs)
			}
			h.sell("a") // a refusal does not use the key up
			var tolerate bifit.Tolerate
			c.let(&tolerate)
			lenient := newHost(t, bifit.Config{Tolerate: tolerate})
			lenient.id(lenient.register("a", body))
		})
	}
}

// TestTolerated: what the checks let pass and no register can print ends in
// INVALID_DATA, not in a document.
func TestTolerated(t *testing.T) {
	t.Parallel()
	all := bifit.Tolerate{
		NoKey: true, KeyForm: true, ContentType: true, UnknownFields: true, NoItems: true, NoPayments: true, Cashier: true,
		CashierINN: true, Tokens: true, Quantity: true, Price: true, Lines: true, Sum: true, Paid: true, Lengths: true,
	}
	printable := []string{"four decimals", "line", "unknown field", "unknown item field", "cashier INN", "cashier INN of a firm", "blank cashier"}
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{Tolerate: all})
			id := h.id(h.register("a", strings.Replace(coffee, c.from, c.to, 1)))
			h.s.Advance(time.Minute)
			if slices.Contains(printable, c.name) {
				h.wantStatus(id, "DONE")
				return
			}
			h.wantError(id, "INVALID_DATA")
			if n := h.receipts(); n != 0 {
				t.Errorf("%d receipts of a receipt that cannot be", n)
			}
		})
	}
}

func TestRequiredFields(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, field string }{
		"type":          {`"type":"SALE",`, ``, "type"},
		"tax system":    {`"taxSystem":"COMMON",`, `"taxSystem":null,`, "taxSystem"},
		"cashier":       {`"cashier":{"name":"Petrov P. P.","inn":"500100732259"},`, ``, "cashier"},
		"cashier name":  {`"name":"Petrov P. P.",`, ``, "cashier.name"},
		"items":         {`"items"`, `"Items"`, "items"},
		"method":        {`"calculationMethod":"FULL_PAY",`, ``, "items[0].calculationMethod"},
		"subject":       {`"paymentSubject":"PRODUCT",`, ``, "items[0].paymentSubject"},
		"name":          {`"name":"Coffee beans",`, ``, "items[0].name"},
		"price":         {`"price":60.00,`, ``, "items[0].price"},
		"price text":    {`"price":60.00,`, `"price":"60.00",`, "items[0].price"},
		"price exact":   {`"price":60.00,`, `"price":60.001,`, "items[0].price"},
		"price exp":     {`"price":60.00,`, `"price":6e1,`, "items[0].price"},
		"quantity":      {`"quantity":2.500,`, ``, "items[0].quantity"},
		"quantity text": {`"quantity":2.500,`, `"quantity":"2.5",`, "items[0].quantity"},
		"vat":           {`"vat":"VAT_10",`, ``, "items[0].vat"},
		"vat number":    {`"vat":"VAT_10",`, `"vat":10,`, "items[0].vat"},
		"line total":    {`,"total":150.00}]`, `}]`, "items[0].total"},
		"total":         {`"total":150.00,"payments"`, `"payments"`, "total"},
		"payments":      {`,"payments":{"CASH":150.00}`, ``, "payments"},
		"payments list": {`{"CASH":150.00}`, `[150.00]`, "payments"},
		"payment text":  {`"CASH":150.00`, `"CASH":"150.00"`, "payments.CASH"},
		"item":          {`"items":[{`, `"items":[7,{`, "items[0]"},
		"client":        {`{"address":"buyer@example.org"}`, `"buyer@example.org"`, "client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{Tolerate: bifit.Tolerate{UnknownFields: true}})
			body := strings.Replace(coffee, c.from, c.to, 1)
			if body == coffee {
				t.Fatal("the case changes nothing")
			}
			a := h.register("a", body)
			h.want(a, http.StatusBadRequest)
			if got := field[string](t, a, "field"); got != c.field {
				t.Errorf("answer %s, want the field %s", a.body, c.field)
			}
		})
	}
}

// TestOrderOfChecks: each request is wrong in everything that comes after, and
// the first thing is named (section 14.4).
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	worse := strings.Replace(coffee, `"CASH":150.00`, `"CASH":1`, 1)
	enum := strings.Replace(worse, `"VAT_10"`, `"?"`, 1)
	missing := strings.Replace(enum, `"type":"SALE",`, ``, 1)
	bearer := "Bearer " + h.access
	for _, c := range []struct {
		name, token, key, kind, body string
		status                       int
		field                        string
	}{
		{"token", "Bearer x", "", "text/plain", "{", http.StatusUnauthorized, ""},
		{"key", bearer, "", "text/plain", "{", http.StatusBadRequest, "Idempotency-Key"},
		{"key form", bearer, strings.Repeat("k", 65), "text/plain", "{", http.StatusBadRequest, "Idempotency-Key"},
		{"key signs", bearer, "a b", "text/plain", "{", http.StatusBadRequest, "Idempotency-Key"},
		{"content type", bearer, "a", "text/plain", "{", http.StatusBadRequest, "Content-Type"},
		{"syntax", bearer, "a", "application/json", missing[:len(missing)-1], http.StatusBadRequest, ""},
		{"two of a key", bearer, "a", "application/json", `{"type":"SALE","type":"SALE"}`, http.StatusBadRequest, ""},
		{"no object", bearer, "a", "application/json", `[]`, http.StatusBadRequest, ""},
		{"required", bearer, "a", "application/json", missing, http.StatusBadRequest, "type"},
		{"words", bearer, "a", "application/json", enum, http.StatusBadRequest, "items[0].vat"},
		{"arithmetic", bearer, "a", "application/json; charset=utf-8", worse, http.StatusBadRequest, "payments"},
		{"nothing", bearer, "a", "application/json; charset=utf-8", coffee, http.StatusOK, ""},
	} {
		a := h.call("POST", base+bifit.RegisterPath, c.body, "Authorization", c.token, "Idempotency-Key", c.key, "Content-Type", c.kind)
		if a.status != c.status {
			t.Errorf("%s: status %d: %s", c.name, a.status, a.body)
		}
		if c.status == http.StatusBadRequest {
			if got, _ := lookup(t, a, "field").(string); got != c.field {
				t.Errorf("%s: answer %s, want the field %q", c.name, a.body, c.field)
			}
		}
	}
}

// TestKey: one key, one document, whatever became of it (section 14.4).
func TestKey(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.s.Fail(bifit.Fault{Key: "fails", Do: bifit.FailDocument{Cause: bifit.CauseFault}})
	other := strings.Replace(coffee, "Coffee beans", "Tea", 1)
	for _, key := range []string{"makes", "fails"} {
		id := h.sell(key)
		for range 3 {
			if again := h.sell(key); again != id {
				t.Errorf("%s: again is %d, first was %d", key, again, id)
			}
			h.s.Advance(time.Minute)
		}
		if again := h.id(h.register(key, other)); again != id {
			t.Errorf("%s with another body is %d, first was %d", key, again, id)
		}
	}
	requests := h.s.Requests()
	if w := requests[len(requests)-1].Warning; !strings.Contains(w, "another body") {
		t.Errorf("the journal says %q of another body", w)
	}
	if n := h.receipts(); n != 1 || len(h.s.Documents()) != 2 {
		t.Errorf("%d receipts, %d documents, want 1 and 2", n, len(h.s.Documents()))
	}
}

func TestKeyConflict(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Rules: bifit.Rules{Conflict: true}})
	id := h.sell("a")
	a := h.register("a", strings.Replace(coffee, "Coffee beans", "Tea", 1))
	h.want(a, http.StatusConflict)
	if got := field[json.Number](t, a, "id"); string(got) != strconv.FormatUint(id, 10) {
		t.Errorf("answer %s, want the id %d", a.body, id)
	}
	if again := h.sell("a"); again != id {
		t.Errorf("the same body is %d, want %d", again, id)
	}
}

func TestKeyOfEachConnector(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Connectors: []bifit.Connector{
		{Token: bifit.ConnectorTokenDefault}, {Name: "second", Token: "other"},
	}})
	first := h.sell("a")
	h.access = h.login("other")
	if second := h.sell("a"); second == first {
		t.Error("one key through two connectors is one document")
	}
	h.want(h.document(first), http.StatusNotFound)
	if d := h.s.Documents()[1]; d.Connector != "second" {
		t.Errorf("connector %q", d.Connector)
	}
}

func TestNoKey(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Tolerate: bifit.Tolerate{NoKey: true}})
	first := h.sell("")
	if second := h.sell(""); second == first {
		t.Error("two receipts without a key are one document")
	}
}

// TestParallelKey: two equal requests at once make one document.
func TestParallelKey(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	const many = 32
	ids := make([]uint64, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			a := h.register("a", coffee)
			if a.status == http.StatusOK {
				ids[i] = h.id(a)
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != bifit.FirstIDDefault {
			t.Errorf("ids %v, want one", ids)
			break
		}
	}
	h.s.Advance(time.Minute)
	if n := h.receipts(); n != 1 {
		t.Errorf("%d receipts", n)
	}
}

func TestWideIDs(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{FirstID: bifit.FirstIDWide})
	first := h.sell("a")
	if second := h.sell("b"); first <= 1<<31 || second != first+1 {
		t.Errorf("ids %d and %d", first, second)
	}
	h.want(h.document(first+1), http.StatusOK)
}

// TestExtensions: the invented fields of section 14.7 are taken only on
// request.
func TestExtensions(t *testing.T) {
	t.Parallel()
	body := strings.Replace(coffee, `"price":60.00`, `"measure":11,"markingCode":"0104601234567890215Ab","markingFraction":{"numerator":1,"denominator":2},`+
		`"agent":{"type":32,"phone":"+79161234567"},"supplier":{"name":"Farm","inn":"7707083893","phone":"+79161234568"},"price":60.00`, 1)
	off := newHost(t, bifit.Config{})
	off.want(off.register("a", body), http.StatusBadRequest)
	h := newHost(t, bifit.Config{Rules: bifit.Rules{Extensions: true}})
	id := h.id(h.register("a", body))
	h.s.Advance(time.Minute)
	h.wantStatus(id, "DONE")
	i := h.s.Ledger()["9999078900100001"][2].Items[0]
	if i.Unit != 11 || string(i.Code) != "0104601234567890215Ab" || i.Agent != 32 || i.Supplier != "Farm" || i.SupplierINN != "7707083893" || i.Phones[0] != "+79161234568" {
		t.Errorf("item %+v", i)
	}
}

// TestFFD12: a register of the newer format has units and structured codes.
func TestFFD12(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Rules: bifit.Rules{Extensions: true}, Connectors: []bifit.Connector{{
		Token: bifit.ConnectorTokenDefault, Registers: []bifit.Register{{FFD: ffd.Version12}},
	}}})
	body := strings.Replace(coffee, `"price":60.00`, `"measure":11,"markingCode":"010460123456789021Ab\u001d93x","price":60.00`, 1)
	id := h.id(h.register("a", body))
	h.s.Advance(time.Minute)
	h.wantStatus(id, "DONE")
	i := h.s.Ledger()["9999078900100001"][2].Items[0]
	code, _ := ffd.Find(i.Fields, 1163)
	marked, _ := ffd.Find(code.Fields, 1305)
	if i.Unit != 11 || marked.Text() != "010460123456789021Ab" {
		t.Errorf("unit %d, code %q", i.Unit, marked.Text())
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.want(h.register("a", strings.Repeat(" ", 1<<20)+coffee), http.StatusRequestEntityTooLarge)
	h.want(h.register("a", strings.Repeat(" ", 1<<19)+coffee), http.StatusOK)
}

// TestTable: a word that is put right once is right in requests and answers.
func TestTable(t *testing.T) {
	t.Parallel()
	table := bifit.DefaultTable()
	table.Payments.Rename(1081, "ELECTRONIC")
	table.Statuses.Rename(int(bifit.StatusDone), "COMPLETED")
	table.Fields.Rename(int(bifit.FieldFN), "fnNumber")
	table.DocumentPath = "/protected/documents/{id}/info"
	table.PaymentAddress = "place"
	h := newHost(t, bifit.Config{Table: table})
	id := h.id(h.register("a", strings.NewReplacer(`"CASH"`, `"ELECTRONIC"`, `"client"`, `"place":"Mill","client"`).Replace(coffee)))
	h.s.Advance(time.Minute)
	a := h.call("GET", base+"/protected/documents/254934/info", "", "Authorization", "Bearer "+h.access)
	h.want(a, http.StatusOK)
	if field[string](t, a, "status") != "COMPLETED" || field[string](t, a, "fnNumber") != "9999078900100001" {
		t.Errorf("answer %s", a.body)
	}
	if e := h.s.Ledger()["9999078900100001"][2]; e.Card != 15000 || e.Place != "Mill" {
		t.Errorf("card %d at %q", e.Card, e.Place)
	}
	h.want(h.document(id), http.StatusNotFound)
}

// TestWords: every word of section 5 becomes its tag.
func TestWords(t *testing.T) {
	t.Parallel()
	table := bifit.DefaultTable()
	h := newHost(t, bifit.Config{Delays: bifit.Delays{New: -1, Queued: -1, Registering: -1}})
	n := 0
	last := func(from, to string) fn.Entry {
		n++
		h.wantStatus(h.id(h.register("k"+string(rune('A'+n/26))+string(rune('A'+n%26)), strings.Replace(coffee, from, to, 1))), "DONE")
		ledger := h.s.Ledger()["9999078900100001"]
		return ledger[len(ledger)-1]
	}
	for _, w := range table.Types {
		if e := last(`"SALE"`, `"`+w.Token+`"`); int(e.Operation) != w.Value {
			t.Errorf("%s: tag 1054 is %d", w.Token, e.Operation)
		}
	}
	for _, w := range table.TaxSystems {
		if e := last(`"COMMON"`, `"`+w.Token+`"`); int(e.Taxation) != w.Value {
			t.Errorf("%s: tag 1055 is %d", w.Token, e.Taxation)
		}
	}
	for _, w := range table.Methods {
		if e := last(`"FULL_PAY"`, `"`+w.Token+`"`); int(e.Items[0].Method) != w.Value {
			t.Errorf("%s: tag 1214 is %d", w.Token, e.Items[0].Method)
		}
	}
	for _, w := range table.Subjects {
		if e := last(`"PRODUCT"`, `"`+w.Token+`"`); int(e.Items[0].Subject) != w.Value {
			t.Errorf("%s: tag 1212 is %d", w.Token, e.Items[0].Subject)
		}
	}
	tax := map[int]int64{1: 2500, 2: 1364, 3: 2500, 4: 1364, 5: 15000, 6: 15000, 7: 714, 8: 981, 9: 714, 10: 981, 11: 2705, 12: 2705}
	for _, w := range table.VAT {
		if e := last(`"VAT_10"`, `"`+w.Token+`"`); int(e.Items[0].VATCode) != w.Value || e.VAT[byte(w.Value)] != tax[w.Value] {
			t.Errorf("%s: tag 1199 is %d, tax %v", w.Token, e.Items[0].VATCode, e.VAT)
		}
	}
	for _, w := range table.Payments {
		e := last(`"CASH"`, `"`+w.Token+`"`)
		if got := map[int]int64{1031: e.Cash, 1081: e.Card, 1215: e.Prepaid, 1216: e.Credit, 1217: e.Provision}; got[w.Value] != 15000 {
			t.Errorf("%s: payments %v", w.Token, got)
		}
	}
}
