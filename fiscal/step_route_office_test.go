package fiscal

import (
	"errors"
	"slices"
	"strconv"
	"time"
)

var (
	errAway    = errors.New("no answer")
	noWay      = Fail(OutcomeUnreachable, CodeCloudAway, errAway)
	noAnswer   = Fail(OutcomeUnknown, CodeCloudAway, errAway)
	noPrinter  = Fail(OutcomeUnreachable, CodePrinterAway, errAway)
	noReply    = Fail(OutcomeUnknown, CodePrinterAway, errAway)
	cloudFault = Fail(OutcomeUnknown, CodeCloudFault, errAway)
)

// register is a printer whose storage is searched for our mark.
type register struct {
	shop    *shop
	ledger  []paper
	working bool // on our document
}

func (g *register) papers() []paper { return g.ledger }
func (g *register) lied() int       { return 0 }

func (g *register) live(but attempt) bool { return g.working && but.device != "printer" }

func (g *register) print() paper {
	p := paper{device: "printer", storage: "fn", fd: uint32(10 + len(g.ledger)), key: "mark"}
	g.ledger = append(g.ledger, p)
	g.working = false
	return p
}

func (g *register) goOn() bool {
	if !g.working {
		return false
	}
	if g.shop.chance("off and on") {
		g.working = false
	} else {
		g.print()
	}
	return true
}

func (g *register) settle() { g.goOn() }

func (g *register) prepare(Record) Event {
	switch g.shop.fault("printer: prepare", 4) {
	case 1:
		return Event{Kind: EventPrepareFail, Err: noPrinter}
	case 2:
		return Event{Kind: EventPrepareFail, Err: Refuse(CodePaperOut, "", "")}
	}
	switch {
	case g.working:
		return Event{Kind: EventPrepareFail, Err: Refuse(CodePrinterBusy, "", "")}
	case len(g.ledger) > 0: // our mark is found before anything is begun (design 5.9)
		return Event{Kind: EventRecovered, Receipt: g.receipt(g.ledger[0])}
	}
	return Event{Kind: EventPrepared, Baseline: Baseline{Device: "serial", Storage: "fn", LastFD: uint32(9 + len(g.ledger))}}
}

func (g *register) receipt(p paper) Receipt {
	r := p.receipt(false)
	r.Kind, r.Device = string(VerbSale), "serial"
	return r
}

func (g *register) submit(Record) Event {
	failed := func(err *Error) Event { return Event{Kind: EventSubmitFail, Err: err} }
	switch g.shop.fault("printer: submit", 7) {
	case 1:
		return failed(noReply)
	case 2:
		g.print()
		return failed(noReply)
	case 3:
		g.working = true
		return failed(noReply)
	case 4:
		return failed(Refuse(CodePaperOut, "", ""))
	case 5:
		return failed(Refuse([...]Code{CodePaperOut, CodeDeviceRefused}[g.shop.choose("content", 2)], "", ""))
	case 6:
		return failed(noPrinter)
	}
	return Event{Kind: EventSubmitted, Receipt: g.receipt(g.print())}
}

func (g *register) find(r Record) Event {
	switch g.shop.fault("printer: find", 3) {
	case 1:
		return Event{Kind: EventFindFail, Err: noPrinter}
	case 2:
		return Event{Kind: EventVerdict, Verdict: Verdict{Finding: Busy}}
	}
	i := slices.IndexFunc(g.ledger, func(p paper) bool { return p.fd > r.Baseline.LastFD })
	v := Verdict{Finding: Absent}
	switch {
	case g.working:
		v.Finding = Busy
	case i >= 0:
		v.Finding, v.Receipt = Made, g.receipt(g.ledger[i])
	default:
		delete(g.shop.open, at(r))
	}
	return Event{Kind: EventVerdict, Verdict: v}
}

func (g *register) reload(Record) Event {
	return Event{Kind: EventReloaded, Err: Refuse(CodeUnsupported, "", "")}
}

// order is a document as a cloud has it.
type order struct {
	key, ticket string
	since       time.Time
	state       Finding // Pending, Failed or Made
	curable     bool    // Reload may mend it
	missing     bool    // whoever asks is told 404
}

// service is a cloud. The same key is the same document, for as long as it
// knows the key. One calls back, the other is asked.
type service struct {
	shop   *shop
	name   string
	tells  bool
	next   uint32
	orders []*order
	wire   []string // requests on their way, by key
	post   []Event  // callbacks on their way
	ledger []paper
	lies   int
}

func (c *service) papers() []paper { return c.ledger }
func (c *service) lied() int       { return c.lies }

func (c *service) live(but attempt) bool {
	for _, key := range c.wire {
		if (attempt{c.name, key}) != but && c.order(key) == nil { // a known key makes nothing new
			return true
		}
	}
	return slices.ContainsFunc(c.orders, func(o *order) bool {
		return o.state == Pending && (attempt{c.name, o.key}) != but
	})
}

func (c *service) prepare(r Record) Event {
	return Event{Kind: EventPrepared, Baseline: Baseline{Device: c.name, Cloud: &CloudCall{Key: r.Document.CloudKey()}}}
}

// order finds the document of a key that is still known.
func (c *service) order(key string) *order {
	for _, o := range c.orders {
		if o.key == key && (c.shop.set.jumps || c.shop.now.Sub(o.since) < keyLife) {
			return o
		}
	}
	return nil
}

// accept takes a request: a known key is the document that is there.
func (c *service) accept(key string) *order {
	if o := c.order(key); o != nil {
		return o
	}
	o := &order{key: key, ticket: c.name + "-" + strconv.Itoa(len(c.orders)), since: c.shop.now, state: Pending}
	o.missing = !c.tells && c.shop.fault(c.name+": missing", 12) == 11
	c.orders = append(c.orders, o)
	return o
}

// request is one sending of a request, and its answer: a ticket or an error.
func (c *service) request(key string) (string, *Error) {
	switch c.shop.fault(c.name+": request", 9) {
	case 1: // lost
		return "", noAnswer
	case 2: // the answer is lost
		c.accept(key)
		return "", noAnswer
	case 3: // slow
		c.wire = append(c.wire, key)
		return "", noAnswer
	case 4:
		return "", cloudFault
	case 5:
		c.accept(key)
		return "", cloudFault
	case 6: // refused, whatever became of the one before
		return "", Refuse([...]Code{CodeCloudAccount, CodeCloudAccount, CodeDeviceRefused}[c.shop.choose("content", 3)], "", "")
	case 7:
		c.wire = append(c.wire, key)
		return "", cloudFault
	case 8:
		return "", noWay
	}
	return c.accept(key).ticket, nil
}

func (c *service) submit(r Record) Event {
	ticket, err := c.request(r.Baseline.Cloud.Key)
	if err != nil {
		return Event{Kind: EventSubmitFail, Err: err}
	}
	return Event{Kind: EventSubmitted, Receipt: Receipt{Ticket: ticket}}
}

func (c *service) find(r Record) Event {
	if r.Ticket == "" {
		ticket, err := c.request(r.Baseline.Cloud.Key)
		if err != nil {
			return Event{Kind: EventFindFail, Err: err}
		}
		return Event{Kind: EventVerdict, Verdict: Verdict{Finding: Pending, Receipt: Receipt{Ticket: ticket}}}
	}
	o := c.byTicket(r.Ticket)
	pending := Verdict{Finding: Pending, Receipt: Receipt{Ticket: r.Ticket}}
	switch {
	case c.tells:
		return Event{Kind: EventVerdict, Verdict: pending}
	case o == nil || o.missing:
		pending.Err = &Error{Code: CodeCloudPending, Vendor: "404"}
		return Event{Kind: EventVerdict, Verdict: pending}
	}
	switch c.shop.fault(c.name+": find", 4) {
	case 1:
		return Event{Kind: EventFindFail, Err: noWay}
	case 2:
		return Event{Kind: EventFindFail, Err: Refuse(CodeCloudAccount, "", "")}
	case 3:
		pending.Err = &Error{Code: CodeCloudPending, Vendor: "paper"}
		return Event{Kind: EventVerdict, Verdict: pending}
	}
	v := c.verdict(o, false)
	c.refute(o.key, v)
	return Event{Kind: EventVerdict, Verdict: v}
}

func (c *service) byTicket(ticket string) *order {
	for _, o := range c.orders {
		if o.ticket == ticket {
			return o
		}
	}
	return nil
}

// reload reads the status first, and does nothing with what has not failed.
func (c *service) reload(r Record) Event {
	if c.tells {
		return Event{Kind: EventReloaded, Err: Refuse(CodeUnsupported, "", "")}
	}
	switch c.shop.fault(c.name+": reload", 4) {
	case 1:
		return Event{Kind: EventReloaded, Err: noWay}
	case 2:
		return Event{Kind: EventReloaded, Err: Refuse(CodeCloudAccount, "", "")}
	}
	again := Event{Kind: EventReloaded}
	if o := c.byTicket(r.Ticket); o != nil && o.state == Failed {
		o.state = Pending
		c.shop.open[attempt{c.name, o.key}] = true
		delete(c.shop.refuted, attempt{c.name, o.key})
		if c.shop.fault(c.name+": reloaded", 3) == 2 { // and the answer is lost
			again.Err = noAnswer
		}
	}
	return again
}
