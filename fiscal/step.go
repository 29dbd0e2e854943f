package fiscal

import (
	"slices"
	"time"
)

// EventKind is what happened to a record.
type EventKind uint8

// Events.
const (
	EventBegin       EventKind = iota + 1 // the worker has come to it, or a wait is over
	EventRestart                          // the daemon has started again
	EventPrepared                         // Prepare answered: Baseline (or Counters)
	EventPrepareFail                      // Prepare refused or failed: Err
	EventSubmitted                        // Submit answered: Receipt
	EventSubmitFail                       // Submit refused or failed: Err
	EventVerdict                          // Find answered: Verdict
	EventFindFail                         // Find could not ask: Err
	EventRecovered                        // catching up found our key in the storage: Receipt
	EventHeld                             // catching up cannot tell: Err
	EventCancel                           // the terminal wants it gone
	EventResolve                          // a person decided: Resolution
	EventMove                             // the next backend of the route is to have it: Device
	EventTold                             // a device says by itself what became of an attempt: Device, Key, Verdict
	EventTaken                            // the document that was named as ours is another command's: Err
	EventReloaded                         // the cloud was told to try once more; Err if it was not
)

// Event is one input of Step. Elapsed is the monotonic time since the last
// event of the same record; Now is the wall clock, for stamps only.
type Event struct {
	Kind       EventKind
	Now        time.Time
	Elapsed    time.Duration
	Slept      time.Duration // what a suspended computer's wall clock says beyond Elapsed
	Late       bool          // EventBegin: the settlement is older than late_after
	Baseline   Baseline
	Receipt    Receipt
	Counters   *Counters
	Verdict    Verdict
	Device     string // EventMove: the next; EventTold: who says it
	Key        string // EventTold: the attempt's key, see Document.CloudKey
	Err        *Error
	Resolution Resolution
	Policy     Policy
}

// Policy are the delays of recovery. They are data of the configuration.
type Policy struct {
	Unknown   time.Duration   // doubt that a device does not resolve becomes held after this long
	Foreign   time.Duration   // another program's open receipt is waited for this long, then held
	Condition []time.Duration // waits between attempts while a condition stands; the last repeats
	Refused   []time.Duration // waits after the first, second… document that was begun and refused; the last repeats
	Doubt     []time.Duration // waits between questions; the last repeats
	Exchanged time.Duration   // between questions whether the former register and storage are back
	Cloud     CloudPolicy     // of a cloud; the delays above but Condition and Refused do not apply there
}

// DefaultPolicy is what design 5 states.
func DefaultPolicy() Policy {
	return Policy{
		Unknown:   15 * time.Minute,
		Foreign:   10 * time.Second,
		Condition: []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second},
		Refused: []time.Duration{
			500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		},
		Doubt:     []time.Duration{200 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second},
		Exchanged: 30 * time.Second,
	}
}

// EffectKind is what the worker has to do.
type EffectKind uint8

// Effects, executed in order. A failed Save ends the process.
const (
	EffectSave    EffectKind = iota + 1 // commit the record with its outgoing answer
	EffectPrepare                       // call Prepare
	EffectSubmit                        // call Submit
	EffectFind                          // call Find
	EffectReload                        // call Reload
	EffectWake                          // come back after After with EventBegin
)

// Effect is one thing to do.
type Effect struct {
	Kind  EffectKind
	After time.Duration
}

var (
	save    = Effect{Kind: EffectSave}
	prepare = Effect{Kind: EffectPrepare}
	submit  = Effect{Kind: EffectSubmit}
	find    = Effect{Kind: EffectFind}
	reload  = Effect{Kind: EffectReload}
)

// Step moves a record by one event. It is the whole of recovery: the worker
// and the simulation execute the same effects. The order is the promise: a
// Submit follows only a Save of Working with its baseline, and leaves Working
// only by an answer, a proof of nothing, or Unknown. Unknown is left only by
// Made, Absent or a person.
//
// An event that has no meaning in the record's state changes nothing.
func Step(r Record, ev Event) (Record, []Effect) {
	next, effects := r.step(ev)
	return next.settleLate(r, ev, effects)
}

func (r Record) step(ev Event) (Record, []Effect) {
	if ev.Kind == EventTold {
		return r.spend(ev).told(ev)
	}
	if r.State.Final() {
		return r, nil
	}
	r = r.spend(ev)
	switch ev.Kind {
	case EventMove:
		return r.move(ev)
	case EventTaken:
		return r.hold(ev, ev.Err)
	case EventCancel:
		return r.cancel(ev)
	case EventResolve:
		return r.resolve(ev)
	case EventRecovered:
		return r.recovered(ev)
	case EventHeld:
		if r.State == Accepted {
			return r.hold(ev, ev.Err)
		}
		return r, nil
	}
	switch r.State {
	case Accepted:
		return r.accepted(ev)
	case Working:
		return r.working(ev)
	case Registered:
		return r.inRegister(ev)
	case Unknown, Held:
		if r.inCloud() && r.State == Unknown {
			return r.cloudUnknown(ev)
		}
		return r.doubtful(ev)
	default:
		return r, nil
	}
}

// spend takes the elapsed time off the limits that run in r's state. The wait
// runs in every state: a command that comes out of a doubt as not made may be
// long past it.
func (r Record) spend(ev Event) Record {
	if r.WaitLeft > 0 {
		r.WaitLeft = max(r.WaitLeft-ev.Elapsed, 1) // 1 ns: spent, but still a limit
	}
	if (r.State == Working || r.State == Unknown || r.State == Accepted || r.State == Registered) && r.DoubtLeft > 0 {
		r.DoubtLeft = max(r.DoubtLeft-ev.Elapsed, 1)
	}
	if r.inCloud() && (r.State == Working || r.State == Unknown) && r.DoubtLeft > 0 {
		r.DoubtLeft = max(r.DoubtLeft-ev.Slept, 1) // the service's memory of a key does not sleep
	}
	if r.PauseLeft > 0 {
		r.PauseLeft = max(r.PauseLeft-ev.Elapsed, 1)
	}
	return r
}

func (r Record) accepted(ev Event) (Record, []Effect) {
	switch ev.Kind {
	case EventBegin, EventRestart:
		if r.WaitLeft == 1 {
			return r.waitedOut(ev)
		}
		if ev.Late && !r.Approved {
			return r.hold(ev, Refuse(CodeLate, "at", "settled before late_after"))
		}
		if !r.Verb.Document() && r.Verb != VerbXReport { // nothing to compare with later: at most once
			r.State, r.Attempt, r.Waiting = Working, r.Attempt+1, nil
			return r, []Effect{save, submit}
		}
		return r, []Effect{prepare}
	case EventPrepared:
		r.Counters = ev.Counters // of an X report, on disk before its paper
		if ev.Baseline.Already != nil {
			return r.done(ev, *ev.Baseline.Already)
		}
		if r.WaitLeft == 1 {
			return r.waitedOut(ev)
		}
		if r.Verb.Document() {
			b := ev.Baseline
			r.Baseline = &b
			r = r.settleLegs()
		}
		if r.inCloud() {
			r.DoubtLeft = ev.Policy.Cloud.Window
		}
		r.State, r.Attempt, r.Waiting = Working, r.Attempt+1, nil
		return r, []Effect{save, submit}
	case EventPrepareFail:
		return r.refused(ev)
	default:
		return r, nil
	}
}

func (r Record) working(ev Event) (Record, []Effect) {
	switch ev.Kind {
	case EventSubmitted:
		if r.inCloud() {
			r.Ticket = ev.Receipt.Ticket
			return r.registered(ev, nil)
		}
		return r.done(ev, ev.Receipt)
	case EventSubmitFail:
		if ev.Err.Outcome != OutcomeUnknown {
			r.State, r.Baseline, r.Counters = Accepted, nil, nil
			return r.refused(ev)
		}
		return r.doubt(ev)
	case EventRestart:
		return r.doubt(ev)
	default:
		return r, nil
	}
}

// doubt enters Unknown. A print verb has nothing to ask for: it ends, and says
// that nobody knows whether the paper came out.
func (r Record) doubt(ev Event) (Record, []Effect) {
	if !r.Verb.Document() {
		r.Printed = "unknown"
		return r.end(ev, Done)
	}
	if r.inCloud() {
		return r.cloudDoubt(ev)
	}
	r.State, r.DoubtLeft, r.Waiting = Unknown, ev.Policy.Unknown, ev.Err
	if ev.Err != nil && ev.Err.Code == CodeFNFault {
		r.Error = ev.Err
	}
	return r, []Effect{save, find}
}

// StorageFailed tells whether the fiscal storage itself failed in the middle of
// r's document: then it is neither cancelled nor repeated without a person.
func (r Record) StorageFailed() bool {
	return (r.State == Unknown || r.State == Held) && r.Baseline != nil && r.Error != nil && r.Error.Code == CodeFNFault
}

// doubtful is Unknown, and Held for a doubt: both go on asking.
func (r Record) doubtful(ev Event) (Record, []Effect) {
	if r.State == Held && !r.askable() {
		return r, nil
	}
	switch ev.Kind {
	case EventBegin, EventRestart:
		return r, []Effect{find}
	case EventVerdict:
		return r.judged(ev)
	case EventFindFail:
		r.Waiting = ev.Err
		return r.stillUnknown(ev, "the device has not answered: "+ev.Err.Error())
	default:
		return r, nil
	}
}

// stillUnknown asks again later, until a person is asked instead. The storage's
// own failure stays the reason.
func (r Record) stillUnknown(ev Event, why string) (Record, []Effect) {
	if r.State == Unknown && r.DoubtLeft == 1 {
		if r.StorageFailed() {
			return r.hold(ev, r.Error)
		}
		return r.hold(ev, Refuse(CodeNeedsPerson, "", why))
	}
	return r, []Effect{wake(ev.Policy.Doubt, r.DoubtLeft, ev.Policy.Unknown)}
}

// askable tells whether a held record may still resolve by itself: its device
// could not answer, or another one answers in its place and may go again.
func (r Record) askable() bool {
	return r.State == Held && r.Baseline != nil && !r.inCloud() && r.Error != nil && slices.Contains(askableCodes, r.Error.Code)
}

// silent tells whether r is held because its device has not answered since the
// document was begun: whether it exists can still be found out.
func (r Record) silent() bool {
	return r.askable() && r.Error.Code == CodeNeedsPerson && r.DoubtLeft == 1
}

var askableCodes = []Code{CodeNeedsPerson, CodeFNFault, CodeOtherStorage}

// lookAgain is the wake of a held record that goes on asking.
func (r Record) lookAgain(ev Event) Effect {
	if r.Error.Code == CodeOtherStorage {
		return Effect{Kind: EffectWake, After: ev.Policy.Exchanged}
	}
	return Effect{Kind: EffectWake, After: time.Second}
}

// attemptsInARow is how often a document is begun again at once after it was
// proved not to exist.
const attemptsInARow = 3

func (r Record) judged(ev Event) (Record, []Effect) {
	v := ev.Verdict
	switch v.Finding {
	case Made:
		r.Recovered = true
		return r.done(ev, v.Receipt)
	case Absent:
		r.State, r.Baseline, r.Error = Accepted, nil, nil
		if r.WaitLeft == 1 {
			return r.waitedOut(ev)
		}
		if r.Attempt >= attemptsInARow { // it goes wrong every time: others have their turn, too
			return r, []Effect{save, {Kind: EffectWake, After: ev.Policy.Condition[len(ev.Policy.Condition)-1]}}
		}
		return r, []Effect{save, prepare}
	case Busy:
		return r.stillUnknown(ev, "the device stays busy")
	case OtherStorage:
		return r.hold(ev, Refuse(CodeOtherStorage, "", "another register or another FN answers now"))
	default:
		code := v.Code
		if code == "" {
			code = CodeClosedByOther
		}
		return r.hold(ev, Refuse(code, "", "documents of another program stand where ours should be"))
	}
}

// refused is a Prepare or Submit that proved to have made nothing.
func (r Record) refused(ev Event) (Record, []Effect) {
	switch ev.Err.Code.Info().Nature {
	case Content:
		r.Error = ev.Err
		return r.end(ev, Rejected)
	case Doubt:
		if ev.Err.Code != CodeForeignReceipt || r.foreignTooLong(ev) {
			return r.hold(ev, ev.Err)
		}
	}
	if r.WaitLeft == 1 {
		r.Waiting = ev.Err
		return r.waitedOut(ev)
	}
	pause := wake(ev.Policy.Condition, 0, 0)
	if again := ev.Policy.Refused; ev.Kind == EventSubmitFail && len(again) > 0 {
		// Nothing stood in the way until it was begun: every further attempt
		// may cost paper, so they become rare. What may have healed it, the end
		// of another command, wakes it sooner.
		pause.After = again[min(max(r.Attempt, 1), len(again))-1]
	}
	if ev.Kind == EventPrepareFail && r.Waiting != nil && r.Waiting.Code == ev.Err.Code {
		return r, []Effect{pause} // nothing new to tell
	}
	r.Waiting = ev.Err
	return r, []Effect{save, pause}
}

// foreignTooLong tells whether another program's open receipt has been in the
// way for longer than such a program needs to close it. The first sight starts
// the time.
func (r *Record) foreignTooLong(ev Event) bool {
	if r.Waiting == nil || r.Waiting.Code != CodeForeignReceipt {
		r.DoubtLeft = ev.Policy.Foreign
	}
	return r.DoubtLeft <= 1
}

// waitedOut ends a command whose "wait" has passed while nothing was made.
func (r Record) waitedOut(ev Event) (Record, []Effect) {
	why := "not begun in time"
	if r.Waiting != nil {
		why = r.Waiting.Error()
	}
	r.Error = Refuse(CodeCondition, "", why)
	return r.end(ev, Rejected)
}

// recovered ends a command whose document is there. What stood before the
// attempt that made it comes with the news if a retry has dropped it: the figures
// of the shift are in it.
func (r Record) recovered(ev Event) (Record, []Effect) {
	if before := ev.Baseline; before.Storage != "" {
		r.Baseline = &before
	}
	r.Recovered = true
	return r.done(ev, ev.Receipt)
}

func (r Record) done(ev Event, receipt Receipt) (Record, []Effect) {
	if receipt.Kind != "" {
		r.Receipt = &receipt
	}
	if r.Verb == VerbShiftClose && r.Baseline != nil && r.Baseline.Counters != nil && receipt.By == "" {
		closed := *r.Baseline.Counters // read before, so that a lost answer loses no figure
		closed.ClosedAt, closed.LastFD = receipt.At, receipt.FD
		if closed.Documents > 0 {
			closed.Documents++ // the close report counts itself (format reference 5.3)
		}
		r.Counters = &closed
		if last := r.Baseline.LastFD; last > 0 && receipt.FD > last+1 {
			r.Counters = nil // another program sold in between: these are not the figures of the shift
		}
	}
	return r.end(ev, Done)
}

func (r Record) end(ev Event, s State) (Record, []Effect) {
	r.State, r.FinalAt, r.Waiting = s, ev.Now, nil
	if s == Done {
		r.Error = nil
	}
	return r, []Effect{save}
}

func (r Record) hold(ev Event, why *Error) (Record, []Effect) {
	if r.State == Held && r.Error != nil && r.Error.Code == why.Code { // asked again, nothing new to tell
		return r, []Effect{r.lookAgain(ev)}
	}
	r.State, r.Error, r.Waiting = Held, why, nil
	if r.askable() {
		return r, []Effect{save, r.lookAgain(ev)}
	}
	return r, []Effect{save}
}

// cancel wins only over a command that is not begun.
func (r Record) cancel(ev Event) (Record, []Effect) {
	if !r.Cancellable() {
		return r, nil
	}
	return r.end(ev, Cancelled)
}

// Cancellable tells whether nothing of r can exist: it is not begun, and no
// attempt before a person's retry is still in doubt.
func (r Record) Cancellable() bool { return r.State == Accepted && !r.doubted() }

// doubted tells whether an earlier attempt on a wire may have made the document
// for all that is known: its device has not been asked since.
func (r Record) doubted() bool {
	return slices.ContainsFunc(r.Tried, func(l Leg) bool { return l.Baseline != nil })
}

// settleLegs ends the doubt about earlier attempts on r's own device: it has
// been read again, with nothing open and no document of ours.
func (r Record) settleLegs() Record {
	if !r.doubted() || r.inCloud() {
		return r
	}
	r.Tried = slices.Clone(r.Tried)
	for i, l := range r.Tried {
		if l.Device == r.Device {
			r.Tried[i].Baseline = nil
		}
	}
	return r
}

// Decidable tells whether a person may resolve r: it is held, a cloud has had
// it for too long without a word, or a retry waits for a device that may have
// made it before, or is being asked first.
func (r Record) Decidable() bool {
	return r.State == Held || r.Overdue() || r.State == Accepted && r.doubted() ||
		r.State == Unknown && r.Approved && !r.inCloud()
}

// resolve carries out a person's decision about a held command.
func (r Record) resolve(ev Event) (Record, []Effect) {
	if !r.Decidable() {
		return r, nil
	}
	before, res := r, ev.Resolution
	r.Resolved = &res
	switch res.Action {
	case ResolveRetry: // who decides hours later does not mean the wait
		if r.State == Unknown && !r.inCloud() { // it is asked already
			return before, []Effect{find}
		}
		unasked := r.silent() || r.StorageFailed()
		r.Approved, r.WaitLeft = true, 0
		if unasked { // nobody knows yet what the person decides about: the device is asked first
			r.State, r.Error, r.DoubtLeft = Unknown, nil, ev.Policy.Unknown
			return r, []Effect{save, find}
		}
		return r.anew(ev, CodeNeedsPerson), []Effect{save, prepare}
	case ResolveReload:
		if !r.inCloud() || r.Ticket == "" {
			return before, nil
		}
		r.State, r.Error, r.Waiting, r.ReloadDue, r.PauseLeft = Registered, nil, nil, true, 0
		r.DoubtLeft = ev.Policy.Cloud.Overdue
		return r, []Effect{save, reload}
	case ResolveDoneElsewhere, ResolveAsCorrection:
		r = r.givenUp(ev, CodeNeedsPerson)
		for _, late := range r.Late { // the person has seen it
			if late.FD == res.FD && late.FD != 0 {
				r.Device, r.Receipt = late.Device, &late
			}
		}
		return r.end(ev, Done)
	case ResolveGiveUp:
		return r.givenUp(ev, CodeNeedsPerson).end(ev, Abandoned)
	default:
		return before, nil
	}
}

// wake picks the pause for the next attempt: the longer a doubt lasts, the
// rarer the question. left of total says how long it has lasted.
func wake(schedule []time.Duration, left, total time.Duration) Effect {
	i, spent := 0, total-left
	for i < len(schedule)-1 && spent >= schedule[i]*2 {
		spent -= schedule[i] * 2
		i++
	}
	return Effect{Kind: EffectWake, After: schedule[i]}
}
