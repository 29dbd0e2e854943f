package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"kassad/daemon"
	"kassad/daemon/enrol"
	"kassad/daemon/localca"
	"kassad/daemon/service"
	"kassad/devices/detect"
	"kassad/devices/link"
	"kassad/devices/shtrih"
	"kassad/fiscal"
)

// fakeShop is a shop with as many printers as it is told of.
type fakeShop struct {
	printers []string // serial numbers
	state    string   // of the service
	noPaper  bool

	printed            []string
	installed, started bool
	admitted           bool
	stopped            bool
}

func (f *fakeShop) Status() (service.Status, error) { return service.Status{State: f.state}, nil }
func (f *fakeShop) Install() ([]service.Note, error) {
	f.installed = true
	return []service.Note{{Russian: "создан пользователь", English: "made the user"}}, nil
}
func (f *fakeShop) Admit() ([]service.Note, error) { f.admitted = true; return nil, nil }
func (f *fakeShop) Start() (bool, error)           { f.started = true; return false, nil }
func (f *fakeShop) Stop() (bool, error) {
	f.stopped, f.state = true, service.StateStopped
	return false, nil
}

func (f *fakeShop) shop() shop {
	return shop{
		look: func(context.Context, uint32) ([]detect.Result, error) {
			results := []detect.Result{
				{Place: detect.Place{Port: link.Port{Name: "COM9"}, Left: detect.InUse, Detail: "scales\x1b[2J"}, Outcome: detect.Left},
				{Place: detect.Place{Port: link.Port{Name: "COM8"}}, Outcome: detect.NoRight},
			}
			for _, serial := range f.printers {
				results = append(results, detect.Result{Outcome: detect.Printer, Found: shtrih.Found{Address: "serial://COM" + serial, Model: "ШТРИХ\x1b[2J", Serial: serial}})
			}
			return results, nil
		},
		inspect: func(_ context.Context, d daemon.DeviceConfig) (printerFacts, error) {
			serial := strings.TrimPrefix(d.Address, "serial://COM")
			if !slices.Contains(f.printers, serial) {
				return printerFacts{}, errors.New("nobody answers")
			}
			return printerFacts{Info: fiscal.Info{Model: "ШТРИХ", Serial: serial, Storage: "99", Registration: "77", FFD: "1.2", Taxations: 3}, address: d.Address}, nil
		},
		print: func(_ context.Context, d daemon.DeviceConfig, lines []string) error {
			if f.noPaper {
				return errors.New("no paper")
			}
			f.printed = append(f.printed, d.Address)
			return nil
		},
		manager: func(service.Settings) (serviceManager, error) { return f, nil },
		host: localca.Host{
			Name:      func() (string, error) { return "till-pc", nil },
			Addresses: func() ([]netip.Addr, error) { return nil, nil },
			Route:     func() (netip.Addr, bool) { return netip.MustParseAddr("192.168.1.5"), true },
		},
	}
}

// walk is a setup with a person's answers, one a line; "" in is nobody.
func walk(t *testing.T, f *fakeShop, dir, in string, answers setupAnswers) (out string, err error) {
	t.Helper()
	var b strings.Builder
	answers.DataDir = filepath.Join(dir, "data")
	s := &setup{env: &env{ctx: t.Context(), stdout: &b, stderr: &b}, talk: newTalk(english, nil, &b), answers: answers, config: filepath.Join(dir, "kassad.toml"), shop: f.shop()}
	if in != "" {
		s.talk = newTalk(english, strings.NewReader(in), &b)
	}
	err = s.run(t.Context())
	if strings.ContainsRune(b.String(), '\x1b') {
		t.Errorf("what a device tells steers the screen: %q", b.String())
	}
	return b.String(), err
}

// A person answers every question, some of them wrong first.
func TestSetupAsks(t *testing.T) {
	t.Parallel()
	dir, f := t.TempDir(), &fakeShop{printers: []string{"1", "2"}, state: service.StateAbsent}
	in := strings.Join([]string{
		"7", "2", // which printer
		"Ромашка", "romashka", "", "", // org, store, node
		"there", "lan", // terminals
		"patent", "usn-income", // taxation: the first is not registered
		"till1",
		"perhaps", "да", // test print
		"n", // service
	}, "\n") + "\n"
	out, err := walk(t, f, dir, in, setupAnswers{})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cfg, err := daemon.LoadConfig(filepath.Join(dir, "kassad.toml"))
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.Devices[0]
	if cfg.Org != "romashka" || cfg.Store != "shop" || d.Address != "auto" || d.Serial != "2" || d.Taxation.String() != "usn-income" || cfg.Broker.Listen != listenLAN {
		t.Errorf("%+v", cfg)
	}
	if !slices.Equal(f.printed, []string{"serial://COM2"}) || f.installed || f.started {
		t.Errorf("printed %v, installed %v, started %v", f.printed, f.installed, f.started)
	}
	if _, has := cfg.Terminals["till1"]; !has || !strings.Contains(out, "ssl://192.168.1.5:8883") {
		t.Errorf("no terminal:\n%s", out)
	}
	for _, w := range []string{"1. ШТРИХ", "2. ШТРИХ", "COM9: in use by scales", "COM8: no right", "registered for: osn, usn-income", "The service does not run. Later"} {
		if !strings.Contains(out, w) {
			t.Errorf("nothing of %q in\n%s", w, out)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "kassad.toml")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// Without a word about them nothing is printed and no service installed.
func TestSetupService(t *testing.T) {
	t.Parallel()
	dir, f := t.TempDir(), &fakeShop{printers: []string{"1"}, state: service.StateAbsent}
	if out, err := walk(t, f, dir, "", setupAnswers{}); err != nil || f.installed || len(f.printed) > 0 {
		t.Fatalf("%v, installed %v, printed %v\n%s", err, f.installed, f.printed, out)
	}
	before, err := os.ReadFile(filepath.Join(dir, "kassad.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := walk(t, f, dir, "", setupAnswers{Service: true}); err != nil || !f.installed || !f.started {
		t.Fatalf("%v, installed %v, started %v\n%s", err, f.installed, f.started, out)
	}
	f.state, f.installed, f.started = service.StateRunning, false, false
	if out, err := walk(t, f, dir, "", setupAnswers{Service: true}); err != nil || f.installed || f.started {
		t.Errorf("a service that runs was touched: %v\n%s", err, out)
	}
	after, err := os.ReadFile(filepath.Join(dir, "kassad.toml"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the configuration has changed: %v", err)
	}
}

// Without a printer a script goes on, a person is asked, and a no writes
// nothing; of several printers a script has to name one.
func TestSetupPrinters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := walk(t, &fakeShop{}, dir, "\n", setupAnswers{}); err == nil || exists(filepath.Join(dir, "kassad.toml")) {
		t.Errorf("%v\n%s", err, out)
	}
	_, err := walk(t, &fakeShop{printers: []string{"1", "2"}}, dir, "", setupAnswers{})
	var h hinted
	if !errors.As(err, &h) || !strings.Contains(h.hint, "--serial 1") || exists(filepath.Join(dir, "kassad.toml")) {
		t.Errorf("%v", err)
	}
	if out, err := walk(t, &fakeShop{state: service.StateAbsent}, dir, "", setupAnswers{}); err != nil || !strings.Contains(out, "written without it") {
		t.Fatalf("%v\n%s", err, out)
	}
	if cfg, err := daemon.LoadConfig(filepath.Join(dir, "kassad.toml")); err != nil || cfg.Devices[0].Serial != "" || cfg.Devices[0].Address != "auto" {
		t.Errorf("%v %+v", err, cfg.Devices)
	}
	two := t.TempDir()
	if _, err := walk(t, &fakeShop{printers: []string{"1", "2"}, state: service.StateAbsent}, two, "", setupAnswers{Serial: "2"}); err != nil {
		t.Fatal(err)
	}
	if cfg, err := daemon.LoadConfig(filepath.Join(two, "kassad.toml")); err != nil || cfg.Devices[0].Serial != "2" {
		t.Errorf("%v %+v", err, cfg.Devices)
	}
}

// A test that does not print says what to try; an input that ends is no answer,
// and a broken configuration is not written over.
func TestSetupFails(t *testing.T) {
	t.Parallel()
	dir, f := t.TempDir(), &fakeShop{printers: []string{"1"}, noPaper: true, state: service.StateAbsent}
	_, err := walk(t, f, dir, "", setupAnswers{TestPrint: true})
	var h hinted
	if !errors.As(err, &h) || !strings.Contains(err.Error(), "no paper") || h.hint == "" {
		t.Errorf("%v", err)
	}
	if _, err := walk(t, f, t.TempDir(), "org\n", setupAnswers{}); !errors.Is(err, errNoAnswer) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kassad.toml"), []byte("broken = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := walk(t, f, dir, "", setupAnswers{}); !errors.As(err, &h) || !strings.Contains(h.hint, "--force") {
		t.Errorf("%v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "kassad.toml")); string(text) != "broken = 1\n" {
		t.Errorf("%s", text)
	}
}

// The first section of rights ends "anybody may do everything"; those who came
// before keep it.
func TestTerminalKeepsOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := walk(t, &fakeShop{printers: []string{"1"}, state: service.StateAbsent}, dir, "", setupAnswers{Terminal: []string{"old"}}); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "kassad.toml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "\n[terminal.old]")
	if err := os.WriteFile(config, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	add := func(name string) error {
		cfg, err := daemon.LoadConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = newDoor(cfg, config).add(name, nil, "127.0.0.1", false)
		return err
	}
	if err := add("new"); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(usualRights, string(fiscal.VerbDocument)) {
		t.Error("a till may read the documents of others, with their buyers")
	}
	cfg, err := daemon.LoadConfig(config)
	if err != nil || !slices.Equal(cfg.Terminals["old"].Rights, []string{"*"}) || !slices.Equal(cfg.Terminals["new"].Rights, usualRights) {
		t.Errorf("%v %+v", err, cfg.Terminals)
	}
}

// Terminals that are let in at the same time, as a script does, are all there.
func TestTerminalsTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, users := filepath.Join(dir, "kassad.toml"), filepath.Join(dir, "users")
	text := fmt.Sprintf("data_dir = '%s'\n[broker]\nusers_file = '%s'\n[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = \"tcp://127.0.0.1:1\"\n", dir, users)
	if err := errors.Join(os.WriteFile(config, []byte(text), 0o600), os.WriteFile(users, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	before, err := daemon.LoadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"till1", "till2", "till3", "till4", "till5", "till6"}
	var group sync.WaitGroup
	for _, name := range names {
		group.Go(func() {
			if _, err := newDoor(before, config).add(name, nil, "127.0.0.1", false); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	group.Wait()
	cfg, err := daemon.LoadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	known, err := newDoor(cfg, config).users()
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(cfg.Terminals)); !slices.Equal(got, names) {
		t.Errorf("rights: %v", got)
	}
	if got := slices.Sorted(slices.Values(enrol.Users(known))); !slices.Equal(got, names) {
		t.Errorf("passwords: %v", got)
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flag, all, lang, want string }{
		{"", "", "", "ru"}, {"", "", "C.UTF-8", "ru"}, {"", "", "en_US.UTF-8", "en"}, {"", "ru_RU.UTF-8", "en_US.UTF-8", "ru"},
		{"en", "ru_RU.UTF-8", "", "en"}, {"ru", "", "en_GB", "ru"}, {"", "", "de_DE.UTF-8", "ru"},
	} {
		getenv := func(name string) string { return map[string]string{"LC_ALL": c.all, "LANG": c.lang}[name] }
		if got := (langFlag{Lang: c.flag}).language(getenv); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
