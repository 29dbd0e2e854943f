package bifit

import (
	"slices"
	"time"
)

// event is the next thing that happens by the clock.
type event struct {
	at   time.Time
	rank int // of events at one time: the end of one document frees its register
	do   func(at time.Time)
}

// settle lets everything happen that is due, in the order of time, each at its
// own time: who looks late sees the same documents as who looks often.
func (s *Service) settle(now time.Time) {
	for {
		next, ok := s.nextEvent(now)
		if !ok {
			return
		}
		next.do(next.at)
	}
}

func (s *Service) nextEvent(now time.Time) (first event, ok bool) {
	for _, c := range s.st.connectors {
		for _, e := range s.events(c) {
			if e.at.After(now) {
				continue
			}
			if !ok || e.at.Before(first.at) || e.at.Equal(first.at) && e.rank < first.rank {
				first, ok = e, true
			}
		}
	}
	return first, ok
}

// events are the moves that a connector has ready.
func (s *Service) events(c *connector) []event {
	var out []event
	headSeen := false
	for _, d := range c.live {
		switch d.status {
		case StatusRegistering:
			out = append(out, event{d.nextAt, 0, func(at time.Time) { s.finish(d, at) }})
		case StatusNew:
			out = append(out, event{d.nextAt, 1, func(at time.Time) { s.enqueue(d, at) }})
		case StatusQueued:
			// One after another: only the head of the queue may begin.
			if headSeen || d.plan.stuck {
				continue
			}
			headSeen = true
			if reg := c.pick(d); reg != nil {
				out = append(out, event{latest(d.nextAt, reg.freeAt), 2, func(at time.Time) { s.begin(d, reg, at) }})
			}
		}
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// pick chooses the register for a document: one that would make it, else one
// that will fail. It is nil as long as there is nothing but to wait.
func (c *connector) pick(d *document) *register {
	var best *register
	bestFits := false
	for _, reg := range c.registers {
		if reg.State == RegisterBusy {
			continue
		}
		fits := reg.obstacle(d, latest(d.nextAt, reg.freeAt)) == CauseNone
		switch {
		case best == nil, fits && !bestFits, fits == bestFits && reg.sooner(best):
			best, bestFits = reg, fits
		}
	}
	if best == nil || best.current != nil {
		return nil
	}
	return best
}

func (r *register) sooner(other *register) bool {
	if (r.current == nil) != (other.current == nil) {
		return r.current == nil
	}
	return r.freeAt.Before(other.freeAt)
}

func (s *Service) enqueue(d *document, at time.Time) {
	d.become(StatusQueued, at)
	d.nextAt = at.Add(s.cfg.Delays.Queued)
}

func (s *Service) begin(d *document, reg *register, at time.Time) {
	d.become(StatusRegistering, at)
	d.on, reg.current = reg, d
	d.nextAt = at.Add(s.cfg.Delays.Registering)
}

// finish ends the attempt of a document on its register.
func (s *Service) finish(d *document, at time.Time) {
	reg := d.on
	d.on, reg.current, reg.freeAt = nil, nil, at
	if d.plan.backwards > 0 {
		d.plan.backwards--
		d.become(StatusQueued, at)
		d.nextAt = at.Add(max(s.cfg.Delays.Queued, backwardsMin))
		return
	}
	if cause := s.attempt(d, reg, at); cause != CauseNone {
		d.cause = cause
		d.become(StatusError, at)
	} else {
		d.become(StatusDone, at)
	}
	d.owner.live = slices.DeleteFunc(d.owner.live, func(x *document) bool { return x == d })
	s.cfg.Log.Debug("document ends", "id", d.id, "status", s.cfg.Table.Statuses.Token(int(d.status)))
}

// backwardsMin keeps a document that fell back into the queue there for long
// enough to be seen.
const backwardsMin = time.Second

// attempt fiscalizes, or tells why not.
func (s *Service) attempt(d *document, reg *register, at time.Time) Cause {
	if d.plan.detects && len(d.made) > 0 {
		return CauseNone // it was found to be made already
	}
	reg.ClockOff += d.plan.moveClock
	d.plan.moveClock = 0
	if d.plan.swap {
		d.plan.swap = false
		s.replaceStorage(reg, at)
	}
	cause := d.forced()
	if cause == CauseNone {
		cause = reg.obstacle(d, at)
	}
	if cause == CauseNone {
		cause = s.fiscalize(d, reg, at)
	}
	if cause == CauseNone && d.plan.failMade {
		d.plan.failMade = false
		return CauseFault // the answer of the register was lost (section 10)
	}
	return cause
}

// reload sends a failed document to its queue again. It keeps its id.
func (s *Service) reload(d *document, at time.Time) {
	if d.status != StatusError {
		return
	}
	d.cause = CauseNone
	d.reloads++
	d.owner.live = append(d.owner.live, d)
	s.enqueue(d, at)
}
