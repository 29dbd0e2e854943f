package daemon

import (
	"context"
	"maps"
	"slices"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// gather collects both sides of every section.
func (r *reconciler) gather(ctx context.Context, o reconcileOrder) (fiscal.Report, error) {
	report := fiscal.Report{
		At: time.Now(), Why: o.why, By: o.by, Device: o.device, Shift: o.shift, Since: o.since, Until: o.until,
		Parts: []fiscal.ReportSection{},
	}
	g := &gathering{r: r, order: o, left: reconcileReadMax, asks: reconcileAskMax}
	var err error
	if o.book != nil {
		report.Parts, err = g.imported()
		report.Since, report.Until = g.order.since, g.order.until
		return report, err
	}
	if o.shift != 0 {
		s, err := g.shift(ctx, r.d.workers[o.device], o.storage, o.shift)
		report.Parts = append(report.Parts, s)
		return report, err
	}
	for _, name := range r.d.cfg.Backends() {
		w := r.d.workers[name]
		if w == nil || o.device != "" && o.device != name {
			continue
		}
		var parts []fiscal.ReportSection
		if w.cloud != nil {
			var s fiscal.ReportSection
			s, err = g.cloud(ctx, w)
			parts = append(parts, s)
		} else {
			parts, err = g.device(ctx, w)
		}
		if err != nil {
			return report, err
		}
		report.Parts = append(report.Parts, parts...)
	}
	return report, nil
}

// gathering is the work on one report.
type gathering struct {
	r       *reconciler
	order   reconcileOrder
	left    int             // documents that may still be read
	asks    int             // questions that may still be asked
	records []fiscal.Record // of the period, when they were read
	read    bool
}

// Limits of reading the journal backwards. A command may wait for days before
// its document is made, and the clock may have been set.
const (
	recordPage   = 500
	recordMargin = 3 * reconcileDay
	recordStale  = 64 // records in a row that are too old, before the reading ends
)

// recordsSince reads the journal from its end back to what was accepted
// recordMargin before since. Writers go on between the pages.
func (g *gathering) recordsSince(since time.Time) ([]fiscal.Record, error) {
	if g.read {
		return g.records, nil
	}
	edge, stale := since.Add(-recordMargin), 0
	for before := uint64(0); stale < recordStale; {
		var page []fiscal.Record
		err := g.r.d.spool.View(func(tx *spool.Tx) (err error) {
			page, err = tx.RecordsBefore(before, recordPage)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			if r.AcceptedAt.Before(edge) {
				stale++
				continue
			}
			stale = 0
			g.records = append(g.records, r)
		}
		before = page[len(page)-1].Seq
	}
	slices.Reverse(g.records)
	g.read = true
	return g.records, nil
}

// device reconciles every shift of the period on one register.
func (g *gathering) device(ctx context.Context, w *worker) ([]fiscal.ReportSection, error) {
	records, err := g.recordsSince(g.order.since)
	if err != nil {
		return nil, err
	}
	storages := map[string]bool{}
	for i := range records {
		if rc := records[i].Receipt; records[i].Device == w.cfg.Name && rc != nil && rc.Storage != "" {
			storages[rc.Storage] = true
		}
	}
	st, statusErr := g.status(ctx, w)
	if statusErr == nil {
		storages[st.FN.Serial] = true
	}
	var parts []fiscal.ReportSection
	for _, fn := range slices.Sorted(maps.Keys(storages)) {
		until := wallClock(g.order.until.Local())
		if statusErr == nil && fn == st.FN.Serial {
			until = until.Add(ahead(st.Clock))
		}
		var shifts []uint32
		err := g.r.d.spool.View(func(tx *spool.Tx) (err error) {
			shifts, err = tx.ShiftsSince(fn, wallClock(g.order.since.Local()), reconcileShiftsMax)
			return err
		})
		if err != nil {
			return nil, err
		}
		if statusErr == nil && fn == st.FN.Serial && st.Shift.Open && !slices.Contains(shifts, st.Shift.Number) {
			shifts = append(shifts, st.Shift.Number)
		}
		for _, shift := range shifts {
			began, err := g.shiftBegan(fn, shift)
			if err != nil {
				return nil, err
			}
			if began.After(until) { // whole seconds: the shift may be of this very one
				continue
			}
			s, err := g.shift(ctx, w, fn, shift)
			if err != nil {
				return nil, err
			}
			parts = append(parts, s)
		}
	}
	if statusErr != nil && len(parts) == 0 {
		s := newSection(w, fiscal.AgainstDevice)
		s.Incomplete = true
		s.Notes = append(s.Notes, "the device does not answer, and the journal has no document of the period: "+statusErr.Error())
		return []fiscal.ReportSection{s}, nil
	}
	return parts, nil
}

// ahead is how far a register's clock is ahead of ours: its shift of this moment
// begins in our future.
func ahead(clock time.Time) time.Duration {
	if clock.IsZero() {
		return 0
	}
	return min(max(clock.Sub(wallClock(time.Now())), 0), clockSkew)
}

// shiftBegan is the time of the first document that is known of a shift; zero
// if none is.
func (g *gathering) shiftBegan(fn string, shift uint32) (at time.Time, err error) {
	err = g.r.d.spool.View(func(tx *spool.Tx) error {
		docs, _, err := tx.ShiftDocuments(fn, shift)
		if len(docs) > 0 {
			at = docs[0].At
		}
		return err
	})
	return at, err
}

// newSection begins the section of a backend.
func newSection(w *worker, against fiscal.Against) fiscal.ReportSection {
	s := fiscal.ReportSection{Backend: w.cfg.Name, Kind: fiscal.BackendDevice, Against: against}
	if w.cloud != nil {
		s.Kind = fiscal.BackendCloud
	}
	return s
}

// unconfirmed lists what a backend has begun and not ended.
func (g *gathering) unconfirmed(w *worker) (list []fiscal.Unconfirmed, err error) {
	queue, err := g.r.d.journal.queue(w.cfg.Name)
	for i := range queue {
		if u, ok := fiscal.UnconfirmedOf(&queue[i]); ok {
			list = append(list, u)
		}
	}
	return list, err
}

// status asks the register how it is, between documents.
func (g *gathering) status(ctx context.Context, w *worker) (fiscal.Status, error) {
	step, cancel := context.WithTimeout(ctx, reconcileStep)
	defer cancel()
	return ask(step, w, w.backend.Status)
}
