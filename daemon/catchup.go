package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// Limits of reading documents back.
const (
	// catchUpMax bounds what is read at the first sight of a storage, which may
	// hold years. Later gaps are read whole.
	catchUpMax = 5000
	// clockSkew is how far a register's clock may be from a terminal's.
	clockSkew = 10 * time.Minute
)

// checked compares a fresh baseline with the journal before anything is
// submitted (design 5.2, 5.9): the storage must not be behind it, what is
// ahead is read back, and a document with our key is the answer.
func (w *worker) checked(ctx context.Context, r fiscal.Record, base fiscal.Baseline) fiscal.Event {
	if err := w.catchUp(ctx, base.Storage, base.LastFD); err != nil {
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodePrinterAway)}
	}
	if ev, known := w.byKey(r, base.Device); known {
		return ev
	}
	w.compare(base.Storage, base.Counters)
	doubt, err := w.unproved(r, base)
	if err == nil && doubt == nil {
		doubt, err = w.elsewhere(r)
	}
	if err == nil && doubt == nil {
		doubt, err = w.exchanged(r, base)
	}
	if err != nil {
		w.fail(err)
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodeStoreFault)}
	}
	if ev, doubtful := doubted(r, doubt); doubtful {
		return ev
	}
	return fiscal.Event{Kind: fiscal.EventPrepared, Baseline: base}
}

// byKey is what becomes of a command whose key a document of the journal has.
func (w *worker) byKey(r fiscal.Record, device string) (ev fiscal.Event, known bool) {
	entry, found, err := w.journal.documentByKey(r.Document.Key)
	switch {
	case err != nil:
		w.fail(err)
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodeStoreFault)}, true
	case found && ours(entry, r):
		return fiscal.Event{Kind: fiscal.EventRecovered, Receipt: w.receiptOf(entry, r, device)}, true
	case found:
		return fiscal.Event{Kind: fiscal.EventHeld, Err: fiscal.Refuse(fiscal.CodeClosedByOther, "",
			fmt.Sprintf("document %d carries our key and another kind or total", entry.FD))}, true
	}
	return fiscal.Event{}, false
}

// doubted is what becomes of a command that may be made already, unless a person
// has approved it.
func doubted(r fiscal.Record, doubt *fiscal.Error) (ev fiscal.Event, doubtful bool) {
	switch {
	case doubt == nil || r.Approved:
		return fiscal.Event{}, false
	case doubt.Code == fiscal.CodePrinterBusy: // another one is about to be read
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: doubt}, true
	default:
		return fiscal.Event{Kind: fiscal.EventHeld, Err: doubt}, true
	}
}

// unproved tells why an old command may have been carried out already by a
// journal that was lost since: what cannot be searched by the key is for a
// person (design 5.9). A journal gets lost while no daemon runs, so nothing
// that was settled later is in question.
func (w *worker) unproved(r fiscal.Record, base fiscal.Baseline) (*fiscal.Error, error) {
	at, err := w.journal.unsearchedAt(base.Storage)
	if err != nil {
		return nil, err
	}
	if r.Document.At.Before(at) {
		return fiscal.Refuse(fiscal.CodeNeedsPerson, "at", "documents of that time could not be searched for this command"), nil
	}
	if !r.Document.At.Before(w.began) {
		return nil, nil
	}
	switch {
	case r.Verb.Receipt():
		since := wallClock(r.Document.At.Local()).Add(-clockSkew)
		fd, err := w.journal.unclaimed(base.Storage, r.Document, since)
		if err != nil || fd == 0 {
			return nil, err
		}
		return fiscal.Refuse(fiscal.CodeClosedByOther, "at", fmt.Sprintf("document %d has no key and may be this command's", fd)), nil
	case r.Verb.Class() == fiscal.ClassRecord:
		return w.unprovedCash(r, base)
	case base.Already != nil:
		return nil, nil // the state of the shift tells
	default:
		return w.unprovedReport(r, base)
	}
}

// unprovedReport looks for the report of a shift that only a lost journal knew:
// the shift may be another one by now, and that one is not to be ended.
func (w *worker) unprovedReport(r fiscal.Record, base fiscal.Baseline) (*fiscal.Error, error) {
	lost, err := w.journal.lossAt()
	if err != nil || !r.Document.At.Before(lost) {
		return nil, err
	}
	form := byte(fiscal.FormShiftOpen)
	if r.Verb == fiscal.VerbShiftClose {
		form = fiscal.FormShiftClose
	}
	fd, err := w.journal.unclaimedReport(base.Storage, form, wallClock(r.Document.At.Local()).Add(-clockSkew))
	if err != nil || fd == 0 {
		return nil, err
	}
	return fiscal.Refuse(fiscal.CodeClosedByOther, "at", fmt.Sprintf("report %d may be this command's: the journal of that time was lost", fd)), nil
}

// unprovedCash looks for cash movements that only a lost journal knew: the
// storage has no documents of them, and a shift that was closed since has taken
// the counters with it.
func (w *worker) unprovedCash(r fiscal.Record, base fiscal.Baseline) (*fiscal.Error, error) {
	lost, err := w.journal.lossAt()
	if err != nil {
		return nil, err
	}
	own, err := w.journal.shiftSums(base.Storage, base.Shift)
	if err != nil {
		return nil, err
	}
	if r.Document.At.Before(lost) || *own.CashIn != base.CashIn || *own.CashOut != base.CashOut {
		return fiscal.Refuse(fiscal.CodeNeedsPerson, "at", "the drawer may have this movement already: the journal does not know all of it"), nil
	}
	return nil, nil
}

// ours tells whether a document that carries the key is the record's: kind and
// total must agree as well (design 5.3).
func ours(e spool.Entry, r fiscal.Record) bool {
	return r.Verb.Receipt() && e.Kind == r.Document.Kind && e.Total == r.Document.Total
}

func (w *worker) receiptOf(e spool.Entry, r fiscal.Record, device string) fiscal.Receipt {
	return receiptOf(e, r, device, w.info)
}

// receiptOf is the answer that a document of the journal gives to its command.
// info is that of the device; nil while it is not known.
func receiptOf(e spool.Entry, r fiscal.Record, device string, info *fiscal.Info) fiscal.Receipt {
	receipt := fiscal.Receipt{
		Kind: string(r.Verb), Device: device, Storage: e.FN, FD: e.FD, Sign: e.Sign, Shift: e.Shift, Number: e.Receipt,
		At: e.At, Total: e.Total, Change: r.Document.Change, Key: e.Key,
	}
	if info != nil && info.Storage == e.FN {
		receipt.Registration, receipt.FFD = info.Registration, info.FFD
	}
	return receipt
}

// catchUp reads back what the storage holds beyond the journal.
func (w *worker) catchUp(ctx context.Context, fn string, last uint32) error {
	known, err := w.journal.lastFD(fn)
	if err != nil {
		w.fail(err)
		return err
	}
	reader, ok := w.backend.(fiscal.DocumentReader)
	switch {
	case last < known:
		return fiscal.Refuse(fiscal.CodeFNFault, "", fmt.Sprintf("FN %s says its last document is %d, the journal has %d", fn, last, known))
	case last > known && ok:
		err = w.readAfter(ctx, reader, fn, known, last)
	}
	if err != nil {
		return err
	}
	if err := w.noteSearched(fn); err != nil {
		w.fail(err)
		return err
	}
	return nil
}

// readAfter reads back what comes after the last document that the journal knows.
func (w *worker) readAfter(ctx context.Context, reader fiscal.DocumentReader, fn string, known, last uint32) error {
	if known == 0 {
		return w.firstSight(ctx, reader, fn, last)
	}
	w.log.Warn("the storage is ahead of the journal", "device", w.cfg.Name, "fn", fn, "journal", known, "storage", last)
	if err := w.readBack(ctx, reader, fn, known+1, last); err != nil {
		return err
	}
	w.alerts.raise(w.cfg.Name, fiscal.CodeStoreRecovered, fmt.Sprintf("ФД %d…%d", known+1, last))
	return nil
}

// readBack enters the documents from..to, oldest first: whatever interrupts it,
// the next attempt goes on where this one ended.
func (w *worker) readBack(ctx context.Context, reader fiscal.DocumentReader, fn string, from, to uint32) error {
	for fd := from; fd <= to; fd++ {
		w.calls()
		doc, err := reader.ReadDocument(ctx, fd)
		if notKept(err) {
			doc = fiscal.ArchivedDocument{FD: fd}
		} else if err != nil {
			return err
		}
		if err := w.learn(fn, doc); err != nil {
			return err
		}
	}
	return nil
}

// learn enters one document that was read back, and notes what it cannot prove:
// a document whose requisites are not kept may be that of any command.
func (w *worker) learn(fn string, doc fiscal.ArchivedDocument) error {
	if doc.Key != "" && w.lostFN != fn && !w.awaited(doc.Key) {
		if err := w.journal.lost(w.began); err != nil {
			w.fail(err)
			return err
		}
		w.lostFN = fn
	}
	if err := w.claimLate(fn, doc); err != nil {
		w.fail(err)
		return err
	}
	foreign, err := w.journal.learn(fn, doc)
	if err == nil && doc.Key == "" && !doc.Full && (doc.Form == 0 || foreign) {
		err = w.journal.unsearched(fn, time.Now())
	}
	if err != nil {
		w.fail(err)
		return err
	}
	if foreign {
		w.alerts.raise(w.cfg.Name, fiscal.CodeForeignDocument, fmt.Sprintf("ФД %d", doc.FD))
	}
	return nil
}

// claimLate looks for the command of a document with our key that nobody waits
// for here: its attempt on this device was given up, and has made the document
// after all. The journal tells, not the queue: a person may have spoken since the
// worker has looked.
func (w *worker) claimLate(fn string, doc fiscal.ArchivedDocument) error {
	if doc.Key == "" {
		return nil
	}
	r, found, err := w.journal.ownerOf(doc.Key)
	if err != nil || !found {
		return err
	}
	entry := spool.Entry{FN: fn, FD: doc.FD, Sign: doc.Sign, Kind: doc.Kind, Total: doc.Total, Shift: doc.Shift, Receipt: doc.Number, At: doc.At, Key: doc.Key}
	if !ours(entry, r) || r.Device == w.cfg.Name && !r.State.Final() { // the queue asks for it itself
		return nil
	}
	heard, err := w.journal.hear(r.ID, w.cfg.Name, doc.Key, fiscal.Verdict{Finding: fiscal.Made, Receipt: w.receiptOf(entry, r, "")})
	if err == nil {
		w.router.handOver(heard)
	}
	return err
}

// awaited tells whether a document with the key is only that of a command in
// doubt, and no sign of a journal that has lost something.
func (w *worker) awaited(key string) bool {
	return slices.ContainsFunc(w.queue, func(it *item) bool { return it.record.Document.Key == key && it.record.Baseline != nil })
}

// notKept tells whether the storage does not have the document any more.
func notKept(err error) bool {
	var refused *fiscal.Error
	return errors.As(err, &refused) && refused.Code == fiscal.CodeNotFound
}

// firstSight meets a storage that the journal has never seen: a new
// installation, or a rebuilt journal. Documents young enough to be those of
// commands that may still come are read, newest first, and entered oldest
// first; an older command is held as late anyway.
func (w *worker) firstSight(ctx context.Context, reader fiscal.DocumentReader, fn string, last uint32) error {
	var docs []fiscal.ArchivedDocument
	for fd := last; fd > 0 && len(docs) < catchUpMax; fd-- {
		w.calls()
		doc, err := reader.ReadDocument(ctx, fd)
		if notKept(err) {
			break
		} else if err != nil {
			return err
		}
		docs = append(docs, doc)
		if w.late > 0 && wallAge(doc.At) > w.late {
			break
		}
	}
	for _, doc := range slices.Backward(docs) {
		w.pulse.within(turnMax)
		if err := w.learn(fn, doc); err != nil {
			return err
		}
	}
	return nil
}

// between reads what another program has made between a baseline and our own
// document, which the journal's last number would hide.
func (w *worker) between(ctx context.Context, r fiscal.Record) {
	reader, ok := w.backend.(fiscal.DocumentReader)
	if !ok || r.Receipt == nil || r.Baseline == nil || r.Receipt.FD <= r.Baseline.LastFD+1 {
		return
	}
	if err := w.readBack(ctx, reader, r.Receipt.Storage, r.Baseline.LastFD+1, r.Receipt.FD-1); err != nil {
		w.log.Warn("documents of another program were not read", "device", w.cfg.Name, "err", err)
	}
}

// wallAge is the age of a device's wall clock, which carries no zone.
func wallAge(wall time.Time) time.Duration { return wallClock(time.Now()).Sub(wall) }

// wallClock is t as a device would write it: local time, stored as UTC.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}
