package lifepay_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/devices/lifepay"
	"kassad/fiscal"
)

const (
	testLogin = "70000000001"
	testKey   = "very-secret-key"
	testUUID  = "0c1f0b5e-6d2a-5a77-9b11-2f6f1f3d8a01"
	testStem  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var testAt = time.Date(2026, time.November, 22, 12, 4, 28, 0, time.FixedZone("", 3*3600))

// fake answers every request alike and remembers the bodies.
type fake struct {
	status int
	answer string

	mu     sync.Mutex
	paths  []string
	bodies []string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paths, f.bodies = append(f.paths, r.URL.Path), append(f.bodies, string(body))
	w.WriteHeader(f.status)
	_, _ = io.WriteString(w, f.answer)
}

func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies
}

func accepted() string { return `{"code":0,"message":"","data":{"uuid":"` + testUUID + `"}}` }

// serve runs a fake that answers with status and answer.
func serve(t *testing.T, status int, answer string) (*fake, string) {
	t.Helper()
	f := &fake{status: status, answer: answer}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL
}

// driver makes a driver without a service, unless o names one.
func driver(t *testing.T, o lifepay.Options) *lifepay.Driver {
	t.Helper()
	if o.Login == "" {
		o.Login = testLogin
	}
	if o.APIKey == "" {
		o.APIKey = testKey
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d, err := lifepay.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func amount(t *testing.T, s string) fiscal.Money {
	t.Helper()
	m, err := fiscal.ParseMoney(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func units(t *testing.T, s string) fiscal.Quantity {
	t.Helper()
	q, err := fiscal.ParseQuantity(s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// item is an item at 22 % with its price and quantity as text.
func item(t *testing.T, name, price, quantity string) fiscal.Item {
	t.Helper()
	return fiscal.Item{Name: name, Price: amount(t, price), Quantity: units(t, quantity), VAT: fiscal.VAT22}
}

// fruits is example A of reference 3.1: 239.45.
func fruits(t *testing.T) []fiscal.Item {
	t.Helper()
	pineapple, potato, cashew := item(t, "Ананас", "110", "1"), item(t, "Картофель", "15", "2"), item(t, "Кешью", "1200", "0.1")
	pineapple.Discount.Percent, potato.Discount.Percent = 1000, 1000
	cashew.Discount.Amount = 655
	potato.Unit, cashew.Unit, cashew.VAT = 11, 11, fiscal.VAT10
	return []fiscal.Item{pineapple, potato, cashew}
}

func sale(items ...fiscal.Item) fiscal.Draft {
	return fiscal.Draft{
		ID: "sale-1", Verb: fiscal.VerbSale, At: testAt, Customer: "+79161234567", Items: items, Rest: fiscal.TenderCard,
	}
}

func resolve(t *testing.T, d fiscal.Draft) fiscal.Document {
	t.Helper()
	doc, err := d.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	doc.Stem = testStem
	return doc
}

func prepare(t *testing.T, d *lifepay.Driver, doc fiscal.Document) fiscal.Baseline {
	t.Helper()
	base, err := d.Prepare(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// fields decodes a body; numbers keep their digits.
func fields(t *testing.T, body []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}

func wantError(t *testing.T, err error, code fiscal.Code, outcome fiscal.Outcome) *fiscal.Error {
	t.Helper()
	var e *fiscal.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if e.Code != code || e.Outcome != outcome {
		t.Fatalf("got %v with outcome %d, want %s with %d", e, e.Outcome, code, outcome)
	}
	return e
}
