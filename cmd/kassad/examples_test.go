package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// elsewhere are the examples that need what a test does not have. A variant of
// each is in a script.
var elsewhere = map[string]string{
	"kassad probe --exclude /dev/ttyS0 --exclude usb:067B:2303":                     "the ports of whoever runs the tests; the same over ports that a test makes",
	"kassad probe /dev/ttyACM0":                                                     "a printer on USB; the same over a pty",
	"kassad probe 192.168.137.111:7778":                                             "a printer on the network; the same on this computer",
	"kassad probe tcp://192.168.137.111:7778 --json":                                "a printer on the network; the same on this computer",
	"kassad resolve node keep --by ivanov":                                          "two nodes of one name; the daemon's tests have them",
	"kassad config init /etc/kassad/kassad.toml":                                    "a directory of root's; the same in the script's own",
	"kassad emulate shtrih-m --pty --state printer.json":                            "Linux",
	"kassad service install --from-installer":                                       "the installer of Windows runs it; packaging/windows tests that",
	"kassad call hello --url tcp://127.0.0.1:1883 --root kassad/v1/local/shop/main": "a port of its own",
}

// TestExamples finds every example of every help text in a script. What comes
// after the example in the script, and the numbers of ports, may differ.
func TestExamples(t *testing.T) {
	t.Parallel()
	scripts := readScripts(t)
	for _, example := range examples(t) {
		if strings.Contains(scripts, "exec "+example) || regexp.MustCompile(pattern(example)).MatchString(scripts) {
			continue
		}
		if elsewhere[example] == "" {
			t.Errorf("no script runs %q", example)
		}
	}
}

// pattern lets a script take a free port and status a command with its status.
func pattern(example string) string {
	p := regexp.QuoteMeta(example)
	for _, address := range []string{"127.0.0.1:7778", "127.0.0.1:8090", "127.0.0.1:8091"} {
		p = strings.ReplaceAll(p, regexp.QuoteMeta(address), `\S+`)
	}
	return `(?m)^(! )?(exec|status \d) ` + p
}

func readScripts(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("testdata/s*/*.txtar") // script and service
	if err != nil || len(names) == 0 {
		t.Fatal("no scripts", err)
	}
	var all strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// examples collects the commands of the help texts. Each command must have
// some.
func examples(t *testing.T) []string {
	t.Helper()
	var c cli
	parser, err := kong.New(&c, kong.Vars{"config": "kassad.toml"})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, node := range append(parser.Model.Leaves(false), parser.Model.Node) {
		_, text, ok := strings.Cut(node.Detail, "Examples:\n")
		if !ok {
			t.Errorf("the help of %q does not end with examples", node.FullPath())
		}
		for line := range strings.Lines(text) {
			found = append(found, command(line))
		}
	}
	return found
}

// command is an example without its comment, its input and its redirection.
func command(line string) string {
	line, _, _ = strings.Cut(line, "#")
	if _, after, piped := strings.Cut(line, "| "); piped {
		line = after
	}
	line, _, _ = strings.Cut(line, " <")
	line, _, _ = strings.Cut(line, " >")
	return strings.TrimSpace(line)
}
