package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// Limits of reading documents back.
const (
	// catchUpMax bounds what is read at the first sight of a storage, which may
	// hold years. Later gaps are read whole.
	catchUpMax = 5000
)

// checked compares a fresh baseline with the journal before anything is
// submitted (design 5.2, 5.9): the storage must not be behind it, what is
// ahead is read back, and a document with our key is the answer.
func (w *worker) checked(ctx context.Context, r fiscal.Record, base fiscal.Baseline) fiscal.Event {
	if err := w.catchUp(ctx, base.Storage, base.LastFD); err != nil {
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodePrinterAway)}
	}
	entry, found, err := w.journal.documentByKey(r.Document.Key)
	switch {
	case err != nil:
		w.fail(err)
		return fiscal.Event{Kind: fiscal.EventPrepareFail, Err: fiscal.AsError(err, fiscal.CodeStoreFault)}
	case found && ours(entry, r):
		return fiscal.Event{Kind: fiscal.EventRecovered, Receipt: receiptOf(entry, r, base.Device)}
	case found:
		return fiscal.Event{Kind: fiscal.EventHeld, Err: fiscal.Refuse(fiscal.CodeClosedByOther, "",
			fmt.Sprintf("document %d carries our key and another kind or total", entry.FD))}
	}
	w.compare(base.Storage, base.Counters)
	return fiscal.Event{Kind: fiscal.EventPrepared, Baseline: base}
}

// ours tells whether a document that carries the key is the record's: kind and
// total must agree as well (design 5.3).
func ours(e spool.Entry, r fiscal.Record) bool {
	return r.Verb.Receipt() && e.Kind == r.Document.Kind && e.Total == r.Document.Total
}

func receiptOf(e spool.Entry, r fiscal.Record, device string) fiscal.Receipt {
	return fiscal.Receipt{
		Kind: string(r.Verb), Device: device, Storage: e.FN, FD: e.FD, Sign: e.Sign, Shift: e.Shift, Number: e.Receipt,
		At: e.At, Total: e.Total, Change: r.Document.Change, Key: e.Key,
	}
}

// catchUp reads back what the storage holds beyond the journal.
func (w *worker) catchUp(ctx context.Context, fn string, last uint32) error {
	known, err := w.journal.lastFD(fn)
	if err != nil {
		w.fail(err)
		return err
	}
	if last < known {
		return fiscal.Refuse(fiscal.CodeFNFault, "", fmt.Sprintf("FN %s says its last document is %d, the journal has %d", fn, last, known))
	}
	if last == known {
		return nil
	}
	reader, ok := w.backend.(fiscal.DocumentReader)
	if !ok {
		return nil
	}
	if known == 0 {
		return w.firstSight(ctx, reader, fn, last)
	}
	w.log.Warn("the storage is ahead of the journal", "device", w.cfg.Name, "fn", fn, "journal", known, "storage", last)
	recovered := 0
	for fd := known + 1; fd <= last; fd++ {
		doc, err := reader.ReadDocument(ctx, fd)
		if err != nil {
			return err
		}
		foreign, err := w.journal.learn(fn, doc)
		if err != nil {
			w.fail(err)
			return err
		}
		if foreign {
			w.alerts.raise(w.cfg.Name, fiscal.CodeForeignDocument, fmt.Sprintf("ФД %d", fd))
		} else {
			recovered++
		}
	}
	w.alerts.raise(w.cfg.Name, fiscal.CodeStoreRecovered, fmt.Sprintf("ФД %d…%d, %d our own", known+1, last, recovered))
	return nil
}

// firstSight meets a storage that the journal has never seen: a new
// installation, or a rebuilt journal. Documents young enough to be those of
// commands that may still come are read, newest first; an older command is
// held as late anyway.
func (w *worker) firstSight(ctx context.Context, reader fiscal.DocumentReader, fn string, last uint32) error {
	for n, fd := 0, last; fd > 0 && n < catchUpMax; n, fd = n+1, fd-1 {
		doc, err := reader.ReadDocument(ctx, fd)
		if refused := (*fiscal.Error)(nil); errors.As(err, &refused) && refused.Code == fiscal.CodeNotFound {
			break // beyond what the storage still keeps
		} else if err != nil {
			return err
		}
		if _, err := w.journal.learn(fn, doc); err != nil {
			w.fail(err)
			return err
		}
		if w.late > 0 && wallAge(doc.At) > w.late {
			break
		}
	}
	return nil
}

// wallAge is the age of a device's wall clock, which carries no zone.
func wallAge(wall time.Time) time.Duration { return wallClock(time.Now()).Sub(wall) }

// wallClock is t as a device would write it: local time, stored as UTC.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}
