package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kassad/daemon"
	"kassad/daemon/service"
)

// What an installer has put there is nobody's work: setup replaces it, with the
// service stopped, which may have the printer, and lets it run again.
func TestSetupReplacesSample(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, state            string
		printers               []string
		in                     string
		stops, writes, resumes bool
	}{
		"sample, service runs":         {text: sampleConfig, state: service.StateRunning, printers: []string{"1"}, stops: true, writes: true, resumes: true},
		"sample of another release":    {text: "# nothing\n[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = \"auto\"\n", state: service.StateRunning, printers: []string{"1"}, stops: true, writes: true, resumes: true},
		"a person gives up":            {text: sampleConfig, state: service.StateRunning, in: "n\n", stops: true, resumes: true},
		"sample, nothing runs":         {text: sampleConfig, state: service.StateStopped, printers: []string{"1"}, writes: true},
		"somebody's, the service runs": {text: "store = \"arbat\"\n[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = \"auto\"\n", state: service.StateRunning, printers: []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, f := t.TempDir(), &fakeShop{printers: c.printers, state: c.state}
			path := filepath.Join(dir, "kassad.toml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := walk(t, f, dir, c.in, setupAnswers{Store: "tverskaya", Reach: reachHere})
			if (err != nil) != (c.in != "") {
				t.Fatalf("%v\n%s", err, out)
			}
			cfg, err := daemon.ParseConfig([]byte(readText(t, path)))
			if err != nil {
				t.Fatal(err)
			}
			if f.stopped != c.stops || f.started != c.resumes || (cfg.Store == "tverskaya") != c.writes {
				t.Errorf("stopped %v, started %v, store %s\n%s", f.stopped, f.started, cfg.Store, out)
			}
		})
	}
}

// An installer comes before the first configuration, and over one that is broken.
func TestServiceSample(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad", "kassad.toml")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	c := &serviceInstall{configFlag: configFlag{Config: path}}
	var out strings.Builder
	for range 2 {
		if err := c.writeSample(&env{stdout: &out}); err != nil {
			t.Fatal(err)
		}
	}
	if readText(t, path) != sampleConfig || strings.Count(out.String(), "wrote the sample") != 1 {
		t.Errorf("%s", &out)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.writeSample(&env{stdout: &out}); err != nil || readText(t, path) != "broken" {
		t.Errorf("what is there was touched: %v", err)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
