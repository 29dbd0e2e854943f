package sim

import (
	"sync/atomic"
	"testing"

	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// TestPrintsWithoutEnd: a terminal that sends texts without end has a hundred
// waiting and the others refused, and the sale of another terminal goes before them.
func TestPrintsWithoutEnd(t *testing.T) {
	t.Parallel()
	const most = 100 // docs/mqtt.md, Limits
	s := openShop(t, Options{})
	honest, flood := openTill(t, s, "till1"), openTill(t, s, "till2")
	must(t, honest, fiscal.VerbShiftOpen, obj{"cashier": cashier})
	front := s.Printers["front"]
	front.PowerOff()
	var texts []*pending
	for range most {
		p := begin(t, flood, fiscal.VerbText, obj{"lines": []string{"без конца"}})
		p.until("accepted", func(a Answer) bool { return a.State == fiscal.Accepted })
		texts = append(texts, p)
	}
	if a, err := flood.Call(t.Context(), fiscal.VerbText, obj{"lines": []string{"ещё"}}); err != nil || a.State != fiscal.Rejected || a.Error.Code != fiscal.CodeBusy {
		t.Errorf("text %d: %s, %v", most+1, a.Raw, err)
	}
	sale := begin(t, honest, fiscal.VerbSale, receipt(obj{"card": "#"}, kettle()))
	sale.until("accepted", func(a Answer) bool { return a.State == fiscal.Accepted })

	var before, all atomic.Int32 // texts that are printed before the receipt is opened, and ever
	front.OnCommand(func(cmd []byte) {
		switch printer.CodeOf(cmd) {
		case 0x17:
			all.Add(1)
		case 0x8D:
			before.Store(all.Load())
		}
	})
	front.PowerOn()
	if a := <-sale.final; a.State != fiscal.Done {
		t.Fatalf("the sale: %s", a.Raw)
	}
	for _, p := range texts {
		if a := <-p.final; a.State != fiscal.Done {
			t.Fatalf("a text: %s", a.Raw)
		}
	}
	if all.Load() < most || before.Load() > 1 { // one may have been tried when the printer went
		t.Errorf("%d of %d texts went before the sale", before.Load(), all.Load())
	}
}
