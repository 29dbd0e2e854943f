package relay

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"kassad/mqtt"
	"kassad/mqtt/broker"
	"kassad/mqtt/mqtttest"
)

const patience = time.Minute

// running is a relay on a free port.
type running struct {
	*Relay
	url string
	log *journal
}

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// start runs a relay until the test ends.
func start(t *testing.T, brokers ...BrokerConfig) *running {
	t.Helper()
	for i := range brokers {
		brokers[i].fill()
		brokers[i].ClientID = strings.ReplaceAll(t.Name(), "/", "-") + string(rune('a'+i))
	}
	config := Config{Listen: "127.0.0.1:0", Prefix: "/lp", Rate: rateDefault, LogLevel: "info", Brokers: brokers}
	if err := config.validate(); err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	r, err := New(config, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- r.Run(ctx, func(address string) { ready <- address }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case address := <-ready:
		return &running{Relay: r, url: "http://" + address, log: log}
	case <-time.After(patience):
		t.Fatal("the relay does not begin")
		return nil
	}
}

// up waits until every broker is there.
func (r *running) up(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for r.ask(t, "/healthz") != http.StatusOK {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the brokers stay away:\n%s", r.log)
		}
	}
}

func (r *running) ask(t *testing.T, path string) int {
	t.Helper()
	resp, err := http.Get(r.url + path)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (r *running) post(t *testing.T, path, body string) int {
	t.Helper()
	resp, err := http.Post(r.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func pathOf(shop, id string) string { return "/lp/" + shop + "/1/" + token + "/" + id }

// Each callback goes to the broker and to the topic of its shop.
func TestRelayToTheRightShop(t *testing.T) {
	t.Parallel()
	one, two := mqtttest.StartBroker(t), mqtttest.StartBroker(t)
	r := start(t,
		BrokerConfig{URL: "tcp://" + one.Addr(), Shops: []string{"acme/shop-1/main", "acme/shop-2/*"}},
		BrokerConfig{URL: "tcp://" + two.Addr(), Shops: []string{"other/*/*"}, Root: "other/relay/relay"},
	)
	r.up(t)
	listen := func(b *broker.Broker) *mqtttest.Client {
		c := mqtttest.MustConnect(t, "tcp://"+b.Addr())
		c.SubscribeTo(t, "kassad/v1/+/+/+/callback/#")
		return c
	}
	first, second := listen(one), listen(two)
	for _, test := range []struct {
		shop string
		at   *mqtttest.Client
	}{{"acme/shop-1/main", first}, {"acme/shop-2/till", first}, {"other/shop-1/main", second}} {
		if status := r.post(t, pathOf(test.shop, "sale-1"), `{"uuid":"1"}`); status != http.StatusOK {
			t.Errorf("%s: %d", test.shop, status)
			continue
		}
		m := test.at.Next(t)
		c, refusal := mqtt.DecodeCallback(m.Payload())
		if want := "kassad/v1/" + test.shop + "/callback/lifepay"; m.Topic() != want || m.Qos() != 1 || m.Retained() || refusal != nil {
			t.Errorf("%s: got %s qos %d, %v", want, m.Topic(), m.Qos(), refusal)
		}
		if c.Path != "1/"+token+"/sale-1" || c.ContentType != "application/json" || string(c.Body) != `{"uuid":"1"}` {
			t.Errorf("%s: %+v", test.shop, c)
		}
	}
	for _, shop := range []string{"acme/shop-3/main", "acme/shop-1/other", "third/shop-1/main"} {
		if status := r.post(t, pathOf(shop, "sale-1"), "{}"); status != http.StatusNotFound {
			t.Errorf("%s: %d", shop, status)
		}
	}
	if log := r.log.String(); strings.Contains(log, token) || strings.Contains(log, "uuid") {
		t.Errorf("the log tells too much:\n%s", log)
	}
}

// 200 waits for the broker's acknowledgement, and comes with it.
func TestRelayWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	published := make(chan func(), 1)
	script := mqtttest.StartScript(t, func(c *mqtttest.ScriptConn, p packets.ControlPacket) bool {
		m, ok := p.(*packets.PublishPacket)
		if !ok || mqtttest.IsProbe(m.TopicName) {
			return false
		}
		published <- func() { c.Acknowledge(m.MessageID) }
		return true
	})
	r := start(t, BrokerConfig{URL: script.URL(), Shops: []string{"acme/shop-1/main"}})
	r.up(t)
	answered := make(chan int, 1)
	go func() { answered <- r.post(t, pathOf("acme/shop-1/main", "sale-1"), "{}") }()
	acknowledge := <-published
	select {
	case status := <-answered:
		t.Fatalf("%d before the broker has it", status)
	default:
	}
	acknowledge()
	if status := <-answered; status != http.StatusOK {
		t.Errorf("acknowledged: %d", status)
	}
	// The connection goes before the acknowledgement comes: nothing is certain.
	go func() { answered <- r.post(t, pathOf("acme/shop-1/main", "sale-2"), "{}") }()
	<-published
	script.Cut()
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Errorf("cut: %d", status)
	}
}

func TestRelayWithoutBroker(t *testing.T) {
	t.Parallel()
	r := start(t, BrokerConfig{URL: "tcp://" + mqtttest.FreeAddress(t), Shops: []string{"acme/shop-1/main"}})
	if status := r.post(t, pathOf("acme/shop-1/main", "sale-1"), "{}"); status != http.StatusServiceUnavailable {
		t.Errorf("callback: %d", status)
	}
	if status := r.ask(t, "/healthz"); status != http.StatusServiceUnavailable {
		t.Errorf("health: %d", status)
	}
	if log := r.log.String(); strings.Contains(log, token) || !strings.Contains(log, "not passed on") {
		t.Errorf("log:\n%s", log)
	}
}

// The embedded broker lets a relay in under a name of its own, with the rights
// of a relay.
func TestRelayAtTheEmbeddedBroker(t *testing.T) {
	t.Parallel()
	hash, err := broker.HashPassword("pw-relay")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	users, password := filepath.Join(dir, "users"), filepath.Join(dir, "password")
	for path, text := range map[string]string{users: "relay:" + hash + "\n", password: "pw-relay\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := mqtttest.StartBroker(t, func(c *broker.Config) { c.UsersFile, c.Relay = users, "relay" })
	name, secret := b.Credential()
	daemon := mqtttest.MustConnect(t, b.LocalURL(), mqtttest.Login(name, secret.Reveal()))
	daemon.SubscribeTo(t, mqtttest.Topics(t).Callback(mqtt.CallbackLifePay))
	r := start(t, BrokerConfig{URL: "tcp://" + b.Addr(), Username: "relay", PasswordFile: password, Shops: []string{"local/shop/main"}})
	r.up(t)
	if status := r.post(t, pathOf("local/shop/main", "sale-1"), "{}"); status != http.StatusOK {
		t.Errorf("%d", status)
	}
	if m := daemon.Next(t); !strings.HasSuffix(m.Topic(), "/callback/lifepay") {
		t.Errorf("got %s", m.Topic())
	}
	if strings.Contains(r.log.String(), "pw-relay") {
		t.Error("the log tells the password")
	}
}
