package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// aged is a shop whose shift was opened that long ago.
func aged(t *testing.T, age time.Duration, change func(*daemon.Config), model printer.Config) (*Shop, *Till, *watcher, *bench) {
	t.Helper()
	s := openShop(t, Options{
		Printers: map[string]printer.Config{"front": shifted(model, time.Now().Add(-age))}, Policy: impatient(), Config: change,
	})
	disown(s, "front", 2)
	return s, openTill(t, s, "till1"), watch(t, s), newBench(s, "front")
}

// wantAutomatic holds the automatic documents against the journal and the
// events: each once, before the sale.
func wantAutomatic(t *testing.T, s *Shop, w *watcher, b *bench, sale Answer) {
	t.Helper()
	serial := b.Storage().Serial()
	closing, opening := "auto-close-"+serial+"-1", "auto-open-"+serial+"-2"
	records, err := s.Daemon().Records()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]fiscal.Record{}
	for _, r := range records {
		found[r.ID] = r
	}
	for i, id := range []string{closing, opening} {
		r := found[id]
		if r.State != fiscal.Done || r.Receipt == nil || r.Receipt.FD != uint32(3+i) || r.Receipt.By != "" || r.Document.Cashier.Name != cashier["name"] {
			t.Errorf("%s: %+v", id, r)
		}
		w.hears("evt/shift", id)
		if n := w.count("evt/shift", id); n != 1 {
			t.Errorf("%s: %d events", id, n)
		}
	}
	if c := found[closing].Counters; c == nil || c.Journal == nil || !c.Journal.Agrees {
		t.Errorf("figures of the closed shift: %+v", c)
	}
	if sale.Fiscal.FD != 5 || sale.Fiscal.Shift != 2 || b.seen(0x41) != 1 || b.seen(0xE0) != 1 {
		t.Errorf("sale %s after %d closes and %d opens", sale.Raw, b.seen(0x41), b.seen(0xE0))
	}
}

// Over 24 hours the sale closes the shift and opens the next one itself.
func TestAutomaticShift(t *testing.T) {
	t.Parallel()
	s, till, w, b := aged(t, 24*time.Hour+time.Minute, hurried, printer.Config{})
	wantAutomatic(t, s, w, b, must(t, till, fiscal.VerbSale, orders()[0].body))
}

// Everybody can tell the id of the next automatic document. A terminal that takes it,
// or bars it, keeps no shift from being closed.
func TestAutomaticShiftCannotBeBarred(t *testing.T) {
	t.Parallel()
	s, till, w, b := aged(t, 24*time.Hour+time.Minute, hurried, printer.Config{})
	for _, verb := range []string{"close", "open"} {
		for shift := 1; shift <= 2; shift++ {
			id := fmt.Sprintf("auto-%s-%s-%d", verb, b.Storage().Serial(), shift)
			if a, err := till.Call(t.Context(), fiscal.VerbCancel, obj{"id": id}); err != nil || a.State != fiscal.Rejected || a.Error.Code != fiscal.CodeNoRight {
				t.Errorf("%s is barred: %s, %v", id, a.Raw, err)
			}
		}
		id := "auto-" + verb + "-9999078900000001-77" // of none that will be
		if a := beginRaw(t, till, fiscal.VerbText, id, Request(id, obj{"lines": []string{"x"}})).ends(fiscal.Rejected); a.Error.Code != fiscal.CodeBadValue {
			t.Errorf("%s is taken: %s", id, a.Raw)
		}
	}
	wantAutomatic(t, s, w, b, must(t, till, fiscal.VerbSale, orders()[0].body))
}

// The automatic documents go through the same recovery as those of terminals.
func TestAutomaticShiftInTrouble(t *testing.T) {
	t.Parallel()
	for _, at := range []uint16{0x41, 0xE0} {
		for name, do := range map[string]printer.Action{
			"command lost":           printer.DropCommand{},
			"answer lost":            printer.LoseAnswer{},
			"line cut":               printer.ExecuteThenCut{DropPending: true},
			"power after":            printer.ExecuteThenPowerCycle{Off: outage},
			"power before":           printer.PowerCycleBefore{Off: outage},
			"paper out before":       printer.RunOutOfPaper{When: printer.Before},
			"paper out during print": printer.RunOutOfPaper{When: printer.During},
		} {
			t.Run(fmt.Sprintf("%X %s", at, name), func(t *testing.T) {
				t.Parallel()
				s, till, w, b := aged(t, 25*time.Hour, hurried, printer.Config{})
				b.Inject(printer.Fault{When: printer.Command(at), Do: do})
				if strings.HasPrefix(name, "paper") {
					b.Inject(printer.Fault{When: printer.Command(at), Do: printer.Call{When: printer.After, Do: func(p *printer.Printer) {
						time.AfterFunc(outage, p.PaperIn)
					}}})
				}
				sale := must(t, till, fiscal.VerbSale, orders()[0].body)
				if name != "command lost" && name != "power before" && !strings.HasPrefix(name, "paper") {
					wantAutomatic(t, s, w, b, sale)
				}
			})
		}
	}
}

// The daemon dies after each command of closing and opening by itself.
func TestDeathInAutomaticShift(t *testing.T) {
	t.Parallel()
	sale := orders()[0]
	sale.age = 25 * time.Hour
	for n := 1; n <= 60; n += 2 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			dies(t, sale, n)
		})
	}
}

// With auto_shift = false a person closes and opens; both overtake the sale.
func TestExpiredShiftWaitsForThePerson(t *testing.T) {
	t.Parallel()
	_, till, w, b := aged(t, 25*time.Hour, func(c *daemon.Config) { watchful(c); c.Devices[0].AutoShift = false }, printer.Config{})
	sale := begin(t, till, fiscal.VerbSale, orders()[0].body)
	sale.waits(fiscal.CodeShiftExpired)
	w.stands("dev/front/alert/shift-expired")
	must(t, till, fiscal.VerbShiftClose, obj{"cashier": cashier})
	w.cleared("dev/front/alert/shift-expired")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	sale.ends(fiscal.Done)
	if b.seen(0x41) != 1 || b.seen(0xE0) != 1 {
		t.Errorf("%d closes, %d opens", b.seen(0x41), b.seen(0xE0))
	}
}

// The 24 hours pass between the opening of the receipt and its close (fault
// point 12): the receipt is cancelled, the shift renewed, the sale made.
func TestShiftExpiresInTheReceipt(t *testing.T) {
	t.Parallel()
	for _, at := range []uint16{0xFF46, closeReceiptV3} {
		t.Run(fmt.Sprintf("%X", at), func(t *testing.T) {
			t.Parallel()
			s, till, w, b := aged(t, 24*time.Hour-2*time.Minute, hurried, printer.Config{})
			b.Inject(printer.Fault{When: printer.Command(at), Do: printer.MoveClock{By: 4 * time.Minute}})
			wantAutomatic(t, s, w, b, must(t, till, fiscal.VerbSale, orders()[0].body))
		})
	}
}

// What follows a report fails: the report is found, and no figure is lost.
func TestReportNotTold(t *testing.T) {
	t.Parallel()
	for _, o := range orders()[4:6] {
		for name, f := range map[string]printer.Fault{
			"not found at once": {When: printer.Command(0xFF0A), Do: printer.RefuseWith{Code: 0x08}},
			"storage away":      {When: printer.Command(0xFF01), Do: printer.RefuseWith{Code: 0x30}},
			"power":             {When: printer.Command(0xFF0A), Do: printer.PowerCycleBefore{Off: outage}},
			"silence":           {When: printer.Command(0xFF0A), Do: printer.Call{When: printer.Before, Do: func(p *printer.Printer) { p.PowerCycle(outage) }}},
		} {
			t.Run(o.name+" "+name, func(t *testing.T) {
				t.Parallel()
				s := openShop(t, Options{Printers: map[string]printer.Config{"front": o.printer(1)}, Config: hurried, Policy: impatient()})
				if o.shift {
					disown(s, "front", 2)
				}
				b := newBench(s, "front")
				b.Inject(printer.Fault{When: printer.Command(o.close...), Do: printer.Call{When: printer.After, Do: func(p *printer.Printer) { p.Inject(f) }}})
				a := must(t, openTill(t, s, "till1"), o.verb, o.body)
				if a.Fiscal.By != "" || a.Fiscal.FD == 0 || o.verb == fiscal.VerbShiftClose && len(a.Counters) == 0 {
					t.Errorf("%s", a.Raw)
				}
			})
		}
	}
}

// shiftFigures are the counters of an answer.
type shiftFigures struct {
	ByKind map[string]struct {
		Count    uint32
		Total    fiscal.Money
		Payments struct{ Cash, Card, Prepayment, Credit, Other fiscal.Money }
		VAT      map[string]struct{ Base, Tax fiscal.Money }
	} `json:"by_kind"`
	Corrections map[string]struct {
		Count uint32
		Total fiscal.Money
	}
	Receipts, Documents uint32
	LastFD              uint32 `json:"last_fd"`
	Drawer              fiscal.Money
	Journal             struct {
		Agrees      bool
		Differences []any
	}
}

// The figures of the worked shift, in an X and in a Z whose answer is lost, are
// those of the format reference.
func TestWorkedShift(t *testing.T) {
	t.Parallel()
	file := worked(t)
	s := openShop(t, Options{Printers: map[string]printer.Config{"front": {CashDrawer: file.Shift.Start}}, Config: hurried, Policy: impatient()})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	byID := map[string]workedReceipt{}
	for _, w := range file.Receipts {
		byID[w.ID] = w
	}
	for _, id := range file.Shift.Receipts {
		w := byID[id]
		must(t, till, w.verb(), w.body())
	}
	x := must(t, till, fiscal.VerbXReport, obj{})
	wantFigures(t, "X", file, decode[shiftFigures](t, x.Counters))
	s.Printers["front"].Inject(printer.Fault{When: printer.Command(0x41), Do: printer.ExecuteThenPowerCycle{Off: outage}})
	z := must(t, till, fiscal.VerbShiftClose, obj{"cashier": cashier})
	closed := decode[shiftFigures](t, z.Counters)
	wantFigures(t, "Z", file, closed)
	if closed.Documents != file.Shift.Documents || closed.LastFD != z.Fiscal.FD {
		t.Errorf("Z: %d documents up to %d, want %d up to %d", closed.Documents, closed.LastFD, file.Shift.Documents, z.Fiscal.FD)
	}
	must(t, till, fiscal.VerbShiftOpen, obj{"cashier": cashier})
}

func wantFigures(t *testing.T, what string, file workedFile, got shiftFigures) {
	t.Helper()
	equal := func(figure string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s %s: %v, want %v", what, figure, got, want)
		}
	}
	money := func(v int64) fiscal.Money { return fiscal.Money(v) }
	for kind, w := range file.Shift.Counters.kinds() {
		g := got.ByKind[kind]
		equal(kind+" count", g.Count, w.Count)
		equal(kind+" total", g.Total, money(w.Total))
		equal(kind+" cash", g.Payments.Cash, money(w.Cash))
		equal(kind+" card", g.Payments.Card, money(w.Card))
		equal(kind+" prepayment", g.Payments.Prepayment, money(w.Prepaid))
		equal(kind+" credit", g.Payments.Credit, money(w.Credit))
		equal(kind+" other", g.Payments.Other, money(w.Provision))
		for rate, v := range w.VAT {
			tally, told := g.VAT[fiscal.VAT(rate).String()]
			switch {
			case fiscal.VAT(rate) == fiscal.VATNone || fiscal.VAT(rate) == fiscal.VAT0:
				equal(kind+" turnover "+fiscal.VAT(rate).String(), tally.Base, money(v))
			case told: // registers of 22 % are not known, their figures absent
				equal(kind+" tax "+fiscal.VAT(rate).String(), tally.Tax, money(v))
			}
		}
		c := file.Shift.Counters.corrected(t, kind)
		equal(kind+" corrections", got.Corrections[kind].Count, c.Count)
		equal(kind+" corrected", got.Corrections[kind].Total, money(c.Total))
	}
	equal("receipts", got.Receipts, file.Shift.Counters.Receipts)
	equal("drawer", got.Drawer, money(file.Shift.End))
	if !got.Journal.Agrees || len(got.Journal.Differences) > 0 {
		t.Errorf("%s: the journal does not agree: %v", what, got.Journal.Differences)
	}
}
