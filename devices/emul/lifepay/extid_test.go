package lifepay

import (
	"strings"
	"sync"
	"testing"
	"time"
)

func TestExtIDTwice(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	first := accepted(t, s, createReceipt, sale(object{"ext_id": "a"}))
	for name, in := range map[string]object{
		"same": sale(object{"ext_id": "a"}), "other body": body(object{"ext_id": "a", "purchase": one(1, 1), "cash_amount": 1}),
		"other type": sale(object{"ext_id": "a", "type": "refund"}), "test": sale(object{"ext_id": "a", "test": 1}),
	} {
		if r := post(t, s, createReceipt, in); r.Code != 0 || r.UUID != first.UUID {
			t.Errorf("%s: %s", name, r.Text)
		}
	}
	if r := post(t, s, createSession, body(object{"ext_id": "a"})); r.UUID != first.UUID {
		t.Errorf("other path: %s", r.Text)
	}
	if d := s.Documents(); len(d) != 1 || d[0].Requests != 6 {
		t.Errorf("%+v", d)
	}
	if n := len(s.Storage(DemoPrinter).Receipts()); n != 1 {
		t.Errorf("%d receipts", n)
	}
}

// A repeat that is broken is refused first, unless switched (section 2.7).
func TestExtIDOfBrokenRepeat(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{false, true} {
		s := service(t, Config{Options: Options{ExtIDFirst: first}})
		uuid := accepted(t, s, createReceipt, sale(object{"ext_id": "a"})).UUID
		r := post(t, s, createReceipt, body(object{"ext_id": "a"}))
		if first != (r.UUID == uuid) || first == (r.Code == CodeData) {
			t.Errorf("ExtIDFirst %v: %s", first, r.Text)
		}
	}
}

func TestExtIDNotReserved(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]object{
		"refused": sale(object{"ext_id": "a", "card_amount": 1}), "test": sale(object{"ext_id": "a", "test": 1}),
		"other user": sale(object{"ext_id": "a", "login": "79999999999"}),
	} {
		s := service(t, Config{})
		if r := post(t, s, createReceipt, in); r.UUID != "" || len(s.Documents()) != 0 {
			t.Errorf("%s: %s", name, r.Text)
		}
		if d := accepted(t, s, createReceipt, sale(object{"ext_id": "a"})); d.Requests != 1 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestExtIDLifetime(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Options: Options{ExtIDLifetime: time.Hour}}, func(t *testing.T, s *Service, _ *receiver) {
		for i, after := range []time.Duration{0, 59 * time.Minute, time.Minute} {
			<-time.After(after)
			accepted(t, s, createReceipt, sale(object{"ext_id": "a"}))
			if want := 1 + i/2; len(s.Documents()) != want {
				t.Errorf("request %d: %d documents", i, len(s.Documents()))
			}
		}
	})
}

func TestExtIDScope(t *testing.T) {
	t.Parallel()
	other := "70000000001"
	cfg := Config{Accounts: []Account{
		{APIKey: DemoAPIKey, Logins: []Login{{Phone: DemoLogin}, {Phone: other}}, Printers: []Printer{{Serial: DemoPrinter}}},
		{APIKey: "second", Logins: []Login{{Phone: "70000000002"}}, Printers: []Printer{{Serial: "2"}}},
	}}
	requests := map[string]object{
		"login": sale(object{"ext_id": "a", "login": other}), "type": sale(object{"ext_id": "a", "type": "refund"}),
		"path": sale(object{"ext_id": "a"}), "case": sale(object{"ext_id": "A"}),
		"company": sale(object{"ext_id": "a", "login": "70000000002", "apikey": "second"}),
	}
	for _, tt := range []struct {
		opt Options
		new string // which of the requests make a document of their own
	}{
		{Options{}, "case company"}, {Options{ExtIDScope: ScopeLogin}, "login case company"},
		{Options{ExtIDScope: ScopeType}, "type path case company"}, {Options{ExtIDScope: ScopePath}, "path case company"},
		{Options{ExtIDAnyCase: true}, "company"},
	} {
		for name, in := range requests {
			cfg.Options = tt.opt
			s := service(t, cfg)
			accepted(t, s, createReceipt, sale(object{"ext_id": "a"}))
			path := createReceipt
			if name == "path" {
				path = createNonFiscal
			}
			accepted(t, s, path, in)
			if made := len(s.Documents()) == 2; made != strings.Contains(tt.new, name) {
				t.Errorf("%+v: %s makes a second document: %v", tt.opt.ExtIDScope, name, made)
			}
		}
	}
}

// Fault 10: parallel requests with one ext_id.
func TestExtIDInParallel(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	const requests = 32
	var wg sync.WaitGroup
	uuids := make([]string, requests)
	for i := range requests {
		wg.Go(func() { uuids[i] = post(t, s, createReceipt, sale(object{"ext_id": "one"})).UUID })
	}
	wg.Wait()
	for _, u := range uuids {
		if u == "" || u != uuids[0] {
			t.Errorf("%q and %q", uuids[0], u)
		}
	}
	final(t, s, uuids[0])
	if d := s.Documents(); len(d) != 1 || d[0].Requests != requests {
		t.Errorf("%+v", d)
	}
	if n := len(s.Storage(DemoPrinter).Receipts()); n != 1 {
		t.Errorf("%d receipts", n)
	}
}

// Fault 17: a failed document keeps its ext_id, unless switched.
func TestExtIDOfFailedDocument(t *testing.T) {
	t.Parallel()
	for _, forgets := range []bool{false, true} {
		s := service(t, Config{Options: Options{FailedForgets: forgets}})
		fail(t, s, Fault{Kind: FaultDeviceError, Code: CodeStorage})
		d := accepted(t, s, createReceipt, sale(object{"ext_id": "a"}))
		if d.State != StateError || d.ErrorCode != CodeStorage {
			t.Errorf("%+v", d)
		}
		again := accepted(t, s, createReceipt, sale(object{"ext_id": "a"}))
		if forgets == (again.UUID == d.UUID) || forgets != (again.State == StateProcessed) {
			t.Errorf("FailedForgets %v: %+v", forgets, again)
		}
	}
}

func fail(t *testing.T, s *Service, f Fault) {
	t.Helper()
	if err := s.Fail(f); err != nil {
		t.Fatal(err)
	}
}
