package sim

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
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
	again := openTill(t, s, "till1")
	held := make(chan Answer, 1)
	go func() {
		_, _ = again.CallRaw(t.Context(), fiscal.VerbSale, id, request, func(a Answer) {
			if a.State == fiscal.Held {
				select {
				case held <- a:
				default:
				}
			}
		})
	}()
	if got := <-held; got.Error == nil || got.Error.Code != fiscal.CodeNeedsPerson {
		t.Errorf("held by %s", got.Raw)
	}
	if n := len(s.Printers["front"].Storage().Receipts()); n != 0 {
		t.Errorf("the printer has made %d receipts", n)
	}
	if _, err := daemon.Control(t.Context(), s.Config, "resolve", "ivanov", obj{"id": id, "action": "done-elsewhere", "fd": a.Fiscal.FD}); err != nil {
		t.Error(err)
	}
	s.mu.Lock() // the journal that knew them is gone
	s.order = slices.DeleteFunc(s.order, func(told string) bool { return told != id })
	s.foreign[docID(a.Fiscal.FN, a.Fiscal.FD)] = true
	for _, e := range s.Printers["front"].Storage().Ledger() {
		s.foreign[docID(s.Printers["front"].Storage().Serial(), e.FD)] = true
	}
	s.mu.Unlock()
}
