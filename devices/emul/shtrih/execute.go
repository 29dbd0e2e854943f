package shtrih

import "slices"

// accept takes a whole command off the wire: faults decide whether it is heard,
// confirmed and executed.
func (s *session) accept(msg []byte) {
	p := s.p
	p.mu.Lock()
	pl := p.planFor(msg)
	hooks := slices.Clone(p.onCommand)
	p.mu.Unlock()
	if pl.drop {
		if pl.cut {
			s.locked(func() { s.close(nil) })
		}
		return
	}
	if pl.nak {
		s.locked(func() { s.send(byteNAK) })
		return
	}
	for _, f := range hooks {
		f(slices.Clone(msg))
	}
	s.locked(func() {
		if !pl.loseAck {
			s.send(byteACK)
		}
		s.port.state, s.port.plan = linkExec, pl
	})
	p.mu.Lock()
	outage := p.outage
	p.mu.Unlock()
	if pl.before > 0 || pl.after > 0 {
		go p.perform(s.port, msg, pl, outage)
		return
	}
	p.perform(s.port, msg, pl, outage)
}

// perform executes a command and leaves its answer at the port. It goes on
// when the host leaves, and stops where the power goes (section 1.1, "What is
// lost when").
func (p *Printer) perform(o *port, msg []byte, pl plan, outage <-chan struct{}) {
	if !sleep(pl.before, outage) {
		return
	}
	for _, f := range pl.pre {
		f(p)
	}
	if gone(outage) {
		return
	}
	p.mu.Lock()
	answer := p.executeLocked(msg, pl)
	p.keep()
	printed := p.takePrinted()
	p.mu.Unlock()
	p.publish(printed)
	for _, f := range pl.post {
		f(p)
	}
	if gone(outage) || !sleep(pl.after, outage) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !gone(outage) {
		p.finish(o, answer, pl)
	}
}

func gone(outage <-chan struct{}) bool {
	select {
	case <-outage:
		return true
	default:
		return false
	}
}

// finish hands an answer to the port.
func (p *Printer) finish(o *port, answer []byte, pl plan) {
	if o.state != linkExec {
		return
	}
	o.pending = frame(answer)
	switch {
	case pl.cut:
		o.state = linkWaitENQ
		if pl.forget {
			o.state, o.pending = linkWaitSTX, nil
		}
		if o.session != nil {
			o.session.close(nil)
		}
	case o.discard:
		o.state, o.pending, o.discard = linkWaitSTX, nil, false
	case o.session == nil:
		o.state = linkWaitENQ
	default:
		o.state = linkReady
		select {
		case o.session.ready <- struct{}{}:
		default:
		}
	}
}

func (p *Printer) executeLocked(msg []byte, pl plan) []byte {
	if pl.refuse != ok {
		p.last = pl.refuse
		return p.refusal(msg, pl.refuse)
	}
	answer := p.answer(msg)
	if pl.refuseAfter != ok {
		return p.refusal(msg, pl.refuseAfter)
	}
	return answer
}

// Execute runs one message (code and parameters, no frame) and returns the
// answer, past the link layer and past faults.
func (p *Printer) Execute(msg []byte) []byte {
	p.mu.Lock()
	answer := p.answer(slices.Clone(msg))
	p.keep()
	printed := p.takePrinted()
	p.mu.Unlock()
	p.publish(printed)
	return answer
}
