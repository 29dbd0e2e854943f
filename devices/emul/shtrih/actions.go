package shtrih

import (
	"slices"
	"time"
)

// Action is what a fault does to a command. The numbers in the comments are the
// fault points of section 5.8.
type Action interface{ plan(*plan) }

// DropCommand loses the frame on its way: no ACK, no execution (1).
type DropCommand struct{}

// NAKCommand finds the frame damaged and answers NAK; nothing is executed.
type NAKCommand struct{}

// CutBefore closes the connection instead of executing (1, on TCP).
type CutBefore struct{}

// LoseAck executes, but the ACK of the command is lost; the answer is sent.
type LoseAck struct{}

// LoseAnswer executes and keeps the answer pending: ENQ brings ACK and the
// answer (2). With LoseAck the ACK of the command is lost as well.
type LoseAnswer struct{ LoseAck bool }

// ExecuteThenCut executes and closes the connection before the answer (3). The
// answer stays pending for the next connection unless DropPending is set.
type ExecuteThenCut struct {
	DropPending bool
	LoseAck     bool
}

// ExecuteThenPowerCycle executes, then the power goes and returns after Off
// (4). With Interrupted the print was cut: submode 3 after power-on.
type ExecuteThenPowerCycle struct {
	Off         time.Duration
	Interrupted bool
}

// PowerCycleBefore takes the power after the ACK, before the storage finishes
// anything (5). LoseReceipt cancels an open receipt whatever the config says.
type PowerCycleBefore struct {
	Off         time.Duration
	LoseReceipt bool
	KeepReceipt bool
}

// Slow delays the execution, the answer, or both (6). Meanwhile ENQ brings ACK.
type Slow struct{ Before, After time.Duration }

// Moment places an event relative to the execution of a command.
type Moment int

// Moments.
const (
	Before Moment = iota
	During
	After
)

// RunOutOfPaper takes the paper away (7): Before the command (submode 1, the
// command meets 6Bh), During its print (submode 2, lines left for B0) or After
// it (submode 1).
type RunOutOfPaper struct{ When Moment }

// StayBusy answers 50h to the next k printing commands (8).
type StayBusy struct{ Times int }

// BadLRC damages the checksum of the first sending (9).
type BadLRC struct{}

// Stray sends bytes before the answer (10); default FF.
type Stray struct{ Bytes []byte }

// LoseConfirm does not hear the host's ACK: the answer stays pending and comes
// again, a duplicate (11).
type LoseConfirm struct{}

// MoveClock moves the device clock before the command (12).
type MoveClock struct{ By time.Duration }

// ForeignDocument lets another program make a sale on the device, before or
// after the command (13). An open receipt of ours is not in its way.
type ForeignDocument struct {
	Total int64
	When  Moment
}

// RefuseWith answers an error code; the command has no effect.
type RefuseWith struct{ Code byte }

// ExecuteThenRefuse executes and answers an error code all the same, as a
// storage failure (03h, 04h) may.
type ExecuteThenRefuse struct{ Code byte }

// Corrupt flips bits of one byte of the answer frame: 0 is STX, negative counts
// from the end.
type Corrupt struct {
	At  int
	Xor byte
}

// Truncate sends only the first bytes of the answer frame, then silence. The
// answer stays pending.
type Truncate struct{ Bytes int }

// CutAnswer sends the first bytes of the answer frame and closes the
// connection. The answer stays pending.
type CutAnswer struct{ Bytes int }

// Call runs a function of the test, with the printer unlocked, before or after
// the execution.
type Call struct {
	When Moment
	Do   func(p *Printer)
}

func (DropCommand) plan(pl *plan)  { pl.drop = true }
func (NAKCommand) plan(pl *plan)   { pl.nak = true }
func (LoseAck) plan(pl *plan)      { pl.loseAck = true }
func (LoseConfirm) plan(pl *plan)  { pl.loseConfirm = true }
func (a RefuseWith) plan(pl *plan) { pl.refuse = a.Code }

func (CutBefore) plan(pl *plan) {
	pl.drop = true
	pl.cut = true
}

func (a LoseAnswer) plan(pl *plan) {
	pl.loseAnswer = true
	pl.loseAck = pl.loseAck || a.LoseAck
}

func (a ExecuteThenCut) plan(pl *plan) {
	pl.cut, pl.forget = true, a.DropPending
	pl.loseAck = pl.loseAck || a.LoseAck
}

func (a ExecuteThenPowerCycle) plan(pl *plan) {
	pl.post = append(pl.post, func(p *Printer) { p.powerCycle(outageKind{interrupted: a.Interrupted}, a.Off) })
}

func (a PowerCycleBefore) plan(pl *plan) {
	pl.pre = append(pl.pre, func(p *Printer) {
		p.powerCycle(outageKind{loseReceipt: a.LoseReceipt, keepReceipt: a.KeepReceipt}, a.Off)
	})
}

func (a Slow) plan(pl *plan) {
	pl.before += a.Before
	pl.after += a.After
}

func (a RunOutOfPaper) plan(pl *plan) {
	switch a.When {
	case Before:
		pl.pre = append(pl.pre, (*Printer).PaperOut)
	case During:
		pl.post = append(pl.post, (*Printer).jam)
	default:
		pl.post = append(pl.post, (*Printer).PaperOut)
	}
}

func (a StayBusy) plan(pl *plan) {
	pl.post = append(pl.post, func(p *Printer) {
		p.Inject(Fault{When: Printing(), Times: max(a.Times, 1), Do: RefuseWith{errPrinting}})
	})
}

func (a Stray) plan(pl *plan) {
	bytes := a.Bytes
	if len(bytes) == 0 {
		bytes = []byte{byteTail}
	}
	pl.garble = append(pl.garble, func(f []byte) []byte { return append(slices.Clone(bytes), f...) })
}

func (BadLRC) plan(pl *plan) { Corrupt{At: -1, Xor: 0x55}.plan(pl) }

func (a Corrupt) plan(pl *plan) {
	pl.garble = append(pl.garble, func(f []byte) []byte {
		i := a.At
		if i < 0 {
			i += len(f)
		}
		if i >= 0 && i < len(f) {
			f[i] ^= a.Xor
		}
		return f
	})
}

func (a Truncate) plan(pl *plan) {
	pl.garble = append(pl.garble, func(f []byte) []byte { return f[:min(max(a.Bytes, 0), len(f))] })
}

func (a CutAnswer) plan(pl *plan) { pl.cutArmed, pl.cutAfter = true, max(a.Bytes, 0) }

func (a MoveClock) plan(pl *plan) {
	pl.pre = append(pl.pre, func(p *Printer) { p.AdvanceClock(a.By) })
}

func (a ForeignDocument) plan(pl *plan) {
	Call{When: a.When, Do: func(p *Printer) { _, _ = p.ForeignSale(a.Total) }}.plan(pl) // a refusal shows in the ledger
}

func (a ExecuteThenRefuse) plan(pl *plan) { pl.refuseAfter = a.Code }

func (a Call) plan(pl *plan) {
	if a.When == Before {
		pl.pre = append(pl.pre, a.Do)
	} else {
		pl.post = append(pl.post, a.Do)
	}
}
