package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
)

// chore is a command that a terminal wants answered.
type chore struct {
	id      string
	verb    fiscal.Verb
	payload []byte
	total   fiscal.Money // of receipts and cash: no other command has it
	began   time.Time
	next    time.Time // to be sent again
	sent    int
	state   fiscal.State
	over    bool      // the terminal has what it wanted
	ended   time.Time // when it had
	lost    time.Time // when the journal lost it, or may have
	refused bool      // as a message: no id was bound
	waiting fiscal.Code
	denied  bool // refused as a message at some time
	held    fiscal.Code
	n       int // of the latest answer; what was sent twice comes again
	want    wanted
}

// worldTill is a terminal with the habits of real ones.
type worldTill struct {
	w    *town
	name string
	rng  *rand.Rand
	book *Till

	mu      sync.Mutex
	inbox   []mqtt.Reply
	signal  chan struct{}
	gone    bool
	link    *mqtt.Terminal // embedded broker only
	errands []*chore       // not over
	old     []*chore
	n       int
	lastFix time.Time
	back    time.Time                  // gone until then
	asks    chan func(context.Context) // what somebody else has it do
}

func (w *town) newTill(i int) *worldTill {
	name := fmt.Sprintf("till%d", i)
	t := &worldTill{w: w, name: name, rng: streamOf(w.plan.seed, name), book: &Till{shop: w.shop, name: name}, signal: make(chan struct{}, 1), asks: make(chan func(context.Context))}
	if !w.plan.embedded {
		root := w.shop.Config.Root()
		w.broker.sit(name, []string{root + "/res/" + name + "/+"}, func(topic string, payload []byte) {
			t.hear(topic, payload)
		})
	}
	return t
}

// hear takes an answer; it must not wait.
func (t *worldTill) hear(topic string, payload []byte) {
	t.take(mqtt.Reply{Verb: topic[strings.LastIndexByte(topic, '/')+1:], Payload: payload})
}

func (t *worldTill) take(r mqtt.Reply) {
	t.mu.Lock()
	t.inbox = append(t.inbox, r)
	t.mu.Unlock()
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

// publish sends a command once; nobody knows whether it arrives.
func (t *worldTill) publish(ctx context.Context, verb fiscal.Verb, payload []byte) {
	if t.gone {
		return
	}
	if !t.w.plan.embedded {
		t.w.broker.publish(t.w.shop.Config.Root()+"/cmd/"+t.name+"/"+string(verb), payload, false)
		return
	}
	if t.link == nil {
		t.connect(ctx)
	}
	if t.link != nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_ = t.link.Send(ctx, string(verb), payload) // it is sent again
	}
}

func (t *worldTill) connect(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	link, err := mqtt.DialTerminal(ctx, mqtt.TerminalConfig{
		URL: "tcp://" + virtualBroker, Root: t.w.shop.Config.Root(), Name: t.name, Dial: t.w.network.Dial,
	}, t.take)
	if err == nil {
		t.link = link
	}
}

func (t *worldTill) leave() {
	if t.link != nil {
		t.link.Close()
		t.link = nil
	}
}

// patience is with how many unanswered commands a cashier stops selling.
const patience = 40

// run is a terminal's life: new commands until the second phase, then only
// those that are not answered.
func (t *worldTill) run(ctx context.Context) {
	defer t.leave()
	act, hush := time.Now().Add(about(t.rng, t.w.plan.pace)), t.w.hush
	for ctx.Err() == nil {
		t.read(ctx)
		now := time.Now()
		if hush != nil && !now.Before(act) {
			if len(t.errands) < patience {
				t.act(ctx)
			}
			act = t.w.opening(time.Now().Add(about(t.rng, t.w.plan.pace)))
		}
		next := now.Add(time.Hour)
		if hush != nil {
			next = act
		}
		for _, e := range t.errands {
			if !e.over && !now.Before(e.next) {
				t.send(ctx, e)
			}
			if !e.over && e.next.Before(next) {
				next = e.next
			}
		}
		t.errands = slices.DeleteFunc(t.errands, func(e *chore) bool { return e.over })
		timer := time.NewTimer(max(time.Until(next), time.Millisecond))
		select {
		case <-timer.C:
		case <-t.signal:
		case <-hush: // the second phase: the terminal is there, and asks
			hush = nil
			t.comeBack(ctx)
		case f := <-t.asks:
			f(ctx)
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// send sends an errand and sets the time of its repetition.
func (t *worldTill) send(ctx context.Context, e *chore) {
	e.sent++
	wait := between(t.rng, 4*time.Second, 30*time.Second)
	switch {
	case e.state != "":
		wait = between(t.rng, 2*time.Minute, 10*time.Minute) // it is in hand; ask now and then
	case e.sent > 6:
		wait = between(t.rng, time.Minute, 4*time.Minute)
	}
	e.next = time.Now().Add(wait)
	if e.sent == 1 {
		t.w.trace.add(t.name, e.id, "sends", "%s %s", e.verb, e.total)
	}
	if !e.lost.IsZero() && e.state == "" && oneIn(t.rng, 4) { // it would rather not have sent it
		t.w.count("till-cancel-lost")
		t.cancel(ctx, e.id)
	}
	t.publish(ctx, e.verb, e.payload)
}

// order makes a new errand and sends it.
func (t *worldTill) order(ctx context.Context, verb fiscal.Verb, total fiscal.Money, body obj, more obj) *chore {
	t.n++
	e := &chore{id: fmt.Sprintf("%s-%04d", t.name, t.n), verb: verb, total: total, began: time.Now()}
	if more == nil {
		more = obj{}
	}
	e.payload = envelope(e.id, more, body)
	t.w.enter(e)
	t.errands = append(t.errands, e)
	t.send(ctx, e)
	return e
}

// read looks at everything that was heard.
func (t *worldTill) read(ctx context.Context) {
	for {
		t.mu.Lock()
		if len(t.inbox) == 0 {
			t.mu.Unlock()
			return
		}
		r := t.inbox[0]
		t.inbox = t.inbox[1:]
		t.mu.Unlock()
		if t.gone {
			continue
		}
		a, err := decodeAnswer(r.Payload)
		if err != nil {
			t.w.violation("%s: unreadable answer %s", t.name, r.Payload)
			continue
		}
		if e := t.w.errand(a.ID); e != nil && time.Since(e.lost) < staleAnswers {
			continue // perhaps of a journal that is gone; the command is sent again
		}
		t.book.hear(r)
		t.answer(ctx, a)
	}
}

// answer notes what an answer says of an errand, and holds it against the
// ledger at once.
func (t *worldTill) answer(ctx context.Context, a Answer) {
	if !strings.HasPrefix(a.ID, t.name+"-") {
		t.w.violation("%s hears of %s, which it has never sent", t.name, a.ID)
	}
	e := t.w.errand(a.ID)
	if e == nil {
		return
	}
	detail := a.Route
	if a.Fiscal != nil {
		detail += fmt.Sprintf(" fd %d", a.Fiscal.FD)
	}
	if a.Error != nil {
		detail += " " + string(a.Error.Code)
	}
	waiting := fiscal.Code("")
	if a.Waiting != nil {
		waiting = a.Waiting.Code
		detail += " waiting " + string(waiting)
	}
	t.w.mu.Lock()
	e.waiting = waiting
	t.w.mu.Unlock()
	t.w.trace.add(t.name, a.ID, string(a.State), "%s", detail)
	if refusedMessage(a) {
		t.refused(e, a)
		return
	}
	t.w.released(e, a)
	if e.state == "" {
		t.w.kept(e)
	}
	e.state, e.refused = a.State, false
	if a.Final {
		if a.State == fiscal.Cancelled {
			t.w.bar(e)
		}
		t.w.check(e, a)
		if !e.over {
			t.old = append(t.old, e)
		}
		t.ends(e)
		return
	}
	t.help(ctx, e)
}

// refused is an answer to a message, which binds no id.
func (t *worldTill) refused(e *chore, a Answer) {
	if a.Error != nil && a.Error.Code == fiscal.CodeIDConflict {
		t.w.count("id-conflict")
	}
	e.denied = true
	if e.state != "" || a.Error == nil {
		return
	}
	switch a.Error.Code {
	case fiscal.CodeIDConflict:
		return // of a message that was meant to be refused
	case fiscal.CodeExpired, "":
	default:
		if oneIn(t.rng, 2) { // tried again under the same id
			e.next = time.Now().Add(between(t.rng, 20*time.Second, 3*time.Minute))
			return
		}
	}
	e.refused = true
	t.ends(e)
}

// ends notes that an errand is over; others look at that, too.
func (t *worldTill) ends(e *chore) {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	e.over, e.ended = true, time.Now()
}

// help does what a cashier does when the terminal tells what a command waits
// for.
func (t *worldTill) help(ctx context.Context, e *chore) {
	if e.state == fiscal.Held && t.w.may("till") && oneIn(t.rng, 2) { // who does not want to wait for a person
		t.w.count("till-cancel-held")
		t.cancel(ctx, e.id)
	}
	if time.Since(t.lastFix) < 2*time.Minute {
		return
	}
	t.lastFix = time.Now()
	device := obj{"device": t.device()}
	switch e.waiting {
	case fiscal.CodeShiftClosed:
		t.order(ctx, fiscal.VerbShiftOpen, 0, obj{"cashier": cashier}, device)
	case fiscal.CodeShiftExpired:
		t.order(ctx, fiscal.VerbShiftClose, 0, obj{"cashier": cashier}, device)
	case fiscal.CodeNoCash:
		t.cash(ctx, fiscal.VerbCashIn, t.w.amount()+500_00)
	default:
		if time.Since(e.began) > time.Hour && oneIn(t.rng, 3) {
			t.cancel(ctx, e.id)
		}
	}
}

func (t *worldTill) device() string {
	return t.w.devices[t.rng.IntN(len(t.w.devices))]
}
