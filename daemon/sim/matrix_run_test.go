package sim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"kassad/devices/emul/fn"
	"kassad/devices/link"
	"kassad/fiscal"
)

// run runs one cell. An error says that the shop is of no more use.
func (b *matrixBench) run(c matrixCell) (r matrixResult, err error) {
	r.cell = c
	o, ok := b.backend.order(c.verb)
	if !ok {
		return r, fmt.Errorf("%s cannot do %s", c.backend, c.verb)
	}
	b.killed.Store(false)
	if err := b.prepare(o); err != nil {
		return r, fmt.Errorf("%s: before the cell: %w", c, err)
	}
	before, err := b.account()
	if err != nil {
		return r, err
	}
	reached := b.arm(c)
	told := b.command(o)
	r.missed = !reached()
	b.disarm(told)
	r.end, r.held = told.end()
	if r.end == endHeld {
		// docs/recovery.md holds for a person what no device can tell; each of
		// these faults ends, and then the device or the service tells.
		r.violations = append(r.violations, fmt.Sprintf("held (%s): %s", r.held, told.last.Raw))
	}
	b.check(&r, o, before, told)
	if r.end == endHeld {
		return r, errUsedUp
	}
	return r, nil
}

// errUsedUp ends the life of a shop in which a person would have to decide.
var errUsedUp = fmt.Errorf("a command is held")

// toldTill is what a terminal was told of one command.
type toldTill struct {
	mu     sync.Mutex
	id     string
	final  Answer
	states []fiscal.State
	last   Answer
	held   time.Time // since then
	killed bool
}

func (w *toldTill) note(a Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = a
	w.states = append(w.states, a.State)
	switch {
	case a.State != fiscal.Held:
		w.held = time.Time{}
	case w.held.IsZero():
		w.held = time.Now()
	}
}

// stuck tells whether the command has been held for long.
func (w *toldTill) stuck() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.held.IsZero() && time.Since(w.held) > matrixHeld
}

func (w *toldTill) end() (matrixEnd, fiscal.Code) {
	w.mu.Lock()
	defer w.mu.Unlock()
	doubt := w.killed || slices.Contains(w.states, fiscal.Unknown)
	switch {
	case w.final.State == fiscal.Done && (w.final.Recovered || doubt || w.waited()):
		return endRecovered, ""
	case w.final.State == fiscal.Done:
		return endOnce, ""
	case w.final.Final:
		return endRejected, w.final.code()
	case w.last.State == fiscal.Held:
		return endHeld, w.last.code()
	default:
		return matrixEnd("not final: " + string(w.last.State)), ""
	}
}

// waited tells whether the command went back to the queue: it was accepted
// again after it had been working.
func (w *toldTill) waited() bool {
	i := slices.Index(w.states, fiscal.Working)
	return i >= 0 && slices.Contains(w.states[i:], fiscal.Accepted)
}

func (a Answer) code() fiscal.Code {
	if a.Error == nil {
		return ""
	}
	return a.Error.Code
}

// command sends the order and repeats it under its id until the final answer.
func (b *matrixBench) command(o matrixOrder) *toldTill {
	w := &toldTill{id: NewID()}
	payload := onDevice(w.id, b.backend.device, o.body())
	if o.verb.Receipt() || o.verb == fiscal.VerbCorrection {
		payload = addressed(w.id, "route", b.backend.device, o.body())
	}
	over := time.Now().Add(b.backend.bound)
	for time.Now().Before(over) && !w.stuck() {
		ctx, cancel := context.WithTimeout(b.ctx, matrixRepeat)
		a, err := b.till.CallRaw(ctx, o.verb, w.id, payload, w.note)
		if err == nil {
			cancel()
			w.final = a
			break
		}
		<-ctx.Done() // a till that is offline has no hurry
		cancel()
	}
	<-time.After(matrixTail)
	b.await()
	end, _ := w.end()
	b.calm = end == endOnce && !b.killed.Load()
	return w
}

// disarm takes the fault away.
func (b *matrixBench) disarm(told *toldTill) {
	b.disk.KillAt(0, nil)
	b.line.Script()
	b.network.Line(b.shop.Broker).Script()
	b.line.Late(link.Out, 0, 0)
	if b.shop.LifePay != nil {
		line, _ := b.place(placeCallOut)
		line.Script()
		line.Late(link.Out, 0, 0)
	}
	b.await()
	told.killed = b.killed.Load()
}

// check holds what was told against what was made.
func (b *matrixBench) check(r *matrixResult, o matrixOrder, before account, told *toldTill) {
	bad := func(format string, args ...any) { r.violations = append(r.violations, fmt.Sprintf(format, args...)) }
	made, drawer, err := b.since(before)
	if err != nil {
		bad("ledgers: %v", err)
	}
	ours := slices.DeleteFunc(slices.Clone(made), func(e fn.Entry) bool { return e.Form != o.form || e.Total != o.total && o.total != 0 })
	documents, cash, want := 0, int64(0), 0
	if r.end == endOnce || r.end == endRecovered {
		documents, cash, want = min(int(o.form), 1), o.drawer, 1
	}
	cloud := 0
	if b.backend.made != nil {
		cloud = b.backend.made(b.shop) - before.cloud
		if o.form != fiscal.FormReceipt && o.form != fiscal.FormCorrection {
			documents = 0 // the ledger's shifts are the cloud's own
		}
	}
	switch {
	case b.backend.made != nil && r.end == endHeld && cloud > 1, b.backend.made != nil && r.end != endHeld && cloud != want:
		bad("%s: the cloud has made %d documents", r.end, cloud)
	case r.end == endHeld && len(ours) <= 1 && len(made) == len(ours):
		// A person decides; the books cannot agree before.
		return
	case len(ours) != documents || len(made) != documents:
		bad("%s: %d documents, %d of them ours, want %d", r.end, len(made), len(ours), documents)
	case b.shop.Printers[matrixPrinter] != nil && drawer != cash:
		bad("%s: the drawer has moved by %d, want %d", r.end, drawer, cash)
	case r.end != endOnce && r.end != endRecovered && r.end != endRejected:
		bad("%s after %s", r.end, b.backend.bound)
	}
	books, err := b.shop.Books(b.ctx)
	if err != nil {
		bad("books: %v", err)
	}
	for _, v := range books.Violations() {
		bad("%s", v)
	}
	if len(r.violations) > 0 {
		bad("told %v, last %s", told.states, told.last.Raw)
	}
}
