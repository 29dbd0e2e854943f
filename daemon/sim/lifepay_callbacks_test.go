package sim

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// Whatever a callback looks like, the sale is done by it; what it tells of the
// fiscal document reaches the till.
func TestLifePayCallbackForms(t *testing.T) {
	t.Parallel()
	keys := lifepay.CallbackKeys{Status: "state", FN: "fn_number", FD: "fd_number", FP: "-", Shift: "-", Receipt: "-", At: "-", Data: "-", ExtID: "-"}
	for name, tt := range map[string]struct {
		callback lifepay.CallbackOptions
		config   func(*daemon.LifePayConfig)
		bare     bool
	}{
		"multipart":  {callback: lifepay.CallbackOptions{Form: lifepay.FormMultipart}},
		"urlencoded": {callback: lifepay.CallbackOptions{Form: lifepay.FormURLEncoded}},
		"json":       {callback: lifepay.CallbackOptions{Form: lifepay.FormJSON}},
		"json-data":  {callback: lifepay.CallbackOptions{Form: lifepay.FormJSONData}},
		"null error": {callback: lifepay.CallbackOptions{NullError: true}},
		"texts":      {callback: lifepay.CallbackOptions{FiscalAsText: true}},
		"bare":       {callback: lifepay.CallbackOptions{Bare: true}, bare: true},
		"other names": {callback: lifepay.CallbackOptions{Statuses: lifepay.CallbackStatuses{Processed: "PRINTED"}, Keys: keys}, bare: true,
			config: func(c *daemon.LifePayConfig) {
				c.Fields = daemon.LifePayFieldsConfig{Status: "state", StatusProcessed: []string{"printed"}}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{cloud: lifepay.Config{Options: lifepay.Options{Callback: tt.callback}}, config: tt.config}.open(t)
			a := must(t, till, fiscal.VerbSale, boiling())
			d := one(t, s, extID(s, a.ID, 1))
			want := d.FD
			if tt.bare {
				want = 0
			}
			if a.Fiscal.FD != want || a.Fiscal.Total != 122000 || a.Fiscal.Change != 28000 {
				t.Errorf("document %d, told %s", d.FD, a.Raw)
			}
		})
	}
}

// Who has not the address of a document changes nothing, and learns nothing; a
// body that says nothing is taken and changes nothing.
func TestLifePayForgedCallbacks(t *testing.T) {
	t.Parallel()
	s, till := lifePay{}.open(t)
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultStuck, Times: 2})
	p, other := begin(t, till, fiscal.VerbSale, boiling()), begin(t, till, fiscal.VerbSale, boiling())
	p.lodged()
	other.lodged()
	key := extID(s, p.id, 1)
	url, news := callbackURL(t, s, key), string(mustJSON(obj{"uuid": one(t, s, key).UUID, "status": "processed", "fn": "9999078900200001", "fd": 77, "fp": 1}))
	levels := strings.Split(url, "/")
	token := levels[len(levels)-2]
	forged := strings.Map(func(r rune) rune {
		if r == 'a' {
			return 'b'
		}
		return 'a'
	}, token)
	for name, address := range map[string]string{
		"token": strings.Replace(url, token, forged, 1), "unknown id": strings.Replace(url, p.id, NewID(), 1),
		"another's id": strings.Replace(url, p.id, other.id, 1), "another attempt": strings.Replace(url, "/1/"+token, "/2/"+token, 1),
		"no id": strings.TrimSuffix(url, "/"+p.id), "another node": strings.Replace(url, "/local/", "/foreign/", 1),
	} {
		if status := callBack(t, address, news); status != http.StatusNotFound {
			t.Errorf("%s: HTTP %d", name, status)
		}
	}
	for _, body := range []string{"", "{", "data=", `{"uuid":`, "[]", "null", `{"data":"{"}`} {
		if status := callBack(t, url, body); status != http.StatusOK {
			t.Errorf("%q: HTTP %d", body, status)
		}
	}
	for _, q := range []*pending{p, other} {
		if a := must(t, till, fiscal.VerbQuery, obj{"id": q.id}); !strings.Contains(string(a.Raw), `"registered"`) {
			t.Errorf("%s", a.Raw)
		}
		finish(t, s, extID(s, q.id, 1), lifepay.Outcome{})
		q.ends(fiscal.Done)
	}
}

// The same news again, older news and news after the end change nothing.
func TestLifePayRepeatedCallbacks(t *testing.T) {
	t.Parallel()
	s, till := lifePay{}.open(t)
	p := begin(t, till, fiscal.VerbSale, boiling())
	done := p.ends(fiscal.Done)
	w := watch(t, s)
	key := extID(s, p.id, 1)
	d, url := one(t, s, key), callbackURL(t, s, key)
	tell(t, url, processed(d))
	tell(t, url, obj{"uuid": d.UUID, "status": "waiting_retry", "error_code": 1})
	tell(t, url, obj{"uuid": d.UUID, "status": "error", "error_code": 3975})
	tell(t, url, obj{"uuid": d.UUID, "error_code": 1})
	again, err := till.CallRaw(t.Context(), fiscal.VerbSale, p.id, Request(p.id, boiling()), nil)
	if err != nil || again.State != fiscal.Done || !again.Dup || again.N != done.N || again.Fiscal.FD != d.FD {
		t.Errorf("%v, %s, was %s", err, again.Raw, done.Raw)
	}
	must(t, till, fiscal.VerbSale, boiling())
	if n := w.count("evt/cloud", p.id); n != 0 {
		t.Errorf("%d late documents", n)
	}
}

// A callback that meets no daemon comes again and is taken by the next one.
func TestLifePayCallbackMeetsNobody(t *testing.T) {
	t.Parallel()
	s, till := lifePay{}.open(t)
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultStuck})
	p := begin(t, till, fiscal.VerbSale, boiling())
	p.lodged()
	till = stopFor(t, s, till, func() {
		finish(t, s, extID(s, p.id, 1), lifepay.Outcome{})
		await(t, s, "an attempt", func() bool { c := s.LifePay.Callbacks(); return len(c) == 1 && len(c[0].Attempts) == 1 })
	})
	p = beginRaw(t, till, fiscal.VerbSale, p.id, Request(p.id, boiling()))
	p.lodged()
	s.LifePay.DeliverNow()
	p.ends(fiscal.Done)
	await(t, s, "the end of the attempt", func() bool { return s.LifePay.Callbacks()[0].Done })
	if c := s.LifePay.Callbacks()[0]; len(c.Attempts) != 2 || c.Attempts[0].Status == http.StatusOK {
		t.Errorf("%+v", c.Attempts)
	}
}

// The service says that it has failed: a person decides, with the service's own
// number before him.
func TestLifePayFailed(t *testing.T) {
	t.Parallel()
	for code, vendor := range map[int]string{lifepay.CodeNonCash: "3896", lifepay.CodeStorage: "3975", lifepay.CodeGeneric: "1"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{}.open(t)
			fail(t, s, lifepay.Fault{Kind: lifepay.FaultDeviceError, Code: code})
			p := begin(t, till, fiscal.VerbSale, boiling())
			if a := p.held(fiscal.CodeCloudFailed); a.Error.Vendor != vendor {
				t.Errorf("%s", a.Raw)
			}
			if len(s.LifePay.Documents()) != 1 || len(s.LifePay.Requests()) != 1 {
				t.Errorf("%+v", s.LifePay.Requests())
			}
			if err := resolve(t, s, p.id, fiscal.ResolveRetry, 0); err != nil {
				t.Fatal(err)
			}
			if a := p.ends(fiscal.Done); a.Fiscal.Key != extID(s, p.id, 2) {
				t.Errorf("%s", a.Raw)
			}
		})
	}
}

// Where the shop says so, a failed document is begun again under new keys, some
// times, without a person.
func TestLifePayAutoRetryFailed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ failures, documents int }{"once": {1, 2}, "always": {-1, 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{config: func(c *daemon.LifePayConfig) { c.AutoRetryFailed = true }}.open(t)
			fail(t, s, lifepay.Fault{Kind: lifepay.FaultDeviceError, Times: tt.failures})
			p := begin(t, till, fiscal.VerbSale, boiling())
			if tt.failures > 0 {
				p.ends(fiscal.Done)
			} else {
				giveUpFailed(t, s, p, "")
				p.ends(fiscal.Abandoned)
			}
			if n := len(s.LifePay.Documents()); n != tt.documents {
				t.Errorf("%d documents", n)
			}
			for i := range tt.documents {
				one(t, s, extID(s, p.id, i+1))
			}
		})
	}
}

// A document that waits to be tried again is told of, and done in the end.
func TestLifePayWaitingForRetry(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]lifepay.CallbackOptions{
		"word": {}, "word and code": {WaitingCode: true}, "other spelling": {Statuses: lifepay.CallbackStatuses{Waiting: "Waiting for retry"}},
		"code alone": {WaitingCode: true, Bare: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{cloud: lifepay.Config{Options: lifepay.Options{Callback: o}}}.open(t)
			if err := s.LifePay.SetPrinter(lifepay.DemoPrinter, lifepay.PrinterNoPaper); err != nil {
				t.Fatal(err)
			}
			w := watch(t, s)
			p := begin(t, till, fiscal.VerbSale, boiling())
			p.lodgedFor(fiscal.CodeCloudPending)
			w.stands("dev/lifepay/alert/cloud-pending")
			if err := s.LifePay.SetPrinter(lifepay.DemoPrinter, lifepay.PrinterOK); err != nil {
				t.Fatal(err)
			}
			p.ends(fiscal.Done)
			w.cleared("dev/lifepay/alert/cloud-pending")
		})
	}
}

// A number without the word for an error is no end; in time it is a person's.
func TestLifePayErrorCodeAlone(t *testing.T) {
	t.Parallel()
	s, till := lifePay{
		cloud:  lifepay.Config{Options: lifepay.Options{Callback: lifepay.CallbackOptions{Bare: true}}},
		config: confirmedWithin(400 * time.Millisecond),
	}.open(t)
	w := watch(t, s)
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultDeviceError, Code: lifepay.CodeStorage})
	p := begin(t, till, fiscal.VerbSale, boiling())
	if a := p.lodgedFor(fiscal.CodeCloudPending); a.Waiting.Vendor != "3975" {
		t.Errorf("%s", a.Raw)
	}
	p.lodgedFor(fiscal.CodeCloudUnconfirmed)
	w.stands("dev/lifepay/alert/cloud-unconfirmed")
	if err := resolve(t, s, p.id, fiscal.ResolveGiveUp, 0); err != nil {
		t.Fatal(err)
	}
	p.ends(fiscal.Abandoned)
	w.cleared("dev/lifepay/alert/cloud-unconfirmed")
}

func confirmedWithin(d time.Duration) func(*daemon.LifePayConfig) {
	return func(c *daemon.LifePayConfig) { c.ConfirmWithin = daemon.Duration(d) }
}

// No callback comes: it is told, and a person may decide, or the service speaks
// after all.
func TestLifePayUnconfirmed(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"callback", "done-elsewhere", "give-up", "give-up, then the document", "restart"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s, till := lifePay{config: confirmedWithin(100 * time.Millisecond)}.open(t)
			fault := lifepay.FaultStuck
			if how == "done-elsewhere" {
				fault = lifepay.FaultCallbackNever
			}
			fail(t, s, lifepay.Fault{Kind: fault})
			w := watch(t, s)
			p := begin(t, till, fiscal.VerbSale, boiling())
			p.lodgedFor(fiscal.CodeCloudUnconfirmed)
			w.stands("dev/lifepay/alert/cloud-unconfirmed")
			if n := len(s.LifePay.Requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
			decideUnconfirmed(t, s, till, p, how)
			if how != "restart" {
				w.cleared("dev/lifepay/alert/cloud-unconfirmed")
			}
		})
	}
}

func decideUnconfirmed(t *testing.T, s *Shop, till *Till, p *pending, how string) {
	t.Helper()
	key := extID(s, p.id, 1)
	switch how {
	case "restart":
		p = beginRaw(t, restart(t, s, till), fiscal.VerbSale, p.id, Request(p.id, boiling()))
		p.lodgedFor(fiscal.CodeCloudUnconfirmed)
		fallthrough
	case "callback":
		finish(t, s, key, lifepay.Outcome{})
		p.ends(fiscal.Done)
	case "done-elsewhere":
		await(t, s, "the document", func() bool { return taken(s, key)[0].State == lifepay.StateProcessed })
		d := one(t, s, key)
		if err := resolve(t, s, p.id, fiscal.ResolveDoneElsewhere, d.FD); err != nil {
			t.Fatal(err)
		}
		p.ends(fiscal.Done)
		tell(t, callbackURL(t, s, key), processed(d)) // its own word, too late: the same document
		s.mu.Lock()
		s.foreign[docID(d.FN, d.FD)] = true // a person's word settles it
		s.mu.Unlock()
	default:
		if err := resolve(t, s, p.id, fiscal.ResolveGiveUp, 0); err != nil {
			t.Fatal(err)
		}
		p.ends(fiscal.Abandoned)
		if how == "give-up" {
			return
		}
		w := watch(t, s)
		d := finish(t, s, key, lifepay.Outcome{})
		s.Double(p.id, d.FN, d.FD)
		if e := lateEvent(t, w, p.id); e.State != fiscal.Abandoned || e.Late.FD != d.FD || e.Proposal == nil {
			t.Errorf("%s", mustJSON(e))
		}
		w.stands("dev/lifepay/alert/late-document")
	}
}
