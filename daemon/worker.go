package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// worker owns one device: it is the only caller of its Backend, and the only
// one that moves the records of its queue, but for cancel and resolve, which
// are transactions of their own (see save).
type worker struct {
	cfg      DeviceConfig
	backend  fiscal.Backend
	cloud    fiscal.Cloud // the backend, if it is one
	can      map[fiscal.Verb]bool
	journal  *journal
	alerts   *alertBook
	log      *slog.Logger
	policy   fiscal.Policy
	late     time.Duration
	onStatus func(deviceView)
	paused   func() (fiscal.Code, bool) // intake of documents is stopped (design 5.10)
	fit      fitness
	wasIll   bool          // at the last turn
	healed   time.Time     // since then documents can be made again
	waiting  atomic.Uint64 // Seq of the oldest command here that a route may take elsewhere
	router   *router

	pulse    *pulse
	patience time.Duration // of a call of the driver, where callMax is too short
	arrivals *mailbox      // accepted, cancelled, and resolved by a person
	requests chan func(context.Context)
	stopping <-chan struct{} // closed: finish what is in hand, begin nothing
	began    time.Time       // start of the daemon

	queue       []*item
	info        *fiscal.Info
	view        deviceView
	nothingOpen time.Time              // when the device was last seen without an open receipt
	lostFN      string                 // storage of which the journal was found to have lost something
	searchedFN  string                 // read back since this start
	stands      map[fiscal.Code]string // alerts of the last status reading
	tells       int                    // how much the reason of the last refusal says, see telling
	polled      time.Time
	looked      time.Time   // when the queue was last searched for something to do
	fail        func(error) // the store is lost: the daemon ends
}

// ask runs f between documents, on the worker's goroutine. When ctx ends first,
// f may still be running: what it found is nobody's.
func ask[T any](ctx context.Context, w *worker, f func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	var none T
	select {
	case w.requests <- func(own context.Context) { v, err := f(own); done <- answer{v, err} }:
	case <-ctx.Done():
		return none, fiscal.Refuse(fiscal.CodePrinterBusy, "", "the device is at work")
	}
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		return none, fiscal.Refuse(fiscal.CodePrinterBusy, "", "the device is at work")
	}
}

// item is a record in the worker's hands.
type item struct {
	record fiscal.Record
	due    time.Time // not before
	last   time.Time // of the last event, for Event.Elapsed
}

// errOvertaken says that a cancel or a person got to the record first.
var errOvertaken = errors.New("the record was settled by somebody else")

// load takes the device's unfinished records from the journal.
func (w *worker) load() error {
	records, err := w.journal.queue(w.cfg.Name)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, r := range records {
		if r.Document.Stem == "" { // written by a version without clouds
			r.Document.Stem = w.journal.stem(r.ID)
		}
		it := &item{record: r, last: now.Add(-timeAway(r, now))}
		if r.State == fiscal.Held {
			it.due = now // the device may answer now
		}
		w.queue = append(w.queue, it)
	}
	return nil
}

// awayMax is the longest time without the daemon that counts: beyond it the
// clock was wrong, then or now.
const awayMax = 30 * 24 * time.Hour

// timeAway is the time since r was saved, which counts against its waits; none
// if the clock says nothing plausible (design 5, Clocks).
func timeAway(r fiscal.Record, now time.Time) time.Duration {
	saved := r.SavedAt
	if saved.IsZero() {
		saved = r.AcceptedAt
	}
	away := now.Sub(saved)
	if away < 0 || away > awayMax {
		return 0
	}
	return away
}

// run moves the queue until ctx ends or stopping closes. An error is fatal.
func (w *worker) run(ctx context.Context) error {
	w.pulse.within(turnMax)
	defer w.pulse.rest()
	if err := w.load(); err != nil {
		return err
	}
	if err := w.settleInterrupted(ctx); err != nil {
		return err
	}
	for {
		w.pulse.within(turnMax)
		busy, err := w.turn(ctx)
		if err != nil {
			return err
		}
		if busy {
			w.takeArrivals()
			continue
		}
		w.poll(ctx)
		idle := w.idleFor()
		w.pulse.within(idle + turnMax)
		timer := time.NewTimer(idle)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-w.stopping:
			timer.Stop()
			return nil
		case <-w.arrivals.some:
			w.takeArrivals()
			w.sweep()
		case f := <-w.requests:
			w.calls()
			f(ctx)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// settleInterrupted turns every record that was in hand at the last stop into
// a question, before anything new begins.
func (w *worker) settleInterrupted(ctx context.Context) error {
	for _, it := range w.queue {
		if it.record.State == fiscal.Working {
			if err := w.drive(ctx, it, fiscal.Event{Kind: fiscal.EventRestart}); err != nil {
				return err
			}
		}
	}
	w.sweep()
	return nil
}

func (w *worker) take(r fiscal.Record) {
	now := time.Now()
	w.hearsay(r)
	for _, it := range w.queue {
		if it.record.Seq == r.Seq && r.N <= it.record.N { // a letter that this worker has overtaken, or no news
			return
		}
		if it.record.Seq == r.Seq { // a person has resolved it, a cloud has called, or it has gone elsewhere
			it.record, it.due, it.last = r, now, now
			return
		}
	}
	if r.State.Final() || r.Device != w.cfg.Name {
		return
	}
	// In the order of acceptance, whichever backend it comes from.
	i, _ := slices.BinarySearchFunc(w.queue, r.Seq, func(it *item, seq uint64) int { return cmp.Compare(it.record.Seq, seq) })
	w.queue = slices.Insert(w.queue, i, &item{record: r, due: now, last: now})
}

func (w *worker) takeArrivals() {
	for _, r := range w.arrivals.take() {
		w.take(r)
	}
	w.tellWaiting()
}

// stopped tells whether nothing new may begin.
func (w *worker) stopped(ctx context.Context) bool {
	select {
	case <-w.stopping:
		return true
	default:
		return ctx.Err() != nil
	}
}

// turn does at most one thing. busy says that there may be more to do now.
func (w *worker) turn(ctx context.Context) (busy bool, err error) {
	if w.stopped(ctx) {
		return false, nil
	}
	select {
	case f := <-w.requests:
		w.calls()
		f(ctx)
		return true, nil
	default:
	}
	if err := w.sendOn(ctx); err != nil {
		return false, err
	}
	if err := w.tellResting(ctx); err != nil {
		return false, err
	}
	w.looked = time.Now()
	it := w.next(w.looked)
	if it == nil {
		return false, nil
	}
	err = w.drive(ctx, it, fiscal.Event{Kind: fiscal.EventBegin, Late: w.isLate(it.record)})
	w.sweep()
	return true, err
}

func (w *worker) isLate(r fiscal.Record) bool {
	at := r.Document.At
	return r.Verb.Receipt() && !at.IsZero() && w.late > 0 && time.Since(at) > w.late
}

// sweep drops what is final, and wakes the waiting when something ended: it
// may have healed their condition.
func (w *worker) sweep() {
	kept, ended := w.queue[:0], false
	for _, it := range w.queue {
		if it.record.State.Final() || it.record.Device != w.cfg.Name {
			ended = true
			continue
		}
		kept = append(kept, it)
	}
	clear(w.queue[len(kept):])
	w.queue = kept
	w.tellWaiting()
	if ended {
		w.wakeWaiting()
	}
	w.settleAlerts()
}

// wakeWaiting makes everything due that waits. It is due from now on, after the last
// search: else the worker would rest until the next status.
func (w *worker) wakeWaiting() {
	now := time.Now()
	for _, it := range w.queue {
		if it.record.State == fiscal.Accepted {
			it.due = now
		}
	}
}

// idleFor is how long there is nothing to do.
func (w *worker) idleFor() time.Duration {
	now := time.Now()
	idle := w.pollEvery() - now.Sub(w.polled)
	if rest := w.fit.rest(now); w.cloud != nil && rest > 0 {
		idle = min(idle, rest)
	}
	if ill, _ := w.fit.ill(now); ill > 0 && w.canSendOn() {
		idle = min(idle, sendOnEvery)
	}
	for _, it := range w.queue {
		if it.due.After(w.looked) { // what was due then stands behind another
			idle = min(idle, it.due.Sub(now))
		}
		if r := &it.record; r.State == fiscal.Accepted && r.WaitLeft > 0 {
			idle = min(idle, it.last.Add(r.WaitLeft).Sub(now))
		}
	}
	return max(idle, time.Millisecond)
}

// drive feeds ev to the record and executes effects until it rests. Only a
// failed save is an error.
func (w *worker) drive(ctx context.Context, it *item, ev fiscal.Event) error {
	for more := true; more; {
		w.pulse.within(turnMax)
		now := time.Now()
		ev.Now, ev.Elapsed, ev.Policy = now, now.Sub(it.last), w.policy
		ev.Slept = slept(it.last, now)
		it.last = now
		before := it.record
		next, effects := fiscal.Step(before, ev)
		it.record = next
		it.due = time.Time{}
		var err error
		if ev, more, err = w.carryOut(ctx, it, before, ev, effects); err != nil {
			return err
		}
	}
	return nil
}

// slept is how much longer the wall clock says it was than the monotonic one,
// which stands still while a computer is suspended; 0 where it says nothing
// plausible.
func slept(last, now time.Time) time.Duration {
	more := now.Round(0).Sub(last.Round(0)) - now.Sub(last)
	if more < 0 || more > awayMax {
		return 0
	}
	return more
}

// sameAttempt tells whether both copies are of the attempt that the device works
// on.
func sameAttempt(a, b fiscal.Record) bool {
	return a.State == fiscal.Working && b.State == fiscal.Working && a.Device == b.Device && a.Attempt == b.Attempt &&
		a.Document.Edition == b.Document.Edition
}

// carryOut executes the effects of one event. more says that next is to be fed
// to the record.
func (w *worker) carryOut(ctx context.Context, it *item, before fiscal.Record, ev fiscal.Event, effects []fiscal.Effect) (next fiscal.Event, more bool, err error) {
	for _, e := range effects {
		switch e.Kind {
		case fiscal.EffectSave:
			err := w.save(ctx, it)
			if errors.Is(err, errOvertaken) {
				if w.cloud != nil && (before.State == fiscal.Working || before.State == fiscal.Unknown) { // the service has called back: it answers
					w.fit.worked()
				}
				// If it was only noted upon while the device worked, the device's answer
				// still stands, for the record as it is now.
				return ev, sameAttempt(before, it.record), nil
			}
			if err != nil {
				return ev, false, err
			}
			w.logChange(before, it.record)
		case fiscal.EffectWake:
			it.due = ev.Now.Add(e.After)
		default:
			had := it.record.Ticket != "" // what became of it says nothing of the next document
			if next, more = w.perform(ctx, it, e.Kind), true; !had {
				w.judge(next)
			}
		}
	}
	return next, more, nil
}

// perform calls the device once and turns its answer into an event.
func (w *worker) perform(ctx context.Context, it *item, kind fiscal.EffectKind) fiscal.Event {
	w.calls()
	defer w.pulse.within(turnMax)
	begin := time.Now()
	if it.record.Timing.Queued == 0 && kind != fiscal.EffectFind {
		it.record.Timing.Queued = max(begin.Sub(it.record.AcceptedAt), 1)
	}
	defer func() { it.record.Timing.Device += time.Since(begin) }()
	switch kind {
	case fiscal.EffectPrepare:
		return w.prepare(ctx, it.record)
	case fiscal.EffectSubmit:
		return w.submit(ctx, it.record)
	case fiscal.EffectReload:
		return w.reload(ctx, it.record)
	default:
		return w.find(ctx, it.record)
	}
}

// prepare reads the baseline, after the automatic shift documents and after
// catching up with the storage. While intake of documents is stopped, that is
// the condition that the command waits for.
func (w *worker) prepare(ctx context.Context, r fiscal.Record) fiscal.Event {
	if r.Verb == fiscal.VerbXReport && w.cloud != nil {
		return fiscal.Event{Kind: fiscal.EventPrepared} // a service prints its figures and does not tell them
	}
	if r.Verb == fiscal.VerbXReport {
		return w.prepareX(ctx)
	}
	if why, stopped := w.paused(); stopped {
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.Refuse(why, "", "a person has to choose the node")}
	}
	if w.cloud != nil {
		return w.prepareCloud(ctx, r)
	}
	base, err := w.backend.Prepare(ctx, r.Document)
	if w.clearLeft(ctx, err) {
		base, err = w.backend.Prepare(ctx, r.Document)
	}
	if err == nil {
		w.nothingOpen = time.Now()
	}
	if w.healShift(ctx, r, err) {
		base, err = w.backend.Prepare(ctx, r.Document)
	}
	made := fiscal.Event{}
	if err == nil && (r.Verb == fiscal.VerbShiftOpen || r.Verb == fiscal.VerbShiftClose) {
		made, err = w.ownDoing(ctx, r)
	}
	if err != nil {
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(w.whose(err), fiscal.CodePrinterAway)}
	}
	if made.Kind == fiscal.EventRecovered {
		return made
	}
	return w.checked(ctx, r, base)
}

// submit makes the document, or prints.
func (w *worker) submit(ctx context.Context, r fiscal.Record) fiscal.Event {
	if !r.Verb.Document() {
		return w.print(ctx, r)
	}
	receipt, err := w.backend.Submit(ctx, r.Document, *r.Baseline)
	if err != nil {
		return fiscal.Event{Kind: fiscal.EventSubmitFail, Err: fiscal.AsError(err, w.away())}
	}
	return fiscal.Event{Kind: fiscal.EventSubmitted, Receipt: receipt}
}

// find asks whether an interrupted document exists.
func (w *worker) find(ctx context.Context, r fiscal.Record) fiscal.Event {
	v, err := w.backend.Find(ctx, fiscal.Ref{Document: r.Document, Baseline: *r.Baseline, StorageFailed: r.StorageFailed(), Ticket: r.Ticket})
	if err != nil {
		return fiscal.Event{Kind: fiscal.EventFindFail, Err: fiscal.AsError(err, w.away())}
	}
	w.log.Info("asked the device", "id", r.ID, "finding", v.Finding.String())
	return fiscal.Event{Kind: fiscal.EventVerdict, Verdict: v}
}

// save commits the record with its answers, unless a cancel or a person was
// first: then the stored record wins.
func (w *worker) save(ctx context.Context, it *item) error {
	if it.record.State.Final() {
		it.record.Timing.Total = time.Since(it.record.AcceptedAt)
	}
	stored, err := w.saveWithRoom(ctx, it.record)
	if err == nil || errors.Is(err, errOvertaken) {
		it.record = stored
	}
	if err == nil && stored.State.Final() {
		w.afterDocument(ctx, stored)
	}
	if errors.Is(err, spool.ErrTaken) {
		return w.hold(ctx, it, err)
	}
	return err
}

// afterDocument looks at what the end of a record has changed on the device. A
// plain receipt has said it all: the line is left to the next one.
func (w *worker) afterDocument(ctx context.Context, r fiscal.Record) {
	if w.cloud != nil {
		return
	}
	if rc := r.Receipt; rc != nil && r.Verb.Receipt() && !rc.Unprinted && w.view.Link {
		w.view.Status.FN.LastFD, w.view.Status.Shift.Receipts = rc.FD, rc.Number
		w.onStatus(w.view)
	} else {
		w.polled = time.Time{}
	}
	w.between(ctx, r)
	if r.Verb == fiscal.VerbShiftClose && r.State == fiscal.Done {
		w.clearNotices()
	}
	if r.Receipt != nil && r.Receipt.Unprinted {
		w.alerts.raise(w.cfg.Name, fiscal.CodePaperOwed, r.ID)
	} else if r.Receipt != nil {
		w.alerts.clear(w.cfg.Name, fiscal.CodePaperOwed)
	}
}

func (w *worker) logChange(before, after fiscal.Record) {
	attrs := []any{"device", w.cfg.Name, "id", after.ID, "verb", string(after.Verb), "state", string(after.State)}
	if r := after.Receipt; r != nil {
		attrs = append(attrs, "fd", r.FD, "fp", r.Sign, "total", r.Total.String())
	}
	for _, e := range []*fiscal.Error{after.Error, after.Waiting} {
		if e != nil {
			attrs = append(attrs, "why", e.Error())
		}
	}
	if before.State == after.State {
		w.log.Debug("command", attrs...)
		return
	}
	w.log.Info("command", attrs...)
}

// accept puts an automatic document into the journal.
func (w *worker) accept(r fiscal.Record) (*item, error) {
	stored, acceptance, err := w.journal.accept(r)
	if err != nil {
		return nil, err
	}
	if acceptance == spool.Conflict { // the ids of terminals are theirs to choose
		return nil, fmt.Errorf("%s is the id of another command", r.ID)
	}
	if acceptance == spool.Duplicate {
		for _, it := range w.queue {
			if it.record.Seq == stored.Seq {
				return it, nil
			}
		}
	}
	it := &item{record: stored, last: time.Now()}
	if !stored.State.Final() {
		w.queue = append(w.queue, it)
	}
	return it, nil
}
