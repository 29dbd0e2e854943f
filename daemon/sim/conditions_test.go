package sim

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// ailment is a condition that holds a sale up and heals.
type ailment struct {
	name  string
	code  fiscal.Code // what the sale waits for, and the alert that stands
	fall  func(b *bench)
	heal  func(b *bench)
	state string      // what dev/{name}/state shows meanwhile; "" for nothing of its own
	verb  fiscal.Verb // default sale
}

func ailments() []ailment {
	at := func(a printer.Action, codes ...uint16) func(*bench) {
		return func(b *bench) { b.Inject(printer.Fault{When: printer.Command(codes...), Times: -1, Do: a}) }
	}
	well := func(b *bench) { b.ClearFaults() }
	closes := []uint16{closeReceipt, closeReceiptV3}
	list := []ailment{
		{name: "paper out", code: fiscal.CodePaperOut, state: `"paper":false`,
			fall: func(b *bench) { b.PaperOut() }, heal: func(b *bench) { b.PaperIn() }},
		{name: "cover open", code: fiscal.CodeCoverOpen, state: `"cover":false`,
			fall: func(b *bench) { b.SetCover(true) }, heal: func(b *bench) { b.SetCover(false) }},
		{name: "printer off", code: fiscal.CodePrinterAway, state: `"link":false`,
			fall: func(b *bench) { b.PowerOff() }, heal: func(b *bench) { b.PowerOn() }},
		{name: "clock ahead", code: fiscal.CodeClockWrong, state: `clock-wrong`,
			fall: func(b *bench) { b.AdvanceClock(6 * time.Minute) }, heal: func(b *bench) { b.AdvanceClock(-6 * time.Minute) }},
		{name: "clock behind", code: fiscal.CodeClockWrong, state: `clock-wrong`,
			fall: func(b *bench) { b.AdvanceClock(-6 * time.Minute) }, heal: func(b *bench) { b.AdvanceClock(6 * time.Minute) }},
		{name: "wrong password", code: fiscal.CodePrinterFault, fall: at(printer.RefuseWith{Code: 0x4F}, 0x10, 0x11, 0x8D), heal: well},
		{name: "not registered", code: fiscal.CodeFNMissing, state: `fn-missing`,
			fall: func(b *bench) { b.Storage().SetPhase(fn.PhaseReady) }, heal: func(b *bench) { b.Storage().SetPhase(fn.PhaseFiscal) }},
		{name: "archive closed", code: fiscal.CodeFNExpired, state: `fn-expired`,
			fall: func(b *bench) { b.Storage().SetPhase(fn.PhaseSending) }, heal: func(b *bench) { b.Storage().SetPhase(fn.PhaseFiscal) }},
		{name: "storage expired", code: fiscal.CodeFNExpired,
			fall: func(b *bench) { b.Storage().SetExpires(time.Now().Add(-time.Hour)) },
			heal: func(b *bench) { b.Storage().SetExpires(time.Now().AddDate(1, 0, 0)) }},
		{name: "storage does not answer", code: fiscal.CodeFNMissing, fall: at(printer.RefuseWith{Code: 0x30}, 0xFF01), heal: well},
		{name: "cash refund without cash", code: fiscal.CodeNoCash, verb: fiscal.VerbRefund, fall: func(*bench) {},
			heal: func(b *bench) { b.Execute([]byte{0x50, 30, 0, 0, 0, 0xA0, 0x86, 1, 0, 0}) }},
	}
	for code, stands := range map[byte]fiscal.Code{
		0x50: fiscal.CodePrinterBusy, 0x4B: fiscal.CodePrinterBusy, 0x6B: fiscal.CodePaperOut, 0x14: fiscal.CodeOFDOverdue,
		0x15: fiscal.CodeOFDOverdue, 0x06: fiscal.CodeFNFull, 0x12: fiscal.CodeFNFull, 0x05: fiscal.CodeFNExpired,
		0x07: fiscal.CodeClockWrong, 0x17: fiscal.CodeClockWrong, 0x02: fiscal.CodeFNFault, 0x71: fiscal.CodePrinterFault,
		0x8F: fiscal.CodeFNMissing, 0x46: fiscal.CodeNoCash,
	} {
		list = append(list,
			ailment{name: fmt.Sprintf("%02Xh at the opening", code), code: stands, fall: at(printer.RefuseWith{Code: code}, 0x8D), heal: well},
			ailment{name: fmt.Sprintf("%02Xh at the close", code), code: stands, fall: at(printer.RefuseWith{Code: code}, closes...), heal: well})
	}
	return list
}

// Every condition is told three times, as what the command waits for, as a
// retained alert and in the state of the device, and heals by itself: the
// alert is cleared and the sale made once.
func TestConditionsHeal(t *testing.T) {
	t.Parallel()
	list := ailments()
	printers := map[string]printer.Config{}
	for i, a := range list {
		c := printer.Config{Serial: fmt.Sprintf("%016d", i+1), FNSerial: serialOf(i + 1), CashDrawer: 100_000}
		if a.verb == fiscal.VerbRefund {
			c.CashDrawer = 0
		}
		printers[fmt.Sprintf("d%d", i)] = shifted(c, time.Now())
	}
	s := openShop(t, Options{Printers: printers, Config: watchful, Policy: impatient()})
	till, w := openTill(t, s, "till1"), watch(t, s)
	var group sync.WaitGroup
	for i, a := range list {
		name := fmt.Sprintf("d%d", i)
		disown(s, name, 2)
		group.Go(func() { a.run(t, newBench(s, name), till, w) })
	}
	group.Wait()
}

func (a ailment) run(t *testing.T, b *bench, till *Till, w *watcher) {
	verb := a.verb
	if verb == "" {
		verb = fiscal.VerbSale
	}
	alert, state := "dev/"+b.name+"/alert/"+string(a.code), "dev/"+b.name+"/state"
	w.says(state, `"link":true`)
	a.fall(b)
	id := NewID()
	p := beginRaw(t, till, verb, id, onDevice(id, b.name, orders()[0].body))
	p.waits(a.code)
	if p := w.stands(alert); len(decode[struct{ Text string }](t, []byte(p)).Text) == 0 {
		t.Errorf("%s: alert without a text: %s", a.name, p)
	}
	if a.state != "" {
		w.says(state, a.state)
	}
	a.heal(b)
	select {
	case answer := <-p.final:
		if answer.State != fiscal.Done || answer.Recovered {
			t.Errorf("%s: %s", a.name, answer.Raw)
		}
	case <-time.After(longest):
		t.Errorf("%s: the sale does not end", a.name)
	}
	w.cleared(alert)
}

// A sale for a closed shift waits for a person to open it; the opening
// overtakes what waits.
func TestShiftClosedWaitsForThePerson(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: watchful, Policy: impatient()})
	till, w := openTill(t, s, "till1"), watch(t, s)
	sale := begin(t, till, fiscal.VerbSale, orders()[0].body)
	sale.waits(fiscal.CodeShiftClosed)
	w.stands("dev/front/alert/shift-closed")
	cash := begin(t, till, fiscal.VerbCashIn, obj{"amount": 100})
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	sale.ends(fiscal.Done)
	cash.ends(fiscal.Done)
	w.cleared("dev/front/alert/shift-closed")
}

// A refund that the drawer cannot pay waits and holds nobody up; cash that is
// paid in heals it.
func TestNoCashHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: hurried, Policy: impatient()})
	disown(s, "front", 2)
	till := openTill(t, s, "till1")
	refund := begin(t, till, fiscal.VerbRefund, orders()[0].body)
	refund.waits(fiscal.CodeNoCash)
	must(t, till, fiscal.VerbSale, receipt(obj{"card": "#"}, item("Чай", "50.00", "1", "none", nil)))
	must(t, till, fiscal.VerbCashIn, obj{"amount": 1000})
	refund.ends(fiscal.Done)
}

// Paper that ends while a made receipt is printed is a debt, no failure: the
// answer says so, and the rest is printed when paper is back.
func TestPaperOwed(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: watchful, Policy: impatient()})
	disown(s, "front", 2)
	till, w := openTill(t, s, "till1"), watch(t, s)
	b := newBench(s, "front")
	b.Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.RunOutOfPaper{When: printer.During}})
	a := must(t, till, fiscal.VerbSale, orders()[0].body)
	if a.Printed != "owed" {
		t.Errorf("printed %q: %s", a.Printed, a.Raw)
	}
	w.stands("dev/front/alert/paper-owed")
	next := begin(t, till, fiscal.VerbSale, orders()[0].body)
	next.waits(fiscal.CodePaperOut)
	b.PaperIn()
	next.ends(fiscal.Done)
	w.cleared("dev/front/alert/paper-owed")
	if b.seen(0xB0) == 0 {
		t.Error("the print was not continued")
	}
}

// What warns only: the alert stands, sales go on.
func TestWarnings(t *testing.T) {
	t.Parallel()
	week := time.Now().AddDate(0, 0, 7)
	for name, c := range map[fiscal.Code]func(*bench){
		fiscal.CodeFNExpiresSoon: func(b *bench) { b.Storage().SetExpires(week) },
		fiscal.CodeFNNearlyFull:  func(b *bench) { b.Storage().SetWarnings(fn.WarnFull) },
		fiscal.CodeOFDBacklog:    func(b *bench) { b.Storage().SetWarnings(fn.WarnOFDOverdue) },
		fiscal.CodeClockDrift:    func(b *bench) { b.AdvanceClock(3 * time.Minute) },
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: watchful, Policy: impatient()})
			disown(s, "front", 2)
			till, w := openTill(t, s, "till1"), watch(t, s)
			b := newBench(s, "front")
			c(b)
			w.stands("dev/front/alert/" + string(name))
			must(t, till, fiscal.VerbSale, orders()[0].body)
			b.Storage().SetWarnings(0)
			b.Storage().SetExpires(time.Now().AddDate(1, 0, 0))
			if name == fiscal.CodeClockDrift {
				b.AdvanceClock(-3 * time.Minute)
			}
			w.cleared("dev/front/alert/" + string(name))
		})
	}
}

// The storage's own failure is never answered by cancelling or repeating: the
// command stays unknown, blocks its device, and asks a person in the end.
func TestStorageFailure(t *testing.T) {
	t.Parallel()
	for code, word := range map[byte]fiscal.Action{0x03: fiscal.ResolveRetry, 0x04: fiscal.ResolveGiveUp} {
		t.Run(fmt.Sprintf("%02X", code), func(t *testing.T) {
			t.Parallel()
			policy := impatient()
			policy.Unknown = time.Second
			s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: watchful, Policy: policy})
			disown(s, "front", 2)
			till, w := openTill(t, s, "till1"), watch(t, s)
			b := newBench(s, "front")
			b.Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.RefuseWith{Code: code}})
			sale := begin(t, till, fiscal.VerbSale, orders()[0].body)
			sale.until("unknown", func(a Answer) bool { return a.State == fiscal.Unknown })
			w.stands("dev/front/alert/fn-fault")
			sale.held(fiscal.CodeFNFault)
			if b.seen(0x88, 0xFF08) != 0 || b.seen(closeReceipt, closeReceiptV3) != 1 {
				t.Errorf("%d cancels, %d closes", b.seen(0x88, 0xFF08), b.seen(closeReceipt, closeReceiptV3))
			}
			till = restart(t, s, till)
			must(t, till, fiscal.VerbStatus, obj{})
			if b.seen(0x88, 0xFF08) != 0 || b.seen(closeReceipt, closeReceiptV3) != 1 {
				t.Errorf("after a restart: %d cancels, %d closes", b.seen(0x88, 0xFF08), b.seen(closeReceipt, closeReceiptV3))
			}
			// The storage is well again, and our receipt still open on it: a later sale
			// waits for the person's word, and then everything is made once.
			next := begin(t, till, fiscal.VerbSale, orders()[0].body)
			next.waits(fiscal.CodeFNFault)
			if err := resolve(t, s, sale.id, word, 0); err != nil {
				t.Error(err)
			}
			next.ends(fiscal.Done)
			made := 1
			if word == fiscal.ResolveRetry {
				made++
				beginRaw(t, till, fiscal.VerbSale, sale.id, Request(sale.id, orders()[0].body)).ends(fiscal.Done)
			}
			if n := len(s.Printers["front"].Storage().Ledger()) - 2; n != made {
				t.Errorf("%d documents, want %d", n, made)
			}
		})
	}
	t.Run("made", func(t *testing.T) {
		t.Parallel()
		s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: hurried, Policy: impatient()})
		disown(s, "front", 2)
		s.Printers["front"].Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.ExecuteThenRefuse{Code: 0x03}})
		if a := must(t, openTill(t, s, "till1"), fiscal.VerbSale, orders()[0].body); !a.Recovered {
			t.Errorf("%s", a.Raw)
		}
	})
}

// The device comes back after unknown_after: the held command resolves by
// itself, after a restart of the daemon too.
func TestUnknownAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		do        printer.Action
		restart   bool
		recovered bool
	}{
		{"made", printer.ExecuteThenPowerCycle{Off: time.Hour}, false, true},
		{"not made", printer.PowerCycleBefore{Off: time.Hour, LoseReceipt: true}, false, false},
		{"made, restart", printer.ExecuteThenPowerCycle{Off: time.Hour}, true, true},
		{"not made, restart", printer.PowerCycleBefore{Off: time.Hour}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			policy := impatient()
			policy.Unknown = 300 * time.Millisecond
			s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: hurried, Policy: policy})
			disown(s, "front", 2)
			till := openTill(t, s, "till1")
			p := s.Printers["front"]
			p.Inject(printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: c.do})
			sale := begin(t, till, fiscal.VerbSale, orders()[0].body)
			sale.held(fiscal.CodeNeedsPerson)
			if c.restart {
				till = restart(t, s, till)
				sale = beginRaw(t, till, fiscal.VerbSale, sale.id, Request(sale.id, orders()[0].body))
			}
			p.PowerOn()
			if a := sale.ends(fiscal.Done); a.Recovered != c.recovered {
				t.Errorf("recovered %v: %s", a.Recovered, a.Raw)
			}
		})
	}
}

// late_after holds an old sale; a person's retry makes it.
func TestLate(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{
		Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Policy: impatient(),
		Config: func(c *daemon.Config) { hurried(c); c.LateAfter = daemon.Duration(time.Hour) },
	})
	disown(s, "front", 2)
	till := openTill(t, s, "till1")
	id := NewID()
	old := beginRaw(t, till, fiscal.VerbSale, id, RequestAt(id, time.Now().Add(-2*time.Hour), orders()[0].body))
	old.held(fiscal.CodeLate)
	must(t, till, fiscal.VerbSale, orders()[0].body) // held blocks nothing
	if err := resolve(t, s, id, fiscal.ResolveRetry, 0); err != nil {
		t.Fatal(err)
	}
	old.ends(fiscal.Done)
}
