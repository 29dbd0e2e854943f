package sim

import (
	"context"
	"math/rand/v2"
	"time"

	"kassad/devices/emul/bifit"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/devices/link"
)

// fiend makes things go wrong, by its own stream.
type fiend struct {
	w   *town
	rng *rand.Rand
}

// run spoils until the second phase.
func (f *fiend) run(ctx context.Context) {
	faults := f.faults()
	if len(faults) == 0 {
		return
	}
	for {
		timer := time.NewTimer(about(f.rng, f.w.plan.pause))
		select {
		case <-timer.C:
		case <-f.w.hush:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
		x := faults[f.rng.IntN(len(faults))]
		f.w.count(x.kind)
		x.do()
	}
}

// namedFault is one of the ways to fail.
type namedFault struct {
	kind string
	do   func()
}

func (f *fiend) faults() (list []namedFault) {
	all := map[string][]func(){
		"line":    {f.bytes, f.bytes, f.bytes, f.down, f.reset},
		"power":   {f.power, f.powerAtByte, f.powerAtCommand},
		"paper":   {f.paper, f.cover, f.paperAtCommand},
		"foreign": {f.foreign, f.foreignAtCommand, f.foreignShift, f.leaveOpen, f.leaveOpen, f.leaveOpenInDoubt},
		"slow":    {f.slow, f.busy},
		"clock":   {f.clockJump, f.clockDrift},
		"fn":      {f.refuse, f.full},
		"swap":    {f.swap, f.swapInDoubt, f.swapInDoubt},
		"broker":  {f.brokerCut, f.brokerRestart, f.brokerForgets, f.brokerMute, f.brokerTwice, f.brokerLate},
		"cloud":   {f.cloudAway, f.lifepay, f.bifit, f.lifepay, f.bifit},
		"blind":   {f.awayInDoubt, f.awayInDoubt},
		"forge":   {f.forgeSome, f.forgeSome},
		"disk":    {f.diskFull},
		"flush":   {f.flushFails, f.flushThenLoss},
		"loss":    {f.powerLoss},
		"kill":    {f.kill},
		"killat":  {f.killAtByte, f.killAtWrite},
		"polite":  {f.polite},
	}
	for _, k := range f.w.plan.kinds {
		for _, do := range all[k] {
			list = append(list, namedFault{k, do})
		}
	}
	doubts := map[string][]func(){
		"power": {f.longDoubt}, "paper": {f.paperInDoubt}, "foreign": {f.foreignInDoubt, f.foreignInDoubt}, "copy": {f.olderCopy},
	}
	for _, k := range f.w.plan.kinds {
		for _, do := range doubts[k] {
			for range f.w.plan.doubts {
				list = append(list, namedFault{k, do})
			}
		}
	}
	return list
}

func (f *fiend) say(id, state, format string, args ...any) {
	f.w.trace.add("fault", id, state, format, args...)
}

// after mends something later, or when the faults end.
func (f *fiend) after(d time.Duration, mend func()) { f.w.mend(d, mend) }

func (f *fiend) device() (string, *printer.Printer) {
	name := f.w.devices[f.rng.IntN(len(f.w.devices))]
	return name, f.w.shop.Printers[name]
}

func (f *fiend) line() (string, *Line) {
	name := f.w.lineNames[f.rng.IntN(len(f.w.lineNames))]
	return name, f.w.lines[name]
}

// bytes spoils some bytes that will pass a line. Lines of TCP/IP lose and
// change nothing: there it is cuts and delays.
func (f *fiend) bytes() {
	name, line := f.line()
	serial := f.w.shop.Printers[name] != nil
	var faults []link.Fault
	at := f.rng.Int64N(2500)
	for range 1 + f.rng.IntN(3) {
		x := link.Fault{
			Direction: pick(f.rng, link.In, link.Out), Kind: pick(f.rng, link.Cut, link.Delay), At: at, Mask: byte(1 + f.rng.IntN(255)),
			Wait: between(f.rng, 50*time.Millisecond, 8*time.Second),
		}
		if serial {
			x.Kind = pick(f.rng, link.Cut, link.Drop, link.Double, link.Flip, link.Delay)
		}
		faults = append(faults, x)
		f.say(name, "bytes", "%s", x)
		at += 1 + f.rng.Int64N(400)
	}
	line.Script(faults...)
}

func (f *fiend) down() {
	name, line := f.line()
	d := between(f.rng, time.Second, 20*time.Minute)
	f.say(name, "line-down", "%s", d)
	line.Down()
	f.after(d, func() { line.Up(); line.Reset() })
}

func (f *fiend) reset() {
	name, line := f.line()
	f.say(name, "line-reset", "")
	line.Reset()
}

func (f *fiend) off() time.Duration {
	return pick(f.rng, between(f.rng, time.Second, 10*time.Second), between(f.rng, time.Minute, 30*time.Minute))
}

func (f *fiend) power() {
	name, p := f.device()
	d := f.off()
	f.say(name, "power-off", "%s", d)
	p.PowerOff()
	f.after(d, p.PowerOn)
}

func (f *fiend) powerAtByte() {
	name, p := f.device()
	d := f.off()
	x := link.Fault{Direction: pick(f.rng, link.In, link.Out), Kind: link.Call, At: f.rng.Int64N(2000)}
	x.Do = func() {
		f.say(name, "power-off", "at byte %d, %s", x.At, d)
		p.PowerOff()
		f.after(d, p.PowerOn)
	}
	f.w.lines[name].Script(x)
}

// closes are the commands that make documents.
func closes() printer.Trigger {
	return printer.Command(closeReceipt, closeReceiptV3, 0xFF45, 0x85, 0xFF43, 0xFF0B, 0xE0, 0x41, 0x50, 0x51, 0xFF36, 0xFF4A)
}

func (f *fiend) powerAtCommand() {
	name, p := f.device()
	d := f.off()
	when := pick(f.rng, closes(), printer.Any())
	do := pick[printer.Action](f.rng,
		printer.ExecuteThenPowerCycle{Off: d, Interrupted: oneIn(f.rng, 2)}, printer.PowerCycleBefore{Off: d},
		printer.ExecuteThenCut{LoseAck: oneIn(f.rng, 2)}, printer.LoseAnswer{LoseAck: oneIn(f.rng, 2)}, printer.LoseConfirm{}, printer.CutBefore{},
		printer.BadLRC{}, printer.Stray{}, printer.CutAnswer{Bytes: f.rng.IntN(12)}, printer.Truncate{Bytes: f.rng.IntN(12)}, printer.DropCommand{}, printer.NAKCommand{})
	f.say(name, "at-command", "%T", do)
	p.Inject(printer.Fault{When: when, Nth: 1 + f.rng.IntN(4), Do: do})
}

func (f *fiend) paper() {
	name, p := f.device()
	d := between(f.rng, 10*time.Second, 20*time.Minute)
	f.say(name, "paper-out", "%s", d)
	p.PaperOut()
	f.after(d, p.PaperIn)
}

func (f *fiend) cover() {
	name, p := f.device()
	d := between(f.rng, 2*time.Second, 5*time.Minute)
	f.say(name, "cover-open", "%s", d)
	p.SetCover(true)
	f.after(d, func() { p.SetCover(false) })
}

func (f *fiend) paperAtCommand() {
	name, p := f.device()
	f.say(name, "paper-at", "")
	p.Inject(printer.Fault{When: closes(), Do: printer.RunOutOfPaper{When: pick(f.rng, printer.Before, printer.During, printer.After)}})
	f.after(between(f.rng, time.Minute, 10*time.Minute), p.PaperIn)
}

func (f *fiend) foreign() {
	name, _ := f.device()
	f.w.foreign(name, "now", oneIn(f.rng, 3))
}

func (f *fiend) foreignAtCommand() {
	name, p := f.device()
	when, twin := pick(f.rng, printer.Before, printer.After), oneIn(f.rng, 3)
	p.Inject(printer.Fault{When: pick(f.rng, closes(), printer.Any()), Nth: 1 + f.rng.IntN(3), Do: printer.Call{When: when, Do: func(*printer.Printer) {
		f.w.foreign(name, "at a command", twin)
	}}})
}

// foreignInDoubt is another program that sells in the very moment in which the
// fate of our document becomes unknown.
func (f *fiend) foreignInDoubt() {
	name, p := f.device()
	twin, nth := oneIn(f.rng, 2), 1+f.rng.IntN(2)
	if f.w.plan.mark == "none" {
		twin = twin || oneIn(f.rng, 3)
	}
	p.Inject(printer.Fault{When: closes(), Nth: nth, Do: printer.Call{When: printer.Before, Do: func(*printer.Printer) {
		f.w.foreign(name, "in doubt", twin)
	}}})
	p.Inject(printer.Fault{When: closes(), Nth: nth, Do: pick[printer.Action](f.rng,
		printer.PowerCycleBefore{Off: 3 * time.Second}, printer.ExecuteThenCut{DropPending: true}, printer.ExecuteThenPowerCycle{Off: 3 * time.Second})})
}

// foreignShift is somebody who closes or opens the shift at the printer.
func (f *fiend) foreignShift() {
	name, p := f.device()
	before := p.Storage().Status(time.Now()).LastDocument
	p.Execute(pick(f.rng, []byte{0x41, 30, 0, 0, 0}, []byte{0xE0, 30, 0, 0, 0}))
	f.w.disown(p, before)
	f.say(name, "foreign", "shift, last document %d", p.Storage().Status(time.Now()).LastDocument)
}

func (f *fiend) slow() {
	name, p := f.device()
	d := between(f.rng, time.Second, 40*time.Second)
	f.say(name, "slow", "%s", d)
	do := printer.Slow{Before: d}
	if oneIn(f.rng, 2) {
		do = printer.Slow{After: d}
	}
	nth := 1 + f.rng.IntN(2)
	p.Inject(printer.Fault{When: closes(), Nth: nth, Do: printer.Call{When: printer.Before, Do: func(*printer.Printer) {
		f.w.foes.mu.Lock()
		defer f.w.foes.mu.Unlock()
		f.w.foes.busy[name] = time.Now().Add(d)
	}}})
	p.Inject(printer.Fault{When: closes(), Nth: nth, Do: do})
}

func (f *fiend) busy() {
	name, p := f.device()
	f.say(name, "busy", "")
	p.Inject(printer.Fault{When: printer.Printing(), Do: printer.StayBusy{Times: 1 + f.rng.IntN(6)}})
}

func (f *fiend) clockJump() {
	name, p := f.device()
	by := between(f.rng, 0, 20*time.Minute) - 10*time.Minute
	f.say(name, "clock", "%s", by)
	p.AdvanceClock(by)
	f.after(between(f.rng, time.Minute, 20*time.Minute), func() { p.AdvanceClock(-by) })
}

// clockDrift is a clock that is a little wrong for long.
func (f *fiend) clockDrift() {
	name, p := f.device()
	by := between(f.rng, 0, 4*time.Minute) - 2*time.Minute
	f.say(name, "drift", "%s", by)
	for i := range 8 {
		f.after(time.Duration(i)*10*time.Minute+time.Duration(f.rng.IntN(1e6)), func() { p.AdvanceClock(by / 8) })
	}
	f.after(3*time.Hour, func() { p.AdvanceClock(-by / 8 * 8) })
}

// refuse is a storage or a printer with a fault of its own.
func (f *fiend) refuse() {
	name, p := f.device()
	code := pick(f.rng, byte(0x03), 0x04, 0x02, 0x50, 0x4B, 0x33, 0x7E, 0x0A)
	f.say(name, "refuses", "%02X", code)
	var do printer.Action = printer.RefuseWith{Code: code}
	if (code == 0x03 || code == 0x04) && oneIn(f.rng, 2) {
		do = printer.ExecuteThenRefuse{Code: code}
	}
	p.Inject(printer.Fault{When: closes(), Times: 1 + f.rng.IntN(3), Do: do})
}

func (f *fiend) brokerCut() {
	f.say("broker", "cut", "")
	f.w.cutBroker()
}

func (f *fiend) brokerRestart() { f.restartBroker(false) }
func (f *fiend) brokerForgets() { f.restartBroker(true) }

func (f *fiend) restartBroker(forgets bool) {
	if f.w.plan.embedded || !f.w.broker.isUp() {
		return
	}
	d := between(f.rng, 100*time.Millisecond, 10*time.Minute)
	f.say("broker", "down", "%s, forgets %t", d, forgets)
	f.w.broker.shut(forgets)
	f.after(d, func() {
		if !f.w.broker.isUp() {
			_ = f.w.broker.open() // the address is free: it was shut
		}
	})
}

func (f *fiend) brokerMute() {
	f.say("broker", "mute", "")
	f.w.broker.spoil(func(b *brokerFaults) { b.mute = 1 + f.rng.IntN(5) })
}

func (f *fiend) brokerTwice() {
	f.say("broker", "twice", "")
	f.w.broker.spoil(func(b *brokerFaults) { b.twice = 1 + f.rng.IntN(10) })
}

func (f *fiend) brokerLate() {
	f.say("broker", "late", "")
	f.w.broker.spoil(func(b *brokerFaults) {
		b.late, b.lateCount, b.lateWill = between(f.rng, time.Second, 2*time.Minute), 1+f.rng.IntN(5), between(f.rng, time.Second, time.Minute)
	})
}

func (f *fiend) cloudAway() {
	if len(f.w.clouds) == 0 {
		return
	}
	name := f.w.clouds[f.rng.IntN(len(f.w.clouds))]
	d := between(f.rng, 5*time.Second, time.Hour)
	f.say(name, "away", "%s", d)
	f.w.shop.CutCloud(name)
	f.after(d, func() { f.w.mendCloud(name) })
}

func (f *fiend) lifepay() {
	s := f.w.shop.LifePay
	if s == nil {
		return
	}
	kinds := []lifepay.FaultKind{
		lifepay.FaultStatusBefore, lifepay.FaultCutBefore, lifepay.FaultHangBefore, lifepay.FaultTooMany, lifepay.FaultInternal,
		lifepay.FaultStatusAfter, lifepay.FaultCutAfter, lifepay.FaultHang, lifepay.FaultEmpty, lifepay.FaultHTML, lifepay.FaultTruncated,
		lifepay.FaultInternalStored, lifepay.FaultWrongType, lifepay.FaultSlow, lifepay.FaultHuge, lifepay.FaultNoUUID,
		lifepay.FaultDeviceError,
	}
	if f.w.may("callback") {
		kinds = append(kinds, lifepay.FaultCallbackFirst, lifepay.FaultCallbackTwice, lifepay.FaultCallbackReordered, lifepay.FaultCallbackNever,
			lifepay.FaultCallbackMalformed, lifepay.FaultCallbackStranger, lifepay.FaultCallbackExtraKeys)
	}
	x := lifepay.Fault{Kind: kinds[f.rng.IntN(len(kinds))], Times: 1 + f.rng.IntN(2), Delay: between(f.rng, time.Second, 20*time.Second)}
	f.say("lifepay", string(x.Kind), "")
	if err := s.Fail(x); err != nil {
		f.w.violation("fault %s: %v", x.Kind, err)
	}
}

func (f *fiend) bifit() {
	s := f.w.shop.BIFIT
	if s == nil {
		return
	}
	x := bifit.Fault{On: pick(f.rng, bifit.OnRegister, bifit.OnRegister, bifit.OnDocument, bifit.OnToken|bifit.OnRefresh), Times: 1 + f.rng.IntN(2)}
	x.Do = pick[bifit.Action](f.rng,
		bifit.Respond{Status: 500, After: true}, bifit.Respond{Status: 503}, bifit.Respond{Status: 429, RetryAfter: 30 * time.Second},
		bifit.Cut{}, bifit.Cut{Early: true}, bifit.Slow{By: 20 * time.Second}, bifit.Slow{By: 20 * time.Second, Early: true},
		bifit.Truncate{Bytes: f.rng.IntN(40)}, bifit.Unauthorized{}, bifit.FailDocument{Cause: bifit.Cause(f.rng.IntN(3))})
	f.say("bifit", "fault", "%T", x.Do)
	s.Fail(x)
}

func (f *fiend) diskFull() {
	d := between(f.rng, 5*time.Second, 20*time.Minute)
	f.say("disk", "full", "%s", d)
	f.w.fill(true)
	f.after(d, func() { f.w.fill(false) })
}

func (f *fiend) flushFails() {
	f.say("disk", "flush-fails", "")
	f.w.disk.FailFlush(1 + f.rng.IntN(6))
}

// flushThenLoss takes the power right after the next flush, which may fail.
func (f *fiend) flushThenLoss() {
	fails := oneIn(f.rng, 2)
	f.say("disk", "flush-loss", "fails %t", fails)
	f.w.mu.Lock()
	f.w.doomed = true
	f.w.mu.Unlock()
	if fails {
		f.w.disk.FailFlush(1)
	}
}

func (f *fiend) powerLoss() {
	f.w.die(death{kind: "loss", off: between(f.rng, 20*time.Second, 20*time.Minute)})
}

func (f *fiend) kill() {
	f.w.die(death{kind: "kill", off: between(f.rng, time.Second, 30*time.Second)})
}

func (f *fiend) polite() {
	f.w.die(death{kind: "polite", off: between(f.rng, time.Second, 30*time.Second)})
}

func (f *fiend) death() death {
	return death{kind: pick(f.rng, "kill", "kill", "loss"), off: between(f.rng, time.Second, time.Minute)}
}

// killAtByte ends the daemon before a byte of a line.
func (f *fiend) killAtByte() {
	name, line := f.line()
	d := f.death()
	x := link.Fault{Direction: pick(f.rng, link.In, link.Out), Kind: link.Call, At: f.rng.Int64N(2500)}
	f.say(name, "kill-armed", "at byte %d", x.At)
	x.Do = func() { f.w.die(d) }
	line.Script(x)
}

// killAtWrite ends the daemon in the middle of a change of the disk.
func (f *fiend) killAtWrite() {
	d := f.death()
	n := 1 + f.rng.IntN(30)
	f.say("disk", "kill-armed", "at write %d", n)
	f.w.disk.KillAt(n, func() { f.w.die(d) })
}
