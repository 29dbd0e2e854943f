package shtrih

import (
	"fmt"

	"kassad/devices/emul/fn"
)

// shiftCommands are sections 3.6 and the storage's forms of the same.
func shiftCommands() []command {
	return []command{
		{code: 0xE0, name: "open shift", min: 5, max: 5, access: operator, modes: inClosed, prints: true, withOp: true, run: (*Printer).openShiftCommand},
		{code: 0x40, name: "X report", min: 5, max: 5, access: senior, modes: working, prints: true, withOp: true, run: (*Printer).reportX},
		{code: 0x41, name: "Z report", min: 5, max: 5, access: senior, modes: inOpen | inOver24, prints: true, withOp: true, run: (*Printer).reportZ},
		{code: 0x42, name: "department report", min: 5, max: 5, access: senior, modes: working, prints: true, withOp: true, run: report("ОТЧЕТ ПО ОТДЕЛАМ")},
		{code: 0x43, name: "tax report", min: 5, max: 5, access: senior, modes: working, prints: true, withOp: true, run: report("ОТЧЕТ ПО НАЛОГАМ")},
		{code: 0x44, name: "cashier report", min: 5, max: 5, access: senior, modes: working, prints: true, withOp: true, run: report("ОТЧЕТ ПО КАССИРАМ")},
		{code: 0x50, name: "cash in", min: 10, max: 10, access: operator, modes: working, prints: true, withOp: true, run: (*Printer).cashIn},
		{code: 0x51, name: "cash out", min: 10, max: 10, access: operator, modes: working, prints: true, withOp: true, run: (*Printer).cashOut},
		{code: 0xFF41, name: "begin shift open", min: 6, max: 6, access: sysadmin, modes: inClosed, run: begin(fn.KindShiftOpen)},
		{code: 0xFF0B, name: "open shift in storage", min: 6, max: 6, access: sysadmin, modes: inClosed, prints: true, run: (*Printer).openShiftFF},
		{code: 0xFF42, name: "begin shift close", min: 6, max: 6, access: sysadmin, modes: inOpen | inOver24, run: begin(fn.KindShiftClose)},
		{code: 0xFF43, name: "close shift in storage", min: 6, max: 6, access: sysadmin, modes: inOpen | inOver24, prints: true, run: (*Printer).closeShiftFF},
	}
}

// begin starts a document in the storage, to attach tags to it.
func begin(k fn.Kind) func(*Printer, *call) ([]byte, code) {
	return func(p *Printer, _ *call) ([]byte, code) {
		if err := p.fn.Begin(k, p.clock()); err != nil {
			return nil, storageCode(err)
		}
		p.pendingTags = nil
		return nil, ok
	}
}

// report prints and changes nothing fiscal.
func report(title string) func(*Printer, *call) ([]byte, code) {
	return func(p *Printer, c *call) ([]byte, code) {
		p.bumpDocument()
		p.finishPrint(PrintedReport, p.reportTape(title))
		return nil, ok
	}
}

// document commits a report that may have been begun by the host.
func (p *Printer) document(k fn.Kind, op byte) (fn.Document, code) {
	if p.fn.Current() != k {
		if err := p.fn.Begin(k, p.clock()); err != nil {
			return fn.Document{}, storageCode(err)
		}
		p.pendingTags = nil
	}
	d, err := p.fn.Commit(fn.Closing{At: p.clock(), Data: p.commonTags(p.pendingTags, op)})
	if err != nil {
		return fn.Document{}, storageCode(err)
	}
	p.pendingTags = nil
	return d, ok
}

func (p *Printer) openShift(op byte) (fn.Document, code) {
	d, e := p.document(fn.KindShiftOpen, op)
	if e != ok {
		return d, e
	}
	p.finishDocument(d, p.documentTape(d, "ОТЧЕТ ОБ ОТКРЫТИИ СМЕНЫ", fmt.Sprintf("СМЕНА %d", d.Shift)))
	return d, ok
}

func (p *Printer) closeShift(op byte) (fn.Document, code) {
	lines := p.totalsLines()
	d, e := p.document(fn.KindShiftClose, op)
	if e != ok {
		return d, e
	}
	p.clearShiftRegisters()
	p.st.Operational[operZ]++
	title := append([]string{fmt.Sprintf("СМЕНА %d", d.Shift)}, lines...)
	p.finishDocument(d, p.documentTape(d, "ОТЧЕТ О ЗАКРЫТИИ СМЕНЫ", title...))
	return d, ok
}

// extended is the answer of E0h and 41h: with table 17 field 36 on it carries
// FD, FP and time (section 3.6).
func (p *Printer) extended(d fn.Document) []byte {
	if p.tables.number(17, 1, 36) != 1 {
		return nil
	}
	return p.signed(nil, d)
}

func (p *Printer) openShiftCommand(c *call) ([]byte, code) {
	d, e := p.openShift(c.op)
	if e != ok {
		return nil, e
	}
	return p.extended(d), ok
}

func (p *Printer) reportZ(c *call) ([]byte, code) {
	d, e := p.closeShift(c.op)
	if e != ok {
		return nil, e
	}
	return p.extended(d), ok
}

func (p *Printer) openShiftFF(c *call) ([]byte, code) {
	d, e := p.openShift(c.op)
	if e != ok {
		return nil, e
	}
	b := put(nil, 2, int64(d.Shift))
	b = put(b, 4, int64(d.Number))
	return put(b, 4, int64(d.Sign)), ok
}

func (p *Printer) closeShiftFF(c *call) ([]byte, code) {
	d, e := p.closeShift(c.op)
	if e != ok {
		return nil, e
	}
	return p.signed(put(nil, 2, int64(d.Shift)), d), ok
}

func (p *Printer) reportX(*call) ([]byte, code) {
	p.st.Operational[operX]++
	p.bumpDocument()
	p.finishPrint(PrintedReport, p.reportTape("СУТОЧНЫЙ ОТЧЕТ БЕЗ ГАШЕНИЯ (X)"))
	return nil, ok
}

// cash moves money between the drawer and the world; the storage does not know
// (section 3.6).
func (p *Printer) cash(c *call, in bool) ([]byte, code) {
	sum := c.money()
	if p.mode() == modeOver24 {
		return nil, errShift24
	}
	if p.fn.Current() != fn.KindNone {
		return nil, byte(fn.ErrState)
	}
	title := "ВНЕСЕНИЕ"
	if in {
		p.st.Money[regDrawer] += sum
		p.st.Money[regCashIn] += sum
		p.st.Operational[operCashIns]++
		p.st.Operational[operLastIn]++
	} else {
		if sum > p.st.Money[regDrawer] {
			return nil, errNoCash
		}
		title = "ВЫПЛАТА"
		p.st.Money[regDrawer] -= sum
		p.st.Money[regCashOut] += sum
		p.st.Operational[operCashOuts]++
		p.st.Operational[operLastOut]++
	}
	p.bumpDocument()
	p.finishPrint(PrintedCash, p.plainTape(title, p.columns("СУММА", rubles(sum))))
	return put(nil, 2, int64(p.st.Operational[operDocument])), ok
}

func (p *Printer) cashIn(c *call) ([]byte, code)  { return p.cash(c, true) }
func (p *Printer) cashOut(c *call) ([]byte, code) { return p.cash(c, false) }

// bumpDocument counts a printed document (operational register 152).
func (p *Printer) bumpDocument() { p.st.Operational[operDocument]++ }

// ForeignSale makes a sale as another program on the same device would: shift
// and all, one item, paid by card, so that no drawer moves. The open receipt of
// ours, if any, stays as it is (section 5.8, fault point 13).
func (p *Printer) ForeignSale(total int64) (fn.Document, error) {
	p.mu.Lock()
	defer p.unlockAndPublish()
	ours := p.st.Receipt
	if ours != nil {
		p.fn.PowerLoss() // the storage holds one document; ours is begun anew later
		p.st.Receipt = nil
		p.closeReceiptRegisters(false)
		defer p.restore(ours)
	}
	if p.mode() == modeClosed {
		if _, e := p.openShift(29); e != ok {
			return fn.Document{}, fmt.Errorf("open shift: error %02Xh", e)
		}
	}
	if e := p.openReceipt(0, false, 29); e != ok {
		return fn.Document{}, fmt.Errorf("open receipt: error %02Xh", e)
	}
	c := &call{op: 29}
	p.addItem(c, 0, item{
		Name: "Чужой товар", Quantity: quantityScale, Price: total, Sum: total, VAT: vatNone, Department: 1, Method: 4, Subject: 1,
	})
	d, _, e := p.closeReceipt(c, settlement{payments: [16]int64{1: total}})
	if e != ok {
		p.dropReceipt()
		return fn.Document{}, fmt.Errorf("close receipt: error %02Xh", e)
	}
	return d, nil
}

// restore puts our receipt back after a foreign document.
func (p *Printer) restore(ours *receipt) {
	p.st.Receipt = ours
	p.recount(ours)
}

// unlockAndPublish ends an exported method that may have printed.
func (p *Printer) unlockAndPublish() {
	printed := p.takePrinted()
	p.mu.Unlock()
	p.publish(printed)
}
