package sim

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"kassad/daemon"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/mqtt/broker"
	"kassad/mqtt/mqtttest"
)

// Each terminal may what its section says; questions about itself it may
// always.
func TestTerminalRights(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Printers: twoPrinters(), Config: func(c *daemon.Config) {
		c.Terminals = map[string]daemon.TerminalConfig{
			"till1": {Rights: []string{"shift-open", "sale", "x-report"}, Device: "front", Route: "back"},
			"till2": {Rights: []string{"*"}, Device: "back"},
		}
	}})
	e := listen(t, s, s.url())
	ask := func(terminal string, verb fiscal.Verb, body obj, state fiscal.State) Answer {
		id := NewID()
		return e.ask(t, terminal, verb, id, Request(id, body), state)
	}
	ask("till1", fiscal.VerbShiftOpen, obj{}, fiscal.Done)
	ask("till2", fiscal.VerbShiftOpen, obj{}, fiscal.Done)
	// Receipts go by the route, the rest by the device.
	if a := strict[wireAnswer](t, string(ask("till1", fiscal.VerbSale, tea(), fiscal.Done).Raw)); a.Route != "back" {
		t.Errorf("the sale went to %s", a.Route)
	}
	if a := strict[wireAnswer](t, string(ask("till1", fiscal.VerbXReport, obj{}, fiscal.Done).Raw)); a.Route != "front" {
		t.Errorf("the report came from %s", a.Route)
	}
	for _, verb := range []fiscal.Verb{fiscal.VerbRefund, fiscal.VerbShiftClose, fiscal.VerbCashOut, fiscal.VerbDrawer, fiscal.VerbCounters} {
		refusedAs(t, ask("till1", verb, obj{}, fiscal.Rejected), fiscal.Rejected, fiscal.CodeNoRight)
	}
	refusedAs(t, ask("till3", fiscal.VerbSale, tea(), fiscal.Rejected), fiscal.Rejected, fiscal.CodeUnknownTerminal)
	ask("till1", fiscal.VerbStatus, obj{}, fiscal.Done)
	ask("till2", fiscal.VerbRefund, tea(), fiscal.Done)
	h := strict[wireAnswer](t, string(ask("till1", fiscal.VerbHello, obj{}, fiscal.Done).Raw)).Hello
	if !slices.Equal(h.Rights, []string{"sale", "shift-open", "x-report"}) || h.Device != "front" || h.Route != "back" || h.Terminal != "till1" {
		t.Errorf("hello %+v", h)
	}
	if info := strict[wireInfo](t, e.wait(t, "info", on("node/info", "till1")).payload); !slices.Equal(info.Terminals, []string{"till1", "till2"}) {
		t.Errorf("terminals %v", info.Terminals)
	}
}

// usersFile writes names with passwords "pw-{name}".
func usersFile(t *testing.T, names ...string) string {
	t.Helper()
	var text strings.Builder
	for _, n := range names {
		hash, err := broker.HashPassword(mqtt.Secret("pw-" + n))
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(n + ":" + hash + "\n")
	}
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secured has TLS and users till1, till2 and the manager ivanov, who may a few
// operations, and petrov, who may all.
func secured(t *testing.T) (change func(*daemon.Config), as func(name string) func(*paho.ClientOptions)) {
	t.Helper()
	cert, key := mqtttest.Certificate(t)
	users := usersFile(t, "till1", "till2", "ivanov", "petrov")
	change = func(c *daemon.Config) {
		c.Broker.Listen = "0.0.0.0:0"
		c.Broker.CertFile, c.Broker.KeyFile, c.Broker.UsersFile = cert, key, users
		c.Terminals = map[string]daemon.TerminalConfig{"till1": {Rights: []string{"*"}}, "till2": {Rights: []string{"*"}}}
		c.Managers = map[string]daemon.ManagerConfig{"ivanov": {Ops: []string{"status"}}, "petrov": {Ops: []string{"*"}}}
	}
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	as = func(name string) func(*paho.ClientOptions) {
		return func(o *paho.ClientOptions) {
			o.SetTLSConfig(&tls.Config{RootCAs: pool, ServerName: "localhost"}).SetUsername(name).SetPassword("pw-" + name)
		}
	}
	return change, as
}

func (s *Shop) tlsURL() string {
	return "ssl://127.0.0.1:" + s.Broker[strings.LastIndexByte(s.Broker, ':')+1:]
}

// On the embedded broker with users a terminal speaks and hears for itself
// only, and nobody without a password speaks at all.
func TestTerminalsAreKeptApart(t *testing.T) {
	t.Parallel()
	change, as := secured(t)
	s := openShop(t, Options{Config: change})
	root := s.Config.Root()
	till1 := listenTo(t, root, s.tlsURL(), "res/till1/#", as("till1"))
	till2 := listenTo(t, root, s.tlsURL(), "res/till2/#", as("till2"))
	for _, filter := range []string{"/res/till2/#", "/res/#", "/cmd/#", "/cmd/till1/sale", "/last/till2", "/#", "/evt/#", "/mgmt/#"} {
		if granted := till1.SubscribeTo(t, root+filter); granted != 0x80 {
			t.Errorf("till1 may read %s: %#x", filter, granted)
		}
	}
	// Published for another terminal: taken by the broker, dropped, no answer.
	till1.say(t, "cmd/till2/shift-open", Request("forged", obj{}))
	till1.say(t, "res/till2/sale", []byte(`{"v":1,"id":"forged","state":"done"}`))
	till1.say(t, "mgmt/req/status", []byte(`{"v":1,"id":"m","by":"petrov"}`))
	till2.ask(t, "till2", fiscal.VerbShiftOpen, "own", Request("own", obj{}), fiscal.Done)
	till1.ask(t, "till1", fiscal.VerbSale, "sale", Request("sale", tea()), fiscal.Done)
	for _, e := range []*ear{till1, till2} {
		e.mu.Lock()
		for _, h := range e.all {
			if strings.Contains(h.payload, "forged") {
				t.Errorf("heard %+v", h)
			}
		}
		e.mu.Unlock()
	}
	if got := documents(s, "front"); got != 3 {
		t.Errorf("%d documents", got)
	}
	for what, change := range map[string]func(*paho.ClientOptions){
		"no password": func(o *paho.ClientOptions) { o.SetUsername("till1").SetPassword("") },
		"a guess":     func(o *paho.ClientOptions) { o.SetUsername("till1").SetPassword("pw-till2") },
		"nobody":      func(o *paho.ClientOptions) { o.SetUsername("").SetPassword("") },
		"the daemon":  func(o *paho.ClientOptions) { o.SetUsername("$kassad").SetPassword("x") },
	} {
		if _, err := mqtttest.Connect(t, s.tlsURL(), as("till1"), change); err == nil {
			t.Errorf("%s gets in", what)
		}
	}
}

// An id of another terminal alone tells nothing, and stops nothing. The very same
// command is a repeat, whoever sends it: it is not made again. What is denied
// stands as an alert.
func TestAnothersIDTellsNothing(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: func(c *daemon.Config) {
		c.Terminals = map[string]daemon.TerminalConfig{"till1": {Rights: []string{"*"}}, "till2": {Rights: []string{"*"}}}
	}})
	e := listen(t, s, s.url())
	e.ask(t, "till1", fiscal.VerbShiftOpen, "open", Request("open", obj{}), fiscal.Done)
	sale := Request("sale", tea())
	e.ask(t, "till1", fiscal.VerbSale, "sale", sale, fiscal.Done)
	answered := func(verb fiscal.Verb, id string, payload []byte, code fiscal.Code) {
		t.Helper()
		a := e.ask(t, "till2", verb, id, payload, fiscal.Rejected)
		refusedAs(t, a, fiscal.Rejected, code)
		if strings.Contains(string(a.Raw), `"fn"`) {
			t.Errorf("%s tells %s", verb, a.Raw)
		}
	}
	other := Request("sale", obj{})
	answered(fiscal.VerbShiftOpen, "sale", other, fiscal.CodeIDConflict)
	answered(fiscal.VerbQuery, "ask", Request("ask", obj{"id": "sale"}), fiscal.CodeNoRight)
	answered(fiscal.VerbCancel, "stop", Request("stop", obj{"id": "sale"}), fiscal.CodeNoRight)
	e.wait(t, "the alert", on("node/alert/access-denied", "till2: no-right"))
	mark := e.mark()
	for _, till := range []string{"till1", "till2"} {
		if a := e.ask(t, till, fiscal.VerbSale, "sale", sale, fiscal.Done); !strings.Contains(string(a.Raw), `"dup":true`) {
			t.Errorf("again by %s: %s", till, a.Raw)
		}
	}
	e.say(t, "cmd/till1/query", Request("ask2", obj{"id": "sale"}))
	e.after(t, mark, "its own answer", func(h heard) bool {
		return h.topic == "res/till1/query" && strings.Contains(h.payload, `"fn"`)
	})
	if got := documents(s, "front"); got != 3 {
		t.Errorf("%d documents", got)
	}
}

// Management is for who has logged in under the name, and has the right.
func TestManagersAreWhoTheySay(t *testing.T) {
	t.Parallel()
	change, as := secured(t)
	s := openShop(t, Options{Config: change})
	root := s.Config.Root()
	ivanov := listenTo(t, root, s.tlsURL(), "mgmt/res/#", as("ivanov"))
	petrov := listenTo(t, root, s.tlsURL(), "#", as("petrov"))
	if a := ivanov.manage(t, "status", "ivanov", nil); a.State != "done" || len(a.Result) == 0 {
		t.Errorf("%+v", a)
	}
	refused := func(e *ear, op, by string) {
		t.Helper()
		if a := e.manage(t, op, by, nil); a.State != "rejected" || a.Error.Code != "no-right" || !a.Error.hasAll() {
			t.Errorf("%s by %s: %+v", op, by, a)
		}
		petrov.wait(t, "the audit", on("evt/audit", `"op":"`+op+`","by":"`+by+`","via":"shop","outcome":"no-right"`))
	}
	refused(ivanov, "status", "petrov")
	refused(ivanov, "config-get", "ivanov")
	refused(petrov, "doctor", "ivanov")
	refused(petrov, "doctor", "nobody")
	if a := petrov.manage(t, "config-get", "petrov", nil); a.State != "done" {
		t.Errorf("%+v", a)
	}
	petrov.wait(t, "the audit", on("evt/audit", `"op":"config-get","by":"petrov","via":"shop","outcome":"done"`))
	// Who has logged in is counted, not the name that was written into a request.
	petrov.wait(t, "the alert", on("node/alert/access-denied", "ivanov: management"))
	logs := petrov.manage(t, "logs", "petrov", nil)
	for _, want := range []string{`op=status from=ivanov by=petrov`, `op=config-get from=ivanov by=ivanov`, `op=doctor from=petrov by=nobody`} {
		if !strings.Contains(string(logs.Result), "management refused\\\" "+want) {
			t.Errorf("the log has no %s:\n%s", want, logs.Result)
		}
	}
	// What cannot be read is in the audit as well.
	mark := petrov.mark()
	petrov.say(t, "mgmt/req/status", []byte(`{"v":1`))
	petrov.after(t, mark, "the audit of nonsense", on("evt/audit", `"op":"status","by":"","via":"shop","outcome":"bad-json"`))
}

// A configuration that would let strangers in is refused with a sentence that
// says what to do.
func TestUnsafeConfigurations(t *testing.T) {
	t.Parallel()
	cert, key := mqtttest.Certificate(t)
	users := usersFile(t, "till1")
	for what, test := range map[string]struct {
		change func(*daemon.Config)
		want   []string
	}{
		"beyond loopback": {func(c *daemon.Config) { c.Broker.Listen = "0.0.0.0:1883" }, []string{"cert_file", "users_file", "127.0.0.1"}},
		"all interfaces":  {func(c *daemon.Config) { c.Broker.Listen = ":1883" }, []string{"cert_file", "users_file", "127.0.0.1"}},
		"TLS, nobody known": {func(c *daemon.Config) {
			c.Broker.Listen, c.Broker.CertFile, c.Broker.KeyFile = "192.168.1.5:8883", cert, key
		}, []string{"users_file"}},
		"password in clear": {func(c *daemon.Config) { c.Broker.Listen, c.Broker.UsersFile = "192.168.1.5:1883", users }, []string{"cert_file"}},
		"plain url": {func(c *daemon.Config) {
			c.MQTT = []daemon.LinkConfig{{URL: "tcp://mqtt.example.org:1883", Role: "office"}}
		}, []string{"ssl://", "allow_plaintext"}},
		"password in the url": {func(c *daemon.Config) { c.MQTT = []daemon.LinkConfig{{URL: "tcp://me:secret@127.0.0.1", Role: "shop"}} }, []string{"password_file"}},
		"no role":             {func(c *daemon.Config) { c.MQTT = []daemon.LinkConfig{{URL: "tcp://127.0.0.1"}} }, []string{"shop", "office"}},
	} {
		c := daemon.DefaultConfig()
		c.DataDir = t.TempDir()
		c.Devices = []daemon.DeviceConfig{daemon.DeviceConfig{Name: "front", Kind: "shtrih-m", Address: "tcp://127.0.0.1:1"}.WithDefaults()}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		test.change(&c)
		err := c.Validate()
		if err == nil {
			t.Errorf("%s: allowed", what)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", what, err, want)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q tells the password", what, err)
		}
	}
}
