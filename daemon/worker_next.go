package daemon

import (
	"slices"
	"time"

	"kassad/fiscal"
)

// printsAtOnce is how many prints of a terminal may wait until it stands back: a
// slip, a copy, the drawer and what a hurried cashier asks for twice.
const printsAtOnce = 5

// next picks the record to move: the first in order that may go. Unknown
// blocks documents, earlier ones too if it is an automatic one; held blocks
// nothing, and a condition blocks what it would stop as well (design 5.7). A
// cloud knows its documents apart by their keys: there it is the circuit
// breaker that blocks. The prints of a terminal that prints without end go when
// there is nothing else; documents keep their order.
func (w *worker) next(now time.Time) *item {
	var standsBack *item
	flooding := w.flooding()
	blocker := w.inDoubt()
	resting := w.cloud != nil && w.fit.rest(now) > 0
	for _, it := range w.queue {
		r := &it.record
		due := !now.Before(it.due)
		if it.waitedOut(now) {
			return it // ends without the device, whoever stands before it
		}
		if blocker != nil && !overtakes(r, blocker) || resting && r.State == fiscal.Accepted && !r.Approved {
			continue
		}
		switch {
		case r.State == fiscal.Held, r.State == fiscal.Registered, w.cloud != nil && r.State == fiscal.Unknown:
			if due && (!it.due.IsZero() || r.State != fiscal.Held) {
				return it
			}
		case due && w.waitsForOlder(it, now):
			it.due = now.Add(olderLook)
			blocker = r
		case due && isPrint(r) && slices.Contains(flooding, r.Terminal):
			if standsBack == nil {
				standsBack = it
			}
		case due:
			return it
		default:
			blocker = r
		}
	}
	return standsBack
}

// flooding are the terminals of which more prints wait than printsAtOnce.
func (w *worker) flooding() (terminals []string) {
	var prints map[string]int
	for _, it := range w.queue {
		r := &it.record
		if !isPrint(r) {
			continue
		}
		if prints == nil {
			prints = map[string]int{}
		}
		if prints[r.Terminal]++; prints[r.Terminal] == printsAtOnce+1 {
			terminals = append(terminals, r.Terminal)
		}
	}
	return terminals
}

// isPrint tells of a print that is not begun.
func isPrint(r *fiscal.Record) bool {
	return r.State == fiscal.Accepted && r.Verb.Class() == fiscal.ClassPrint
}

// inDoubt is the record of which a device on a wire has to be asked before
// anything else; nil if there is none.
func (w *worker) inDoubt() *fiscal.Record {
	if w.cloud != nil {
		return nil
	}
	i := slices.IndexFunc(w.queue, func(it *item) bool { return it.record.State == fiscal.Unknown })
	if i < 0 {
		return nil
	}
	return &w.queue[i].record
}

// waitedOut tells whether the envelope's wait has passed for a command that is
// not begun.
func (it *item) waitedOut(now time.Time) bool {
	r := &it.record
	return r.State == fiscal.Accepted && r.WaitLeft > 0 && now.Sub(it.last) >= r.WaitLeft
}

// overtakes tells whether r may go although an earlier record waits: what
// heals the condition, what is no document, and everything if the condition is
// the earlier record's own.
func overtakes(r, blocker *fiscal.Record) bool {
	if r.State == fiscal.Unknown || r.State == fiscal.Held || r.State == fiscal.Registered {
		return true // a question, not a document
	}
	if r.Verb == fiscal.VerbXReport || r.Verb == fiscal.VerbDrawer {
		return true
	}
	if blocker.State != fiscal.Accepted || blocker.Waiting == nil {
		return false
	}
	switch blocker.Waiting.Code {
	case fiscal.CodeNoCash:
		return true
	case fiscal.CodePrinterBusy: // a receipt is open: only a document looks whose it is
		return blocker.Verb.Class() == fiscal.ClassPrint
	case fiscal.CodeShiftClosed, fiscal.CodeShiftExpired:
		return r.Verb == fiscal.VerbShiftOpen || r.Verb == fiscal.VerbShiftClose
	default:
		return false
	}
}
