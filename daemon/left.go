package daemon

import (
	"context"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// leftScan is how many of the newest commands are looked at for an attempt that
// may have left a receipt open: one that did is the last on its device.
const leftScan = 200

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
		records, err := tx.RecordsBefore(0, leftScan)
		if err != nil {
			return err
		}
		for _, r := range records {
			for _, leg := range r.Tried {
				if leg.Device == device && leg.Baseline != nil && leg.At.After(since) && (last == nil || leg.At.After(last.At)) {
					owner, last = r, &leg
				}
			}
		}
		if last == nil {
			return nil
		}
		if fd, err := tx.LastFD(last.Baseline.Storage); err != nil || fd > last.Baseline.LastFD {
			last = nil
			return err
		}
		return nil
	})
	return owner, last, err
}
