package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kassad/fiscal"
)

// cloud reconciles one service over the period: what was ordered against what
// the service has confirmed to us. It is no independent book, and the section
// says so.
func (g *gathering) cloud(ctx context.Context, w *worker) (fiscal.ReportSection, error) {
	s := newSection(w, fiscal.AgainstConfirmed)
	records, err := g.recordsSince(g.order.since)
	if err != nil {
		return s, err
	}
	if s.Unconfirmed, err = g.unconfirmed(w); err != nil {
		return s, err
	}
	var ordered, confirmed []fiscal.BookEntry
	nameless := 0
	for i := range records {
		r, fresh, err := g.askOver(ctx, w, &s, records[i])
		if err != nil {
			return s, err
		}
		g.lateIn(&s, w, &r, fresh)
		if r.Device != w.cfg.Name {
			continue
		}
		if d, ok := fiscal.SettledOf(&r); ok && !d.At.Before(g.order.since) && d.At.Before(g.order.until) {
			s.Settled = append(s.Settled, d)
		}
		e, ok := fiscal.CommandEntry(&r)
		// By this node's clock: a register of the service may stand in another zone.
		if at := r.FinalAt; !ok || at.Before(g.order.since) || !at.Before(g.order.until) || e.Settled {
			continue
		}
		ordered = append(ordered, e)
		if c, ok := fiscal.ConfirmedEntry(&r); ok {
			if confirmed = append(confirmed, c); c.FN == "" || c.FD == 0 {
				nameless++
			}
		}
	}
	m := fiscal.MatchBooks(ordered, confirmed)
	s.Journal, s.Other = fiscal.BookFigures(ordered), fiscal.BookFigures(confirmed)
	s.Differences = append(m.Differences("the service"), fiscal.LateDifferences(s.Late)...)
	s.Notes = append(s.Notes, "the other side is what the service told this node; only an import is independent",
		"numbers are not searched for gaps: the registers of a service may serve other shops as well")
	if nameless > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d documents were confirmed without FN and FD", nameless))
	}
	return s, nil
}

// lateIn adds the late documents that a service has made.
func (g *gathering) lateIn(s *fiscal.ReportSection, w *worker, r *fiscal.Record, fresh []fiscal.Receipt) {
	for _, late := range lateOf(r) {
		if late.Device != w.cfg.Name {
			continue
		}
		late.New = slices.ContainsFunc(fresh, func(made fiscal.Receipt) bool { return made.Ticket == late.Ticket && made.FD == late.FD })
		s.Late = append(s.Late, late)
	}
}

// askOver asks the service once about each attempt of a record that is over: it
// may have made the document after all. What it says is heard like a callback,
// so that it is told of everywhere. It returns the record as it is then, and
// the documents that were news.
func (g *gathering) askOver(ctx context.Context, w *worker, s *fiscal.ReportSection, r fiscal.Record) (fiscal.Record, []fiscal.Receipt, error) {
	var fresh []fiscal.Receipt
	for _, leg := range r.Tried {
		if !g.mayAsk(w, s, &r, leg) {
			continue
		}
		g.asks--
		g.r.state.Store(&ReconcileProgress{Backend: w.cfg.Name, Read: reconcileAskMax - g.asks})
		v, err := w.askLeg(ctx, r.Document, leg)
		if err != nil {
			unread(s, fmt.Sprintf("an attempt of %s that is over could not be asked about: %v", r.ID, err))
			continue
		}
		if v.Finding != fiscal.Made {
			continue
		}
		known := len(r.Late)
		heard, err := g.r.d.journal.hear(r.ID, leg.Device, leg.Key, v)
		if err != nil {
			return r, fresh, err
		}
		g.r.d.handOver(heard)
		r = heard
		fresh = append(fresh, r.Late[min(known, len(r.Late)):]...)
	}
	return r, fresh, nil
}

// mayAsk tells whether an attempt is one to ask about: of this service, which
// can be asked, and within the bounds of a report.
func (g *gathering) mayAsk(w *worker, s *fiscal.ReportSection, r *fiscal.Record, leg fiscal.Leg) bool {
	switch {
	case leg.Device != w.cfg.Name || leg.Ticket == "":
		return false
	case len(w.cloud.Delays().Poll) == 0:
		note(s, "this service cannot be asked: attempts that are over are known by its callbacks only")
		return false
	case !w.canAsk(*r, leg):
		return false
	case g.asks == 0:
		note(s, fmt.Sprintf("not every attempt that is over was asked about: a report asks %d times at most", reconcileAskMax))
		s.Incomplete = true
		return false
	}
	return true
}

func note(s *fiscal.ReportSection, text string) {
	if !slices.Contains(s.Notes, text) {
		s.Notes = append(s.Notes, text)
	}
}

// dayOf is midnight of a day, by the computer's clock.
func dayOf(wall time.Time) time.Time {
	return time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.Local)
}
