package sim

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// No key of the account and no address of a callback gets out, whatever the
// service echoes; the journal has of each document its own address only.
func TestLifePaySecrets(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	s, err := Open(t.Context(), Options{
		Dir: t.TempDir(), NoPrinter: true, LifePay: &lifepay.Config{}, Policy: calledBack(), Config: managers("ivanov"),
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			s.Close()
		}
	}()
	w, till := watch(t, s), openTill(t, s, "till1")
	sellInTrouble(t, s, till)
	managed[struct{ Lines []string }](t, w.ear, "logs", obj{"lines": 1000})
	managed[map[string]any](t, w.ear, "status", nil)
	managed[map[string]any](t, w.ear, "config-get", nil)
	shown, err := toml.Marshal(s.Config.Public())
	if err != nil {
		t.Fatal(err)
	}
	books, err := s.Books(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range books.Violations() {
		t.Error(v)
	}
	closed = true
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	tokens := ownTokens(t, s)
	places := map[string]string{"the log": log.String(), "config show": string(shown), "config-get and all of MQTT": w.everything()}
	for where, text := range places {
		hides(t, where, text, append(tokens, lifepay.DemoAPIKey))
	}
	file, err := os.ReadFile(storeOf(s))
	if err != nil {
		t.Fatal(err)
	}
	hides(t, "the journal's file", string(file), []string{lifepay.DemoAPIKey})
	eachItsOwn(t, books.Journal, tokens)
}

// sellInTrouble has the service echo the key in its refusals, lose answers, fail
// and be called by strangers.
func sellInTrouble(t *testing.T, s *Shop, till *Till) {
	t.Helper()
	echo := "ключ " + lifepay.DemoAPIKey
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultCutAfter})
	must(t, till, fiscal.VerbSale, boiling())
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultRefuse, Text: echo, Fields: map[string][]string{"apikey": {echo}}})
	if a := begin(t, till, fiscal.VerbSale, boiling()).ends(fiscal.Rejected); !strings.Contains(string(a.Raw), "ключ") {
		t.Errorf("the service's text is lost: %s", a.Raw)
	}
	fail(t, s, lifepay.Fault{Kind: lifepay.FaultDeviceError, Text: echo})
	p := begin(t, till, fiscal.VerbSale, boiling())
	giveUpFailed(t, s, p, "")
	p.ends(fiscal.Abandoned)
	url := callbackURL(t, s, extID(s, p.id, 1))
	callBack(t, url, `{"uuid":`)
	callBack(t, strings.Replace(url, p.id, NewID(), 1), "{}")
	callBack(t, url+"/more", "{}")
}

// ownTokens are the tokens of all addresses that the service was given.
func ownTokens(t *testing.T, s *Shop) (tokens []string) {
	t.Helper()
	for _, r := range s.LifePay.Requests() {
		levels := strings.Split(callbackURL(t, s, r.ExtID), "/")
		tokens = append(tokens, levels[len(levels)-2])
	}
	if len(tokens) < 3 {
		t.Fatalf("%d tokens", len(tokens))
	}
	return tokens
}

// everything is all that was published.
func (w *watcher) everything() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, h := range w.all {
		b.WriteString(h.topic + " " + h.payload + "\n")
	}
	return b.String()
}

func hides(t *testing.T, where, text string, secrets []string) {
	t.Helper()
	if len(text) < 100 {
		t.Errorf("%s is empty", where)
	}
	for _, secret := range secrets {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s shows %q: …%s…", where, secret, text[max(i-80, 0):min(i+80, len(text))])
		}
	}
}

// eachItsOwn wants no record to have another's address.
func eachItsOwn(t *testing.T, journal []fiscal.Record, tokens []string) {
	t.Helper()
	own := 0
	for _, r := range journal {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		requests := string(text)
		if r.Baseline != nil && r.Baseline.Cloud != nil {
			requests += string(r.Baseline.Cloud.Body)
		}
		found := map[string]bool{}
		for _, token := range tokens {
			if strings.Contains(requests, token) {
				found[token] = true
			}
		}
		own += len(found)
		if len(found) > 1 || strings.Contains(requests, lifepay.DemoAPIKey) {
			t.Errorf("%s has %d addresses, or the key", r.ID, len(found))
		}
	}
	if own == 0 {
		t.Error("no record has its own address: the search finds nothing")
	}
}
