package fiscal

import "slices"

// verdict is what the service says of an order now.
func (c *service) verdict(o *order, bare bool) Verdict {
	v := Verdict{Finding: o.state, Receipt: Receipt{Ticket: o.ticket}}
	switch o.state {
	case Failed:
		v.Err, v.Reload = &Error{Code: CodeCloudFailed, Vendor: "1"}, o.curable
	case Made:
		i := slices.IndexFunc(c.ledger, func(p paper) bool { return p.ticket == o.ticket })
		v.Receipt = c.ledger[i].receipt(bare)
	}
	return v
}

// refute notes that the service says of an attempt that it has failed.
func (c *service) refute(key string, v Verdict) {
	if of := (attempt{c.name, key}); v.Finding == Failed {
		c.shop.refuted[of] = true
		delete(c.shop.open, of)
	}
}

// tell notes the document that a callback names.
func (c *service) tell(v Verdict) {
	for _, p := range c.ledger {
		if v.Finding == Made && p.is(v.Receipt) && !slices.Contains(c.shop.told, p) {
			c.shop.told = append(c.shop.told, p)
		}
	}
}

// make ends an order with a document.
func (c *service) make(o *order) {
	if o.state == Failed {
		c.lies++
	}
	o.state = Made
	c.next++
	c.ledger = append(c.ledger, paper{c.name, "fn-" + c.name, c.next, o.ticket, o.key})
	c.call(o)
}

// call sends a callback: once, not at all, or twice.
func (c *service) call(o *order) {
	if !c.tells {
		return
	}
	v := c.verdict(o, c.shop.set.bare)
	times := [...]int{1, 0, 2}[c.shop.fault("callbacks", 3)]
	for range times {
		c.post = append(c.post, Event{Kind: EventTold, Device: c.name, Key: o.key, Verdict: v})
	}
}

func (c *service) settle() {
	for _, key := range c.wire {
		c.accept(key)
	}
	c.wire = nil
}

// goOn lets time work on requests under way, orders and callbacks.
func (c *service) goOn() bool {
	switch {
	case len(c.wire) > 0 && !c.shop.chance("the wire is slow"):
		key := c.wire[0]
		c.wire = c.wire[1:]
		c.accept(key)
		return true
	case len(c.post) > 0 && !c.shop.chance("the post is slow"):
		c.deliver()
		return true
	}
	for _, o := range c.orders {
		if c.work(o) {
			return true
		}
	}
	return false
}

// work moves one order.
func (c *service) work(o *order) bool {
	if o.state == Failed {
		if c.shop.chance("made after all") && c.shop.chance("indeed") {
			c.make(o)
			return true
		}
		return false
	}
	if o.state != Pending {
		return false
	}
	switch c.shop.fault("order", 8) {
	case 1, 2, 3, 4, 5:
		o.state, o.curable = Failed, c.shop.choose("curable", 2) == 1
		c.call(o)
	case 6:
		c.call(o) // waits
	case 7:
		return false
	default:
		c.make(o)
	}
	return true
}

// deliver brings a callback, in any order; it may come again.
func (c *service) deliver() {
	i := 0
	if !c.shop.calm {
		i = c.shop.choose("which", len(c.post))
	}
	ev := c.post[i]
	if !c.shop.chance("again") {
		c.post = slices.Delete(slices.Clone(c.post), i, i+1)
	}
	c.shop.note("%s tells %s of %s", c.name, ev.Verdict.Finding, ev.Key)
	c.refute(ev.Key, ev.Verdict)
	c.tell(ev.Verdict)
	c.shop.onDisk(ev)
}
