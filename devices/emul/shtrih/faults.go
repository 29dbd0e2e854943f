package shtrih

import (
	"slices"
	"time"
)

// Trigger chooses commands by their message.
type Trigger func(msg []byte) bool

// Command matches codes: 0x88 for a one-byte command, 0xFF45 for a two-byte
// one.
func Command(codes ...uint16) Trigger {
	return func(msg []byte) bool { return slices.Contains(codes, CodeOf(msg)) }
}

// Any matches every command.
func Any() Trigger { return func([]byte) bool { return true } }

// Printing matches every command that prints.
func Printing() Trigger {
	printing := map[uint16]bool{}
	for _, c := range commands() {
		printing[c.code] = c.prints
	}
	return func(msg []byte) bool { return printing[CodeOf(msg)] }
}

// CodeOf is the command code of a message: 0x10, 0xFF45.
func CodeOf(msg []byte) uint16 {
	switch {
	case len(msg) == 0:
		return 0
	case len(msg) > 1 && (msg[0] == 0xFF || msg[0] == 0xFE):
		return uint16(msg[0])<<8 | uint16(msg[1])
	default:
		return uint16(msg[0])
	}
}

// Fault waits for a command and spoils it once, or Times times.
type Fault struct {
	When  Trigger // nil matches every command
	Nth   int     // first match that counts; 0 and 1 are the next one
	Times int     // how many matches in a row; 0 is one, negative is all
	Do    Action
}

type armed struct {
	Fault
	seen int
}

// Inject arms a fault. Faults on the same command add up.
func (p *Printer) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &armed{Fault: f})
}

// ClearFaults disarms everything.
func (p *Printer) ClearFaults() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// plan is what the armed faults make of one command.
type plan struct {
	drop, nak, loseAck bool
	before, after      time.Duration
	pre, post          []func(*Printer) // run unlocked
	refuse             code
	refuseAfter        code
	garble             []func(frame []byte) []byte // first sending of the answer
	loseAnswer         bool
	loseConfirm        bool
	cut, forget        bool // after execution: close the line; forget the answer
	cutArmed           bool
	cutAfter           int // bytes of the answer, then close the line
}

func (p *Printer) planFor(msg []byte) plan {
	var pl plan
	p.faults = slices.DeleteFunc(p.faults, func(a *armed) bool {
		if a.When != nil && !a.When(msg) {
			return false
		}
		a.seen++
		first := max(a.Nth, 1)
		times := a.Times
		if times == 0 {
			times = 1
		}
		if a.seen < first {
			return false
		}
		if a.Do != nil {
			a.Do.plan(&pl)
		}
		return times > 0 && a.seen >= first+times-1
	})
	return pl
}
