package fiscal

import (
	"reflect"
	"time"
)

// hand is the worker of one backend. It holds a copy of the record, which may
// be stale.
type hand struct {
	name   string
	office office

	has    bool
	copy   Record
	due    time.Time // of the next EventBegin
	last   time.Time // of the last event
	todo   []Effect  // what is left of a step
	answer *Event    // of the backend, not yet taken
	mail   []Record
	saved  Record    // the copy as it was last on disk
	step   time.Time // of the last step
	before Record    // the copy before that step
	event  Event     // of that step
	ill    bool      // the last call was not answered well
}

// boot starts the daemon: every worker loads its queue.
func (s *shop) boot() {
	for _, h := range s.hands {
		h.has, h.todo, h.answer, h.mail, h.ill = false, nil, nil, nil, false
		if s.disk.Device != h.name || s.disk.State.Final() {
			continue
		}
		h.has, h.copy, h.saved, h.due, h.last = true, s.disk, s.disk, s.now, s.now.Add(-s.away())
		if s.disk.State == Working {
			h.answer = &Event{Kind: EventRestart}
		}
	}
}

func (s *shop) kill() {
	s.note("kill")
	s.boot()
}

// busy tells whether the hand is in the middle of something.
func (h *hand) busy() bool { return len(h.todo) > 0 || h.answer != nil || len(h.mail) > 0 }

func (s *shop) runnable(h *hand) bool {
	return h.busy() || h.has && !s.now.Before(h.due) && !h.due.IsZero()
}

// turn does the next thing of a worker.
func (s *shop) turn(h *hand) {
	s.pass(time.Millisecond)
	switch {
	case len(h.todo) > 0:
		e := h.todo[0]
		h.todo = h.todo[1:]
		s.perform(h, e)
	case h.answer != nil:
		ev := *h.answer
		h.answer = nil
		s.drive(h, ev)
	case len(h.mail) > 0:
		s.take(h, h.mail[0])
		h.mail = h.mail[1:]
	default:
		s.drive(h, Event{Kind: EventBegin})
	}
	if !h.busy() && (h.copy.State.Final() || h.copy.Device != h.name) {
		h.has = false
	}
}

// take puts what others have made of the record in the place of the copy. An
// older one than the copy is passed over.
func (s *shop) take(h *hand, r Record) {
	if h.has && r.N < h.copy.N || r.Device != h.name && !h.has {
		return
	}
	h.has, h.copy, h.saved, h.due, h.last = true, r, r, s.now, s.now
}

// drive gives one event to the copy.
func (s *shop) drive(h *hand, ev Event) {
	if h.has && ev.Kind == EventBegin && h.ill && s.chance("send on") {
		s.sendOn(h)
		return
	}
	before := h.copy
	if before.Device != h.name {
		s.fail("%s moves what is at %s", h.name, before.Device)
	}
	ev.Now, ev.Elapsed, ev.Policy = s.wall(), s.now.Sub(h.last), s.policy(h.name)
	h.last, h.step, h.before, h.event = s.now, s.now, before, ev
	after, effects := s.step(before, ev)
	s.checkStep(before, ev, after, effects)
	s.checkPause(h.step, before, after, effects)
	h.copy, h.todo, h.due = after, effects, time.Time{}
	if ev.Kind == EventMove || before.State != after.State {
		s.note("%s: event %d, %s becomes %s at %s", h.name, ev.Kind, before.State, after.State, after.Device)
	}
	if len(effects) == 0 && after.State != Held && !after.State.Final() && after.Device == h.name {
		s.fail("nothing wakes a command that is %s after event %d", after.State, ev.Kind)
	}
}

// sendOn gives the command to another backend. Step alone knows whether it may
// go.
func (s *shop) sendOn(h *hand) {
	to := s.hands[s.choose("to", len(s.hands))].name
	if to == h.name {
		return
	}
	ev := Event{Kind: EventMove, Device: to, Now: s.wall(), Elapsed: s.now.Sub(h.last), Policy: s.policy(h.name)}
	before := h.copy
	after, effects := s.step(before, ev)
	s.checkStep(before, ev, after, effects)
	if len(effects) == 0 {
		return
	}
	h.last, h.before, h.event = s.now, before, ev
	h.copy, h.todo, h.due = after, effects, time.Time{}
	s.note("%s: sent on to %s", h.name, to)
}

var effectNames = [...]string{EffectPrepare: "prepare", EffectSubmit: "submit", EffectFind: "find", EffectReload: "reload"}

func (s *shop) perform(h *hand, e Effect) {
	switch e.Kind {
	case EffectSave:
		s.save(h)
		return
	case EffectWake:
		if e.After <= 0 {
			s.fail("a pause of %v", e.After)
		}
		h.due = s.now.Add(e.After)
		return
	}
	var ev Event
	switch e.Kind {
	case EffectPrepare:
		ev = h.office.prepare(h.copy)
	case EffectSubmit:
		s.checkSubmit(h)
		s.stamp(h.copy)
		ev = h.office.submit(h.copy)
		s.sent(h.copy, ev)
		s.pass(time.Second)
	case EffectFind:
		s.stamp(h.copy)
		s.checkFind(h)
		ev = h.office.find(h.copy)
		s.pass(time.Second)
	case EffectReload:
		ev = h.office.reload(h.copy)
		s.pass(time.Second)
	}
	s.note("%s: %s %v %s", h.name, effectNames[e.Kind], ev.Err, ev.Verdict.Finding)
	h.ill = ev.Err != nil
	h.answer = &ev
}

// save commits the copy, unless somebody else has moved the record since: then
// that one wins. If the attempt was only noted upon while the backend worked on
// it, the backend's answer still stands.
func (s *shop) save(h *hand) {
	if s.disk.N != h.copy.N {
		s.seen["overtaken"] = true
		s.note("%s: overtaken, %s is on disk", h.name, s.disk.State)
		h.copy, h.saved, h.todo, h.due = s.disk, s.disk, nil, s.now
		if h.before.State == Working && h.copy.State == Working && h.before.Attempt == h.copy.Attempt && at(h.before) == at(h.copy) {
			s.seen["noted upon"] = true
			ev := h.event
			h.answer = &ev
		}
		return
	}
	s.put(h.copy)
	h.copy, h.saved = s.disk, s.disk
	if r := h.copy; r.State == Unknown && r.inCloud() && r.Asked > s.repeats[at(r)].count {
		s.repeats[at(r)] = repeated{h.step, r.Asked}
	}
	if h.copy.Device != h.name {
		s.mail()
	}
}

// mail tells the worker of the record's device.
func (s *shop) mail() {
	for _, h := range s.hands {
		if h.name == s.disk.Device {
			h.mail = append(h.mail, s.disk)
		}
	}
}

// onDisk applies an event to the stored record, as journal.move and hear do.
func (s *shop) onDisk(ev Event) {
	ev.Now, ev.Elapsed, ev.Policy = s.wall(), s.away(), s.policy(s.disk.Device)
	if ev.Kind == EventTold {
		ev.Policy = s.policy(ev.Device)
	}
	before := s.disk
	after, effects := s.step(before, ev)
	s.checkStep(before, ev, after, effects)
	if !hasSave(effects) {
		return
	}
	if before.State.Final() {
		after.SavedAt = s.wall()
		s.disk = after
		return
	}
	s.put(after)
	if before.Device != after.Device { // the other worker finds out when it saves
		s.note("goes to %s", after.Device)
	}
	s.mail()
}

// sent notes an attempt of which nothing is proved yet.
func (s *shop) sent(r Record, ev Event) {
	delete(s.repeats, at(r))
	if ev.Kind == EventSubmitFail && ev.Err.Outcome != OutcomeUnknown {
		delete(s.sentAt, at(r))
		return
	}
	s.open[at(r)] = true
}

// stamp notes when an attempt was first sent: a kill may come before its
// Submit, and the repeat is the first.
func (s *shop) stamp(r Record) {
	if _, before := s.sentAt[at(r)]; !before {
		s.sentAt[at(r)] = s.now
	}
}

// at is the attempt in hand.
func at(r Record) attempt { return attempt{r.Device, r.cloudKey()} }

// sameSaved tells whether the copy is what was last on disk.
func (h *hand) sameSaved() bool { return reflect.DeepEqual(h.copy, h.saved) }
