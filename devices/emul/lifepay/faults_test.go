package lifepay

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// remote is a service behind a real server; its answers come over the network.
type remote struct {
	*Service
	url string
}

func serve(t *testing.T, cfg Config) remote {
	t.Helper()
	s := New(cfg)
	srv := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); srv.Close() }) // the server waits for requests that hang
	return remote{s, srv.URL}
}

// do sends one request; the error is that of a client without an answer.
func (r remote) do(ctx context.Context, t *testing.T, path string, in object) (reply, error) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	return readReply(t, resp.StatusCode, resp.Header, b), nil
}

// A fault strikes once; the repeat is answered, and there is one document.
func TestReplyFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault  Fault
		stored bool
		test   func(r reply) bool // nil: no answer at all
	}{
		{Fault{Kind: FaultStatusBefore}, false, func(r reply) bool { return r.Status == 503 }},
		{Fault{Kind: FaultStatusBefore, Status: 500}, false, func(r reply) bool { return r.Status == 500 }},
		{Fault{Kind: FaultStatusAfter}, true, func(r reply) bool { return r.Status == 502 && r.UUID == "" }},
		{Fault{Kind: FaultStatusAfter, Status: 504}, true, func(r reply) bool { return r.Status == 504 }},
		{Fault{Kind: FaultCutBefore}, false, nil},
		{Fault{Kind: FaultCutAfter}, true, nil},
		{Fault{Kind: FaultHangBefore, Delay: time.Millisecond}, false, func(r reply) bool { return r.Status == 504 }},
		{Fault{Kind: FaultEmpty}, true, func(r reply) bool { return r.Status == 200 && r.Text == "" }},
		{Fault{Kind: FaultHTML}, true, func(r reply) bool { return r.Status == 200 && strings.HasPrefix(r.Text, "<html>") }},
		{Fault{Kind: FaultTruncated}, true, func(r reply) bool { return r.Status == 200 && r.Code == -1 && strings.HasPrefix(r.Text, `{"code":0`) }},
		{Fault{Kind: FaultInternal}, false, func(r reply) bool { return r.Status == 200 && r.Code == 500 }},
		{Fault{Kind: FaultInternalStored}, true, func(r reply) bool { return r.Status == 200 && r.Code == 500 && r.UUID == "" }},
		{Fault{Kind: FaultRefuse, Fields: map[string][]string{"type": {"a"}, "mode": {"b"}}}, false, func(r reply) bool { return r.Code == 400 && len(r.Fields) == 2 }},
		{Fault{Kind: FaultRefuse}, false, func(r reply) bool { return r.Code == 400 && string(r.Data) == "[]" }},
		{Fault{Kind: FaultRefuse, Code: CodeFormat}, false, func(r reply) bool { return r.Code == 6000 }},
		{Fault{Kind: FaultRefuse, Code: CodeNoLogin}, false, func(r reply) bool { return r.Code == 6009 }},
		{Fault{Kind: FaultRefuse, Code: CodeNoPair, Text: "Нет"}, false, func(r reply) bool { return r.Code == 6010 && *r.Message == "Нет" }},
		{Fault{Kind: FaultRefuse, Code: CodeNotAllowed}, false, func(r reply) bool { return r.Code == 6080 }},
		{Fault{Kind: FaultRefuse, Code: CodeDenied}, false, func(r reply) bool { return r.Code == 6095 }},
		{Fault{Kind: FaultNoUUID}, true, func(r reply) bool { return r.Code == 0 && string(r.Data) == "{}" }},
		{Fault{Kind: FaultTooMany}, false, func(r reply) bool { return r.Status == 429 && r.Code == 429 }},
		{Fault{Kind: FaultTooMany, Status: 200}, false, func(r reply) bool { return r.Status == 200 && r.Code == 429 }},
		{Fault{Kind: FaultRedirect}, false, func(r reply) bool { return r.Status == 302 && r.Header.Get("Location") == "/elsewhere" }},
		{Fault{Kind: FaultRedirect, Status: 308, Location: "/x"}, false, func(r reply) bool { return r.Status == 308 && r.Header.Get("Location") == "/x" }},
		{Fault{Kind: FaultWrongType}, true, func(r reply) bool { return r.UUID != "" && r.Header.Get("Content-Type") == "text/html; charset=UTF-8" }},
		{Fault{Kind: FaultHuge}, true, func(r reply) bool { return r.UUID != "" && len(r.Text) > hugeReply }},
		{Fault{Kind: FaultSlow, Delay: time.Millisecond}, true, func(r reply) bool { return r.UUID != "" }},
		{Fault{Kind: FaultHang, Delay: time.Millisecond}, true, func(r reply) bool { return r.UUID != "" }},
	} {
		t.Run(string(tt.fault.Kind), func(t *testing.T) {
			t.Parallel()
			s := serve(t, Config{Options: Options{ErrorData: "[]"}})
			fail(t, s.Service, tt.fault)
			in := sale(object{"ext_id": "a"})
			r, err := s.do(t.Context(), t, createReceipt, in)
			if (err != nil) != (tt.test == nil) || tt.test != nil && !tt.test(r) {
				t.Errorf("HTTP %d %.200s, %v", r.Status, r.Text, err)
			}
			if stored := len(s.Documents()) == 1; stored != tt.stored {
				t.Errorf("stored: %v", stored)
			}
			again, err := s.do(t.Context(), t, createReceipt, in)
			if err != nil || again.Code != 0 {
				t.Fatalf("repeat: HTTP %d %s, %v", again.Status, again.Text, err)
			}
			final(t, s.Service, again.UUID)
			if n := len(s.Storage(DemoPrinter).Receipts()); n != 1 || len(s.Documents()) != 1 {
				t.Errorf("%d receipts", n)
			}
			if j := s.Requests(); len(j) != 2 || j[0].Fault != tt.fault.Kind || j[1].Fault != "" || (tt.test == nil) != (j[0].Status == 0) {
				t.Errorf("journal %+v", j)
			}
		})
	}
}

// Fault 3: the client gives up; the document is there.
func TestHang(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	fail(t, s.Service, Fault{Kind: FaultHang})
	ctx, giveUp := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { // the answer never comes
		_, err := s.do(ctx, t, createReceipt, sale(object{"ext_id": "a"}))
		done <- err
	}()
	await(t, s.Service, func() bool { return len(s.Requests()) == 1 })
	giveUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if r, err := s.do(t.Context(), t, createReceipt, sale(object{"ext_id": "a"})); err != nil || r.UUID != s.Documents()[0].UUID {
		t.Errorf("%s, %v", r.Text, err)
	}
}

func TestHangEnds(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		s := serve(t, Config{})
		fail(t, s.Service, Fault{Kind: FaultHang})
		done := make(chan error)
		go func() {
			_, err := s.do(t.Context(), t, createReceipt, sale())
			done <- err
		}()
		await(t, s.Service, func() bool { return len(s.Requests()) == 1 })
		if closed {
			s.Close()
		} else {
			s.Release()
		}
		if err := <-done; (err != nil) != closed {
			t.Errorf("closed %v: %v", closed, err)
		}
	}
}

// After Close nothing is taken any more.
func TestClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	s.Close()
	if r, err := s.do(t.Context(), t, createReceipt, sale()); err == nil || len(s.Documents()) != 0 {
		t.Errorf("%s", r.Text)
	}
}

func TestFaultChoice(t *testing.T) {
	t.Parallel()
	s := service(t, Config{})
	fail(t, s, Fault{Kind: FaultStatusBefore, ExtID: "b", Times: 2})
	fail(t, s, Fault{Kind: FaultInternal, Path: "create-session"})
	fail(t, s, Fault{Kind: FaultNoUUID, Times: -1, ExtID: "always"})
	status := func(ext string) int { return post(t, s, createReceipt, sale(object{"ext_id": ext})).Status }
	if got := []int{status("a"), status("b"), status("b"), status("b")}; !slices.Equal(got, []int{200, 503, 503, 200}) {
		t.Errorf("%v", got)
	}
	if r := post(t, s, createSession, body()); r.Code != CodeInternal {
		t.Errorf("%s", r.Text)
	}
	for range 3 {
		if r := post(t, s, createReceipt, sale(object{"ext_id": "always"})); r.Code != 0 || r.UUID != "" {
			t.Errorf("%s", r.Text)
		}
	}
	s.ClearFaults()
	if r := post(t, s, createReceipt, sale(object{"ext_id": "always"})); r.UUID == "" {
		t.Errorf("%s", r.Text)
	}
	// A refusal stays one whatever the fault does to accepted replies.
	fail(t, s, Fault{Kind: FaultNoUUID})
	wantCode(t, post(t, s, createReceipt, body()), CodeData)
	for _, bad := range []Fault{{}, {Kind: "x"}, {Kind: FaultHang, PerMille: 1001}, {Kind: FaultHang, Delay: -1}, {Kind: FaultTooMany, Status: 7}} {
		if s.Fail(bad) == nil {
			t.Errorf("%+v is armed", bad)
		}
	}
}

// Chance is the same for the same seed.
func TestFaultChance(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		s := service(t, Config{Seed: seed})
		fail(t, s, Fault{Kind: FaultStatusBefore, Times: -1, PerMille: 300})
		var out strings.Builder
		for range 60 {
			if post(t, s, createReceipt, sale()).Status == 200 {
				out.WriteByte('.')
				continue
			}
			out.WriteByte('x')
		}
		return out.String()
	}
	one, two := run(1), run(2)
	if one != run(1) || one == two {
		t.Errorf("%s\n%s", one, two)
	}
	if n := strings.Count(one, "x"); n < 6 || n > 36 {
		t.Errorf("%d of 60 at 30 %%", n)
	}
}

// Faults 12 to 15 and 17: what callbacks can do.
func TestCallbackFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault Fault
		count int
		test  func(d Document, got []heard) bool
	}{
		{Fault{Kind: FaultCallbackTwice}, 2, func(_ Document, got []heard) bool { return got[0].Data == got[1].Data }},
		{Fault{Kind: FaultCallbackReordered}, 2, func(_ Document, got []heard) bool {
			return got[0].Fields["status"] == "processed" && got[1].Fields["status"] == "waiting_retry" && got[1].Fields["fd"] == nil
		}},
		{Fault{Kind: FaultCallbackNever}, 0, func(d Document, _ []heard) bool { return d.State == StateProcessed }},
		{Fault{Kind: FaultCallbackMalformed}, 1, func(_ Document, got []heard) bool { return got[0].Fields == nil && got[0].Data != "" }},
		{Fault{Kind: FaultCallbackStranger}, 2, func(d Document, got []heard) bool {
			return got[0].Fields["uuid"] == d.UUID && got[1].Fields["uuid"] != d.UUID && got[1].Fields["ext_id"] == nil
		}},
		{Fault{Kind: FaultCallbackExtraKeys}, 1, func(_ Document, got []heard) bool { return got[0].Fields["retail_place"] != nil }},
		{Fault{Kind: FaultDeviceError, Code: CodeNonCash}, 1, deviceError(CodeNonCash)},
		{Fault{Kind: FaultDeviceError, Code: CodeStorage}, 1, deviceError(CodeStorage)},
		{Fault{Kind: FaultDeviceError}, 1, deviceError(CodeGeneric)},
	} {
		t.Run(string(tt.fault.Kind), func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{}, func(t *testing.T, s *Service, r *receiver) {
				fail(t, s, tt.fault)
				wantCode(t, post(t, s, createReceipt, body()), CodeData) // no document, so the fault stays
				d := accepted(t, s, createReceipt, sale(hook, object{"ext_id": "a"}))
				<-time.After(time.Hour)
				if got := r.list(); len(got) != tt.count || !tt.test(d, got) {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func deviceError(code int) func(Document, []heard) bool {
	return func(d Document, got []heard) bool {
		f := got[0].Fields
		return d.State == StateError && d.ErrorCode == code && d.FD == 0 && f["error_code"] == float64(code) &&
			f["status"] == "error" && f["error_message"] == codeTexts[code] && f["ofd_url"] == nil
	}
}

// Fault 11: the callback comes before the reply.
func TestCallbackFirst(t *testing.T) {
	t.Parallel()
	cfg := Config{Delays: Delays{Queue: time.Minute, Callback: time.Minute}}
	bubble(t, cfg, func(t *testing.T, s *Service, r *receiver) {
		fail(t, s, Fault{Kind: FaultCallbackFirst, Times: 2})
		start := time.Now()
		got := post(t, s, createReceipt, sale(hook))
		if list := r.list(); len(list) != 1 || list[0].Fields["uuid"] != got.UUID || time.Since(start) != 2*time.Minute {
			t.Errorf("%s before %v", got.Text, list)
		}
		// Without a callback there is nothing to wait for but the end of it.
		if got := post(t, s, createReceipt, sale()); got.UUID == "" {
			t.Errorf("%s", got.Text)
		}
	})
}

func TestStuck(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *Service, r *receiver) {
		fail(t, s, Fault{Kind: FaultStuck, Times: 2})
		first, second := post(t, s, createReceipt, sale(hook)).UUID, post(t, s, createReceipt, sale(hook)).UUID
		accepted(t, s, createReceipt, sale()) // others go past
		<-time.After(12 * time.Hour)
		if find(s, first).State != StateQueued || find(s, second).State != StateQueued || len(r.list()) != 0 {
			t.Errorf("%+v", s.Documents())
		}
		if err := errors.Join(s.Finish(first, Outcome{}), s.Finish(second, Outcome{Code: 7, Text: "нет"})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if d := find(s, first); d.State != StateProcessed {
			t.Errorf("%+v", d)
		}
		if d := find(s, second); d.State != StateError || d.ErrorCode != 7 || d.ErrorText != "нет" {
			t.Errorf("%+v", d)
		}
		if s.Finish(first, Outcome{}) == nil {
			t.Error("finished twice")
		}
	})
}

func TestFaultKinds(t *testing.T) {
	t.Parallel()
	if got := FaultKinds(); len(got) != len(stages) || !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
}
