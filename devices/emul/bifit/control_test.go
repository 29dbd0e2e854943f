package bifit_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"kassad/devices/emul/bifit"
)

// TestControl: the remote control does what the functions do.
func TestControl(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	api, control := h.handler, h.s.Control()
	do := func(method, path string, status int) said {
		t.Helper()
		h.handler = control
		defer func() { h.handler = api }()
		a := h.call(method, bifit.ControlPath+path, "")
		if a.status != status || !json.Valid([]byte(a.body)) {
			t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
		}
		return a
	}
	do("POST", "fault?do=respond&status=503&on=register", http.StatusOK)
	h.want(h.register("a", coffee), http.StatusServiceUnavailable)
	do("POST", "register?serial="+serialOne+"&state=fault", http.StatusOK)
	id := h.sell("a")
	do("POST", "advance?by=1m", http.StatusOK)
	h.wantError(id, "KKT_FAULT")
	if a := do("GET", "registers", http.StatusOK); !strings.Contains(a.body, serialOne) {
		t.Errorf("registers %s", a.body)
	}
	do("POST", "register?serial="+serialOne+"&state=ok", http.StatusOK)
	if a := do("POST", "replace-fn?serial="+serialOne, http.StatusOK); field[string](t, a, "fn") != "9999078900100002" {
		t.Errorf("storage %s", a.body)
	}
	do("POST", "clock?serial="+serialOne+"&by=1h", http.StatusOK)
	do("POST", "licence?serial="+serialOne+"&end=2026-03-02T08:00:00Z", http.StatusOK)
	do("POST", "repair?id=254934", http.StatusOK)
	h.want(h.reload("[254934]"), http.StatusOK)
	do("POST", "finish?id=254934", http.StatusOK)
	h.wantError(id, "LICENSE_EXPIRED")
	for _, book := range []string{"documents", "requests", "ledger", "tokens"} {
		if a := do("GET", book, http.StatusOK); len(a.body) < 10 {
			t.Errorf("%s: %s", book, a.body)
		}
	}
	do("POST", "fault?do=respond&times=-1", http.StatusOK)
	do("POST", "clear-faults", http.StatusOK)
	do("POST", "release", http.StatusOK)
	do("POST", "expire-tokens", http.StatusOK)
	h.want(h.document(id), http.StatusUnauthorized)
	do("POST", "reset", http.StatusOK)
	if n := len(h.s.Documents()); n != 0 {
		t.Errorf("%d documents after a reset", n)
	}
	for path, status := range map[string]int{
		"fault?do=x": 400, "fault?do=cut&on=x": 400, "fault?do=slow&by=x": 400, "fault?do=respond&status=99": 400, "fault?do=cut&times=x": 400,
		"fault?do=fail-document&cause=x": 400, "advance": 400, "register?serial=" + serialOne + "&state=x": 400, "clock?by=x": 400,
		"register?serial=x&state=ok": 404, "clock?serial=x&by=1h": 404, "licence?serial=x": 400, "replace-fn?serial=x": 404,
		"finish?id=1": 404, "repair?id=1": 404, "finish?id=x": 400,
	} {
		do("POST", path, status)
	}
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bifit.Fault{
		"do=cut&early":            {Do: bifit.Cut{Early: true}},
		"do=cut&early=0":          {Do: bifit.Cut{}},
		"do=unauthorized&times=3": {Times: 3, Do: bifit.Unauthorized{}},
		"do=refuse-grant":         {Do: bifit.RefuseGrant{}},
		"do=respond&retry-after=5s&html&after&on=token,reload": {On: bifit.OnToken | bifit.OnReload, Do: bifit.Respond{Status: 500, RetryAfter: 5 * time.Second, HTML: true, After: true}},
		"do=slow&by=1m&on=protected":                           {On: bifit.OnProtected, Do: bifit.Slow{By: time.Minute}},
		"do=truncate&bytes=4&clean":                            {Do: bifit.Truncate{Bytes: 4, Clean: true}},
		"do=quote&key=a&skip=1":                                {Key: "a", Skip: 1, Do: bifit.Quote{}},
		"do=newline&per-mille=5":                               {PerMille: 5, Do: bifit.Newline{}},
		"do=stick":                                             {Do: bifit.Stick{}},
		"do=backwards&count=2":                                 {Do: bifit.Backwards{Times: 2}},
		"do=wrong-status&token=X":                              {Do: bifit.WrongStatus{Token: "X"}},
		"do=late-attributes&count=3":                           {Do: bifit.LateAttributes{Queries: 3}},
		"do=not-found&count=-1":                                {Do: bifit.NotFound{Queries: -1}},
		"do=fail-document&cause=LICENSE_EXPIRED":               {Do: bifit.FailDocument{Cause: bifit.CauseLicence}},
		"do=fail-after-made&detects":                           {Do: bifit.FailAfterMade{Detects: true}},
		"do=move-clock&by=-3h":                                 {Do: bifit.MoveClock{By: -3 * time.Hour}},
		"do=swap-fn":                                           {Do: bifit.SwapFN{}},
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bifit.ParseFault(q); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", query, got, err, want)
		}
	}
}
