//go:build linux

package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/fn"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

func (c *chaos) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally[what]++
}

func (c *chaos) violation(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad = append(c.bad, fmt.Sprintf(format, args...))
}

// made enters a command that a terminal has given.
func (c *chaos) made(o *errand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders[o.id] = o
}

// sendAnothers sends what another terminal has ordered, as a till does that has
// taken over its neighbour's sale.
func (c *chaos) sendAnothers(ctx context.Context, t *chaosTill) {
	c.mu.Lock()
	ids := slices.Sorted(maps.Keys(c.orders))
	c.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	id := ids[t.random.IntN(len(ids))]
	c.mu.Lock()
	o := c.orders[id]
	c.mu.Unlock()
	t.send(ctx, &errand{id: o.id, verb: o.verb, payload: o.payload})
}

// hear enters an answer in the terminals' book.
func (c *chaos) hear(terminal string, payload []byte) {
	a, err := decodeAnswer(payload)
	var more struct {
		Verb fiscal.Verb `json:"verb"`
	}
	if err != nil || json.Unmarshal(payload, &more) != nil {
		c.violation("%s: an answer that nobody can read: %s", terminal, payload)
		return
	}
	(&Till{shop: c.shop, name: terminal}).hear(mqtt.Reply{Verb: string(more.Verb), Payload: payload})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.orders[a.ID] == nil {
		return // an answer to a question
	}
	switch {
	case refusedMessage(a):
		c.tally["messages refused"]++
		return
	case a.Dup:
		c.tally["repeated answers"]++
	}
	if c.heard[a.ID] == nil {
		c.heard[a.ID] = map[int]fiscal.State{}
	}
	if before := c.heard[a.ID][a.N]; before != "" && before != a.State {
		c.bad = append(c.bad, fmt.Sprintf("terminal %s: answer %d to %s is %s and %s", terminal, a.N, a.ID, before, a.State))
	}
	c.heard[a.ID][a.N] = a.State
}

// told is what is known of an id at the terminals.
func (c *chaos) told(id string) (state fiscal.State, accepted bool) {
	c.shop.mu.Lock()
	defer c.shop.mu.Unlock()
	if t := c.shop.told[id]; t != nil {
		return t.State, t.accepted
	}
	return "", false
}

// bound tells whether an id belongs to a command for ever.
func (c *chaos) bound(id string) bool {
	_, accepted := c.told(id)
	return accepted
}

// ended tells whether a terminal need not ask any more.
func (c *chaos) ended(id string) bool {
	state, _ := c.told(id)
	return state.Final()
}

// anew ends a process politely and starts it again.
func (c *chaos) anew(p *process) {
	if err := p.end(syscall.SIGTERM); err != nil {
		c.violation("%v", err)
	}
	if err := p.Start(); err != nil {
		c.violation("%v", err)
	}
}

// calm leaves everything alone until all that was accepted is final and told.
// Before, the daemon is started anew: a cloud's doubt would be asked after only
// every ten minutes. A lost callback comes again on demand. And the printer's
// line is a fast one from now on: reconcile will read every document.
func (c *chaos) calm(tills *sync.WaitGroup, closing func()) {
	c.printer.argv = slices.DeleteFunc(c.printer.argv, func(arg string) bool { return arg == slowLine })
	c.anew(c.printer)
	c.anew(c.daemon)
	traded := make(chan struct{})
	go func() { tills.Wait(); close(traded) }()
	over := c.await(calmPatience, func() bool {
		c.deliver()
		select {
		case <-traded:
			return c.idle()
		default:
			return false
		}
	})
	if !over {
		c.violation("not everything is final after %s: %s", calmPatience, c.run("spool", "ls"))
		closing()
		<-traded
	}
}

// await asks until something is so, or tells that patience was at its end.
func (c *chaos) await(patience time.Duration, is func() bool) bool {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !is(); {
		select {
		case <-tick.C:
		case <-end:
			return is()
		}
	}
	return true
}

// deliver has LIFE PAY call back now instead of after minutes.
func (c *chaos) deliver() {
	r, err := http.Post(*c.base[daemon.CloudLifePay]+"/_control/deliver", "", nil)
	if err != nil {
		c.violation("lifepay: %v", err)
		return
	}
	r.Body.Close()
}

// idle tells whether the node says that nothing is left to do: no command, no
// message that the broker has not.
func (c *chaos) idle() bool {
	var o daemon.Overview
	out, err := exec.Command(c.binary, "status", "--json", "--config", c.config).Output()
	return err == nil && json.Unmarshal(out, &o) == nil && o.Spool.Queued == 0 && o.Spool.Registered == 0 && o.Spool.Outbox == 0
}

// run asks the binary.
func (c *chaos) run(args ...string) string {
	out, err := exec.Command(c.binary, append(args, "--config", c.config)...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return string(out)
}

// compare holds all books against each other.
func (c *chaos) compare() {
	if out, err := exec.Command(c.binary, "reconcile", "--config", c.config).CombinedOutput(); err != nil {
		c.violation("kassad reconcile: %v\n%s", err, out)
	}
	if !c.await(calmPatience, func() bool { return c.idle() && c.listened() }) {
		c.violation("after %s there are still messages that have not left, or not come", calmPatience)
	}
	if err := c.daemon.end(syscall.SIGTERM); err != nil {
		c.violation("%v", err)
	}
	if out := c.run("spool", "check"); strings.TrimSpace(out) != "OK" {
		c.violation("kassad spool check: %s", out)
	}
	if err := c.printer.end(syscall.SIGTERM); err != nil {
		c.violation("%v", err)
	}
	b := Books{Journal: c.journal(), Ledgers: map[string][]fn.Entry{}, Tickets: map[string]string{}, Foreign: map[string]bool{}}
	c.shop.mu.Lock()
	for _, t := range c.shop.told {
		b.Told = append(b.Told, *t)
	}
	c.shop.mu.Unlock()
	p := printer.New(printer.Config{})
	if err := p.Load(filepath.Join(c.dir, "printer.json")); err != nil {
		c.violation("%v", err)
	}
	b.Ledgers[p.Storage().Serial()] = p.Storage().Ledger()
	c.cloudBooks(&b)
	for _, v := range b.Violations() {
		c.violation("%s", v)
	}
	c.promises(b)
	c.drawer(b.Journal, p)
	c.events(b.Journal)
	c.sum(b)
}

func (c *chaos) journal() (records []fiscal.Record) {
	s, err := spool.Open(filepath.Join(c.dir, "data", "kassad.db"), spool.Options{})
	if err != nil {
		c.violation("journal: %v", err)
		return nil
	}
	defer s.Close()
	if err := s.View(func(tx *spool.Tx) error { records, err = tx.Records(0, 10_000_000); return err }); err != nil {
		c.violation("journal: %v", err)
	}
	return records
}

// cloudBooks are the clouds' own accounts, by their control interface. Shifts
// that a cloud opens and closes belong to no command.
func (c *chaos) cloudBooks(b *Books) {
	var sold []lifepay.Document
	c.fetch(daemon.CloudLifePay, "documents", &sold)
	for _, d := range sold {
		b.Tickets[d.UUID] = ""
		if d.FD != 0 {
			b.Tickets[d.UUID] = docID(d.FN, d.FD)
		}
	}
	var registered []struct {
		ID   uint64
		Made []bifit.Fiscal
	}
	c.fetch(daemon.CloudBIFIT, "documents", &registered)
	for _, d := range registered {
		ticket := fmt.Sprint(d.ID)
		b.Tickets[ticket] = ""
		if len(d.Made) > 0 {
			b.Tickets[ticket] = docID(d.Made[0].FN, d.Made[0].FD)
		}
		if len(d.Made) > 1 {
			c.violation("bifit: %d documents of %s", len(d.Made), ticket)
		}
	}
	for name := range c.clouds {
		ledger := map[string][]fn.Entry{}
		c.fetch(name, "ledger", &ledger)
		for serial, entries := range ledger {
			b.Ledgers[serial] = entries
			for _, e := range entries {
				if e.Form != fiscal.FormReceipt && e.Form != fiscal.FormCorrection {
					b.Foreign[docID(serial, e.FD)] = true
				}
			}
		}
	}
}

// fetch reads a book of a cloud.
func (c *chaos) fetch(cloud, what string, to any) {
	r, err := http.Get(*c.base[cloud] + "/_control/" + what)
	if err != nil {
		c.violation("%s: %v", cloud, err)
		return
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(to); err != nil {
		c.violation("%s %s: %v", cloud, what, err)
	}
}

// promises are those that Books cannot see: an accepted command is in the
// journal (P1), nothing is there that nobody has ordered, and every command of
// a terminal has its answer.
func (c *chaos) promises(b Books) {
	records := map[string]fiscal.Record{}
	for _, r := range b.Journal {
		records[r.ID] = r
		if r.Terminal != "" && c.orders[r.ID] == nil {
			c.violation("journal: %s was ordered by nobody", r.ID)
		}
	}
	for _, t := range b.Told {
		if _, there := records[t.ID]; t.accepted && t.Verb.Journalled() && !there {
			c.violation("terminal %s: %s was accepted, the journal has no such command", t.Terminal, t.ID)
		}
	}
	for id, o := range c.orders {
		state, accepted := c.told(id)
		if r, there := records[id]; there && accepted && state.Final() && r.State != state {
			c.violation("%s %s: told %s, is %s", o.verb, id, state, r.State)
		} else if there && !accepted && !o.sent.IsZero() && state == "" {
			c.violation("%s %s: is %s, nobody was told", o.verb, id, r.State)
		}
	}
}

// The printer's own numbers of cash movements go on over shifts.
const (
	cashIns  = 155
	cashOuts = 156
)

// drawer holds the cash in the drawer against the receipts and the cash
// movements, and their number: one that was doubled or lost leaves a difference
// of its amount. Corrections move no cash.
func (c *chaos) drawer(journal []fiscal.Record, p *printer.Printer) {
	var want int64
	for _, e := range p.Storage().Ledger() {
		switch {
		case e.Form != fiscal.FormReceipt:
		case e.Operation == 1, e.Operation == 4:
			want += e.Cash
		default:
			want -= e.Cash
		}
	}
	count := map[fiscal.Verb]uint32{}
	for _, r := range journal {
		if r.State != fiscal.Done {
			continue
		}
		count[r.Verb]++
		switch r.Verb {
		case fiscal.VerbCashIn:
			want += int64(r.Document.Amount)
		case fiscal.VerbCashOut:
			want -= int64(r.Document.Amount)
		}
	}
	if got := p.Drawer(); got != want {
		c.violation("the drawer has %s, receipts and cash movements make %s", fiscal.Money(got), fiscal.Money(want))
	}
	if in, out := p.Operational(cashIns), p.Operational(cashOuts); in != count[fiscal.VerbCashIn] || out != count[fiscal.VerbCashOut] {
		c.violation("the printer has counted %d and %d cash movements, the journal %d and %d", in, out, count[fiscal.VerbCashIn], count[fiscal.VerbCashOut])
	}
}

// events wants the stream without a gap: each number published first in its
// turn and acknowledged by the broker, one event for each command that has
// ended, and all of them at a listener, but for those of a broker that was
// killed after it had acknowledged them.
func (c *chaos) events(journal []fiscal.Record) {
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	ended := map[string]uint64{}
	for i, seq := range c.tap.order {
		if seq != uint64(i)+1 {
			c.violation("events: number %d was published as event %d", seq, i+1)
			break
		}
		e := c.tap.events[seq]
		c.event(seq, e, ended)
	}
	for _, r := range journal {
		class := map[fiscal.Class]bool{fiscal.ClassFiscal: true, fiscal.ClassRecord: true}
		if class[r.Verb.Class()] && r.State.Final() && r.N > 0 && ended[r.ID] == 0 {
			c.violation("events: none tells that %s %s has ended as %s", r.Verb, r.ID, r.State)
		}
	}
}

// listened tells whether the listener has what the present broker has taken.
func (c *chaos) listened() bool {
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	for seq, e := range c.tap.events {
		if e.Life == c.broker.life() && !c.office.seqs[seq] {
			return false
		}
	}
	return true
}

// event looks at one of them.
func (c *chaos) event(seq uint64, e *event, ended map[string]uint64) {
	switch {
	case e.Life == 0:
		c.violation("events: no broker has acknowledged %d", seq)
	case !c.office.seqs[seq] && e.Life == c.broker.life():
		c.violation("events: %d has not come to the listener", seq)
	case !c.office.seqs[seq]:
		c.count("events that the killed broker lost")
	}
	if e.Class != mqtt.EventReceipt && e.Class != mqtt.EventShift && e.Class != mqtt.EventCash {
		return
	}
	if first := ended[e.ID]; first != 0 {
		c.violation("events: %d and %d tell that %s has ended", first, seq, e.ID)
	}
	ended[e.ID] = seq
}

// sum counts for the table.
func (c *chaos) sum(b Books) {
	c.tally["commands given"] = len(c.orders)
	c.tally["commands accepted"] = len(b.Journal)
	for _, r := range b.Journal {
		c.tally["commands "+string(r.State)]++
		if r.Recovered {
			c.tally["commands recovered"]++
		}
		if r.State == fiscal.Done && r.Verb.Receipt() {
			c.tally["receipts by "+r.Device]++
		}
	}
	for _, entries := range b.Ledgers {
		c.tally["documents in the ledgers"] += len(entries)
	}
	c.tally["events"] = len(c.tap.order)
}

// rows of the table that are shown even where they are zero.
var chaosRows = []string{
	"kill -9 of daemon", "kill -9 of broker", "kill -9 of printer", "commands given", "messages sent", "commands accepted", "commands done",
	"commands rejected", "commands recovered", "commands held", "repeated answers", "documents in the ledgers", "events",
}

// print shows the table.
func (c *chaos) print(storm, calm, comparing time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out strings.Builder
	tw := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(what string, value any) { fmt.Fprintf(tw, "%v\t  %s\n", value, what) }
	for _, what := range chaosRows {
		row(what, c.tally[what])
	}
	for _, what := range slices.Sorted(maps.Keys(c.tally)) {
		if !slices.Contains(chaosRows, what) {
			row(what, c.tally[what])
		}
	}
	row("violations", len(c.bad))
	row("storm", storm.Round(time.Second))
	row("calm until all was final and told", calm.Round(100*time.Millisecond))
	row("comparison", comparing.Round(100*time.Millisecond))
	row("seed", c.seed)
	tw.Flush()
	c.t.Logf("\n%s", out.String())
}

// verdict fails the test for what was found, and for a storm that was none.
func (c *chaos) verdict() {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.bad, cmp.Compare[string])
	for _, v := range c.bad {
		c.t.Error(v)
	}
	for _, what := range []string{"kill -9 of daemon", "commands done", "documents in the ledgers"} {
		if c.tally[what] == 0 {
			c.t.Errorf("%s: none; nothing is proved", what)
		}
	}
}
