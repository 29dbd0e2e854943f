package lifepay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kassad/devices/lifepay"
	"kassad/fiscal"
)

// TestNoSecretIsShown: the service echoes the credentials wherever it can, and
// neither they nor our own texts reach an error, a log or a baseline.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	echo := fmt.Sprintf(`"key %s of %s"`, testKey, testLogin)
	var shown bytes.Buffer
	log := slog.New(slog.NewTextHandler(&shown, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, answer := range []string{
		accepted(), testKey + testLogin, `{"code":500,"message":` + echo + `}`, `{"code":6010,"message":` + echo + `}`,
		`{"code":400,"message":` + echo + `,"data":{"` + testKey + `":[` + echo + `],"login":` + echo + `}}`,
	} {
		_, base := serve(t, http.StatusOK, answer)
		o := lifepay.Options{BaseURL: base, Login: testLogin, APIKey: testKey, Logger: log, TargetSerial: "1"}
		d := driver(t, o)
		doc := resolve(t, sale(fruits(t)...))
		b := prepare(t, d, doc)
		stored, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		r, submitted := d.Submit(t.Context(), doc, b)
		v, found := d.Find(t.Context(), fiscal.Ref{Document: doc, Baseline: b})
		log.Debug("all", "options", o, "driver", d, "receipt", r, "verdict", v)
		fmt.Fprintf(&shown, "%s %s %+v %+v %#v %v %v %v\n%s %s", stored, b.Cloud.Body, d, o, o, submitted, found, d.PrintXReport(t.Context()), d, o)
		fmt.Fprintf(&shown, "%#v %+v", d, fiscal.AsError(submitted, ""))
	}
	d := driver(t, lifepay.Options{})
	v, err := d.ReadCallback("", []byte(`{"uuid":"1","status":"error","error_code":`+echo+`,"error_message":`+echo+`}`))
	fmt.Fprintf(&shown, "%+v %+v %v", v, v.Err, err)
	_, err = d.ReadCallback("", []byte(testKey))
	fmt.Fprintf(&shown, "%v", err)
	s := httptest.NewServer(nil)
	s.Close()
	doc := resolve(t, sale(fruits(t)...))
	away := driver(t, lifepay.Options{BaseURL: s.URL, Logger: log})
	_, err = away.Submit(t.Context(), doc, prepare(t, away, doc))
	fmt.Fprintf(&shown, "%v", err)
	for _, secret := range []string{testKey, testLogin} {
		if i := strings.Index(shown.String(), secret); i >= 0 {
			t.Errorf("…%s… shows a credential", shown.String()[max(0, i-80):i+len(secret)])
		}
	}
	if !strings.Contains(shown.String(), "key … of …") || !strings.Contains(shown.String(), "document taken") {
		t.Errorf("the test has seen nothing: %s", shown.String())
	}
}
