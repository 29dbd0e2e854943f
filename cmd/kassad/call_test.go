package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 4, 28, 0, time.FixedZone("", 3*3600))
	for _, tt := range []struct {
		name, text, id, device string
		want                   string // "" for a refusal
	}{
		{"a body", `{"amount": 10}`, "a", "", `{"at":"2026-11-22T12:04:28+03:00","body":{"amount":10},"id":"a","v":1}`},
		{"an empty body", `{}`, "a", "", `{"at":"2026-11-22T12:04:28+03:00","body":{},"id":"a","v":1}`},
		{"a body with an id of its own", `{"id":"x"}`, "a", "", `{"at":"2026-11-22T12:04:28+03:00","body":{"id":"x"},"id":"a","v":1}`},
		{"an envelope", `{"v":1,"id":"x","at":"2026-11-20T00:00:00Z"}`, "", "", `{"at":"2026-11-20T00:00:00Z","id":"x","v":1}`},
		{"an envelope without its version", `{"body":{},"id":"x"}`, "", "", `{"at":"2026-11-22T12:04:28+03:00","body":{},"id":"x","v":1}`},
		{"flags win", `{"v":1,"id":"x","device":"back"}`, "y", "front", `{"at":"2026-11-22T12:04:28+03:00","device":"front","id":"y","v":1}`},
		{"another version stays", `{"v":2,"id":"x"}`, "", "", `{"at":"2026-11-22T12:04:28+03:00","id":"x","v":2}`},
		{"no JSON", `{"amount"`, "", "", ""},
		{"a list", `[]`, "", "", ""},
		{"more than one", `{} {}`, "", "", ""},
		{"a bad id", `{}`, "ы", "", ""},
		{"an id that is a number", `{"v":1,"id":7}`, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := complete([]byte(tt.text), tt.id, tt.device, now)
			var refused *fiscal.Error
			if tt.want == "" && !errors.As(err, &refused) {
				t.Fatalf("%s, %v: want a refusal", got.payload, err)
			}
			if string(got.payload) != tt.want {
				t.Errorf("got  %s\nwant %s", got.payload, tt.want)
			}
		})
	}
}

// TestCompleteMakesIDs: two calls are two commands.
func TestCompleteMakesIDs(t *testing.T) {
	t.Parallel()
	a, err := complete([]byte(`{}`), "", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b, err := complete([]byte(`{}`), "", "", time.Now())
	if err != nil || a.id == b.id || !mqtt.ValidID(a.id) || !strings.Contains(string(a.payload), a.id) {
		t.Errorf("ids %q and %q, %v", a.id, b.id, err)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ answer, want string }{
		{`{"state":"accepted"}`, "accepted"},
		{`{"state":"accepted","waiting":{"code":"paper-out","vendor":"0x6B","text":"Нет бумаги."}}`, "accepted: waiting for paper-out 0x6B: Нет бумаги."},
		{`{"state":"done","dup":true,"fiscal":{"kind":"sale","fd":7,"fp":"12","shift":3,"total":99.00,"change":0.00}}`, "done (answered before): shift 3, FD 7, FP 12, total 99.00"},
		{`{"state":"done","fiscal":{"kind":"cash-in","shift":3,"total":10.00}}`, "done: shift 3, total 10.00"},
		{`{"state":"done","printed":"unknown"}`, "done, paper unknown"},
		{`{"state":"rejected","error":{"code":"bad-value","field":"body.items[0].price","detail":"3 decimals"}}`, "rejected: bad-value body.items[0].price 3 decimals"},
		{`{`, "unreadable answer: unexpected end of JSON input"},
	} {
		if got := describe([]byte(tt.answer)); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.answer, got, tt.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{
		`{"state":"done"}`:      exitOK,
		`{"state":"rejected"}`:  exitRefused,
		`{"state":"cancelled"}`: exitRefused,
		`{"state":"abandoned"}`: exitRefused,
		`{"state":"expired","error":{"code":"expired","action":"send it anew"}}`: exitRefused,
		`{"state":"held","id":"a"}`: exitFailed,
		`?`:                         exitFailed,
	} {
		var said strings.Builder
		if got := report(&said, verdict([]byte(answer))); got != want {
			t.Errorf("%s: status %d, want %d", answer, got, want)
		}
		if want == exitRefused && !strings.Contains(said.String(), "\ntry: ") {
			t.Errorf("%s: no hint in %q", answer, said.String())
		}
	}
}

func TestBrokerOf(t *testing.T) {
	t.Parallel()
	office := daemon.LinkConfig{URL: "ssl://office:8883", Role: daemon.RoleOffice, CAFile: "office.pem"}
	shop := daemon.LinkConfig{URL: "ssl://shop:8883", Role: daemon.RoleShop, CAFile: "shop.pem"}
	for _, tt := range []struct {
		name     string
		cfg      daemon.Config
		ca       string
		url, out string
	}{
		{"loopback", daemon.Config{Broker: daemon.BrokerConfig{Enabled: true, Listen: "127.0.0.1:1883"}}, "", "tcp://127.0.0.1:1883", ""},
		{"a port alone", daemon.Config{Broker: daemon.BrokerConfig{Enabled: true, Listen: ":1883"}}, "", "tcp://127.0.0.1:1883", ""},
		{"every address", daemon.Config{Broker: daemon.BrokerConfig{Enabled: true, Listen: "0.0.0.0:8883", CertFile: "c"}}, "ca.pem", "ssl://127.0.0.1:8883", "ca.pem"},
		{"six", daemon.Config{Broker: daemon.BrokerConfig{Enabled: true, Listen: "[::1]:1883"}}, "", "tcp://[::1]:1883", ""},
		{"the shop's", daemon.Config{MQTT: []daemon.LinkConfig{office, shop}}, "", "ssl://shop:8883", "shop.pem"},
		{"the shop's, own certificate", daemon.Config{MQTT: []daemon.LinkConfig{shop}}, "mine.pem", "ssl://shop:8883", "mine.pem"},
		{"none for terminals", daemon.Config{MQTT: []daemon.LinkConfig{office}}, "", "", ""},
	} {
		if url, ca := brokerOf(tt.cfg, tt.ca); url != tt.url || ca != tt.out {
			t.Errorf("%s: %q %q, want %q %q", tt.name, url, ca, tt.url, tt.out)
		}
	}
}

func TestLongFlags(t *testing.T) {
	t.Parallel()
	given := []string{"status", "-json", "--", "-json"}
	want := []string{"status", "--json", "--", "-json"}
	if got := longFlags(given); !slices.Equal(got, want) || given[1] != "-json" {
		t.Errorf("got %q from %q", got, given)
	}
}

// TestHints: every way in which a daemon may fail to start says what to try.
func TestHints(t *testing.T) {
	t.Parallel()
	cfg := daemon.Config{DataDir: "/data", Broker: daemon.BrokerConfig{Listen: "127.0.0.1:1883"}}
	for err, word := range map[error]string{
		spool.ErrLocked:    "/data",
		spool.ErrNewer:     "newer",
		spool.ErrStore:     "disk",
		fs.ErrPermission:   "KASSAD_DATA_DIR",
		syscall.EADDRINUSE: "broker.listen",
	} {
		var said strings.Builder
		status := report(&said, startHint(cfg, fmt.Errorf("start: %w", err)))
		if status != exitFailed || !strings.Contains(said.String(), "\ntry: ") || !strings.Contains(said.String(), word) {
			t.Errorf("%v: status %d, %q", err, status, said.String())
		}
	}
	if startHint(cfg, nil) != nil {
		t.Error("a hint for nothing")
	}
}

func TestDialHints(t *testing.T) {
	t.Parallel()
	known := mqtt.TerminalConfig{URL: "tcp://127.0.0.1:1883"}
	for _, tt := range []struct {
		cfg  mqtt.TerminalConfig
		err  error
		word string
	}{
		{mqtt.TerminalConfig{}, errors.New("no servers"), "--url"},
		{known, errors.New("not Authorized"), "--password-file"},
		{known, errors.New("network Error : tls: failed to verify certificate"), "--ca-file"},
		{known, &net.OpError{Op: "dial", Err: errors.New("refused")}, "kassad status"},
		{known, errors.New("something else"), "kassad doctor"},
	} {
		if hint := dialHint(tt.cfg, tt.err); !strings.Contains(hint, tt.word) {
			t.Errorf("%v: %q", tt.err, hint)
		}
	}
}

// FuzzComplete: whatever a file holds, what is sent is one JSON object with a
// good id, or nothing.
func FuzzComplete(f *testing.F) {
	f.Add([]byte(`{"amount": 10}`))
	f.Add([]byte(`{"v":1,"id":"x","body":{}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := complete(text, "", "", time.Unix(0, 0))
		if err != nil {
			return
		}
		var envelope map[string]json.RawMessage
		if json.Unmarshal(r.payload, &envelope) != nil || !mqtt.ValidID(r.id) {
			t.Errorf("%q became %q with id %q", text, r.payload, r.id)
		}
	})
}
