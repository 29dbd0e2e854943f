package bifit

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kassad/fiscal"
)

// forms decodes what the token endpoint was asked.
func forms(t *testing.T, f *fake) []url.Values {
	t.Helper()
	var out []url.Values
	for _, r := range f.asked(tokenPath) {
		form, err := url.ParseQuery(r.body)
		if err != nil || r.method != "POST" || r.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Fatalf("token request %+v: %v", r, err)
		}
		if form.Get("client_id") != "processing-connector-token" || form.Get("client_secret") != "processing-connector-token" {
			t.Errorf("client %v", form)
		}
		out = append(out, form)
	}
	return out
}

// grants lists how the tokens were asked for.
func grants(t *testing.T, f *fake) string {
	t.Helper()
	out := ""
	for _, form := range forms(t, f) {
		switch {
		case form.Get("grant_type") == "token" && form.Get("token") == connectorSecret && len(form) == 4:
			out += "connector "
		case form.Get("grant_type") == "refresh_token" && len(form) == 4:
			out += form.Get("refresh_token") + " "
		default:
			out += "? "
		}
	}
	return out
}

// direct is a driver that reaches its fake without a network.
func direct(t *testing.T, f *fake) *Driver {
	t.Helper()
	d := driver(t, options())
	d.http = f
	return d
}

func TestTokenIsKept(t *testing.T) {
	t.Parallel()
	f, d := serve(t, map[string][]reply{registerPath: {{status: 200, body: "254934"}}})
	for range 3 {
		if _, err := d.Submit(t.Context(), sale(), prepared(t, d, sale())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := grants(t, f); got != "connector " {
		t.Errorf("tokens were asked for by %q", got)
	}
}

func TestOneRenewalForAll(t *testing.T) {
	t.Parallel()
	f, d := serve(t, map[string][]reply{documentPath: {{status: 200, body: doneAnswer}}})
	ref := refOf(t, d, "254934")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if v, err := d.Find(t.Context(), ref); err != nil || v.Finding != fiscal.Made {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	all.Wait()
	if got := grants(t, f); got != "connector " {
		t.Errorf("tokens were asked for by %q", got)
	}
}

// TestRenewedEarly: by min(60 s, a tenth of the life), by the refresh token
// (reference 3.6, rules 2 and 3).
func TestRenewedEarly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		life   int
		margin time.Duration
	}{{3600, time.Minute}, {300, 30 * time.Second}, {600, time.Minute}, {1, 100 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{life: c.life}
			d := direct(t, f)
			ask := func(want string) {
				t.Helper()
				if _, err := d.Status(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := grants(t, f); got != want {
					t.Fatalf("life %d: tokens were asked for by %q, want %q", c.life, got, want)
				}
			}
			ask("connector ")
			still := time.Duration(c.life)*time.Second - c.margin
			<-time.After(still - time.Millisecond)
			ask("connector ")
			<-time.After(time.Millisecond)
			ask("connector refresh-1 ")
			<-time.After(still)
			ask("connector refresh-1 refresh-2 ")
		})
	}
}

// TestRefreshFails: any 4xx falls back to the connector token; a service that
// is not well is not asked twice, and next time by the connector token.
func TestRefreshFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer reply
		first  string // error of the first renewal
		want   string
	}{
		"400": {reply{status: 400, body: `{"error":"invalid_grant"}`}, "", "connector refresh-1 connector "},
		"401": {reply{status: 401, body: `{"error":"invalid_client"}`}, "", "connector refresh-1 connector "},
		"404": {reply{status: 404}, "", "connector refresh-1 connector "},
		"500": {reply{status: 500}, "cloud-away unreachable", "connector refresh-1 connector "},
		"429": {reply{status: 429}, "cloud-away unreachable", "connector refresh-1 connector "},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{script: map[string][]reply{tokenPath: {{}, c.answer, {}}}}
			d := direct(t, f)
			if _, err := d.Status(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Hour)
			_, err := d.Status(t.Context())
			expect(t, err, c.first)
			if c.first != "" {
				_, err = d.Status(t.Context())
				expect(t, err, "")
			}
			if got := grants(t, f); got != c.want {
				t.Errorf("%s: tokens were asked for by %q, want %q", name, got, c.want)
			}
		})
	}
}

// TestNoToken has the rows of reference 3.5: nothing of a document is sent.
func TestNoToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer reply
		want   string
		part   string
	}{
		"bad connector token": {reply{status: 400, body: `{"error":"invalid_grant","error_description":"bad ` + connectorSecret + `"}`}, "cloud-account unreachable", "credentials rejected: invalid_grant"},
		"as 401":              {reply{status: 401, body: `{"error":"invalid_grant"}`}, "cloud-account unreachable", "invalid_grant"},
		"bad client":          {reply{status: 401, body: `{"error":"invalid_client"}`}, "cloud-account unreachable", "invalid_client"},
		"bad grant":           {reply{status: 400, body: `{"error":"unsupported_grant_type"}`}, "cloud-account unreachable", "unsupported_grant_type"},
		"field missing":       {reply{status: 400, body: `{"error":"invalid_request"}`}, "cloud-account unreachable", "invalid_request"},
		"no right":            {reply{status: 403, body: `{"error":"access_denied"}`}, "cloud-account unreachable", "access_denied"},
		"no name of an error": {reply{status: 400, body: `{"error":"Bad Token 17"}`}, "cloud-account unreachable", "credentials rejected"},
		"wrong address":       {reply{status: 404, body: "<html>"}, "cloud-account unreachable", "404"},
		"overload":            {reply{status: 429, after: "1"}, "cloud-away unreachable", "429"},
		"fault":               {reply{status: 500}, "cloud-away unreachable", "500"},
		"page":                {reply{status: 502, body: "<html>"}, "cloud-away unreachable", "502"},
		"redirect":            {reply{status: 302}, "cloud-away unreachable", "302"},
		"page as 200":         {reply{status: 200, body: "<html>"}, "cloud-away unreachable", "token answer"},
		"half":                {reply{status: 200, body: `{"access_token":"a`}, "cloud-away unreachable", "token answer"},
		"no token":            {reply{status: 200, body: `{"token_type":"bearer"}`}, "cloud-away unreachable", "token answer"},
		"token of two lines":  {reply{status: 200, body: `{"access_token":"a\nb"}`}, "cloud-away unreachable", "token answer"},
		"closed":              {reply{hang: true}, "cloud-away unreachable", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, d := serve(t, map[string][]reply{tokenPath: {c.answer}})
			_, err := d.Submit(t.Context(), sale(), prepared(t, d, sale()))
			contains(t, expect(t, err, c.want).Error(), c.part)
			if n, m := len(f.asked(tokenPath)), len(f.asked(registerPath)); n != 1 || m != 0 {
				t.Errorf("%d token requests, %d registrations", n, m)
			}
			_, err = d.Find(t.Context(), refOf(t, d, "254934"))
			expect(t, err, c.want)
			_, err = d.Status(t.Context())
			expect(t, err, c.want)
		})
	}
}

// TestTokenRefused: rule 4 of reference 3.6.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	expired := reply{status: 401, body: `{"error":"invalid_token"}`}
	for name, c := range map[string]struct {
		register []reply
		token    []reply
		want     string
		calls    int
		grants   string
	}{
		"once":           {[]reply{expired, {status: 200, body: "1"}}, nil, "", 2, "connector refresh-1 "},
		"always":         {[]reply{expired}, nil, "cloud-account rejected", 2, "connector refresh-1 "},
		"then unknown":   {[]reply{expired, {status: 500}}, nil, "cloud-away unknown", 2, "connector refresh-1 "},
		"then closed":    {[]reply{expired, {hang: true}}, nil, "cloud-away unknown", 2, "connector refresh-1 "},
		"then refused":   {[]reply{expired, {status: 400}}, nil, "device-refused rejected", 2, "connector refresh-1 "},
		"no new token":   {[]reply{expired}, []reply{{}, {status: 500}}, "cloud-away rejected", 1, "connector refresh-1 "},
		"not let in":     {[]reply{expired}, []reply{{}, {status: 400}}, "cloud-account rejected", 1, "connector refresh-1 connector "},
		"unknown, never": {[]reply{{hang: true}, {status: 200, body: "1"}}, nil, "cloud-away unknown", 1, "connector "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, d := serve(t, map[string][]reply{registerPath: c.register, tokenPath: c.token})
			_, err := d.Submit(t.Context(), sale(), prepared(t, d, sale()))
			expect(t, err, c.want)
			calls := f.asked(registerPath)
			if len(calls) != c.calls || grants(t, f) != c.grants {
				t.Fatalf("%d registrations, tokens by %q", len(calls), grants(t, f))
			}
			for i, r := range calls {
				if r.body != calls[0].body || r.header.Get("Idempotency-Key") != calls[0].header.Get("Idempotency-Key") {
					t.Error("the repeat is another request")
				}
				if want := []string{"Bearer access-1", "Bearer access-2"}[i]; r.header.Get("Authorization") != want {
					t.Errorf("call %d with %s", i, r.header.Get("Authorization"))
				}
			}
		})
	}
}

// TestRefusedTwiceBeginsAnew: after a second 401 the next token comes from the
// connector token.
func TestRefusedTwiceBeginsAnew(t *testing.T) {
	t.Parallel()
	f, d := serve(t, map[string][]reply{documentPath: {{status: 401}, {status: 401}, {status: 200, body: doneAnswer}}})
	_, err := d.Find(t.Context(), refOf(t, d, "254934"))
	expect(t, err, "cloud-account rejected")
	v, err := d.Find(t.Context(), refOf(t, d, "254934"))
	if err != nil || v.Finding != fiscal.Made {
		t.Fatalf("%+v, %v", v, err)
	}
	if got := grants(t, f); got != "connector refresh-1 connector " {
		t.Errorf("tokens by %q", got)
	}
}

func TestDropKeepsANewerToken(t *testing.T) {
	t.Parallel()
	d := direct(t, &fake{})
	old, err := d.token.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.token.drop(old)
	newer, err := d.token.get(t.Context())
	if err != nil || newer == old {
		t.Fatalf("%q, %v", newer, err)
	}
	d.token.drop(old) // by somebody whose answer comes late
	if got := d.token.cached(); got != newer {
		t.Errorf("the token kept is %q, want %q", got, newer)
	}
}

// TestGivingUpDoesNotSpoilTheOthers: the renewal goes on for those who wait.
func TestGivingUpDoesNotSpoilTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.Rate = 1
		d := driver(t, o)
		d.http = &fake{}
		if err := d.pace.wait(t.Context()); err != nil { // the renewal has to wait a second
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { _, err := d.token.get(ctx); gone <- err }()
		synctest.Wait()
		stays := make(chan error)
		go func() { _, err := d.token.get(t.Context()); stays <- err }()
		synctest.Wait()
		cancel()
		expect(t, <-gone, "cloud-away unreachable")
		if err := <-stays; err != nil {
			t.Error(err)
		}
	})
}
