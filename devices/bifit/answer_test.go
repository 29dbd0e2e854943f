package bifit

import (
	"strings"
	"testing"
	"unicode/utf8"

	"kassad/devices/web"
	"kassad/fiscal"
)

func TestTextsAreBounded(t *testing.T) {
	t.Parallel()
	_, d := serve(t, map[string][]reply{
		registerPath: {{status: 400, body: strings.Repeat("ы", 10_000)}},
		documentPath: {{status: 200, body: `{"status":"` + strings.Repeat("S", 10_000) + `"}`}},
	})
	_, err := d.Submit(t.Context(), sale(), prepared(t, d, sale()))
	if n := utf8.RuneCountInString(expect(t, err, "device-refused rejected").Detail); n != textMax+1 {
		t.Errorf("a detail of %d characters", n)
	}
	v, err := d.Find(t.Context(), refOf(t, d, "254934"))
	if err != nil || len(v.Err.Vendor) > textMax+len("…") {
		t.Errorf("%v, %v", v.Err, err)
	}
	if got := bounded("a\r\n\x1b[31mb\xff\u202ec"); got != "a [31mb�c" && got != "a [31mb� c" {
		t.Errorf("%q", got)
	}
}

func TestLifeOfToken(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]int64{
		"60": 60, `"60"`: 60, "0": 3600, "-1": 3600, "null": 3600, `"x"`: 3600, "1.5": 3600, "99999999999": 86400, "9223372036854775807": 86400,
	} {
		g, err := readGrant([]byte(`{"access_token":"a","expires_in":` + given + `}`))
		if err != nil || int64(g.life.Seconds()) != want {
			t.Errorf("%s: %s, %v", given, g.life, err)
		}
	}
}

// FuzzAnswer feeds every decoder: none may panic, and none may call a document
// made without its three figures, or of another total.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"254934", `"254934"`, " 254934\n", "18446744073709551616", `{"id":1}`, doneAnswer, failedAnswer, `{"status":"DONE","fiscal":{"fnNumber":1}}`,
		`{"access_token":"a","expires_in":3600,"refresh_token":"r"}`, `{"error":"invalid_grant"}`, "<html>", "null", "[]", `{"fiscal":null,"total":1e9}`,
	} {
		f.Add([]byte(seed))
	}
	d, err := New(options())
	if err != nil {
		f.Fatal(err)
	}
	base, err := d.Prepare(f.Context(), sale())
	if err != nil {
		f.Fatal(err)
	}
	ref := fiscal.Ref{Document: sale(), Baseline: base, Ticket: "254934"}
	f.Fuzz(func(t *testing.T, body []byte) {
		if id, err := readID(body, []string{"id"}); err == nil && id == 0 {
			t.Error("an id of 0")
		}
		if g, err := readGrant(body); err == nil && (g.access == "" || !visible(g.access) || g.life <= 0 || g.life > lifeMax) {
			t.Errorf("%+v", g)
		}
		a := web.Answer{Status: 400, Body: body}
		for _, text := range []string{d.said(a), errorName(body)} {
			if !utf8.ValidString(text) || utf8.RuneCountInString(text) > textMax+1 || strings.ContainsAny(text, "\r\n\x00") {
				t.Errorf("%q", text)
			}
		}
		_ = d.refused(a).Error()
		_ = tokenRefused(a).Error()
		s, err := readState(body, d.words)
		if err != nil {
			return
		}
		v := d.judge(ref, s)
		if v.Finding == fiscal.Made && (v.Receipt.Storage == "" || v.Receipt.FD == 0 || s.fp == "") {
			t.Errorf("made without fiscal data: %+v", v.Receipt)
		}
		if total, err := money(s.total); d.alien(ref, s) == nil && s.total != "" && (err != nil || total != sale().Total) {
			t.Errorf("taken for ours: %+v", s)
		}
	})
}
