package sim

import (
	"testing"
	"time"

	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

const registerItem = 0xFF46

// paperEnds leaves our receipt open on the printer.
var paperEnds = printer.Fault{When: printer.Command(registerItem), Do: printer.RunOutOfPaper{When: printer.After}}

// inDoubt is a shop in which a fault has met a sale until it was held, and a
// person has decided about it.
func inDoubt(t *testing.T, fault printer.Fault, decide fiscal.Action) (*Shop, *Till, *pending) {
	t.Helper()
	policy := impatient()
	policy.Unknown, policy.Foreign = 300*time.Millisecond, 300*time.Millisecond
	s := openShop(t, Options{Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())}, Config: hurried, Policy: policy})
	disown(s, "front", 2)
	till := openTill(t, s, "till1")
	s.Printers["front"].Inject(fault)
	sale := begin(t, till, fiscal.VerbSale, orders()[0].body)
	sale.held(fiscal.CodeNeedsPerson)
	if err := resolve(t, s, sale.id, decide, 0); err != nil {
		t.Fatal(err)
	}
	return s, till, sale
}

// The paper ends in the middle of a receipt, for longer than unknown_after, and
// a person decides while the receipt is still open on the printer. What comes
// next, an X report or a sale, finds our own receipt there and cancels it; also
// after a restart.
func TestOwnReceiptLeftOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		decide  fiscal.Action
		cancel  bool // and then the till wants it back
		restart bool
		next    fiscal.Verb
	}{
		{"given up, X report", fiscal.ResolveGiveUp, false, false, fiscal.VerbXReport},
		{"given up, sale", fiscal.ResolveGiveUp, false, false, fiscal.VerbSale},
		{"given up, restart, sale", fiscal.ResolveGiveUp, false, true, fiscal.VerbSale},
		{"retried, cancel refused, X report", fiscal.ResolveRetry, true, false, fiscal.VerbXReport},
		{"retried", fiscal.ResolveRetry, false, false, fiscal.VerbSale},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, till, sale := inDoubt(t, paperEnds, c.decide)
			p := s.Printers["front"]
			if c.cancel {
				a, err := till.Call(t.Context(), fiscal.VerbCancel, obj{"id": sale.id})
				if err != nil || a.Error == nil || a.Error.Code != fiscal.CodeNotBegunOnly {
					t.Fatalf("cancel: %s, %v", a.Raw, err)
				}
			}
			if c.restart {
				till = restart(t, s, till)
			}
			body := orders()[0].body
			if c.next == fiscal.VerbXReport {
				body = obj{}
			}
			next := begin(t, till, c.next, body)
			p.PaperIn()
			next.ends(fiscal.Done)
			must(t, till, fiscal.VerbSale, orders()[0].body)
			if c.decide == fiscal.ResolveRetry {
				sale.ends(fiscal.Done)
			}
		})
	}
}

// A person retries a sale whose printer is away, and the till wants it back: the
// printer may have made it, so nothing is cancelled before it was asked. If it
// never comes back, the person may still give the sale up.
func TestCancelAfterARetryInDoubt(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"the printer comes back": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, till, sale := inDoubt(t, printer.Fault{When: printer.Command(closeReceipt, closeReceiptV3), Do: printer.ExecuteThenPowerCycle{Off: time.Hour}}, fiscal.ResolveRetry)
			p := s.Printers["front"]
			a, err := till.Call(t.Context(), fiscal.VerbCancel, obj{"id": sale.id})
			if err != nil || a.Error == nil || a.Error.Code != fiscal.CodeNotBegunOnly {
				t.Fatalf("cancel: %s, %v", a.Raw, err)
			}
			if !back {
				if err := resolve(t, s, sale.id, fiscal.ResolveGiveUp, 0); err != nil {
					t.Fatal(err)
				}
				sale.ends(fiscal.Abandoned)
				disown(s, "front", 3) // made, and nobody claims it: abandoned proves nothing
				return
			}
			p.PowerOn()
			if a := sale.ends(fiscal.Done); !a.Recovered {
				t.Errorf("made again: %s", a.Raw)
			}
		})
	}
}

// A report of a shift is made and its answer lost, and a person retries it while
// the printer is away. The printer tells whose report it is: the retried
// command's, and to the next one it is somebody else's.
func TestShiftReportAfterARetryInDoubt(t *testing.T) {
	t.Parallel()
	for _, o := range orders() {
		if o.form != fiscal.FormShiftOpen && o.form != fiscal.FormShiftClose {
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			start := printer.Config{}
			if o.shift {
				start = shifted(start, time.Now())
			}
			policy := impatient()
			policy.Unknown = 300 * time.Millisecond
			s := openShop(t, Options{Printers: map[string]printer.Config{"front": start}, Config: hurried, Policy: policy})
			if o.shift {
				disown(s, "front", 2)
			}
			till := openTill(t, s, "till1")
			p := s.Printers["front"]
			p.Inject(printer.Fault{When: printer.Command(o.close...), Do: printer.ExecuteThenPowerCycle{Off: time.Hour}})
			first := begin(t, till, o.verb, o.body)
			first.held(fiscal.CodeNeedsPerson)
			if err := resolve(t, s, first.id, fiscal.ResolveRetry, 0); err != nil {
				t.Fatal(err)
			}
			p.PowerOn()
			mine, other := first.ends(fiscal.Done), must(t, till, o.verb, o.body)
			if !mine.Recovered || mine.Fiscal == nil || mine.Fiscal.By != "" || mine.Fiscal.FD == 0 {
				t.Errorf("the retried one: %s", mine.Raw)
			}
			if o.shift && mine.Counters == nil {
				t.Errorf("no figures of the shift: %s", mine.Raw)
			}
			if other.Fiscal == nil || other.Fiscal.By != "other" || mine.Fiscal != nil && other.Fiscal.FD != mine.Fiscal.FD {
				t.Errorf("the next one: %s", other.Raw)
			}
		})
	}
}

// A receipt that another program has open is left alone, whatever we have left
// behind before.
func TestForeignReceiptAfterOurs(t *testing.T) {
	t.Parallel()
	s, till, _ := inDoubt(t, paperEnds, fiscal.ResolveGiveUp)
	p := s.Printers["front"]
	p.PaperIn()
	// Somebody cancels ours at the printer and begins a refund.
	p.Execute([]byte{0x88, 30, 0, 0, 0})
	if answer := p.Execute([]byte{0x8D, 30, 0, 0, 0, 2}); len(answer) < 2 || answer[1] != 0 {
		t.Fatalf("the other program's receipt: % X", answer)
	}
	next := begin(t, till, fiscal.VerbSale, orders()[0].body)
	next.held(fiscal.CodeForeignReceipt)
	if p.Mode()&0x0F != 8 {
		t.Errorf("mode %02X: the other program's receipt is gone", p.Mode())
	}
	if err := resolve(t, s, next.id, fiscal.ResolveGiveUp, 0); err != nil {
		t.Fatal(err)
	}
}
