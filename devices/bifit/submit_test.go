package bifit

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"kassad/fiscal"
)

// TestSubmit has every row of reference 4.4, and the answers of 14.8.
func TestSubmit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer reply
		ticket string
		want   string
		vendor string
	}{
		"number":            {reply{status: 200, body: "254934"}, "254934", "", ""},
		"number in quotes":  {reply{status: 200, body: `"254934"`}, "254934", "", ""},
		"number and lines":  {reply{status: 200, body: " 254934\r\n"}, "254934", "", ""},
		"beyond 32 bits":    {reply{status: 200, body: "18446744073709551615"}, "18446744073709551615", "", ""},
		"created":           {reply{status: 201, body: "254934"}, "254934", "", ""},
		"in an object":      {reply{status: 200, body: `{"id":254934}`}, "254934", "", ""},
		"no number":         {reply{status: 200, body: ""}, "", "cloud-away unknown", ""},
		"zero":              {reply{status: 200, body: "0"}, "", "cloud-away unknown", ""},
		"negative":          {reply{status: 200, body: "-1"}, "", "cloud-away unknown", ""},
		"fraction":          {reply{status: 200, body: "1.5"}, "", "cloud-away unknown", ""},
		"broken JSON":       {reply{status: 200, body: `{"id":25`}, "", "cloud-away unknown", ""},
		"web page with 200": {reply{status: 200, body: "<html>", kind: "text/html"}, "", "cloud-away unknown", ""},
		"rejected":          {reply{status: 400, body: `{"error":"bad_request","message":"unknown","field":"items[0].vat"}`}, "", "device-refused rejected", "400"},
		"unprocessable":     {reply{status: 422, body: `{"message":"no"}`}, "", "device-refused rejected", "422"},
		"rejected by proxy": {reply{status: 400, body: "<html>Bad Request"}, "", "cloud-away unknown", "400"},
		"no right":          {reply{status: 403, body: `{"error":"access_denied"}`}, "", "cloud-account rejected", "403"},
		"blocked on way":    {reply{status: 403, body: "<html>", kind: "text/html; charset=utf-8"}, "", "cloud-away unknown", "403"},
		"no such address":   {reply{status: 404, body: `{"error":"not_found"}`}, "", "cloud-account rejected", "404"},
		"no such method":    {reply{status: 405}, "", "cloud-account rejected", "405"},
		"conflict":          {reply{status: 409, body: `{"error":"conflict"}`}, "", "cloud-fault unknown", "409"},
		"conflict with id":  {reply{status: 409, body: `{"id":254934,"error":"conflict"}`}, "254934", "", ""},
		"conflict with no.": {reply{status: 409, body: "254934"}, "254934", "", ""},
		"redirect":          {reply{status: 302}, "", "cloud-away unknown", "302"},
		"unnamed refusal":   {reply{status: 415, body: `{"error":"x"}`}, "", "cloud-away unknown", "415"},
		"overload":          {reply{status: 429, after: "1"}, "", "cloud-away unknown", "429"},
		"fault":             {reply{status: 500, body: `{"error":"internal"}`}, "", "cloud-away unknown", "500"},
		"page with 502":     {reply{status: 502, body: "<html><body>Bad Gateway"}, "", "cloud-away unknown", "502"},
		"unavailable":       {reply{status: 503, after: "Wed, 21 Oct 2026 07:28:00 GMT"}, "", "cloud-away unknown", "503"},
		"closed":            {reply{hang: true}, "", "cloud-away unknown", ""},
		"cut off":           {reply{status: 200, body: "2549", cut: true}, "", "cloud-away unknown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, d := serve(t, map[string][]reply{registerPath: {c.answer}})
			base := prepared(t, d, sale())
			r, err := d.Submit(t.Context(), sale(), base)
			if e := expect(t, err, c.want); e != nil && e.Vendor != c.vendor {
				t.Errorf("vendor %q, want %q", e.Vendor, c.vendor)
			}
			if r != (fiscal.Receipt{Ticket: c.ticket}) {
				t.Errorf("receipt %+v", r)
			}
			calls := f.asked(registerPath)
			if len(calls) != 1 {
				t.Fatalf("%d registrations, want one and no repeat", len(calls))
			}
			for name, want := range map[string]string{
				"Authorization": "Bearer access-1", "Idempotency-Key": "k1-ABCDEFGHIJKLMNOPQRSTUVWXYZ-1", "Content-Type": "application/json",
			} {
				if got := calls[0].header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if calls[0].method != http.MethodPost || calls[0].body != string(base.Cloud.Body) {
				t.Errorf("sent %s %s", calls[0].method, calls[0].body)
			}
		})
	}
}

func TestRefusalIsExplained(t *testing.T) {
	t.Parallel()
	_, d := serve(t, map[string][]reply{registerPath: {{status: 400, body: `{"error":"bad_request","message":"unknown rate","field":"items[0].vat"}`}}})
	_, err := d.Submit(t.Context(), sale(), prepared(t, d, sale()))
	if e := expect(t, err, "device-refused rejected"); e.Detail != "items[0].vat: unknown rate" {
		t.Errorf("detail %q", e.Detail)
	}
}

// TestLostAnswer: what has been sent and not answered is asked for by the same
// bytes under the same key (reference 14.8).
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	f, d := serve(t, map[string][]reply{registerPath: {{hang: true}, {status: 503}, {status: 200, body: "254934"}}})
	base := prepared(t, d, sale())
	_, err := d.Submit(t.Context(), sale(), base)
	expect(t, err, "cloud-away unknown")
	ref := fiscal.Ref{Document: sale(), Baseline: base}
	_, err = d.Find(t.Context(), ref)
	expect(t, err, "cloud-away unknown")
	v, err := d.Find(t.Context(), ref)
	if err != nil || v.Finding != fiscal.Pending || v.Err != nil || v.Receipt != (fiscal.Receipt{Ticket: "254934"}) {
		t.Fatalf("%+v, %v", v, err)
	}
	calls := f.asked(registerPath)
	if len(calls) != 3 {
		t.Fatalf("%d registrations", len(calls))
	}
	for _, r := range calls {
		if r.body != calls[0].body || r.header.Get("Idempotency-Key") != base.Cloud.Key {
			t.Errorf("a repeat differs: %s %s", r.header.Get("Idempotency-Key"), r.body)
		}
	}
}

// TestRepeatRefused: a refused repeat is an error, never Absent.
func TestRepeatRefused(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		400: "device-refused rejected", 403: "cloud-account rejected", 404: "cloud-account rejected", 409: "cloud-fault unknown", 500: "cloud-away unknown",
	} {
		_, d := serve(t, map[string][]reply{registerPath: {{status: status, body: `{}`}}})
		v, err := d.Find(t.Context(), refOf(t, d, ""))
		expect(t, err, want)
		if v.Finding != 0 {
			t.Errorf("%d: a finding %s beside an error", status, v.Finding)
		}
	}
}

func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	o := options()
	o.BaseURL, o.Timeout = s.URL, 500*time.Millisecond
	d := driver(t, o)
	d.token.access, d.token.renewAt = "access-1", time.Now().Add(time.Hour)
	_, err := d.Submit(t.Context(), sale(), prepared(t, d, sale()))
	expect(t, err, "cloud-away unknown")
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.BaseURL = "http://" + l.Addr().String()
	l.Close()
	d := driver(t, o)
	_, err = d.Submit(t.Context(), sale(), prepared(t, d, sale()))
	expect(t, err, "cloud-away unreachable")
	_, err = d.Find(t.Context(), refOf(t, d, ""))
	expect(t, err, "cloud-away unreachable")
	_, err = d.Find(t.Context(), refOf(t, d, "254934"))
	expect(t, err, "cloud-away unreachable")
	_, err = d.Status(t.Context())
	expect(t, err, "cloud-away unreachable")
}

func TestGivenUpBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	f, d := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Submit(ctx, sale(), prepared(t, d, sale()))
	expect(t, err, "cloud-away unreachable")
	if !errors.Is(err, context.Canceled) || len(f.asked(registerPath)) != 0 {
		t.Errorf("%v", err)
	}
}

func TestBaselineOfAnotherRegister(t *testing.T) {
	t.Parallel()
	f, d := serve(t, nil)
	for _, base := range []fiscal.Baseline{
		{}, {Device: device}, {Device: "0001", Cloud: &fiscal.CloudCall{Key: "k", Path: registerPath, Body: []byte("{}")}},
	} {
		_, err := d.Submit(t.Context(), sale(), base)
		expect(t, err, "other-storage rejected")
		v, err := d.Find(t.Context(), fiscal.Ref{Document: sale(), Baseline: base})
		if err != nil || v.Finding != fiscal.OtherStorage {
			t.Errorf("%s, %v", v.Finding, err)
		}
	}
	if len(f.requests) != 0 {
		t.Errorf("%d requests", len(f.requests))
	}
}

// TestAnotherConnector: a key through another connector is another document.
func TestAnotherConnector(t *testing.T) {
	t.Parallel()
	first, err := New(Options{ConnectorToken: "a", Taxation: 1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(Options{ConnectorToken: "b", Taxation: 1, BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	base := fiscal.Baseline{Device: device, Cloud: &fiscal.CloudCall{Key: "k", Account: first.account(), Path: registerPath, Body: []byte("{}")}}
	v, err := other.Find(t.Context(), fiscal.Ref{Baseline: base})
	if err != nil || v.Finding != fiscal.OtherStorage {
		t.Errorf("%v, %v", v, err)
	}
}
