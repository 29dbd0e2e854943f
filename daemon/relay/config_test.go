package relay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kassad/mqtt"
)

const sample = `
listen = "0.0.0.0:8443"
cert_file = "/etc/kassad/relay.crt"
key_file = "/etc/kassad/relay.key"
prefix = "/lp"

[[broker]]
url = "ssl://mqtt.example.com:8883"
username = "relay"
password_file = "/etc/kassad/relay.password"
shops = ["acme/*/*"]
root = "acme/relay/main"

[[broker]]
url = "tcp://127.0.0.1:1883"
shops = ["other/shop/main"]
`

func TestConfig(t *testing.T) {
	t.Parallel()
	c, err := ParseConfig([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if c.Rate != rateDefault || c.LogLevel != "info" || c.Brokers[1].Root != "other/shop/main" ||
		!strings.HasPrefix(c.Brokers[0].ClientID, "kassad-relay-") {
		t.Errorf("defaults: %+v", c)
	}
	for shop, want := range map[string][2]bool{
		"acme/a/b": {true, false}, "other/shop/main": {false, true}, "other/shop/second": {false, false}, "acm/a/b": {false, false},
	} {
		topics, err := mqtt.ParseRoot("kassad/v1/" + shop)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{c.Brokers[0].reaches(topics), c.Brokers[1].reaches(topics)}; got != want {
			t.Errorf("%s: %v", shop, got)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, new, want string }{
		{`prefix =`, `prefixx =`, "prefixx"},
		{`prefix = "/lp"`, `prefix = "lp/"`, "prefix"},
		{`prefix = "/lp"`, `rate = -1`, "rate"},
		{`prefix = "/lp"`, `log_level = "loud"`, "log_level"},
		{`key_file = "/etc/kassad/relay.key"`, ``, "go together"},
		{`cert_file = "/etc/kassad/relay.crt"
key_file = "/etc/kassad/relay.key"`, ``, "in the clear"},
		{`root = "acme/relay/main"`, ``, "broker[0].root"},
		{`root = "acme/relay/main"`, `root = "acme/*/main"`, "broker[0].root"},
		{`["acme/*/*"]`, `["acme/*"]`, "broker[0].shops"},
		{`["acme/*/*"]`, `["Acme/*/*"]`, "broker[0].shops"},
		{`["acme/*/*"]`, `["acme/a*/*"]`, "broker[0].shops"},
		{`["acme/*/*"]`, `[]`, "broker[0].shops"},
		{`listen = "0.0.0.0:8443"`, `listen = 8443`, "listen"},
	} {
		bad := strings.Replace(sample, test.old, test.new, 1)
		if bad == sample {
			t.Fatalf("%q changes nothing", test.old)
		}
		if _, err := ParseConfig([]byte(bad)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.new, err)
		}
	}
	if _, err := ParseConfig([]byte(`listen = "127.0.0.1:0"`)); err == nil || !strings.Contains(err.Error(), "[[broker]]") {
		t.Errorf("without a broker: %v", err)
	}
	if _, err := ParseConfig(make([]byte, configBytesMax+1)); err == nil {
		t.Error("a file without end is read")
	}
}

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "relay.toml")
	if _, err := LoadConfig(path); err == nil {
		t.Error("no file")
	}
	if err := os.WriteFile(path, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(c, nil); err == nil || strings.Contains(err.Error(), "panic") {
		t.Errorf("a password file that is not there: %v", err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(sample)
	f.Add("[[broker]]\nshops = [\"*/*/*\"]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			return
		}
		for _, b := range c.Brokers {
			if _, err := b.topics(); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
