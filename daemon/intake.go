package daemon

import (
	"context"
	"errors"
	"hash/fnv"
	"net"
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
)

// desk takes the commands of one link: in order for a terminal, side by side
// for several.
type desk struct {
	d      *Daemon
	s      *station
	shards []chan func()
	group  sync.WaitGroup

	mu     sync.Mutex
	quotas map[string]*quota
}

func newDesk(ctx context.Context, d *Daemon, s *station) *desk {
	k := &desk{d: d, s: s, quotas: map[string]*quota{}}
	for range deskShards {
		shard := make(chan func(), deskQueue)
		k.shards = append(k.shards, shard)
		k.group.Go(func() {
			for {
				select {
				case f := <-shard:
					f()
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return k
}

func (k *desk) wait() { k.group.Wait() }

// put queues f behind what the same terminal sent before.
func (k *desk) put(name string, f func()) {
	h := fnv.New32a()
	h.Write([]byte(name))
	k.shards[h.Sum32()%deskShards] <- f
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
	if in.Retained {
		k.clearRetained(in.Topic)
		k.refuse(terminal, verb, "", fiscal.Refuse(fiscal.CodeRetained, "", "commands are never retained"))
		return nil
	}
	c, refusal := mqtt.DecodeCommand(verb, in.Payload)
	if right := k.d.mayUse(terminal, verb); right != nil {
		refusal = right
	}
	if refusal != nil {
		k.refuse(terminal, verb, c.ID, refusal)
		return nil
	}
	switch c.Verb.Class() {
	case fiscal.ClassQuery:
		k.query(terminal, c)
		return nil
	case fiscal.ClassControl:
		return k.cancel(terminal, c, arrived)
	default:
		return k.accept(terminal, c, arrived)
	}
}

// clearRetained removes a retained command from the broker, where it would
// come again with each subscription.
func (k *desk) clearRetained(topic string) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), tellTimeout)
		defer cancel()
		if err := k.s.link.Publish(ctx, topic, nil, true); err != nil {
			k.d.log.Warn("retained command not cleared", "topic", topic, "err", err)
		}
	}()
}

func (k *desk) refuse(terminal, verb, id string, refusal *fiscal.Error) {
	k.d.log.Info("refused", "terminal", terminal, "verb", verb, "id", id, "why", refusal.Error())
	k.d.tell(k.s, k.d.resultTopic(terminal, verb), mqtt.EncodeRefusal(id, fiscal.Verb(verb), refusal))
}

// accept stores a command that the journal keeps.
func (k *desk) accept(terminal string, c mqtt.Command, arrived time.Time) error {
	known, found, err := k.d.journal.byID(c.ID)
	if err != nil {
		return err
	}
	if !found { // only acceptance binds an id; what is known is answered whatever the time
		if refusal := timely(c, arrived); refusal != nil {
			k.refuse(terminal, string(c.Verb), c.ID, refusal)
			return nil
		}
	} else if known.Hash != c.Hash {
		k.refuse(terminal, string(c.Verb), c.ID, fiscal.Refuse(fiscal.CodeIDConflict, "id", "the id belongs to another command"))
		return nil
	}
	r, refusal := k.record(terminal, c, arrived)
	if refusal != nil && !found {
		k.refuse(terminal, string(c.Verb), c.ID, refusal)
		return nil
	}
	if found {
		r.Device, r.Hash = known.Device, known.Hash
	}
	stored, how, err := k.d.journal.accept(r)
	if err != nil {
		if errors.Is(err, spool.ErrInvalid) {
			k.refuse(terminal, string(c.Verb), c.ID, fiscal.Refuse(fiscal.CodeBadValue, "", err.Error()))
			return nil
		}
		return err
	}
	switch how {
	case spool.New:
		stored.Timing.Durable = time.Since(arrived)
		k.d.counts.accepted.Add(1)
		k.d.handOver(stored)
		k.d.spoolChanged()
	case spool.Duplicate:
		k.d.tell(k.s, k.d.resultTopic(terminal, string(c.Verb)), mqtt.EncodeAnswer(stored, true))
	case spool.Conflict:
		k.refuse(terminal, string(c.Verb), c.ID, fiscal.Refuse(fiscal.CodeIDConflict, "id", "the id belongs to another command"))
	case spool.Busy:
		k.refuse(terminal, string(c.Verb), c.ID, fiscal.Refuse(fiscal.CodeBusy, "", "the device's queue is full"))
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

// record makes the journal's record of a command: the device is chosen, and
// the figures are resolved once.
func (k *desk) record(terminal string, c mqtt.Command, arrived time.Time) (fiscal.Record, *fiscal.Error) {
	device, refusal := k.d.deviceFor(terminal, c)
	if refusal != nil {
		return fiscal.Record{}, refusal
	}
	doc, err := c.Draft.Resolve()
	if err != nil {
		return fiscal.Record{}, fiscal.AsError(err, fiscal.CodeBadValue)
	}
	doc.Key = k.d.journal.key(c.ID)
	w := k.d.workers[device]
	if !w.can[c.Verb] {
		return fiscal.Record{}, fiscal.Refuse(fiscal.CodeUnsupported, "", device+" cannot "+string(c.Verb))
	}
	if info := k.d.view(device).Info; info != nil {
		if err := doc.CheckDevice(*info); err != nil {
			return fiscal.Record{}, fiscal.AsError(err, fiscal.CodeUnsupported)
		}
	}
	return fiscal.Record{
		ID: c.ID, Terminal: terminal, Links: []string{k.s.name}, Verb: c.Verb, Device: device, Route: device, Hash: c.Hash,
		AcceptedAt: arrived, WaitLeft: c.Wait, State: fiscal.Accepted, Document: doc,
	}, nil
}

// deviceFor chooses the register: what the command says, else the terminal's,
// else the only one (design 6).
func (d *Daemon) deviceFor(terminal string, c mqtt.Command) (string, *fiscal.Error) {
	t := d.cfg.Terminals[terminal]
	for _, choice := range []struct {
		name string
		code fiscal.Code
	}{{c.Device, fiscal.CodeUnknownDevice}, {c.Route, fiscal.CodeUnknownRoute}, {t.Device, fiscal.CodeUnknownDevice}, {t.Route, fiscal.CodeUnknownRoute}} {
		if choice.name == "" || choice.code == fiscal.CodeUnknownRoute && choice.name == DefaultRoute {
			continue
		}
		if d.workers[choice.name] == nil {
			return "", fiscal.Refuse(choice.code, "", choice.name)
		}
		return choice.name, nil
	}
	if len(d.workers) > 1 {
		return "", fiscal.Refuse(fiscal.CodeUnknownDevice, "device", "there are several devices: name one in the command or the terminal's config")
	}
	return d.cfg.Devices[0].Name, nil
}

// mayUse checks the terminal's rights. With no [terminal.*] at all, any
// terminal on the loopback broker may do everything.
func (d *Daemon) mayUse(terminal, verb string) *fiscal.Error {
	if fiscal.Verb(verb).Class() == 0 {
		return fiscal.Refuse(fiscal.CodeUnknownVerb, "", verb)
	}
	if len(d.cfg.Terminals) == 0 && d.openToAll() {
		return nil
	}
	t, known := d.cfg.Terminals[terminal]
	if !known {
		return fiscal.Refuse(fiscal.CodeUnknownTerminal, "", terminal)
	}
	free := []fiscal.Verb{fiscal.VerbQuery, fiscal.VerbSync, fiscal.VerbHello, fiscal.VerbCancel, fiscal.VerbStatus}
	if slices.Contains(t.Rights, "*") || slices.Contains(t.Rights, verb) || slices.Contains(free, fiscal.Verb(verb)) {
		return nil
	}
	return fiscal.Refuse(fiscal.CodeNoRight, "", terminal+" has no right to "+verb)
}

// openToAll tells whether only programs on this computer can reach a link.
func (d *Daemon) openToAll() bool {
	if host, _, err := net.SplitHostPort(d.cfg.Broker.Listen); d.cfg.Broker.Enabled && (err != nil || !isLoopback(host)) {
		return false
	}
	for _, l := range d.cfg.MQTT {
		if !loopbackURL(l.URL) {
			return false
		}
	}
	return true
}

// cancel takes a command back that is not begun, or bars one that was never
// seen.
func (k *desk) cancel(terminal string, c mqtt.Command, now time.Time) error {
	target, err := k.d.journal.cancel(c.Target, terminal, now)
	refusal := (*fiscal.Error)(nil)
	switch {
	case err == nil:
		k.d.handOver(target)
		k.d.spoolChanged()
	case errors.As(err, &refusal) && refusal.Code == fiscal.CodeNotFound:
		if err := k.d.journal.tombstone(c.Target, now); err != nil && !errors.Is(err, spool.ErrSeen) {
			return err
		} else if err != nil {
			return k.cancel(terminal, c, now) // it has arrived meanwhile
		}
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

// quota is a token bucket for queries.
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
		q = &quota{tokens: queriesBurst, last: now}
		k.quotas[terminal] = q
	}
	q.tokens = min(queriesBurst, q.tokens+now.Sub(q.last).Seconds()*queriesPerSec)
	q.last = now
	if q.tokens < 1 {
		return false
	}
	q.tokens--
	return true
}
