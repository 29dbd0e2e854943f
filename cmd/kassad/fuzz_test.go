package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"kassad/daemon"
	"kassad/fiscal"
)

// FuzzVerdict: whatever answers a terminal, kassad call ends well only for a
// command that is done, and says something in one line.
func FuzzVerdict(f *testing.F) {
	for _, text := range []string{
		`{"v":1,"id":"a","n":3,"state":"done","final":true,"verb":"sale","fiscal":{"fd":1042,"fp":"3849583049","shift":17,"receipt":5,"total":99.00,"change":401.00}}`,
		`{"id":"a","state":"rejected","error":{"code":"bad-value","field":"items[0].price","text":"x","action":"y"}}`,
		`{"id":"a","state":"held","error":{"code":"needs-person"}}`, `{"state":"accepted","waiting":{"code":"paper-out"}}`, `{"state":"DONE"}`, `{"fiscal":{"total":1e9}}`, `[]`, `null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		err := verdict(payload)
		var a struct {
			State fiscal.State `json:"state"`
		}
		decoded := json.Unmarshal(payload, &a)
		if err == nil && (decoded != nil || a.State != fiscal.Done) {
			t.Errorf("%q ends well", payload)
		}
		var h hinted
		if errors.As(err, &h) && h.status == 0 && a.State != fiscal.Held {
			t.Errorf("%q ends with %v", payload, err)
		}
		if json.Valid(payload) && describe(payload) == "" && a.State != "" {
			t.Errorf("%q says nothing", payload)
		}
	})
}

// FuzzTables: what the daemon answers prints as a table with as many lines as
// it has rows, whatever texts stand in it.
func FuzzTables(f *testing.F) {
	for _, text := range []string{
		`{"version":"1","root":"kassad/v1/local/shop/main","devices":{"front":{"link":true,"shift":{"open":true,"number":17}}}}`,
		`{"devices":{"a\nb":{"conditions":["paper-out"]},"":{}}}`, `{}`, `[]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var o daemon.Overview
		if json.Unmarshal(raw, &o) != nil {
			return
		}
		var out bytes.Buffer
		if err := printOverview(&out, o); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(out.String(), "\n"); lines < len(o.Devices)+3 {
			t.Errorf("%d devices in %d lines:\n%s", len(o.Devices), lines, &out)
		}
		if strings.ContainsRune(out.String(), '\x1b') {
			t.Errorf("a terminal's escape gets through: %q", out.String())
		}
	})
}
