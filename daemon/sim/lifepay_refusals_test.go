package sim

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// What the service refuses in its own words is final where the document is
// wrong, and waits where the account is: nothing was made in either case.
func TestLifePayRefusals(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*testing.T){}
	for _, tt := range []struct {
		fault lifepay.Fault
		code  fiscal.Code
		heals bool
	}{
		{lifepay.Fault{Code: lifepay.CodeData, Fields: map[string][]string{"purchase": {"Ошибка в позиции 1: неверно."}}}, fiscal.CodeDeviceRefused, false},
		{lifepay.Fault{Code: lifepay.CodeFormat}, fiscal.CodeDeviceRefused, false},
		{lifepay.Fault{Code: lifepay.CodeData, Fields: map[string][]string{"target_serial": {"Принтер не найден."}}}, fiscal.CodeCloudAccount, true},
		{lifepay.Fault{Code: lifepay.CodeNoLogin}, fiscal.CodeCloudAccount, true},
		{lifepay.Fault{Code: lifepay.CodeNoPair}, fiscal.CodeCloudAccount, true},
		{lifepay.Fault{Code: lifepay.CodeNotAllowed}, fiscal.CodeCloudAccount, true},
		{lifepay.Fault{Code: lifepay.CodeDenied}, fiscal.CodeCloudAccount, true},
		{lifepay.Fault{Kind: lifepay.FaultTooMany, Status: http.StatusOK}, fiscal.CodeCloudAway, true},
	} {
		if tt.fault.Kind == "" {
			tt.fault.Kind = lifepay.FaultRefuse
		}
		cases[fmt.Sprintf("%s %d %s", tt.fault.Kind, tt.fault.Code, tt.code)] = func(t *testing.T) {
			s, till := lifePay{}.open(t)
			tt.fault.Times = -1
			fail(t, s, tt.fault)
			p := begin(t, till, fiscal.VerbSale, boiling())
			key := extID(s, p.id, 1)
			if !tt.heals {
				a := p.ends(fiscal.Rejected)
				if a.Error.Code != tt.code || a.Error.Vendor != fmt.Sprint(tt.fault.Code) || len(asked(s, key)) != 1 {
					t.Errorf("%d requests, %s", len(asked(s, key)), a.Raw)
				}
				return
			}
			heals(t, s, till, p, tt.code, s.LifePay.ClearFaults)
		}
	}
	sideBySide(t, cases, func(t *testing.T, run func(*testing.T)) { run(t) })
}

// heals wants a sale to wait for a condition, with its alert, and to be made
// once it is gone. A new start spares the pause of the circuit breaker.
func heals(t *testing.T, s *Shop, till *Till, p *pending, code fiscal.Code, mend func()) {
	t.Helper()
	p.waits(code)
	if w := watch(t, s); w.stands("dev/lifepay/alert/"+string(code)) == "" {
		t.Error("no alert")
	}
	if n := len(s.LifePay.Documents()); n != 0 {
		t.Errorf("%d documents of what was refused", n)
	}
	till = stopFor(t, s, till, mend)
	again := beginRaw(t, till, fiscal.VerbSale, p.id, Request(p.id, boiling()))
	if a := again.ends(fiscal.Done); a.Fiscal.FD == 0 {
		t.Errorf("%s", a.Raw)
	}
	if n := len(taken(s, extID(s, p.id, 1))); n != 1 {
		t.Errorf("%d documents", n)
	}
	watch(t, s).gone("dev/lifepay/alert/" + string(code))
}

// gone wants an alert not to stand any more, when nothing is queued.
func (w *watcher) gone(topic string) {
	w.t.Helper()
	w.says("spool/state", `"queued":0`)
	if w.count(topic, "code") != 0 {
		w.cleared(topic)
	}
}

// The account itself is wrong: its key, its login, its printer.
func TestLifePayAccount(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, c *daemon.LifePayConfig)
		mend  func(t *testing.T, c *daemon.LifePayConfig)
	}{
		"key": {
			func(t *testing.T, c *daemon.LifePayConfig) { writeKey(t, c, "a-key-of-yesterday") },
			func(t *testing.T, c *daemon.LifePayConfig) { writeKey(t, c, lifepay.DemoAPIKey) },
		},
		"login": {
			func(_ *testing.T, c *daemon.LifePayConfig) { c.Login = "79990000000" },
			func(_ *testing.T, c *daemon.LifePayConfig) { c.Login = lifepay.DemoLogin },
		},
		"printer": {
			func(_ *testing.T, c *daemon.LifePayConfig) { c.TargetSerial = "00000000000000" },
			func(_ *testing.T, c *daemon.LifePayConfig) { c.TargetSerial = lifepay.DemoPrinter },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{config: func(c *daemon.LifePayConfig) { tt.spoil(t, c) }}.open(t)
			p := begin(t, till, fiscal.VerbSale, boiling())
			heals(t, s, till, p, fiscal.CodeCloudAccount, func() { tt.mend(t, s.Config.LifePay) })
		})
	}
}

func writeKey(t *testing.T, c *daemon.LifePayConfig, key string) {
	t.Helper()
	if err := os.WriteFile(c.APIKeyFile, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// While a condition stands, the command can be taken back, and ends by itself
// after its wait.
func TestLifePayConditionEnds(t *testing.T) {
	t.Parallel()
	s, till := lifePay{}.open(t)
	s.CutCloud(daemon.CloudLifePay) // no byte leaves
	sale := boiling()
	p := begin(t, till, fiscal.VerbSale, sale)
	p.waits(fiscal.CodeCloudAway)
	id := NewID()
	brief := beginRaw(t, till, fiscal.VerbSale, id, envelope(id, obj{"wait": "100ms"}, sale))
	if a := brief.ends(fiscal.Rejected); a.Error.Code != fiscal.CodeCondition {
		t.Errorf("%s", a.Raw)
	}
	must(t, till, fiscal.VerbCancel, obj{"id": p.id})
	p.ends(fiscal.Cancelled)
	if n := len(s.LifePay.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
	if err := s.MendCloud(daemon.CloudLifePay); err != nil {
		t.Fatal(err)
	}
}

// Code 500 does not tell whether the document was stored: it is asked for once,
// under the same ext_id, and then a person is asked.
func TestLifePayInternalError(t *testing.T) {
	t.Parallel()
	for _, kind := range []lifepay.FaultKind{lifepay.FaultInternal, lifepay.FaultInternalStored} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{}.open(t)
			fail(t, s, lifepay.Fault{Kind: kind, Times: 2})
			fail(t, s, lifepay.Fault{Kind: lifepay.FaultStuck})
			p := begin(t, till, fiscal.VerbSale, boiling())
			key := extID(s, p.id, 1)
			p.held(fiscal.CodeCloudFault)
			if n := len(asked(s, key)); n != 2 {
				t.Errorf("%d requests", n)
			}
			if kind == lifepay.FaultInternalStored { // the service's own word is better than a person's
				finish(t, s, key, lifepay.Outcome{})
				p.ends(fiscal.Done)
				return
			}
			if n := len(s.LifePay.Documents()); n != 0 {
				t.Errorf("%d documents", n)
			}
			p = retry(t, s, till, p)
			finish(t, s, extID(s, p.id, 2), lifepay.Outcome{})
			p.ends(fiscal.Done)
		})
	}
}

// Test mode sells nothing, and says so.
func TestLifePayTestMode(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"{}", "[]", "null"} {
		t.Run(data, func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{
				cloud:  lifepay.Config{Options: lifepay.Options{TestData: data}},
				config: func(c *daemon.LifePayConfig) { c.Test = true },
			}.open(t)
			a := begin(t, till, fiscal.VerbSale, boiling()).ends(fiscal.Rejected)
			if a.Error.Code != fiscal.CodeTestMode || len(s.LifePay.Documents()) != 0 || len(s.LifePay.Requests()) != 1 {
				t.Errorf("%s", a.Raw)
			}
		})
	}
}

// Cash needs the serial of a printer, and an electronic receipt a contact:
// without, nothing is sent.
func TestLifePayCannotCarry(t *testing.T) {
	t.Parallel()
	s, till := lifePay{config: func(c *daemon.LifePayConfig) { c.TargetSerial = "" }}.open(t)
	for _, tt := range []struct {
		verb fiscal.Verb
		body obj
		code fiscal.Code
	}{
		{fiscal.VerbCashIn, obj{"amount": 1000}, fiscal.CodeUnsupported},
		{fiscal.VerbCashOut, obj{"amount": 1000}, fiscal.CodeUnsupported},
		{fiscal.VerbSale, receipt(obj{"cash": 1500}, kettle()), fiscal.CodeContactRequired},
		{fiscal.VerbSale, byMail(obj{"other": "#"}, kettle()), fiscal.CodeUnsupported},
		{fiscal.VerbSale, byMail(obj{"cash": 1500}, item("Сигареты", "220", "1", "vat22", obj{"subject": 33})), fiscal.CodeMarkingUnsupported},
	} {
		a, err := till.Call(t.Context(), tt.verb, tt.body)
		if err != nil || a.State != fiscal.Rejected || a.Error.Code != tt.code {
			t.Errorf("%s: %v, %s", tt.verb, err, a.Raw)
		}
	}
	if n := len(s.LifePay.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
