package bifit

import (
	"testing"

	"kassad/fiscal"
)

const failedAnswer = `{"id":254934,"status":"ERROR","total":150.00,"error":{"code":"LICENSE_EXPIRED","message":"licence"}}`

func TestReload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		document reply
		reload   []reply
		want     string
		calls    int // of reload
	}{
		"taken":          {reply{status: 200, body: failedAnswer}, []reply{{status: 200}}, "", 1},
		"taken, 204":     {reply{status: 200, body: failedAnswer}, []reply{{status: 204}}, "", 1},
		"odd body":       {reply{status: 200, body: failedAnswer}, []reply{{status: 200, body: "<ok>"}}, "", 1},
		"token expired":  {reply{status: 200, body: failedAnswer}, []reply{{status: 401}, {status: 200}}, "", 2},
		"wrong broker":   {reply{status: 200, body: failedAnswer}, []reply{{status: 403, body: `{"error":"access_denied"}`}}, "cloud-account rejected", 1},
		"broker by 401":  {reply{status: 200, body: failedAnswer}, []reply{{status: 401}}, "cloud-account rejected", 2},
		"no such number": {reply{status: 200, body: failedAnswer}, []reply{{status: 404, body: "{}"}}, "cloud-account rejected", 1},
		"not taken":      {reply{status: 200, body: failedAnswer}, []reply{{status: 400, body: "{}"}}, "device-refused rejected", 1},
		"fault":          {reply{status: 200, body: failedAnswer}, []reply{{status: 503}}, "cloud-away unknown", 1},
		"lost answer":    {reply{status: 200, body: failedAnswer}, []reply{{hang: true}}, "cloud-away unknown", 1},
		"queued again":   {reply{status: 200, body: `{"status":"QUEUED"}`}, nil, "", 0},
		"done":           {reply{status: 200, body: doneAnswer}, nil, "", 0},
		"unknown status": {reply{status: 200, body: `{"status":"X"}`}, nil, "", 0},
		"not ours":       {reply{status: 200, body: `{"id":1,"status":"ERROR"}`}, nil, "cloud-fault unknown", 0},
		"not there":      {reply{status: 404}, nil, "cloud-pending unknown", 0},
		"not answered":   {reply{status: 500}, nil, "cloud-away unreachable", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, d := serve(t, map[string][]reply{documentPath: {c.document}, reloadPath: c.reload})
			expect(t, d.Reload(t.Context(), refOf(t, d, "254934")), c.want)
			calls := f.asked(reloadPath)
			if len(calls) != c.calls {
				t.Fatalf("%d calls", len(calls))
			}
			for _, r := range calls {
				if r.method != "POST" || r.body != "[254934]" || r.header.Get("Broker-token") != brokerSecret || r.header.Get("Content-Type") != "application/json" {
					t.Errorf("%+v", r)
				}
				if r.header.Get("Idempotency-Key") != "" {
					t.Error("a reload has no key: it makes no new document")
				}
			}
			if len(f.asked(registerPath)) != 0 {
				t.Error("a second document was sent")
			}
		})
	}
}

func TestReloadCallsNobody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broker string
		ref    func(fiscal.Ref) fiscal.Ref
	}{
		"no broker token": {"", func(r fiscal.Ref) fiscal.Ref { return r }},
		"no ticket":       {brokerSecret, func(r fiscal.Ref) fiscal.Ref { r.Ticket = ""; return r }},
		"another device":  {brokerSecret, func(r fiscal.Ref) fiscal.Ref { r.Baseline.Device = "1"; return r }},
	} {
		f, d := serve(t, nil, func(o *Options) { o.BrokerToken = c.broker })
		expect(t, d.Reload(t.Context(), c.ref(refOf(t, d, "254934"))), "unsupported rejected")
		if len(f.requests) != 0 {
			t.Errorf("%s: %d requests", name, len(f.requests))
		}
	}
}

// TestErrorReloadDone is the row of reference 14.8.
func TestErrorReloadDone(t *testing.T) {
	t.Parallel()
	_, d := serve(t, map[string][]reply{
		documentPath: {{status: 200, body: failedAnswer}, {status: 200, body: failedAnswer}, {status: 200, body: `{"status":"QUEUED"}`}, {status: 200, body: doneAnswer}},
		reloadPath:   {{status: 200}},
	})
	ref := refOf(t, d, "254934")
	if v, err := d.Find(t.Context(), ref); err != nil || v.Finding != fiscal.Failed || !v.Reload {
		t.Fatalf("%+v, %v", v, err)
	}
	if err := d.Reload(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	for _, want := range []fiscal.Finding{fiscal.Pending, fiscal.Made} {
		if v, err := d.Find(t.Context(), ref); err != nil || v.Finding != want {
			t.Fatalf("%+v, %v; want %s", v, err, want)
		}
	}
}
