package daemon

import (
	"context"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// leftScan is how many of the newest commands are looked at for an attempt that
// may have left a receipt open: one that did is the last on its device, but whole
// queues may have been accepted since, here and for other devices.
const leftScan = 5000

// clearLeft is asked when a receipt that is open on the device stands in the
// way. It may be ours, of a command that has ended or was begun anew by a
// person's word before the device could cancel it (no paper, no answer). Then it
// is found out about and cancelled like that of any attempt in doubt; true says
// that nothing is open any more.
func (w *worker) clearLeft(ctx context.Context, refusal error) bool {
	if refusal == nil || w.cloud != nil {
		return false
	}
	if code := fiscal.AsError(refusal, "").Code; code != fiscal.CodeForeignReceipt && code != fiscal.CodePrinterBusy {
		return false
	}
	r, leg, err := w.journal.leftOpen(w.cfg.Name, w.nothingOpen)
	if err != nil {
		w.fail(err)
		return false
	}
	if leg == nil {
		return false
	}
	v, err := w.backend.Find(ctx, fiscal.Ref{Document: r.Document, Baseline: *leg.Baseline})
	if err != nil {
		return false
	}
	if v.Finding != fiscal.Absent {
		return false
	}
	w.log.Info("cancelled a receipt that an attempt had left open", "device", w.cfg.Name, "id", r.ID)
	return true
}

// whose looks for the command of a receipt that stands open. One in doubt is
// asked about now: the device is back, and the receipt may be its. If the storage
// has failed in the middle of one, nothing may be cancelled before a person has
// spoken, and later documents wait for that.
func (w *worker) whose(refusal error) error {
	if fiscal.AsError(refusal, "").Code != fiscal.CodeForeignReceipt {
		return refusal
	}
	for _, it := range w.queue {
		switch r := &it.record; {
		case r.StorageFailed():
			return fiscal.Refuse(fiscal.CodeFNFault, "", "the receipt of "+r.ID+" is open since the storage failed: a person decides about it")
		case r.State == fiscal.Held && r.Baseline != nil:
			it.due = time.Now()
		}
	}
	return refusal
}

// ownDoing finds the report of a shift that an attempt of r itself has made, which
// a person's retry has left in doubt: it has no key that would be found otherwise.
// The shift may be in that state still, or another one may have followed. An event
// of another kind says that there is none.
func (w *worker) ownDoing(ctx context.Context, r fiscal.Record) (fiscal.Event, error) {
	for _, leg := range r.Tried {
		if leg.Device != w.cfg.Name || leg.Baseline == nil {
			continue
		}
		v, err := w.backend.Find(ctx, fiscal.Ref{Document: r.Document, Baseline: *leg.Baseline})
		if err != nil {
			return fiscal.Event{}, err
		}
		if v.Finding != fiscal.Made || v.Receipt.By != "" {
			continue
		}
		owner, err := w.journal.ownerOfDocument(v.Receipt.Storage, v.Receipt.FD)
		if err != nil {
			w.fail(err)
			return fiscal.Event{}, err
		}
		if owner == "" || owner == r.ID {
			return fiscal.Event{Kind: fiscal.EventRecovered, Receipt: v.Receipt, Baseline: *leg.Baseline}, nil
		}
	}
	return fiscal.Event{}, nil
}

// leftOpen finds the last attempt on a device that was in doubt to the end, if
// nothing was open there since: it is over later than that, and nothing was made
// on the storage after it.
func (j *journal) leftOpen(device string, since time.Time) (owner fiscal.Record, last *fiscal.Leg, err error) {
	err = j.spool.View(func(tx *spool.Tx) error {
		last = nil
		err := newestFirst(tx, leftScan, func(r fiscal.Record) bool {
			for _, leg := range r.Tried {
				if leg.Device == device && leg.Baseline != nil && leg.At.After(since) && (last == nil || leg.At.After(last.At)) {
					owner, last = r, &leg
				}
			}
			return true
		})
		if err != nil || last == nil {
			return err
		}
		if fd, err := tx.LastFD(last.Baseline.Storage); err != nil || fd > last.Baseline.LastFD {
			last = nil
			return err
		}
		return nil
	})
	return owner, last, err
}
