package fiscal

import (
	"slices"
	"time"
)

// Bounds of a run.
const (
	routeRounds  = 45  // with faults
	calmTurnsMax = 500 // of the workers, without
	stillDecides = 5 * time.Minute
	clockJump    = time.Hour
	wireMax      = 4 * time.Minute // a request is under way for no longer
)

// run lets everything happen for some rounds, then takes the faults away and
// waits for the end.
func (s *shop) run(rounds int) {
	for range rounds {
		if s.broken == nil {
			s.round()
			s.checkAlways()
		}
	}
	s.calm = true
	for turns := 0; s.broken == nil; turns++ {
		if s.rests() {
			if !s.goOn() {
				break
			}
		} else {
			s.onward()
		}
		s.checkAlways()
		if turns > calmTurnsMax {
			s.fail("still %s after %d turns without faults", s.disk.State, turns)
		}
	}
	s.checkEnd()
}

// rests tells whether the command has ended, or is a person's to end, and stays
// so.
func (s *shop) rests() bool {
	switch {
	case s.disk.State.Final() || s.disk.State == Held:
		return true
	case !s.disk.Decidable():
		s.decidable = time.Time{}
		return false
	case s.decidable.IsZero():
		s.decidable = s.now
	}
	return s.now.Sub(s.decidable) > stillDecides
}

// round is one thing that happens.
func (s *shop) round() {
	switch s.choose("round", 18) {
	case 1, 2, 3, 12, 13, 14:
		o := s.hands[s.choose("office", len(s.hands))].office
		if s.choose("there", 3) > 0 {
			o = s.office(s.disk.Device)
		}
		for range 1 + s.choose("times", 3) {
			o.goOn()
		}
	case 4:
		s.kill()
	case 5:
		s.powerCut()
	case 6:
		if s.choose("cancel", 4) == 3 {
			s.onDisk(Event{Kind: EventCancel})
		}
	case 7:
		s.person()
	case 8:
		s.gambler()
	case 9:
		if s.set.jumps {
			s.skew += clockJump * time.Duration(s.choose("jump", 100)-50)
			s.note("the clock is %v off", s.skew)
		}
	case 10:
		s.wait([...]time.Duration{time.Minute, 20 * time.Minute, 3 * time.Hour}[s.choose("long", 3)])
	case 11:
		if h := s.hands[s.choose("hand", len(s.hands))]; s.runnable(h) {
			s.turn(h)
		}
	default:
		s.onward()
	}
}

// onward is what happens if nothing goes wrong.
func (s *shop) onward() {
	if i := slices.IndexFunc(s.hands, s.runnable); i >= 0 {
		s.turn(s.hands[i])
		return
	}
	if s.calm && s.goOn() {
		return
	}
	var due time.Time
	for _, h := range s.hands {
		if h.has && !h.due.IsZero() && (due.IsZero() || h.due.Before(due)) {
			due = h.due
		}
	}
	if due.After(s.now) {
		if due.Sub(s.now) > wireMax {
			s.settle()
		}
		s.now = due
	}
}

func (s *shop) office(device string) office {
	i := slices.IndexFunc(s.hands, func(h *hand) bool { return h.name == device })
	return s.hands[i].office
}

func (s *shop) goOn() bool {
	return slices.ContainsFunc(s.hands, func(h *hand) bool { return h.office.goOn() })
}

// settle waits for what is on a wire: it arrives, or never will.
func (s *shop) settle() {
	for _, h := range s.hands {
		h.office.settle()
	}
}

// wait lets time pass while no worker is in the middle of something.
func (s *shop) wait(d time.Duration) {
	if slices.ContainsFunc(s.hands, (*hand).busy) {
		return
	}
	s.settle()
	s.pass(d)
}

// powerCut is a kill and a start much later.
func (s *shop) powerCut() {
	s.settle()
	s.pass([...]time.Duration{time.Minute, 20 * time.Minute, 60 * time.Hour}[s.choose("off", 3)])
	s.kill()
}

// person waits for what is under way, looks into every ledger and decides.
func (s *shop) person() {
	if !s.disk.Decidable() {
		return
	}
	s.settle()
	if !s.disk.Decidable() {
		return
	}
	res := Resolution{Action: ResolveGiveUp, By: "ivanov", At: s.wall()}
	switch papers := s.papers(); {
	case len(papers) > 0:
		res.Action, res.FD = ResolveDoneElsewhere, papers[s.choose("paper", len(papers))].fd
	case s.live(attempt{}): // it may still come
		return
	default:
		res.Action = [...]Action{ResolveRetry, ResolveReload, ResolveGiveUp, ResolveAsCorrection}[s.choose("decision", 4)]
	}
	s.decide(res)
}

// gambler decides without looking.
func (s *shop) gambler() {
	if !s.set.careless || !s.disk.Decidable() {
		return
	}
	s.guessed = true
	action := [...]Action{ResolveRetry, ResolveReload, ResolveGiveUp, ResolveDoneElsewhere}[s.choose("guess", 4)]
	s.decide(Resolution{Action: action, By: "petrov", At: s.wall()})
}

func (s *shop) decide(res Resolution) {
	s.note("%s decides: %s %d", res.By, res.Action, res.FD)
	if res.Action != ResolveReload {
		clear(s.open)
	}
	s.onDisk(Event{Kind: EventResolve, Resolution: res})
}
