package bifit

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"kassad/devices/web"
	"kassad/fiscal"
)

// Secrets of the tests, searched for in everything that is shown.
const (
	connectorSecret = "ConnectorSecret0123456789ConnectorSecret0123456789"
	brokerSecret    = "BrokerSecret9876543210"
	echoToken       = "(token)" // in a body: the token of the request
)

const (
	tokenPath    = "/oauth/token"
	registerPath = "/protected/documents/registration/receipts"
	documentPath = "/protected/documents/254934"
	reloadPath   = "/protected/documents/reload/token"
)

// request is what the fake service was asked.
type request struct {
	method, path, body string
	header             http.Header
}

// reply is what it answers.
type reply struct {
	status int
	body   string
	kind   string // Content-Type
	after  string // Retry-After
	hang   bool   // close the connection instead
	cut    bool   // promise more than comes
}

// fake is a service that answers from a script: by path, the last reply of a
// path repeats. Without a script the token endpoint gives access-1, access-2…
type fake struct {
	script map[string][]reply
	life   int // seconds of the tokens given without a script

	mu       sync.Mutex
	requests []request
	tokens   int
}

func (f *fake) answer(r request) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	if queue := f.script[r.path]; len(queue) > 0 {
		if len(queue) > 1 {
			f.script[r.path] = queue[1:]
		}
		if queue[0].status != 0 || queue[0].hang {
			return queue[0]
		}
	}
	if r.path != tokenPath {
		return reply{status: 404, body: `{"error":"not_found"}`}
	}
	f.tokens++
	n := strconv.Itoa(f.tokens)
	life := f.life
	if life == 0 {
		life = 3600
	}
	return reply{status: 200, body: `{"access_token":"access-` + n + `","token_type":"bearer","refresh_token":"refresh-` + n +
		`","expires_in":` + strconv.Itoa(life) + `,"scope":"all","jti":"x"}`}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a := f.answer(request{r.Method, r.URL.Path, string(body), r.Header})
	if a.hang {
		panic(http.ErrAbortHandler)
	}
	a.head(w.Header())
	if a.cut {
		w.Header().Set("Content-Length", "1000")
	}
	w.WriteHeader(a.status)
	sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if form, err := url.ParseQuery(string(body)); err == nil && sent == "" {
		sent = form.Get("refresh_token")
	}
	_, _ = io.WriteString(w, strings.ReplaceAll(a.body, echoToken, sent))
}

func (a reply) head(h http.Header) {
	h.Set("Content-Type", "application/json")
	if a.kind != "" {
		h.Set("Content-Type", a.kind)
	}
	if a.after != "" {
		h.Set("Retry-After", a.after)
	}
}

// Do answers without a network, for tests on virtual time.
func (f *fake) Do(_ context.Context, c web.Call) (web.Answer, error) {
	a := f.answer(request{c.Method, c.Path, string(c.Body), c.Header})
	h := http.Header{}
	a.head(h)
	return web.Answer{Status: a.status, Header: h, Body: []byte(a.body)}, nil
}

// asked returns the requests to a path, in order.
func (f *fake) asked(path string) []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []request
	for _, r := range f.requests {
		if r.path == path {
			out = append(out, r)
		}
	}
	return out
}

func options() Options {
	return Options{
		BaseURL: "http://127.0.0.1:1", ConnectorToken: connectorSecret, BrokerToken: brokerSecret,
		Taxation: 1, Rate: -1, Logger: slog.New(slog.DiscardHandler),
	}
}

func driver(t *testing.T, o Options) *Driver {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// serve starts a fake with a script and a driver for it.
func serve(t *testing.T, script map[string][]reply, change ...func(*Options)) (*fake, *Driver) {
	t.Helper()
	f := &fake{script: script}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	o := options()
	o.BaseURL = s.URL
	for _, c := range change {
		c(&o)
	}
	return f, driver(t, o)
}

// sale is the example of reference 4.2.
func sale() fiscal.Document {
	return fiscal.Document{
		ID: "s1", Verb: fiscal.VerbSale, Kind: fiscal.Sale, Stem: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		Cashier:  fiscal.Cashier{Name: "Petrov P. P.", INN: "500100732259"},
		Customer: "buyer@example.org", Taxation: 1,
		Lines: []fiscal.Line{{
			Name: "Coffee beans", Price: 60_00, Quantity: 2_500_000, Sum: 150_00, Tax: 13_64,
			Unit: 11, VAT: fiscal.VAT10, Method: fiscal.FullPayment, Subject: fiscal.Goods, Department: 1,
		}},
		Payments: fiscal.Payments{Cash: 150_00}, Total: 150_00, Change: 50_00,
	}
}

func prepared(t *testing.T, d *Driver, doc fiscal.Document) fiscal.Baseline {
	t.Helper()
	base, err := d.Prepare(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	return base
}

func refOf(t *testing.T, d *Driver, ticket string) fiscal.Ref {
	t.Helper()
	return fiscal.Ref{Document: sale(), Baseline: prepared(t, d, sale()), Ticket: ticket}
}

// expect compares an error with "code outcome", or "" for none.
func expect(t *testing.T, err error, want string) *fiscal.Error {
	t.Helper()
	if err == nil {
		if want != "" {
			t.Fatalf("no error, want %s", want)
		}
		return nil
	}
	e := fiscal.AsError(err, "none")
	got := string(e.Code) + " " + [...]string{"unknown", "rejected", "unreachable"}[e.Outcome]
	if got != want {
		t.Fatalf("got %s (%v), want %s", got, err, want)
	}
	return e
}

func contains(t *testing.T, s, part string) {
	t.Helper()
	if !strings.Contains(s, part) {
		t.Errorf("%q is not in %q", part, s)
	}
}
