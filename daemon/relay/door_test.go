package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kassad/mqtt"
	"kassad/mqtt/mqtttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, mqtttest.LeakOptions()...) }

const (
	token    = "abcdefghijklmnopqrstuv2345"
	goodPath = "/acme/shop-1/main/1/" + token + "/sale-1"
)

// taken notes what a door lets in.
type taken struct {
	mu     sync.Mutex
	roots  []string
	list   []mqtt.Callback
	status int
}

func (k *taken) take(_ context.Context, t mqtt.Topics, c mqtt.Callback) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.roots, k.list = append(k.roots, t.Root()), append(k.list, c)
	return k.status
}

// newDoor is a door without a listener, for requests that a test makes itself.
func newDoor(change func(*DoorConfig)) (*Door, *taken, *bytes.Buffer) {
	k, log := &taken{status: http.StatusOK}, &bytes.Buffer{}
	config := DoorConfig{
		Prefix: "/lp", Take: k.take,
		Knows: func(t mqtt.Topics) bool { return t.Root() == "kassad/v1/acme/shop-1/main" },
	}
	if change != nil {
		change(&config)
	}
	return &Door{
		config: config, log: slog.New(slog.NewTextHandler(log, nil)), working: make(chan struct{}, requestsMax), quotas: newQuotas(config.Rate),
	}, k, log
}

// unread fails the test when somebody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a refused request is read")
	return 0, io.EOF
}

func TestDoorLetsIn(t *testing.T) {
	t.Parallel()
	for _, path := range []string{goodPath, "/lp" + goodPath, goodPath + "?x=1"} {
		d, k, _ := newDoor(nil)
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"uuid":"1"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		d.answer(w, r)
		if w.Code != http.StatusOK || len(k.list) != 1 {
			t.Errorf("%s: %d, let in %v", path, w.Code, k.list)
			continue
		}
		want := "1/" + token + "/sale-1"
		if c := k.list[0]; c.Path != want || c.ContentType != "application/json" || string(c.Body) != `{"uuid":"1"}` || k.roots[0] != "kassad/v1/acme/shop-1/main" {
			t.Errorf("%s: %s %+v", path, k.roots[0], c)
		}
	}
}

func TestDoorRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", mqtt.CallbackBodyMax+1)
	for _, test := range []struct {
		name, method, path, kind string
		body                     io.Reader
		length                   int64
		status                   int
	}{
		{"another method", "GET", goodPath, "", unread{t}, 5, 405},
		{"another method and path", "GET", "/", "", unread{t}, 5, 404},
		{"PUT", "PUT", goodPath, "", unread{t}, 5, 405},
		{"another node", "POST", "/acme/shop-2/main/1/" + token + "/sale-1", "", unread{t}, 5, 404},
		{"no name", "POST", "/Acme/shop-1/main/1/" + token + "/sale-1", "", unread{t}, 5, 404},
		{"short", "POST", "/acme/shop-1/main/1/" + token, "", unread{t}, 5, 404},
		{"long", "POST", goodPath + "/x", "", unread{t}, 5, 404},
		{"slash", "POST", goodPath + "/", "", unread{t}, 5, 404},
		{"double slash", "POST", "/" + goodPath, "", unread{t}, 5, 404},
		{"no token", "POST", "/acme/shop-1/main/1/token/sale-1", "", unread{t}, 5, 404},
		{"another prefix", "POST", "/lpx" + goodPath, "", unread{t}, 5, 404},
		{"prefix twice", "POST", "/lp/lp" + goodPath, "", unread{t}, 5, 404},
		{"wildcard", "POST", "/acme/+/main/1/" + token + "/sale-1", "", unread{t}, 5, 404},
		{"no health", "GET", "/healthz", "", unread{t}, 5, 404},
		{"announced too large", "POST", goodPath, "", unread{t}, mqtt.CallbackBodyMax + 1, 413},
		{"too large", "POST", goodPath, "", strings.NewReader(long), -1, 413},
		{"type", "POST", goodPath, strings.Repeat("a", 257), unread{t}, 5, 415},
		{"type of bytes", "POST", goodPath, "a\xff", unread{t}, 5, 415},
		{"broken off", "POST", goodPath, "", io.MultiReader(strings.NewReader("x"), brokenOff{}), -1, 400},
	} {
		d, k, log := newDoor(nil)
		r := httptest.NewRequest(test.method, test.path, test.body)
		r.ContentLength = test.length
		r.Header.Set("Content-Type", test.kind)
		w := httptest.NewRecorder()
		d.answer(w, r)
		if w.Code != test.status || len(k.list) != 0 {
			t.Errorf("%s: %d, want %d; let in %v", test.name, w.Code, test.status, k.list)
		}
		if allow := w.Header().Get("Allow"); (allow == "POST") != (test.status == 405) {
			t.Errorf("%s: Allow %q", test.name, allow)
		}
		if !strings.Contains(log.String(), fmt.Sprint("status=", test.status)) || strings.Contains(log.String(), token) {
			t.Errorf("%s: log %s", test.name, log)
		}
	}
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestDoorIsBusy(t *testing.T) {
	t.Parallel()
	d, k, _ := newDoor(nil)
	for range requestsMax {
		d.working <- struct{}{}
	}
	w := httptest.NewRecorder()
	d.answer(w, httptest.NewRequest(http.MethodPost, goodPath, unread{t}))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || len(k.list) != 0 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	<-d.working
	w = httptest.NewRecorder()
	d.answer(w, httptest.NewRequest(http.MethodPost, goodPath, strings.NewReader("x")))
	if w.Code != http.StatusOK || len(d.working) != requestsMax-1 {
		t.Errorf("%d, %d at work", w.Code, len(d.working))
	}
}

func TestDoorHealth(t *testing.T) {
	t.Parallel()
	well := true
	d, _, _ := newDoor(func(c *DoorConfig) { c.Healthy = func() bool { return well } })
	ask := func(method string) int {
		w := httptest.NewRecorder()
		d.answer(w, httptest.NewRequest(method, "/healthz", nil))
		return w.Code
	}
	if got := ask("GET"); got != 200 {
		t.Errorf("well: %d", got)
	}
	if got := ask("POST"); got != 405 {
		t.Errorf("POST: %d", got)
	}
	well = false
	if got := ask("HEAD"); got != 503 {
		t.Errorf("away: %d", got)
	}
}

func TestDoorRate(t *testing.T) {
	t.Parallel()
	d, k, _ := newDoor(func(c *DoorConfig) { c.Rate = 1 })
	post := func(from string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, goodPath, strings.NewReader("x"))
		r.RemoteAddr = from
		d.answer(w, r)
		return w.Code
	}
	for range quotaBurst {
		if got := post("192.0.2.1:1000"); got != 200 {
			t.Fatalf("within the burst: %d", got)
		}
	}
	if got := post("192.0.2.1:2000"); got != http.StatusTooManyRequests {
		t.Errorf("beyond the burst: %d", got)
	}
	for _, other := range []string{"192.0.2.2:1000", "[2001:db8::1]:1000", "127.0.0.1:1000", "[::1]:1000"} {
		if got := post(other); got != 200 {
			t.Errorf("%s: %d", other, got)
		}
	}
	if len(k.list) != quotaBurst+4 {
		t.Errorf("%d let in", len(k.list))
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	q, now := newQuotas(2), time.Unix(1_000, 0)
	drain := func(from string) (n int) {
		for q.allow(from, now) {
			n++
		}
		return n
	}
	if n := drain("192.0.2.1:1"); n != 2*quotaBurst {
		t.Errorf("a burst of %d", n)
	}
	now = now.Add(time.Second)
	if n := drain("192.0.2.1:9"); n != 2 {
		t.Errorf("%d after a second", n)
	}
	if n := drain("[2001:db8::1]:1") + drain("[2001:db8::2]:1"); n != 2*quotaBurst {
		t.Errorf("%d from one network", n)
	}
	for i := range quotasMax + 100 {
		q.allow(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), now)
	}
	if len(q.known) > quotasMax {
		t.Errorf("%d addresses are remembered", len(q.known))
	}
	if !newQuotas(0).allow("192.0.2.1:1", now) {
		t.Error("0 is a bound")
	}
}

func TestSparse(t *testing.T) {
	t.Parallel()
	var s Sparse
	now := time.Unix(1_000, 0)
	if _, ok := s.Allow(now); !ok {
		t.Error("the first line is left out")
	}
	for range 3 {
		if _, ok := s.Allow(now); ok {
			t.Error("a second line at once")
		}
	}
	if skipped, ok := s.Allow(now.Add(sparseEvery)); !ok || skipped != 3 {
		t.Errorf("%d, %v", skipped, ok)
	}
}

func TestCheckListen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ listen, cert, key, want string }{
		{"127.0.0.1:8443", "", "", ""}, {"[::1]:0", "", "", ""}, {"localhost:1", "", "", ""}, {"0.0.0.0:443", "c", "k", ""},
		{":8443", "", "", "in the clear"}, {"192.0.2.1:80", "", "", "in the clear"}, {"127.0.0.1", "", "", "host:port"},
		{"127.0.0.1:8443", "c", "", "together"},
	} {
		err := CheckListen(test.listen, test.cert, test.key)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	for prefix, good := range map[string]bool{
		"": true, "/lp": true, "/a/b": true, "/": false, "lp": false, "/lp/": false, "/a//b": false, "/a?b": false, "/a%20b": false,
	} {
		if err := CheckPrefix(prefix); (err == nil) != good {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

// serve opens a door on a free port until the test ends.
func serve(t *testing.T, config DoorConfig) *Door {
	t.Helper()
	d, err := Open(config, mqtttest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDoorTLS(t *testing.T) {
	t.Parallel()
	cert, key := mqtttest.Certificate(t)
	k := &taken{status: http.StatusOK}
	d := serve(t, DoorConfig{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key, Take: k.take, Knows: func(mqtt.Topics) bool { return true }})
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(cert)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 2 {
		resp, err := client.Post("https://"+d.Addr()+goodPath, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || resp.ProtoMajor != 1 || !resp.Close {
			t.Errorf("%s %s, kept alive: %v", resp.Proto, resp.Status, !resp.Close)
		}
	}
	if resp, err := http.Post("http://"+d.Addr()+goodPath, "", strings.NewReader("{}")); err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode == 200 {
			t.Error("plain text is answered")
		}
	}
	if len(k.list) != 2 {
		t.Errorf("%d let in", len(k.list))
	}
}

// A request at work is answered although the door closes.
func TestDoorStopsPolitely(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	config := DoorConfig{Listen: "127.0.0.1:0", Knows: func(mqtt.Topics) bool { return true }}
	config.Take = func(ctx context.Context, _ mqtt.Topics, _ mqtt.Callback) int {
		close(begun)
		<-finish
		if ctx.Err() != nil {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	d, err := Open(config, mqtttest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx) }()
	conn, err := net.Dial("tcp", d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", goodPath); err != nil {
		t.Fatal(err)
	}
	<-begun
	stop()
	close(finish)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if err := <-ended; err != nil || resp.StatusCode != 200 {
		t.Errorf("%v, %s", err, resp.Status)
	}
	if _, err := net.Dial("tcp", d.Addr()); err == nil {
		t.Error("the port is still open")
	}
}

func TestOpenRefused(t *testing.T) {
	t.Parallel()
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	for _, config := range []DoorConfig{
		{Listen: ":0"}, {Listen: "127.0.0.1:0", Prefix: "x"}, {Listen: "127.0.0.1:0", CertFile: "none", KeyFile: "none"},
		{Listen: used.Addr().String()},
	} {
		if _, err := Open(config, mqtttest.Log(t)); !errors.Is(err, ErrDoor) {
			t.Errorf("%+v: %v", config, err)
		}
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate(nil)
	from, _ := caller("192.0.2.1:1")
	other, _ := caller("192.0.2.2:1")
	self, local := caller("127.0.0.1:1")
	for i := range perAddressMax + 1 {
		if g.enter(from, false) != (i < perAddressMax) {
			t.Fatalf("connection %d", i)
		}
	}
	if !g.enter(other, false) {
		t.Error("another address waits for the first")
	}
	g.leave(from)
	if !g.enter(from, false) {
		t.Error("a place that was left stays taken")
	}
	for g.enter(self, local) {
	}
	if g.total != connectionsMax || g.enter(other, false) {
		t.Errorf("%d connections", g.total)
	}
	for range g.counts[self] {
		g.leave(self)
	}
	if _, held := g.counts[self]; held {
		t.Error("an address that has gone is remembered")
	}
}

func TestCertificateRenewed(t *testing.T) {
	t.Parallel()
	cert, key := mqtttest.Certificate(t)
	c := &certificate{certFile: cert, keyFile: key, log: mqtttest.Log(t)}
	if err := c.read(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	first := c.at(now)
	replace := func(from, to string, at time.Time) {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(to, text, 0o600), os.Chtimes(to, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	newCert, newKey := mqtttest.Certificate(t)
	replace(newCert, cert, now.Add(time.Hour)) // half of it: the pair does not fit
	if got := c.at(now.Add(2 * certificateEvery)); got != first {
		t.Error("a broken pair is taken")
	}
	replace(newKey, key, now.Add(time.Hour))
	if got := c.at(now.Add(2*certificateEvery + 1)); got != first {
		t.Error("the files are read at every handshake")
	}
	if got := c.at(now.Add(4 * certificateEvery)); got == first {
		t.Error("a renewed certificate is not noticed")
	}
}
