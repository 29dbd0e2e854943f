package spool

import (
	"errors"

	"kassad/fiscal"
)

// The order of fields is the format: never change it. A new field goes to the
// end of its function, behind a higher codecVersion: if c.version >= 2 { … }.
// A test fails when a field of fiscal is missing here.

func codeRecord(c *coder, r *fiscal.Record) {
	num(c, &r.Seq)
	str(c, &r.ID)
	str(c, &r.Terminal)
	list(c, &r.Links, str)
	str(c, &r.Verb)
	str(c, &r.Device)
	str(c, &r.Route)
	str(c, &r.Hash)
	c.time(&r.AcceptedAt)
	c.time(&r.FinalAt)
	num(c, &r.FinalSeq)
	num(c, &r.WaitLeft)
	num(c, &r.DoubtLeft)
	str(c, &r.State)
	num(c, &r.N)
	num(c, &r.Attempt)
	codeDocument(c, &r.Document)
	optional(c, &r.Baseline, codeBaseline)
	optional(c, &r.Receipt, codeReceipt)
	optional(c, &r.Counters, codeCounters)
	optional(c, &r.Error, codeError)
	optional(c, &r.Waiting, codeError)
	c.bool(&r.Recovered)
	str(c, &r.Printed)
	c.bool(&r.Approved)
	optional(c, &r.Resolved, codeResolution)
	codeTiming(c, &r.Timing)
	if c.version >= 2 {
		c.time(&r.SavedAt)
		str(c, &r.Ticket)
		num(c, &r.Asked)
		num(c, &r.PauseLeft)
		num(c, &r.Reloads)
		c.bool(&r.ReloadDue)
		list(c, &r.Tried, codeLeg)
		list(c, &r.Late, codeReceipt)
	}
}

func codeLeg(c *coder, l *fiscal.Leg) {
	str(c, &l.Device)
	str(c, &l.Key)
	str(c, &l.Ticket)
	str(c, &l.Code)
	c.time(&l.At)
	if c.version >= 3 {
		optional(c, &l.Baseline, codeBaseline)
	}
}

func codeTiming(c *coder, t *fiscal.Timing) {
	num(c, &t.Queued)
	num(c, &t.Durable)
	num(c, &t.Device)
	num(c, &t.Total)
}

func codeResolution(c *coder, r *fiscal.Resolution) {
	str(c, &r.Action)
	str(c, &r.By)
	num(c, &r.FD)
	str(c, &r.Note)
	c.time(&r.At)
}

// codeError keeps what an error wraps as text: it is for the engineer.
func codeError(c *coder, e *fiscal.Error) {
	detail := e.Detail
	if cause := errors.Unwrap(e); cause != nil {
		if detail != "" {
			detail += ": "
		}
		detail += cause.Error()
	}
	str(c, &e.Code)
	str(c, &e.Vendor)
	str(c, &e.Field)
	str(c, &detail)
	num(c, &e.Outcome)
	if c.reading {
		e.Detail = detail
	}
}

func codeDocument(c *coder, d *fiscal.Document) {
	str(c, &d.ID)
	str(c, &d.Verb)
	str(c, &d.Key)
	c.time(&d.At)
	str(c, &d.Cashier.Name)
	str(c, &d.Cashier.INN)
	num(c, &d.Kind)
	str(c, &d.Customer)
	str(c, &d.Buyer.Name)
	str(c, &d.Buyer.INN)
	num(c, &d.Taxation)
	c.bool(&d.Internet)
	str(c, &d.Place)
	list(c, &d.Lines, codeLine)
	codePayments(c, &d.Payments)
	num(c, &d.Total)
	num(c, &d.Change)
	str(c, &d.Additional)
	c.bool(&d.NoPrint)
	optional(c, &d.Correction, codeCorrection)
	num(c, &d.Amount)
	list(c, &d.Text, str)
	c.bool(&d.Cut)
	if c.version >= 2 {
		str(c, &d.Stem)
		num(c, &d.Edition)
	}
}

func codeLine(c *coder, l *fiscal.Line) {
	str(c, &l.Name)
	num(c, &l.Price)
	num(c, &l.Quantity)
	num(c, &l.Sum)
	num(c, &l.Tax)
	num(c, &l.Unit)
	num(c, &l.VAT)
	num(c, &l.Method)
	num(c, &l.Subject)
	num(c, &l.Department)
	optional(c, &l.Agent, codeAgent)
	str(c, &l.Additional)
}

func codeAgent(c *coder, a *fiscal.Agent) {
	num(c, &a.Type)
	str(c, &a.Supplier.Name)
	str(c, &a.Supplier.INN)
	list(c, &a.Supplier.Phones, str)
	str(c, &a.Operation)
	list(c, &a.Phones, str)
	list(c, &a.Acceptor, str)
	str(c, &a.Transfer.Name)
	str(c, &a.Transfer.INN)
	str(c, &a.Transfer.Address)
	list(c, &a.Transfer.Phones, str)
}

func codePayments(c *coder, p *fiscal.Payments) {
	num(c, &p.Cash)
	num(c, &p.Card)
	num(c, &p.Prepayment)
	num(c, &p.Credit)
	num(c, &p.Other)
}

func codeCorrection(c *coder, x *fiscal.Correction) {
	c.bool(&x.ByOrder)
	c.time(&x.Date)
	str(c, &x.Number)
	str(c, &x.FP)
	table(c, &x.VAT, num, num)
}

func codeBaseline(c *coder, b *fiscal.Baseline) {
	str(c, &b.Device)
	str(c, &b.Storage)
	num(c, &b.LastFD)
	num(c, &b.Shift)
	c.bool(&b.ShiftOpen)
	num(c, &b.Receipt)
	codeTally(c, &b.CashIn)
	codeTally(c, &b.CashOut)
	num(c, &b.Drawer)
	c.time(&b.Clock)
	optional(c, &b.Counters, codeCounters)
	optional(c, &b.Already, codeReceipt)
	if c.version >= 2 {
		optional(c, &b.Cloud, codeCall)
	}
}

func codeCall(c *coder, x *fiscal.CloudCall) {
	body := string(x.Body)
	str(c, &x.Key)
	str(c, &x.Account)
	str(c, &x.Path)
	str(c, &body)
	if c.reading {
		x.Body = []byte(body)
	}
}

func codeReceipt(c *coder, r *fiscal.Receipt) {
	str(c, &r.Kind)
	str(c, &r.Device)
	str(c, &r.Storage)
	num(c, &r.FD)
	num(c, &r.Sign)
	num(c, &r.Shift)
	num(c, &r.Number)
	c.time(&r.At)
	num(c, &r.Total)
	num(c, &r.Change)
	str(c, &r.Registration)
	str(c, &r.FFD)
	str(c, &r.Key)
	str(c, &r.By)
	c.bool(&r.Unprinted)
	optional(c, &r.Drawer, num)
	if c.version >= 2 {
		str(c, &r.Ticket)
		str(c, &r.URL)
	}
}

func codeTally(c *coder, t *fiscal.Tally) {
	num(c, &t.Count)
	num(c, &t.Total)
}

func codeTallyRef(c *coder, t **fiscal.Tally) { optional(c, t, codeTally) }

func codeCounters(c *coder, v *fiscal.Counters) {
	num(c, &v.Shift)
	c.time(&v.OpenedAt)
	c.time(&v.ClosedAt)
	num(c, &v.FirstFD)
	num(c, &v.LastFD)
	num(c, &v.Receipts)
	num(c, &v.Documents)
	table(c, &v.ByKind, num, codeKindRef)
	table(c, &v.Corrections, num, codeTallyRef)
	codeTallyRef(c, &v.CashIn)
	codeTallyRef(c, &v.CashOut)
	optional(c, &v.Drawer, num)
	table(c, &v.GrandTotals, num, num)
	optional(c, &v.Journal, codeAgreement)
}

func codeKindRef(c *coder, k **fiscal.KindCounters) {
	optional(c, k, func(c *coder, v *fiscal.KindCounters) {
		num(c, &v.Count)
		num(c, &v.Total)
		optional(c, &v.Payments, codePayments)
		table(c, &v.VAT, num, codeVATRef)
	})
}

func codeVATRef(c *coder, v **fiscal.VATTally) {
	optional(c, v, func(c *coder, v *fiscal.VATTally) {
		optional(c, &v.Base, num)
		optional(c, &v.Tax, num)
	})
}

func codeAgreement(c *coder, a *fiscal.Agreement) {
	c.bool(&a.Agrees)
	list(c, &a.Differences, func(c *coder, d *fiscal.Difference) {
		str(c, &d.Figure)
		str(c, &d.Device)
		str(c, &d.Journal)
	})
}
