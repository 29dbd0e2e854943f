package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"kassad/devices/lifepay"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// callbackBooks is a journal of a few records that only notes what it hears.
type callbackBooks struct {
	mu      sync.Mutex
	records map[string]fiscal.Record
	heard   []heardCallback
	err     error // of both calls
}

type heardCallback struct {
	id, device, key string
	verdict         fiscal.Verdict
}

func (b *callbackBooks) byID(id string) (fiscal.Record, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, found := b.records[id]
	return r, found, b.err
}

func (b *callbackBooks) hear(id, device, key string, v fiscal.Verdict) (fiscal.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return fiscal.Record{}, b.err
	}
	b.heard = append(b.heard, heardCallback{id, device, key, v})
	return b.records[id], nil
}

const callbackRoot = "kassad/v1/local/shop/main"

// callbackRecord is a sale of which a cloud has the second edition.
func callbackRecord(id string) fiscal.Record {
	return fiscal.Record{
		ID: id, Verb: fiscal.VerbSale, State: fiscal.Registered,
		Document: fiscal.Document{ID: id, Verb: fiscal.VerbSale, Stem: fiscal.Stem(callbackRoot, id), Edition: 1},
	}
}

// callbackDesk is what the tests look at: the callbacks, and what they did.
type callbackDesk struct {
	*callbacks
	books  *callbackBooks
	log    *bytes.Buffer
	moved  int
	failed []error
}

func newCallbackDesk(t testing.TB, ids ...string) *callbackDesk {
	t.Helper()
	k := &callbackDesk{books: &callbackBooks{records: map[string]fiscal.Record{}}, log: &bytes.Buffer{}}
	for _, id := range ids {
		k.books.records[id] = callbackRecord(id)
	}
	teller, err := lifepay.New(lifepay.Options{BaseURL: "https://cloud.example", Login: "79161234567", APIKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	k.callbacks = &callbacks{
		base: "https://shop.example/lp/local/shop/main/", secret: bytes.Repeat([]byte{7}, callbackSecretSize),
		store: k.books, teller: teller, log: slog.New(slog.NewTextHandler(k.log, nil)),
		moved: func(fiscal.Record) { k.moved++ },
		fail:  func(err error) { k.failed = append(k.failed, err) },
	}
	return k
}

// path is the end of the address that was given out for an edition, from 0.
func (k *callbackDesk) path(t testing.TB, id string, edition int) string {
	t.Helper()
	doc := k.books.records[id].Document
	doc.Edition = edition
	path, ok := strings.CutPrefix(k.url(doc), k.base)
	if !ok {
		t.Fatalf("no url for %s", id)
	}
	return path
}

const processed = `{"uuid":"0c1f0b5e-6d2a-5a77-9b11-2f6f1f3d8a01","ofd_url":"https://ofd.example/r/1","error_code":null,"status":"processed"}`

// form is a body of either kind of form, with its Content-Type.
func form(t testing.TB, multi bool, data string) (contentType string, body []byte) {
	t.Helper()
	if !multi {
		return "application/x-www-form-urlencoded", []byte(url.Values{"data": {data}}.Encode())
	}
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	if err := errors.Join(w.WriteField("data", data), w.Close()); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), out.Bytes()
}

func TestCallbackForms(t *testing.T) {
	t.Parallel()
	multiType, multi := form(t, true, processed)
	plainType, plain := form(t, false, processed)
	for _, test := range []struct {
		name, contentType string
		body              []byte
	}{
		{"multipart", multiType, multi},
		{"urlencoded", plainType, plain},
		{"JSON", "application/json", []byte(processed)},
		{"JSON of an unknown type", "", []byte(processed)},
	} {
		k := newCallbackDesk(t, "sale-1")
		if status := k.handle(k.path(t, "sale-1", 1), test.contentType, test.body); status != http.StatusOK {
			t.Errorf("%s: status %d", test.name, status)
		}
		if len(k.books.heard) != 1 || k.moved != 1 || k.callbacks.heard.Load() != 1 {
			t.Errorf("%s: heard %v, moved %d", test.name, k.books.heard, k.moved)
			continue
		}
		got, doc := k.books.heard[0], k.books.records["sale-1"].Document
		if got.id != "sale-1" || got.device != "lifepay" || got.key != doc.CloudKey() ||
			got.verdict.Finding != fiscal.Made || got.verdict.Receipt.Ticket != "0c1f0b5e-6d2a-5a77-9b11-2f6f1f3d8a01" {
			t.Errorf("%s: heard %+v", test.name, got)
		}
	}
}

// A token of an earlier attempt is good for that attempt only; what it means
// is the journal's business, and so are repeats.
func TestCallbackEditions(t *testing.T) {
	t.Parallel()
	k := newCallbackDesk(t, "sale-1")
	doc := k.books.records["sale-1"].Document
	for _, edition := range []int{1, 0, 0, 1} {
		if status := k.handle(k.path(t, "sale-1", edition), "application/json", []byte(processed)); status != http.StatusOK {
			t.Errorf("edition %d: %d", edition, status)
		}
	}
	var keys []string
	for _, h := range k.books.heard {
		keys = append(keys, h.key)
	}
	first := strings.TrimSuffix(doc.CloudKey(), "2") + "1"
	if want := []string{doc.CloudKey(), first, first, doc.CloudKey()}; !slices.Equal(keys, want) {
		t.Errorf("heard under %v, want %v", keys, want)
	}
	moved := strings.Replace(k.path(t, "sale-1", 0), "1/", "2/", 1)
	if status := k.handle(moved, "application/json", []byte(processed)); status != http.StatusNotFound {
		t.Errorf("the token of one edition opens another: %d", status)
	}
}

func TestCallbackRefused(t *testing.T) {
	t.Parallel()
	k := newCallbackDesk(t, "sale-1", "sale-2", "old")
	old := k.books.records["old"]
	old.Document.Stem = "" // of a version that knew no clouds
	k.books.records["old"] = old
	good := k.path(t, "sale-1", 1)
	token := strings.Split(good, "/")[1]
	bare := &callbacks{secret: k.secret}
	for _, path := range []string{
		"", good + "/", "/" + good, good[1:], strings.ToUpper(good),
		"2/" + token + "/sale-2", "1/" + token + "/sale-1", "2/" + token + "/sale-3",
		"2/" + strings.Repeat("a", len(token)) + "/sale-1",
		"2/" + token[:25] + "/sale-1",
		// The token of an empty key, which nobody was given.
		"1/" + bare.token(fiscal.Document{}) + "/old", "1/" + bare.token(fiscal.Document{}) + "/sale-9",
	} {
		if status := k.handle(path, "application/json", []byte(processed)); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	if len(k.books.heard) != 0 || k.moved != 0 {
		t.Errorf("heard %v", k.books.heard)
	}
	if n := k.refused.Load(); n != 12 {
		t.Errorf("%d refused", n)
	}
	if log := k.log.String(); strings.Count(log, "refused") != 1 || strings.Contains(log, token) {
		t.Errorf("the log is flooded or holds a token:\n%s", log)
	}
}

// What cannot be read would come again just the same: it is answered 200, and
// the log does not show the body, which may hold a buyer's address.
func TestCallbackUnreadable(t *testing.T) {
	t.Parallel()
	k := newCallbackDesk(t, "sale-1")
	for _, body := range []string{"", "hello ivanov@example.com", "--x\r\n\r\n", "data=%7B", "[]", strings.Repeat("x", mqtt.CallbackBodyMax+1)} {
		if status := k.handle(k.path(t, "sale-1", 1), "text/plain", []byte(body)); status != http.StatusOK {
			t.Errorf("%.20q: %d", body, status)
		}
	}
	if k.unreadable.Load() != 6 || len(k.books.heard) != 0 {
		t.Errorf("%d unreadable, heard %v", k.unreadable.Load(), k.books.heard)
	}
	if log := k.log.String(); strings.Contains(log, "ivanov") || !strings.Contains(log, "sale-1") {
		t.Errorf("log: %s", log)
	}
}

func TestCallbackStoreFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		status int
		fatal  bool
	}{
		{spool.ErrStore, http.StatusInternalServerError, true},
		{spool.ErrTaken, http.StatusInternalServerError, false},
		{spool.ErrClosed, http.StatusInternalServerError, false},
	} {
		k := newCallbackDesk(t, "sale-1")
		k.books.err = test.err
		if status := k.handle(k.path(t, "sale-1", 1), "application/json", []byte(processed)); status != test.status {
			t.Errorf("%v: %d", test.err, status)
		}
		if (len(k.failed) == 1) != test.fatal || k.moved != 0 {
			t.Errorf("%v: failed %v, moved %d", test.err, k.failed, k.moved)
		}
	}
}

func TestCallbackURL(t *testing.T) {
	t.Parallel()
	k := newCallbackDesk(t, "sale-1", "..")
	doc := k.books.records["sale-1"].Document
	if got := k.url(doc); !strings.HasPrefix(got, "https://shop.example/lp/local/shop/main/2/") || !strings.HasSuffix(got, "/sale-1") {
		t.Errorf("url %s", got)
	}
	if status := k.handle(k.path(t, "..", 0), "application/json", []byte(processed)); status != http.StatusOK {
		t.Errorf("an id of dots: %d", status)
	}
	seen := map[string]bool{}
	for edition := range 3 {
		doc.Edition = edition
		seen[k.token(doc)] = true
	}
	other := &callbacks{secret: bytes.Repeat([]byte{8}, callbackSecretSize)}
	seen[other.token(doc)] = true
	if len(seen) != 4 {
		t.Errorf("tokens repeat: %v", seen)
	}
	doc.Edition = mqtt.CallbackEditionMax
	if got := k.url(doc); got != "" {
		t.Errorf("an edition without end: %s", got)
	}
	if got := (&callbacks{}).url(callbackRecord("a").Document); got != "" {
		t.Errorf("without a base: %s", got)
	}
}

func TestCallbackSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	var secrets [2][]byte
	for i := range secrets {
		s, err := spool.Open(path, spool.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if secrets[i], err = callbackSecret(s); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(secrets[0]) != callbackSecretSize || !bytes.Equal(secrets[0], secrets[1]) {
		t.Errorf("the secret does not last: %d and %d bytes", len(secrets[0]), len(secrets[1]))
	}
	if bytes.Equal(secrets[0], make([]byte, callbackSecretSize)) {
		t.Error("the secret is zero")
	}
}

// FuzzCallbackRequest gives strangers' paths and bodies to the callbacks. The
// path "!" stands for a good one.
func FuzzCallbackRequest(f *testing.F) {
	k := newCallbackDesk(f, "sale-1")
	good := k.path(f, "sale-1", 1)
	multiType, multi := form(f, true, processed)
	plainType, plain := form(f, false, processed)
	f.Add("!", "application/json", []byte(processed))
	f.Add("!", multiType, multi)
	f.Add("!", plainType, plain)
	f.Add("1/"+strings.Repeat("a", mqtt.CallbackTokenSize)+"/sale-1", "", []byte("--\n"))
	f.Add("../../..", "multipart/form-data; boundary=", []byte("{}"))
	f.Fuzz(func(t *testing.T, path, contentType string, body []byte) {
		k := newCallbackDesk(t, "sale-1")
		if path == "!" {
			path = good
		}
		status := k.handle(path, contentType, body)
		switch {
		case path != good && (status != http.StatusNotFound || len(k.books.heard) > 0):
			t.Fatalf("%q opens the door: %d, %v", path, status, k.books.heard)
		case path == good && status != http.StatusOK:
			t.Fatalf("status %d", status)
		}
		for _, h := range k.books.heard {
			if f := h.verdict.Finding; f != fiscal.Made && f != fiscal.Pending && f != fiscal.Failed {
				t.Fatalf("finding %v", f)
			}
		}
	})
}
