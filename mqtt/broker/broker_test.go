package broker_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"kassad/mqtt"
	"kassad/mqtt/broker"
	"kassad/mqtt/mqtttest"
)

const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, mqtttest.LeakOptions()...) }

// shop is a broker with two terminals and a manager; passwords are pw-{name}.
type shop struct {
	*broker.Broker
	topics mqtt.Topics
	url    string
	users  string
	mu     sync.Mutex
	denied []broker.Denied
}

// cheapHash is HashPassword at the least cost: bcrypt is slow on purpose.
func cheapHash(password string) string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(hash)
}

var usersFile = sync.OnceValue(func() string {
	var b strings.Builder
	for _, name := range []string{"till1", "till2", "ivanov", "petrov", "relay"} {
		b.WriteString(name + ":" + cheapHash("pw-"+name) + "\n")
	}
	return "# shop\n\n" + b.String()
})

func startShop(t *testing.T, change ...func(*broker.Config)) *shop {
	t.Helper()
	s := &shop{topics: mqtttest.Topics(t), users: filepath.Join(t.TempDir(), "users")}
	if err := os.WriteFile(s.users, []byte(usersFile()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Broker = mqtttest.StartBroker(t, append([]func(*broker.Config){func(c *broker.Config) {
		c.UsersFile, c.Managers, c.Relay = s.users, []string{"ivanov", "petrov"}, "relay"
		c.OnDenied = func(d broker.Denied) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.denied = append(s.denied, d)
		}
	}}, change...)...)
	s.url = "tcp://" + s.Addr()
	return s
}

func (s *shop) login(t *testing.T, name string, change ...func(*paho.ClientOptions)) *mqtttest.Client {
	t.Helper()
	url, password := s.url, "pw-"+name
	if name == "daemon" {
		user, secret := s.Credential()
		url, name, password = s.LocalURL(), user, secret.Reveal()
	}
	return mqtttest.MustConnect(t, url, append([]func(*paho.ClientOptions){mqtttest.Login(name, password)}, change...)...)
}

func (s *shop) sawDenial(user, what, topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.denied {
		if d.User == user && d.What == what && d.Topic == topic {
			return true
		}
	}
	return false
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	cert, key := mqtttest.Certificate(t)
	users := filepath.Join(t.TempDir(), "users")
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	beyond := "give cert_file, key_file and users_file in [broker], or listen on 127.0.0.1:1883"
	for _, test := range []struct {
		name   string
		change func(*broker.Config)
		want   string
	}{
		{"whole network", func(c *broker.Config) { c.Listen = ":1883" }, beyond},
		{"LAN address", func(c *broker.Config) { c.Listen = "192.168.1.1:1883" }, beyond},
		{"certificate without users", func(c *broker.Config) { c.Listen, c.CertFile, c.KeyFile = "0.0.0.0:8883", cert, key }, beyond},
		{"users without certificate", func(c *broker.Config) { c.Listen, c.UsersFile = "0.0.0.0:8883", users }, beyond},
		{"half a certificate", func(c *broker.Config) { c.CertFile = cert }, "go together"},
		{"no port", func(c *broker.Config) { c.Listen = "localhost" }, "host:port"},
		{"no such file", func(c *broker.Config) { c.UsersFile = users }, "users file"},
		{"clear password", func(c *broker.Config) { c.UsersFile = write("# x\ntill1:hunter2\n") }, "line 2: till1 has no bcrypt hash"},
		{"bad name", func(c *broker.Config) { c.UsersFile = write("Till 1:x\n") }, "line 1"},
		{"twice", func(c *broker.Config) { c.UsersFile = write(usersFile() + usersFile()) }, "till1 is there twice"},
		{"manager", func(c *broker.Config) { c.Managers = []string{"Ivanov"} }, `manager "Ivanov"`},
		{"relay", func(c *broker.Config) { c.Relay = "Relay" }, `relay "Relay"`},
		{"root", func(c *broker.Config) { c.Topics = mqtt.Topics{} }, "topic root"},
	} {
		config := broker.Config{Listen: "127.0.0.1:0", Topics: mqtttest.Topics(t)}
		test.change(&config)
		_, err := broker.New(config, slog.New(slog.DiscardHandler))
		if !errors.Is(err, broker.ErrConfig) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	if _, err := broker.HashPassword(""); err == nil {
		t.Error("an empty password is hashed")
	}
}

// TestRights is the whole matrix: who may publish and read what.
func TestRights(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	topics := s.topics
	daemon := s.login(t, "daemon")
	daemon.SubscribeTo(t, "#")
	for _, test := range []struct {
		user           string
		publish, no    []string
		reads, mustNot []string
	}{
		{
			user:    "till1",
			publish: []string{topics.Command("till1", "sale"), topics.Command("till1", "x-report")},
			no: []string{
				topics.Command("till2", "sale"), topics.Result("till1", "sale"), topics.Result("till2", "sale"), topics.Last("till1"),
				topics.NodeState(), topics.NodeAlert("x"), topics.SpoolState(), topics.Device("front", "state"), topics.Event("receipt"),
				topics.Request("restart"), topics.Response("restart"), "elsewhere", "$SYS/broker/version", "$sys", "$other", topics.Root() + "/cmd/till1/sale/x", topics.Root() + "/cmd/till1",
				topics.Probe("x"), topics.Callback("lifepay"),
			},
			reads: []string{
				topics.Results("till1"), topics.Result("till1", "sale"), topics.Last("till1"), topics.Root() + "/node/#", topics.NodeState(),
				topics.Root() + "/node/alert/+", topics.Root() + "/dev/#", topics.Root() + "/dev/+/state", topics.SpoolState(),
			},
			mustNot: []string{
				"#", "+/#", topics.Everything(), topics.Results("till2"), topics.Root() + "/res/#", topics.Root() + "/res/+/sale", topics.Last("till2"),
				topics.Root() + "/last/+", topics.Commands(), topics.Command("till1", "sale"), topics.Event("receipt"), topics.Root() + "/evt/#",
				topics.Requests(), topics.Response("doctor"), "$share/g/" + topics.Results("till1"), "$SYS/#", topics.Root() + "/+/till2/sale",
				topics.Root() + "/res/till11/#", topics.Callback("lifepay"), topics.Root() + "/callback/#",
			},
		},
		{
			user:    "ivanov",
			publish: []string{topics.Request("status"), topics.Request("resolve")},
			no: []string{
				topics.Command("till1", "sale"), topics.Command("ivanov", "sale"), topics.Response("status"), topics.Result("till1", "sale"),
				topics.NodeState(), topics.Event("audit"), topics.Root() + "/mgmt/req/status/x", "elsewhere", topics.Callback("lifepay"),
			},
			reads:   []string{topics.Everything(), topics.Root() + "/res/#", topics.Root() + "/evt/#", topics.Response("status"), topics.Root() + "/+/till1/sale"},
			mustNot: []string{"#", "kassad/v1/#", topics.Commands(), topics.Command("till1", "sale"), topics.Root() + "/cmd/#", "$share/g/" + topics.Everything(), topics.Callback("lifepay"), topics.Root() + "/callback/+"},
		},
		{
			user:    "relay",
			publish: []string{topics.Callback("lifepay"), topics.Probe("0a1b")},
			no: []string{
				topics.Command("till1", "sale"), topics.Command("relay", "sale"), topics.Request("restart"), topics.NodeState(),
				topics.Result("till1", "sale"), topics.Callback("lifepay") + "/x", "kassad/v1/local/shop/other/callback/lifepay",
			},
			reads:   []string{topics.Probe("0a1b")},
			mustNot: []string{"#", topics.Everything(), topics.Callback("lifepay"), topics.Root() + "/node/#", topics.NodeState(), topics.Results("relay")},
		},
	} {
		c := s.login(t, test.user)
		for _, topic := range test.no { // acknowledged, dropped, told; then an allowed one comes first
			c.Send(t, topic, "denied", true)
			if !s.sawDenial(test.user, "publish", topic) {
				t.Errorf("%s: publish to %s is not reported", test.user, topic)
			}
		}
		for _, topic := range test.publish {
			c.Send(t, topic, test.user, true)
			if m := daemon.Next(t); m.Topic() != topic || string(m.Payload()) != test.user {
				t.Errorf("%s: daemon got %s %s, want %s", test.user, m.Topic(), m.Payload(), topic)
			}
		}
		for _, filter := range test.reads {
			if granted := c.SubscribeTo(t, filter); granted != 1 {
				t.Errorf("%s: subscribe %s: %#x", test.user, filter, granted)
			}
		}
		for _, filter := range test.mustNot {
			if granted := c.SubscribeTo(t, filter); granted != 0x80 {
				t.Errorf("%s: subscribe %s: %#x", test.user, filter, granted)
			}
			if !s.sawDenial(test.user, "subscribe", filter) {
				t.Errorf("%s: subscribe to %s is not reported", test.user, filter)
			}
		}
	}
	newcomer := s.login(t, "daemon")
	newcomer.SubscribeTo(t, topics.Root()+"/#")
	newcomer.Send(t, topics.NodeState(), "fence", false)
	if m := newcomer.Next(t); string(m.Payload()) != "fence" {
		t.Errorf("something is retained by a terminal or manager: %s", m.Topic())
	}
}

// A manager reads the whole tree, and still sees no command and no token.
func TestManagerSeesNoCommands(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	manager, till, relay := s.login(t, "ivanov"), s.login(t, "till1"), s.login(t, "relay")
	manager.SubscribeTo(t, s.topics.Everything())
	manager.SubscribeTo(t, s.topics.Root()+"/+/+/sale")
	till.Send(t, s.topics.Command("till1", "sale"), "secret", false)
	relay.Send(t, s.topics.Callback("lifepay"), "token", false)
	daemon := s.login(t, "daemon")
	daemon.Send(t, s.topics.NodeState(), "fence", false)
	if m := manager.Next(t); string(m.Payload()) != "fence" {
		t.Errorf("got %s", m.Topic())
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	name, secret := s.Credential()
	if !s.Authenticates() {
		t.Error("does not authenticate")
	}
	for _, test := range []struct{ user, password string }{
		{"", ""}, {"till1", ""}, {"till1", "pw-till2"}, {"till9", "pw-till9"}, {name, "guess"}, {"till1", secret.Reveal()},
	} {
		if _, err := mqtttest.Connect(t, s.url, mqtttest.Login(test.user, test.password)); !errors.Is(err, packets.ErrorRefusedNotAuthorised) {
			t.Errorf("%s: got %v", test.user, err)
		}
	}
	s.login(t, "till1")
	s.login(t, "till1") // by the remembered proof
	s.login(t, "daemon")

	// A name added later may log in without a restart; a broken file changes nothing.
	hash, err := broker.HashPassword("pw-till3")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.users, []byte("till3:"+hash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.login(t, "till3")
	if _, err := mqtttest.Connect(t, s.url, mqtttest.Login("till1", "pw-till1")); err == nil {
		t.Error("a removed name logs in")
	}
	if err := os.WriteFile(s.users, []byte("broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.login(t, "till3")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := mqtttest.Certificate(t)
	s := startShop(t, func(c *broker.Config) { c.CertFile, c.KeyFile = cert, key })
	url := "ssl://" + s.Addr()
	for _, test := range []struct {
		name   string
		change func(*mqtt.LinkConfig)
		want   string
	}{
		{"good", func(*mqtt.LinkConfig) {}, ""},
		{"unknown authority", func(c *mqtt.LinkConfig) { c.CAFile = "" }, "certificate"},
		{"plain text", func(c *mqtt.LinkConfig) { c.URL, c.CAFile = "tcp://"+s.Addr(), "" }, "connect"},
		{"wrong password", func(c *mqtt.LinkConfig) { c.Password = "x" }, "not Authorized"},
		{"daemon's door, terminal's name", func(c *mqtt.LinkConfig) { c.URL, c.CAFile = s.LocalURL(), "" }, "not Authorized"},
		{"daemon", func(c *mqtt.LinkConfig) {
			c.URL, c.CAFile = s.LocalURL(), ""
			c.Username, c.Password = s.Credential()
			c.Subscriptions = []string{s.topics.Commands(), s.topics.Requests()}
		}, ""},
	} {
		up, down := make(chan struct{}, 1), make(chan error, 100)
		config := mqtt.LinkConfig{
			Name: "test", URL: url, ClientID: "link", Username: "till1", Password: "pw-till1", CAFile: cert, Topics: s.topics,
			OnUp:   func(context.Context, bool) { up <- struct{}{} },
			OnDown: func(err error) { down <- err },
		}
		test.change(&config)
		if test.name == "good" {
			// A terminal cannot publish the loop-back message; it is turned
			// away later than at the door, by silence.
			config.Tuning.ConnectTimeout = 2 * time.Second
		}
		l, err := mqtt.NewLink(config, mqtttest.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		l.Start(t.Context())
		select {
		case <-up:
			if test.want != "" {
				t.Errorf("%s: is up", test.name)
			}
		case err := <-down:
			if test.want == "" && !errors.Is(err, mqtt.ErrLoopBack) || test.want != "" && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v", test.name, err)
			}
		case <-time.After(patience):
			t.Errorf("%s: nothing happens", test.name)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if c, err := tls.Dial("tcp", s.Addr(), old); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is taken")
	}
}

func TestPublisherOfARequest(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	ivanov, petrov, daemon := s.login(t, "ivanov"), s.login(t, "petrov"), s.login(t, "daemon")
	daemon.SubscribeTo(t, s.topics.Requests())
	topic := s.topics.Request("resolve")
	who := func() string {
		m := daemon.Next(t)
		name, ok := s.Publisher(m.Topic(), m.Payload())
		if ok != (name != "") {
			t.Errorf("%q, %v", name, ok)
		}
		return name
	}
	ivanov.Send(t, topic, `{"id":"1"}`, false)
	if got := who(); got != "ivanov" {
		t.Errorf("got %q", got)
	}
	petrov.Send(t, topic, `{"id":"2"}`, false)
	if got := who(); got != "petrov" {
		t.Errorf("got %q", got)
	}
	petrov.Send(t, topic, `{"id":"1"}`, false) // ivanov's, letter by letter
	if got := who(); got != "" {
		t.Errorf("got %q", got)
	}
	if _, ok := s.Publisher(topic, []byte(`{"id":"3"}`)); ok {
		t.Error("knows what nobody sent")
	}
}

func TestAnybodyOnLoopbackWithoutUsers(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	topics := mqtttest.Topics(t)
	c := mqtttest.MustConnect(t, b.LocalURL(), mqtttest.Login("whoever", ""))
	if c.SubscribeTo(t, "#") != 1 || b.Authenticates() {
		t.Error("refused")
	}
	c.Send(t, topics.Command("till1", "sale"), "x", false)
	if m := c.Next(t); m.Topic() != topics.Command("till1", "sale") {
		t.Errorf("got %s", m.Topic())
	}
	name, _ := b.Credential()
	if _, err := mqtttest.Connect(t, b.LocalURL(), mqtttest.Login(name, "")); err == nil {
		t.Error("the daemon's name needs no password")
	}
}

// A command or request that is published retained reaches the daemon with the
// flag, and the broker keeps nothing of it, even where everybody may do
// everything.
func TestRetainedCommandIsToldAndNotKept(t *testing.T) {
	t.Parallel()
	b, topics := mqtttest.StartBroker(t), mqtttest.Topics(t)
	daemon := mqtttest.MustConnect(t, b.LocalURL())
	daemon.SubscribeTo(t, "#")
	client := mqtttest.MustConnect(t, b.LocalURL())
	for _, topic := range []string{topics.Command("till1", "sale"), topics.Request("status")} {
		client.Send(t, topic, "x", true)
		if m := daemon.Next(t); m.Topic() != topic || !m.Retained() || string(m.Payload()) != "x" {
			t.Errorf("got %s %q, retained %v", m.Topic(), m.Payload(), m.Retained())
		}
		client.Send(t, topic, "y", false)
		if m := daemon.Next(t); m.Retained() || string(m.Payload()) != "y" {
			t.Errorf("got %s %q, retained %v", m.Topic(), m.Payload(), m.Retained())
		}
	}
	late := mqtttest.MustConnect(t, b.LocalURL())
	late.SubscribeTo(t, "#")
	client.Send(t, "fence", "x", false)
	if m := late.Next(t); m.Topic() != "fence" {
		t.Errorf("kept: %s %q", m.Topic(), m.Payload())
	}
}
