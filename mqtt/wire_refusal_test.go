package mqtt

import (
	"strings"
	"testing"

	"kassad/fiscal"
)

// broken is a good request with one thing replaced. With old empty, new is the
// whole payload.
type broken struct {
	verb, old, new string
	code           fiscal.Code
	field          string
}

const (
	badJSON  = fiscal.CodeBadJSON
	badValue = fiscal.CodeBadValue
	unknown  = fiscal.CodeUnknownField
)

var brokenJSON = []broken{
	{"sale", "", "", badJSON, ""},
	{"sale", "", " ", badJSON, ""},
	{"sale", "", "{", badJSON, ""},
	{"sale", "", "}", badJSON, ""},
	{"sale", "", "null", badJSON, ""},
	{"sale", "", "[]", badJSON, ""},
	{"sale", "", `"sale"`, badJSON, ""},
	{"sale", "", "1", badJSON, ""},
	{"sale", "", "{}{}", badJSON, ""},
	{"sale", "", "{} x", badJSON, ""},
	{"sale", "", "\ufeff{}", badJSON, ""},
	{"sale", "", "{'v':1}", badJSON, ""},
	{"sale", "", "{v:1}", badJSON, ""},
	{"sale", "", `{"v":1,}`, badJSON, ""},
	{"sale", "", `{"v":1 "id":"a"}`, badJSON, ""},
	{"sale", "", `{"v" 1}`, badJSON, ""},
	{"sale", "", `{"v":}`, badJSON, ""},
	{"sale", "", `{"v":01}`, badJSON, ""},
	{"sale", "", `{"v":+1}`, badJSON, ""},
	{"sale", "", `{"v":.1}`, badJSON, ""},
	{"sale", "", `{"v":1.}`, badJSON, ""},
	{"sale", "", `{"v":1e}`, badJSON, ""},
	{"sale", "", `{"v":-}`, badJSON, ""},
	{"sale", "", `{"v":0x1}`, badJSON, ""},
	{"sale", "", `{"v":NaN}`, badJSON, ""},
	{"sale", "", `{"v":tru}`, badJSON, ""},
	{"sale", "", `{"id":"a`, badJSON, ""},
	{"sale", "", `{"id":"\x"}`, badJSON, ""},
	{"sale", "", `{"id":"\u12"}`, badJSON, ""},
	{"sale", "", `{"id":"\ud800"}`, badJSON, ""},
	{"sale", "", `{"id":"\ud800\u0041"}`, badJSON, ""},
	{"sale", "", `{"id":"\udc00"}`, badJSON, ""},
	{"sale", "", "{\"id\":\"a\nb\"}", badJSON, ""},
	{"sale", "", "{\"id\":\"\xff\"}", badJSON, ""},
	{"sale", "", "{\"id\":\"\xc3\"}", badJSON, ""},
	{"sale", "", `{"v":1,"v":1}`, badJSON, ""},
	{"sale", "", `{"v":1,"\u0076":1}`, badJSON, ""},
	{"sale", `"price":1`, `"price":1,"price":1`, badJSON, ""},
	{"sale", "", `{"v":[1,]}`, badJSON, ""},
	{"sale", "", `{"v":[1 2]}`, badJSON, ""},
	{"sale", "", `{"v":` + strings.Repeat("[", 100_000), badJSON, ""},
	{"sale", "", `{"v":` + strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 21), badJSON, ""},
	{"sale", "", goodSale + goodSale, badJSON, ""},
	{"sale", "", strings.Repeat(" ", 256<<10) + "{}", fiscal.CodeTooLarge, ""},
	{"sale", "", `{"v":[` + strings.Repeat("0,", 60_000) + `0]}`, fiscal.CodeTooLarge, ""},
}

var brokenEnvelopes = []broken{
	{"sale", `"v":1`, `"v":2`, badValue, "v"},
	{"sale", `"v":1`, `"v":0`, badValue, "v"},
	{"sale", `"v":1`, `"v":"1"`, badValue, "v"},
	{"sale", `"v":1`, `"v":1.0`, badValue, "v"},
	{"sale", `"v":1`, `"v":null`, badValue, "v"},
	{"sale", `"v":1,`, ``, badValue, "v"},
	{"sale", `"v":1`, `"V":1`, unknown, "V"},
	{"sale", `"v":1`, `"v":1,"extra":1`, unknown, "extra"},
	{"sale", `"v":1`, `"v":1,"by":"me"`, unknown, "by"},
	{"sale", `"id":"a",`, ``, badValue, "id"},
	{"sale", `"id":"a"`, `"id":""`, badValue, "id"},
	{"sale", `"id":"a"`, `"id":7`, badValue, "id"},
	{"sale", `"id":"a"`, `"id":"a b"`, badValue, "id"},
	{"sale", `"id":"a"`, `"id":"a/b"`, badValue, "id"},
	{"sale", `"id":"a"`, `"id":"ы"`, badValue, "id"},
	{"sale", `"id":"a"`, `"id":"` + strings.Repeat("a", 65) + `"`, badValue, "id"},
	{"sale", `"at":"2026-11-22T12:04:28Z",`, ``, badValue, "at"},
	{"shift-open", `"at":"2026-11-22T12:04:28Z",`, ``, badValue, "at"},
	{"cash-in", `"at":"2026-11-22T12:04:28Z",`, ``, badValue, "at"},
	{"sale", `28Z"`, `28"`, badValue, "at"},
	{"sale", `"2026-11-22T12:04:28Z"`, `"2026-11-22"`, badValue, "at"},
	{"sale", `"2026-11-22T12:04:28Z"`, `"2026-11-22 12:04:28Z"`, badValue, "at"},
	{"sale", `"2026-11-22T12:04:28Z"`, `"2026-02-30T12:04:28Z"`, badValue, "at"},
	{"sale", `"2026-11-22T12:04:28Z"`, `"1970-01-01T00:00:00Z"`, badValue, "at"},
	{"sale", `"2026-11-22T12:04:28Z"`, `1795349068`, badValue, "at"},
	{"sale", `"2026-11-22T12:04:28Z"`, `""`, badValue, "at"},
	{"sale", `"v":1`, `"v":1,"exp":"soon"`, badValue, "exp"},
	{"sale", `"v":1`, `"v":1,"wait":"0s"`, badValue, "wait"},
	{"sale", `"v":1`, `"v":1,"wait":"-1s"`, badValue, "wait"},
	{"sale", `"v":1`, `"v":1,"wait":"24h1ns"`, badValue, "wait"},
	{"sale", `"v":1`, `"v":1,"wait":"20"`, badValue, "wait"},
	{"sale", `"v":1`, `"v":1,"wait":20`, badValue, "wait"},
	{"sale", `"v":1`, `"v":1,"wait":""`, badValue, "wait"},
	{"sale", `"v":1`, `"v":1,"route":"A"`, badValue, "route"},
	{"sale", `"v":1`, `"v":1,"route":""`, badValue, "route"},
	{"sale", `"v":1`, `"v":1,"route":null`, badValue, "route"},
	{"sale", `"v":1`, `"v":1,"device":"Front"`, badValue, "device"},
	{"sale", `"v":1`, `"v":1,"device":"front","route":"back"`, badValue, "device"},
	{"sale", `"v":1`, `"v":1,"route":"default","device":"front"`, badValue, "device"},
	{"shift-open", `"v":1`, `"v":1,"route":"back"`, badValue, "device"},
	{"x-report", `"v":1`, `"v":1,"route":"back","device":"front"`, badValue, "device"},
	{"hello", `"v":1`, `"v":1,"route":"front"`, badValue, "route"},
	{"query", `"v":1`, `"v":1,"route":"front"`, badValue, "route"},
	{"hello", `"v":1`, `"v":1,"device":"front"`, badValue, "device"},
	{"cancel", `"v":1`, `"v":1,"device":"front"`, badValue, "device"},
	{"sale", `"body":{`, `"body":[{`, badJSON, ""},
	{"sale", "", `{"v":1,"id":"a","at":"2026-11-22T12:04:28Z","body":[]}`, badValue, "body"},
	{"sale", "", `{"v":1,"id":"a","at":"2026-11-22T12:04:28Z","body":null}`, badValue, "body"},
	{"refund-all", "", goodSale, fiscal.CodeUnknownVerb, ""},
	{"", "", goodSale, fiscal.CodeUnknownVerb, ""},
	{"SALE", "", goodSale, fiscal.CodeUnknownVerb, ""},
}

var brokenReceipts = []broken{
	{"sale", `"items"`, `"item"`, unknown, "item"},
	{"sale", `"items"`, `"Items"`, unknown, "Items"},
	{"sale", `"name"`, `"nmae"`, unknown, "items[0].nmae"},
	{"sale", `"body":{`, `"body":{"vat":{"none":1},`, unknown, "vat"},
	{"sale", `"body":{`, `"body":{"correction":{},`, unknown, "correction"},
	{"sale", `"body":{`, `"body":{"cashier":{"nam":"x"},`, unknown, "cashier.nam"},
	{"sale", `"body":{`, `"body":{"cashier":"Иванова",`, badValue, "cashier"},
	{"sale", `"body":{`, `"body":{"cashier":{"inn":500100732259},`, badValue, "cashier.inn"},
	{"sale", `"body":{`, `"body":{"buyer":{"phone":""},`, unknown, "buyer.phone"},
	{"sale", `"body":{`, `"body":{"customer":79161234567,`, badValue, "customer"},
	{"sale", `"body":{`, `"body":{"taxation":"envd",`, badValue, "taxation"},
	{"sale", `"body":{`, `"body":{"taxation":"0",`, badValue, "taxation"},
	{"sale", `"body":{`, `"body":{"taxation":1,`, badValue, "taxation"},
	{"sale", `"body":{`, `"body":{"internet":"yes",`, badValue, "internet"},
	{"sale", `"body":{`, `"body":{"print":0,`, badValue, "print"},
	{"sale", `"body":{`, `"body":{"additional":null,`, badValue, "additional"},
	{"sale", `"body":{`, `"body":{"total":1.001,`, badValue, "total"},
	{"sale", `[{"name":"x","price":1,"quantity":1,"vat":"none"}]`, `{}`, badValue, "items"},
	{"sale", `[{"name":"x","price":1,"quantity":1,"vat":"none"}]`, `[1]`, badValue, "items[0]"},
	{"sale", `[{"name":"x","price":1,"quantity":1,"vat":"none"}]`, `[` + strings.Repeat("{},", 500) + `{}]`, fiscal.CodeTooLarge, "items"},
	{"sale", `"name":"x"`, `"name":5`, badValue, "items[0].name"},
	{"sale", `"price":1,`, ``, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":1.001`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":"1.001"`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":1e2`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":-1`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":-0`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":"+1"`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":"1,50"`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":" 1"`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":""`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":"#"`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":"0x10"`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":"٣"`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":100000000`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":99999999999999999999999999`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":true`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":null`, badValue, "items[0].price"},
	{"sale", `"price":1`, `"price":[1]`, badValue, "items[0].price"},
	{"sale", `"quantity":1,`, ``, badValue, "items[0].quantity"},
	{"sale", `"quantity":1`, `"quantity":0`, badValue, "items[0].quantity"},
	{"sale", `"quantity":1`, `"quantity":"0.000000"`, badValue, "items[0].quantity"},
	{"sale", `"quantity":1`, `"quantity":-1`, badValue, "items[0].quantity"},
	{"sale", `"quantity":1`, `"quantity":1.1234567`, badValue, "items[0].quantity"},
	{"sale", `"quantity":1`, `"quantity":1e0`, badValue, "items[0].quantity"},
	{"sale", `"quantity":1`, `"quantity":100000000`, badValue, "items[0].quantity"},
	{"sale", `,"vat":"none"`, ``, badValue, "items[0].vat"},
	{"sale", `"vat":"none"`, `"vat":"vat18"`, badValue, "items[0].vat"},
	{"sale", `"vat":"none"`, `"vat":"VAT22"`, badValue, "items[0].vat"},
	{"sale", `"vat":"none"`, `"vat":22`, badValue, "items[0].vat"},
	{"sale", `"vat":"none"`, `"vat":"none","unit":"box"`, badValue, "items[0].unit"},
	{"sale", `"vat":"none"`, `"vat":"none","unit":0`, badValue, "items[0].unit"},
	{"sale", `"vat":"none"`, `"vat":"none","method":"paid"`, badValue, "items[0].method"},
	{"sale", `"vat":"none"`, `"vat":"none","method":4`, badValue, "items[0].method"},
	{"sale", `"vat":"none"`, `"vat":"none","subject":28`, badValue, "items[0].subject"},
	{"sale", `"vat":"none"`, `"vat":"none","subject":0`, badValue, "items[0].subject"},
	{"sale", `"vat":"none"`, `"vat":"none","subject":1.0`, badValue, "items[0].subject"},
	{"sale", `"vat":"none"`, `"vat":"none","subject":"1"`, badValue, "items[0].subject"},
	{"sale", `"vat":"none"`, `"vat":"none","subject":"food"`, badValue, "items[0].subject"},
	{"sale", `"vat":"none"`, `"vat":"none","subject":300`, badValue, "items[0].subject"},
	{"sale", `"vat":"none"`, `"vat":"none","department":0`, badValue, "items[0].department"},
	{"sale", `"vat":"none"`, `"vat":"none","department":17`, badValue, "items[0].department"},
	{"sale", `"vat":"none"`, `"vat":"none","department":"1"`, badValue, "items[0].department"},
	{"sale", `"vat":"none"`, `"vat":"none","department":257`, badValue, "items[0].department"},
	{"sale", `"vat":"none"`, `"vat":"none","sum":1.001`, badValue, "items[0].sum"},
	{"sale", `"vat":"none"`, `"vat":"none","discount":10`, badValue, "items[0].discount"},
	{"sale", `"vat":"none"`, `"vat":"none","discount":{"percent":101}`, badValue, "items[0].discount.percent"},
	{"sale", `"vat":"none"`, `"vat":"none","discount":{"percent":1.001}`, badValue, "items[0].discount.percent"},
	{"sale", `"vat":"none"`, `"vat":"none","discount":{"percent":-5}`, badValue, "items[0].discount.percent"},
	{"sale", `"vat":"none"`, `"vat":"none","discount":{"percents":5}`, unknown, "items[0].discount.percents"},
	{"sale", `"cash":"#"`, `"cash":"#","card":"#"`, badValue, "payments.card"},
	{"sale", `"cash":"#"`, `"cash":"rest"`, badValue, "payments.cash"},
	{"sale", `"cash":"#"`, `"cash":-1`, badValue, "payments.cash"},
	{"sale", `"cash":"#"`, `"sbp":1`, unknown, "payments.sbp"},
	{"sale", `"cash":"#"`, `"cash":{}`, badValue, "payments.cash"},
	{"sale", `{"cash":"#"}`, `500`, badValue, "payments"},
	{"buy", `"type":"agent",`, ``, badValue, "items[0].agent.type"},
	{"buy", `"type":"agent"`, `"type":64`, badValue, "items[0].agent.type"},
	{"buy", `"type":"agent"`, `"type":"broker"`, badValue, "items[0].agent.type"},
	{"buy", `,"inn":"7707083893"`, ``, badValue, "items[0].agent.supplier.inn"},
	{"buy", `"name":"y"`, `"name":"y","phones":"+74950000000"`, badValue, "items[0].agent.supplier.phones"},
	{"buy", `"name":"y"`, `"name":"y","phones":[74950000000]`, badValue, "items[0].agent.supplier.phones[0]"},
	{"buy", `"name":"y"`, `"name":"y","phones":["","","","","",""]`, fiscal.CodeTooLarge, "items[0].agent.supplier.phones"},
	{"buy", `"type":"agent"`, `"type":"agent","transfer":{"fax":""}`, unknown, "items[0].agent.transfer.fax"},
}

var brokenOthers = []broken{
	{"correction", `"kind":"sale",`, ``, badValue, "correction.kind"},
	{"correction", `"kind":"sale"`, `"kind":1`, badValue, "correction.kind"},
	{"correction", `"kind":"sale"`, `"kind":"correction"`, badValue, "correction.kind"},
	{"correction", `"by":"self",`, ``, badValue, "correction.by"},
	{"correction", `"by":"self"`, `"by":"me"`, badValue, "correction.by"},
	{"correction", `"2026-11-20"`, `"20.11.2026"`, badValue, "correction.date"},
	{"correction", `"2026-11-20"`, `"2026-11-20T00:00:00Z"`, badValue, "correction.date"},
	{"correction", `"2026-11-20"`, `"2026-11-31"`, badValue, "correction.date"},
	{"correction", `"by":"self"`, `"by":"self","fp":123`, badValue, "correction.fp"},
	{"correction", `"by":"self"`, `"by":"self","reason":"x"`, unknown, "correction.reason"},
	{"correction", `"vat":{"none":10}`, `"vat":{"vat18":10}`, unknown, "vat.vat18"},
	{"correction", `"vat":{"none":10}`, `"vat":{"none":-1}`, badValue, "vat.none"},
	{"correction", `"vat":{"none":10}`, `"vat":[]`, badValue, "vat"},
	{"correction", `,"correction":{"kind":"sale","by":"self","date":"2026-11-20"}`, ``, badValue, "correction"},
	{"shift-open", `"cashier"`, `"amount":1,"cashier"`, unknown, "amount"},
	{"cash-in", `"amount":1000.00`, ``, badValue, "amount"},
	{"cash-in", `1000.00`, `0`, badValue, "amount"},
	{"cash-in", `1000.00`, `1000.005`, badValue, "amount"},
	{"cash-out", `1000.00`, `100000000`, badValue, "amount"},
	{"text", `["x"]`, `"x"`, badValue, "lines"},
	{"text", `["x"]`, `[1]`, badValue, "lines[0]"},
	{"text", `["x"]`, `["x",null]`, badValue, "lines[1]"},
	{"text", `["x"]`, `[` + strings.Repeat(`"",`, 200) + `""]`, fiscal.CodeTooLarge, "lines"},
	{"text", `"cut":true`, `"cut":1`, badValue, "cut"},
	{"x-report", `"id":"a"`, `"id":"a","body":{"cashier":{}}`, unknown, "cashier"},
	{"hello", `"id":"a"`, `"id":"a","body":{"x":1}`, unknown, "body.x"},
	{"document", `1042`, `0`, badValue, "body.fd"},
	{"document", `1042`, `4294967296`, badValue, "body.fd"},
	{"document", `1042`, `"1042"`, badValue, "body.fd"},
	{"document", `"fd":1042`, ``, badValue, "body.fd"},
	{"query", `"id":"b"`, `"id":""`, badValue, "body.id"},
	{"query", `"id":"b"`, ``, badValue, "body.id"},
	{"cancel", `"id":"b"`, `"id":"b","why":""`, unknown, "body.why"},
	{"sync", `"since":0`, `"since":-1`, badValue, "body.since"},
	{"sync", `"since":0`, `"since":"yesterday"`, badValue, "body.since"},
	{"sync", `"since":0`, ``, badValue, "body.since"},
}

func TestBrokenCommandsAreRefused(t *testing.T) {
	t.Parallel()
	all := append(append(append(append([]broken{}, brokenJSON...), brokenEnvelopes...), brokenReceipts...), brokenOthers...)
	if len(all) < 200 {
		t.Errorf("only %d", len(all))
	}
	for _, tt := range all {
		payload := tt.new
		if tt.old != "" {
			good := goodRequests[tt.verb]
			if !strings.Contains(good, tt.old) {
				t.Errorf("%s: %q is not in %s", tt.verb, tt.old, good)
				continue
			}
			payload = strings.Replace(good, tt.old, tt.new, 1)
		}
		_, refusal := DecodeCommand(tt.verb, []byte(payload))
		if refusal == nil {
			t.Errorf("%s: not refused: %.200s", tt.verb, payload)
		} else if refusal.Code != tt.code || refusal.Field != tt.field || refusal.Outcome != fiscal.OutcomeRejected {
			t.Errorf("%s: got %v, want %s at %q: %.200s", tt.verb, refusal, tt.code, tt.field, payload)
		}
	}
}

func TestRefusedCommandsKeepTheirID(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		`{"v":2,"id":"a"}`:            "a",
		`{"extra":1,"v":1,"id":"a"}`:  "a",
		`{"v":1,"id":"a","body":{"x"`: "a",
		`{"v":1,"id":"a"} garbage`:    "a",
		`{"id":"a","v":1,"v":2}`:      "a",
		`{"v":1,"id":"a","body":{"x":"` + strings.Repeat("x", 300<<10) + `"}}`: "a",
		`{"v":1,"id":"a b"}`:           "",
		`{"v":1,"id":7}`:               "",
		`{"v":1,"id":"a`:               "",
		`{"v":1,"body":{"id":"inner"}`: "",
		"":                             "",
		"\xff":                         "",
		`["id","a"]`:                   "",
	} {
		cmd, refusal := DecodeCommand("sale", []byte(payload))
		if refusal == nil || cmd.ID != want || cmd.Verb != fiscal.VerbSale {
			t.Errorf("%s: got %q, %v", payload, cmd.ID, refusal)
		}
	}
}

// FuzzDecodeCommand: nothing panics, and what is let through is sane.
func FuzzDecodeCommand(f *testing.F) {
	for verb, payload := range goodRequests {
		f.Add(verb, []byte(payload))
	}
	f.Add("sale", []byte(contractSale))
	for _, tt := range brokenJSON {
		if len(tt.new) < 1000 {
			f.Add(tt.verb, []byte(tt.new))
		}
	}
	f.Fuzz(func(t *testing.T, verb string, payload []byte) {
		cmd, refusal := DecodeCommand(verb, payload)
		if cmd.ID != "" && !ValidID(cmd.ID) {
			t.Errorf("id %q", cmd.ID)
		}
		if refusal != nil {
			refusedProperly(t, refusal)
			if cmd.Hash != "" || len(cmd.Draft.Items) > 0 {
				t.Errorf("refused, and %+v", cmd)
			}
			return
		}
		if cmd.ID == "" || cmd.Hash == "" || cmd.Verb.Class() == 0 || cmd.Wait < 0 || cmd.Wait > waitMax || len(cmd.Draft.Items) > fiscal.ItemsMax {
			t.Errorf("let through %+v", cmd)
		}
		if again, refusal := DecodeCommand(verb, payload); refusal != nil || again.Hash != cmd.Hash {
			t.Errorf("the second time %v", refusal)
		}
		if !cmd.Verb.Journalled() {
			return
		}
		if doc, err := cmd.Draft.Resolve(); err == nil && cmd.Verb.Receipt() && (doc.Payments.Total() != doc.Total || doc.Total < 0 || doc.Total > fiscal.MoneyMax) {
			t.Errorf("payments %+v of %s", doc.Payments, doc.Total)
		}
	})
}
