package strict_test

import (
	"strings"
	"testing"

	"kassad/daemon/strict"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	type section struct {
		Login string `toml:"login"`
		File  string `toml:"apikey_file"`
		Port  int    `toml:"port"`
	}
	for name, c := range map[string]struct{ text, want string }{
		"right":               {"login = \"a\"\nport = 1", ""},
		"an unknown key":      {"login = \"a\"\nlogim = \"b\"", `logim = "b"`},
		"a secret of a slip":  {"apikey = \"TOPSECRET\"", "apikey_file"},
		"in quotes":           {"\"api_key\" = \"TOPSECRET\"", "api_key_file"},
		"of another type":     {"port = \"x\"", "port"},
		"a secret beside it":  {"password = \"TOPSECRET\"\nport = \"x\"", ""},
		"no TOML":             {"login = ", "login"},
		"a file is no secret": {"apikey_file = 5", "apikey_file = 5"},
		"a number for a text": {"login = 5", "here belongs a text in quotes, not integer"},
		"a text for a number": {"port = \"1\"", "here belongs a whole number, not string"},
		"a path of Windows":   {"login = \"C:\\Users\"", `'C:\kassad' in single quotes`},
	} {
		var v section
		err := strict.Decode([]byte(c.text), &v)
		if (err == nil) != (name == "right") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "TOPSECRET")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
