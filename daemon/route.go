package daemon

import (
	"context"
	"slices"
	"time"

	"kassad/fiscal"
)

// sendOnEvery is how often a backend that can make no document looks for
// another one for what waits.
const sendOnEvery = time.Second

// router knows which backend a receipt may go to (design 6).
type router struct {
	routes  map[string]RouteConfig
	workers map[string]*worker
	alerts  *alertBook
	info    func(device string) *fiscal.Info // nil while it is not known
}

// handOver gives a record to the worker of its device. The others get it too:
// the one that has a copy of it learns what has become of it.
func (r *router) handOver(rec fiscal.Record) {
	for _, w := range r.workers {
		w.arrivals.put(rec)
	}
}

// takes tells why the backend cannot carry a document unchanged; nil if it can.
func (w *worker) takes(verb fiscal.Verb, doc fiscal.Document, info *fiscal.Info) *fiscal.Error {
	if !w.can[verb] {
		return fiscal.Refuse(fiscal.CodeUnsupported, "", w.cfg.Name+" cannot "+string(verb))
	}
	if info != nil {
		if err := doc.CheckDevice(*info); err != nil {
			return fiscal.AsError(err, fiscal.CodeUnsupported)
		}
	}
	if w.cloud != nil {
		if err := w.cloud.Check(doc); err != nil {
			return fiscal.AsError(err, fiscal.CodeUnsupported)
		}
	}
	return nil
}

// able splits the backends of a route into those that can carry the document
// and the refusals of the others.
func (r *router) able(route RouteConfig, verb fiscal.Verb, doc fiscal.Document) (able []*worker, refusals []*fiscal.Error) {
	for _, name := range route.Backends {
		w := r.workers[name]
		if w == nil {
			continue
		}
		if refusal := w.takes(verb, doc, r.info(name)); refusal != nil {
			refusals = append(refusals, refusal)
			continue
		}
		able = append(able, w)
	}
	return able, refusals
}

// beside are the other backends of a route.
func (r *router) beside(route, one string) (others []*worker) {
	for _, name := range r.routes[route].Backends {
		if w := r.workers[name]; w != nil && name != one {
			others = append(others, w)
		}
	}
	return others
}

// choose picks the backend for a receipt that arrives: the first of the route
// that can carry it and has not been away for longer than fallback_after. If
// all have, it waits behind what waits already: the spool drains in order.
func (r *router) choose(route RouteConfig, verb fiscal.Verb, doc fiscal.Document, now time.Time) (*worker, *fiscal.Error) {
	able, refusals := r.able(route, verb, doc)
	if len(able) == 0 {
		return nil, worst(refusals)
	}
	for i, w := range able {
		if ill, _ := w.fit.ill(now); ill < time.Duration(route.FallbackAfter) || w.fit.may(now) {
			if i > 0 {
				r.alerts.raise(able[0].cfg.Name, fiscal.CodeRouteFallback, w.cfg.Name)
			}
			return w, nil
		}
	}
	if route.NoContact == NoContactRefuse && needsContact(refusals) {
		return nil, fiscal.Refuse(fiscal.CodeContactRequired, "customer", "the printers of the route are away")
	}
	behind := able[0]
	for _, w := range able {
		if first, oldest := w.waiting.Load(), behind.waiting.Load(); first != 0 && (oldest == 0 || first < oldest) {
			behind = w
		}
	}
	return behind, nil
}

// tellWaiting notes the oldest command that waits here, for choose.
func (w *worker) tellWaiting() {
	first := uint64(0)
	if i := slices.IndexFunc(w.queue, w.mayLeave); i >= 0 {
		first = w.queue[i].record.Seq
	}
	w.waiting.Store(first)
}

// worst is the refusal to tell when no backend can: what the buyer can mend
// goes before what nobody can.
func worst(refusals []*fiscal.Error) *fiscal.Error {
	if len(refusals) == 0 {
		return fiscal.Refuse(fiscal.CodeUnknownRoute, "", "the route has no backend")
	}
	if i := slices.IndexFunc(refusals, func(e *fiscal.Error) bool { return e.Code == fiscal.CodeContactRequired }); i >= 0 {
		return refusals[i]
	}
	return refusals[0]
}

func needsContact(refusals []*fiscal.Error) bool {
	return slices.ContainsFunc(refusals, func(e *fiscal.Error) bool { return e.Code == fiscal.CodeContactRequired })
}

// next picks where a receipt goes that waits at a backend which has been ill
// for a time. "" keeps it there; a refusal ends it.
func (r *router) next(rec fiscal.Record, ill time.Duration, now time.Time) (string, *fiscal.Error) {
	route, ok := r.routes[rec.Route]
	if !ok || ill < time.Duration(route.FallbackAfter) {
		return "", nil
	}
	able, refusals := r.able(route, rec.Verb, rec.Document)
	for _, w := range able {
		if w.cfg.Name != rec.Device && w.fit.may(now) {
			return w.cfg.Name, nil
		}
	}
	if route.NoContact == NoContactRefuse && needsContact(refusals) {
		return "", fiscal.Refuse(fiscal.CodeContactRequired, "customer", "the printers of the route are away")
	}
	return "", nil
}

// A backend that is well again waits for older commands of its routes, which
// come from where they waited, and looks for them this often.
const (
	olderWait = 2 * time.Second
	olderLook = 50 * time.Millisecond
)

// waitsForOlder tells whether an older command of the route waits at another
// backend, and may be on its way here: the spool drains in order. While a status
// stands in the way it is the next status that is waited for, not a document.
func (w *worker) waitsForOlder(it *item, now time.Time) bool {
	if now.Sub(w.healed) >= olderWait && !w.fit.shown() || !w.mayLeave(it) {
		return false
	}
	return slices.ContainsFunc(w.router.routes[it.record.Route].Backends, func(name string) bool {
		other := w.router.workers[name]
		if other == nil || other == w {
			return false
		}
		first := other.waiting.Load()
		return first != 0 && first < it.record.Seq
	})
}

// nudge lets the other workers look again at what waits with them.
func (r *router) nudge(well *worker) {
	for _, w := range r.workers {
		if w != well {
			w.arrivals.nudge()
		}
	}
}

// canSendOn tells whether something waits here that a route may take
// elsewhere.
func (w *worker) canSendOn() bool { return slices.ContainsFunc(w.queue, w.mayLeave) }

func (w *worker) mayLeave(it *item) bool {
	r := &it.record
	if !r.Cancellable() || !r.Verb.Receipt() || w.router == nil { // a retry in doubt stays until its device was asked
		return false
	}
	route, ok := w.router.routes[r.Route]
	return ok && (len(route.Backends) > 1 || route.NoContact == NoContactRefuse)
}

// sendOn gives what waits here to the next backend of its route. The move is on
// disk before the other worker hears of it; a death between the two leaves the
// record in the other's queue.
func (w *worker) sendOn(ctx context.Context) error {
	now := time.Now()
	w.fit.doubt(now, w.inDoubt() != nil)
	ill, why := w.fit.ill(now)
	if w.wasIll && ill == 0 {
		w.healed = now
		w.router.nudge(w) // what waits elsewhere may be older than what waits here
	}
	w.wasIll = ill > 0
	if ill == 0 || w.fit.may(now) { // the next one here may try
		return nil
	}
	for _, it := range slices.Clone(w.queue) {
		if !w.mayLeave(it) {
			continue
		}
		to, refusal := w.router.next(it.record, ill, now)
		ev := fiscal.Event{Kind: fiscal.EventMove, Device: to}
		switch {
		case refusal != nil:
			ev = fiscal.Event{Kind: fiscal.EventPrepareFail, Err: refusal}
		case to == "":
			continue
		}
		if err := w.drive(ctx, it, ev); err != nil {
			return err
		}
		if r := it.record; r.Device == to && to != "" {
			w.log.Warn("sent on", "id", r.ID, "from", w.cfg.Name, "to", to, "why", string(why))
			w.alerts.raise(w.cfg.Name, fiscal.CodeRouteFallback, to)
			w.router.workers[to].arrivals.put(r)
		}
	}
	w.sweep() // tells what waits now, too
	return nil
}
