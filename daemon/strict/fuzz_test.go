package strict_test

import (
	"regexp"
	"strings"
	"testing"

	"kassad/daemon/strict"
)

// opens is the beginning of a value that goes on.
var opens = regexp.MustCompile(`^\s*(?:\[\s*(?:"[^"]*",\s*)*)?(?:"""|'''|"|')[^"'\n]*\n?$|^[ \t]*$`)

// FuzzSecrets: whatever somebody writes around a secret in the wrong place, no
// error tells it.
func FuzzSecrets(f *testing.F) {
	const secret = "Zq7TOPsecretWord"
	for _, around := range [][2]string{
		{"apikey = \"", "\""}, {"login = \"a\"\nAPI_KEY=\"", "\"\nport = x"}, {"[mqtt]\npassword = '", "'\n"}, {"token = \"\"\"\n", "\n\"\"\"\n"},
		{"secret = [\"a\", \"", "\"]"}, {"\"connector token\" = \"", ""}, {"password\t=\t", ""}, {"x = {password = \"", "\"}"},
		{"apikey = \"\\\n", "\""}, {"password = [\n\"", "\",\n]"},
	} {
		f.Add(around[0], around[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		line := before[strings.LastIndexByte(before, '\n')+1:]
		if strings.ContainsAny(line, "#") || !strings.Contains(before, "=") {
			return // a comment, or no value at all
		}
		if !opens.MatchString(before[strings.LastIndexByte(before, '=')+1:]) {
			return // the value has ended before
		}
		key := strings.ToLower(before[:strings.LastIndexByte(before, '=')])
		key = strings.Trim(key[strings.LastIndexAny(key, "\n{,")+1:], " \t\"'\r")
		switch key {
		case "password", "apikey", "api_key", "token", "secret", "connector_token":
		default:
			return
		}
		var v struct {
			Login string `toml:"login"`
			Port  int    `toml:"port"`
		}
		err := strict.Decode([]byte(before+secret+after), &v)
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Fatalf("%q tells the secret: %v", before+secret+after, err)
		}
	})
}
