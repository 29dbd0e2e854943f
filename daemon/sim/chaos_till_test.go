//go:build linux

package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
)

// Times of a terminal in the chaos.
const (
	dialPatience  = 3 * time.Second
	sendPatience  = time.Second
	repeatAfter   = 3 * time.Second // rule 4 of the contract
	openOrdersMax = 8               // a shop with a longer queue at the till does something else
)

// errand is a command of a terminal, as it keeps it on its own disk.
type errand struct {
	id      string
	verb    fiscal.Verb
	payload []byte
	sent    time.Time
}

// chaosTill is a terminal as the contract asks for, with a cashier who is in a
// hurry: everything that it does is drawn from the seed.
type chaosTill struct {
	c      *chaos
	name   string
	senior bool // opens and closes shifts
	random *rand.Rand

	link   *mqtt.Terminal // nil: not connected
	orders []*errand      // all, in the order in which they were made
	open   []*errand      // those without a final answer
	lost   time.Time      // since then answers may have been missed
	number int
	shift  time.Time // when the senior next closes one
}

// run trades until the storm is over, and then until everything is answered.
func (t *chaosTill) run(storm, day context.Context) {
	defer t.disconnect()
	t.lost = time.Now()
	if t.senior {
		t.order(fiscal.VerbShiftOpen, obj{"cashier": cashier}, nil)
		t.order(fiscal.VerbCashIn, obj{"amount": "9000.00", "cashier": cashier}, nil)
	}
	for storm.Err() == nil {
		if t.connected(storm) {
			t.act(storm)
		}
		t.pause(storm, time.Duration(10+t.random.IntN(150))*time.Millisecond)
	}
	if t.senior { // the storm may have ended between two shifts
		t.order(fiscal.VerbShiftOpen, obj{"cashier": cashier}, nil)
	}
	for t.settle(); len(t.open) > 0 && day.Err() == nil; t.settle() {
		if t.connected(day) {
			t.repeatOld(day)
		}
		t.pause(day, 50*time.Millisecond)
	}
	for _, o := range t.open {
		t.c.violation("%s: %s %s has no final answer in the calm", t.name, o.verb, o.id)
	}
}

// act does one thing.
func (t *chaosTill) act(ctx context.Context) {
	t.settle()
	t.repeatOld(ctx)
	if t.senior && time.Now().After(t.shift) {
		t.changeShift(ctx)
	}
	switch n := t.random.IntN(100); {
	case n < 55 && len(t.open) < openOrdersMax:
		t.trade(ctx)
	case n < 65:
		t.send(ctx, t.any()) // once more, whatever was said of it
	case n < 70:
		t.c.sendAnothers(ctx, t)
	case n < 75:
		t.forge(ctx)
	case n < 79:
		t.ask(ctx, fiscal.VerbCancel, obj{"id": t.any().id})
	case n < 83:
		t.ask(ctx, fiscal.VerbQuery, obj{"id": t.any().id})
	case n < 88:
		t.disconnect()
		t.pause(ctx, time.Duration(t.random.IntN(2000))*time.Millisecond)
	}
}

// trade makes some commands and sends them in any order, some of them twice.
func (t *chaosTill) trade(ctx context.Context) {
	var batch []*errand
	for range 1 + t.random.IntN(3) {
		o := t.command()
		batch = append(batch, o)
		if t.random.IntN(6) == 0 {
			batch = append(batch, o)
		}
	}
	t.random.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	for _, o := range batch {
		t.send(ctx, o)
	}
}

// command makes one command of those that a till gives.
func (t *chaosTill) command() *errand {
	amount := fiscal.Money(100 + t.random.Int64N(30_000)).String()
	switch n := t.random.IntN(100); {
	case n < 10:
		return t.order(fiscal.VerbCashIn, obj{"amount": amount, "cashier": cashier}, nil)
	case n < 16:
		return t.order(fiscal.VerbCashOut, obj{"amount": fiscal.Money(1 + t.random.Int64N(5000)).String(), "cashier": cashier}, nil)
	case n < 20:
		return t.order(fiscal.VerbXReport, obj{}, nil)
	case n < 32:
		body := t.receipt(amount)
		return t.order(fiscal.VerbRefund, body, t.terms(body))
	case n < 36:
		body := t.receipt(amount)
		body["correction"] = obj{"kind": "sale", "by": "self", "date": time.Now().Format(time.DateOnly)}
		return t.order(fiscal.VerbCorrection, body, nil)
	case n < 40: // refused: the payments are short
		body := t.receipt(amount)
		body["payments"] = obj{"card": "0.01"}
		return t.order(fiscal.VerbSale, body, nil)
	default:
		body := t.receipt(amount)
		return t.order(fiscal.VerbSale, body, t.terms(body))
	}
}

// receipt is one of an item or more; most buyers leave an address, and so their
// receipts may go to a cloud.
func (t *chaosTill) receipt(price string) obj {
	var items []obj
	for n := range 1 + t.random.IntN(4) {
		items = append(items, item(fmt.Sprintf("Товар %d", n+1), price, "1", "vat22", nil))
	}
	payments := obj{"card": "#"}
	if t.random.IntN(3) == 0 {
		payments = obj{"cash": "#"}
	}
	body := receipt(payments, items...)
	if t.random.IntN(4) > 0 {
		body = mailed(body)
	}
	return body
}

// terms are what the envelope says beside the body: how long the buyer waits,
// and that a sale over the web has no business at the printer.
func (t *chaosTill) terms(body obj) obj {
	more := obj{}
	switch t.random.IntN(12) {
	case 0:
		more["wait"] = "2s"
	case 1:
		more["exp"] = time.Now().Add(2 * time.Second).Format(time.RFC3339)
	}
	if t.random.IntN(6) == 0 && body["customer"] != nil {
		more["route"] = "web"
	}
	return more
}

// order makes a command. Its id is drawn as well, so that a journal of one seed
// can be held against another's.
func (t *chaosTill) order(verb fiscal.Verb, body obj, more obj) *errand {
	t.number++
	id := fmt.Sprintf("%s-%d-%08x", t.name, t.number, t.random.Uint32())
	o := &errand{id: id, verb: verb, payload: envelope(id, more, body)}
	t.orders, t.open = append(t.orders, o), append(t.open, o)
	t.c.made(o)
	return o
}

// changeShift closes the shift and opens the next one.
func (t *chaosTill) changeShift(ctx context.Context) {
	if !t.shift.IsZero() {
		t.send(ctx, t.order(fiscal.VerbShiftClose, obj{"cashier": cashier}, nil))
		t.pause(ctx, time.Duration(t.random.IntN(1500))*time.Millisecond)
		t.send(ctx, t.order(fiscal.VerbShiftOpen, obj{"cashier": cashier}, nil))
	}
	t.shift = time.Now().Add(time.Duration(6+t.random.IntN(15)) * time.Second)
}

// forge sends another command under an id that is taken.
func (t *chaosTill) forge(ctx context.Context) {
	o := t.any()
	if !t.c.bound(o.id) {
		return // it might win
	}
	t.send(ctx, &errand{id: o.id, verb: fiscal.VerbSale, payload: envelope(o.id, nil, t.receipt("6666.66"))})
}

func (t *chaosTill) any() *errand {
	if len(t.orders) == 0 {
		return t.command()
	}
	return t.orders[t.random.IntN(len(t.orders))]
}

// ask sends a question; its answer is not waited for.
func (t *chaosTill) ask(ctx context.Context, verb fiscal.Verb, body obj) {
	t.number++
	id := fmt.Sprintf("%s-%s-%d", t.name, verb, t.number)
	t.send(ctx, &errand{id: id, verb: verb, payload: envelope(id, nil, body)})
}

// send publishes an order. Whether the broker takes it proves nothing.
func (t *chaosTill) send(ctx context.Context, o *errand) {
	if t.link == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	o.sent = time.Now()
	t.c.count("messages sent")
	if t.link.Send(ctx, string(o.verb), o.payload) != nil {
		t.lost = minTime(t.lost, o.sent)
	}
}

// repeatOld sends again what nothing was said about.
func (t *chaosTill) repeatOld(ctx context.Context) {
	for _, o := range t.open {
		if time.Since(o.sent) > repeatAfter {
			t.send(ctx, o)
		}
	}
}

// settle strikes off what is final.
func (t *chaosTill) settle() {
	t.open = slices.DeleteFunc(t.open, func(o *errand) bool { return t.c.ended(o.id) })
}

// connected tells whether there is a connection, after trying to make one. A
// new one asks for what may have been missed.
func (t *chaosTill) connected(ctx context.Context) bool {
	if t.link != nil {
		return true
	}
	dial, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	link, err := mqtt.DialTerminal(dial, mqtt.TerminalConfig{URL: t.c.broker.URL, Root: t.c.shop.Config.Root(), Name: t.name}, t.hear)
	if err != nil {
		return false
	}
	t.link = link
	t.c.count("connections of terminals")
	t.ask(ctx, fiscal.VerbSync, obj{"since": t.lost.Add(-time.Second).Format(time.RFC3339)})
	t.lost = time.Now()
	return true
}

func (t *chaosTill) disconnect() {
	if t.link != nil {
		t.link.Close()
		t.link, t.lost = nil, minTime(t.lost, time.Now())
	}
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (t *chaosTill) pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// hear enters every answer in the books, those inside of other answers too.
func (t *chaosTill) hear(r mqtt.Reply) {
	var inner struct {
		Answer  json.RawMessage   `json:"answer"`
		Answers []json.RawMessage `json:"answers"`
	}
	if json.Unmarshal(r.Payload, &inner) == nil {
		for _, payload := range append(inner.Answers, inner.Answer) {
			if len(payload) > 0 {
				t.c.hear(t.name, payload)
			}
		}
	}
	t.c.hear(t.name, r.Payload)
}
