package sim

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// TestLostJournalWithACloud: a sale that a cloud has made is not printed when
// it comes again after its journal was lost. The printer's storage can be
// searched, the cloud cannot: a person decides (design 5.9).
func TestLostJournalWithACloud(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{LifePay: &lifepay.Config{}, Policy: quickPolicy(), Config: managers("ivanov")})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	s.Printers["front"].PowerOff()
	id := NewID()
	request := Request(id, byMail(obj{"card": "#"}, kettle()))
	a, err := till.CallRaw(t.Context(), fiscal.VerbSale, id, request, nil)
	if err != nil || a.State != fiscal.Done || a.Route != daemon.CloudLifePay {
		t.Fatalf("%s, %v", a.Raw, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(s.Config.DataDir, "kassad.db*"))
	for _, file := range files { // with the index alone nothing would be lost
		err = errors.Join(err, os.WriteFile(file, []byte("garbage"), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Printers["front"].PowerOn()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	sale := beginRaw(t, openTill(t, s, "till1"), fiscal.VerbSale, id, request)
	got := sale.until("held", func(a Answer) bool { return a.State == fiscal.Held || a.State.Final() })
	told := got.State == fiscal.Done && got.Route == daemon.CloudLifePay && got.Fiscal.FD == a.Fiscal.FD // the service has called once more
	if !told && (got.State != fiscal.Held || got.Error.Code != fiscal.CodeNeedsPerson) {
		t.Errorf("%s", got.Raw)
	}
	if n := len(s.Printers["front"].Storage().Receipts()); n != 0 {
		t.Errorf("the printer has made %d receipts", n)
	}
	if !told {
		if _, err := daemon.Control(t.Context(), s.Config, "resolve", "ivanov", obj{"id": id, "action": "done-elsewhere", "fd": a.Fiscal.FD}); err != nil {
			t.Error(err)
		}
	}
	forgetAllBut(s, id)
	s.mu.Lock()
	s.foreign[docID(a.Fiscal.FN, a.Fiscal.FD)] = !told
	s.mu.Unlock()
}

// forgetAllBut takes from the books what only a lost journal knew.
func forgetAllBut(s *Shop, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = slices.DeleteFunc(s.order, func(told string) bool { return told != id })
	for _, p := range s.Printers {
		for _, e := range p.Storage().Ledger() {
			s.foreign[docID(p.Storage().Serial(), e.FD)] = true
		}
	}
}

// TestEmptiedFolder: nobody can tell an emptied data_dir from a first
// installation. A sale of before that comes again goes to no other backend of
// its route until the printer that may have made it was read.
func TestEmptiedFolder(t *testing.T) {
	t.Parallel()
	for other, options := range map[string]Options{
		daemon.CloudLifePay: {LifePay: &lifepay.Config{}, Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}},
		"reserve": {Printers: map[string]printer.Config{
			"front":   shifted(printer.Config{}, time.Now()),
			"reserve": shifted(printer.Config{Serial: "0000000000000002", FNSerial: serialOf(2)}, time.Now()),
		}},
	} {
		t.Run(other, func(t *testing.T) {
			t.Parallel()
			options.Policy = quickPolicy()
			options.Config = func(c *daemon.Config) {
				c.Routes = []daemon.RouteConfig{{
					Name: daemon.DefaultRoute, Backends: []string{"front", other}, FallbackAfter: daemon.Duration(time.Second), NoContact: daemon.NoContactSpool,
				}}
			}
			s := openShop(t, options)
			till := openTill(t, s, "till1")
			id := NewID()
			request := RequestAt(id, time.Now().Add(-time.Minute), byMail(obj{"card": "#"}, kettle()))
			a, err := till.CallRaw(t.Context(), fiscal.VerbSale, id, request, nil)
			if err != nil || a.State != fiscal.Done || a.Route != "front" {
				t.Fatalf("%s, %v", a.Raw, err)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			emptyFolder(t, s.Config.DataDir)
			s.Printers["front"].PowerOff()
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if a, err := till.Call(t.Context(), fiscal.VerbCancel, obj{"id": id}); err != nil || a.State != fiscal.Rejected || a.Error.Code != fiscal.CodeNotBegunOnly {
				t.Errorf("cancel: %s, %v", a.Raw, err)
			}
			sale := beginRaw(t, till, fiscal.VerbSale, id, request)
			got := sale.until("held", func(a Answer) bool { return a.State == fiscal.Held || a.State == fiscal.Registered || a.State.Final() })
			if got.State != fiscal.Held || got.Error.Code != fiscal.CodeNeedsPerson {
				t.Errorf("while the printer is away: %s", got.Raw)
			}
			s.Printers["front"].PowerOn()
			got = <-sale.final
			if got.State != fiscal.Done || got.Fiscal.FD != a.Fiscal.FD || got.Fiscal.FN != a.Fiscal.FN {
				t.Errorf("when it is back: %s, want document %d of %s", got.Raw, a.Fiscal.FD, a.Fiscal.FN)
			}
			forgetAllBut(s, id)
			s.mu.Lock()
			s.foreign[docID(a.Fiscal.FN, a.Fiscal.FD)] = false
			s.mu.Unlock()
		})
	}
}

// TestFolderPutBack: an older copy of the whole folder has counted as many starts
// as the file beside its journal. That the file is not the one that the journal
// has left there tells all the same.
func TestFolderPutBack(t *testing.T) {
	t.Parallel()
	// A real disk: not every kernel's memory file system says when a file was made.
	s := openShop(t, Options{Dir: t.TempDir(), LifePay: &lifepay.Config{}, Policy: quickPolicy(), Config: managers("ivanov")})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	mustStop(t, s)
	before := filepath.Join(t.TempDir(), "before")
	if err := os.CopyFS(before, os.DirFS(s.Config.DataDir)); err != nil {
		t.Fatal(err)
	}
	s.Printers["front"].PowerOff()
	mustStart(t, s)
	sold := NewID()
	sale := Request(sold, byMail(obj{"card": "#"}, kettle()))
	a, err := till.CallRaw(t.Context(), fiscal.VerbSale, sold, sale, nil)
	if err != nil || a.State != fiscal.Done || a.Route != daemon.CloudLifePay {
		t.Fatalf("%s, %v", a.Raw, err)
	}
	s.Printers["front"].PowerOn()
	paid := NewID()
	if a, err := till.CallID(t.Context(), fiscal.VerbCashIn, paid, obj{"amount": 10, "cashier": cashier}, nil); err != nil || a.State != fiscal.Done {
		t.Fatalf("%s, %v", a.Raw, err)
	}
	mustStop(t, s)
	emptyFolder(t, s.Config.DataDir)
	if err := putFolder(s.Config.DataDir, before); err != nil {
		t.Fatal(err)
	}
	mustStart(t, s)
	if a, err := till.Call(t.Context(), fiscal.VerbCancel, obj{"id": paid}); err != nil || a.State != fiscal.Rejected || a.Error.Code != fiscal.CodeNotBegunOnly {
		t.Errorf("cancel of the cash that was paid in: %s, %v", a.Raw, err)
	}
	again := beginRaw(t, till, fiscal.VerbSale, sold, sale)
	got := again.until("held", func(a Answer) bool { return a.State == fiscal.Held || a.State.Final() })
	if got.State != fiscal.Held || got.Error.Code != fiscal.CodeNeedsPerson {
		t.Errorf("%s", got.Raw)
	}
	if n := len(s.Printers["front"].Storage().Receipts()); n != 0 {
		t.Errorf("the printer has made %d receipts", n)
	}
	if _, err := daemon.Control(t.Context(), s.Config, "resolve", "ivanov", obj{"id": sold, "action": "done-elsewhere", "fd": a.Fiscal.FD}); err != nil {
		t.Error(err)
	}
	<-again.final
	forgetAllBut(s, sold)
	s.mu.Lock()
	s.foreign[docID(a.Fiscal.FN, a.Fiscal.FD)] = true
	s.mu.Unlock()
}

func mustStop(t *testing.T, s *Shop) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func mustStart(t *testing.T, s *Shop) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// putFolder copies what is not there.
func putFolder(to, from string) error {
	entries, err := os.ReadDir(from)
	for _, e := range entries {
		path := filepath.Join(to, e.Name())
		if _, there := os.Stat(path); there == nil || e.IsDir() {
			continue
		}
		b, rerr := os.ReadFile(filepath.Join(from, e.Name()))
		err = errors.Join(err, rerr, os.WriteFile(path, b, 0o600))
	}
	return err
}

func emptyFolder(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".key" { // a cloud's secret
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	if err != nil {
		t.Fatal(err)
	}
}
