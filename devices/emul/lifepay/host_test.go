package lifepay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// object is a JSON object as tests write it.
type object map[string]any

// exampleA is the vendor's example, total 239.45 (section 3.1).
func exampleA() object {
	return object{"products": []object{
		{"name": "Ананас", "price": 110, "quantity": 1, "tax": "vat18", "discount": object{"type": "percent", "value": 10}},
		{"name": "Картофель", "price": 15, "quantity": 2, "tax": "vat18", "unit": "kg", "discount": object{"type": "percent", "value": 10}},
		{"name": "Кешью", "price": 1200, "quantity": 0.1, "tax": "vat10", "unit": "kg", "discount": object{"type": "amount", "value": 6.55}},
	}}
}

func one(price, quantity any) object {
	return object{"products": []object{{"name": "Товар", "price": price, "quantity": quantity, "tax": "none"}}}
}

// body is a request with credentials, and the fields of all parts.
func body(parts ...object) object {
	out := object{"apikey": DemoAPIKey, "login": DemoLogin}
	for _, p := range parts {
		maps.Copy(out, p)
	}
	return out
}

// sale is a request for example A, paid by card.
func sale(parts ...object) object {
	return body(append([]object{{"purchase": exampleA(), "card_amount": "#"}}, parts...)...)
}

// reply is the envelope as tests read it.
type reply struct {
	Status  int
	Header  http.Header
	Text    string
	Code    int
	Message *string
	Data    json.RawMessage
	UUID    string
	Fields  map[string][]string
}

func readReply(t *testing.T, status int, header http.Header, text []byte) reply {
	t.Helper()
	r := reply{Status: status, Header: header, Text: string(text), Code: -1}
	if json.Unmarshal(text, &r) != nil {
		return r
	}
	var data struct{ UUID string }
	if json.Unmarshal(r.Data, &data) == nil {
		r.UUID = data.UUID
	}
	_ = json.Unmarshal(r.Data, &r.Fields) // not every data is a map of texts
	return r
}

func service(t *testing.T, cfg Config) *Service {
	t.Helper()
	s := New(cfg)
	t.Cleanup(s.Close)
	return s
}

// post sends one request past the network.
func post(t *testing.T, s *Service, path string, in any) reply {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return raw(t, s, path, "", string(text))
}

func raw(t *testing.T, s *Service, path, contentType, text string) reply {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader([]byte(text)))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return readReply(t, w.Code, w.Header(), w.Body.Bytes())
}

// accepted sends a request that must get a uuid, and gives its document when
// it is final.
func accepted(t *testing.T, s *Service, path string, in any) Document {
	t.Helper()
	r := post(t, s, path, in)
	if r.Status != http.StatusOK || r.Code != 0 || r.UUID == "" {
		t.Fatalf("%s: HTTP %d %s", path, r.Status, r.Text)
	}
	return final(t, s, r.UUID)
}

func wantCode(t *testing.T, r reply, code int) {
	t.Helper()
	if r.Status != http.StatusOK || r.Code != code || (code != 0) != (r.UUID == "") {
		t.Errorf("HTTP %d %s, want code %d", r.Status, r.Text, code)
	}
}

func find(s *Service, uuid string) Document {
	d, _ := s.Document(uuid)
	return d
}

func final(t *testing.T, s *Service, uuid string) Document {
	t.Helper()
	await(t, s, func() bool { st := find(s, uuid).State; return st == StateProcessed || st == StateError })
	return find(s, uuid)
}

func await(t *testing.T, s *Service, done func() bool) {
	t.Helper()
	if err := s.Await(t.Context(), done); err != nil {
		t.Fatal(err)
	}
}

// heard is a callback as a receiver reads it.
type heard struct {
	At     time.Time
	Form   string // content type
	Data   string
	Fields map[string]any // of data, nil if malformed
}

// receiver takes callbacks past the network and answers what answer says.
type receiver struct {
	mu     sync.Mutex
	got    []heard
	answer func(n int, r *http.Request) (int, error) // n from 1; nil: 200
}

func (r *receiver) client() *http.Client { return &http.Client{Transport: r} }

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	h := heard{At: time.Now()}
	if h.Form, h.Data, err = decodeCallback(req.Header.Get("Content-Type"), text); err != nil {
		return nil, err
	}
	if json.Unmarshal([]byte(h.Data), &h.Fields) != nil {
		h.Fields = nil
	}
	r.mu.Lock()
	r.got = append(r.got, h)
	n := len(r.got)
	r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		if status, err = r.answer(n, req); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Location": {"http://shop/other"}}, Body: http.NoBody, Request: req}, nil
}

func (r *receiver) list() []heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]heard(nil), r.got...)
}

func decodeCallback(contentType string, text []byte) (form, data string, err error) {
	form, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", "", err
	}
	switch form {
	case "application/json":
		return form, string(text), nil
	case "application/x-www-form-urlencoded":
		v, err := url.ParseQuery(string(text))
		return form, v.Get("data"), err
	}
	part, err := multipart.NewReader(bytes.NewReader(text), params["boundary"]).NextPart()
	if err != nil {
		return "", "", err
	}
	if part.FormName() != "data" {
		return "", "", errors.New("no field data")
	}
	b, err := io.ReadAll(part)
	return form, string(b), err
}

// bubble runs a test on virtual time.
func bubble(t *testing.T, cfg Config, test func(t *testing.T, s *Service, r *receiver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		cfg := cfg
		cfg.Client = r.client()
		s := New(cfg)
		defer s.Close()
		test(t, s, r)
	})
}

const (
	createReceipt    = "/cloud-print/create-receipt"
	createReceipt12  = "/cloud-print-ffd1_2/create-receipt"
	createCorrection = "/cloud-print/create-receipt-correction"
	createSession    = "/cloud-print/create-session"
	createZ          = "/cloud-print/create-z-report"
	createX          = "/cloud-print/create-x-report"
	createNonFiscal  = "/cloud-print/create-non-fiscal-receipt"
	cashIn           = "/cloud-print/cash-in"
	cashOut          = "/cloud-print/cash-out"
)
