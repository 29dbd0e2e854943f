//go:build packages

package windows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon/sim"
	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// patience is for a machine that is busy.
const patience = 2 * time.Minute

const (
	sale  = `{"cashier":{"name":"Иванова А."},"items":[{"name":"Чай","price":50,"quantity":1,"vat":"none"}],"payments":{"cash":100}}`
	shift = `{"cashier":{"name":"Иванова А."}}`
)

// shop is a till and an emulated printer on the network, around a Windows.
type shop struct {
	t       *testing.T
	wine    *wine
	printer *printer.Printer
	address string // of the printer
	unplug  func()
	broker  string
	till    *mqtt.Terminal

	mu   sync.Mutex
	told map[string]*sim.Told
}

func newShop(t *testing.T) *shop {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// Another program of this machine may have the usual port.
	w := newWine(t, "/v", "KASSAD_BROKER_LISTEN", "/d", broker)
	s := &shop{t: t, wine: w, printer: printer.New(printer.Config{}), told: map[string]*sim.Told{}, broker: broker}
	s.plug("127.0.0.1:0")
	return s
}

// plug lets hosts reach the printer.
func (s *shop) plug(address string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	open, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- s.printer.ListenTCP(ctx, address, func(a net.Addr) { open <- a.String() })
	}()
	select {
	case s.address = <-open:
	case err := <-ended:
		s.t.Fatal(err)
	}
	s.unplug = func() { cancel(); <-ended }
	s.t.Cleanup(s.unplugged)
}

func (s *shop) unplugged() {
	if s.unplug != nil {
		s.unplug()
		s.unplug = nil
	}
}

// dial lets the till in; password "" is the door of this computer.
func (s *shop) dial(user, password string) {
	s.t.Helper()
	if s.till != nil {
		s.till.Close()
	}
	eventually(s.t, "the broker lets the till in\n"+s.wine.log(), patience, func() (err error) {
		ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
		defer cancel()
		cfg := mqtt.TerminalConfig{URL: "tcp://" + s.broker, Root: "kassad/v1/local/shop/main", Name: "till1", Username: user, Password: password}
		s.till, err = mqtt.DialTerminal(ctx, cfg, s.hear)
		return err
	})
}

// hear is the till's own book.
func (s *shop) hear(r mqtt.Reply) {
	var a sim.Answer
	if json.Unmarshal(r.Payload, &a) != nil || a.ID == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told[a.ID]
	if told == nil {
		told = &sim.Told{Terminal: "till1", ID: a.ID, Verb: fiscal.Verb(r.Verb)}
		s.told[a.ID] = told
	}
	told.Hear(a)
}

func (s *shop) state(id string) fiscal.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if told := s.told[id]; told != nil {
		return told.State
	}
	return ""
}

// call wants a command done; the same id again asks.
func (s *shop) call(verb, id, body string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	r, err := s.till.Call(ctx, verb, id, sim.Request(id, json.RawMessage(body)), nil)
	if err != nil || r.State != string(fiscal.Done) {
		s.t.Fatalf("%s: %s %v %s\n%s", verb, r.State, err, r.Payload, s.wine.log())
	}
}

// TestInstaller is the life of an installation: refused on an old Windows,
// installed on a new one, set up, upgraded with a sale in the spool, repaired,
// not downgraded, removed. README.md has the same commands.
func TestInstaller(t *testing.T) {
	need(t, packers)
	need(t, map[string]string{"osslsigncode": "osslsigncode"})
	first, second := scratch(t), scratch(t)
	binaries(t, first, "1.0.0", "amd64")
	binaries(t, second, "1.0.1", "amd64")
	oldDir, _ := build(t, first, "1.0.0")
	newDir, _ := build(t, second, "1.0.1", certificate(t)...)
	older, newer := filepath.Join(oldDir, "kassad-1.0.0-x64.msi"), filepath.Join(newDir, "kassad-1.0.1-x64.msi")

	s := newShop(t)
	s.refusedByOldWindows(older)
	s.installs(older)
	s.setUp()
	id := s.sells()
	s.upgrades(newer, id)
	s.repairs(newer)
	if s.wine.msi("/i", older) == nil || !strings.Contains(s.wine.mustKassad("version"), "kassad 1.0.1 ") {
		t.Error("an older version was installed over a newer one")
	}
	s.removes(newer)
	s.compares()
}

func (s *shop) build(number string) {
	s.t.Helper()
	s.wine.must("reg", "add", `HKLM\Software\Microsoft\Windows NT\CurrentVersion`, "/v", "CurrentBuildNumber", "/d", number, "/f")
}

func (s *shop) refusedByOldWindows(msi string) {
	s.t.Helper()
	s.build("10586") // Windows 10 version 1511
	if s.wine.msi("/i", msi) == nil || exists(s.wine.file("Program Files", "kassad")) {
		s.t.Error("installed on a Windows below the floor")
	}
	s.build("14393")
}

// installs without a configuration: the service runs with the sample.
func (s *shop) installs(msi string) {
	s.t.Helper()
	if err := s.wine.msi("/i", msi); err != nil {
		s.t.Fatalf("install: %v\n%s", err, s.wine.log())
	}
	s.wine.serviceIs("RUNNING")
	sample := read(s.t, "../../cmd/kassad/kassad.toml")
	if !bytes.Equal(read(s.t, s.configFile()), sample) {
		s.t.Error("the first configuration is not the sample")
	}
	s.dial("", "")
	if told := s.wine.mustKassad("service", "configure"); !strings.Contains(told, "delayed start is not supported here") || !strings.Contains(told, "kassad is configured") {
		s.t.Errorf("what this Windows does not have is not told:\n%s", told)
	}
}

func (s *shop) configFile() string { return s.wine.file("ProgramData", "kassad", "kassad.toml") }

// setUp is the first hour without questions.
func (s *shop) setUp() {
	s.t.Helper()
	told := s.wine.mustKassad("setup", "--yes", "--lang", "en", "--address", "tcp://"+s.address, "--terminal", "till1")
	for _, w := range []string{"is stopped while you are asked", "Printer found: ", "is installed and runs"} {
		if !strings.Contains(told, w) {
			s.t.Errorf("nothing of %q in\n%s", w, told)
		}
	}
	var card struct{ Name, Password string }
	if err := json.Unmarshal(read(s.t, s.wine.file("ProgramData", "kassad", "terminals", "till1", "terminal.json")), &card); err != nil {
		s.t.Fatal(err)
	}
	s.wine.serviceIs("RUNNING")
	s.dial(card.Name, card.Password)
	s.t.Cleanup(func() { s.till.Close() })
}

// sells makes a receipt, and leaves a second sale in the spool: its printer is
// away.
func (s *shop) sells() (waiting string) {
	s.t.Helper()
	s.call("shift-open", sim.NewID(), shift)
	s.call("sale", sim.NewID(), sale)
	s.unplugged()
	waiting = sim.NewID()
	if err := s.till.Send(s.t.Context(), "sale", sim.Request(waiting, json.RawMessage(sale))); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "accepted without a printer", patience, func() error {
		if st := s.state(waiting); st != fiscal.Accepted {
			return fmt.Errorf("the sale is %q", st)
		}
		return nil
	})
	return waiting
}

// upgrades over a running service with a sale that waits.
func (s *shop) upgrades(msi, waiting string) {
	s.t.Helper()
	before := read(s.t, s.configFile())
	if err := s.wine.msi("/i", msi); err != nil {
		s.t.Fatalf("upgrade: %v\n%s", err, s.wine.log())
	}
	s.wine.serviceIs("RUNNING")
	if told := s.wine.mustKassad("version"); !strings.Contains(told, "kassad 1.0.1 ") {
		s.t.Errorf("after the upgrade: %s", told)
	}
	if !bytes.Equal(read(s.t, s.configFile()), before) {
		s.t.Error("the upgrade has changed the configuration")
	}
	if n := len(s.printer.Storage().Ledger()); s.state(waiting).Final() {
		s.t.Errorf("the sale has ended without a printer: %d documents", n)
	}
	s.plug(s.address)
	s.call("sale", waiting, sale)
}

// repairs a program that is gone.
func (s *shop) repairs(msi string) {
	s.t.Helper()
	exe := s.wine.file("Program Files", "kassad", "kassad.exe")
	s.wine.mustKassad("service", "stop")
	if err := os.Remove(exe); err != nil {
		s.t.Fatal(err)
	}
	if err := s.wine.msi("/i", msi, "REINSTALL=ALL", "REINSTALLMODE=a"); err != nil || !exists(exe) {
		s.t.Fatalf("repair: %v", err)
	}
	s.wine.serviceIs("RUNNING")
}

// removes all but the shop's own.
func (s *shop) removes(msi string) {
	s.t.Helper()
	if err := s.wine.msi("/x", msi); err != nil {
		s.t.Fatalf("remove: %v", err)
	}
	if told, err := s.wine.run("sc", "query", "kassad"); err == nil {
		s.t.Errorf("the service is still there: %s", told)
	}
	if folder := s.wine.file("Program Files", "kassad"); exists(folder) {
		s.t.Errorf("the program is still there: %v", names(s.t, folder))
	}
	for _, name := range []string{"kassad.toml", "kassad.db", "users"} {
		if !exists(s.wine.file("ProgramData", "kassad", name)) {
			s.t.Errorf("%s is gone", name)
		}
	}
}

// compares what the till was told, the journal that is left, and what the tax
// office sees.
func (s *shop) compares() {
	s.t.Helper()
	store, err := spool.Open(s.wine.file("ProgramData", "kassad", "kassad.db"), spool.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	books := sim.Books{Ledgers: map[string][]fn.Entry{s.printer.Storage().Serial(): s.printer.Storage().Ledger()}}
	err = store.View(func(tx *spool.Tx) error { books.Journal, err = tx.Records(0, 1000); return err })
	if err := errors.Join(err, store.Close()); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, told := range s.told {
		books.Told = append(books.Told, *told)
	}
	if v := books.Violations(); len(v) > 0 || len(books.Told) != 3 || len(books.Journal) != 3 {
		var page strings.Builder
		_ = books.Print(&page) // into memory
		s.t.Errorf("%d told, %d in the journal, %v\n%s", len(books.Told), len(books.Journal), v, &page)
	}
}
