package sim

import (
	"slices"
	"time"

	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// longDoubt is a printer that makes a document and is then away for longer than
// a till waits, or than kassad leaves the question to the printer.
func (f *fiend) longDoubt() {
	name, p := f.device()
	d := pick(f.rng, between(f.rng, 40*time.Second, 3*time.Minute), f.w.plan.unknown+between(f.rng, time.Minute, 30*time.Minute))
	f.say(name, "away-after-command", "%s", d)
	p.Inject(printer.Fault{When: closes(), Do: printer.ExecuteThenPowerCycle{Off: d, Interrupted: oneIn(f.rng, 3)}})
}

// paperInDoubt is paper that ends in the print of a document whose answer does
// not arrive, or reads as if nothing had been made.
func (f *fiend) paperInDoubt() {
	name, p := f.device()
	nth, d := 1+f.rng.IntN(2), between(f.rng, 5*time.Second, 10*time.Minute)
	how := pick[printer.Action](f.rng,
		printer.LoseAnswer{LoseAck: oneIn(f.rng, 2)}, printer.ExecuteThenCut{DropPending: true}, printer.ExecuteThenCut{DropPending: true, LoseAck: true},
		printer.CutAnswer{Bytes: f.rng.IntN(12)}, printer.ExecuteThenRefuse{Code: pick(f.rng, byte(0x6B), 0x72)})
	f.say(name, "paper-in-doubt", "%T, %s", how, d)
	p.Inject(printer.Fault{When: closes(), Nth: nth, Do: how})
	p.Inject(printer.Fault{When: closes(), Nth: nth, Do: printer.RunOutOfPaper{When: pick(f.rng, printer.During, printer.After)}})
	p.Inject(printer.Fault{When: closes(), Nth: nth, Do: printer.Call{When: printer.After, Do: func(*printer.Printer) { f.after(d, p.PaperIn) }}})
}

// foreign makes a sale by another program; twin: over the sum of a sale of
// ours, the one that is open on the printer if there is one.
func (w *town) foreign(device, when string, twin bool) {
	p := w.shop.Printers[device]
	total, open := w.amount(), fiscal.Money(0)
	if twin {
		open = openSale(p)
	}
	w.mu.Lock()
	n := len(w.order)
	switch {
	case open > 0:
		total, when = open, when+", a twin of the open one"
	case twin && n > 0 && w.order[n-1].verb == fiscal.VerbSale:
		total, when = w.order[n-1].total, when+", a twin"
	}
	w.mu.Unlock()
	receiptOpen := p.Mode()&0x0F == 8
	fd, err := w.shop.ForeignSale(device, total)
	w.trace.add("foreign", device, "sale", "fd %d %s %s %v", fd, total, when, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.strangers[docID(p.Storage().Serial(), fd)] = time.Now()
	if receiptOpen {
		w.beside[device] = fd
	}
}

// besideOurs tells whether the last sale of another program beside an open receipt was
// also the last document of that printer, but for more of the kind.
func (w *town) besideOurs(device string) bool {
	w.mu.Lock()
	fd := w.beside[device]
	w.mu.Unlock()
	storage := w.shop.Printers[device].Storage()
	return fd != 0 && !slices.ContainsFunc(storage.Ledger(), func(e fn.Entry) bool {
		return e.FD > fd && !w.isForeign(docID(storage.Serial(), e.FD))
	})
}

// openSale is the total of the sale that is open on a printer; 0 if none is.
func openSale(p *printer.Printer) (total fiscal.Money) {
	if p.Mode() != 8 {
		return 0
	}
	a := p.Execute([]byte{0x89, 30, 0, 0, 0})
	if len(a) < 8 || a[1] != 0 {
		return 0
	}
	for i := range 5 { // code, error, operator, sum
		total |= fiscal.Money(a[3+i]) << (8 * i)
	}
	return total
}

// mistaken tells whether r is done by a sale of another program that nobody
// could tell from its own (docs/recovery.md): without a mark, a sale of the same
// kind and total that was the only receipt since the baseline when the printer
// was asked. Any other receipt beside it makes it a person's business.
func (w *town) mistaken(b Books, r fiscal.Record) bool {
	if w.plan.mark != "none" || r.State != fiscal.Done || !r.Recovered || settled(r) || r.Receipt == nil || r.Baseline == nil {
		return false
	}
	serial := r.Receipt.Storage
	if serial != r.Baseline.Storage || r.Receipt.FD <= r.Baseline.LastFD || !w.isForeign(docID(serial, r.Receipt.FD)) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range b.Ledgers[serial] {
		if e.FD <= r.Baseline.LastFD || e.FD == r.Receipt.FD || !isReceipt(e) {
			continue
		}
		made, stranger := w.strangers[docID(serial, e.FD)]
		if e.FD < r.Receipt.FD || stranger && made.Before(r.FinalAt) {
			return false
		}
	}
	return true
}
