package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	"kassad/fiscal"
)

// hear notes the events that the daemon publishes.
func (w *town) hear(topic string, payload []byte) {
	if !strings.Contains(topic, "/evt/") {
		return
	}
	var e struct {
		Seq uint64
		ID  string
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		w.violation("event %s: %v", payload, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[e.Seq] = true
	w.told[e.ID] = true
}

// noteAck notes a command that the daemon has acknowledged to the broker: from
// now on it must be in the journal, or have been refused.
func (w *town) noteAck(topic string, payload []byte) {
	var c struct{ ID, Exp string }
	if !strings.Contains(topic, "/cmd/") || json.Unmarshal(payload, &c) != nil || c.Exp != "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = append(w.acked, c.ID)
}

// checkAcks wants every command in the journal that the last life acknowledged.
// A full disk refuses, and that is an answer as well.
func (w *town) checkAcks(d *daemon.Daemon) {
	w.mu.Lock()
	acked, full := w.acked, w.wasFull
	w.acked, w.wasFull = nil, w.isFull
	w.mu.Unlock()
	if len(acked) == 0 || full {
		return
	}
	records, err := d.Records()
	if err != nil {
		return
	}
	known := map[string]bool{}
	for _, r := range records {
		known[r.ID] = true
	}
	for _, id := range acked {
		// Of a sale to an address only a full disk may refuse; the refusal of
		// another one may have been lost.
		if e := w.errand(id); e != nil && e.verb == fiscal.VerbSale && bytes.Contains(e.payload, []byte("customer")) && !known[id] && !e.denied {
			w.violation("%s %s was acknowledged to the broker, and is not in the journal after the restart", e.verb, id)
		}
	}
}

// kept wants a command in the journal of which a terminal hears for the first
// time that it is accepted.
func (w *town) kept(e *chore) {
	d := w.keeper.daemon()
	if d == nil || !e.verb.Journalled() {
		return
	}
	if _, found, err := d.Record(e.id); err == nil && !found {
		w.violation("%s %s was answered, and is not in the journal", e.verb, e.id)
	}
}

// check holds a final answer against the ledger at the moment when the terminal
// hears it.
func (w *town) check(e *chore, a Answer) {
	if a.State != fiscal.Done || a.Fiscal == nil || a.Fiscal.By != "" || a.Fiscal.FD == 0 {
		return
	}
	b, err := w.shop.ledgers()
	if err != nil {
		w.violation("ledgers: %v", err)
		return
	}
	c := checker{books: b}
	doc, ok := c.entry(a.Fiscal.FN, a.Fiscal.FD)
	switch {
	case !ok:
		w.violation("%s was told document %s/%d, which does not exist", e.id, a.Fiscal.FN, a.Fiscal.FD)
	case e.verb.Receipt() && doc.Total != int64(e.total):
		w.violation("%s over %s was told document %s/%d over %s", e.id, e.total, a.Fiscal.FN, a.Fiscal.FD, fiscal.Money(doc.Total))
	}
}

// released wants a person's word for every command that is not held any more,
// but where kassad may find out by itself.
func (w *town) released(e *chore, a Answer) {
	if a.N <= e.n {
		return
	}
	e.n = a.N
	if a.State == fiscal.Held && a.Error != nil {
		e.held = a.Error.Code
		return
	}
	w.mu.Lock()
	decided := w.decided[e.id]
	w.mu.Unlock()
	switch e.held {
	case fiscal.CodeLate, fiscal.CodeClosedByOther, fiscal.CodeForeignReceipt:
		if !decided && !a.Recovered && !a.Dup {
			w.violation("%s %s was held (%s) and is %s without a person's word", e.verb, e.id, e.held, a.State)
		}
	}
	e.held = ""
}

// byTotal lists receipts with a total in all ledgers.
func (w *town) byTotal(b Books, total fiscal.Money) (list []fn.Entry) {
	for _, serial := range slices.Sorted(maps.Keys(b.Ledgers)) {
		for _, e := range b.Ledgers[serial] {
			if isReceipt(e) && e.Total == int64(total) && !w.isForeign(docID(serial, e.FD)) {
				e.Storage = serial
				list = append(list, e)
			}
		}
	}
	return list
}

// isForeign tells whether another program has made a document.
func (w *town) isForeign(doc string) bool {
	w.shop.mu.Lock()
	defer w.shop.mu.Unlock()
	return w.shop.foreign[doc]
}

func isReceipt(e fn.Entry) bool {
	switch e.Form {
	case fiscal.FormReceipt, fiscal.FormBSO, fiscal.FormCorrection, fiscal.FormBSOCorrect:
		return true
	}
	return false
}

// sales counts the receipts of this shop.
func (w *town) sales() (n int) {
	for _, e := range w.order {
		if e.verb.Receipt() && e.state == fiscal.Done {
			n++
		}
	}
	return n
}

// judge compares all books when everything has ended.
func (w *town) judge() {
	d := w.keeper.daemon()
	if d == nil {
		w.violation("the daemon is not running at the end")
		return
	}
	records, err := d.Records()
	if err != nil {
		w.violation("journal: %v", err)
		return
	}
	b, err := w.shop.ledgers()
	if err != nil {
		w.violation("ledgers: %v", err)
		return
	}
	w.shop.mu.Lock()
	for _, id := range w.shop.order {
		b.Told = append(b.Told, *w.shop.told[id])
	}
	w.shop.mu.Unlock()
	b.Journal = records
	w.byPeople(&b)
	for _, v := range b.Violations() {
		w.violation("%s", v)
	}
	w.eachErrand(b, records)
	w.eachEvent(records)
	w.figures(b, records)
	w.drawers(b, records)
	w.blindly(b, records)
	w.standing(records)
}

// denies tells whether the journal says of a command that it has lost, with all it
// can know, that it was not made. A journal that was put back may have barred, or
// cancelled, what a still older one, which was there meanwhile, has made.
func (w *town) denies(e *chore, s fiscal.State) bool { return s == fiscal.Cancelled && !w.barred[e.id] }

// byPeople enters what persons have settled: the document is the command's
// although the register did not tell. Late documents of the journal are known
// to it.
func (w *town) byPeople(b *Books) {
	for doc := range w.byHand {
		b.Foreign[doc] = true
	}
	state := map[string]fiscal.State{}
	for _, r := range b.Journal {
		state[r.ID] = r.State
	}
	for _, e := range w.order {
		if w.lost[e.id] && e.verb.Receipt() && state[e.id] != fiscal.Done && !w.denies(e, state[e.id]) {
			for _, doc := range w.byTotal(*b, e.total) {
				b.Foreign[docID(doc.Storage, doc.FD)] = true
			}
		}
	}
	for _, r := range b.Journal {
		// The word of a person who was not told that it counts: the store failed.
		if r.State == fiscal.Done && settled(r) && r.Resolved.FD != 0 && r.Baseline != nil && r.Baseline.Cloud == nil {
			b.Foreign[docID(r.Baseline.Storage, r.Resolved.FD)] = true
		}
		if r.State == fiscal.Abandoned && r.Verb.Receipt() {
			for _, e := range w.byTotal(*b, r.Document.Total) {
				b.Foreign[docID(e.Storage, e.FD)] = true
			}
		}
		if r.State == fiscal.Done && settled(r) && r.Verb.Receipt() { // the word was kept, its answer may have been lost
			for _, e := range w.byTotal(*b, r.Document.Total) {
				if e.FD == r.Resolved.FD {
					b.Foreign[docID(e.Storage, e.FD)] = true
				}
			}
		}
		for _, late := range r.Late {
			c := checker{books: *b}
			if serial, fd, ok := c.document(late); ok {
				b.Doubles[docID(serial, fd)] = r.ID
			}
		}
	}
}

// eachErrand wants exactly one document of each command that is done and none
// of each that is not, whatever the journal says.
func (w *town) eachErrand(b Books, records []fiscal.Record) {
	byID := map[string]fiscal.Record{}
	for _, r := range records {
		byID[r.ID] = r
	}
	for _, e := range w.order {
		r, known := byID[e.id]
		if !known && e.state != "" {
			w.violation("%s %s was answered %s, and the journal has never seen it", e.verb, e.id, e.state)
		}
		if !e.verb.Receipt() {
			continue
		}
		docs := w.byTotal(b, e.total)
		late := 0
		if known {
			late = len(r.Late)
		}
		want := "none"
		bad := len(docs) > late
		switch {
		case w.lost[e.id] && (!known || r.State != fiscal.Done && !w.denies(e, r.State)):
			want, bad = "at most one", len(docs) > 1+late // kassad cannot know what it has lost
		case known && (r.State == fiscal.Rejected || r.State == fiscal.Cancelled || r.State == fiscal.Expired):
			bad = len(docs) > 0 // told as not made: an alert about a late document excuses nothing
		case known && w.mistaken(b, r):
			bad = len(docs) > late
		case known && r.State == fiscal.Done && r.Resolved == nil, known && r.State == fiscal.Done && !settled(r):
			want, bad = "one", len(docs) != 1+late
		case known && (r.State == fiscal.Done || r.State == fiscal.Abandoned):
			want, bad = "at most one", len(docs) > 1+late
		}
		if bad {
			w.violation("%s %s over %s is %q and has %d documents, want %s", e.verb, e.id, e.total, r.State, len(docs), want)
		}
		for _, doc := range docs {
			if why := e.want.differs(doc); why != "" {
				w.violation("%s %s over %s: document %s has %s", e.verb, e.id, e.total, docID(doc.Storage, doc.FD), why)
			}
		}
	}
	for total := range w.never {
		if n := len(w.byTotal(b, total)); n > 0 {
			w.violation("%d documents over %s, which was sent under the id of another command", n, total)
		}
	}
}

// eachEvent wants the numbers of events without a gap.
func (w *town) eachEvent(records []fiscal.Record) {
	if w.broker == nil {
		return
	}
	var missing []string
	seqs := slices.Sorted(maps.Keys(w.events))
	for i := 1; i < len(seqs); i++ {
		for n := seqs[i-1] + 1; n < seqs[i]; n++ {
			missing = append(missing, fmt.Sprint(n))
		}
	}
	if len(seqs) > 0 && seqs[0] != 1 {
		missing = append(missing, fmt.Sprintf("before %d", seqs[0]))
	}
	for _, r := range records {
		if r.Verb.Document() && r.State.Final() && !w.told[r.ID] {
			w.violation("%s %s is %s, and no event has told so", r.Verb, r.ID, r.State)
		}
	}
	if sent, heard := w.counts["till-conflict"], w.counts["id-conflict"]; sent > 2 && heard == 0 {
		w.violation("%d commands under the id of another one, and none was refused", sent)
	}
	if len(missing) > 0 {
		w.violation("events are missing: %s", strings.Join(missing[:min(len(missing), 10)], " "))
	}
}

// drawers holds the cash in each drawer against receipts and commands. A
// command that a person gave up may have moved it or not.
func (w *town) drawers(b Books, records []fiscal.Record) {
	for _, name := range w.devices {
		p := w.shop.Printers[name]
		want := int64(0)
		for _, serial := range w.storagesOf(name) {
			for _, e := range b.Ledgers[serial] {
				switch {
				case e.Form != fiscal.FormReceipt: // a correction moves no cash now
				case e.Operation == 1, e.Operation == 4:
					want += e.Cash
				default:
					want -= e.Cash
				}
			}
		}
		var open []int64
		for _, r := range records {
			if r.Device != name || r.Verb.Class() != fiscal.ClassRecord {
				continue
			}
			amount := int64(r.Document.Amount)
			if r.Verb == fiscal.VerbCashOut {
				amount = -amount
			}
			switch {
			case r.State == fiscal.Done:
				want += amount
			case r.State == fiscal.Abandoned:
				open = append(open, amount)
			}
		}
		if !reachable(p.Drawer()-want, open) {
			w.violation("%s has %s in the drawer, receipts and commands make %s (given up: %v)", name, fiscal.Money(p.Drawer()), fiscal.Money(want), open)
		}
	}
}

// reachable tells whether some of the amounts make the sum.
func reachable(sum int64, amounts []int64) bool {
	if sum == 0 {
		return true
	}
	for i, a := range amounts {
		if i < 12 && reachable(sum-a, amounts[i+1:]) {
			return true
		}
	}
	return false
}
