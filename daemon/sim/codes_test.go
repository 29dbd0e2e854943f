package sim

import (
	"fmt"
	"sync"
	"testing"
	"time"

	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// Every code of the vendor's table, answered to each command that a document
// can meet: it ends rejected, waits for a condition that heals, or is found
// out; never two documents, and no receipt is left open.
func TestEveryVendorCode(t *testing.T) {
	t.Parallel()
	list := []struct {
		order string
		at    []uint16
	}{
		{"sale", []uint16{0x8D}}, {"sale", []uint16{0xFF46}}, {"sale", []uint16{0xFF0C}}, {"sale", []uint16{closeReceiptV3, closeReceipt}},
		{"correction105", []uint16{0xFF4A}}, {"shift-open", []uint16{0xE0}}, {"shift-close", []uint16{0x41}}, {"cash-in", []uint16{0x50}},
	}
	byName := map[string]order{}
	for _, o := range orders() {
		byName[o.name] = o
	}
	for _, c := range list {
		t.Run(fmt.Sprintf("%s %X", c.order, c.at), func(t *testing.T) {
			t.Parallel()
			everyCode(t, byName[c.order], c.at)
		})
	}
}

// codeLanes is how many printers share the codes of a command.
const codeLanes = 17

func everyCode(t *testing.T, o order, at []uint16) {
	printers := map[string]printer.Config{}
	for lane := range codeLanes {
		printers[fmt.Sprintf("d%d", lane)] = o.printer(lane + 1)
	}
	policy := impatient()
	policy.Unknown = 200 * time.Millisecond // the storage's own failure asks a person soon
	s := openShop(t, Options{Printers: printers, Config: hurried, Policy: policy})
	till := openTill(t, s, "till1")
	var group sync.WaitGroup
	for lane := range codeLanes {
		name := fmt.Sprintf("d%d", lane)
		if o.shift {
			disown(s, name, 2)
		}
		group.Go(func() {
			b := newBench(s, name)
			for code := lane + 1; code <= 0xFF; code += codeLanes {
				refuseOnce(t, s, till, b, o, at, byte(code))
				reset(t, s, b, o)
			}
		})
	}
	group.Wait()
}

// reset brings the shift back to where the order begins.
func reset(t *testing.T, s *Shop, b *bench, o order) {
	undo := map[fiscal.Verb]byte{fiscal.VerbShiftOpen: 0x41, fiscal.VerbShiftClose: 0xE0}[o.verb]
	closed := b.Mode() == 4
	if undo == 0 || closed == (o.verb == fiscal.VerbShiftOpen) {
		return
	}
	b.ClearFaults()
	if answer := b.Execute([]byte{undo, 30, 0, 0, 0}); answer[1] != 0 {
		t.Errorf("%s: %X: % X", b.name, undo, answer)
	}
	ledger := b.Storage().Ledger()
	disown(s, b.name, ledger[len(ledger)-1].FD)
}

// refuseOnce refuses one command once with a code. What waits is healed by the
// next attempt; what is held or stays unknown is given up by a person.
func refuseOnce(t *testing.T, s *Shop, till *Till, b *bench, o order, at []uint16, code byte) {
	before, drawer := len(b.Storage().Ledger()), b.Drawer()
	b.Inject(printer.Fault{When: printer.Command(at...), Do: printer.RefuseWith{Code: code}})
	id := NewID()
	p := beginRaw(t, till, o.verb, id, onDevice(id, b.name, o.body))
	a := p.endOr(t, func(a Answer) bool {
		return a.State == fiscal.Held || code <= 0x04 && code >= 0x03 && a.State == fiscal.Unknown
	})
	what := fmt.Sprintf("%s %s: %02Xh at %X", b.name, o.name, code, at)
	switch {
	case a.State == fiscal.Unknown:
		if code != 0x03 && code != 0x04 {
			t.Errorf("%s: %s", what, a.Raw)
		}
		// The storage's own failure: only a person ends it. The receipt is
		// cancelled by a service engineer.
		b.Execute([]byte{0x88, 30, 0, 0, 0})
		b.Execute([]byte{0xFF, 0x08, 30, 0, 0, 0})
		p.held(fiscal.CodeFNFault)
		if err := resolve(t, s, id, fiscal.ResolveRetry, 0); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		a = p.endOr(t, func(Answer) bool { return false })
	case a.State == fiscal.Held:
		if err := resolve(t, s, id, fiscal.ResolveGiveUp, 0); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		a = p.endOr(t, func(Answer) bool { return false })
	}
	made := 0
	for _, e := range b.Storage().Ledger()[before:] {
		if uint8(e.Form) == o.form {
			made++
		}
	}
	want := 0
	if a.State == fiscal.Done {
		want = min(int(o.form), 1)
	}
	moved := b.Drawer() - drawer
	switch {
	case !a.State.Final() || a.State == fiscal.Rejected && a.Error == nil:
		t.Errorf("%s: %s", what, a.Raw)
	case made != want:
		t.Errorf("%s: %d documents and %s", what, made, a.Raw)
	case a.State == fiscal.Done && moved != o.drawer, a.State != fiscal.Done && moved != 0:
		t.Errorf("%s: the drawer moved by %d and %s", what, moved, a.Raw)
	case b.Mode()&0x0F == 8:
		t.Errorf("%s: a receipt is left open", what)
	}
	if !p.told(a, code) && !silently(at[0], code) {
		t.Errorf("%s: nobody was told: %s", what, a.Raw)
	}
	b.ClearFaults()
}

// silently tells the codes that the driver waits out itself, or has another
// command for. The first requisite is our key, which a device may refuse.
func silently(at uint16, code byte) bool {
	return code == 0x50 || code == 0x58 || code == 0x4B || code == 0x37 && at == closeReceiptV3 || at == 0xFF0C
}

// told tells whether the answers named a code, in a state that suits its nature.
func (p *pending) told(final Answer, code byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	vendor := fmt.Sprintf("0x%02X", code)
	for _, a := range append(p.seen, final) {
		for _, e := range []*Refusal{a.Error, a.Waiting} {
			if e == nil || e.Vendor != vendor {
				continue
			}
			nature := e.Code.Info().Nature
			if a.State == fiscal.Rejected && nature == fiscal.Content || a.State == fiscal.Accepted && nature != fiscal.Content ||
				a.State == fiscal.Unknown || a.State == fiscal.Held && nature == fiscal.Doubt {
				return true
			}
		}
	}
	return false
}

// endOr waits for the final answer, or for one on the way that stops.
func (p *pending) endOr(t *testing.T, stops func(Answer) bool) Answer {
	timeout := time.After(longest)
	for {
		p.mu.Lock()
		moved := p.moved
		last := Answer{}
		if n := len(p.seen); n > 0 {
			last = p.seen[n-1]
		}
		p.mu.Unlock()
		if last.State != "" && stops(last) {
			return last
		}
		select {
		case a := <-p.final:
			return a
		case <-moved:
		case <-timeout:
			t.Errorf("%s: last was %s", p.id, last.Raw)
			return last
		}
	}
}
