package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/fn"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// person looks after the shop now and then, and decides what kassad does not:
// after having looked at what the tax office has.
type person struct {
	w     *town
	rng   *rand.Rand
	spoke bool // has decided about a command
}

func (p *person) run(ctx context.Context) {
	hush := p.w.hush
	calm := false
	for ctx.Err() == nil {
		wait := between(p.rng, 2*time.Minute, 15*time.Minute)
		if calm {
			wait = between(p.rng, time.Minute, 2*time.Minute)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-hush:
			hush, calm = nil, true
		case <-ctx.Done():
		}
		timer.Stop()
		p.look(ctx, calm)
	}
}

// look settles what is held, and what a cloud does not confirm.
func (p *person) look(ctx context.Context, calm bool) {
	d := p.w.keeper.daemon()
	if d == nil || ctx.Err() != nil {
		return
	}
	if calm {
		p.repair()
	}
	s := d.Status().Spool
	p.cancelOpen(len(s.Held) > 0 && len(s.Unknown) == 0)
	if len(s.Held) == 0 && s.Registered == 0 && !calm {
		return
	}
	records, err := d.Records()
	if err != nil {
		return
	}
	for _, r := range records {
		if ctx.Err() != nil {
			return
		}
		switch {
		case r.State == fiscal.Held:
			p.settle(ctx, r)
		case r.State == fiscal.Registered && time.Since(r.SavedAt) > 90*time.Minute:
			p.settle(ctx, r)
		case calm && r.State == fiscal.Accepted && r.Waiting != nil && time.Since(r.SavedAt) > 5*time.Minute:
			p.fix(r)
		}
	}
}

// cancelOpen ends a receipt that is left open on a printer and that nobody is
// about, as the table of held commands asks for.
func (p *person) cancelOpen(nobody bool) {
	if !nobody {
		return
	}
	for _, name := range p.w.devices {
		dev := p.w.shop.Printers[name]
		if dev.Mode()&0x0F == 8 && !p.w.alienAt(name, time.Now()) {
			p.w.trace.add("person", name, "ends", "an open receipt: %X", dev.Execute([]byte{0x88, 30, 0, 0, 0}))
		}
	}
}

// fix does what a condition asks for.
func (p *person) fix(r fiscal.Record) {
	t := p.w.tills[0]
	order := func(verb fiscal.Verb, total fiscal.Money, body obj) {
		t.w.trace.add("person", r.ID, "fixes", "%s at %s", verb, r.Device)
		select {
		case t.asks <- func(ctx context.Context) { t.order(ctx, verb, total, body, obj{"device": r.Device}) }:
		case <-p.w.keeper.ctx.Done():
		}
	}
	switch r.Waiting.Code {
	case fiscal.CodePrinterBusy:
		p.cancelOpen(true)
	case fiscal.CodeShiftClosed:
		order(fiscal.VerbShiftOpen, 0, obj{"cashier": cashier})
	case fiscal.CodeShiftExpired:
		order(fiscal.VerbShiftClose, 0, obj{"cashier": cashier})
	case fiscal.CodeNoCash:
		total := p.w.amount() + 1000_00
		order(fiscal.VerbCashIn, total, obj{"amount": total.String(), "cashier": cashier})
	}
}

// repair ends what clouds do not end by themselves.
func (p *person) repair() {
	if s := p.w.shop.LifePay; s != nil {
		for _, d := range s.Documents() {
			if d.FD == 0 && d.State != lifepay.StateError && d.State != lifepay.StateProcessed && time.Since(d.Accepted) > 2*time.Hour {
				_ = s.Finish(d.UUID, lifepay.Outcome{}) // it may have ended just now
			}
		}
	}
}

// settle decides about one command.
func (p *person) settle(ctx context.Context, r fiscal.Record) {
	// A storage that failed, a person's word about a command whose receipt is still
	// open, and an older journal that knows of no attempt leave receipts of ours
	// open; so does a sale of another program that the storage took beside ours, and
	// which makes ours doubtful.
	p.w.mu.Lock()
	forgot := len(p.w.lost) > 0
	p.w.mu.Unlock()
	if r.Error != nil && r.Error.Code == fiscal.CodeForeignReceipt && !p.w.may("fn") && !p.spoke && !forgot && !p.w.alienAt(r.Device, r.SavedAt) && !p.w.besideOurs(r.Device) {
		p.w.violation("%s %s is held for the open receipt of somebody else, and nobody has left one", r.Verb, r.ID)
	}
	doc, found, pending := p.w.documentOf(r)
	body := obj{"id": r.ID}
	switch {
	case pending:
		return
	case found && p.mayErr(r, doc) && oneIn(p.rng, 2): // decides without looking
		found = false
		body["action"] = pick(p.rng, "retry", "give-up")
		if body["action"] == "give-up" {
			p.w.errs(r.ID, docID(doc.Storage, doc.FD))
		}
	case found:
		body["action"], body["fd"] = "done-elsewhere", doc.FD
	case r.State == fiscal.Held && !oneIn(p.rng, 5) && (r.Verb.Class() == fiscal.ClassFiscal || unasked(r)):
		body["action"] = "retry"
	default:
		body["action"] = "give-up"
	}
	p.w.mu.Lock()
	p.w.decided[r.ID] = true
	p.w.mu.Unlock()
	_, err := p.w.control(ctx, "resolve", body)
	p.spoke = true // also if the daemon has died before it could say so
	if err != nil {
		p.w.trace.add("person", r.ID, "refused", "%v: %v", body["action"], err)
		return
	}
	if body["action"] == "give-up" && r.Baseline != nil && (r.Verb == fiscal.VerbShiftOpen || r.Verb == fiscal.VerbShiftClose) {
		p.w.disownShifts(r.Device, r.Baseline.LastFD) // it may have been made, and nobody claims it now
	}
	if body["action"] == "retry" && oneIn(p.rng, 3) { // and the cashier does not wait for that
		p.takeBack(r)
	}
	p.w.trace.add("person", r.ID, fmt.Sprint(body["action"]), "fd %d", doc.FD)
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.counts["person-"+fmt.Sprint(body["action"])]++
	if found {
		p.w.byHand[docID(doc.Storage, doc.FD)] = r.ID
	}
}

// unasked tells whether a device has not answered about r yet: then it is, before r
// begins again.
func unasked(r fiscal.Record) bool {
	return r.Baseline != nil && r.Baseline.Cloud == nil && r.DoubtLeft == 1 && r.Error != nil && r.Error.Code == fiscal.CodeNeedsPerson
}

// takeBack has the terminal of a command cancel it.
func (p *person) takeBack(r fiscal.Record) {
	for _, t := range p.w.tills {
		if t.name != r.Terminal {
			continue
		}
		select {
		case t.asks <- func(ctx context.Context) { t.cancel(ctx, r.ID) }:
		case <-p.w.keeper.ctx.Done():
		}
	}
}

// control asks the daemon over its socket.
func (w *town) control(ctx context.Context, op string, body any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	payload := mustJSON(obj{"by": "ivanov", "body": body})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://kassad/"+op, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return w.network.Dial(ctx, "unix", daemon.ControlPath(w.shop.Config))
	}}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var reply struct {
		Result json.RawMessage
		Error  *fiscal.Error
	}
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return nil, err
	}
	if reply.Error != nil {
		return nil, reply.Error
	}
	return reply.Result, nil
}

// documentOf finds the document of a command where the tax office has it: by
// its total, which nothing else has, or by the shift. pending: a cloud has the
// command and has not made it yet.
func (w *town) documentOf(r fiscal.Record) (doc fn.Entry, found, pending bool) {
	b, err := w.shop.ledgers()
	if err != nil {
		w.violation("ledgers: %v", err)
		return doc, false, true
	}
	if r.Verb.Receipt() {
		docs := w.byTotal(b, r.Document.Total)
		if len(docs) > 0 {
			return docs[0], true, false
		}
	}
	if r.Verb == fiscal.VerbShiftOpen || r.Verb == fiscal.VerbShiftClose {
		if e, ok := w.shiftDocument(b, r); ok {
			return e, true, false
		}
	}
	return doc, false, w.pendingInCloud(r)
}

// shiftDocument is a shift document after the baseline of r that no other
// command has.
func (w *town) shiftDocument(b Books, r fiscal.Record) (fn.Entry, bool) {
	if r.Baseline == nil {
		return fn.Entry{}, false
	}
	form := fn.FormShiftOpen
	if r.Verb == fiscal.VerbShiftClose {
		form = fn.FormShiftClose
	}
	for _, e := range b.Ledgers[r.Baseline.Storage] {
		if e.FD > r.Baseline.LastFD && e.Form == form && !b.Foreign[docID(r.Baseline.Storage, e.FD)] && w.claimant(docID(r.Baseline.Storage, e.FD)) == "" {
			return e, true
		}
	}
	return fn.Entry{}, false
}

// claimant is the command that claims a document.
func (w *town) claimant(id string) string {
	d := w.keeper.daemon()
	if d == nil {
		return "?"
	}
	records, err := d.Records()
	if err != nil {
		return "?"
	}
	for _, r := range records {
		if r.Receipt != nil && docID(r.Receipt.Storage, r.Receipt.FD) == id {
			return r.ID
		}
	}
	return w.byHand[id]
}

// pendingInCloud tells whether a cloud may still make the document of r.
func (w *town) pendingInCloud(r fiscal.Record) bool {
	stem := r.Document.Stem
	if s := w.shop.LifePay; s != nil && stem != "" {
		for _, d := range s.Documents() {
			if strings.Contains(d.ExtID, stem) && d.FD == 0 && d.State != lifepay.StateError {
				return true
			}
		}
	}
	if s := w.shop.BIFIT; s != nil && stem != "" {
		for _, d := range s.Documents() {
			if strings.Contains(d.Key, stem) && len(d.Made) == 0 && d.Status < bifit.StatusDone {
				return true
			}
		}
	}
	return false
}
