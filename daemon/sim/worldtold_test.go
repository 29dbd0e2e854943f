package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	"kassad/fiscal"
	"kassad/mqtt"
)

// wanted is what a receipt's document must say beside its total.
type wanted struct {
	kind fiscal.Kind
	cash fiscal.Money
}

// differs tells what a document says that its command did not; "" for nothing.
func (want wanted) differs(e fn.Entry) string {
	sum := int64(0)
	for _, i := range e.Items {
		sum += i.Sum
	}
	switch {
	case want.kind == 0:
		return ""
	case fiscal.Kind(e.Operation) != want.kind:
		return fmt.Sprintf("kind %s, want %s", fiscal.Kind(e.Operation), want.kind)
	case e.Cash != int64(want.cash):
		return fmt.Sprintf("%s in cash, want %s", fiscal.Money(e.Cash), want.cash)
	case len(e.Items) > 0 && sum != e.Total:
		return fmt.Sprintf("lines of %s", fiscal.Money(sum))
	}
	return ""
}

// figures holds what reports tell of a shift against its documents in the
// ledger: those of every closed shift, and of every X report.
func (w *town) figures(b Books, records []fiscal.Record) {
	for _, r := range records {
		if r.State != fiscal.Done || r.Counters == nil {
			continue
		}
		switch r.Verb {
		case fiscal.VerbShiftClose:
			if r.Receipt == nil || r.Receipt.By != "" {
				continue
			}
			if why := differsFrom(b.Ledgers[r.Receipt.Storage], *r.Counters, r.Receipt.FD); why != "" {
				w.violation("shift %d of %s: %s", r.Counters.Shift, r.Receipt.Storage, why)
			}
		case fiscal.VerbXReport:
			if why := w.reportDiffers(b, r); why != "" {
				w.violation("%s %s of shift %d: %s", r.Verb, r.ID, r.Counters.Shift, why)
			}
		}
	}
}

// reportDiffers looks for a storage of the printer of which the figures of an X
// report are true. Another program may sell while they are read.
func (w *town) reportDiffers(b Books, r fiscal.Record) (why string) {
	for _, serial := range w.storagesOf(r.Device) {
		for last := r.Counters.LastFD; last <= r.Counters.LastFD+3; last++ {
			if last > r.Counters.LastFD && !b.Foreign[docID(serial, last)] {
				break
			}
			differs := differsFrom(b.Ledgers[serial], *r.Counters, last)
			if differs == "" || last > r.Counters.LastFD {
				return ""
			}
			why = serial + " " + differs
		}
	}
	return why
}

// differsFrom compares figures with the documents of their shift up to last.
func differsFrom(ledger []fn.Entry, c fiscal.Counters, last uint32) string {
	type sums struct {
		count       uint32
		total, cash fiscal.Money
	}
	made, documents := map[fiscal.Kind]sums{}, uint32(0)
	for _, e := range ledger {
		if uint32(e.Shift) != c.Shift || e.FD > last || e.Form == fiscal.FormRegistration {
			continue
		}
		documents++
		if isReceipt(e) {
			s := made[fiscal.Kind(e.Operation)]
			made[fiscal.Kind(e.Operation)] = sums{s.count + 1, s.total + fiscal.Money(e.Total), s.cash + fiscal.Money(e.Cash)}
		}
	}
	if c.Documents != 0 && c.Documents != documents {
		return fmt.Sprintf("%d documents are told, the tax office has %d", c.Documents, documents)
	}
	for kind, told := range c.ByKind {
		s := made[kind]
		if told.Count != s.count || told.Total != s.total {
			return fmt.Sprintf("%v is told as %d over %s, the tax office has %d over %s", kind, told.Count, told.Total, s.count, s.total)
		}
		if told.Payments != nil && told.Payments.Cash != s.cash {
			return fmt.Sprintf("%v is told with %s in cash, the tax office has %s", kind, told.Payments.Cash, s.cash)
		}
	}
	return ""
}

// blindly wants that a document is told of although a person has given its
// command up without looking, as soon as kassad had to read it.
func (w *town) blindly(b Books, records []fiscal.Record) {
	for _, r := range records {
		document := w.foes.blind[r.ID]
		if document == "" || r.State != fiscal.Abandoned {
			continue
		}
		c := checker{books: b}
		told := slices.ContainsFunc(r.Late, func(late fiscal.Receipt) bool {
			serial, fd, ok := c.document(late)
			return ok && docID(serial, fd) == document
		})
		if !told && w.readBeyond(document, records) {
			w.violation("%s %s is abandoned, and its late document %s is not told of", r.Verb, r.ID, document)
		}
	}
}

// readBeyond tells whether kassad itself has made a document after another one.
func (w *town) readBeyond(document string, records []fiscal.Record) bool {
	return slices.ContainsFunc(records, func(r fiscal.Record) bool {
		if r.State != fiscal.Done || r.Receipt == nil || r.Receipt.By != "" || settled(r) || r.Recovered || r.Verb.Class() != fiscal.ClassFiscal {
			return false
		}
		serial, fd, ok := strings.Cut(document, "/")
		var n uint32
		if _, err := fmt.Sscan(fd, &n); err != nil {
			return false
		}
		return ok && r.Receipt.Storage == serial && r.Receipt.FD > n
	})
}

// unrest are conditions that have ended when nothing goes wrong any more.
var unrest = []fiscal.Code{
	fiscal.CodePrinterAway, fiscal.CodePaperOut, fiscal.CodeCoverOpen, fiscal.CodeDiskFull, fiscal.CodeBrokerAway, fiscal.CodeCloudAway,
	fiscal.CodeUnknownPending, fiscal.CodeHeldPending, fiscal.CodeDuplicate, fiscal.CodeForeignReceipt, fiscal.CodeFNFull, fiscal.CodeFNFault,
}

// calmEnough is longer than the slowest status reading.
const calmEnough = 11 * time.Minute

// standing holds what is retained at the broker against what is so, once
// everything has been looked at again.
func (w *town) standing(records []fiscal.Record) {
	if w.broker != nil && w.plan.seed%2 == 0 { // a broker that forgets, and a start: the whole tree is made again
		w.broker.shut(true)
		if err := w.broker.open(); err != nil {
			w.violation("the broker: %v", err)
		}
		w.die(death{kind: "polite", off: time.Second})
	}
	<-time.After(calmEnough)
	d := w.keeper.daemon()
	if d == nil {
		w.violation("the daemon is not running again")
		return
	}
	status := d.Status()
	for _, a := range status.Alerts {
		if slices.Contains(unrest, a.Code) {
			w.violation("the alert %s of %q stands since %v, and nothing is wrong", a.Code, a.Device, a.Since)
		}
	}
	for _, name := range w.devices {
		p := w.shop.Printers[name]
		st := status.Devices[name]
		if at := p.Storage().Status(time.Now()); !st.Link || st.FN == nil || st.FN.Serial != at.Serial || st.FN.LastFD != at.LastDocument || st.Shift == nil || st.Shift.Open != at.ShiftOpen {
			w.violation("%s is told as %s, and its storage is %+v", name, mustJSON(st), at)
		}
	}
	if w.broker != nil {
		w.retained(status, records)
	}
}

// retained compares the broker's copy with the daemon's.
func (w *town) retained(status daemon.Overview, records []fiscal.Record) {
	w.broker.mu.Lock()
	kept := maps.Clone(w.broker.retained)
	w.broker.mu.Unlock()
	root := w.shop.Config.Root()
	alerts := map[string]bool{}
	for _, a := range status.Alerts {
		topic := root + "/node/alert/" + string(a.Code)
		if a.Device != "" {
			topic = root + "/dev/" + a.Device + "/alert/" + string(a.Code)
		}
		alerts[topic] = true
		if kept[topic] == nil {
			w.violation("the alert %s stands and is not retained at the broker", topic)
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(kept)) {
		// A journal that was put back does not know what was raised after it.
		if strings.Contains(topic, "/alert/") && !alerts[topic] && w.counts["copy-back"] == 0 {
			w.violation("the broker keeps %s, and no such alert stands", topic)
		}
	}
	for _, name := range w.devices {
		var told mqtt.DeviceState
		raw := kept[root+"/dev/"+name+"/state"]
		if err := json.Unmarshal(raw, &told); err != nil || told.FN == nil || told.FN.LastFD != status.Devices[name].FN.LastFD || !told.Link {
			w.violation("the broker keeps %s of %s, which is %s", raw, name, mustJSON(status.Devices[name]))
		}
	}
	w.lastWords(kept, records)
}

// lastWords wants the last final answer of each terminal to be the one that is
// retained for it.
func (w *town) lastWords(kept map[string][]byte, records []fiscal.Record) {
	last := map[string]fiscal.Record{}
	for _, r := range records {
		if r.Terminal != "" && r.State.Final() && r.FinalSeq >= last[r.Terminal].FinalSeq {
			last[r.Terminal] = r
		}
	}
	for _, terminal := range slices.Sorted(maps.Keys(last)) {
		r := last[terminal]
		raw := kept[w.shop.Config.Root()+"/last/"+terminal]
		if a, err := decodeAnswer(raw); err != nil || a.ID != r.ID || a.State != r.State {
			w.violation("the broker keeps %s as the last of %s, which is %s %s", raw, terminal, r.ID, r.State)
		}
	}
}
