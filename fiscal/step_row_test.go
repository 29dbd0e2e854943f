package fiscal

import (
	"reflect"
	"testing"
	"time"
)

// stepRow is one rule of step.go: the whole record after it, and what is to be
// done, in order.
type stepRow struct {
	name    string
	before  Record
	event   Event
	after   Record
	effects []Effect
}

var (
	rowNow   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	rowBase  = &Baseline{Device: "d", Storage: "fn", LastFD: 7}
	rowPaper = Refuse(CodePaperOut, "", "")
	rowOther = Refuse(CodeClosedByOther, "", "x")
	rowFault = Fail(OutcomeUnknown, CodeFNFault, nil)
	rowLost  = Fail(OutcomeUnknown, CodePrinterAway, nil)
	rowMade  = Receipt{Kind: "sale", Storage: "fn", FD: 8, Total: 100}
)

func sold(s State, change ...func(*Record)) Record {
	r := Record{ID: "a", Verb: VerbSale, Device: "d", State: s, Attempt: 1}
	if s == Working || s == Unknown || s == Held {
		r.Baseline = rowBase
	}
	for _, f := range change {
		f(&r)
	}
	return r
}

func waits(e *Error) func(*Record)  { return func(r *Record) { r.Waiting = e } }
func failed(e *Error) func(*Record) { return func(r *Record) { r.Error = e } }
func limit(wait, doubt time.Duration) func(*Record) {
	return func(r *Record) { r.WaitLeft, r.DoubtLeft = wait, doubt }
}
func final(r *Record)     { r.FinalAt = rowNow }
func noBase(r *Record)    { r.Baseline = nil }
func based(r *Record)     { r.Baseline = rowBase }
func recovers(r *Record)  { r.Recovered = true }
func receipted(r *Record) { r.Receipt = &rowMade }
func tries(n int) func(*Record) {
	return func(r *Record) { r.Attempt = n }
}
func verb(v Verb) func(*Record) { return func(r *Record) { r.Verb = v } }

var beginRows = []stepRow{
	{"a restart begins what was accepted", sold(Accepted), Event{Kind: EventRestart}, sold(Accepted), []Effect{prepare}},
	{"late, held by its time", sold(Accepted, waits(rowPaper)), Event{Kind: EventBegin, Late: true},
		sold(Held, noBase, failed(Refuse(CodeLate, "at", "settled before late_after"))), []Effect{save}},
	{"text is on disk before the paper, counted, and waits no more", sold(Accepted, verb(VerbText), tries(0), waits(rowPaper)), Event{Kind: EventBegin},
		sold(Working, verb(VerbText), noBase), []Effect{save, submit}},
	{"prepared", sold(Accepted, tries(4), waits(rowPaper)), Event{Kind: EventPrepared, Baseline: *rowBase}, sold(Working, tries(5)), []Effect{save, submit}},
	{"an X report's figures are on disk before its paper", sold(Accepted, verb(VerbXReport), tries(0)), Event{Kind: EventPrepared, Counters: &Counters{Documents: 3}},
		sold(Working, verb(VerbXReport), noBase, func(r *Record) { r.Counters = &Counters{Documents: 3} }), []Effect{save, submit}},
	{"and gone when it was refused", sold(Working, verb(VerbXReport), noBase, func(r *Record) { r.Counters = &Counters{Documents: 3} }), Event{Kind: EventSubmitFail, Err: rowPaper},
		sold(Accepted, verb(VerbXReport), waits(rowPaper)), []Effect{save, wakeIn(500 * time.Millisecond)}},
	{"content refused", sold(Accepted, waits(rowPaper)), Event{Kind: EventPrepareFail, Err: Refuse(CodeTooLong, "items", "")},
		sold(Rejected, final, failed(Refuse(CodeTooLong, "items", ""))), []Effect{save}},
	{"a doubt of the register is a person's, at once", sold(Accepted), Event{Kind: EventPrepareFail, Err: Refuse(CodeOtherStorage, "", "x")},
		sold(Held, noBase, failed(Refuse(CodeOtherStorage, "", "x"))), []Effect{save}},
	{"a condition, with the wait over", sold(Accepted, limit(1, 0)), Event{Kind: EventPrepareFail, Err: rowPaper},
		sold(Rejected, final, limit(1, 0), failed(Refuse(CodeCondition, "", "paper-out"))), []Effect{save}},
	{"a condition, with a moment left", sold(Accepted, limit(2, 0)), Event{Kind: EventPrepareFail, Err: rowPaper},
		sold(Accepted, limit(2, 0), waits(rowPaper)), []Effect{save, wakeIn(500 * time.Millisecond)}},
	{"a wait that is over before it begins", sold(Accepted, limit(1, 0)), Event{Kind: EventBegin},
		sold(Rejected, final, limit(1, 0), failed(Refuse(CodeCondition, "", "not begun in time"))), []Effect{save}},
	{"a condition before it begins is looked at soon again, however often it was begun", sold(Accepted, tries(4)), Event{Kind: EventPrepareFail, Err: rowPaper},
		sold(Accepted, tries(4), waits(rowPaper)), []Effect{save, wakeIn(500 * time.Millisecond)}},
	{"the same condition is no news", sold(Accepted, waits(rowPaper)), Event{Kind: EventPrepareFail, Err: rowPaper}, sold(Accepted, waits(rowPaper)), []Effect{wakeIn(500 * time.Millisecond)}},
	{"another condition is news", sold(Accepted, waits(Refuse(CodeCoverOpen, "", ""))), Event{Kind: EventPrepareFail, Err: rowPaper},
		sold(Accepted, waits(rowPaper)), []Effect{save, wakeIn(500 * time.Millisecond)}},
	{"what was begun and refused becomes rare", sold(Working, tries(4)), Event{Kind: EventSubmitFail, Err: rowPaper},
		sold(Accepted, tries(4), waits(rowPaper)), []Effect{save, wakeIn(5 * time.Second)}},
	{"catching up cannot tell", sold(Accepted), Event{Kind: EventHeld, Err: rowFault}, sold(Held, noBase, failed(rowFault)), []Effect{save}},
	{"catching up cannot tell of what is begun", sold(Working), Event{Kind: EventHeld, Err: rowFault}, sold(Working), nil},
	{"its document is another's", sold(Unknown), Event{Kind: EventTaken, Err: Refuse(CodeClosedByOther, "", "x")},
		sold(Held, failed(Refuse(CodeClosedByOther, "", "x"))), []Effect{save}},
}

var doubtRows = []stepRow{
	{"nobody knows of the paper", sold(Working, verb(VerbText), noBase), Event{Kind: EventRestart},
		sold(Done, verb(VerbText), final, func(r *Record) { r.Printed = "unknown" }), []Effect{save}},
	{"an answer is lost", sold(Working), Event{Kind: EventSubmitFail, Err: rowLost}, sold(Unknown, waits(rowLost), limit(0, 15*time.Minute)), []Effect{save, find}},
	{"the storage failed", sold(Working), Event{Kind: EventSubmitFail, Err: rowFault},
		sold(Unknown, waits(rowFault), failed(rowFault), limit(0, 15*time.Minute)), []Effect{save, find}},
	{"a restart asks", sold(Unknown, limit(0, time.Minute)), Event{Kind: EventRestart}, sold(Unknown, limit(0, time.Minute)), []Effect{find}},
	{"no answer is told as what it waits for", sold(Unknown, limit(0, 15*time.Minute)), Event{Kind: EventFindFail, Err: rowLost},
		sold(Unknown, limit(0, 15*time.Minute), waits(rowLost)), []Effect{wakeIn(200 * time.Millisecond)}},
	{"the doubt ends", sold(Unknown, limit(0, time.Minute)), Event{Kind: EventFindFail, Err: rowLost, Elapsed: time.Minute},
		sold(Held, limit(0, 1), failed(Refuse(CodeNeedsPerson, "", "the device has not answered: printer-away"))), []Effect{save, wakeIn(time.Second)}},
	{"held goes on asking", sold(Held, limit(0, 1), failed(Refuse(CodeNeedsPerson, "", ""))), Event{Kind: EventFindFail, Err: rowLost},
		sold(Held, limit(0, 1), waits(rowLost), failed(Refuse(CodeNeedsPerson, "", ""))), []Effect{wakeIn(5 * time.Second)}},
	{"held for another reason does not ask", sold(Held, failed(Refuse(CodeForeignReceipt, "", ""))), Event{Kind: EventBegin},
		sold(Held, failed(Refuse(CodeForeignReceipt, "", ""))), nil},
	{"held for another storage asks whether the former one is back", sold(Held, failed(Refuse(CodeOtherStorage, "", ""))), Event{Kind: EventBegin},
		sold(Held, failed(Refuse(CodeOtherStorage, "", ""))), []Effect{find}},
	{"the other storage is still there", sold(Held, failed(Refuse(CodeOtherStorage, "", "x"))), Event{Kind: EventVerdict, Verdict: Verdict{Finding: OtherStorage}},
		sold(Held, failed(Refuse(CodeOtherStorage, "", "x"))), []Effect{wakeIn(30 * time.Second)}},
	{"the former storage is back, and has it", sold(Held, failed(Refuse(CodeOtherStorage, "", ""))), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Made, Receipt: rowMade}},
		sold(Done, based, final, recovers, receipted), []Effect{save}},
	{"held without a reason does not ask", sold(Held), Event{Kind: EventBegin}, sold(Held), nil},
	{"found", sold(Unknown, waits(rowLost)), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Made, Receipt: rowMade}},
		sold(Done, based, final, recovers, receipted), []Effect{save}},
	{"absent", sold(Unknown, failed(rowFault)), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Absent}}, sold(Accepted), []Effect{save, prepare}},
	{"absent, and the wait is over", sold(Unknown, limit(1, 0)), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Absent}},
		sold(Rejected, final, limit(1, 0), failed(Refuse(CodeCondition, "", "not begun in time"))), []Effect{save}},
	{"absent, with a moment left", sold(Unknown, limit(2, 0)), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Absent}},
		sold(Accepted, limit(2, 0)), []Effect{save, prepare}},
	{"absent for the third time", sold(Unknown, tries(3)), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Absent}},
		sold(Accepted, tries(3)), []Effect{save, wakeIn(2 * time.Second)}},
	{"another storage", sold(Unknown), Event{Kind: EventVerdict, Verdict: Verdict{Finding: OtherStorage}},
		sold(Held, failed(Refuse(CodeOtherStorage, "", "another register or another FN answers now"))), []Effect{save, wakeIn(30 * time.Second)}},
	{"documents of others", sold(Unknown), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Foreign}},
		sold(Held, failed(Refuse(CodeClosedByOther, "", "documents of another program stand where ours should be"))), []Effect{save}},
	{"documents of others, told why", sold(Unknown), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Foreign, Code: CodeForeignReceipt}},
		sold(Held, failed(Refuse(CodeForeignReceipt, "", "documents of another program stand where ours should be"))), []Effect{save}},
	{"busy for too long", sold(Unknown, limit(0, 1)), Event{Kind: EventVerdict, Verdict: Verdict{Finding: Busy}},
		sold(Held, limit(0, 1), failed(Refuse(CodeNeedsPerson, "", "the device stays busy"))), []Effect{save, wakeIn(time.Second)}},
	{"held again for the same is no news", sold(Held, limit(0, 1), failed(Refuse(CodeNeedsPerson, "", "x"))), Event{Kind: EventTaken, Err: Refuse(CodeNeedsPerson, "", "y")},
		sold(Held, limit(0, 1), failed(Refuse(CodeNeedsPerson, "", "x"))), []Effect{wakeIn(time.Second)}},
}

var endRows = []stepRow{
	{"made", sold(Working, failed(rowPaper), waits(rowPaper)), Event{Kind: EventSubmitted, Receipt: rowMade}, sold(Done, based, final, receipted), []Effect{save}},
	{"found in the storage before it began", sold(Accepted), Event{Kind: EventRecovered, Receipt: rowMade}, sold(Done, noBase, final, recovers, receipted), []Effect{save}},
	{"made already", sold(Accepted), Event{Kind: EventPrepared, Baseline: Baseline{Already: &rowMade}}, sold(Done, noBase, final, receipted), []Effect{save}},
	{"a close keeps what was read before it, and counts itself", sold(Working, verb(VerbShiftClose), counted(4)),
		Event{Kind: EventSubmitted, Receipt: Receipt{Kind: "shift-close", FD: 9, At: rowNow}},
		sold(Done, verb(VerbShiftClose), counted(4), final, func(r *Record) {
			r.Receipt = &Receipt{Kind: "shift-close", FD: 9, At: rowNow}
			r.Counters = &Counters{Documents: 5, ClosedAt: rowNow, LastFD: 9}
		}), []Effect{save}},
	{"a close of a device that does not count", sold(Working, verb(VerbShiftClose), counted(0)),
		Event{Kind: EventSubmitted, Receipt: Receipt{Kind: "shift-close", FD: 9, At: rowNow}},
		sold(Done, verb(VerbShiftClose), counted(0), final, func(r *Record) {
			r.Receipt = &Receipt{Kind: "shift-close", FD: 9, At: rowNow}
			r.Counters = &Counters{ClosedAt: rowNow, LastFD: 9}
		}), []Effect{save}},
	{"a close right after the last document", sold(Working, verb(VerbShiftClose), counted(4), lastFD(8)),
		Event{Kind: EventSubmitted, Receipt: Receipt{Kind: "shift-close", FD: 9, At: rowNow}},
		sold(Done, verb(VerbShiftClose), counted(4), lastFD(8), final, func(r *Record) {
			r.Receipt = &Receipt{Kind: "shift-close", FD: 9, At: rowNow}
			r.Counters = &Counters{Documents: 5, ClosedAt: rowNow, LastFD: 9}
		}), []Effect{save}},
	{"a close after a document of another program: the figures read before it are not the shift's", sold(Working, verb(VerbShiftClose), counted(4), lastFD(7)),
		Event{Kind: EventSubmitted, Receipt: Receipt{Kind: "shift-close", FD: 9, At: rowNow}},
		sold(Done, verb(VerbShiftClose), counted(4), lastFD(7), final, func(r *Record) {
			r.Receipt = &Receipt{Kind: "shift-close", FD: 9, At: rowNow}
		}), []Effect{save}},
	{"a retried close was made by the attempt in doubt: its figures are there again", sold(Accepted, verb(VerbShiftClose)),
		Event{Kind: EventRecovered, Receipt: Receipt{Kind: "shift-close", FD: 9, At: rowNow}, Baseline: Baseline{Storage: "fn", Counters: &Counters{Documents: 4}}},
		sold(Done, verb(VerbShiftClose), recovers, final, func(r *Record) {
			r.Baseline = &Baseline{Storage: "fn", Counters: &Counters{Documents: 4}}
			r.Receipt = &Receipt{Kind: "shift-close", FD: 9, At: rowNow}
			r.Counters = &Counters{Documents: 5, ClosedAt: rowNow, LastFD: 9}
		}), []Effect{save}},
	{"a close without figures before it", sold(Working, verb(VerbShiftClose)), Event{Kind: EventSubmitted, Receipt: Receipt{Kind: "shift-close", FD: 9}},
		sold(Done, verb(VerbShiftClose), based, final, func(r *Record) { r.Receipt = &Receipt{Kind: "shift-close", FD: 9} }), []Effect{save}},
	{"paper has no receipt", sold(Working, verb(VerbText), noBase), Event{Kind: EventSubmitted}, sold(Done, verb(VerbText), final), []Effect{save}},
	{"closed by another: its figures are not ours", sold(Working, verb(VerbShiftClose), counted(4)), Event{Kind: EventSubmitted, Receipt: Receipt{Kind: "shift-close", FD: 9, By: "other"}},
		sold(Done, verb(VerbShiftClose), counted(4), final, func(r *Record) { r.Receipt = &Receipt{Kind: "shift-close", FD: 9, By: "other"} }), []Effect{save}},
	{"cancelled", sold(Accepted, waits(rowPaper)), Event{Kind: EventCancel}, sold(Cancelled, final), []Effect{save}},
	{"not cancelled, for it is begun", sold(Working), Event{Kind: EventCancel}, sold(Working), nil},
	{"final is final", sold(Done, receipted), Event{Kind: EventRestart}, sold(Done, receipted), nil},
}

func counted(documents uint32) func(*Record) {
	return func(r *Record) { r.Baseline = &Baseline{Counters: &Counters{Documents: documents}} }
}

func lastFD(fd uint32) func(*Record) { return func(r *Record) { r.Baseline.LastFD = fd } }

func approved(r *Record) { r.Approved = true }

// doubted: the attempt is over, and nobody knows what it has made.
func doubted(r *Record) {
	r.Tried = []Leg{{Device: "d", Key: r.Document.CloudKey(), Code: CodeNeedsPerson, At: rowNow, Baseline: rowBase}}
}

var personRows = []stepRow{
	{"retry of what another stands for", sold(Held, failed(rowOther), waits(rowLost), limit(time.Minute, 0)), decided(ResolveRetry, 0),
		sold(Accepted, resolved(ResolveRetry, 0), approved, doubted), []Effect{save, prepare}},
	{"retry after the storage has failed: it is asked again, and may be cleared", sold(Held, failed(rowFault), waits(rowLost), limit(time.Minute, 0)), decided(ResolveRetry, 0),
		sold(Unknown, resolved(ResolveRetry, 0), approved, waits(rowLost), limit(0, 15*time.Minute)), []Effect{save, find}},
	{"retry while the device has not answered yet: it is asked first", sold(Held, failed(Refuse(CodeNeedsPerson, "", "")), waits(rowLost), limit(time.Minute, 1)), decided(ResolveRetry, 0),
		sold(Unknown, resolved(ResolveRetry, 0), approved, waits(rowLost), limit(0, 15*time.Minute)), []Effect{save, find}},
	{"retry once more changes nothing", sold(Unknown, resolved(ResolveRetry, 0), approved), decided(ResolveRetry, 0), sold(Unknown, resolved(ResolveRetry, 0), approved), []Effect{find}},
	{"given up after a retry, the device is still away", sold(Unknown, resolved(ResolveRetry, 0), approved), decided(ResolveGiveUp, 0),
		sold(Abandoned, based, resolved(ResolveGiveUp, 0), approved, final, doubted), []Effect{save}},
	{"retry of what the device has answered about", sold(Held, failed(Refuse(CodeNeedsPerson, "", "")), limit(0, time.Minute)), decided(ResolveRetry, 0),
		sold(Accepted, resolved(ResolveRetry, 0), approved, limit(0, time.Minute), doubted), []Effect{save, prepare}},
	{"done elsewhere", sold(Held, failed(rowFault)), decided(ResolveDoneElsewhere, 12), sold(Done, based, resolved(ResolveDoneElsewhere, 12), final, doubted), []Effect{save}},
	{"as a correction", sold(Held, failed(rowFault)), decided(ResolveAsCorrection, 12), sold(Done, based, resolved(ResolveAsCorrection, 12), final, doubted), []Effect{save}},
	{"given up: the reason stays", sold(Held, failed(rowFault)), decided(ResolveGiveUp, 0), sold(Abandoned, based, resolved(ResolveGiveUp, 0), final, failed(rowFault), doubted), []Effect{save}},
	{"no reload of what no cloud has", sold(Held, failed(rowFault)), decided(ResolveReload, 0), sold(Held, failed(rowFault)), nil},
	{"done elsewhere, by a document that came late", sold(Held, failed(rowFault), late), decided(ResolveDoneElsewhere, 8),
		sold(Done, based, resolved(ResolveDoneElsewhere, 8), final, late, func(r *Record) { r.Device, r.Receipt = "other", &lateMade }, doubted), []Effect{save}},
	{"done elsewhere, by none of those", sold(Held, failed(rowFault), late), decided(ResolveDoneElsewhere, 9),
		sold(Done, based, resolved(ResolveDoneElsewhere, 9), final, late, doubted), []Effect{save}},
	{"a service is to try again", cloudRecord(Held, named, failed(rowFault), waits(rowLost), paused), decided(ResolveReload, 0),
		cloudRecord(Registered, resolved(ResolveReload, 0), func(r *Record) { r.ReloadDue, r.PauseLeft = true, 0 }), []Effect{save, reload}},
	{"no such decision", sold(Held, failed(rowFault)), decided("guess", 0), sold(Held, failed(rowFault)), nil},
	{"nothing to decide", sold(Unknown), decided(ResolveGiveUp, 0), sold(Unknown), nil},
}

var cloudRows = []stepRow{
	{"an answer of a service is lost", cloudRecord(Working, func(r *Record) { r.Asked = 3 }), Event{Kind: EventSubmitFail, Err: rowLost},
		cloudRecord(Unknown, waits(rowLost), func(r *Record) { r.DoubtLeft, r.PauseLeft = 24*time.Hour, time.Minute }), []Effect{save, wakeIn(time.Minute)}},
	{"a restart repeats at once", cloudRecord(Working, func(r *Record) { r.Asked = 3 }), Event{Kind: EventRestart},
		cloudRecord(Unknown, func(r *Record) { r.DoubtLeft, r.PauseLeft, r.Asked = 24*time.Hour, 3*time.Minute, 1 }), []Effect{save, find}},
	{"a service has taken it", cloudRecord(Working, failed(rowFault), waits(rowLost), func(r *Record) { r.Asked = 3 }), Event{Kind: EventSubmitted, Receipt: Receipt{Ticket: "t1"}},
		cloudRecord(Registered), []Effect{save, wakeIn(3 * time.Second)}},
}

var serviceRows = []stepRow{
	{"a shift has no total to be alien by", cloudRecord(Registered, verb(VerbShiftClose)), verdicts(Verdict{Finding: Made, Receipt: Receipt{Kind: "shift-close", Total: 5}}),
		cloudRecord(Done, verb(VerbShiftClose), named, final, func(r *Record) {
			r.DoubtLeft, r.PauseLeft = 15*time.Minute, 3*time.Second
			r.Receipt = &Receipt{Kind: "shift-close", Total: 5, Device: "cloud", Key: firstKey, Ticket: "t1"}
		}), []Effect{save}},
	{"another total", cloudRecord(Registered), verdicts(Verdict{Finding: Made, Receipt: Receipt{Total: 5}}),
		cloudRecord(Held, named, leftOf(15*time.Minute, 3*time.Second), failed(Refuse(CodeClosedByOther, "", "a document of 0.05 is named as ours"))), []Effect{save}},
	{"taken, and it waits for something", cloudRecord(Unknown), verdicts(Verdict{Finding: Pending, Receipt: Receipt{Ticket: "t1"}, Err: rowPaper}),
		cloudRecord(Registered, waits(rowPaper)), []Effect{save, wakeIn(3 * time.Second)}},
	{"failed without a reason", cloudRecord(Registered), verdicts(Verdict{Finding: Failed}),
		cloudRecord(Held, named, leftOf(15*time.Minute, 3*time.Second), failed(Refuse(CodeCloudFailed, "", ""))), []Effect{save}},
	{"failed, to be tried again by itself", cloudRecord(Unknown, named), verdicts(Verdict{Finding: Failed, Reload: true, Err: Refuse(CodeCloudFailed, "", "x")}),
		cloudRecord(Registered, leftOf(15*time.Minute, 0), waits(Refuse(CodeCloudPending, "", "x")), func(r *Record) { r.ReloadDue, r.Reloads = true, 1 }), []Effect{save, reload}},
	{"the reload did not get through", cloudRecord(Registered, reloads), Event{Kind: EventReloaded, Err: rowLost},
		cloudRecord(Registered, reloads, waits(rowLost), leftOf(15*time.Minute, time.Minute), func(r *Record) { r.Asked = 1 }), []Effect{save, wakeIn(time.Minute)}},
	{"the reload did not get through again", cloudRecord(Registered, reloads, waits(rowLost)), Event{Kind: EventReloaded, Err: rowLost},
		cloudRecord(Registered, reloads, waits(rowLost), leftOf(15*time.Minute, time.Minute), func(r *Record) { r.Asked = 1 }), []Effect{wakeIn(time.Minute)}},
	{"given up: the attempt is asked after", cloudRecord(Held, named), decided(ResolveGiveUp, 0),
		cloudRecord(Abandoned, named, final, resolved(ResolveGiveUp, 0), tried(CodeNeedsPerson)), []Effect{save}},
	{"retry: all of the attempt is forgotten but its name", cloudRecord(Held, named, reloads, func(r *Record) { r.Reloads, r.Asked, r.PauseLeft = 1, 2, 3 }), decided(ResolveRetry, 0),
		cloudRecord(Accepted, resolved(ResolveRetry, 0), tried(CodeNeedsPerson), func(r *Record) { r.Approved, r.Document.Edition = true, 1 }), []Effect{save, prepare}},
}

// momentRows stand at the borders of pauses: 1 ns is spent, 2 ns are not.
var momentRows = []stepRow{
	{"a pause with a moment left", cloudRecord(Unknown, leftOf(time.Hour, 2)), Event{Kind: EventBegin}, cloudRecord(Unknown, leftOf(time.Hour, 2)), []Effect{wakeIn(2)}},
	{"a window with a moment left", cloudRecord(Unknown, leftOf(2, 1)), Event{Kind: EventBegin},
		cloudRecord(Unknown, leftOf(2, 3*time.Minute), func(r *Record) { r.Asked = 1 }), []Effect{save, find}},
	{"a window that is over", cloudRecord(Unknown, leftOf(1, 1)), Event{Kind: EventBegin},
		cloudRecord(Held, leftOf(1, 1), failed(Refuse(CodeNeedsPerson, "", "the service has not answered within idempotency_window"))), []Effect{save}},
	{"a poll with a moment left", cloudRecord(Registered, leftOf(time.Hour, 2)), Event{Kind: EventBegin}, cloudRecord(Registered, leftOf(time.Hour, 2)),
		[]Effect{wakeIn(10 * time.Millisecond)}},
	{"a reload with a moment left", cloudRecord(Registered, reloads, leftOf(time.Hour, 2)), Event{Kind: EventBegin}, cloudRecord(Registered, reloads, leftOf(time.Hour, 2)),
		[]Effect{wakeIn(10 * time.Millisecond)}},
	{"a poll that is due, without an answer", cloudRecord(Registered, leftOf(time.Hour, 1)), Event{Kind: EventFindFail, Err: rowLost}, cloudRecord(Registered, leftOf(time.Hour, 1)),
		[]Effect{wakeIn(10 * time.Millisecond)}},
	{"an end that comes before the poll", cloudRecord(Registered, leftOf(1, time.Minute)), Event{Kind: EventFindFail, Err: rowLost}, cloudRecord(Registered, leftOf(1, time.Minute)),
		[]Effect{wakeIn(10 * time.Millisecond)}},
	{"overdue is told once", cloudRecord(Registered, leftOf(1, time.Minute)), Event{Kind: EventBegin},
		cloudRecord(Registered, leftOf(0, time.Minute), waits(Refuse(CodeCloudUnconfirmed, "", "the service has not said what became of the document"))),
		[]Effect{save, wakeIn(time.Minute)}},
}

var toldRows = []stepRow{
	{"a callback of another total", cloudRecord(Registered), said("cloud", Verdict{Finding: Made, Receipt: Receipt{Total: 5}}),
		cloudRecord(Held, named, leftOf(15*time.Minute, 3*time.Second), failed(Refuse(CodeClosedByOther, "", "a document of 0.05 is named as ours"))), []Effect{save}},
	{"a printer's document that was read back elsewhere", sold(Unknown, stem), said("d", Verdict{Finding: Made, Receipt: Receipt{FD: 8}}),
		sold(Done, stem, based, final, recovers, func(r *Record) { r.Receipt = &Receipt{Kind: "sale", Device: "d", Key: firstKey, FD: 8} }), []Effect{save}},
	{"taken after all, whatever was wrong before", cloudRecord(Unknown, failed(rowPaper)), said("cloud", Verdict{Finding: Pending, Receipt: Receipt{Ticket: "t1"}}),
		cloudRecord(Registered), []Effect{save, wakeIn(3 * time.Second)}},
	{"only what is made has a total to be alien by", cloudRecord(Unknown), said("cloud", Verdict{Finding: Pending, Receipt: Receipt{Ticket: "t1", Total: 5}}),
		cloudRecord(Registered), []Effect{save, wakeIn(3 * time.Second)}},
	{"a document of the same key at another device is late, not another name of ours", cloudRecord(Registered), said("other", Verdict{Finding: Made, Receipt: Receipt{Ticket: "t2"}}),
		cloudRecord(Registered, func(r *Record) {
			r.Late = []Receipt{{Kind: "sale", Device: "other", Key: firstKey, Ticket: "t2", Total: 100}}
		}), []Effect{save}},
}

func said(device string, v Verdict) Event {
	return Event{Kind: EventTold, Device: device, Key: firstKey, Verdict: v}
}
func stem(r *Record) { r.Document.Stem = "S" }

func verdicts(v Verdict) Event { return Event{Kind: EventVerdict, Verdict: v} }

func leftOf(doubt, pause time.Duration) func(*Record) {
	return func(r *Record) { r.DoubtLeft, r.PauseLeft = doubt, pause }
}
func reloads(r *Record) { r.ReloadDue = true }
func tried(why Code) func(*Record) {
	return func(r *Record) {
		r.Tried = []Leg{{Device: "cloud", Key: firstKey, Ticket: "t1", Code: why, At: rowNow}}
	}
}

var lateMade = Receipt{Kind: "sale", Device: "other", Storage: "fn", FD: 8, Total: 100}

func late(r *Record)   { r.Late = []Receipt{{Kind: "sale", Device: "third", FD: 7}, lateMade} }
func named(r *Record)  { r.Ticket = "t1" }
func paused(r *Record) { r.PauseLeft = time.Minute }

func decided(a Action, fd uint32) Event {
	return Event{Kind: EventResolve, Resolution: Resolution{Action: a, By: "ivanov", FD: fd}}
}

func resolved(a Action, fd uint32) func(*Record) {
	return func(r *Record) { r.Resolved = &Resolution{Action: a, By: "ivanov", FD: fd} }
}

// TestStepRows holds every rule against the whole record.
func TestStepRows(t *testing.T) {
	t.Parallel()
	for part, rows := range map[string][]stepRow{"begin": beginRows, "doubt": doubtRows, "end": endRows, "person": personRows, "cloud": cloudRows, "service": serviceRows, "moment": momentRows, "told": toldRows} {
		for _, row := range rows {
			t.Run(part+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				row.event.Policy, row.event.Now = cloudPolicy(), rowNow
				got, effects := Step(row.before, row.event)
				if !reflect.DeepEqual(got, row.after) {
					t.Errorf("got  %+v\nwant %+v\nwaiting %v, error %v", got, row.after, got.Waiting, got.Error)
				}
				if !reflect.DeepEqual(effects, row.effects) {
					t.Errorf("effects %v, want %v", effects, row.effects)
				}
			})
		}
	}
}

// TestStepSpends: which of the limits run in which state, by the monotonic time
// and, at a cloud that may have the document, by the time that the computer
// slept. A limit that is spent stays a limit.
func TestStepSpends(t *testing.T) {
	t.Parallel()
	cloud := &Baseline{Cloud: &CloudCall{Key: "k"}}
	for _, c := range []struct {
		state State
		base  *Baseline
		doubt time.Duration // left of 10 minutes after 1 minute, and 2 asleep
	}{
		{Accepted, nil, 9 * time.Minute}, {Working, rowBase, 9 * time.Minute}, {Unknown, rowBase, 9 * time.Minute}, {Held, rowBase, 10 * time.Minute},
		{Registered, cloud, 9 * time.Minute}, {Working, cloud, 7 * time.Minute}, {Unknown, cloud, 7 * time.Minute}, {Held, cloud, 10 * time.Minute},
	} {
		r := Record{Verb: VerbSale, State: c.state, Baseline: c.base, DoubtLeft: 10 * time.Minute, WaitLeft: 10 * time.Minute, PauseLeft: 10 * time.Minute}
		ev := Event{Kind: EventReloaded + 1, Elapsed: time.Minute, Slept: 2 * time.Minute} // of no meaning to anybody
		got, _ := Step(r, ev)
		if got.DoubtLeft != c.doubt || got.WaitLeft != 9*time.Minute || got.PauseLeft != 9*time.Minute {
			t.Errorf("%s: doubt %s, wait %s, pause %s", c.state, got.DoubtLeft, got.WaitLeft, got.PauseLeft)
		}
		ev.Elapsed, ev.Slept = time.Hour, time.Hour
		if got, _ = Step(r, ev); c.state != Held && got.DoubtLeft != 1 || got.WaitLeft != 1 || got.PauseLeft != 1 {
			t.Errorf("%s, all spent: doubt %s, wait %s, pause %s", c.state, got.DoubtLeft, got.WaitLeft, got.PauseLeft)
		}
		if got, _ = Step(Record{Verb: VerbSale, State: c.state, Baseline: c.base}, ev); got.DoubtLeft != 0 || got.WaitLeft != 0 || got.PauseLeft != 0 {
			t.Errorf("%s, no limits: %+v", c.state, got)
		}
	}
	r := Record{Verb: VerbSale, State: Unknown, Baseline: cloud, DoubtLeft: 10 * time.Minute}
	if got, _ := Step(r, Event{Kind: EventReloaded + 1, Slept: time.Hour}); got.DoubtLeft != 1 {
		t.Errorf("asleep for longer than the window: %s", got.DoubtLeft)
	}
}

// TestStorageFailed is the truth table of what keeps a document from being
// begun or cancelled without a person.
func TestStorageFailed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r    Record
		want bool
	}{
		"in doubt": {sold(Unknown, failed(rowFault)), true}, "held": {sold(Held, failed(rowFault)), true},
		"of another reason": {sold(Unknown, failed(rowPaper)), false}, "of none": {sold(Unknown), false},
		"without a baseline": {sold(Unknown, failed(rowFault), noBase), false}, "not begun": {sold(Accepted, failed(rowFault)), false},
		"over": {sold(Rejected, failed(rowFault), func(r *Record) { r.Baseline = rowBase }), false},
	} {
		if got := c.r.StorageFailed(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestStepRefusedPauses: a policy may have one pause for documents that were begun
// and refused, or none of its own.
func TestStepRefusedPauses(t *testing.T) {
	t.Parallel()
	for want, refused := range map[time.Duration][]time.Duration{500 * time.Millisecond: nil, 7 * time.Second: {7 * time.Second}} {
		policy := DefaultPolicy()
		policy.Refused = refused
		if _, effects := Step(sold(Working), Event{Kind: EventSubmitFail, Err: rowPaper, Policy: policy}); !reflect.DeepEqual(effects, []Effect{save, wakeIn(want)}) {
			t.Errorf("%v: %v, want %s", refused, effects, want)
		}
	}
}

// TestStepReloadPause: what a document failed of takes its time to mend, if the
// service says so.
func TestStepReloadPause(t *testing.T) {
	t.Parallel()
	policy := cloudPolicy()
	policy.Cloud.ReloadAfter = []time.Duration{time.Minute}
	ev := verdicts(Verdict{Finding: Failed, Reload: true})
	ev.Policy = policy
	r, effects := Step(cloudRecord(Registered), ev)
	if r.PauseLeft != time.Minute || !r.ReloadDue || !reflect.DeepEqual(effects, []Effect{save, wakeIn(time.Minute)}) {
		t.Errorf("%+v, %v", r, effects)
	}
	ev = Event{Kind: EventBegin, Policy: policy, Elapsed: time.Minute}
	if r, effects = Step(r, ev); r.State != Registered || !reflect.DeepEqual(effects, []Effect{reload}) {
		t.Errorf("%+v, %v", r, effects)
	}
}

// TestSameDocument: numbers tell documents apart where both have one, then the
// service's names, then the attempt's key at one device.
func TestSameDocument(t *testing.T) {
	t.Parallel()
	numbered := Receipt{Storage: "fn", FD: 5, Ticket: "t1", Key: "k", Device: "d"}
	for name, c := range map[string]struct {
		a, b Receipt
		want bool
	}{
		"one number":                    {numbered, Receipt{Storage: "fn", FD: 5, Ticket: "t2", Key: "l", Device: "e"}, true},
		"another number, all the same":  {numbered, Receipt{Storage: "fn", FD: 6, Ticket: "t1", Key: "k", Device: "d"}, false},
		"the number in another storage": {numbered, Receipt{Storage: "nf", FD: 5, Ticket: "t1", Key: "k", Device: "d"}, false},
		"a name and no number":          {numbered, Receipt{Ticket: "t1", Key: "l", Device: "e"}, true},
		"another name and no number":    {numbered, Receipt{Ticket: "t2", Key: "k", Device: "d"}, false},
		"the key alone":                 {numbered, Receipt{Key: "k", Device: "d"}, true},
		"the key at another device":     {numbered, Receipt{Key: "k", Device: "e"}, false},
		"another key":                   {numbered, Receipt{Key: "l", Device: "d"}, false},
		"nothing in common":             {Receipt{Device: "d"}, Receipt{Device: "d"}, false},
	} {
		if sameDocument(c.a, c.b) != c.want || sameDocument(c.b, c.a) != c.want {
			t.Errorf("%s: want %t both ways", name, c.want)
		}
	}
}

// TestDefaultPolicy: the delays that the pages tell.
func TestDefaultPolicy(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	want := Policy{
		Unknown: 900 * time.Second, Foreign: 10_000 * ms,
		Condition: []time.Duration{500 * ms, 1000 * ms, 2000 * ms},
		Refused:   []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 5000 * ms, 10_000 * ms, 30_000 * ms},
		Doubt:     []time.Duration{200 * ms, 1000 * ms, 2000 * ms, 5000 * ms},
		Exchanged: 30_000 * ms,
	}
	if got := DefaultPolicy(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	// The longer a doubt lasts, the rarer the question: twice each pause.
	for left, want := range map[time.Duration]time.Duration{
		900_000 * ms: 200 * ms, 899_601 * ms: 200 * ms, 899_600 * ms: 1000 * ms, 897_601 * ms: 1000 * ms, 897_600 * ms: 2000 * ms, 893_600 * ms: 5000 * ms, 1: 5000 * ms,
	} {
		if got := wake(DefaultPolicy().Doubt, left, 900*time.Second); got != wakeIn(want) {
			t.Errorf("%s left: %v, want %s", left, got, want)
		}
	}
}
