package daemon

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// Limits of queries.
const (
	queryTimeout = 20 * time.Second // a device may be at work on a receipt
	statusWait   = 2 * time.Second  // then the last reading answers
	syncPage     = 50               // final answers in one message

	manageMax      = 16         // management requests of a link at once
	manageBytesMax = 256 * 1024 // of an answer, as of any payload
)

// query answers from the present: nothing is journalled, and a lost answer is
// asked for again.
func (k *desk) query(terminal string, c mqtt.Command) {
	ctx, cancel := context.WithTimeout(k.ctx, queryTimeout)
	answer := func() {
		defer cancel()
		payload, err := k.answerQuery(ctx, terminal, c)
		if err != nil {
			k.refuse(terminal, string(c.Verb), c.ID, fiscal.AsError(err, fiscal.CodePrinterAway))
			return
		}
		k.d.tell(k.s, k.d.resultTopic(terminal, string(c.Verb)), payload)
	}
	switch c.Verb {
	case fiscal.VerbCounters, fiscal.VerbDocument, fiscal.VerbStatus:
		k.group.Go(answer) // the device may be busy; the terminal's next sale need not wait
	default:
		answer()
	}
}

func (k *desk) answerQuery(ctx context.Context, terminal string, c mqtt.Command) ([]byte, error) {
	d := k.d
	switch c.Verb {
	case fiscal.VerbHello:
		return mqtt.EncodeHello(c.ID, d.hello(terminal)), nil
	case fiscal.VerbQuery:
		r, found, err := d.journal.byID(c.Target)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fiscal.Refuse(fiscal.CodeNotFound, "body.id", c.Target)
		}
		if r.Terminal != terminal {
			return nil, fiscal.Refuse(fiscal.CodeNoRight, "body.id", "the command is another terminal's")
		}
		return mqtt.EncodeQuery(c.ID, r), nil
	case fiscal.VerbSync:
		return d.sync(terminal, c)
	}
	device, refusal := d.deviceFor(terminal, c)
	if refusal != nil {
		return nil, refusal
	}
	return d.workers[device].answer(ctx, c, d)
}

// answer asks the device, between documents.
func (w *worker) answer(ctx context.Context, c mqtt.Command, d *Daemon) ([]byte, error) {
	name := w.cfg.Name
	if !w.can[c.Verb] {
		return nil, fiscal.Refuse(fiscal.CodeUnsupported, "", name+" cannot "+string(c.Verb))
	}
	switch c.Verb {
	case fiscal.VerbStatus:
		soon, cancel := context.WithTimeout(ctx, statusWait)
		defer cancel()
		_, busy := ask(soon, w, func(ctx context.Context) (struct{}, error) { w.look(ctx); return struct{}{}, nil })
		state := d.deviceState(name)
		state.Busy = state.Busy || busy != nil
		return mqtt.EncodeStatus(c.ID, name, state), nil
	case fiscal.VerbDocument:
		doc, err := ask(ctx, w, func(ctx context.Context) (fiscal.ArchivedDocument, error) {
			return w.backend.(fiscal.DocumentReader).ReadDocument(ctx, c.FD)
		})
		return mqtt.EncodeDocument(c.ID, name, doc), err
	default:
		counters, err := ask(ctx, w, w.counters)
		if err != nil {
			return nil, err
		}
		return mqtt.EncodeCounters(c.ID, name, *counters), nil
	}
}

func (d *Daemon) hello(terminal string) mqtt.Hello {
	t := d.cfg.Terminals[terminal]
	h := mqtt.Hello{
		Time: mqtt.Instant(time.Now()), Version: d.opt.Version, Contract: []int{1}, Node: d.topics.Root(), Terminal: terminal,
		Rights: t.Rights, Route: t.Route, Device: t.Device, Limits: d.limits(),
	}
	if len(d.cfg.Terminals) == 0 {
		h.Rights = []string{"*"}
	}
	sort.Strings(h.Rights)
	return h
}

// sync lists the terminal's final answers after a time or a number, in order.
func (d *Daemon) sync(terminal string, c mqtt.Command) ([]byte, error) {
	var finals []fiscal.Record
	err := d.spool.View(func(tx *spool.Tx) error {
		var err error
		if c.Since.At.IsZero() {
			finals, err = tx.FinalsSince(terminal, c.Since.Seq, syncPage+1)
		} else {
			finals, err = tx.FinalsSinceTime(terminal, c.Since.At, syncPage+1)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var next uint64
	if len(finals) > syncPage {
		finals = finals[:syncPage]
		next = finals[syncPage-1].FinalSeq
	}
	return mqtt.EncodeSync(c.ID, finals, next), nil
}

// request carries out a management request of a link.
func (k *desk) request(topic mqtt.Topic, in mqtt.Incoming) {
	in.Ack() // management is not journalled: a lost answer is asked for again
	if k.ownClearing(in) {
		return
	}
	op := topic.Verb
	select {
	case k.managing <- struct{}{}:
	default:
		req, _ := mqtt.DecodeManage(in.Payload)
		refusal := fiscal.Refuse(fiscal.CodeBusy, "", "too many management requests at once")
		k.refusedManage(op, req, in, refusal)
		k.d.tell(k.s, k.d.topics.Response(op), mqtt.EncodeRefusal(req.ID, fiscal.Verb(op), refusal))
		return
	}
	k.group.Go(func() {
		defer func() { <-k.managing }()
		req, result, refusal := k.manage(op, in)
		payload := []byte(nil)
		if refusal == nil {
			if payload = mqtt.EncodeManage(req.ID, op, result); len(payload) > manageBytesMax {
				refusal = fiscal.Refuse(fiscal.CodeTooLarge, "", "the answer does not fit into a message: ask for less, or kassad on the computer itself")
			}
		}
		if refusal != nil {
			payload = mqtt.EncodeRefusal(req.ID, fiscal.Verb(op), refusal)
		}
		k.d.tell(k.s, k.d.topics.Response(op), payload)
		k.d.afterAnswer(op, refusal)
	})
}

// manage checks a request and carries it out. Every call is in the audit
// stream: the refused ones, and those that say nothing readable.
func (k *desk) manage(op string, in mqtt.Incoming) (req mqtt.ManageRequest, result any, refusal *fiscal.Error) {
	req, refusal = mqtt.DecodeManage(in.Payload)
	switch {
	case in.Retained:
		k.clearRetained(in.Topic)
		refusal = fiscal.Refuse(fiscal.CodeRetained, "", "requests are never retained")
	case refusal != nil:
	case !req.Exp.IsZero() && time.Now().After(req.Exp):
		refusal = fiscal.Refuse(fiscal.CodeExpired, "exp", "")
	default:
		if refusal = k.mayManage(op, req, in); refusal == nil {
			ctx, cancel := context.WithTimeout(k.ctx, manageTimeout(op))
			defer cancel()
			result, refusal = k.d.manage(ctx, op, req.By, k.s.name, req.Body)
			return req, result, refusal
		}
	}
	k.refusedManage(op, req, in, refusal)
	k.d.audit(mqtt.AuditEvent{Op: op, By: req.By, Via: k.s.name, Outcome: string(refusal.Code)})
	return req, nil, refusal
}

// mayManage lets in an office link, or a person named in the configuration. On
// the embedded broker with users the name must be who has logged in.
func (k *desk) mayManage(op string, req mqtt.ManageRequest, in mqtt.Incoming) *fiscal.Error {
	if !slices.Contains(Operations, op) {
		return fiscal.Refuse(fiscal.CodeUnknownVerb, "op", fmt.Sprintf("operations are %v", Operations))
	}
	if k.s.role == RoleOffice {
		return nil
	}
	m, known := k.d.cfg.Managers[req.By]
	if !known {
		return fiscal.Refuse(fiscal.CodeNoRight, "by", "management needs an office link or a name of [manager.*]")
	}
	if k.s.embedded && k.d.cfg.Broker.UsersFile != "" {
		user, ok := k.d.broker.Publisher(in.Topic, in.Payload)
		if !ok || user != req.By {
			return fiscal.Refuse(fiscal.CodeNoRight, "by", "the name is not who has logged in")
		}
	}
	if slices.Contains(m.Ops, "*") || slices.Contains(m.Ops, op) {
		return nil
	}
	return fiscal.Refuse(fiscal.CodeNoRight, "by", req.By+" has no right to "+op)
}

// resultTopic is where a command is answered. A verb of no table was a valid
// topic level all the same.
func (d *Daemon) resultTopic(terminal, verb string) string { return d.topics.Result(terminal, verb) }
