package shtrih

import (
	"slices"
	"time"
)

// Control bytes and frame limits of protocol 1.0 (section 1.1).
const (
	byteSTX  = 0x02
	byteENQ  = 0x05
	byteACK  = 0x06
	byteNAK  = 0x15
	byteTail = 0xFF // sent after the host's ACK by TCP devices (section 1.3)

	messageMax = 255
)

// linkState is a state of the table "Device side" in section 1.1.
type linkState int

const (
	linkBoot linkState = iota
	linkWaitSTX
	linkExec
	linkReady // executed; the answer goes out at the next chance
	linkWaitConfirm
	linkWaitENQ
)

// frame wraps a message: STX LEN message LRC.
func frame(msg []byte) []byte {
	out := make([]byte, 0, len(msg)+3)
	out = append(out, byteSTX, byte(len(msg)))
	out = append(out, msg...)
	return append(out, lrc(out[1:]))
}

func lrc(b []byte) byte {
	var x byte
	for _, c := range b {
		x ^= c
	}
	return x
}

// port is the link state of one physical port. It outlives connections.
type port struct {
	state   linkState
	pending []byte // the answer frame until the host confirms it
	plan    plan   // faults of the command in hand
	session *session
	discard bool // the connection that waited for the running command is gone
	private bool
}

func newPort() *port { return &port{} }

// reset is what power does to a port: no answer is kept (section 1.1, BOOT).
func (o *port) reset() {
	o.state, o.pending, o.plan, o.discard = linkBoot, nil, plan{}, false
}

// detach is what a closed connection does to a port.
func (o *port) detach(drop bool) {
	o.session = nil
	switch {
	case o.state == linkExec:
		o.discard = drop
	case drop && o.state != linkBoot:
		o.state, o.pending = linkWaitSTX, nil
	case o.state == linkReady || o.state == linkWaitConfirm:
		o.state = linkWaitENQ
	}
}

// input is the state machine, one byte at a time, with the printer locked. It
// returns a message when a good frame is complete.
func (s *session) input(b byte) []byte {
	switch s.port.state {
	case linkBoot:
		if b == byteENQ {
			s.port.state = linkWaitSTX
			s.send(byteNAK)
		}
	case linkWaitSTX:
		return s.collect(b)
	case linkExec, linkReady:
		switch {
		case s.p.cfg.Link.QueueWhileBusy:
			s.queued = append(s.queued, b)
		case b == byteENQ:
			s.send(byteACK)
		}
	case linkWaitConfirm:
		s.confirm(b)
	case linkWaitENQ:
		if b == byteENQ {
			s.send(byteACK)
			s.transmit()
		}
	}
	return nil
}

// collect gathers STX LEN message LRC. Everything that is not a frame draws a
// NAK, ENQ among it.
func (s *session) collect(b byte) []byte {
	if len(s.partial) == 0 && b != byteSTX {
		if b != 0 || s.p.cfg.Link.RefuseZero {
			s.send(byteNAK)
		}
		return nil
	}
	s.partial = append(s.partial, b)
	s.arm(s.p.cfg.Link.ByteTimeout)
	if len(s.partial) < 2 {
		return nil
	}
	length := int(s.partial[1])
	if length > 0 && len(s.partial) < length+3 {
		return nil
	}
	whole := s.partial
	s.partial = nil
	s.arm(0)
	if length == 0 || lrc(whole[1:len(whole)-1]) != whole[len(whole)-1] {
		s.send(byteNAK)
		return nil
	}
	return whole[2 : len(whole)-1]
}

// confirm handles the byte that follows an answer. Only ACK delivers it; any
// other byte is swallowed and nothing is sent.
func (s *session) confirm(b byte) {
	s.arm(0)
	if b == byteACK && !s.port.plan.loseConfirm {
		s.port.state, s.port.pending = linkWaitSTX, nil
		if s.p.trailingFF(s) {
			s.send(byteTail)
		}
		return
	}
	s.port.plan.loseConfirm = false
	s.port.state = linkWaitENQ
}

// expire is the byte timeout of a frame or the timeout of a confirmation.
func (s *session) expire() {
	switch {
	case s.port.state == linkWaitSTX && len(s.partial) > 0:
		s.partial = nil
		s.send(byteNAK)
	case s.port.state == linkWaitConfirm:
		s.port.state = linkWaitENQ
	}
}

// transmit sends the kept answer and waits for its confirmation. The faults of
// the plan touch the first sending only.
func (s *session) transmit() {
	out := slices.Clone(s.port.pending)
	pl := &s.port.plan
	s.port.state = linkWaitConfirm
	for _, garble := range pl.garble {
		out = garble(out)
	}
	pl.garble = nil
	if pl.cutAfter >= 0 && pl.cutArmed {
		pl.cutArmed = false
		s.write(packet{data: out[:min(pl.cutAfter, len(out))], cut: s.line != lineSerial})
		return
	}
	if pl.loseAnswer {
		pl.loseAnswer = false
		s.port.state = linkWaitENQ
		return
	}
	s.send(out...)
	s.arm(s.p.cfg.Link.ConfirmTimeout)
}

// deliver sends an answer that has just become ready, then takes up what was
// queued meanwhile. It returns the messages found in the queue.
func (s *session) deliver() {
	if s.port.state != linkReady {
		return
	}
	s.transmit()
	queued := s.queued
	s.queued = nil
	for _, b := range queued {
		s.input(b) // no whole frame can complete here: the answer is unconfirmed
	}
}

// arm starts the session's timer; zero stops it.
func (s *session) arm(d time.Duration) {
	s.timer.Stop()
	if d > 0 {
		s.timer.Reset(d)
	}
}
