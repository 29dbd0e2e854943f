package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// Limits of intake.
const (
	deskShards    = 64 // as many terminals store at once, and share one flush
	deskQueue     = 16
	keepIDs       = 400 * 24 * time.Hour // an id older than this may be forgotten
	futureAtMax   = 24 * time.Hour       // a terminal's clock may be wrong, but not by more
	queriesPerSec = 10
	queriesBurst  = 30
	quotasMax     = 1024
	printsMax     = 100 // that wait for a device, of a terminal: the queue is for documents

	refusalsBurst  = 50 // lines of the log about one terminal
	refusalsPerSec = 1
)

// desk takes the commands of one link: in order for a terminal, side by side
// for several.
type desk struct {
	d        *Daemon
	s        *station
	ctx      context.Context // ends with the service of the link
	shards   []chan func()
	managing chan struct{}
	group    sync.WaitGroup

	mu      sync.Mutex
	quotas  map[string]*quota
	lines   map[string]*refusals
	cleared map[string]int // topics whose clearing we have published and not heard yet
}

func newDesk(ctx context.Context, d *Daemon, s *station) *desk {
	k := &desk{d: d, s: s, ctx: ctx, quotas: map[string]*quota{}, lines: map[string]*refusals{}, cleared: map[string]int{}, managing: make(chan struct{}, manageMax)}
	for range deskShards {
		shard, p := make(chan func(), deskQueue), d.pulses.join("intake "+s.name)
		k.shards = append(k.shards, shard)
		k.group.Go(func() { k.work(shard, p) })
	}
	return k
}

func (k *desk) work(shard <-chan func(), p *pulse) {
	defer p.rest()
	for {
		p.rest()
		select {
		case f := <-shard:
			p.within(turnMax)
			f()
		case <-k.ctx.Done():
			return
		}
	}
}

func (k *desk) wait() { k.group.Wait() }

// put queues f behind what the same terminal sent before.
func (k *desk) put(name string, f func()) {
	h := fnv.New32a()
	h.Write([]byte(name))
	select {
	case k.shards[h.Sum32()%deskShards] <- f:
	case <-k.ctx.Done(): // not acknowledged: the broker brings it again
	}
}

// command takes one command. It is acknowledged to the broker only when it is
// stored, or answered with a refusal.
func (k *desk) command(topic mqtt.Topic, in mqtt.Incoming) {
	arrived := time.Now()
	k.put(topic.Name, func() {
		if err := k.take(topic.Name, topic.Verb, in, arrived); err != nil {
			k.d.fail(err) // not stored, not acknowledged: the broker brings it again
			return
		}
		in.Ack()
	})
}

// take decides about one command. The error is the store's.
func (k *desk) take(terminal, verb string, in mqtt.Incoming, arrived time.Time) error {
	if k.ownClearing(in) {
		return nil
	}
	c, refusal := mqtt.DecodeCommand(verb, in.Payload)
	if right := k.mayUse(terminal, verb); right != nil {
		refusal = right
	}
	if in.Retained {
		return k.retained(terminal, verb, in.Topic, c, refusal)
	}
	if refusal != nil {
		k.refuse(terminal, verb, c.ID, refusal)
		return nil
	}
	if c.Verb.Journalled() {
		return k.accept(terminal, c, arrived)
	}
	switch {
	case !c.Exp.IsZero() && arrived.After(c.Exp):
		k.refuse(terminal, verb, c.ID, fiscal.Refuse(fiscal.CodeExpired, "exp", c.Exp.Format(time.RFC3339)))
	case !k.allow(terminal, arrived):
		k.refuse(terminal, verb, c.ID, fiscal.Refuse(fiscal.CodeBusy, "", "too many questions a second"))
	case c.Verb.Class() == fiscal.ClassControl:
		return k.cancel(terminal, c, arrived)
	default:
		k.query(terminal, c)
	}
	return nil
}

// retained refuses a command that the broker had kept, and removes it there:
// it would come again with each subscription. One that was taken when it was
// sent keeps its answer: a refusal would contradict it.
func (k *desk) retained(terminal, verb, topic string, c mqtt.Command, refusal *fiscal.Error) error {
	k.clearRetained(topic)
	if refusal == nil && c.Verb.Journalled() {
		known, found, err := k.d.journal.byID(c.ID)
		if err != nil {
			return err
		}
		if found && known.Hash == c.Hash {
			k.d.tell(k.s, k.d.resultTopic(terminal, verb), mqtt.EncodeAnswer(known, true))
			return nil
		}
	}
	k.refuse(terminal, verb, c.ID, fiscal.Refuse(fiscal.CodeRetained, "", "commands are never retained"))
	return nil
}

// clearRetained removes a retained message from the broker.
func (k *desk) clearRetained(topic string) {
	k.mu.Lock()
	k.cleared[topic]++
	k.mu.Unlock()
	k.d.send(k.s, topic, nil, true)
}

// ownClearing tells the empty message by which we cleared a topic, which our
// own subscription brings back, from an empty message of somebody else.
func (k *desk) ownClearing(in mqtt.Incoming) bool {
	if len(in.Payload) > 0 {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch n := k.cleared[in.Topic]; n {
	case 0:
		return false
	case 1:
		delete(k.cleared, in.Topic)
	default:
		k.cleared[in.Topic]--
	}
	return true
}

func (k *desk) refuse(terminal, verb, id string, refusal *fiscal.Error) {
	k.d.denied.refused(terminal, refusal.Code)
	if before, ok := k.sparing(terminal, time.Now()); ok {
		k.d.log.Info("refused", "terminal", terminal, "verb", verb, "id", id, "why", refusal.Error(), "before", before)
	}
	k.d.tell(k.s, k.d.resultTopic(terminal, verb), mqtt.EncodeRefusal(id, fiscal.Verb(verb), refusal))
}

// accept stores a command that the journal keeps. Only acceptance binds an id;
// what is known is answered whatever the time and the configuration say now.
func (k *desk) accept(terminal string, c mqtt.Command, arrived time.Time) error {
	if known, found, err := k.d.journal.byID(c.ID); err != nil {
		return err
	} else if found {
		return k.repeated(terminal, c, known)
	}
	r, refusal := k.record(terminal, c, arrived)
	if ofKassad(c.ID) {
		refusal = fiscal.Refuse(fiscal.CodeBadValue, "id", autoClose+" and "+autoOpen+" begin the ids of automatic documents")
	}
	if late := timely(c, arrived); late != nil {
		refusal = late
	}
	if refusal == nil {
		var err error
		if refusal, err = k.crowded(r); err != nil {
			return err
		}
	}
	if refusal != nil {
		k.refuse(terminal, string(c.Verb), c.ID, refusal)
		return nil
	}
	stored, how, err := k.d.journal.accept(r)
	switch {
	case refuseFull(err) != nil:
		k.refuse(terminal, string(c.Verb), c.ID, refuseFull(err))
		k.d.watchRoom()
	case errors.Is(err, spool.ErrInvalid):
		k.refuse(terminal, string(c.Verb), c.ID, fiscal.Refuse(fiscal.CodeBadValue, "", err.Error()))
	case err != nil:
		return err
	case how == spool.New:
		stored.Timing.Durable = time.Since(arrived)
		k.d.handOver(stored)
	case how == spool.Busy:
		k.refuse(terminal, string(c.Verb), c.ID, fiscal.Refuse(fiscal.CodeBusy, "", "the device's queue is full"))
	case how == spool.Duplicate, how == spool.Conflict: // it came by another link meanwhile
		return k.repeated(terminal, c, stored)
	}
	return nil
}

// crowded refuses a print of a terminal that has too many waiting.
func (k *desk) crowded(r fiscal.Record) (*fiscal.Error, error) {
	if r.Verb.Class() != fiscal.ClassPrint {
		return nil, nil
	}
	n, err := k.d.journal.printsWaiting(r.Device, r.Terminal)
	if err != nil || n < printsMax {
		return nil, err
	}
	return fiscal.Refuse(fiscal.CodeBusy, "", fmt.Sprintf("%d prints of this terminal wait already", n)), nil
}

// repeated answers an id that is known: the same to the same command, on every
// link and from every terminal that it comes by. Who sends all of it knows what
// was sold; a till that was replaced and has another name now must not be told
// that nothing was made.
func (k *desk) repeated(terminal string, c mqtt.Command, known fiscal.Record) error {
	if known.Hash != c.Hash {
		k.refuse(terminal, string(c.Verb), c.ID, fiscal.Refuse(fiscal.CodeIDConflict, "id", "the id belongs to another command"))
		return nil
	}
	noted, found, err := k.d.journal.heard(c.ID, k.s.name)
	switch {
	case err == nil:
		known = noted
	case refuseFull(err) != nil: // that it came by this link is not noted; a repeat is
		found = true
	default:
		return err
	}
	if found { // it is: ids are kept for longer than a message travels
		k.d.tell(k.s, k.d.resultTopic(terminal, string(c.Verb)), mqtt.EncodeAnswer(known, true))
	}
	return nil
}

// timely bounds acceptance by exp and by the age of the settlement.
func timely(c mqtt.Command, now time.Time) *fiscal.Error {
	switch {
	case !c.Exp.IsZero() && now.After(c.Exp):
		return fiscal.Refuse(fiscal.CodeExpired, "exp", c.Exp.Format(time.RFC3339))
	case !c.Verb.Document():
		return nil
	case now.Sub(c.At) > keepIDs:
		return fiscal.Refuse(fiscal.CodeTooOld, "at", c.At.Format(time.RFC3339))
	case c.At.Sub(now) > futureAtMax:
		return fiscal.Refuse(fiscal.CodeBadValue, "at", "lies in the future: "+c.At.Format(time.RFC3339))
	}
	return nil
}

// record makes the journal's record of a command: the figures are resolved
// once, and the backend is chosen that can carry them.
func (k *desk) record(terminal string, c mqtt.Command, arrived time.Time) (fiscal.Record, *fiscal.Error) {
	route, refusal := k.d.routeFor(terminal, c)
	if refusal != nil {
		return fiscal.Record{}, refusal
	}
	doc, err := c.Draft.Resolve()
	if err != nil {
		return fiscal.Record{}, fiscal.AsError(err, fiscal.CodeBadValue)
	}
	doc.Key, doc.Stem = k.d.journal.key(c.ID), k.d.journal.stem(c.ID)
	w, refusal := k.d.router.choose(route, c.Verb, doc, arrived)
	if refusal != nil {
		return fiscal.Record{}, refusal
	}
	return fiscal.Record{
		ID: c.ID, Terminal: terminal, Links: []string{k.s.name}, Verb: c.Verb, Device: w.cfg.Name, Route: route.Name, Hash: c.Hash,
		AcceptedAt: arrived, WaitLeft: c.Wait, State: fiscal.Accepted, Document: doc,
	}, nil
}

// routeFor finds the route of a command: what it says, else the terminal's.
// Receipts go by the terminal's route, all else by its device (design 6); the
// default is the route of that name, or else the only device.
func (d *Daemon) routeFor(terminal string, c mqtt.Command) (RouteConfig, *fiscal.Error) {
	type choice struct {
		name string
		code fiscal.Code
	}
	t := d.cfg.Terminals[terminal]
	own := []choice{{t.Device, fiscal.CodeUnknownDevice}, {t.Route, fiscal.CodeUnknownRoute}}
	if c.Verb.Receipt() {
		slices.Reverse(own)
	}
	for _, choice := range append([]choice{{c.Device, fiscal.CodeUnknownDevice}, {c.Route, fiscal.CodeUnknownRoute}}, own...) {
		if choice.name == "" {
			continue
		}
		route, ok := d.cfg.route(choice.name)
		if !ok && choice.name == DefaultRoute && choice.code == fiscal.CodeUnknownRoute {
			continue // it need not be there
		}
		if choice.code == fiscal.CodeUnknownDevice {
			ok = d.workers[choice.name] != nil
		}
		if !ok {
			return route, fiscal.Refuse(choice.code, "", choice.name)
		}
		if !c.Verb.Receipt() && len(route.Backends) > 1 {
			continue // a shift is that of one device
		}
		return route, nil
	}
	return d.defaultRoute(c.Verb)
}

// defaultRoute is for commands that nobody has given a way.
func (d *Daemon) defaultRoute(verb fiscal.Verb) (RouteConfig, *fiscal.Error) {
	if route, ok := d.cfg.route(DefaultRoute); ok && (verb.Receipt() || len(route.Backends) == 1) {
		return route, nil
	}
	if len(d.cfg.Devices) == 1 && (len(d.workers) == 1 || !verb.Receipt()) {
		route, _ := d.cfg.route(d.cfg.Devices[0].Name)
		return route, nil
	}
	if verb.Receipt() {
		return RouteConfig{}, fiscal.Refuse(fiscal.CodeUnknownRoute, "route",
			`there are several devices: name one in the command or the terminal's config, or add a [[route]] "default"`)
	}
	return RouteConfig{}, fiscal.Refuse(fiscal.CodeUnknownDevice, "device",
		"there are several devices: name one in the command or the terminal's config")
}

// deviceFor is the device of a query.
func (d *Daemon) deviceFor(terminal string, c mqtt.Command) (string, *fiscal.Error) {
	route, refusal := d.routeFor(terminal, c)
	if refusal != nil {
		return "", refusal
	}
	return route.Backends[0], nil
}

// mayUse checks the terminal's rights. With no [terminal.*] at all, any
// terminal on a loopback broker may do everything. The head office's broker
// manages; what may sell there is not decided in the shop.
func (k *desk) mayUse(terminal, verb string) *fiscal.Error {
	terminals := k.d.cfg.Terminals
	t, known := terminals[terminal]
	free := []fiscal.Verb{fiscal.VerbQuery, fiscal.VerbSync, fiscal.VerbHello, fiscal.VerbCancel, fiscal.VerbStatus}
	switch {
	case fiscal.Verb(verb).Class() == 0:
		return fiscal.Refuse(fiscal.CodeUnknownVerb, "", verb)
	case k.s.role == RoleOffice:
		return fiscal.Refuse(fiscal.CodeNoRight, "", `terminals use a link with role = "shop"`)
	case len(terminals) == 0 && k.s.open:
		return nil
	case !known:
		return fiscal.Refuse(fiscal.CodeUnknownTerminal, "", terminal)
	case slices.Contains(t.Rights, "*"), slices.Contains(t.Rights, verb), slices.Contains(free, fiscal.Verb(verb)):
		return nil
	}
	return fiscal.Refuse(fiscal.CodeNoRight, "", terminal+" has no right to "+verb)
}

// lossInMind is how long after the loss of a journal a command may still be one
// of before, where late_after does not say.
const lossInMind = 24 * time.Hour

// cancel takes a command back that is not begun, or bars one that was never
// seen.
func (k *desk) cancel(terminal string, c mqtt.Command, now time.Time) error {
	target, err := k.d.journal.cancel(c.Target, terminal, now)
	refusal := (*fiscal.Error)(nil)
	switch {
	case err == nil:
		k.d.handOver(target)
	case errors.As(err, &refusal) && refusal.Code == fiscal.CodeNotFound && ofKassad(c.Target):
		k.refuse(terminal, string(c.Verb), c.ID, fiscal.Refuse(fiscal.CodeNoRight, "id", "an automatic document cannot be barred"))
		return nil
	case errors.As(err, &refusal) && refusal.Code == fiscal.CodeNotFound:
		err := k.d.journal.tombstone(c.Target, now, cmp.Or(time.Duration(k.d.cfg.LateAfter), lossInMind))
		switch {
		case errors.Is(err, spool.ErrSeen): // it has arrived meanwhile
			return k.cancel(terminal, c, now)
		case errors.As(err, &refusal) && refusal.Code == fiscal.CodeNotBegunOnly:
			k.refuse(terminal, string(c.Verb), c.ID, refusal)
			return nil
		case refuseFull(err) != nil:
			k.refuse(terminal, string(c.Verb), c.ID, refuseFull(err))
			return nil
		case err != nil:
			return err
		}
	case refuseFull(err) != nil:
		k.refuse(terminal, string(c.Verb), c.ID, refuseFull(err))
		return nil
	case refusal != nil && target.State == fiscal.Cancelled: // a repeat of what has worked
	case refusal != nil:
		k.refuse(terminal, string(c.Verb), c.ID, refusal)
		return nil
	default:
		return err
	}
	k.d.tell(k.s, k.d.resultTopic(terminal, string(c.Verb)), mqtt.EncodeDone(c.ID, c.Verb))
	return nil
}

// refusals bounds the lines of the log about one terminal: a line for each at
// first, then one a second.
type refusals struct {
	quota
	before int // left out since the last line
}

// sparing tells whether to write of a refusal, and how many were left out.
func (k *desk) sparing(terminal string, now time.Time) (before int, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.lines[terminal]
	if r == nil {
		if len(k.lines) >= quotasMax {
			clear(k.lines)
		}
		r = &refusals{quota: quota{tokens: refusalsBurst, last: now}}
		k.lines[terminal] = r
	}
	if !r.take(now, refusalsBurst, refusalsPerSec) {
		r.before++
		return 0, false
	}
	before, r.before = r.before, 0
	return before, true
}

// quota is a token bucket for queries and cancels.
type quota struct {
	tokens float64
	last   time.Time
}

// allow tells whether a terminal may ask once more.
func (k *desk) allow(terminal string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	q := k.quotas[terminal]
	if q == nil {
		if len(k.quotas) >= quotasMax { // names are the stranger's choice
			clear(k.quotas)
		}
		q = &quota{tokens: queriesBurst, last: now}
		k.quotas[terminal] = q
	}
	return q.take(now, queriesBurst, queriesPerSec)
}

func (q *quota) take(now time.Time, burst, perSec float64) bool {
	q.tokens = min(burst, q.tokens+now.Sub(q.last).Seconds()*perSec)
	q.last = now
	if q.tokens < 1 {
		return false
	}
	q.tokens--
	return true
}
