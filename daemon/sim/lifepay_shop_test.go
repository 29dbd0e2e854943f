package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// calledBack is quickPolicy without questions: LIFE PAY can not be asked.
func calledBack(repeat ...time.Duration) *fiscal.Policy {
	p := quickPolicy()
	p.Cloud.Poll = nil
	if p.Cloud.Repeat = repeat; len(repeat) == 0 {
		p.Cloud.Repeat = []time.Duration{40 * time.Millisecond, 80 * time.Millisecond}
	}
	return p
}

// lifePay is what a case changes of a shop that sells by LIFE PAY alone.
type lifePay struct {
	cloud  lifepay.Config
	policy *fiscal.Policy
	config func(*daemon.LifePayConfig)
}

func (l lifePay) open(t *testing.T) (*Shop, *Till) {
	t.Helper()
	if l.policy == nil {
		l.policy = calledBack()
	}
	s := openShop(t, Options{NoPrinter: true, LifePay: &l.cloud, Policy: l.policy, Config: func(c *daemon.Config) {
		c.LifePay.TargetSerial = lifepay.DemoPrinter
		if l.config != nil {
			l.config(c.LifePay)
		}
	}})
	return s, openTill(t, s, "till1")
}

// fail arms a fault.
func fail(t *testing.T, s *Shop, f lifepay.Fault) {
	t.Helper()
	if err := s.LifePay.Fail(f); err != nil {
		t.Fatal(err)
	}
}

// extID is what the service knows an attempt of a command by.
func extID(s *Shop, id string, attempt int) string {
	return fiscal.Document{Stem: fiscal.Stem(s.Config.Root(), id), Edition: attempt - 1}.CloudKey()
}

// asked are the requests under an ext_id.
func asked(s *Shop, key string) []lifepay.Request {
	return slices.DeleteFunc(s.LifePay.Requests(), func(r lifepay.Request) bool { return r.ExtID != key })
}

// taken are the documents that the service has under an ext_id.
func taken(s *Shop, key string) []lifepay.Document {
	return slices.DeleteFunc(s.LifePay.Documents(), func(d lifepay.Document) bool { return d.ExtID != key })
}

// one is the only document under an ext_id, once it is there.
func one(t *testing.T, s *Shop, key string) lifepay.Document {
	t.Helper()
	await(t, s, "a document of "+key, func() bool { return len(taken(s, key)) > 0 })
	list := taken(s, key)
	if len(list) != 1 {
		t.Fatalf("%d documents of %s", len(list), key)
	}
	return list[0]
}

// await waits for something at the service.
func await(t *testing.T, s *Shop, what string, done func() bool) {
	t.Helper()
	if err := s.LifePay.Await(soon(t), done); err != nil {
		t.Fatalf("never: %s: %v", what, err)
	}
}

// finish lets a stuck document go on, once the service has it.
func finish(t *testing.T, s *Shop, key string, o lifepay.Outcome) lifepay.Document {
	t.Helper()
	d := one(t, s, key)
	if err := s.LifePay.Finish(d.UUID, o); err != nil {
		t.Fatal(err)
	}
	await(t, s, "its end", func() bool {
		d, _ = s.LifePay.Document(d.UUID)
		return d.State == lifepay.StateProcessed || d.State == lifepay.StateError
	})
	return d
}

// lodged waits until the cloud has the document.
func (p *pending) lodged() Answer {
	p.t.Helper()
	return p.until("registered", func(a Answer) bool { return a.State == fiscal.Registered })
}

// lodgedFor waits for something that a registered command is told to wait for.
func (p *pending) lodgedFor(code fiscal.Code) Answer {
	p.t.Helper()
	return p.until("registered, "+string(code), func(a Answer) bool {
		return a.State == fiscal.Registered && a.Waiting != nil && a.Waiting.Code == code
	})
}

// callbackURL is where the service was asked to tell of an attempt.
func callbackURL(t *testing.T, s *Shop, key string) string {
	t.Helper()
	var body struct {
		URL string `json:"callback_url"`
	}
	list := asked(s, key)
	if len(list) == 0 {
		t.Fatalf("no request of %s", key)
	}
	if err := json.Unmarshal([]byte(list[0].Body), &body); err != nil || body.URL == "" {
		t.Fatalf("%s: %v", list[0].Body, err)
	}
	return body.URL
}

// processed is the content of a callback about a document that is made.
func processed(d lifepay.Document) obj {
	p := obj{"uuid": d.UUID, "status": "processed", "error_code": 0}
	if d.FD != 0 {
		p["ofd_url"] = "https://ofd.example/" + d.FN
		p["fn"], p["fd"], p["fp"], p["shift"], p["receipt"], p["at"] = d.FN, d.FD, d.FP, d.Shift, d.Receipt, d.At.Format(time.RFC3339)
	}
	return p
}

// callBack tells the daemon something, as the service or as anybody, and
// returns the HTTP status.
func callBack(t *testing.T, url string, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// tell wants a callback to be taken.
func tell(t *testing.T, url string, content obj) {
	t.Helper()
	if status := callBack(t, url, string(mustJSON(content))); status != http.StatusOK {
		t.Fatalf("HTTP %d to %v", status, content)
	}
}

// boiling is the sale of these tests.
func boiling() obj { return byMail(obj{"cash": 1500}, kettle()) }

// retry is a person's word that a held sale is to be begun again. A new start
// before it spares the pause of the circuit breaker.
func retry(t *testing.T, s *Shop, till *Till, p *pending) *pending {
	t.Helper()
	till = restart(t, s, till)
	again := beginRaw(t, till, fiscal.VerbSale, p.id, Request(p.id, boiling()))
	again.until("held", func(a Answer) bool { return a.State == fiscal.Held })
	if err := resolve(t, s, p.id, fiscal.ResolveRetry, 0); err != nil {
		t.Fatal(err)
	}
	return again
}

// cloudOrder is a command for LIFE PAY.
type cloudOrder struct {
	verb fiscal.Verb
	path string // of the service
	body obj
}

// till105 is the account of the emulator with a register of FFD 1.05: only there
// a correction has sums instead of items.
func till105() []lifepay.Account {
	return []lifepay.Account{{
		APIKey: lifepay.DemoAPIKey, Logins: []lifepay.Login{{Phone: lifepay.DemoLogin}},
		Printers: []lifepay.Printer{{Serial: lifepay.DemoPrinter, FFD: fiscal.FFD105}},
	}}
}

// lifePayOrders are the commands in an order that a shift allows: of the form of
// FFD 1.05, or those that are different in 1.2. The last is not asked after: a
// doubt about it closes the service for the pause of the circuit breaker.
func lifePayOrders(ffd string) []cloudOrder {
	base := obj{"kind": "sale", "by": "self", "date": time.Now().Format(time.DateOnly)}
	full := receipt(obj{"card": "#"}, item("Кофе", "250.00", "1", "vat22", nil))
	full["correction"] = base
	if ffd == fiscal.FFD12 {
		return []cloudOrder{
			{fiscal.VerbSale, "create-receipt", byMail(obj{"cash": 1500}, kettle())},
			{fiscal.VerbCorrection, "create-receipt", full},
			{fiscal.VerbText, "create-non-fiscal-receipt", obj{"lines": []string{"Ждём вас снова"}, "cut": true}},
		}
	}
	sums := obj{"cashier": cashier, "total": 250, "payments": obj{"card": "#"}, "vat": obj{"none": 250}, "correction": base}
	return []cloudOrder{
		{fiscal.VerbShiftOpen, "create-session", obj{"cashier": cashier}},
		{fiscal.VerbCashIn, "cash-in", obj{"amount": 1000, "cashier": cashier}},
		{fiscal.VerbSale, "create-receipt", byMail(obj{"cash": 1500}, kettle())},
		{fiscal.VerbRefund, "create-receipt", byMail(obj{"cash": "#"}, kettle())},
		{fiscal.VerbCorrection, "create-receipt-correction", sums},
		{fiscal.VerbCashOut, "cash-out", obj{"amount": 700, "cashier": cashier}},
		{fiscal.VerbShiftClose, "create-z-report", obj{"cashier": cashier}},
		{fiscal.VerbXReport, "create-x-report", obj{}},
	}
}
