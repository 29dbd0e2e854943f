package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/mqtt/mqtttest"
	"kassad/spool/spooltest"
)

const patience = time.Minute

// cloudShop is a daemon whose only backend is a service that takes everything
// and says nothing more by itself.
type cloudShop struct {
	*Daemon
	till    *mqtt.Terminal
	broker  string
	answers chan mqtt.Reply
	urls    chan string // callback_url of each document
	disk    *spooltest.Disk
	// hasty, if not nil, is called with a callback_url before the document is
	// answered.
	hasty func(url string)
}

// startCloudShop runs a daemon until the test ends.
func startCloudShop(t *testing.T, change func(*Config), hasty func(url string)) *cloudShop {
	t.Helper()
	s := &cloudShop{answers: make(chan mqtt.Reply, 100), urls: make(chan string, 10), hasty: hasty}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			ExtID string `json:"ext_id"`
			URL   string `json:"callback_url"`
		}
		if json.NewDecoder(r.Body).Decode(&req) != nil || req.ExtID == "" {
			return // is it there at all?
		}
		if s.hasty != nil {
			s.hasty(req.URL)
		}
		s.urls <- req.URL
		fmt.Fprintf(w, `{"code":0,"message":"","data":{"uuid":"uuid-of-%s"}}`, req.ExtID)
	}))
	t.Cleanup(service.Close)
	key := filepath.Join(t.TempDir(), "apikey")
	if err := os.WriteFile(key, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.DataDir, cfg.Broker.Listen = t.TempDir(), mqtttest.FreeAddress(t)
	listen := mqtttest.FreeAddress(t)
	cfg.LifePay = &LifePayConfig{
		CloudConfig: CloudConfig{BaseURL: service.URL}, Login: "79161234567", APIKeyFile: key,
		Callback: CallbackConfig{URL: "http://" + listen + "/lp/", Listen: listen},
	}
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	s.disk = spooltest.NewDisk(cfg.DataDir)
	d, err := New(cfg, Options{Log: mqtttest.Log(t), Version: "test", Store: s.disk.Options(), Ready: func(broker string) { ready <- broker }})
	if err != nil {
		t.Fatal(err)
	}
	s.Daemon = d
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case s.broker = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	s.till, err = mqtt.DialTerminal(ctx, mqtt.TerminalConfig{URL: "tcp://" + s.broker, Root: cfg.Root(), Name: "till1", Fleeting: true},
		func(r mqtt.Reply) { s.answers <- r })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.till.Close)
	return s
}

// send sends a sale.
func (s *cloudShop) send(t *testing.T, id string) {
	t.Helper()
	payload := fmt.Sprintf(`{"v":1,"id":%q,"at":%q,"body":{"customer":"+79161234567","items":[{"name":"Ананас","price":110,"quantity":1,"vat":"none"}],"payments":{"card":"#"}}}`,
		id, time.Now().Format(time.RFC3339))
	if err := s.till.Send(t.Context(), "sale", []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

// sell returns the callback_url of a sale when the service has it.
func (s *cloudShop) sell(t *testing.T, id string) string {
	t.Helper()
	s.send(t, id)
	s.await(t, id, fiscal.Registered)
	return <-s.urls
}

// awaitStatus waits for what is counted after the till was told.
func (s *cloudShop) awaitStatus(t *testing.T, good func(*CallbackStatus) bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		if got := s.Status().Callback; got != nil && good(got) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("status %+v", s.Status().Callback)
		}
	}
}

// await waits until the till is told that a command has come to a state.
func (s *cloudShop) await(t *testing.T, id string, want fiscal.State) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case r := <-s.answers:
			switch {
			case r.ID == id && r.State == string(want):
				return
			case r.Final && r.ID == id:
				t.Fatalf("%s ended as %s", r.ID, r.Payload)
			}
		case <-deadline:
			r, _, err := s.journal.byID(id)
			t.Fatalf("%s does not become %s: %+v, %v", id, want, r, err)
		}
	}
}

func post(t *testing.T, url, contentType string, body []byte) int {
	t.Helper()
	resp, err := http.Post(url, contentType, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// told is the data of a callback about the first edition of a document.
func (s *cloudShop) told(id string) string {
	doc := fiscal.Document{Stem: fiscal.Stem(s.cfg.Root(), id)}
	return fmt.Sprintf(`{"uuid":"uuid-of-%s","ofd_url":"https://ofd.example/r/1","error_code":0,"status":"processed"}`, doc.CloudKey())
}

// The service calls the address that it was given, and the sale is done.
func TestCallbackByTheListener(t *testing.T) {
	t.Parallel()
	s := startCloudShop(t, nil, nil)
	url := s.sell(t, "sale-1")
	if !strings.HasPrefix(url, s.cfg.LifePay.Callback.URL+"local/shop/main/1/") || !strings.HasSuffix(url, "/sale-1") || len(url) > callbackURLMax {
		t.Fatalf("callback_url %s", url)
	}
	contentType, body := form(t, true, s.told("sale-1"))
	if status := post(t, url[:len(url)-1]+"2", contentType, body); status != http.StatusNotFound {
		t.Errorf("the token opens another document: %d", status)
	}
	if status := post(t, strings.Replace(url, "/local/", "/other/", 1), contentType, body); status != http.StatusNotFound {
		t.Errorf("another node: %d", status)
	}
	if status := post(t, url, contentType, body); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	s.await(t, "sale-1", fiscal.Done)
	r, _, err := s.journal.byID("sale-1")
	if err != nil || r.State != fiscal.Done || r.Receipt == nil || r.Receipt.URL != "https://ofd.example/r/1" {
		t.Errorf("%v, %+v", err, r)
	}
	for _, late := range []string{s.told("sale-1"), `{"status":"waiting for retry"}`, `{"error_code":3896,"status":"error"}`} {
		contentType, body := form(t, true, late)
		if status := post(t, url, contentType, body); status != http.StatusOK {
			t.Errorf("%s afterwards: %d", late, status)
		}
	}
	again, _, err := s.journal.byID("sale-1")
	if err != nil || again.N != r.N || again.State != fiscal.Done {
		t.Errorf("a repeat moves the record from %d to %d, %s, %v", r.N, again.N, again.State, err)
	}
	s.awaitStatus(t, func(c *CallbackStatus) bool {
		return c.Heard == 4 && c.Refused == 1 && c.Listen != "" && c.URL == s.cfg.LifePay.Callback.URL
	})
}

// The service may call before it has answered the request (reference 6.3).
func TestCallbackBeforeTheReply(t *testing.T) {
	t.Parallel()
	statuses := make(chan int, 1)
	s := startCloudShop(t, nil, func(url string) {
		contentType, body := form(t, false, processed)
		statuses <- post(t, url, contentType, body)
	})
	s.send(t, "sale-1")
	s.await(t, "sale-1", fiscal.Done)
	if status := <-statuses; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

// What a relay passes on does the same; garbage is acknowledged and dropped.
func TestCallbackByARelay(t *testing.T) {
	t.Parallel()
	s := startCloudShop(t, func(c *Config) { c.LifePay.Callback.Listen, c.LifePay.Callback.URL = "", "https://relay.example/lp" }, nil)
	path, ok := strings.CutPrefix(s.sell(t, "sale-1"), "https://relay.example/lp/local/shop/main/")
	if !ok {
		t.Fatal("another address")
	}
	relay := mqtttest.MustConnect(t, "tcp://"+s.broker)
	topic := s.topics.Callback(mqtt.CallbackLifePay)
	contentType, body := form(t, false, s.told("sale-1"))
	for _, garbage := range []string{
		"", "{}", "hello", `{"v":1,"path":"1/x/sale-1","content_type":"","body":""}`,
		string(mqtt.EncodeCallback(mqtt.Callback{Path: "2" + path[1:], ContentType: contentType, Body: body})),
	} {
		relay.Send(t, topic, garbage, false)
	}
	relay.Send(t, topic, string(mqtt.EncodeCallback(mqtt.Callback{Path: path, ContentType: contentType, Body: body})), true)
	s.await(t, "sale-1", fiscal.Done)
	s.awaitStatus(t, func(c *CallbackStatus) bool { return c.Heard == 1 && c.Listen == "" })
	fresh := mqtttest.MustConnect(t, "tcp://"+s.broker)
	fresh.SubscribeTo(t, topic)
	fresh.Send(t, topic, "fence", false)
	if m := fresh.Next(t); string(m.Payload()) != "fence" {
		t.Errorf("a callback stays at the broker: %s", m.Payload())
	}
}

func TestCallbackInsists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			good, calls int // the call that succeeds, 0 for none
			after       time.Duration
		}{{1, 1, insistEvery}, {3, 3, 3 * insistEvery}, {0, insistMax, insistMax * insistEvery}} {
			calls, begun := 0, time.Now()
			heard := insist(t.Context(), func() bool { calls++; return calls == test.good })
			if heard != (test.good > 0) || calls != test.calls || time.Since(begun) != test.after {
				t.Errorf("%+v: %v after %d calls and %v", test, heard, calls, time.Since(begun))
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if insist(ctx, func() bool { return false }) {
			t.Error("heard after the end")
		}
	})
}

// A callback is acknowledged to the broker once it is stored, be it later, and
// never if it is not.
func TestCallbackIsAcknowledgedWhenStored(t *testing.T) {
	t.Parallel()
	for good, want := range map[int]time.Duration{1: 0, 2: insistEvery, insistMax + 1: insistMax * insistEvery, insistMax + 2: -1} {
		synctest.Test(t, func(t *testing.T) {
			k, calls, begun, acked := &desk{ctx: t.Context()}, 0, time.Now(), []time.Duration{}
			k.acknowledgeStored(func() bool { calls++; return calls == good }, func() { acked = append(acked, time.Since(begun)) })
			k.wait()
			if want < 0 && len(acked) == 0 {
				return
			}
			if !slices.Equal(acked, []time.Duration{want}) {
				t.Errorf("stored by call %d: acknowledged after %v, want %v", good, acked, want)
			}
		})
	}
}

func TestCallbackConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string // "": good
	}{
		{"nothing", func(c *Config) { c.LifePay.Callback = CallbackConfig{} }, ""},
		{"listener", func(c *Config) { c.LifePay.Callback.Listen = "127.0.0.1:8443" }, ""},
		{"relay", func(c *Config) {}, ""},
		{"no url", func(c *Config) { c.LifePay.Callback = CallbackConfig{Listen: "127.0.0.1:8443"} }, "callback.url"},
		{"plain url", func(c *Config) { c.LifePay.Callback.URL = "http://shop.example" }, "use https"},
		{"query", func(c *Config) { c.LifePay.Callback.URL = "https://shop.example/?a=b" }, "query"},
		{"odd path", func(c *Config) { c.LifePay.Callback.URL = "https://shop.example/a//b" }, "begins with /"},
		{"open to all", func(c *Config) { c.LifePay.Callback.Listen = ":8443" }, "in the clear"},
		{"certificate of nothing", func(c *Config) { c.LifePay.Callback.CertFile = "x" }, "belong to listen"},
		{"half a certificate", func(c *Config) { c.LifePay.Callback.Listen, c.LifePay.Callback.KeyFile = "127.0.0.1:1", "x" }, "together"},
		{"long url", func(c *Config) { c.LifePay.Callback.URL = "https://shop.example/" + strings.Repeat("a", 150) }, "29 characters too long"},
		{"relay's name", func(c *Config) { c.LifePay.Callback.RelayUser = "Relay" }, "relay_user"},
		{"relay without users", func(c *Config) { c.LifePay.Callback.RelayUser = "relay" }, "users_file"},
		{"relay", func(c *Config) { c.LifePay.Callback.RelayUser, c.Broker.UsersFile = "relay", "users" }, ""},
		{"relay and manager", func(c *Config) {
			c.LifePay.Callback.RelayUser, c.Broker.UsersFile = "relay", "users"
			c.Managers = map[string]ManagerConfig{"relay": {}}
		}, "already"},
		{"relay and terminal", func(c *Config) {
			c.LifePay.Callback.RelayUser, c.Broker.UsersFile = "till1", "users"
			c.Terminals = map[string]TerminalConfig{"till1": {}}
		}, "already"},
	} {
		c := DefaultConfig()
		c.DataDir = t.TempDir()
		c.LifePay = &LifePayConfig{Login: "79161234567", Callback: CallbackConfig{URL: "https://shop.example/lp"}}
		test.change(&c)
		err := c.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// The longest address that the check lets through fits, to the last character.
func TestCallbackURLFits(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.DataDir = t.TempDir()
	c.LifePay = &LifePayConfig{Login: "79161234567", Callback: CallbackConfig{URL: "https://shop.example/"}}
	for c.Validate() == nil {
		c.LifePay.Callback.URL += "a"
	}
	c.LifePay.Callback.URL = strings.TrimSuffix(c.LifePay.Callback.URL, "a")
	k := &callbacks{base: c.LifePay.Callback.base(c.Root()), secret: make([]byte, callbackSecretSize), log: slog.New(slog.DiscardHandler)}
	id := strings.Repeat("z", 64)
	url := k.url(fiscal.Document{ID: id, Stem: fiscal.Stem(c.Root(), id), Edition: mqtt.CallbackEditionMax - 1})
	if len(url) != callbackURLMax {
		t.Errorf("the longest url has %d characters", len(url))
	}
}
