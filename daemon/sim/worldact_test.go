package sim

import (
	"context"
	"fmt"
	"time"

	"kassad/fiscal"
)

// act does one thing that terminals do.
func (t *worldTill) act(ctx context.Context) {
	if t.gone {
		if time.Now().After(t.back) {
			t.comeBack(ctx)
		}
		return
	}
	misbehaves := t.w.may("till")
	switch n := t.rng.IntN(100); {
	case n < 58:
		t.receipt(ctx, fiscal.VerbSale)
	case n < 64:
		t.receipt(ctx, fiscal.VerbRefund)
	case n < 66:
		t.receipt(ctx, fiscal.VerbBuy)
	case n < 67:
		t.receipt(ctx, fiscal.VerbBuyRefund)
	case n < 70:
		t.receipt(ctx, fiscal.VerbCorrection)
	case n < 74:
		t.cash(ctx, fiscal.VerbCashIn, t.w.amount())
	case n < 76:
		t.cash(ctx, fiscal.VerbCashOut, t.w.amount())
	case n < 78:
		t.order(ctx, fiscal.VerbXReport, 0, obj{}, obj{"device": t.device()})
	case n < 80:
		t.order(ctx, fiscal.VerbShiftClose, 0, obj{"cashier": cashier}, obj{"device": t.device()})
	case n < 81:
		t.order(ctx, fiscal.VerbShiftOpen, 0, obj{"cashier": cashier}, obj{"device": t.device()})
	case n < 83:
		t.small(ctx)
	case !misbehaves:
		t.receipt(ctx, fiscal.VerbSale)
	default:
		t.misbehave(ctx)
	}
}

// receipt sells something whose total nothing else has.
func (t *worldTill) receipt(ctx context.Context, verb fiscal.Verb) {
	total := t.w.amount()
	var body obj
	first := total / 3
	want := wanted{kind: verb.Kind()}
	switch t.rng.IntN(4) {
	case 0:
		body = receipt(obj{"card": "#"}, item("Чайник", total.String(), "1", "vat22", nil))
	case 1:
		want.cash = total
		body = receipt(obj{"cash": "#"}, item("Чайник", total.String(), "1", "none", nil))
	case 2: // by weight: a sum that has to be rounded
		grams := fiscal.Money(1 + t.rng.IntN(2999))
		sum := (first*grams + 500) / 1000 // half up
		price, weight := first, fmt.Sprintf("%d.%03d", grams/1000, grams%1000)
		if sum == 0 || sum >= total {
			sum, price, weight = 1, 3, "0.333"
		}
		body = receipt(obj{"card": "#"}, item("Сыр", price.String(), weight, "vat22", nil), item("Чай", (total-sum).String(), "1", "vat10", nil))
	default:
		want.cash = total
		body = receipt(obj{"cash": (total + 100_00).String()}, item("Хлеб", first.String(), "1", "vat10", nil), item("Чай", (total-first).String(), "1", "vat22", nil))
	}
	if t.rng.IntN(10) > 0 {
		body["customer"] = "buyer@example.org"
	}
	if verb == fiscal.VerbCorrection {
		kind := pick(t.rng, fiscal.Sale, fiscal.Refund)
		body["correction"] = obj{"kind": kind.String(), "by": "self", "date": "2026-11-20"}
		want.kind = kind
		delete(body, "customer")
	}
	more := obj{}
	at := time.Now()
	if t.w.may("late") && oneIn(t.rng, 12) { // sold while the terminal had no line
		at = at.Add(-between(t.rng, time.Minute, 30*time.Hour))
		more["at"] = at.Format(time.RFC3339)
	}
	if oneIn(t.rng, 12) {
		more["exp"] = time.Now().Add(between(t.rng, 10*time.Second, 10*time.Minute)).Format(time.RFC3339)
	}
	if oneIn(t.rng, 11-t.w.plan.doubts) {
		more["wait"] = pick(t.rng, between(t.rng, 3*time.Second, 30*time.Second), between(t.rng, 5*time.Second, 10*time.Minute)).Truncate(time.Second).String()
	}
	if oneIn(t.rng, 8) && verb != fiscal.VerbCorrection {
		more["route"] = t.w.routes[t.rng.IntN(len(t.w.routes))]
	}
	if verb == fiscal.VerbCorrection {
		more["route"] = t.device()
	}
	t.order(ctx, verb, total, body, more).want = want
}

func (t *worldTill) cash(ctx context.Context, verb fiscal.Verb, amount fiscal.Money) {
	t.order(ctx, verb, amount, obj{"amount": amount.String(), "cashier": cashier}, obj{"device": t.device()})
}

// small are the verbs that make no document.
func (t *worldTill) small(ctx context.Context) {
	device := obj{"device": t.device()}
	switch t.rng.IntN(5) {
	case 0:
		t.order(ctx, fiscal.VerbText, 0, obj{"lines": []string{"Привет"}, "cut": true}, device)
	case 1:
		t.order(ctx, fiscal.VerbDrawer, 0, obj{}, device)
	case 2:
		t.ask(ctx, fiscal.VerbCounters, obj{}, device)
	case 3:
		t.ask(ctx, fiscal.VerbStatus, obj{}, device)
	default:
		t.ask(ctx, fiscal.VerbSync, obj{"since": time.Now().Add(-time.Hour).Format(time.RFC3339)}, nil)
	}
}

// ask sends a question whose answer nobody waits for.
func (t *worldTill) ask(ctx context.Context, verb fiscal.Verb, body, more obj) {
	t.n++
	if more == nil {
		more = obj{}
	}
	t.publish(ctx, verb, envelope(fmt.Sprintf("%s-q%04d", t.name, t.n), more, body))
}

func (t *worldTill) cancel(ctx context.Context, id string) {
	t.w.trace.add(t.name, id, "cancels", "")
	t.ask(ctx, fiscal.VerbCancel, obj{"id": id}, nil)
}

// misbehave is what programs do that were written in a hurry.
func (t *worldTill) misbehave(ctx context.Context) {
	switch t.rng.IntN(7) {
	case 0: // gone for a while
		t.w.count("till-away")
		t.gone, t.back = true, time.Now().Add(between(t.rng, 10*time.Second, time.Hour))
		t.w.trace.add(t.name, "-", "away", "")
		if !t.w.plan.embedded {
			t.w.broker.away(t.name, true)
		}
		t.leave()
	case 1: // an old command once more
		if len(t.old) > 0 {
			t.w.count("till-repeat")
			e := t.old[t.rng.IntN(len(t.old))]
			t.publish(ctx, e.verb, e.payload)
		}
	case 2: // an old id for something else
		if len(t.old) > 0 {
			e := t.old[t.rng.IntN(len(t.old))]
			if e.refused {
				return
			}
			t.w.count("till-conflict")
			total := t.w.forbidden()
			t.publish(ctx, fiscal.VerbSale, envelope(e.id, obj{}, receipt(obj{"card": "#"}, item("Чайник", total.String(), "1", "vat22", nil))))
		}
	case 3: // many at once, each twice
		t.w.count("till-burst")
		for range 2 + t.rng.IntN(4) {
			t.receipt(ctx, fiscal.VerbSale)
			e := t.errands[len(t.errands)-1]
			t.publish(ctx, e.verb, e.payload)
		}
	case 4: // taken back
		if len(t.errands) > 0 {
			t.w.count("till-cancel")
			t.cancel(ctx, t.errands[t.rng.IntN(len(t.errands))].id)
		}
	case 5: // taken back before it is sent
		t.w.count("till-tombstone")
		id := fmt.Sprintf("%s-%04d", t.name, t.n+2)
		t.w.mu.Lock()
		t.w.barred[id] = true
		t.w.mu.Unlock()
		t.cancel(ctx, id)
	default: // sent and taken back at once
		t.w.count("till-regret")
		t.receipt(ctx, fiscal.VerbSale)
		t.cancel(ctx, t.errands[len(t.errands)-1].id)
	}
}

// comeBack is a terminal that is switched on again: it syncs.
func (t *worldTill) comeBack(ctx context.Context) {
	if !t.gone {
		return
	}
	t.gone = false
	t.w.trace.add(t.name, "-", "back", "")
	for _, e := range t.errands { // what was kept for it may be of a journal that is gone
		if !e.lost.IsZero() {
			e.lost = time.Now()
		}
	}
	if !t.w.plan.embedded {
		t.w.broker.away(t.name, false)
	}
	t.ask(ctx, fiscal.VerbSync, obj{"since": time.Now().Add(-2 * time.Hour).Format(time.RFC3339)}, nil)
}
