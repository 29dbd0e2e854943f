package fiscal

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// stepper is Step, or a broken one that the checker has to find out.
type stepper func(Record, Event) (Record, []Effect)

// world is one command, the disk, the register and the people around it. It
// executes the effects of Step as the worker does, and lets everything fail
// that can. choose picks one of n ways; way 0 is always the one without a
// fault. The first broken promise ends the run.
type world struct {
	step   stepper
	choose func(what string, n int) int

	mem    Record
	disk   Record
	saves  []Record // everything that was ever on disk
	broken error

	ledger  []string // what the fiscal storage holds: the id of document FD-1
	prints  int      // how often a print verb came out
	working bool     // the register still works on our document
	swapped bool     // another register stands there
	behind  bool     // the journal was restored from an older copy
	now     time.Time
	elapsed time.Duration // since the last event
	pause   time.Duration // until the worker comes back
	wait    time.Duration // of the envelope
	submits int
}

const foreign = "somebody else's"

// turnsMax bounds how often a worker without faults may come to a command.
const turnsMax = 100

func newWorld(step stepper, choose func(string, int) int) *world {
	verbs := []Verb{VerbSale, VerbSale, VerbShiftClose, VerbCashIn, VerbText, VerbXReport}
	r := Record{
		Seq: 1, ID: "a", Hash: "h", State: Accepted, Verb: verbs[choose("verb", len(verbs))],
		WaitLeft: time.Duration(choose("wait", 3)) * 20 * time.Second,
	}
	now := time.Unix(1_800_000_000, 0)
	r.AcceptedAt = now
	w := &world{step: step, choose: choose, now: now, mem: r, disk: r, saves: []Record{r}, wait: r.WaitLeft}
	w.ledger = append(w.ledger, foreign)
	return w
}

func (w *world) fail(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

// run lets faults happen for some rounds, then takes them away and waits for
// the end.
func (w *world) run(rounds int) error {
	w.handle(Event{Kind: EventBegin, Late: w.choose("late", 8) == 7})
	for range rounds {
		if w.broken == nil && !w.mem.State.Final() {
			w.idle()
		}
	}
	w.choose = func(string, int) int { return 0 }
	for turn := 0; w.broken == nil && !w.mem.State.Final() && w.mem.State != Held; turn++ {
		w.idle()
		if turn == turnsMax {
			w.fail("liveness: still %s after %d turns without faults", w.mem.State, turn)
		}
	}
	if w.mem.State.Final() { // it must stay so, whatever comes
		for kind := EventBegin; kind <= EventResolve; kind++ {
			w.handle(Event{Kind: kind, Err: Refuse(CodePaperOut, "", ""), Verdict: Verdict{Finding: Absent}, Resolution: Resolution{Action: ResolveRetry}})
		}
	}
	w.checkEnd()
	return w.broken
}

// idle is the time between two turns of the worker.
func (w *world) idle() {
	w.pass(max(w.pause, time.Millisecond))
	switch w.choose("idle", 10) {
	case 1:
		w.handle(Event{Kind: EventCancel})
	case 2:
		w.restart()
	case 3:
		w.ledger = append(w.ledger, foreign)
	case 4:
		w.pass(20 * time.Minute)
		w.handle(Event{Kind: EventBegin})
	case 5:
		w.resolve()
	case 6:
		w.working = false // the register was switched off and on again
	case 7:
		w.restore()
	case 8:
		w.swapped = w.choose("swap", 6) == 5
	case 9:
		w.handle(Event{Kind: EventHeld, Err: Refuse(CodeNeedsPerson, "", "catching up cannot tell")})
	default:
		w.handle(Event{Kind: EventBegin})
	}
}

func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	w.elapsed += d
}

// restart loses everything that was not saved. While the journal is behind the
// storage, the storage is searched for our key before the queue runs (design
// 5.9).
func (w *world) restart() {
	w.mem = w.disk
	w.elapsed, w.pause = min(w.now.Sub(w.mem.AcceptedAt), w.mem.WaitLeft), 0 // as the worker does
	if fd := w.made(0); w.behind && fd != 0 {
		w.handle(Event{Kind: EventRecovered, Receipt: w.receipt(fd)})
		return
	}
	w.handle(Event{Kind: EventRestart})
}

// restore puts an older copy of the journal back.
func (w *world) restore() {
	if w.disk.Resolved != nil || w.disk.State.Final() {
		return
	}
	w.disk = w.saves[w.choose("copy", len(w.saves))]
	w.behind, w.working = true, false
	w.restart()
}

// resolve is a person who looks before deciding.
func (w *world) resolve() {
	res := Resolution{Action: ResolveGiveUp, By: "ivanov"}
	switch fd := w.made(0); {
	case fd != 0:
		res.Action, res.FD = ResolveDoneElsewhere, fd
	case w.working: // nobody can say
	case w.choose("decision", 2) == 0:
		res.Action = ResolveRetry
	}
	w.handle(Event{Kind: EventResolve, Resolution: res})
}

// handle gives one event to the record and carries out what follows. The
// process may die between any two effects.
func (w *world) handle(ev Event) {
	if w.broken != nil {
		return
	}
	ev.Now, ev.Elapsed, ev.Policy = w.now, w.elapsed, DefaultPolicy()
	w.elapsed, w.pause = 0, 0
	before := w.mem
	after, effects := w.step(before, ev)
	w.checkStep(before, ev, after, effects)
	w.mem = after
	for _, e := range effects {
		if w.broken != nil {
			return
		}
		if w.choose("crash", 20) == 19 {
			w.restart()
			return
		}
		if next, ok := w.do(e); ok {
			w.handle(next)
			return
		}
	}
}

func (w *world) do(e Effect) (Event, bool) {
	switch e.Kind {
	case EffectSave:
		w.disk = w.mem
		w.saves = append(w.saves, w.mem)
		return Event{}, false
	case EffectPrepare:
		w.pass(100 * time.Millisecond)
		return w.prepare(), true
	case EffectSubmit:
		w.pass(time.Second)
		return w.submit(), true
	case EffectFind:
		w.pass(100 * time.Millisecond)
		return w.find(), true
	case EffectWake:
		w.pause = e.After
		return Event{}, false
	default:
		w.fail("effect %d", e.Kind)
		return Event{}, false
	}
}

func (w *world) prepare() Event {
	switch w.choose("prepare", 8) {
	case 5:
		return Event{Kind: EventPrepareFail, Err: Fail(OutcomeUnreachable, CodePrinterAway, errors.New("no answer"))}
	case 6:
		return Event{Kind: EventPrepareFail, Err: Refuse(CodeForeignReceipt, "", "an open receipt is not ours")}
	case 7:
		return Event{Kind: EventPrepareFail, Err: Refuse(CodeShiftExpired, "", "")}
	case 4:
		if w.mem.Verb == VerbShiftClose {
			return Event{Kind: EventPrepared, Baseline: Baseline{Already: &Receipt{Kind: "shift-close", By: "other"}}}
		}
	}
	return Event{Kind: EventPrepared, Baseline: Baseline{Storage: "fn", LastFD: uint32(len(w.ledger)), Counters: &Counters{}}}
}

// submit is the wire and the register: a request may be lost before, in or
// after the register, and the process may die meanwhile.
func (w *world) submit() Event {
	w.checkSubmit()
	w.submits++
	lost := Event{Kind: EventSubmitFail, Err: Fail(OutcomeUnknown, CodePrinterAway, errors.New("no answer"))}
	switch w.choose("submit", 10) {
	case 1: // the request is lost
		return lost
	case 2: // the reply is lost
		w.make()
		return lost
	case 3: // the register is slow
		w.working = true
		return lost
	case 4:
		return Event{Kind: EventSubmitFail, Err: Refuse(CodePaperOut, "", "")}
	case 5:
		return Event{Kind: EventSubmitFail, Err: Refuse(CodeDeviceRefused, "", "")}
	case 6:
		return Event{Kind: EventSubmitFail, Err: Fail(OutcomeUnreachable, CodePrinterAway, errors.New("refused"))}
	case 7:
		w.make()
		return Event{Kind: EventRestart} // found by do: the process died before the answer
	case 8:
		w.working = true
		return Event{Kind: EventRestart}
	default:
		w.make()
		return Event{Kind: EventSubmitted, Receipt: w.receipt(w.made(0))}
	}
}

// make is the register making the document.
func (w *world) make() {
	if w.mem.Verb.Document() {
		w.ledger = append(w.ledger, w.mem.ID)
	} else {
		w.prints++
	}
}

// made finds our document after an FD; 0 if there is none.
func (w *world) made(after uint32) uint32 {
	for i, id := range w.ledger {
		if uint32(i) >= after && id == w.mem.ID {
			return uint32(i + 1)
		}
	}
	return 0
}

func (w *world) receipt(fd uint32) Receipt {
	if fd == 0 {
		return Receipt{}
	}
	return Receipt{Kind: string(w.mem.Verb), Storage: "fn", FD: fd}
}

// find asks the register; it tells the truth or nothing.
func (w *world) find() Event {
	if w.mem.Baseline == nil {
		w.fail("find without a baseline in %s", w.mem.State)
		return Event{}
	}
	if w.swapped {
		w.swapped = false
		return Event{Kind: EventVerdict, Verdict: Verdict{Finding: OtherStorage}}
	}
	if w.working && w.choose("slow", 3) == 0 {
		w.make()
		w.working = false
	}
	switch w.choose("find", 5) {
	case 3:
		return Event{Kind: EventFindFail, Err: Fail(OutcomeUnreachable, CodePrinterAway, errors.New("no answer"))}
	case 4:
		return Event{Kind: EventVerdict, Verdict: Verdict{Finding: Busy}}
	}
	return Event{Kind: EventVerdict, Verdict: w.truth()}
}

func (w *world) truth() Verdict {
	base := w.mem.Baseline.LastFD
	switch fd := w.made(base); {
	case w.working:
		return Verdict{Finding: Busy}
	case fd != 0:
		return Verdict{Finding: Made, Receipt: w.receipt(fd)}
	case len(w.ledger) > int(base) && w.choose("tell apart", 2) == 1:
		return Verdict{Finding: Foreign, Code: []Code{"", CodeNeedsPerson}[w.choose("code", 2)]}
	default:
		return Verdict{Finding: Absent}
	}
}

// checkSubmit is fence before fire: what is about to be sent is on disk.
func (w *world) checkSubmit() {
	d := w.disk
	switch {
	case !reflect.DeepEqual(d, w.mem):
		w.fail("submit of %s, on disk is %s", w.mem.State, d.State)
	case d.State != Working:
		w.fail("submit in %s", d.State)
	case d.Verb.Document() && d.Baseline == nil:
		w.fail("submit without a baseline")
	case d.Verb.Document() && w.made(0) != 0:
		w.fail("submit of a document that exists")
	case w.working:
		w.fail("submit while the register still works on it")
	}
}

// checkStep holds for every single step.
func (w *world) checkStep(before Record, ev Event, after Record, effects []Effect) {
	switch {
	case before.State.Final() && (!reflect.DeepEqual(before, after) || len(effects) > 0):
		w.fail("a final state is left: %s by event %d to %s", before.State, ev.Kind, after.State)
	case before.State != after.State && !slices.Contains(effects, save):
		w.fail("%s becomes %s unsaved", before.State, after.State)
	case (after.State == Unknown || after.State == Held) && (slices.Contains(effects, submit) || slices.Contains(effects, prepare)):
		w.fail("something is sent in %s", after.State)
	case ev.Kind == EventCancel && before.Cancellable() && after.State != Cancelled:
		w.fail("cancel of a command that is not begun leaves it %s", after.State)
	case ev.Kind == EventCancel && !before.Cancellable() && after.State != before.State:
		w.fail("cancel of a command that may have been made leaves %s for %s", before.State, after.State)
	case after.State == Working && before.State != Working && w.wait > 0 && !after.Approved && w.now.Sub(after.AcceptedAt) > w.wait:
		w.fail("begun %v after acceptance, its wait was %v", w.now.Sub(after.AcceptedAt), w.wait)
	case before.State == Held && after.State == Held && before.Error.Code == after.Error.Code && slices.Contains(effects, save):
		w.fail("held for %s is told again", after.Error.Code)
	case after.State == Unknown && !after.Verb.Document():
		w.fail("a print verb is in doubt")
	}
	w.checkDoubt(before, ev, after)
}

// checkDoubt: only Made, Absent, our key in the storage or a person end it.
func (w *world) checkDoubt(before Record, ev Event, after Record) {
	doubtful := func(s State) bool { return s == Unknown || s == Held }
	if !doubtful(before.State) || doubtful(after.State) {
		return
	}
	verdict := ev.Kind == EventVerdict && (ev.Verdict.Finding == Made || ev.Verdict.Finding == Absent)
	person := ev.Kind == EventResolve && before.Decidable()
	if !verdict && !person && ev.Kind != EventRecovered {
		w.fail("%s is left by event %d for %s", before.State, ev.Kind, after.State)
	}
}

// checkEnd compares what was told with what the storage holds.
func (w *world) checkEnd() {
	r, made := w.disk, 0
	for _, id := range w.ledger {
		if id == r.ID {
			made++
		}
	}
	settled := r.Resolved != nil && r.Resolved.Action != ResolveRetry
	switch {
	case made > 1:
		w.fail("%d documents of one command", made)
	case w.prints > 1:
		w.fail("printed %d times", w.prints)
	case r.State == Done && r.Verb.Document() && !settled && r.Receipt == nil:
		w.fail("done without a receipt")
	case r.State == Done && r.Verb.Document() && !settled && r.Receipt.By == "" && (made != 1 || w.ledger[r.Receipt.FD-1] != r.ID):
		w.fail("done as %d, the storage has %d documents of it: %v", r.Receipt.FD, made, w.ledger)
	case (r.State == Rejected || r.State == Cancelled) && (made > 0 || w.prints > 0):
		w.fail("%s, but it was made", r.State)
	case r.State == Cancelled && w.working:
		w.fail("cancelled while the register works on it")
	}
}
