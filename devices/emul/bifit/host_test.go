package bifit_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"kassad/devices/emul/bifit"
)

// start is the clock of all tests that move it themselves.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const (
	base      = bifit.PrefixDefault
	serialOne = "0000550101000001" // default serial of the first register
	coffee    = `{"type":"SALE","taxSystem":"COMMON","cashier":{"name":"Petrov P. P.","inn":"500100732259"},` +
		`"client":{"address":"buyer@example.org"},"items":[{"calculationMethod":"FULL_PAY","paymentSubject":"PRODUCT",` +
		`"name":"Coffee beans","price":60.00,"quantity":2.500,"vat":"VAT_10","total":150.00}],"total":150.00,"payments":{"CASH":150.00}}`
)

// host calls a service as a client would, without a network.
type host struct {
	t       *testing.T
	s       *bifit.Service
	handler http.Handler
	access  string
	broker  string
}

// said is an answer.
type said struct {
	status int
	header http.Header
	body   string
}

func newHost(t *testing.T, cfg bifit.Config) *host {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = func() time.Time { return start }
	}
	s := bifit.New(cfg)
	t.Cleanup(s.Close)
	h := &host{t: t, s: s, handler: s, broker: bifit.BrokerTokenDefault}
	h.access = h.login(bifit.ConnectorTokenDefault)
	return h
}

func (h *host) call(method, path, body string, header ...string) said {
	h.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return said{w.Code, w.Header(), w.Body.String()}
}

// form makes a token request; pairs override or remove ("") its fields.
func (h *host) form(pairs ...string) said {
	h.t.Helper()
	form := url.Values{
		"token": {bifit.ConnectorTokenDefault}, "client_id": {"processing-connector-token"},
		"client_secret": {"processing-connector-token"}, "grant_type": {"token"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return h.call("POST", base+"/oauth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func (h *host) login(connector string) string {
	h.t.Helper()
	a := h.form("token", connector)
	h.want(a, http.StatusOK)
	return field[string](h.t, a, "access_token")
}

func (h *host) register(key, body string) said {
	h.t.Helper()
	return h.call("POST", base+bifit.RegisterPath, body,
		"Authorization", "Bearer "+h.access, "Idempotency-Key", key, "Content-Type", "application/json")
}

// sell registers a receipt that must be taken.
func (h *host) sell(key string) uint64 {
	h.t.Helper()
	return h.id(h.register(key, coffee))
}

func (h *host) id(a said) uint64 {
	h.t.Helper()
	h.want(a, http.StatusOK)
	var id uint64
	if err := json.Unmarshal([]byte(a.body), &id); err != nil {
		h.t.Fatalf("registration answers %q: %v", a.body, err)
	}
	return id
}

func (h *host) document(id uint64) said {
	h.t.Helper()
	return h.call("GET", fmt.Sprintf("%s/protected/documents/%d", base, id), "", "Authorization", "Bearer "+h.access)
}

func (h *host) reload(body string) said {
	h.t.Helper()
	return h.call("POST", base+bifit.ReloadPath, body,
		"Authorization", "Bearer "+h.access, "Broker-token", h.broker, "Content-Type", "application/json")
}

func (h *host) want(a said, status int) {
	h.t.Helper()
	if a.status != status {
		h.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
}

// status is the word that the answer has for a document.
func (h *host) status(id uint64) string {
	h.t.Helper()
	a := h.document(id)
	h.want(a, http.StatusOK)
	return field[string](h.t, a, "status")
}

// wantStatus asks for a document and compares its status.
func (h *host) wantStatus(id uint64, status string) {
	h.t.Helper()
	if got := h.status(id); got != status {
		h.t.Fatalf("document %d is %s, want %s", id, got, status)
	}
}

// wantError is wantStatus for a cause.
func (h *host) wantError(id uint64, code string) {
	h.t.Helper()
	h.wantStatus(id, "ERROR")
	if got := field[string](h.t, h.document(id), "error.code"); got != code {
		h.t.Fatalf("document %d fails with %s, want %s", id, got, code)
	}
}

// receipts counts the receipts in all storages.
func (h *host) receipts() int {
	n := 0
	for _, entries := range h.s.Ledger() {
		for _, e := range entries {
			if e.Receipt > 0 {
				n++
			}
		}
	}
	return n
}

// field reads one field of a JSON answer; dots go into objects. It fails the
// test if it is not there.
func field[T any](t *testing.T, a said, path string) T {
	t.Helper()
	v, ok := lookup(t, a, path).(T)
	if !ok {
		t.Fatalf("no %s of this type in %s", path, a.body)
	}
	return v
}

func lookup(t *testing.T, a said, path string) any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("answer %q: %v", a.body, err)
	}
	for name := range strings.SplitSeq(path, ".") {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}
