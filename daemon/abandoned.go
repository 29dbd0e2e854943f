package daemon

import (
	"context"
	"slices"
	"time"

	"kassad/fiscal"
	"kassad/spool"
)

// Limits of asking after attempts that are over. A cabinet, or a service that
// was away, may make such a document hours later.
const (
	abandonedEvery = 10 * time.Minute
	abandonedFor   = 72 * time.Hour
	abandonedScan  = 20_000 // newest commands: of three days in a busy shop
)

// watchAbandoned asks the services that can be asked what became of attempts
// that are over: a document that one of them has made after all is late. An
// error is of the store.
func (d *Daemon) watchAbandoned(ctx context.Context) error {
	tick := time.NewTicker(abandonedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.askAbandoned(ctx, time.Now()); err != nil {
				return err
			}
		}
	}
}

func (d *Daemon) askAbandoned(ctx context.Context, now time.Time) error {
	var records []fiscal.Record
	err := d.spool.View(func(tx *spool.Tx) error {
		records = nil
		return newestFirst(tx, abandonedScan, func(r fiscal.Record) bool {
			if len(r.Tried) > 0 {
				records = append(records, r)
			}
			return true
		})
	})
	if err != nil {
		return err
	}
	for _, r := range records {
		for _, leg := range r.Tried {
			w := d.workers[leg.Device]
			if w == nil || !w.canAsk(r, leg) || now.Sub(leg.At) > abandonedFor {
				continue
			}
			v, err := w.askLeg(ctx, r.Document, leg)
			if err != nil || v.Finding != fiscal.Made {
				continue // it may be asked again
			}
			heard, err := d.journal.hear(r.ID, leg.Device, leg.Key, v)
			if err != nil {
				return err
			}
			d.handOver(heard)
		}
	}
	return nil
}

// canAsk tells whether an attempt that is over is one to ask this service
// about: under a name that the service gave, and not known already.
func (w *worker) canAsk(r fiscal.Record, leg fiscal.Leg) bool {
	if w.cloud == nil || leg.Ticket == "" || len(w.cloud.Delays().Poll) == 0 {
		return false
	}
	taken := r.Resolved == nil && r.Ticket == leg.Ticket && r.Device == leg.Device // it was taken up again
	return !taken && !slices.ContainsFunc(r.Late, func(made fiscal.Receipt) bool { return made.Ticket == leg.Ticket })
}

// legTimeout is how long one question may wait for its turn and its answer.
const legTimeout = time.Minute

// askLeg asks what became of an attempt that is over.
func (w *worker) askLeg(ctx context.Context, doc fiscal.Document, leg fiscal.Leg) (fiscal.Verdict, error) {
	step, cancel := context.WithTimeout(ctx, legTimeout)
	defer cancel()
	return ask(step, w, func(ctx context.Context) (fiscal.Verdict, error) {
		base, err := w.backend.Prepare(ctx, doc) // does not use the network
		if err != nil {
			return fiscal.Verdict{}, err
		}
		if base.Cloud != nil {
			base.Cloud.Key = leg.Key
		}
		return w.backend.Find(ctx, fiscal.Ref{Document: doc, Baseline: base, Ticket: leg.Ticket})
	})
}
