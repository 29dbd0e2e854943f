package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kassad/devices/emul/fn"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// foes is what others have done in the shop: other programs, service engineers,
// strangers, and a person who decides without looking.
type foes struct {
	mu     sync.Mutex
	aliens map[string][]*alien      // by printer
	shelf  map[string][]*fn.Storage // that were taken out of a printer
	used   map[string][]*fn.Storage // that have ever been in a printer
	swaps  int
	blind  map[string]string    // command given up blindly → its document
	busy   map[string]time.Time // until when a printer carries out a slow command
}

func newFoes() foes {
	return foes{aliens: map[string][]*alien{}, shelf: map[string][]*fn.Storage{}, used: map[string][]*fn.Storage{}, blind: map[string]string{}, busy: map[string]time.Time{}}
}

// alien is a receipt that another program leaves open on a printer for a while.
type alien struct {
	total    fiscal.Money
	from, to time.Time // to is zero while it is open
	leaves   atomic.Bool
}

// Commands of another program with the rights of ours.
const (
	alienSale     = 0x80
	alienClose    = 0x85
	alienCancel   = 0x88
	alienSubtotal = 0x89
	alienBadTime  = 0x17 // the storage has documents of a later time
	alienPassword = 30
	alienAgain    = 20 * time.Second
)

// plain is an old command: code, password, rest.
func plain(code byte, rest ...byte) []byte {
	return append([]byte{code, alienPassword, 0, 0, 0}, rest...)
}

func fiveBytes(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n))[:5] }

// subtotalOf is the sum of the open receipt; ok tells whether there is one.
func subtotalOf(p *printer.Printer) (sum fiscal.Money, ok bool) {
	if p.Mode()&0x0F != 8 {
		return 0, false
	}
	answer := p.Execute(plain(alienSubtotal))
	if len(answer) < 8 || answer[1] != 0 {
		return 0, false
	}
	return fiscal.Money(binary.LittleEndian.Uint64(append(answer[3:8:8], 0, 0, 0))), true
}

// alienAt tells whether another program had a receipt open on a printer at that
// time, or a moment before.
func (w *town) alienAt(device string, at time.Time) bool {
	w.foes.mu.Lock()
	defer w.foes.mu.Unlock()
	for _, a := range w.foes.aliens[device] {
		if !at.Before(a.from) && (a.to.IsZero() || at.Before(a.to.Add(alienAgain))) {
			return true
		}
	}
	return false
}

// leaveOpen is another program that sells slowly: its receipt stays open.
func (f *fiend) leaveOpen() {
	name, _ := f.device()
	d := pick(f.rng, between(f.rng, time.Second, 8*time.Second), between(f.rng, 10*time.Second, 4*time.Minute))
	f.w.openAlien(name, d)
}

// openAlien opens the receipt, and has it closed d later.
func (w *town) openAlien(name string, d time.Duration) {
	p, total := w.shop.Printers[name], w.amount()
	if p.Mode() != 2 || w.alienAt(name, time.Now()) {
		return
	}
	rest := append(fiveBytes(1000), fiveBytes(int64(total))...)
	if answer := p.Execute(plain(alienSale, append(rest, 1, 0, 0, 0, 0)...)); len(answer) < 2 || answer[1] != 0 {
		w.trace.add("foreign", name, "alien", "refused: %X", answer)
		return
	}
	a := &alien{total: total, from: time.Now()}
	w.foes.mu.Lock()
	w.foes.aliens[name] = append(w.foes.aliens[name], a)
	w.foes.mu.Unlock()
	w.count("alien-receipt")
	w.trace.add("foreign", name, "alien", "leaves a receipt over %s open for %s", total, d)
	p.Inject(printer.Fault{When: printer.Command(0x88, 0xFF08), Times: -1, Do: printer.Call{When: printer.Before, Do: func(p *printer.Printer) {
		if sum, ok := subtotalOf(p); ok && sum == total && !a.leaves.Load() {
			w.violation("the receipt of another program over %s is cancelled on %s", total, name)
		}
	}}})
	w.mend(d, func() { w.closeAlien(name, a) })
}

// leaveOpenInDoubt is one that comes in the moment in which the power has taken
// our own receipt, and nobody knows that.
func (f *fiend) leaveOpenInDoubt() {
	name, p := f.device()
	d, off := between(f.rng, 5*time.Second, 2*time.Minute), between(f.rng, time.Second, 20*time.Second)
	p.Inject(printer.Fault{When: closes(), Do: printer.Call{When: printer.Before, Do: func(*printer.Printer) {
		f.after(off/2, func() { f.w.openAlien(name, d) })
	}}})
	p.Inject(printer.Fault{When: closes(), Do: printer.PowerCycleBefore{Off: off}})
	f.say(name, "alien-armed", "")
}

// closeAlien is the other program that comes to the end of its receipt, if that
// is still there.
func (w *town) closeAlien(name string, a *alien) {
	p := w.shop.Printers[name]
	switch mode := p.Mode() & 0x0F; mode {
	case 2, 3, 4: // the power took it
	case 8:
		if sum, ok := subtotalOf(p); !ok || sum != a.total {
			break
		}
		before := p.Storage().Status(time.Now()).LastDocument
		rest := append(append(fiveBytes(0), fiveBytes(int64(a.total))...), make([]byte, 5+5+2+4)...)
		answer := p.Execute(plain(alienClose, rest...))
		w.disown(p, before)
		w.trace.add("foreign", name, "alien", "closes: %X", answer[:min(len(answer), 2)])
		switch {
		case len(answer) == 2 && answer[1] == alienBadTime: // it cannot be closed any more
			a.leaves.Store(true)
			p.Execute(plain(alienCancel))
			w.trace.add("foreign", name, "alien", "cancels its own")
		case len(answer) < 2 || answer[1] != 0:
			w.mend(alienAgain, func() { w.closeAlien(name, a) })
			return
		}
	default:
		w.mend(alienAgain, func() { w.closeAlien(name, a) })
		return
	}
	w.foes.mu.Lock()
	defer w.foes.mu.Unlock()
	a.to = time.Now()
}

// swap is a service engineer who exchanges the fiscal storage.
func (f *fiend) swap() {
	name, _ := f.device()
	f.w.exchange(name, f.rng.IntN(3))
}

// swapInDoubt exchanges it while nobody knows what became of a document.
func (f *fiend) swapInDoubt() {
	name, p := f.device()
	which, d := f.rng.IntN(3), between(f.rng, 2*time.Second, 30*time.Second)
	p.Inject(printer.Fault{When: closes(), Do: printer.Call{When: printer.Before, Do: func(*printer.Printer) {
		f.after(d, func() { f.w.exchange(name, which) })
	}}})
	p.Inject(printer.Fault{When: closes(), Do: printer.ExecuteThenPowerCycle{Off: d + 5*time.Second}})
	f.say(name, "swap-armed", "")
}

// exchange closes the shift and puts in another storage: a new one, or one that
// was taken out before.
func (w *town) exchange(name string, which int) {
	p := w.shop.Printers[name]
	if p.Mode()&0x0F == 8 || w.alienAt(name, time.Now()) {
		return
	}
	w.foes.mu.Lock()
	busy := time.Now().Before(w.foes.busy[name])
	w.foes.mu.Unlock()
	if busy { // the engineer waits: no storage is taken out under power
		return
	}
	old := p.Storage()
	before := old.Status(time.Now()).LastDocument
	if old.Shift().Open {
		p.Execute(plain(0x41))
		w.disown(p, before)
	}
	if old.Shift().Open || old.Current() != fn.KindNone {
		return
	}
	w.foes.mu.Lock()
	w.foes.swaps++
	next := fn.New(fn.Config{
		Serial: fmt.Sprintf("99990791%08d", w.foes.swaps), FFD: old.FFD(), Seed: w.plan.seed + uint64(w.foes.swaps), Registration: old.Registration(), Now: p.Clock,
	})
	if shelf := w.foes.shelf[name]; which > 0 && len(shelf) > 0 {
		i := (which - 1) % len(shelf)
		next = shelf[i]
		w.foes.shelf[name] = append(shelf[:i:i], shelf[i+1:]...)
	}
	w.foes.shelf[name] = append(w.foes.shelf[name], old)
	w.foes.used[name] = append(w.foes.used[name], old)
	w.foes.mu.Unlock()
	w.shop.SwapStorage(name, next)
	w.count("storage-swapped")
	w.trace.add("engineer", name, "swaps", "%s for %s", old.Serial(), next.Serial())
}

// storagesOf are all storages that have been in a printer.
func (w *town) storagesOf(name string) (serials []string) {
	w.foes.mu.Lock()
	defer w.foes.mu.Unlock()
	seen := map[string]bool{}
	for _, st := range append(append([]*fn.Storage(nil), w.foes.used[name]...), w.shop.Printers[name].Storage()) {
		if !seen[st.Serial()] {
			seen[st.Serial()] = true
			serials = append(serials, st.Serial())
		}
	}
	return serials
}

// archiveDefault is a storage that is far from full.
const archiveDefault = 230_000

// full is a storage at the end of its archive.
func (f *fiend) full() {
	name, p := f.device()
	st := p.Storage()
	d := between(f.rng, 10*time.Second, 10*time.Minute)
	st.SetArchiveMax(st.Status(time.Now()).LastDocument + uint32(f.rng.IntN(3)))
	f.say(name, "fn-full", "%s", d)
	f.after(d, func() { st.SetArchiveMax(archiveDefault) })
}

// forgeSome is somebody who tries more than once.
func (f *fiend) forgeSome() {
	for range 3 + f.rng.IntN(6) {
		f.forge()
	}
}

// forge tells the daemon things in the name of LIFE PAY that it has never said.
func (f *fiend) forge() {
	if f.w.shop.LifePay == nil {
		return
	}
	calls := f.w.shop.LifePay.Callbacks()
	targets := f.targets()
	if len(calls) == 0 || len(targets) == 0 {
		return
	}
	a, b := calls[f.rng.IntN(len(calls))], calls[f.rng.IntN(len(calls))]
	for range 5 { // what says "done" does the most harm
		if b.State == lifepay.StateProcessed {
			break
		}
		b = calls[f.rng.IntN(len(calls))]
	}
	target := targets[f.rng.IntN(len(targets))]
	i := strings.LastIndexByte(a.URL, '/')
	j := strings.LastIndexByte(a.URL[:max(i, 0)], '/')
	if i < 0 || j < 0 {
		return
	}
	address, forged, what := a.URL, true, ""
	switch f.rng.IntN(5) {
	case 0:
		what, address = "a guessed token", a.URL[:j+1]+guess(f.rng, a.URL[j+1:i])+"/"+target
	case 1, 2:
		what, address = "another's token", a.URL[:i+1]+target
		forged = !strings.HasSuffix(a.URL, "/"+target)
	case 3:
		what, forged = "another's news", false
	default:
		what, forged, b = "old news", false, a
	}
	f.w.count("forged-callback")
	f.say("callback", "forged", "%s for %s", what, address[strings.LastIndexByte(address, '/')+1:])
	f.w.keeper.group.Go(func() { f.w.forge(f.w.keeper.ctx, address, b.Payload, what, forged) })
}

// guess is a token of the right form.
func guess(rng *rand.Rand, like string) string {
	out := []byte(like)
	for i := range out {
		out[i] = "abcdefghijklmnopqrstuvwxyz234567"[rng.IntN(32)]
	}
	return string(out)
}

// targets are receipts, the unfinished ones first in number.
func (f *fiend) targets() (ids []string) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	var open []string
	for _, e := range f.w.order {
		if !e.verb.Receipt() {
			continue
		}
		ids = append(ids, e.id)
		if !e.over {
			open = append(open, e.id)
		}
	}
	if len(open) > 0 && f.rng.IntN(4) > 0 {
		return open
	}
	return ids
}

// forge posts a callback. One that must not be believed must not be thanked for.
func (w *town) forge(ctx context.Context, address, payload, what string, forged bool) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	body := url.Values{"data": {payload}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		w.violation("forged callback: %v", err)
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := (&http.Client{Transport: w.shop.transport()}).Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if forged && resp.StatusCode == http.StatusOK {
		w.violation("a callback with %s was taken", what)
	}
}

// mayErr tells whether a person may decide about r without a look at its
// document: kassad can still find out. Where it cannot, a wrong word is a
// second document.
func (p *person) mayErr(r fiscal.Record, doc fn.Entry) bool {
	return p.w.may("blind") && !p.w.may("swap") && r.State == fiscal.Held && r.Verb.Receipt() && r.Baseline != nil && r.Baseline.Cloud == nil &&
		r.Error != nil && r.Error.Code == fiscal.CodeNeedsPerson && entryKey(doc) != ""
}

// errs notes a person's mistake.
func (w *town) errs(id, document string) {
	w.foes.mu.Lock()
	defer w.foes.mu.Unlock()
	w.foes.blind[id] = document
}

// awayInDoubt takes a printer away right after it has made a document, for
// longer than anybody waits: a person is asked.
func (f *fiend) awayInDoubt() {
	name, p := f.device()
	d := between(f.rng, 20*time.Minute, 50*time.Minute)
	f.say(name, "away-armed", "%s", d)
	p.Inject(printer.Fault{When: closes(), Do: printer.ExecuteThenPowerCycle{Off: d}})
}
