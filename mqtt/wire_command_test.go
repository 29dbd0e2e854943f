package mqtt

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
)

// contractSale is the request of the contract, to the letter.
const contractSale = `{"v":1,"id":"0198c2f0-5d1e-7c53-9a35-1b8f6a6f0c11","at":"2026-11-22T12:04:28+03:00",
 "body":{"cashier":{"name":"Иванова А.","inn":"500100732259"},"customer":"+79161234567","taxation":"usn-income","internet":false,
  "items":[{"name":"Ананас","price":110.00,"quantity":1,"unit":"piece","vat":"vat22","method":"full-payment","subject":"goods",
            "discount":{"percent":10},"department":1,
            "agent":{"type":"agent","supplier":{"name":"ООО Ромашка","inn":"7707083893","phones":["+74950000000"]}}}],
  "discount":{"amount":0}, "payments":{"cash":500}, "additional":"", "print":true}}`

// The shortest good requests, which the table of bad ones breaks.
const (
	goodSale       = `{"v":1,"id":"a","at":"2026-11-22T12:04:28Z","body":{"items":[{"name":"x","price":1,"quantity":1,"vat":"none"}],"payments":{"cash":"#"}}}`
	goodCorrection = `{"v":1,"id":"a","at":"2026-11-22T12:04:28Z","body":{"total":10,"payments":{"cash":10},"vat":{"none":10},"correction":{"kind":"sale","by":"self","date":"2026-11-20"}}}`
	goodAgent      = `{"v":1,"id":"a","at":"2026-11-22T12:04:28Z","body":{"items":[{"name":"x","price":1,"quantity":1,"vat":"none","agent":{"type":"agent","supplier":{"name":"y","inn":"7707083893"}}}],"payments":{"cash":"#"}}}`
	goodShift      = `{"v":1,"id":"a","at":"2026-11-22T12:04:28Z","device":"front","body":{"cashier":{"name":"x"}}}`
	goodCash       = `{"v":1,"id":"a","at":"2026-11-22T12:04:28Z","body":{"amount":1000.00}}`
	goodText       = `{"v":1,"id":"a","body":{"lines":["x"],"cut":true}}`
	goodDocument   = `{"v":1,"id":"a","body":{"fd":1042}}`
	goodQuery      = `{"v":1,"id":"a","body":{"id":"b"}}`
	goodSync       = `{"v":1,"id":"a","body":{"since":0}}`
	goodEmpty      = `{"v":1,"id":"a"}`
)

var goodRequests = map[string]string{
	"sale": goodSale, "refund": goodSale, "buy": goodAgent, "buy-refund": goodSale, "correction": goodCorrection,
	"shift-open": goodShift, "shift-close": goodShift, "cash-in": goodCash, "cash-out": goodCash,
	"x-report": goodEmpty, "copy": goodEmpty, "text": goodText, "drawer": goodEmpty,
	"counters": goodEmpty, "document": goodDocument, "status": goodEmpty, "query": goodQuery, "sync": goodSync, "hello": goodEmpty, "cancel": goodQuery,
}

func TestDecodeContractExample(t *testing.T) {
	t.Parallel()
	cmd, refusal := DecodeCommand("sale", []byte(contractSale))
	if refusal != nil {
		t.Fatal(refusal)
	}
	if cmd.V != 1 || cmd.ID != "0198c2f0-5d1e-7c53-9a35-1b8f6a6f0c11" || cmd.At.Format(time.RFC3339) != "2026-11-22T12:04:28+03:00" {
		t.Errorf("envelope %+v", cmd)
	}
	doc, err := cmd.Draft.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	l := doc.Lines[0]
	if doc.Total != 9900 || doc.Change != 40100 || l.Price != 9900 || l.Tax != 1785 || l.VAT != fiscal.VAT22 || l.Agent.Type != fiscal.OtherAgent {
		t.Errorf("document %+v", doc)
	}
	if doc.Verb != fiscal.VerbSale || doc.Kind != fiscal.Sale || doc.Taxation.String() != "usn-income" || doc.Customer != "+79161234567" {
		t.Errorf("document %+v", doc)
	}
}

func TestDecodeEveryVerb(t *testing.T) {
	t.Parallel()
	for verb, payload := range goodRequests {
		cmd, refusal := DecodeCommand(verb, []byte(payload))
		if refusal != nil {
			t.Errorf("%s: %v", verb, refusal)
			continue
		}
		if cmd.ID != "a" || string(cmd.Verb) != verb || len(cmd.Hash) != 64 {
			t.Errorf("%s: got %+v", verb, cmd)
		}
		if _, err := cmd.Draft.Resolve(); cmd.Verb.Journalled() && err != nil {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

func TestDecodeBodies(t *testing.T) {
	t.Parallel()
	decode := func(verb, payload string) Command {
		cmd, refusal := DecodeCommand(verb, []byte(payload))
		if refusal != nil {
			t.Errorf("%s: %v", verb, refusal)
		}
		return cmd
	}
	if c := decode("shift-open", goodShift); c.Device != "front" || c.Draft.Cashier.Name != "x" {
		t.Errorf("shift %+v", c)
	}
	for _, named := range []string{`"device":"back"`, `"route":"back"`, `"route":"back","device":"back"`} {
		sale := decode("sale", strings.Replace(goodSale, `"v":1`, `"v":1,`+named, 1))
		report := decode("x-report", strings.Replace(goodEmpty, `"v":1`, `"v":1,`+named, 1))
		if cmp.Or(sale.Device, sale.Route) != "back" || cmp.Or(report.Device, report.Route) != "back" {
			t.Errorf("%s: %+v %+v", named, sale, report)
		}
	}
	if c := decode("cash-in", goodCash); c.Draft.Amount != 100000 || c.Draft.At.IsZero() {
		t.Errorf("cash %+v", c)
	}
	if c := decode("text", goodText); len(c.Draft.Text) != 1 || !c.Draft.Cut {
		t.Errorf("text %+v", c)
	}
	if c := decode("document", goodDocument); c.FD != 1042 {
		t.Errorf("document %+v", c)
	}
	if c := decode("cancel", goodQuery); c.Target != "b" {
		t.Errorf("cancel %+v", c)
	}
	if c := decode("sync", `{"v":1,"id":"a","body":{"since":"2026-11-22T00:00:00Z"}}`); c.Since.At.IsZero() || c.Since.Seq != 0 {
		t.Errorf("sync by time %+v", c)
	}
	if c := decode("sync", `{"v":1,"id":"a","body":{"since":17}}`); c.Since.Seq != 17 {
		t.Errorf("sync by number %+v", c)
	}
	c := decode("sale", strings.Replace(goodSale, `"v":1`, `"v":1,"exp":"2026-11-22T13:00:00+03:00","wait":"1m30s","route":"default"`, 1))
	if c.Wait != 90*time.Second || c.Exp.IsZero() || c.Route != "default" || c.Draft.Rest != fiscal.TenderCash {
		t.Errorf("envelope %+v", c)
	}
	c = decode("sale", strings.Replace(goodSale, `"price":1,"quantity":1,`, `"price":"110.5","quantity":"0.125","subject":10,"department":16,"sum":13.81,`, 1))
	if it := c.Draft.Items[0]; it.Price != 11050 || it.Quantity != 125_000 || it.Subject != fiscal.PaymentSubject || it.Department != 16 || *it.Sum != 1381 {
		t.Errorf("item %+v", it)
	}
	c = decode("correction", goodCorrection)
	if b := c.Draft.Correction; c.Draft.Kind != fiscal.Sale || b.ByOrder || b.Date.Format(time.DateOnly) != "2026-11-20" || b.VAT[fiscal.VATNone] != 1000 || *c.Draft.Total != 1000 {
		t.Errorf("correction %+v", b)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	hash := func(verb, payload string) string {
		cmd, refusal := DecodeCommand(verb, []byte(payload))
		if refusal != nil {
			t.Fatalf("%v in %s", refusal, payload)
		}
		return cmd.Hash
	}
	own := hash("sale", goodSale)
	onRoute := hash("sale", strings.Replace(goodSale, `"v":1`, `"v":1,"route":"front"`, 1))
	if hash("sale", strings.Replace(goodSale, `"v":1`, `"v":1,"device":"front"`, 1)) != onRoute || onRoute == own {
		t.Error("a place named as device or as route")
	}
	same := []string{
		strings.ReplaceAll(goodSale, ",", " ,\n\t"),
		strings.Replace(goodSale, `"v":1`, `"v":1,"exp":"2026-11-22T13:00:00Z","wait":"20s"`, 1),
		strings.Replace(goodSale, `"v":1`, `"v":1,"wait":"24h"`, 1),
		strings.Replace(goodSale, `"price":1,"quantity":1`, `"quantity":1,"price":1`, 1),
		strings.Replace(goodSale, `"x"`, `"\u0078"`, 1),
		strings.Replace(goodSale, `"id":"a"`, `"id":"b"`, 1),
	}
	for _, payload := range same {
		if hash("sale", payload) != own {
			t.Errorf("differs: %s", payload)
		}
	}
	other := []string{
		strings.Replace(goodSale, `"price":1`, `"price":2`, 1),
		strings.Replace(goodSale, `"price":1`, `"price":1.00`, 1),
		strings.Replace(goodSale, `"x"`, `"y"`, 1),
		strings.Replace(goodSale, `"v":1`, `"v":1,"route":"default"`, 1),
	}
	for _, payload := range other {
		if hash("sale", payload) == own {
			t.Errorf("the same: %s", payload)
		}
	}
	if hash("refund", goodSale) == own {
		t.Error("the verb makes no difference")
	}
	if hash("drawer", goodEmpty) != hash("drawer", `{"v":1,"id":"a","body":{}}`) {
		t.Error("no body differs from an empty one")
	}
}

// long makes a sale of n items, as a busy till sends it.
func long(n int) []byte {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"name":"Сыр Российский %d","price":%d.90,"quantity":0.%03d,"unit":"kg","vat":"vat10","method":"full-payment","subject":"goods","discount":{"percent":5}}`, i, 100+i, i+1)
	}
	return []byte(`{"v":1,"id":"0198c2f0-5d1e-7c53-9a35-1b8f6a6f0c11","at":"2026-11-22T12:04:28+03:00","body":{"items":[` +
		strings.Join(items, ",") + `],"payments":{"card":"#"}}}`)
}

func TestDecodeAtTheLimits(t *testing.T) {
	t.Parallel()
	cmd, refusal := DecodeCommand("sale", long(fiscal.ItemsMax))
	if refusal != nil || len(cmd.Draft.Items) != fiscal.ItemsMax {
		t.Errorf("%d items, %v", len(cmd.Draft.Items), refusal)
	}
	padded := append([]byte(goodSale), bytes.Repeat([]byte(" "), linkPayloadBytesMax-len(goodSale))...)
	if _, refusal := DecodeCommand("sale", padded); refusal != nil {
		t.Errorf("256 KiB: %v", refusal)
	}
	id := strings.Repeat("Zz9._:-", 9) + "x"
	if cmd, refusal := DecodeCommand("hello", []byte(`{"v":1,"id":"`+id+`"}`)); refusal != nil || cmd.ID != id {
		t.Errorf("an id of %d: %v", len(id), refusal)
	}
}

func BenchmarkDecode50Items(b *testing.B) {
	payload := long(50)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := DecodeCommand("sale", payload); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

func BenchmarkResolve50Items(b *testing.B) {
	cmd, refusal := DecodeCommand("sale", long(50))
	if refusal != nil {
		b.Fatal(refusal)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cmd.Draft.Resolve(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeAnswer(b *testing.B) {
	r := doneSale()
	b.ReportAllocs()
	for b.Loop() {
		EncodeAnswer(r, false)
	}
}
