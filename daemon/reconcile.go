package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// Limits of reconciliations.
const (
	// reconcileTimeout bounds one: what is not read by then is said to be
	// missing.
	reconcileTimeout = 15 * time.Minute
	// reconcileDay is the period of one that nobody has named a period for.
	reconcileDay = 24 * time.Hour
	// reconcileReadMax is how many documents are read from fiscal storages for
	// one report.
	reconcileReadMax = 5000
	// reconcileAskMax is how many attempts that are over clouds are asked about
	// for one report.
	reconcileAskMax = 200
	// dailyLook is how often the time of day is looked at: the computer's clock
	// may be set.
	dailyLook = time.Hour
	// reconcileStep is how long one question may wait for its device.
	reconcileStep = time.Minute
	// reconcileShiftsMax is how many shifts of one storage a report may have.
	reconcileShiftsMax = 200
)

// reconciler makes reports, one at a time: after a shift is closed, at a set
// time and when it is asked (design 6).
type reconciler struct {
	d      *Daemon
	turn   chan struct{} // holds a token while a report is made
	closes *mailbox      // shift closes that are done
	state  atomic.Pointer[ReconcileProgress]
}

// ReconcileProgress is how far the report in hand is.
type ReconcileProgress struct {
	Backend string `json:"backend,omitempty"`
	Shift   uint32 `json:"shift,omitempty"`
	Read    int    `json:"read"`            // documents of the fiscal storage, or answers of a cloud
	Total   int    `json:"total,omitempty"` // to read, if it is known
}

func newReconciler(d *Daemon) *reconciler {
	return &reconciler{d: d, turn: make(chan struct{}, 1), closes: newMailbox()}
}

// metaReconcileDue holds the ids of shift closes that are still to be
// reconciled, for a restart.
const metaReconcileDue = "reconcile due"

// closes tells whether a record is the close of a shift that is to be reconciled.
func (c ReconcileConfig) closes(rec fiscal.Record) bool {
	return rec.Verb == fiscal.VerbShiftClose && rec.State == fiscal.Done && c.OnShiftClose
}

// noteDue puts a record that becomes final among what is to be reconciled, in the
// transaction of its end: a death right after it loses no report.
func (r *reconciler) noteDue(tx *spool.Tx, rec fiscal.Record) error {
	if !r.d.cfg.Reconcile.closes(rec) {
		return nil
	}
	return changeDue(tx, func(ids []string) []string { return append(ids, rec.ID) })
}

func changeDue(tx *spool.Tx, change func(ids []string) []string) error {
	var ids []string
	if _, err := tx.Meta(metaReconcileDue, &ids); err != nil {
		return err
	}
	return tx.PutMeta(metaReconcileDue, change(ids))
}

// closed takes note of a record that has become final.
func (r *reconciler) closed(rec fiscal.Record) {
	if r.d.cfg.Reconcile.closes(rec) {
		r.closes.put(rec)
	}
}

// run makes the reports that nobody asks for, until ctx ends. An error is of
// the store.
func (r *reconciler) run(ctx context.Context) error {
	if err := r.fatalOnly(ctx, r.resume(ctx)); err != nil {
		return err
	}
	daily := r.d.cfg.Reconcile.next(time.Now())
	for {
		timer := time.NewTimer(min(time.Until(daily), dailyLook))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.closes.some:
			timer.Stop()
			if err := r.afterCloses(ctx, r.closes.take()); err != nil {
				return err
			}
		case <-timer.C:
			now := time.Now()
			if !now.Before(daily) && r.d.cfg.Reconcile.At != "" {
				if _, err := r.make(ctx, reconcileOrder{why: fiscal.ReportTime, since: now.Add(-reconcileDay), until: now}); err != nil {
					if err := r.fatalOnly(ctx, err); err != nil {
						return err
					}
				}
			}
			daily = r.d.cfg.Reconcile.next(now)
		}
	}
}

// fatalOnly drops what only says that the daemon stops, and tells of a refusal:
// neither is a reason to end.
func (r *reconciler) fatalOnly(ctx context.Context, err error) error {
	var refusal *fiscal.Error
	switch {
	case ctx.Err() != nil, errors.Is(err, spool.ErrClosed):
		return nil
	case errors.As(err, &refusal):
		r.d.log.Warn("not reconciled", "why", err)
		return nil
	}
	return err
}

// resume takes up the shift closes of an earlier run.
func (r *reconciler) resume(ctx context.Context) error {
	ids, err := r.due()
	if err != nil {
		return err
	}
	for _, id := range ids {
		rec, found, err := r.d.journal.byID(id)
		if err != nil {
			return err
		}
		if found {
			r.closes.put(rec)
		} else if err := r.settleDue(ctx, id); err != nil { // it is forgotten
			return err
		}
	}
	return nil
}

func (r *reconciler) due() (ids []string, err error) {
	err = r.d.spool.View(func(tx *spool.Tx) error {
		_, err := tx.Meta(metaReconcileDue, &ids)
		return err
	})
	return ids, err
}

// settleDue takes a close off what is to be reconciled.
func (r *reconciler) settleDue(ctx context.Context, id string) error {
	return withRoom(ctx, func() error {
		return r.d.spool.Update(func(tx *spool.Tx) error {
			return changeDue(tx, func(ids []string) []string {
				return slices.DeleteFunc(ids, func(due string) bool { return due == id })
			})
		})
	})
}

// afterCloses reconciles each closed shift. A device that the configuration does
// not know any more, after a start, cannot be asked.
func (r *reconciler) afterCloses(ctx context.Context, closes []fiscal.Record) error {
	for _, c := range closes {
		if r.d.workers[c.Device] == nil {
			r.d.log.Warn("not reconciled", "id", c.ID, "why", "there is no device "+c.Device+" any more")
		} else if c.Receipt != nil && c.Receipt.Shift != 0 {
			order := reconcileOrder{why: fiscal.ReportShiftClose, device: c.Device, shift: c.Receipt.Shift, storage: c.Receipt.Storage}
			if _, err := r.make(ctx, order); err != nil {
				if fatal := r.fatalOnly(ctx, err); fatal != nil || ctx.Err() != nil {
					return fatal
				}
			}
		}
		if err := r.settleDue(ctx, c.ID); err != nil {
			if err := r.fatalOnly(ctx, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// reconcileOrder is what a report is to be about: one shift of a device, or a
// period of one backend or of all.
type reconcileOrder struct {
	why          fiscal.ReportReason
	by           string
	device       string
	shift        uint32
	storage      string // of the shift; "": the one in the device
	since, until time.Time
	book         *importedBook // nil: against the devices and what the clouds said
}

// make makes a report, keeps it, publishes it and raises its alerts. The error
// is a refusal, of the store, or of ctx while another report is being made.
func (r *reconciler) make(ctx context.Context, o reconcileOrder) (fiscal.Report, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return fiscal.Report{}, fiscal.Refuse(fiscal.CodeBusy, "", "another reconciliation is being made")
	}
	defer r.state.Store(nil)
	bounded, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()
	report, err := r.gather(bounded, o)
	if err != nil {
		return report, err
	}
	if o.why != fiscal.ReportCommand && ctx.Err() != nil {
		return report, ctx.Err() // the daemon stops: it is made at the next start
	}
	report.Judge()
	if o.why == fiscal.ReportCommand {
		report, err = r.keep(report) // who has asked is told that there is no room
	} else {
		err = withRoom(ctx, func() error { report, err = r.keep(report); return err })
	}
	if err != nil {
		return report, err
	}
	r.d.log.Info("reconciled", "report", report.ID, "why", string(report.Why), "device", report.Device, "shift", report.Shift, "agrees", report.Agrees)
	r.publish(report)
	r.raise(report)
	return report, nil
}

// keep stores a report as the last one of its backends.
func (r *reconciler) keep(report fiscal.Report) (stored fiscal.Report, err error) {
	err = r.d.spool.Update(func(tx *spool.Tx) error {
		if stored, err = tx.PutReport(report); err != nil {
			return err
		}
		for _, name := range stored.Backends() {
			if err := tx.PutMeta(reconcileMeta(name), stored.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return stored, err
}

// reconcileMeta names the last report of a backend.
func reconcileMeta(backend string) string { return "reconcile " + backend }

// publish retains a report as the last one.
func (r *reconciler) publish(report fiscal.Report) {
	d := r.d
	wire := mqtt.NewReconciliation(report)
	d.set(d.topics.NodeReconcile(), mqtt.EncodeReconciliation(wire))
	for _, name := range report.Backends() {
		d.set(d.topics.Device(name, "reconcile"), mqtt.EncodeReconciliation(wire.Of(name)))
	}
}

// raise makes the alert of each backend stand while its last report names a
// difference. One that could not be read whole proves nothing and leaves it.
func (r *reconciler) raise(report fiscal.Report) {
	for _, name := range report.Backends() {
		n, agrees, first := report.Of(name)
		switch {
		case n > 0:
			r.d.alerts.raise(name, fiscal.CodeReconcileDiffers, fmt.Sprintf("%d differences in %s; the first: %s", n, report.ID, first.Text))
		case agrees:
			r.d.alerts.clear(name, fiscal.CodeReconcileDiffers)
		}
	}
}

// publishReports retains the last reports at start, and raises their alerts.
func (d *Daemon) publishReports() {
	names := d.deviceNames()
	slices.Sort(names)
	var newest fiscal.Report
	var any bool
	last := map[string]fiscal.Report{}
	err := d.spool.View(func(tx *spool.Tx) (err error) {
		clear(last)
		if newest, any, err = tx.Report(""); err != nil {
			return err
		}
		for _, name := range names {
			var id string
			if found, err := tx.Meta(reconcileMeta(name), &id); err != nil || !found {
				if err != nil {
					return err
				}
				continue
			}
			report, found, err := tx.Report(id)
			if err != nil {
				return err
			}
			if found {
				last[name] = report
			}
		}
		return nil
	})
	if err != nil {
		d.fail(err)
		return
	}
	if any {
		d.set(d.topics.NodeReconcile(), mqtt.EncodeReconciliation(mqtt.NewReconciliation(newest)))
	}
	for name, report := range last {
		wire := mqtt.NewReconciliation(report).Of(name)
		d.set(d.topics.Device(name, "reconcile"), mqtt.EncodeReconciliation(wire))
		own := fiscal.Report{ID: report.ID, Parts: slices.DeleteFunc(slices.Clone(report.Parts), func(s fiscal.ReportSection) bool { return s.Backend != name })}
		d.reconciler.raise(own)
	}
}

// progress is how far the report in hand is; nil if none is.
func (r *reconciler) progress() json.RawMessage {
	text, err := json.Marshal(r.state.Load())
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}
