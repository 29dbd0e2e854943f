package bifit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/emul/bifit"
)

// TestAnswers: faults that answer in the place of the service, or change what
// it says.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		do     bifit.Action
		status int
		header string
		value  string
		body   string // "" for any
		acted  bool
	}{
		{"401", bifit.Unauthorized{}, 401, "WWW-Authenticate", "Bearer", "", false},
		{"500", bifit.Respond{}, 500, "Content-Type", "application/json", "", false},
		{"502 after", bifit.Respond{Status: 502, After: true}, 502, "Retry-After", "", "", true},
		{"502 HTML", bifit.Respond{Status: 502, HTML: true}, 502, "Content-Type", "text/html; charset=utf-8", "", false},
		{"503", bifit.Respond{Status: 503, RetryAfter: 1500 * time.Millisecond}, 503, "Retry-After", "2", "", false},
		{"429", bifit.Respond{Status: 429, RetryAfter: 3 * time.Second, After: true}, 429, "Retry-After", "3", "", true},
		{"429 plain", bifit.Respond{Status: 429}, 429, "Retry-After", "", "", false},
		{"quoted", bifit.Quote{}, 200, "Content-Type", "application/json", `"254934"`, true},
		{"newline", bifit.Newline{}, 200, "Content-Length", "7", "254934\n", true},
		{"clean cut", bifit.Truncate{Clean: true}, 200, "Content-Length", "0", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{})
			h.s.Fail(bifit.Fault{On: bifit.OnRegister, Times: 2, Do: c.do})
			for range 2 {
				a := h.register("a", coffee)
				if a.status != c.status || a.header.Get(c.header) != c.value || c.body != "" && a.body != c.body {
					t.Errorf("answer %d %v %q", a.status, a.header, a.body)
				}
				if got := len(h.s.Documents()) == 1; got != c.acted {
					t.Errorf("document made: %v, want %v", got, c.acted)
				}
			}
			if id := h.sell("a"); id != bifit.FirstIDDefault || len(h.s.Documents()) != 1 {
				t.Errorf("after the fault: id %d, %d documents", id, len(h.s.Documents()))
			}
		})
	}
}

func TestTruncatedObject(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	id := h.sell("a")
	h.s.Fail(bifit.Fault{On: bifit.OnDocument, Do: bifit.Truncate{Clean: true}})
	h.s.Fail(bifit.Fault{On: bifit.OnToken, Do: bifit.Truncate{Clean: true, Bytes: 20}})
	if a := h.document(id); json.Valid([]byte(a.body)) || a.body == "" {
		t.Errorf("document %q", a.body)
	}
	if a := h.form(); len(a.body) != 20 || a.status != http.StatusOK {
		t.Errorf("token %q", a.body)
	}
	h.wantStatus(id, "NEW")
}

func TestUnauthorizedAlways(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.s.Fail(bifit.Fault{On: bifit.OnProtected, Times: -1, Do: bifit.Unauthorized{}})
	for range 3 {
		h.want(h.register("a", coffee), http.StatusUnauthorized)
		h.want(h.document(1), http.StatusUnauthorized)
		h.want(h.reload("[1]"), http.StatusUnauthorized)
		h.want(h.form(), http.StatusOK)
	}
	h.s.ClearFaults()
	h.sell("a")
}

func TestRefreshRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	refresh := field[string](t, h.form(), "refresh_token")
	h.s.Fail(bifit.Fault{On: bifit.OnRefresh, Do: bifit.RefuseGrant{}})
	h.want(h.form(), http.StatusOK)
	a := h.form("grant_type", "refresh_token", "refresh_token", refresh)
	if h.want(a, http.StatusBadRequest); field[string](t, a, "error") != "invalid_grant" {
		t.Errorf("refused with %s", a.body)
	}
	h.want(h.form("grant_type", "refresh_token", "refresh_token", refresh), http.StatusOK)
}

// TestChoice: Skip, Times, Key and PerMille choose requests.
func TestChoice(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Seed: 3})
	h.s.Fail(bifit.Fault{On: bifit.OnRegister, Key: "b", Skip: 1, Times: 2, Do: bifit.Respond{}})
	var got []int
	for _, key := range []string{"a", "b", "a", "b", "a", "b", "b"} {
		got = append(got, h.register(key, coffee).status)
	}
	if want := "[200 200 200 500 200 500 200]"; fmt.Sprint(got) != want {
		t.Errorf("statuses %v, want %s", got, want)
	}
	id := h.sell("b")
	h.s.Fail(bifit.Fault{On: bifit.OnDocument, Key: "b", Do: bifit.Respond{}})
	h.want(h.document(bifit.FirstIDDefault), http.StatusOK)
	h.want(h.document(id), http.StatusInternalServerError)
	chance := func() (hits string) {
		c := newHost(t, bifit.Config{Seed: 3})
		c.s.Fail(bifit.Fault{PerMille: 300, Do: bifit.Respond{}})
		for range 100 {
			hits += fmt.Sprint(c.document(1).status / 100)
		}
		return hits
	}
	first := chance()
	if n := strings.Count(first, "5"); n < 15 || n > 45 || first != chance() {
		t.Errorf("%d of 100 hits at 300 per mille: %s, then %s", n, first, chance())
	}
}

// TestLives: faults that follow one document.
func TestLives(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Delays: bifit.Delays{New: -1, Queued: -1, Registering: -1}})
	asks := func(key string, do bifit.Action, n int) (got []string) {
		h.s.Fail(bifit.Fault{Key: key, Do: do})
		id := h.sell(key)
		for range n {
			a := h.document(id)
			switch {
			case a.status != http.StatusOK:
				got = append(got, fmt.Sprint(a.status))
			case lookup(t, a, "fiscal") != nil:
				got = append(got, field[string](t, a, "status")+"+")
			default:
				got = append(got, field[string](t, a, "status"))
			}
			h.s.Advance(time.Second)
		}
		return got
	}
	for _, c := range []struct {
		do   bifit.Action
		want string
	}{
		{bifit.NotFound{Queries: 2}, "[404 404 DONE+]"},
		{bifit.WrongStatus{}, "[SUSPENDED DONE+ DONE+]"},
		{bifit.WrongStatus{Token: "PAUSED", Queries: -1}, "[PAUSED PAUSED PAUSED]"},
		{bifit.LateAttributes{Queries: 2}, "[DONE DONE DONE+]"},
		{bifit.Backwards{}, "[QUEUED DONE+ DONE+]"},
		{bifit.Backwards{Times: 2}, "[QUEUED QUEUED DONE+]"},
		{bifit.Stick{}, "[QUEUED QUEUED QUEUED]"},
		{bifit.FailDocument{Cause: bifit.CauseLicence}, "[ERROR ERROR ERROR]"},
		{bifit.FailAfterMade{}, "[ERROR ERROR ERROR]"},
		{bifit.SwapFN{}, "[DONE+ DONE+ DONE+]"},
	} {
		key := strings.NewReplacer(".", "_", "{", "-", "}", "", ":", "_", " ", "_").Replace(fmt.Sprintf("%T-%v", c.do, c.do))
		if got := fmt.Sprint(asks(key, c.do, 3)); got != c.want {
			t.Errorf("%T%+v: %s, want %s", c.do, c.do, got, c.want)
		}
	}
}

// TestBackwards: REGISTERING, then QUEUED again, as a poller sees it.
func TestBackwards(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.s.Fail(bifit.Fault{Do: bifit.Backwards{}})
	id := h.sell("a")
	h.s.Advance(1500 * time.Millisecond)
	h.wantStatus(id, "REGISTERING")
	h.s.Advance(500 * time.Millisecond)
	h.wantStatus(id, "QUEUED")
	h.s.Advance(time.Minute)
	h.wantStatus(id, "DONE")
	if n := h.receipts(); n != 1 {
		t.Errorf("%d receipts", n)
	}
}

// TestStick: the document stays in the queue, others pass it by, and Repair or
// Finish let it go.
func TestStick(t *testing.T) {
	t.Parallel()
	for name, free := range map[string]func(*bifit.Service, uint64) error{"repair": (*bifit.Service).Repair, "finish": (*bifit.Service).Finish} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{AccessLife: 1e6 * time.Hour})
			h.s.Fail(bifit.Fault{Do: bifit.Stick{}})
			stuck, next := h.sell("a"), h.sell("b")
			h.s.Advance(48 * time.Hour)
			h.wantStatus(stuck, "QUEUED")
			h.wantStatus(next, "DONE")
			if err := free(h.s, stuck); err != nil {
				t.Fatal(err)
			}
			h.s.Advance(time.Minute)
			h.wantStatus(stuck, "DONE")
		})
	}
}

// TestErrorReload: error, reload, error again, and the ways out of it.
func TestErrorReload(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.s.Fail(bifit.Fault{Key: "twice", Do: bifit.FailDocument{Cause: bifit.CauseFault, Times: 2}})
	h.s.Fail(bifit.Fault{Key: "always", Do: bifit.FailDocument{Cause: bifit.CauseData, Times: -1}})
	twice, always := h.sell("twice"), h.sell("always")
	both := fmt.Sprintf("[%d,%d]", twice, always)
	for range 2 {
		h.s.Advance(time.Minute)
		h.wantError(twice, "KKT_FAULT")
		h.wantError(always, "INVALID_DATA")
		h.want(h.reload(both), http.StatusOK)
	}
	h.s.Advance(time.Minute)
	h.wantStatus(twice, "DONE")
	h.wantError(always, "INVALID_DATA")
	if err := h.s.Repair(always); err != nil {
		t.Fatal(err)
	}
	h.want(h.reload(both), http.StatusOK)
	h.s.Advance(time.Minute)
	h.wantStatus(always, "DONE")
	if n := h.receipts(); n != 2 {
		t.Errorf("%d receipts, want 2", n)
	}
}

// TestFailAfterMade: the error that hides a fiscal document (section 10,
// "Related risk"). A reload sells twice unless the service finds out.
func TestFailAfterMade(t *testing.T) {
	t.Parallel()
	for detects, want := range map[bool]int{false: 2, true: 1} {
		t.Run(fmt.Sprint("detects ", detects), func(t *testing.T) {
			t.Parallel()
			h := newHost(t, bifit.Config{})
			h.s.Fail(bifit.Fault{Do: bifit.FailAfterMade{Detects: detects}})
			id := h.sell("a")
			h.s.Advance(time.Minute)
			h.wantError(id, "KKT_FAULT")
			d := h.s.Documents()[0]
			if h.receipts() != 1 || len(d.Made) != 1 || d.Fiscal != (bifit.Fiscal{}) {
				t.Fatalf("%d receipts, document %+v", h.receipts(), d)
			}
			h.want(h.reload(fmt.Sprintf("[%d]", id)), http.StatusOK)
			h.s.Advance(time.Minute)
			h.wantStatus(id, "DONE")
			d = h.s.Documents()[0]
			if h.receipts() != want || len(d.Made) != want || d.Fiscal != d.Made[want-1] {
				t.Errorf("%d receipts, want %d; document %+v", h.receipts(), want, d)
			}
		})
	}
}

// TestSideEffects: faults of a document that change its register.
func TestSideEffects(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.s.Fail(bifit.Fault{Key: "b", Do: bifit.MoveClock{By: 5 * time.Hour}})
	h.s.Fail(bifit.Fault{Key: "c", Do: bifit.SwapFN{}})
	for _, key := range []string{"a", "b", "c"} {
		h.sell(key)
	}
	h.s.Advance(time.Minute)
	d := h.s.Documents()
	if got := d[1].Fiscal.Time.Sub(d[0].Fiscal.Time); got != 5*time.Hour {
		t.Errorf("the clock moved by %v", got)
	}
	if d[1].Fiscal.FN != d[0].Fiscal.FN || d[2].Fiscal.FN == d[0].Fiscal.FN || d[2].Fiscal.FD != 3 || d[1].Fiscal.FD != 4 {
		t.Errorf("documents %+v", d)
	}
}

// remote is a service behind a real connection.
func remote(t *testing.T) (*host, *http.Client, string) {
	t.Helper()
	h := newHost(t, bifit.Config{})
	server := httptest.NewServer(h.s)
	t.Cleanup(server.Close)
	return h, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, server.URL
}

func (h *host) post(ctx context.Context, client *http.Client, url, key string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", url+base+bifit.RegisterPath, strings.NewReader(coffee))
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + h.access, "Idempotency-Key": key, "Content-Type": "application/json"} {
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// TestLostAnswer: over a real connection, the answer is lost and the document
// is there; or the call is lost and it is not.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   bifit.Action
		made int
	}{
		{"answer", bifit.Cut{}, 1}, {"call", bifit.Cut{Early: true}, 0}, {"half an answer", bifit.Truncate{Bytes: 3}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, client, url := remote(t)
			h.s.Fail(bifit.Fault{On: bifit.OnRegister, Do: c.do})
			body, err := h.post(t.Context(), client, url, "a")
			if err == nil {
				t.Fatalf("answer %q", body)
			}
			if n := len(h.s.Documents()); n != c.made {
				t.Errorf("%d documents, want %d", n, c.made)
			}
			if body, err := h.post(t.Context(), client, url, "a"); err != nil || body != "254934" {
				t.Errorf("again: %q, %v", body, err)
			}
			if n := len(h.s.Documents()); n != 1 {
				t.Errorf("%d documents after the second call", n)
			}
		})
	}
}

// TestSlowHost: a host that gives up leaves nothing behind in the service.
func TestSlowHost(t *testing.T) {
	t.Parallel()
	h, client, url := remote(t)
	h.s.Fail(bifit.Fault{On: bifit.OnRegister, Do: bifit.Slow{}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // it leaves when the service has its request, however long that takes
		defer cancel()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for len(h.s.Documents()) == 0 && ctx.Err() == nil {
			<-tick.C
		}
	}()
	if body, err := h.post(ctx, client, url, "a"); !errors.Is(err, context.Canceled) {
		t.Fatalf("answer %q, %v", body, err)
	}
	if body, err := h.post(t.Context(), client, url, "a"); err != nil || body != "254934" {
		t.Errorf("again: %q, %v", body, err)
	}
}

// TestSlow: what ends the wait of a slow answer, in virtual time.
func TestSlow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		do    bifit.Slow
		end   func(*bifit.Service, context.CancelFunc)
		takes time.Duration
		made  bool // while it waits
	}{
		{"time", bifit.Slow{By: time.Minute}, nil, time.Minute, true},
		{"early", bifit.Slow{By: time.Minute, Early: true}, nil, time.Minute, false},
		{"release", bifit.Slow{}, func(s *bifit.Service, _ context.CancelFunc) { s.Release() }, time.Second, true},
		{"release early", bifit.Slow{Early: true}, func(s *bifit.Service, _ context.CancelFunc) { s.Release() }, time.Second, false},
		{"close", bifit.Slow{By: time.Hour}, func(s *bifit.Service, _ context.CancelFunc) { s.Close() }, time.Second, true},
		{"host leaves", bifit.Slow{}, func(_ *bifit.Service, leave context.CancelFunc) { leave() }, time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, bifit.Config{Clock: time.Now})
				h.s.Fail(bifit.Fault{On: bifit.OnRegister, Do: c.do})
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				h.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.s.ServeHTTP(w, r.WithContext(ctx)) })
				begun, answered := time.Now(), make(chan said, 1)
				go func() { answered <- h.register("a", coffee) }()
				synctest.Wait()
				if got := len(h.s.Documents()) == 1; got != c.made {
					t.Errorf("document made while the host waits: %v", got)
				}
				if c.end != nil {
					<-time.After(time.Second)
					c.end(h.s, leave)
				}
				if a := <-answered; a.body != "254934" || time.Since(begun) != c.takes {
					t.Errorf("answer %q after %v, want %v", a.body, time.Since(begun), c.takes)
				}
			})
		})
	}
}

// TestStorm: many hosts, each repeating its key until it is taken, under faults
// and a clock that runs. Every key ends in one receipt, and the books agree.
func TestStorm(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{Seed: 11, Connectors: []bifit.Connector{{Token: bifit.ConnectorTokenDefault, Registers: make([]bifit.Register, 3)}}})
	for _, do := range []bifit.Action{bifit.Respond{After: true}, bifit.Respond{Status: 503}, bifit.Unauthorized{}, bifit.Truncate{Clean: true}, bifit.Backwards{}} {
		h.s.Fail(bifit.Fault{On: bifit.OnRegister, PerMille: 150, Do: do})
	}
	const keys, hosts, tries = 60, 2, 60
	var wg sync.WaitGroup
	for n := range keys * hosts {
		wg.Go(func() {
			for range tries {
				a := h.register(fmt.Sprint("key-", n/hosts), coffee)
				h.s.Advance(10 * time.Millisecond)
				if a.status == http.StatusOK && a.body != "" {
					return
				}
			}
			t.Errorf("key %d is never taken", n/hosts)
		})
	}
	wg.Wait()
	h.s.Advance(time.Hour)
	marks := map[string]bool{}
	for _, d := range h.s.Documents() {
		if d.Status != bifit.StatusDone || len(d.Made) != 1 {
			t.Errorf("document %+v", d)
		}
		marks[fmt.Sprint(d.Fiscal.FN, d.Fiscal.FD)] = true
	}
	if n := h.receipts(); n != keys || len(marks) != keys {
		t.Errorf("%d receipts, %d marks, want %d", n, len(marks), keys)
	}
}

// TestFaultsInJournal: a test can see what was done to a request.
func TestFaultsInJournal(t *testing.T) {
	t.Parallel()
	h := newHost(t, bifit.Config{})
	h.s.Fail(bifit.Fault{On: bifit.OnRegister, Do: bifit.Quote{}})
	h.s.Fail(bifit.Fault{Do: bifit.Stick{}})
	h.register("a", coffee)
	got := h.s.Requests()
	if e := got[len(got)-1]; fmt.Sprint(e.Faults) != "[quote stick]" {
		t.Errorf("faults %v", e.Faults)
	}
}
