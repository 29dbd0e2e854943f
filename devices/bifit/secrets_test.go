package bifit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// record is a log that can be read while it is written.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// TestSecretsAreNotShown: a service that repeats everything it is sent, in
// every place, with every status.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	all := strings.Join([]string{connectorSecret, brokerSecret, echoToken}, " ")
	echo := `{"error":"` + all + `","message":"` + all + `","field":"` + all + `","error_description":"` + all + `"}`
	wrong := strings.NewReplacer("DONE", all).Replace(`{"status":"DONE"}`)
	failed := `{"status":"ERROR","error":{"code":"` + all + `","message":"` + all + `"}}`
	var log record
	shown := func(v ...any) { fmt.Fprintf(&log, "%+v\n", v) }
	for _, answer := range []reply{
		{status: 200, body: echo}, {status: 200, body: all}, {status: 400, body: echo}, {status: 400, body: all}, {status: 401, body: echo},
		{status: 403, body: echo}, {status: 404, body: echo}, {status: 409, body: echo}, {status: 500, body: echo, after: "5"}, {status: 502, body: "<html>" + all},
		{status: 200, body: wrong}, {status: 200, body: failed}, {status: 200, body: `{"total":"` + all + `"}`},
		{status: 200, body: `{"id":"` + all + `"}`}, {status: 200, body: `{"type":"` + all + `"}`}, {status: 200, body: failedAnswer},
		{status: 200, body: strings.Replace(doneAnswer, "9999078900012345", all, 1)}, {hang: true},
	} {
		for _, path := range []string{tokenPath, registerPath, documentPath, reloadPath} {
			script := map[string][]reply{documentPath: {{status: 200, body: failedAnswer}}}
			script[path] = []reply{answer}
			_, d := serve(t, script, func(o *Options) {
				o.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			base := prepared(t, d, sale())
			saved, err := json.Marshal(base)
			shown(string(saved), err)
			receipt, err := d.Submit(t.Context(), sale(), base)
			shown(receipt, err)
			for _, ticket := range []string{"", "254934"} {
				v, err := d.Find(t.Context(), refOf(t, d, ticket))
				shown(v.Receipt, v.Err, err)
			}
			status, err := d.Status(t.Context())
			info, errInfo := d.Info(t.Context())
			shown(d.Reload(t.Context(), refOf(t, d, "254934")), status, info, err, errInfo)
		}
	}
	text := log.String()
	if len(text) < 1000 {
		t.Fatalf("hardly anything was shown: %s", text)
	}
	for _, secret := range []string{connectorSecret, brokerSecret, "access-", "refresh-"} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s is shown: %s", secret, text[max(0, i-200):i+len(secret)])
		}
	}
}
