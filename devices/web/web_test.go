package web_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"kassad/devices/web"
	"kassad/fiscal"
)

func client(t *testing.T, o web.Options) *web.Client {
	t.Helper()
	c, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func post(t *testing.T, c *web.Client) (web.Answer, *fiscal.Error) {
	t.Helper()
	a, err := c.Do(t.Context(), web.Call{Method: http.MethodPost, Path: "/doc", Body: []byte(`{"a":1}`)})
	if err == nil {
		return a, nil
	}
	var e *fiscal.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is no *fiscal.Error: %v", err)
	}
	return a, e
}

func TestAnsweredWithAnyStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 302, 400, 503} {
		var calls atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}))
		t.Cleanup(s.Close)
		a, err := post(t, client(t, web.Options{BaseURL: s.URL}))
		if err != nil || a.Status != status || string(a.Body) != `{"a":1}` {
			t.Errorf("%d: got %d %q, %v", status, a.Status, a.Body, err)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%d: the service was called %d times", status, n)
		}
	}
}

func TestNothingSentIsUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler()) // of an authority that nobody knows
	t.Cleanup(secure.Close)
	for name, base := range map[string]string{"no listener": nobody, "no name": "https://kassad.invalid", "unknown authority": secure.URL} {
		if _, err := post(t, client(t, web.Options{BaseURL: base})); err == nil || err.Outcome != fiscal.OutcomeUnreachable || err.Code != fiscal.CodeCloudAway {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSentWithoutAnAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	for name, answer := range map[string]http.HandlerFunc{
		"closed":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no answer": func(http.ResponseWriter, *http.Request) { <-gone },
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), web.AnswerMax+1))
		},
		"broken off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		},
	} {
		var calls atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			answer(w, r)
		}))
		t.Cleanup(s.Close)
		if _, err := post(t, client(t, web.Options{BaseURL: s.URL, Timeout: 200 * time.Millisecond})); err == nil || err.Outcome != fiscal.OutcomeUnknown {
			t.Errorf("%s: %v", name, err)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%s: the service was called %d times", name, n)
		}
	}
	t.Cleanup(func() { close(gone) })
}

// TestKeyIsNoLicenceToRepeat: net/http repeats a request with an
// Idempotency-Key by itself when its body can be had again.
func TestKeyIsNoLicenceToRepeat(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	_, err := client(t, web.Options{BaseURL: s.URL}).Do(t.Context(), web.Call{
		Method: http.MethodPost, Path: "/", Header: http.Header{"Idempotency-Key": {"k"}}, Body: []byte("x"),
	})
	if err == nil || calls.Load() != 1 {
		t.Errorf("called %d times: %v", calls.Load(), err)
	}
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := post(t, client(t, web.Options{BaseURL: s.URL, CAFile: file})); err != nil || a.Status != 200 {
		t.Errorf("got %d, %v", a.Status, err)
	}
}

func TestBaseAddress(t *testing.T) {
	t.Parallel()
	for base, good := range map[string]bool{
		"https://sapi.life-pay.ru": true, "http://127.0.0.1:8080/x": true, "http://localhost:1": true,
		"http://sapi.life-pay.ru": false, "ftp://x": false, "sapi.life-pay.ru": false, "https://me:pw@host": false,
		"https://host?key=1": false, "": false,
	} {
		if err := web.CheckBase(base); (err == nil) != good {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client(t, web.Options{BaseURL: "http://127.0.0.1:1"}).Do(ctx, web.Call{Method: http.MethodPost, Path: "/", Body: []byte("x")})
	if fiscal.AsError(err, "").Outcome != fiscal.OutcomeUnreachable {
		t.Error(err)
	}
}
