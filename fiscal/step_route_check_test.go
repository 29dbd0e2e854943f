package fiscal

import (
	"reflect"
	"slices"
	"time"
)

func hasSave(effects []Effect) bool { return slices.Contains(effects, save) }

// checkAlways holds after every thing that happens.
func (s *shop) checkAlways() {
	if n := len(s.papers()); n > 1+s.lies() && !s.guessed {
		s.fail("%d documents of one command: %+v", n, s.papers())
	}
	for _, p := range s.told {
		if !s.disk.names(p) {
			s.fail("%s has told of document %d, the record does not know it", p.device, p.fd)
		}
	}
}

// endedWith tells whether the record ended in a document, by the device's word
// or a person's.
func (r Record) endedWith(p paper) bool {
	return r.Receipt != nil && p.is(*r.Receipt) || r.Resolved != nil && r.Resolved.FD == p.fd
}

// names tells whether the record knows a document.
func (r Record) names(p paper) bool { return r.endedWith(p) || slices.ContainsFunc(r.Late, p.is) }

// checkEnd compares what was told with what the ledgers hold.
func (s *shop) checkEnd() {
	r, papers := s.disk, s.papers()
	settled := r.Resolved != nil && (r.Resolved.Action == ResolveDoneElsewhere || r.Resolved.Action == ResolveAsCorrection)
	doubled := slices.ContainsFunc(s.told, func(p paper) bool { return !r.endedWith(p) })
	switch {
	case r.State == Done && !settled && (r.Receipt == nil || !slices.ContainsFunc(papers, func(p paper) bool { return p.is(*r.Receipt) })):
		s.fail("done as %+v, the ledgers hold %+v", r.Receipt, papers)
	case (r.State == Rejected || r.State == Cancelled) && len(papers) > s.lies() && !s.guessed:
		s.fail("%s, but it was made: %+v", r.State, papers)
	case r.State.Final() && !s.guessed && s.live(attempt{}) && s.lies() == 0:
		s.fail("%s, and a document may still be made", r.State)
	case r.State.Final() && doubled != r.Doubled() && !(s.set.bare && r.Resolved != nil && r.Resolved.FD != 0):
		// A bare ticket cannot be compared with a person's FD: that is told, rather.
		s.fail("doubled is %v; ended in %+v, resolved %+v, late %+v", r.Doubled(), r.Receipt, r.Resolved, r.Late)
	}
}

// checkStep holds for every single step.
func (s *shop) checkStep(before Record, ev Event, after Record, effects []Effect) {
	sends := slices.Contains(effects, submit) || slices.Contains(effects, prepare)
	known := len(after.Late) > 0
	switch {
	case before.State.Final() && (before.State != after.State || !reflect.DeepEqual(before.Receipt, after.Receipt)):
		s.fail("a final state is left: %s by event %d to %s", before.State, ev.Kind, after.State)
	case before.State != after.State && !hasSave(effects):
		s.fail("%s becomes %s unsaved", before.State, after.State)
	case slices.Contains(effects, submit) && after.State != Working, sends && after.State != Working && after.State != Accepted:
		s.fail("something is begun in %s", after.State)
	case known && (sends || after.State == Accepted || after.State == Rejected || after.State == Cancelled) && !before.State.Final():
		s.fail("%s by event %d, and an earlier attempt's document is known", after.State, ev.Kind)
	case after.Device != before.Device && before.State != Accepted && !known:
		s.fail("sent from %s to %s in %s", before.Device, after.Device, before.State)
	case ev.Kind == EventCancel && before.State != Accepted && after.State != before.State:
		s.fail("cancel in %s makes it %s", before.State, after.State)
	case after.State == Working && before.State != Working && s.waitIsOver(after):
		s.fail("begun %v after acceptance, its wait was %v", s.now.Sub(after.AcceptedAt), s.set.wait)
	}
	s.checkDoubt(before, ev, after)
	s.checkEdition(before, ev, after)
	s.look(before, ev, after, effects)
}

// look notes what a walk has come by.
func (s *shop) look(before Record, ev Event, after Record, effects []Effect) {
	told := ev.Kind == EventTold
	note := func(what string, seen bool) {
		if seen {
			s.seen[what] = true
		}
	}
	note("moved", ev.Kind == EventMove && after.Device != before.Device)
	note("adopted", told && before.State == Accepted && after.State != Accepted)
	note("told early", told && before.State == Working && after.State != Working)
	note("late", len(after.Late) > len(before.Late))
	note("late taken", !before.State.Final() && after.State == Done && len(after.Late) > 0 && !after.Doubled())
	note("doubled", after.Doubled())
	note("new key", after.Document.Edition > before.Document.Edition)
	note("third key", after.Document.Edition > 1)
	note("reloaded", slices.Contains(effects, reload))
	note("window over", before.State == Unknown && after.State == Held && after.DoubtLeft == 1)
	note("repeat refused", before.State == Unknown && after.State == Held && ev.Kind == EventFindFail)
	note("fourth repeat", after.State == Unknown && after.Asked > 3)
	note("overdue", !before.Overdue() && after.Overdue())
	note("decided", ev.Kind == EventResolve && after.State != before.State)
	note("held, then told", before.State == Held && told && after.State != Held)
}

// waitSlack is what overtaken copies may lose of a wait.
const waitSlack = time.Minute

func (s *shop) waitIsOver(r Record) bool {
	return s.set.wait > 0 && !r.Approved && !s.set.jumps && s.now.Sub(r.AcceptedAt) > s.set.wait+waitSlack
}

// checkDoubt: what was sent is given up only for a proof, or by a person.
func (s *shop) checkDoubt(before Record, ev Event, after Record) {
	if before.State == Accepted || before.State.Final() || after.State != Accepted && after.State != Rejected && after.State != Cancelled {
		return
	}
	said := ev.Kind == EventVerdict || ev.Kind == EventTold
	switch {
	case ev.Kind == EventResolve && before.Decidable():
	case ev.Kind == EventSubmitFail && before.State == Working && ev.Err.Outcome != OutcomeUnknown:
	case said && ev.Verdict.Finding == Failed && before.inCloud():
	case said && ev.Verdict.Finding == Absent && !before.inCloud():
	default:
		s.fail("%s is left by event %d (%v) for %s", before.State, ev.Kind, ev.Err, after.State)
	}
}

// checkEdition: another key only by a person's word, or the service's that it
// has made nothing.
func (s *shop) checkEdition(before Record, ev Event, after Record) {
	n := after.Document.Edition - before.Document.Edition
	person := ev.Kind == EventResolve && ev.Resolution.Action == ResolveRetry
	failed := (ev.Kind == EventVerdict || ev.Kind == EventTold) && ev.Verdict.Finding == Failed
	switch {
	case n == 0:
	case n != 1 || !person && !failed:
		s.fail("edition %d becomes %d by event %d", before.Document.Edition, after.Document.Edition, ev.Kind)
	case failed && (!ev.Policy.Cloud.RetryFailed || before.Document.Edition >= retriesMax):
		s.fail("begun again %d times without a person", after.Document.Edition)
	}
}

// checkSubmit is fence before fire, on all routes.
func (s *shop) checkSubmit(h *hand) {
	r, of := h.copy, at(h.copy)
	switch {
	case !h.sameSaved():
		s.fail("submit of %s, saved is %s", r.State, h.saved.State)
	case r.State != Working || r.Baseline == nil:
		s.fail("submit in %s", r.State)
	case r.inCloud() && of.key != r.Document.CloudKey():
		s.fail("submit under %s, the key is %s", of.key, r.Document.CloudKey())
	case s.refuted[of]:
		s.fail("%s has told that %s failed; it is sent again under the same key", of.device, of.key)
	case s.guessed:
	case len(s.open) > 0:
		s.fail("submit to %v, and nothing is proved of %v", of, s.open)
	case len(s.papers()) > s.lies():
		s.fail("submit of a document that exists: %+v", s.papers())
	case s.live(attempt{}):
		s.fail("submit to %v, and another attempt is live", of)
	}
}

// checkFind: a repeat is counted on disk before it goes out, goes to where the
// first went, and not beyond the life of its key.
func (s *shop) checkFind(h *hand) {
	r, of := h.copy, at(h.copy)
	if r.Baseline == nil || r.inCloud() && r.Baseline.Device != h.name {
		s.fail("find at %s of %+v", h.name, r.Baseline)
		return
	}
	if !r.inCloud() || r.Ticket != "" {
		return
	}
	switch {
	case !h.sameSaved() || r.State != Unknown || r.Asked == 0:
		s.fail("repeat %d in %s, saved are %d", r.Asked, r.State, h.saved.Asked)
	case !s.set.jumps && s.now.Sub(s.sentAt[of]) > keyLife:
		s.fail("%s is repeated after %v", of.key, s.now.Sub(s.sentAt[of]))
	case s.live(of) && !s.guessed && s.lies() == 0:
		s.fail("repeat to %v, and another attempt is live", of)
	}
}

// checkPause: no repeat comes earlier than the service's schedule wants, over
// restarts too.
func (s *shop) checkPause(now time.Time, before, after Record, effects []Effect) {
	if !slices.Contains(effects, find) || after.State != Unknown || !after.inCloud() {
		return
	}
	last, ok := s.repeats[at(after)]
	pause := nth(routePolicy.Cloud.Repeat, max(after.Asked-1, 0))
	switch {
	case after.Asked == 0:
		s.fail("a repeat is not counted")
	case !ok || s.set.jumps:
	case last.count >= after.Asked:
		s.fail("repeat %d goes out again", after.Asked)
	case last.count == after.Asked-1 && now.Sub(last.at) < pause:
		s.fail("repeat %d after %v instead of %v", after.Asked, now.Sub(last.at), pause)
	}
}
