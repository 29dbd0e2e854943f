package daemon

import (
	"log/slog"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"

	"kassad/devices"
	"kassad/mqtt"
)

// FuzzParseConfig: a text is refused, or what validates keeps the promises of
// safety: nothing listens beyond loopback without TLS and names, no url tells a
// password, every route leads somewhere, every device has an address of its
// own; and it can be shown without its passwords.
func FuzzParseConfig(f *testing.F) {
	sample, err := os.ReadFile("../cmd/kassad/kassad.toml")
	if err != nil {
		f.Fatal(err)
	}
	const device = "[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = \"serial:///dev/ttyACM0?baud=115200\"\n"
	for _, text := range []string{
		string(sample), device, device + "password = 4711\nauto_shift = false\npoll = \"1s\"\n", device + "[broker]\nlisten = \"0.0.0.0:1883\"\n",
		device + "[[mqtt]]\nurl = \"tcp://a:b@10.0.0.1:1883\"\nrole = \"shop\"\n", device + "[[mqtt]]\nurl = \"tcp://127.0.0.1:1883\"\nrole = \"office\"\n",
		device + "[[route]]\nname = \"default\"\nbackends = [\"front\", \"lifepay\"]\nfallback_after = \"1m\"\n[lifepay]\nlogin = \"79161234567\"\napikey_file = \"/k\"\n",
		device + "[terminal.till1]\nrights = [\"sale\", \"*\"]\nroute = \"default\"\n[manager.ivanov]\nops = [\"status\"]\n",
		device + "[bifit]\nconnector_token_file = \"/t\"\n[reconcile]\n", "[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = \"auto\"\nserial = \"0001\"\n[ports]\nexclude = [\"COM1\", \"usb:067B\"]\n", "org = \"A\"", "late_after = \"-1s\"", "[[device]]\nname = 1",
	} {
		f.Add(text, "", "")
		f.Add(text, "broker.listen", "[::]:1883")
	}
	f.Fuzz(func(t *testing.T, text, name, value string) {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			return
		}
		c.applyEnv(func(n string) string {
			if n == "KASSAD_"+strings.ToUpper(strings.ReplaceAll(name, ".", "_")) {
				return value
			}
			return ""
		})
		if c.Validate() != nil {
			return
		}
		checkSafe(t, c)
		checkShown(t, c)
	})
}

// checkSafe is what "nobody gets in by default" means for a configuration.
func checkSafe(t *testing.T, c Config) {
	t.Helper()
	if c.Broker.Enabled {
		host, _, err := net.SplitHostPort(c.Broker.Listen)
		ip := net.ParseIP(host)
		inside := host == "localhost" || ip != nil && ip.IsLoopback()
		if err != nil || !inside && (c.Broker.CertFile == "" || c.Broker.UsersFile == "") {
			t.Errorf("listens on %q: %+v", c.Broker.Listen, c.Broker)
		}
	}
	for _, l := range c.MQTT {
		if strings.Contains(l.URL, "@") && strings.Contains(l.URL, ":") && strings.Index(l.URL, "@") < strings.LastIndex(l.URL, ":") {
			t.Errorf("a url with a user: %q", l.URL)
		}
		if strings.HasPrefix(l.URL, "tcp://") && !l.AllowPlaintext && !strings.Contains(l.URL, "127.") && !strings.Contains(l.URL, "localhost") && !strings.Contains(l.URL, "::1") && !strings.Contains(l.URL, "::ffff:7f") {
			t.Errorf("plain to %q", l.URL)
		}
	}
	addresses := map[string]bool{}
	for _, d := range c.Devices {
		if !mqtt.ValidName(d.Name) || addresses[d.Address] || d.Address == devices.AddressAuto && addresses["auto "+d.Serial] || d.Poll <= 0 {
			t.Errorf("device %+v", d)
		}
		if d.Address == devices.AddressAuto { // one at most may take any printer
			addresses["auto "+d.Serial] = true
			continue
		}
		addresses[d.Address] = true
	}
	for _, r := range c.Routes {
		if len(r.Backends) == 0 || r.FallbackAfter <= 0 {
			t.Errorf("route %+v", r)
		}
		for _, b := range r.Backends {
			if !c.hasBackend(b) {
				t.Errorf("route %s leads to %q", r.Name, b)
			}
		}
	}
	if _, err := mqtt.NewTopics(c.Org, c.Store, c.Node); err != nil || len(c.Backends()) == 0 {
		t.Errorf("%v, backends %v", err, c.Backends())
	}
}

// checkShown: the public form is made and keeps no password; the fingerprint
// sees every difference.
func checkShown(t *testing.T, c Config) {
	t.Helper()
	shown, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	devices, _ := shown["device"].([]any)
	for _, d := range devices {
		if _, told := d.(map[string]any)["password"]; told {
			t.Errorf("shown: %v", d)
		}
	}
	print := c.Fingerprint()
	if len(print) != 64 {
		t.Fatalf("fingerprint %q", print)
	}
	if len(c.Devices) > 0 {
		other := c
		other.Devices = append([]DeviceConfig{}, c.Devices...)
		other.Devices[0].Password++
		if other.Fingerprint() == print {
			t.Error("a changed password has the same fingerprint")
		}
		if !reflect.DeepEqual(other.Public().Devices, c.Public().Devices) {
			t.Error("the public form tells passwords apart")
		}
		_ = c.Devices[0].Settings(slog.New(slog.DiscardHandler))
	}
}
