package sim

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// outage is how long a short interruption lasts in tests.
const outage = 150 * time.Millisecond

// trouble is a fault point of the reference 5.8 as it meets a command.
type trouble struct {
	name string
	do   []printer.Action
	with func(b *bench) // beside the actions
	held fiscal.Code    // ends for a person
	only []string       // orders that it concerns; nil: all
	// anywhere: worth trying at the commands before the close as well
	anywhere bool
	times    int // in a row; 0 is once
}

func paperBack(when printer.Moment) []printer.Action {
	return []printer.Action{printer.RunOutOfPaper{When: when}, printer.Call{When: when, Do: func(p *printer.Printer) {
		time.AfterFunc(outage, p.PaperIn)
	}}}
}

func troubles() []trouble {
	receipts := []string{"sale", "refund", "correction"}
	list := []trouble{
		{name: "1 command lost", anywhere: true, do: []printer.Action{printer.DropCommand{}}},
		{name: "1 command damaged", do: []printer.Action{printer.NAKCommand{}}},
		{name: "1 line cut before", anywhere: true, do: []printer.Action{printer.CutBefore{}}},
		{name: "2 answer lost", anywhere: true, do: []printer.Action{printer.LoseAnswer{}}},
		{name: "2 ACK and answer lost", do: []printer.Action{printer.LoseAnswer{LoseAck: true}}},
		{name: "2 ACK lost", do: []printer.Action{printer.LoseAck{}}},
		{name: "3 cut, pending kept", anywhere: true, do: []printer.Action{printer.ExecuteThenCut{}}},
		{name: "3 cut, pending dropped", anywhere: true, do: []printer.Action{printer.ExecuteThenCut{DropPending: true}}},
		{name: "3 cut, ACK lost, pending kept", do: []printer.Action{printer.ExecuteThenCut{LoseAck: true}}},
		{name: "3 cut, ACK lost, pending dropped", do: []printer.Action{printer.ExecuteThenCut{LoseAck: true, DropPending: true}}},
		{name: "4 power after", anywhere: true, do: []printer.Action{printer.ExecuteThenPowerCycle{Off: outage}}},
		{name: "4 power after, at once back", do: []printer.Action{printer.ExecuteThenPowerCycle{}}},
		{name: "4 power after, print interrupted", do: []printer.Action{printer.ExecuteThenPowerCycle{Off: outage, Interrupted: true}}},
		{name: "5 power before, receipt kept", anywhere: true, do: []printer.Action{printer.PowerCycleBefore{Off: outage, KeepReceipt: true}}},
		{name: "5 power before, receipt lost", anywhere: true, do: []printer.Action{printer.PowerCycleBefore{Off: outage, LoseReceipt: true}}},
		{name: "5 power before, five times", times: 5, do: []printer.Action{printer.PowerCycleBefore{LoseReceipt: true}}},
		{name: "6 slow", do: []printer.Action{printer.Slow{Before: 4 * time.Second}}},
		{name: "6 slow answer", do: []printer.Action{printer.Slow{After: 4 * time.Second}}},
		{name: "6 slow, host gone", do: []printer.Action{printer.Slow{Before: time.Second}}, with: func(b *bench) {
			time.AfterFunc(outage, b.Disconnect)
		}},
		{name: "6 slow answer, host gone", do: []printer.Action{printer.Slow{After: time.Second}}, with: func(b *bench) {
			time.AfterFunc(outage, b.Disconnect)
		}},
		{name: "6 cable out", with: func(b *bench) {
			b.PullCable()
			time.AfterFunc(2*time.Second, b.PlugCable)
		}},
		{name: "7 paper out before", do: paperBack(printer.Before)},
		{name: "7 paper out during", anywhere: true, do: paperBack(printer.During)},
		{name: "7 paper out after", do: paperBack(printer.After)},
		{name: "8 busy afterwards", anywhere: true, do: []printer.Action{printer.StayBusy{Times: 3}}},
		{name: "9 bad LRC", anywhere: true, do: []printer.Action{printer.BadLRC{}}},
		{name: "10 stray FF", do: []printer.Action{printer.Stray{}}},
		{name: "10 stray bytes", do: []printer.Action{printer.Stray{Bytes: []byte{0x00, 0xFF, 0x15}}}},
		{name: "11 confirmation lost", anywhere: true, do: []printer.Action{printer.LoseConfirm{}}},
		{name: "13 foreign before", do: []printer.Action{printer.ForeignDocument{Total: 7700, When: printer.Before}}, only: receipts},
		{name: "13 foreign before, answer lost", only: receipts,
			do: []printer.Action{printer.ForeignDocument{Total: 7700, When: printer.Before}, printer.ExecuteThenCut{DropPending: true}}},
		{name: "13 foreign after, answer lost", only: receipts,
			do: []printer.Action{printer.ForeignDocument{Total: 7700, When: printer.After}, printer.ExecuteThenCut{DropPending: true}}},
		{name: "13 foreign twin, answer lost", only: []string{"sale"},
			do: []printer.Action{printer.ForeignDocument{Total: 34990, When: printer.Before}, printer.ExecuteThenCut{DropPending: true}}},
		{name: "13 foreign twin instead", only: []string{"sale"}, held: fiscal.CodeClosedByOther,
			do: []printer.Action{printer.ForeignDocument{Total: 34990, When: printer.Before}, printer.PowerCycleBefore{LoseReceipt: true}}},
	}
	// Two damaged bytes may pass the LRC: then the answer names another document,
	// or another sign.
	for name, at := range map[string][2]int{"number": {10, 14}, "sign": {14, 15}} {
		list = append(list, trouble{name: "9 another " + name, only: []string{"sale", "refund"},
			do: []printer.Action{printer.Corrupt{At: at[0], Xor: 0x04}, printer.Corrupt{At: at[1], Xor: 0x04}}})
	}
	for _, at := range []int{0, 1, 2, 3, 4, -2} {
		list = append(list, trouble{name: fmt.Sprintf("9 byte %d damaged", at), do: []printer.Action{printer.Corrupt{At: at, Xor: 0x40}}})
	}
	for _, n := range []int{0, 1, 2, 4} {
		list = append(list, trouble{name: fmt.Sprintf("2 answer ends after %d bytes", n), do: []printer.Action{printer.Truncate{Bytes: n}}},
			trouble{name: fmt.Sprintf("3 line cut after %d bytes", n), do: []printer.Action{printer.CutAnswer{Bytes: n}}})
	}
	return list
}

func (tr trouble) concerns(o order) bool {
	if tr.only == nil {
		return true
	}
	for _, name := range tr.only {
		if name == o.name {
			return true
		}
	}
	return false
}

// ordeal is one order on a printer of its own, with the trouble at one of its
// commands.
type ordeal struct {
	order
	trouble
	at    []uint16 // the command that the trouble meets; nil: the one that decides
	mark  string   // where the key goes; "": the default
	bench *bench
}

// Every fault point of the reference 5.8 meets the deciding command of every
// kind of order: one document, one answer that agrees with it.
func TestFaultPoints(t *testing.T) {
	t.Parallel()
	var list []*ordeal
	for _, o := range orders() {
		for _, tr := range troubles() {
			if tr.concerns(o) {
				list = append(list, &ordeal{order: o, trouble: tr})
			}
		}
	}
	suffer(t, list)
}

// The other commands of a receipt get lost as well; the deciding one has not
// been sent then, and is in the end sent once.
func TestFaultPointsBeforeTheClose(t *testing.T) {
	t.Parallel()
	var list []*ordeal
	for _, o := range orders() {
		if o.form != fiscal.FormReceipt && o.form != fiscal.FormCorrection && o.form != fiscal.FormShiftClose {
			continue
		}
		for _, at := range []uint16{0x8D, 0xFF0C, 0xFF46, 0x89, 0xFF35, 0xFF42} {
			for _, tr := range troubles() {
				if o.uses(at) && tr.anywhere {
					list = append(list, &ordeal{order: o, trouble: tr, at: []uint16{at}})
				}
			}
		}
	}
	suffer(t, list)
}

// uses tells whether the order's document is made with a command.
func (o order) uses(command uint16) bool {
	switch o.name {
	case "shift-close":
		return command == 0xFF42 || command == 0xFF0C
	case "correction105":
		return command == 0xFF35 || command == 0xFF0C
	default:
		return command != 0xFF42 && command != 0xFF35
	}
}

// ordealsAtOnce keeps the ordeals from being each other's slow device.
const ordealsAtOnce = 48

// suffer runs every ordeal on a device of one shop, side by side.
func suffer(t *testing.T, list []*ordeal) {
	printers := map[string]printer.Config{}
	for i, o := range list {
		printers[fmt.Sprintf("d%d", i)] = o.printer(i + 1)
	}
	s := openShop(t, Options{Printers: printers, Policy: impatient(), Config: func(c *daemon.Config) {
		hurried(c)
		for i, o := range list {
			if d := slices.IndexFunc(c.Devices, func(d daemon.DeviceConfig) bool { return d.Name == fmt.Sprintf("d%d", i) }); o.mark != "" {
				c.Devices[d].Mark = o.mark
			}
		}
	}})
	var tills []*Till
	for i := range 8 {
		tills = append(tills, openTill(t, s, fmt.Sprintf("till%d", i)))
	}
	var group sync.WaitGroup
	atOnce := make(chan struct{}, ordealsAtOnce)
	for i, o := range list {
		o.bench = newBench(s, fmt.Sprintf("d%d", i))
		if o.shift {
			disown(s, o.bench.name, 2)
		}
		group.Go(func() {
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			o.run(t, s, tills[i%len(tills)])
		})
	}
	group.Wait()
	for _, o := range list {
		o.markForeign(s)
	}
}

// printer is the n-th printer of a shop, ready for the order.
func (o order) printer(n int) printer.Config {
	c := printer.Config{Serial: fmt.Sprintf("%016d", n), FNSerial: serialOf(n), FFD: o.ffd, CashDrawer: 500_000}
	if o.shift {
		return shifted(c, time.Now().Add(-o.age))
	}
	return c
}

func (o *ordeal) String() string {
	return fmt.Sprintf("%s %s: %s at %X", o.bench.name, o.order.name, o.trouble.name, o.at)
}

// arm lays the trouble in the way of the command.
func (o *ordeal) arm() {
	codes := o.at
	if codes == nil {
		codes = o.close
	}
	when := printer.Command(codes...)
	for _, a := range o.do {
		o.bench.Inject(printer.Fault{When: when, Do: a, Times: o.times})
	}
	if o.with != nil {
		var once sync.Once
		o.bench.OnCommand(func(msg []byte) {
			if when(msg) {
				once.Do(func() { o.with(o.bench) })
			}
		})
	}
}

func (o *ordeal) run(t *testing.T, s *Shop, till *Till) {
	before, drawer := len(o.bench.Storage().Ledger()), o.bench.Drawer()
	o.arm()
	id := NewID()
	p := beginRaw(t, till, o.verb, id, onDevice(id, o.bench.name, o.body))
	if o.held != "" {
		o.awaitPerson(t, s, p)
		return
	}
	select {
	case a := <-p.final:
		o.check(t, a, before, drawer)
	case <-time.After(longest):
		t.Errorf("%s: no final answer", o)
	}
}

// awaitPerson holds the command and gives it up.
func (o *ordeal) awaitPerson(t *testing.T, s *Shop, p *pending) {
	timeout := time.After(longest)
	for {
		p.mu.Lock()
		last := Answer{}
		if len(p.seen) > 0 {
			last = p.seen[len(p.seen)-1]
		}
		moved := p.moved
		p.mu.Unlock()
		if last.State == fiscal.Held {
			if last.Error.Code != o.held {
				t.Errorf("%s: held as %s", o, last.Error.Code)
			}
			if err := resolve(t, s, p.id, fiscal.ResolveGiveUp, 0); err != nil {
				t.Errorf("%s: %v", o, err)
			}
			break
		}
		select {
		case <-moved:
		case <-timeout:
			t.Errorf("%s: not held", o)
			return
		}
	}
	if a := <-p.final; a.State != fiscal.Abandoned {
		t.Errorf("%s: %s", o, a.Raw)
	}
}

// check holds the answer against the device: one document, made once.
func (o *ordeal) check(t *testing.T, a Answer, before int, drawer int64) {
	if a.State != fiscal.Done {
		t.Errorf("%s: %s", o, a.Raw)
		return
	}
	made := 0
	for _, e := range o.bench.Storage().Ledger()[before:] {
		if uint8(e.Form) == o.form && !foreign(e) {
			made++
		}
	}
	if want := min(int(o.form), 1); made != want {
		t.Errorf("%s: %d documents, want %d", o, made, want)
	}
	if got := o.bench.Drawer() - drawer; got != o.drawer {
		t.Errorf("%s: the drawer has moved by %d, want %d", o, got, o.drawer)
	}
	if o.verb == fiscal.VerbXReport && o.bench.reports() > 1 {
		t.Errorf("%s: printed %d times", o, o.bench.reports())
	}
	if (o.verb == fiscal.VerbShiftClose || o.verb == fiscal.VerbXReport) && len(a.Counters) == 0 {
		t.Errorf("%s: no figures: %s", o, a.Raw)
	}
}

// markForeign enters what the fault made behind the daemon's back.
func (o *ordeal) markForeign(s *Shop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range o.bench.Storage().Ledger() {
		if foreign(e) {
			s.foreign[docID(o.bench.Storage().Serial(), e.FD)] = true
		}
	}
}

// foreign tells a document that the emulator has made for another program.
func foreign(e fn.Entry) bool { return len(e.Items) == 1 && e.Items[0].Name == "Чужой товар" }

// Wherever the key goes, and without any, a lost close is found out. A command
// that uses 1192 itself keeps it, and a correction's 1192 has its own meaning:
// then the key is in 1084.
func TestMarks(t *testing.T) {
	t.Parallel()
	var list []*ordeal
	for _, mark := range []string{"1192", "1084", "none"} {
		for _, o := range orders()[:4] {
			for _, extra := range []string{"", "заказ 7"} {
				for _, tr := range troubles() {
					if tr.anywhere && (extra == "" || o.name == "sale") {
						list = append(list, &ordeal{order: o.adding(extra), trouble: tr, mark: mark})
					}
				}
			}
		}
	}
	suffer(t, list)
	for _, o := range list {
		ledger := o.bench.Storage().Ledger()
		e := ledger[len(ledger)-1]
		in1192, in1084 := keyPattern.MatchString(e.Extra), e.Attribute.Name == keyAttribute
		free := o.verb != fiscal.VerbCorrection && o.body["additional"] == nil
		if in1192 != (o.mark == "1192" && free) || in1084 != (o.mark == "1084" || o.mark == "1192" && !free) {
			t.Errorf("%s: 1192 is %q, 1084 %+v", o, e.Extra, e.Attribute)
		}
		if extra := o.body["additional"]; extra != nil && e.Extra != extra {
			t.Errorf("%s: 1192 is %q, the command said %q", o, e.Extra, extra)
		}
	}
}

// adding is the order with an additional requisite of its own.
func (o order) adding(additional string) order {
	if additional != "" {
		o.body = maps.Clone(o.body)
		o.body["additional"] = additional
	}
	return o
}
