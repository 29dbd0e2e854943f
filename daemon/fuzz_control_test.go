package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// noDevice is a register that never answers.
type noDevice struct{}

var errNoDevice = fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodePrinterAway, nil)

func (noDevice) Prepare(context.Context, fiscal.Document) (fiscal.Baseline, error) {
	return fiscal.Baseline{}, errNoDevice
}

func (noDevice) Submit(context.Context, fiscal.Document, fiscal.Baseline) (fiscal.Receipt, error) {
	return fiscal.Receipt{}, errNoDevice
}

func (noDevice) Find(context.Context, fiscal.Ref) (fiscal.Verdict, error) {
	return fiscal.Verdict{}, errNoDevice
}
func (noDevice) Status(context.Context) (fiscal.Status, error) { return fiscal.Status{}, errNoDevice }
func (noDevice) Close() error                                  { return nil }

// controlled is a daemon with a held sale, which nothing runs.
type controlled struct {
	d    *Daemon
	held fiscal.Record
	made int
}

func newControlled(t testing.TB) *controlled {
	t.Helper()
	cfg := DefaultConfig()
	cfg.DataDir, cfg.Broker.Listen = t.TempDir(), "127.0.0.1:0"
	cfg.Devices = []DeviceConfig{DeviceConfig{Name: "front", Kind: "shtrih-m", Address: "tcp://127.0.0.1:1"}.WithDefaults()}
	d, err := New(cfg, Options{
		Open: func(DeviceConfig) (fiscal.Backend, error) { return noDevice{}, nil }, Log: slog.New(slog.DiscardHandler), Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	d.links = nil // Run would open them
	c := &controlled{d: d}
	c.hold(t)
	return c
}

// hold puts another held sale into the journal.
func (c *controlled) hold(t testing.TB) {
	t.Helper()
	c.made++
	now := time.Unix(1_800_000_000, 0)
	r := fiscal.Record{
		ID: fmt.Sprintf("held-%d", c.made), Verb: fiscal.VerbSale, State: fiscal.Accepted, Device: "front", Terminal: "till1", AcceptedAt: now, Hash: "h",
		Document: fiscal.Document{Verb: fiscal.VerbSale, Kind: fiscal.Sale, At: now, Total: 100},
	}
	r.Document.ID = r.ID
	var held fiscal.Record
	err := c.d.spool.Update(func(tx *spool.Tx) error { // may run more than once
		var err error
		if held, _, err = tx.Accept(r); err != nil {
			return err
		}
		held.State, held.Error = fiscal.Held, fiscal.Refuse(fiscal.CodeLate, "at", "")
		return tx.Put(held)
	})
	if err != nil {
		t.Fatal(err)
	}
	c.held = held
}

func (c *controlled) now(t testing.TB) fiscal.Record {
	t.Helper()
	r, found, err := c.d.journal.byID(c.held.ID)
	if err != nil || !found {
		t.Fatalf("%s is gone: %v", c.held.ID, err)
	}
	return r
}

// FuzzControl gives any request to the control socket. It is answered by a
// result or by a refusal with a code and both sentences, never both; a refusal
// and a question change nothing; a decision needs a name and one of the four
// actions.
func FuzzControl(f *testing.F) {
	for _, seed := range [][2]string{
		{"resolve", `{"by":"ivanov","body":{"id":"HELD","action":"give-up","note":"x"}}`},
		{"resolve", `{"by":"ivanov","body":{"id":"HELD","action":"retry"}}`},
		{"resolve", `{"by":"ivanov","body":{"id":"HELD","action":"done-elsewhere","fd":12}}`},
		{"resolve", `{"by":"ivanov","body":{"id":"HELD","action":"as-correction","fd":0}}`},
		{"resolve", `{"by":"","body":{"id":"HELD","action":"retry"}}`},
		{"resolve", `{"by":"ivanov","body":{"node":"keep"}}`},
		{"spool", `{"by":"a","body":{"action":"ls","state":"held","limit":-1}}`},
		{"spool", `{"by":"a","body":{"action":"show","id":"HELD"}}`},
		{"spool", `{"by":"a","body":{"action":"check"}}`},
		{"logs", `{"by":"a","body":{"lines":9223372036854775807}}`},
		{"set-time", `{"by":"a","body":{"device":"front"}}`},
		{"bifit-reload", `{"by":"a","body":{"id":"HELD"}}`},
		{"config-get", `{"by":"a"}`}, {"status", `{"by":"a","body":null}`}, {"nothing", `{"by":"a","body":[1]}`}, {"logs", `{`}, {"status", `[]`},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	c := newControlled(f)
	f.Fuzz(func(t *testing.T, op string, request []byte) {
		switch op {
		case "backup", "doctor", "detect", opReconcile: // these look at the computer and the devices, or wait for them
			return
		}
		before := c.now(t)
		text := bytes.ReplaceAll(request, []byte("HELD"), []byte(c.held.ID))
		r := httptest.NewRequest(http.MethodPost, "/op", bytes.NewReader(text))
		r.SetPathValue("op", op)
		w := httptest.NewRecorder()
		c.d.control(w, r)
		after := c.now(t)
		if w.Code == http.StatusBadRequest {
			if !reflect.DeepEqual(before, after) {
				t.Errorf("not understood, and done: %+v", after)
			}
			return
		}
		var reply controlReply
		if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil || w.Code != http.StatusOK || (reply.Error == nil) == (reply.Result == nil) {
			t.Fatalf("%s %s: HTTP %d %s", op, text, w.Code, w.Body)
		}
		if reply.Error != nil {
			if info := reply.Error.Code.Info(); info.Russian == "" || info.English == "" {
				t.Errorf("%s: %v", op, reply.Error)
			}
		}
		if (reply.Error != nil || op != "resolve") && !reflect.DeepEqual(before, after) {
			t.Errorf("%s %s changes %+v to %+v", op, text, before, after)
		}
		if after.State != fiscal.Held {
			if res := after.Resolved; op != "resolve" || res == nil || strings.TrimSpace(res.By) == "" || res.Action == "" {
				t.Errorf("%s %s ends it: %+v", op, text, after)
			}
			c.hold(t)
		}
	})
}

// FuzzEdge: an end of a period is refused, or a moment near the day that was written.
func FuzzEdge(f *testing.F) {
	for _, s := range []string{"", "2026-11-22", "2026-11-22T10:00:00+03:00", "0000-01-01", "9999-12-31", "2026-02-30", "22.11.2026"} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, s string, days int) {
		at, err := parseEdge("until", s, days&1)
		if err != nil {
			if e := fiscal.AsError(err, ""); e.Code != fiscal.CodeBadValue || e.Field != "until" || len(e.Detail) > 400 || !at.IsZero() {
				t.Errorf("%q: %v, %v", s, at, err)
			}
			return
		}
		if s == "" {
			if !at.IsZero() {
				t.Errorf("nothing is %v", at)
			}
			return
		}
		day, bad := time.Parse(time.DateOnly, s[:min(len(s), len(time.DateOnly))])
		if far := at.Sub(day).Abs(); bad != nil || far > 3*24*time.Hour {
			t.Errorf("%q is %v", s, at)
		}
	})
}

// FuzzNodeState: what others publish as our state never stops us by being
// broken: only an instance that says it is online does.
func FuzzNodeState(f *testing.F) {
	for _, s := range []string{`{"v":1,"state":"online","instance":"other"}`, `{"state":"offline","instance":"other"}`, `{"state":1}`, `null`, `{"state":"online"}`, ``} {
		f.Add([]byte(s))
	}
	c := newControlled(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		c.d.rivals = newRivals(c.d.id.Instance, newAlertBook(func(Alert, bool) {}))
		c.d.observeNode(&station{name: "office"}, payload)
		var state struct {
			State    string `json:"state"`
			Instance string `json:"instance"`
		}
		rival := json.Unmarshal(payload, &state) == nil && state.State == "online" && state.Instance != "" && state.Instance != c.d.id.Instance
		if _, paused := c.d.rivals.paused(); paused != rival {
			t.Errorf("%q: paused %t", payload, !rival)
		}
	})
}
