package bifit_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"kassad/devices/emul/bifit"
)

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	for _, c := range []struct {
		name   string
		pairs  []string
		status int
		code   string
	}{
		{"colon before the client", []string{"client_id", ":processing-connector-token"}, http.StatusUnauthorized, "invalid_client"},
		{"wrong secret", []string{"client_secret", "cashdesk-rest-client"}, http.StatusUnauthorized, "invalid_client"},
		{"no client", []string{"client_id", ""}, http.StatusBadRequest, "invalid_request"},
		{"no secret", []string{"client_secret", ""}, http.StatusBadRequest, "invalid_request"},
		{"no grant", []string{"grant_type", ""}, http.StatusBadRequest, "invalid_request"},
		{"no token", []string{"token", ""}, http.StatusBadRequest, "invalid_request"},
		{"no refresh token", []string{"grant_type", "refresh_token"}, http.StatusBadRequest, "invalid_request"},
		{"grant of the account", []string{"grant_type", "password"}, http.StatusBadRequest, "unsupported_grant_type"},
		{"unknown token", []string{"token", "x"}, http.StatusBadRequest, "invalid_grant"},
		{"unknown refresh token", []string{"grant_type", "refresh_token", "refresh_token", "x"}, http.StatusBadRequest, "invalid_grant"},
	} {
		a := h.form(c.pairs...)
		if a.status != c.status || field[string](t, a, "error") != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, a.status, a.body, c.status, c.code)
		}
	}
	a := h.call("POST", base+bifit.TokenPath, `{"grant_type":"token"}`, "Content-Type", "application/json")
	if h.want(a, http.StatusBadRequest); field[string](t, a, "error") != "invalid_request" {
		t.Errorf("JSON: %s", a.body)
	}
	want := bifit.TokenCounts{Connector: 10, Refresh: 2, Refused: 11}
	if got := h.s.TokenRequests(); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{AccessLife: 90 * time.Second})
	a := h.form()
	for path, want := range map[string]string{"token_type": "bearer", "scope": "read write", "jti": "emulated-4"} {
		if got := field[string](t, a, path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if got := lookup(t, a, "expires_in"); got != lookup(t, said{body: `{"x":90}`}, "x") {
		t.Errorf("expires_in is %v", got)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		single   bool
		oldValid int
	}{"tokens live on": {false, http.StatusOK}, "one session": {true, http.StatusUnauthorized}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{Rules: bifit.Rules{SingleSession: c.single}})
			id := h.sell("a")
			a := h.form()
			old := h.access
			h.access = field[string](t, a, "access_token")
			b := h.form("grant_type", "refresh_token", "refresh_token", field[string](t, a, "refresh_token"))
			h.want(b, http.StatusOK)
			h.access = field[string](t, b, "access_token")
			h.want(h.document(id), http.StatusOK)
			h.access = old
			h.want(h.document(id), c.oldValid)
		})
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	refresh := field[string](t, h.form(), "refresh_token")
	id := h.sell("a")
	h.s.Advance(time.Hour - time.Nanosecond)
	h.want(h.document(id), http.StatusOK)
	h.s.Advance(time.Nanosecond)
	a := h.document(id)
	if h.want(a, http.StatusUnauthorized); field[string](t, a, "error") != "invalid_token" || a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("expired: %s %v", a.body, a.header)
	}
	h.s.Advance(23*time.Hour - 2*time.Nanosecond)
	h.want(h.form("grant_type", "refresh_token", "refresh_token", refresh), http.StatusOK)
	h.s.Advance(2 * time.Nanosecond)
	h.want(h.form("grant_type", "refresh_token", "refresh_token", refresh), http.StatusBadRequest)
	h.access = h.login(bifit.ConnectorTokenDefault)
	h.s.ExpireTokens()
	h.want(h.document(id), http.StatusUnauthorized)
}

// TestAuthorization: section 14.3, for each protected call.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	id := h.sell("a")
	calls := map[string]func() said{
		"register": func() said { return h.register("b", coffee) },
		"document": func() said { return h.document(id) },
		"reload":   func() said { return h.reload("[254934]") },
	}
	good := h.access
	for name, call := range calls {
		for _, bad := range []string{"", "x", good + "x"} {
			h.access = bad
			if a := call(); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s with %q: %d %s", name, bad, a.status, a.body)
			}
		}
		h.access = good
		if a := call(); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := h.call("GET", base+"/protected/documents/254934", "", "Authorization", "Basic "+good); a.status != http.StatusUnauthorized {
		t.Errorf("Basic: %d", a.status)
	}
	if a := h.call("GET", base+"/protected/documents/254934", "", "authorization", "bearer "+good); a.status != http.StatusOK {
		t.Errorf("small letters: %d", a.status)
	}
}

// TestJournal: requests are listed, and no secret is in the list.
func TestJournal(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.form("grant_type", "refresh_token", "refresh_token", "some-refresh")
	id := h.sell("a")
	h.reload("[254934]")
	got := h.s.Requests()
	if len(got) != 4 {
		t.Fatalf("%d requests, want 4", len(got))
	}
	if e := got[0]; e.Kind != bifit.OnToken || e.Status != http.StatusOK || e.Connector != "connector-1" || !e.At.Equal(start) {
		t.Errorf("token: %+v", e)
	}
	if e := got[1]; e.Kind != bifit.OnRefresh || e.Status != http.StatusBadRequest || e.Kind.String() != "refresh" {
		t.Errorf("refresh: %+v", e)
	}
	if e := got[2]; e.Kind != bifit.OnRegister || e.Key != "a" || e.Document != id || e.Body != coffee || e.Path != base+bifit.RegisterPath {
		t.Errorf("registration: %+v", e)
	}
	for _, e := range got {
		for _, secret := range []string{bifit.ConnectorTokenDefault, bifit.BrokerTokenDefault, "some-refresh", h.access} {
			if strings.Contains(e.Body+e.Path+e.Warning, secret) {
				t.Errorf("a secret is in %+v", e)
			}
		}
	}
}

// TestJournalLimits: the journal keeps the newest requests, and the beginning
// of a body.
func TestJournalLimits(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.register("long", coffee+strings.Repeat(" ", 10_000))
	if got := h.s.Requests(); len(got[1].Body) != 8<<10 {
		t.Errorf("%d bytes of a body", len(got[1].Body))
	}
	for range 10_000 {
		h.document(1)
	}
	got := h.s.Requests()
	if len(got) != 10_000 || got[0].Kind != bifit.OnDocument {
		t.Errorf("%d requests, the first is %+v", len(got), got[0])
	}
}

// TestCountsUnderFaults: a token request counts, whoever answers it.
func TestCountsUnderFaults(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.s.Fail(bifit.Fault{On: bifit.OnToken, Do: bifit.Respond{Status: http.StatusBadGateway, After: true}})
	h.want(h.form(), http.StatusBadGateway)
	if got := h.s.TokenRequests(); got != (bifit.TokenCounts{Connector: 2, Refused: 1}) {
		t.Errorf("counts %+v", got)
	}
}
