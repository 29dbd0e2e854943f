package daemon

import (
	"strings"
	"testing"
)

// Which printer belongs to a device is never left to chance.
func TestPrintersInConfig(t *testing.T) {
	t.Parallel()
	device := func(name string, lines ...string) string {
		return "[[device]]\nname = \"" + name + "\"\nkind = \"shtrih-m\"\n" + strings.Join(lines, "\n") + "\n"
	}
	const auto, com = `address = "auto"`, `address = "serial://COM3"`
	for _, c := range []struct{ name, text, want string }{
		{"one that looks for any", device("front", auto), ""},
		{"one that looks for any, one that knows", device("front", auto) + device("bar", auto, `serial = "0001"`), ""},
		{"two that know", device("front", auto, `serial = "0002"`) + device("bar", auto, `serial = "0001"`), ""},
		{"two that look for any", device("front", auto) + device("bar", auto), "set the serial of each"},
		{"two of one printer", device("front", com, `serial = "0001"`) + device("bar", auto, `serial = "0001"`), `that of "front" already`},
		{"no number", device("front", auto, `serial = "a b"`), "the printer's own number"},
		{"exclusions", device("front", auto) + "[ports]\nexclude = [\"COM1\", \"usb:067B:2303\", \"tcp\"]\n", ""},
		{"a bad exclusion", device("front", auto) + "[ports]\nexclude = [\"usb:67B\"]\n", "ports.exclude"},
		{"a bad address", device("front", `address = "automatic"`), "give auto"},
	} {
		cfg, err := ParseConfig([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		cfg.DataDir = t.TempDir()
		err = cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
