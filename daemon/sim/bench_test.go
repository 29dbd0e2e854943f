package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// longest is how long a test waits for what has to happen.
const longest = 150 * time.Second // a busy machine with the race detector

// impatient are the delays of recovery for tests.
func impatient() *fiscal.Policy {
	return &fiscal.Policy{
		Unknown: 15 * time.Minute, Foreign: 300 * time.Millisecond,
		Condition: []time.Duration{30 * time.Millisecond}, Doubt: []time.Duration{30 * time.Millisecond},
		Exchanged: 30 * time.Millisecond,
	}
}

// hurried is a configuration without the waits that hardware needs. The
// status is read rarely: tests that want it read say so.
func hurried(c *daemon.Config) {
	c.Reconcile.OnShiftClose = false // its reading would come between what a test does to the printer
	for i := range c.Devices {
		c.Devices[i].QuietTime = daemon.Duration(30 * time.Millisecond)
		c.Devices[i].Poll = daemon.Duration(time.Minute)
	}
}

// watchful reads the status of every device all the time.
func watchful(c *daemon.Config) {
	hurried(c)
	for i := range c.Devices {
		c.Devices[i].Poll = daemon.Duration(40 * time.Millisecond)
	}
}

// bench is a printer of a case, with what it was told to do.
type bench struct {
	*printer.Printer
	name string

	mu       sync.Mutex
	commands map[uint16]int
	printed  map[printer.PrintedKind]int
}

func newBench(s *Shop, name string) *bench {
	b := &bench{Printer: s.Printers[name], name: name, commands: map[uint16]int{}, printed: map[printer.PrintedKind]int{}}
	b.OnCommand(func(msg []byte) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.commands[printer.CodeOf(msg)]++
	})
	b.OnPrint(func(p printer.Printed) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.printed[p.Kind]++
	})
	return b
}

// seen counts the commands of these codes that the printer has taken.
func (b *bench) seen(codes ...uint16) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, c := range codes {
		n += b.commands[c]
	}
	return n
}

// reports counts the reports on the tape: those of X among them.
func (b *bench) reports() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.printed[printer.PrintedReport]
}

// shifted is a printer whose shift was opened at some time, before the daemon
// came. Its document 2 is nobody's.
func shifted(c printer.Config, at time.Time) printer.Config {
	before := c
	before.Now = func() time.Time { return at }
	p := printer.New(before)
	p.Execute([]byte{0xE0, 30, 0, 0, 0})
	c.Storage = p.Storage()
	return c
}

// disown marks the documents that were made behind the daemon's back.
func disown(s *Shop, name string, fds ...uint32) {
	serial := s.Printers[name].Storage().Serial()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fd := range fds {
		s.foreign[docID(serial, fd)] = true
	}
}

// order is a command that a test gives, with the device command that decides.
type order struct {
	name   string
	verb   fiscal.Verb
	form   uint8 // of the document; 0: none in the storage
	close  []uint16
	body   obj
	drawer int64         // what it adds to the drawer
	shift  bool          // wants an open shift
	age    time.Duration // of that shift
	ffd    byte
}

func orders() []order {
	coffee := receipt(obj{"cash": 500}, item("Кофе", "250.00", "1", "vat22", nil), item("Пирог", "99.90", "1", "vat10", nil))
	correction := func(b obj) obj {
		b["correction"] = obj{"kind": "sale", "by": "self", "date": time.Now().Format(time.DateOnly)}
		return b
	}
	closes := []uint16{closeReceipt, closeReceiptV3}
	return []order{
		{name: "sale", verb: fiscal.VerbSale, form: fiscal.FormReceipt, close: closes, body: coffee, drawer: 34990, shift: true},
		{name: "refund", verb: fiscal.VerbRefund, form: fiscal.FormReceipt, close: closes, body: coffee, drawer: -34990, shift: true},
		{name: "correction", verb: fiscal.VerbCorrection, form: fiscal.FormCorrection, close: closes, shift: true,
			body: correction(receipt(obj{"card": "#"}, item("Кофе", "250.00", "1", "vat22", nil)))},
		{name: "correction105", verb: fiscal.VerbCorrection, form: fiscal.FormCorrection, close: []uint16{0xFF4A}, shift: true, ffd: ffd.Version105,
			body: correction(obj{"cashier": cashier, "total": 250, "payments": obj{"card": "#"}, "vat": obj{"none": 250}})},
		{name: "shift-open", verb: fiscal.VerbShiftOpen, form: fiscal.FormShiftOpen, close: []uint16{0xE0}, body: obj{"cashier": cashier}},
		{name: "shift-close", verb: fiscal.VerbShiftClose, form: fiscal.FormShiftClose, close: []uint16{0x41}, body: obj{"cashier": cashier}, shift: true},
		{name: "cash-in", verb: fiscal.VerbCashIn, close: []uint16{0x50}, body: obj{"amount": 1000, "cashier": cashier}, drawer: 100_000, shift: true},
		{name: "cash-out", verb: fiscal.VerbCashOut, close: []uint16{0x51}, body: obj{"amount": 700, "cashier": cashier}, drawer: -70_000, shift: true},
		{name: "x-report", verb: fiscal.VerbXReport, close: []uint16{0x40}, body: obj{}, shift: true},
	}
}

// watcher waits for what the daemon publishes.
type watcher struct {
	*ear
	t *testing.T
}

func watch(t *testing.T, s *Shop) *watcher {
	t.Helper()
	return &watcher{listen(t, s, s.url()), t}
}

// until waits for the last message of a topic to be as wanted.
func (w *watcher) until(what, topic string, good func(payload string) bool) string {
	w.t.Helper()
	timeout := time.After(longest)
	for {
		w.mu.Lock()
		all, news := w.all, w.news
		w.mu.Unlock()
		i := len(all) - 1
		for i >= 0 && all[i].topic != topic {
			i--
		}
		if i >= 0 && good(all[i].payload) {
			return all[i].payload
		}
		select {
		case <-news:
		case <-timeout:
			w.t.Errorf("never: %s on %s", what, topic)
			return ""
		}
	}
}

// stands waits for an alert, cleared for its end.
func (w *watcher) stands(topic string) string {
	w.t.Helper()
	return w.until("alert", topic, func(p string) bool { return p != "" })
}

func (w *watcher) cleared(topic string) {
	w.t.Helper()
	w.until("alert cleared", topic, func(p string) bool { return p == "" })
}

// says waits until the last message of a topic contains text.
func (w *watcher) says(topic, text string) {
	w.t.Helper()
	w.until(text, topic, func(p string) bool { return strings.Contains(p, text) })
}

// hears waits until some message of a topic contains text.
func (w *watcher) hears(topic, text string) {
	w.t.Helper()
	w.wait(w.t, text+" on "+topic, on(topic, text))
}

// count counts the messages of a topic that contain text.
func (w *watcher) count(topic, text string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.all {
		if on(topic, text)(h) {
			n++
		}
	}
	return n
}

// pending is a command on its way.
type pending struct {
	t     *testing.T
	id    string
	final chan Answer
	mu    sync.Mutex
	seen  []Answer
	moved chan struct{}
}

// begin sends a command and returns at once.
func begin(t *testing.T, till *Till, verb fiscal.Verb, body any) *pending {
	id := NewID()
	return beginRaw(t, till, verb, id, Request(id, body))
}

func beginRaw(t *testing.T, till *Till, verb fiscal.Verb, id string, payload []byte) *pending {
	p := &pending{t: t, id: id, final: make(chan Answer, 1), moved: make(chan struct{})}
	go func() {
		a, err := till.CallRaw(t.Context(), verb, id, payload, p.note)
		if err != nil {
			a.Raw = []byte(err.Error()) // shown by who wants a state
		}
		p.final <- a
	}()
	return p
}

func (p *pending) note(a Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, a)
	close(p.moved)
	p.moved = make(chan struct{})
}

// until waits for an answer on the way.
func (p *pending) until(what string, good func(Answer) bool) Answer {
	p.t.Helper()
	timeout := time.After(longest)
	for {
		p.mu.Lock()
		for _, a := range p.seen {
			if good(a) {
				p.mu.Unlock()
				return a
			}
		}
		moved := p.moved
		p.mu.Unlock()
		select {
		case <-moved:
		case <-timeout:
			p.t.Fatalf("%s: never %s", p.id, what)
		}
	}
}

// waits waits until the command waits for a condition.
func (p *pending) waits(code fiscal.Code) Answer {
	p.t.Helper()
	return p.until("waits for "+string(code), func(a Answer) bool {
		return a.State == fiscal.Accepted && a.Waiting != nil && a.Waiting.Code == code
	})
}

// asked waits until the device is asked once more after an answer.
func (p *pending) asked(after Answer) {
	p.t.Helper()
	p.until("asked again", func(a Answer) bool { return a.State == fiscal.Unknown && a.N > after.N })
}

// held waits until a person has to decide.
func (p *pending) held(code fiscal.Code) Answer {
	p.t.Helper()
	return p.until("held as "+string(code), func(a Answer) bool {
		return a.State == fiscal.Held && a.Error != nil && a.Error.Code == code
	})
}

// ends waits for the final answer.
func (p *pending) ends(state fiscal.State) Answer {
	p.t.Helper()
	select {
	case a := <-p.final:
		if a.State != state {
			p.t.Fatalf("%s ended as %s", p.id, a.Raw)
		}
		return a
	case <-time.After(longest):
		p.t.Fatalf("%s does not end", p.id)
		return Answer{}
	}
}

// restart stops the daemon, starts it again and opens the terminal anew: its
// broker keeps nothing.
func restart(t *testing.T, s *Shop, till *Till) *Till {
	t.Helper()
	return stopFor(t, s, till, func() {})
}

// resolve is a person's decision by the control socket.
func resolve(t *testing.T, s *Shop, id string, action fiscal.Action, fd uint32) error {
	t.Helper()
	body := obj{"id": id, "action": action, "note": "смотрел ленту"}
	if fd != 0 {
		body["fd"] = fd
	}
	_, err := daemon.Control(t.Context(), s.Config, "resolve", "ivanov", body)
	return err
}

// decode reads JSON of a payload.
func decode[T any](t *testing.T, payload []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(payload, &v); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return v
}

// soon is a context that ends after the longest wait.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	t.Cleanup(cancel)
	return ctx
}

func serialOf(n int) string { return fmt.Sprintf("99990789%08d", n) }
