package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

func storeOf(s *Shop) string { return filepath.Join(s.Config.DataDir, "kassad.db") }

// stopFor stops the daemon, does something to its files, and starts it again.
// Its broker takes another port: the old one may be somebody else's by then.
func stopFor(t *testing.T, s *Shop, till *Till, do func()) *Till {
	t.Helper()
	till.link.Close()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	do()
	s.Config.Broker.Listen = "127.0.0.1:0"
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return openTill(t, s, till.name)
}

// sold is a command that was carried out, to be sent again.
type sold struct {
	order
	id      string
	payload []byte
	answer  Answer
}

func sell(t *testing.T, till *Till, list ...order) (out []sold) {
	t.Helper()
	for _, o := range list {
		s := sold{order: o, id: NewID()}
		s.payload = Request(s.id, o.body)
		var err error
		if s.answer, err = till.CallRaw(soon(t), o.verb, s.id, s.payload, nil); err != nil || s.answer.State != fiscal.Done {
			t.Fatalf("%s: %s, %v", o.name, s.answer.Raw, err)
		}
		out = append(out, s)
	}
	return out
}

// resend wants every command answered by the document that it made once.
func resend(t *testing.T, till *Till, list []sold, recovered bool) {
	t.Helper()
	for _, s := range list {
		a, err := till.CallRaw(soon(t), s.verb, s.id, s.payload, nil)
		if err != nil || a.State != fiscal.Done || a.Fiscal == nil || a.Fiscal.FD != s.answer.Fiscal.FD || a.Fiscal.FP != s.answer.Fiscal.FP {
			t.Errorf("%s again: %s, %v; was %s", s.name, a.Raw, err, s.answer.Raw)
		} else if a.Recovered != recovered {
			t.Errorf("%s again: recovered %v: %s", s.name, a.Recovered, a.Raw)
		}
	}
}

func ordersNamed(names ...string) (out []order) {
	for _, name := range names {
		for _, o := range orders() {
			if o.name == name {
				out = append(out, o)
			}
		}
	}
	return out
}

// An older copy of the store is put back: what was sold since is found in the
// storage, by its key, and nothing is made twice.
func TestRestoredStore(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: hurried, Policy: impatient()})
	till := openTill(t, s, "till1")
	before := sell(t, till, ordersNamed("shift-open", "sale")...)
	var saved journalFiles
	till = stopFor(t, s, till, func() { saved = readJournal(t, s.Config.DataDir) })
	after := sell(t, till, ordersNamed("sale", "refund", "correction", "sale")...)
	till = stopFor(t, s, till, func() { saved.put(t, s.Config.DataDir) })
	w := watch(t, s)
	w.stands("dev/front/alert/store-recovered")
	documents := len(s.Printers["front"].Storage().Ledger())
	resend(t, till, before, false)
	resend(t, till, after, true)
	if n := len(s.Printers["front"].Storage().Ledger()); n != documents {
		t.Errorf("%d documents, there were %d", n, documents)
	}
	must(t, till, fiscal.VerbSale, orders()[0].body)
}

// The index alone is gone, or older than the log: nothing is lost.
func TestLostIndex(t *testing.T) {
	t.Parallel()
	for name, older := range map[string]bool{"gone": false, "older": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t, Options{Config: hurried, Policy: impatient()})
			till := openTill(t, s, "till1")
			all := sell(t, till, ordersNamed("shift-open", "sale")...)
			old := readJournal(t, s.Config.DataDir)["kassad.db"]
			all = append(all, sell(t, till, ordersNamed("refund", "sale", "cash-in")...)...)
			till = stopFor(t, s, till, func() {
				err := os.Remove(storeOf(s))
				if older {
					err = os.WriteFile(storeOf(s), old, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			for _, o := range all {
				a, err := till.CallRaw(soon(t), o.verb, o.id, o.payload, nil)
				if err != nil || !a.Dup || a.State != fiscal.Done || a.Recovered {
					t.Errorf("%s again: %s, %v", o.name, a.Raw, err)
				}
			}
			must(t, till, fiscal.VerbSale, orders()[0].body)
		})
	}
}

// The store is gone: the same, for every document of the shift.
func TestLostStore(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: hurried, Policy: impatient()})
	till := openTill(t, s, "till1")
	all := sell(t, till, ordersNamed("shift-open", "sale", "refund", "correction", "sale")...)
	till = stopFor(t, s, till, func() {
		journalFiles{}.put(t, s.Config.DataDir)
	})
	documents := len(s.Printers["front"].Storage().Ledger())
	resend(t, till, all[1:], true)
	resend(t, till, all[:1], false) // the state is there; by whom, nobody knows any more
	disown(s, "front", 2)
	if n := len(s.Printers["front"].Storage().Ledger()); n != documents {
		t.Errorf("%d documents, there were %d", n, documents)
	}
	must(t, till, fiscal.VerbSale, orders()[0].body)
}

// What the storage does not tell is not repeated after a loss: cash movements,
// and receipts without a key. A person decides.
func TestLostStoreWithoutEvidence(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Policy: impatient(), Config: func(c *daemon.Config) { hurried(c); c.Devices[0].Mark = "none" }})
	till := openTill(t, s, "till1")
	var saved journalFiles
	sell(t, till, ordersNamed("shift-open")...)
	till = stopFor(t, s, till, func() { saved = readJournal(t, s.Config.DataDir) })
	late := sell(t, till, ordersNamed("cash-in", "sale", "cash-out")...)
	till = stopFor(t, s, till, func() { saved.put(t, s.Config.DataDir) })
	drawer, documents := s.Printers["front"].Drawer(), len(s.Printers["front"].Storage().Ledger())
	for _, o := range late {
		p := beginRaw(t, till, o.verb, o.id, o.payload)
		p.until("held", func(a Answer) bool { return a.State == fiscal.Held })
		fd := uint32(1)
		if o.answer.Fiscal != nil {
			fd = max(fd, o.answer.Fiscal.FD)
		}
		if err := resolve(t, s, o.id, fiscal.ResolveDoneElsewhere, fd); err != nil {
			t.Error(err)
		}
		p.ends(fiscal.Done)
	}
	if n := len(s.Printers["front"].Storage().Ledger()); n != documents || s.Printers["front"].Drawer() != drawer {
		t.Errorf("%d documents, drawer %d; there were %d and %d", n, s.Printers["front"].Drawer(), documents, drawer)
	}
	disown(s, "front", 3)
	for _, o := range ordersNamed("cash-in", "sale") { // what is settled from now on is in no doubt
		id := NewID()
		beginRaw(t, till, o.verb, id, RequestAt(id, time.Now().Add(2*time.Second), o.body)).ends(fiscal.Done)
	}
}

// A cash movement that waits in the copy that is put back was made since, in a
// shift that was closed since: nothing is left of it that could be read.
func TestRestoredStoreHoldsCash(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: hurried, Policy: impatient()})
	till, front := openTill(t, s, "till1"), s.Printers["front"]
	shift := func(command byte) { // by another program
		if answer := front.Execute([]byte{command, 30, 0, 0, 0}); answer[1] != 0 {
			t.Fatalf("%02Xh is answered %X", command, answer)
		}
		disown(s, "front", front.Storage().Status(time.Now()).LastDocument)
	}
	const opens, closes = 0xE0, 0x41
	cash, id := ordersNamed("cash-in")[0], NewID()
	beginRaw(t, till, cash.verb, id, Request(id, cash.body)).waits(fiscal.CodeShiftClosed)
	var saved journalFiles
	till = stopFor(t, s, till, func() { saved = readJournal(t, s.Config.DataDir) })
	shift(opens)
	beginRaw(t, till, cash.verb, id, Request(id, cash.body)).ends(fiscal.Done)
	till = stopFor(t, s, till, func() {
		shift(closes)
		saved.put(t, s.Config.DataDir)
		shift(opens)
	})
	drawer := front.Drawer()
	p := beginRaw(t, till, cash.verb, id, Request(id, cash.body))
	p.held(fiscal.CodeNeedsPerson)
	if err := resolve(t, s, id, fiscal.ResolveDoneElsewhere, 1); err != nil {
		t.Fatal(err)
	}
	p.ends(fiscal.Done)
	if is := front.Drawer(); is != drawer {
		t.Errorf("%d in the drawer, there were %d", is, drawer)
	}
}

// Another program sells on the same printer, idle or between ours: an alert
// tells of its documents, and the figures that differ are named.
func TestForeignDocuments(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: watchful, Policy: impatient()})
	till, w := openTill(t, s, "till1"), watch(t, s)
	sell(t, till, ordersNamed("shift-open", "sale")...)
	if _, err := s.ForeignSale("front", 12300); err != nil {
		t.Fatal(err)
	}
	sell(t, till, ordersNamed("sale")...)
	w.stands("dev/front/alert/foreign-document")
	x := decode[shiftFigures](t, must(t, till, fiscal.VerbXReport, obj{}).Counters)
	if x.Journal.Agrees || len(x.Journal.Differences) == 0 {
		t.Errorf("the journal agrees with another program's sale: %+v", x.Journal)
	}
	if alert := w.stands("dev/front/alert/counters-differ"); !strings.Contains(alert, "by_kind.sale.") {
		t.Errorf("no figure is named: %s", alert)
	}
	z := must(t, till, fiscal.VerbShiftClose, obj{"cashier": cashier})
	if len(z.Counters) == 0 {
		t.Errorf("Z without figures: %s", z.Raw)
	}
}

// Another storage, or another register, answers while a document is in doubt:
// a person decides, whatever it says. If the former storage comes back before, it
// tells.
func TestOtherStorage(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"storage", "register", "storage and back"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var addresses []string
			s := openShop(t, Options{
				Printers: map[string]printer.Config{
					"front": shifted(printer.Config{Serial: "0000000000000001", FNSerial: serialOf(1)}, time.Now()),
					"other": shifted(printer.Config{Serial: "0000000000000002", FNSerial: serialOf(2)}, time.Now()),
				},
				Policy: impatient(),
				Config: func(c *daemon.Config) {
					sort.Slice(c.Devices, func(i, j int) bool { return c.Devices[i].Name < c.Devices[j].Name })
					hurried(c)
					addresses = []string{c.Devices[0].Address, c.Devices[1].Address}
					c.Devices = c.Devices[:1]
				},
			})
			disown(s, "front", 2)
			disown(s, "other", 2)
			till := openTill(t, s, "till1")
			p := s.Printers["front"]
			p.Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.ExecuteThenPowerCycle{Off: time.Hour}})
			sale := begin(t, till, fiscal.VerbSale, orders()[0].body)
			sale.until("unknown", func(a Answer) bool { return a.State == fiscal.Unknown })
			old := p.Storage()
			if what != "register" {
				s.SwapStorage("front", fn.New(fn.Config{Serial: serialOf(3), Registration: old.Registration()}))
				p.PowerOn()
			} else {
				till = stopFor(t, s, till, func() { s.Config.Devices[0].Address = addresses[1] })
				sale = beginRaw(t, till, fiscal.VerbSale, sale.id, Request(sale.id, orders()[0].body))
			}
			sale.held(fiscal.CodeOtherStorage)
			if what == "storage and back" {
				s.SwapStorage("front", old)
				if a := sale.ends(fiscal.Done); !a.Recovered {
					t.Errorf("back again: %s", a.Raw)
				}
				return
			}
			made := uint32(len(old.Ledger()))
			if err := resolve(t, s, sale.id, fiscal.ResolveDoneElsewhere, made); err != nil {
				t.Error(err)
			}
			disown2(s, old.Serial(), made)
			sale.ends(fiscal.Done)
		})
	}
}

// disown2 disowns a document of a storage that no printer has any more.
func disown2(s *Shop, serial string, fd uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.foreign[docID(serial, fd)] = true
}

// A person decides about a held command; every decision is audited.
func TestResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action fiscal.Action
		fd     uint32
		state  fiscal.State
		made   int
	}{
		{fiscal.ResolveRetry, 0, fiscal.Done, 1},
		{fiscal.ResolveDoneElsewhere, 3, fiscal.Done, 0},
		{fiscal.ResolveAsCorrection, 3, fiscal.Done, 0},
		{fiscal.ResolveGiveUp, 0, fiscal.Abandoned, 0},
	} {
		t.Run(string(c.action), func(t *testing.T) {
			t.Parallel()
			s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: hurried, Policy: impatient()})
			till, w := openTill(t, s, "till1"), watch(t, s)
			p := s.Printers["front"]
			when := printer.Command(closeReceipt, closeReceiptV3)
			p.Inject(printer.Fault{When: when, Do: printer.ForeignDocument{Total: 34990}})
			p.Inject(printer.Fault{When: when, Do: printer.PowerCycleBefore{LoseReceipt: true}})
			sale := begin(t, till, fiscal.VerbSale, orders()[0].body)
			sale.held(fiscal.CodeClosedByOther)
			disown(s, "front", 2, 3)
			if c.fd != 0 {
				if err := resolve(t, s, sale.id, c.action, 0); err == nil {
					t.Error("decided without naming the document")
				}
			}
			if err := resolve(t, s, sale.id, c.action, c.fd); err != nil {
				t.Fatal(err)
			}
			a := sale.ends(c.state)
			if err := resolve(t, s, sale.id, c.action, c.fd); err == nil {
				t.Error("decided twice")
			}
			if made := len(p.Storage().Ledger()) - 3; made != c.made {
				t.Errorf("%d documents, want %d", made, c.made)
			}
			if !strings.Contains(string(a.Raw), `"by":"ivanov"`) {
				t.Errorf("the answer does not name the person: %s", a.Raw)
			}
			w.hears("evt/audit", fmt.Sprintf(`"action":%q`, c.action))
			w.hears("evt/audit", "ivanov")
		})
	}
}

// A person who is too quick retries a sale that was made after all: the
// storage is read before anything is sent.
func TestHastyRetry(t *testing.T) {
	t.Parallel()
	policy := impatient()
	policy.Unknown = 200 * time.Millisecond
	s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: hurried, Policy: policy})
	disown(s, "front", 2)
	p := s.Printers["front"]
	p.Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.ExecuteThenPowerCycle{Off: time.Hour}})
	sale := begin(t, openTill(t, s, "till1"), fiscal.VerbSale, orders()[0].body)
	held := sale.held(fiscal.CodeNeedsPerson)
	if err := resolve(t, s, sale.id, fiscal.ResolveRetry, 0); err != nil {
		t.Fatal(err)
	}
	sale.asked(held)
	p.PowerOn()
	if a := sale.ends(fiscal.Done); !a.Recovered || a.Fiscal.FD != 3 {
		t.Errorf("%s", a.Raw)
	}
}
