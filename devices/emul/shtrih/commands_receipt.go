package shtrih

import (
	"slices"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// receiptCommands are 8Dh, 88h, 89h, FF46, FF45, FF76 and the tags.
func receiptCommands() []command {
	everywhere := workingOrOpen
	return []command{
		{code: 0x8D, name: "open receipt", min: 6, max: 6, access: operator, modes: everywhere, prints: true, withOp: true, run: (*Printer).open},
		{code: 0x88, name: "cancel receipt", min: 5, max: 5, access: operator, modes: everywhere, prints: true, withOp: true, run: (*Printer).cancel},
		{code: 0x89, name: "subtotal", min: 5, max: 5, access: operator, modes: inReceipt, withOp: true, run: (*Printer).subtotal},
		{code: 0xFF46, name: "operation V2", min: 32, max: 32 + itemNameMax, access: operator, modes: everywhere, prints: true, run: (*Printer).operation},
		{code: 0xFF45, name: "close receipt V2", min: 118, max: 118 + 64, access: operator, modes: inReceipt, prints: true, run: (*Printer).closeV2},
		{code: 0xFF76, name: "close receipt V3", min: 138, max: 138 + 64, access: operator, modes: inReceipt, prints: true, run: (*Printer).closeV3},
		{code: 0xFF0C, name: "send TLV", min: 10, max: messageMax, access: operator, modes: everywhere, run: (*Printer).sendTLV},
		{code: 0xFF4D, name: "send TLV of item", min: 10, max: messageMax, access: operator, modes: inReceipt, run: (*Printer).sendItemTLV},
	}
}

const correctionBit = 0x80

func (p *Printer) open(c *call) ([]byte, code) {
	t := c.u8()
	correction := t&correctionBit != 0
	if t&^correctionBit > 3 || correction && p.fn.FFD() < ffd.Version12 {
		return nil, errParameters
	}
	if e := p.openReceipt(t&3, correction, c.op); e != ok {
		return nil, e
	}
	p.print(p.headerLines()...)
	return nil, ok
}

func (p *Printer) cancel(c *call) ([]byte, code) {
	r := p.st.Receipt
	if r == nil {
		return nil, p.cfg.CancelNothing
	}
	if r.Operator != c.op {
		return nil, errOtherOperator
	}
	p.dropReceipt()
	p.bumpDocument()
	p.print("ЧЕК АННУЛИРОВАН")
	return nil, ok
}

func (p *Printer) subtotal(*call) ([]byte, code) { return put(nil, 5, p.st.Receipt.total()), ok }

// operation is FF46 (section 3.9).
func (p *Printer) operation(c *call) ([]byte, code) {
	op := c.u8()
	i := item{Quantity: c.number(6), Price: c.money()}
	sum, vatSum := c.money(), c.money()
	vat, known := vatOfByte(c.u8())
	i.Department, i.Method, i.Subject = c.u8(), c.u8(), c.u8()
	i.Name = ffd.DecodeText1251(c.rest())
	if op < 1 || op > 4 || !known || i.Department > departmentsMax {
		return nil, errParameters
	}
	i.VAT = p.replaced(vat)
	or(&i.Method, 4)
	or(&i.Subject, 1)
	if e := p.price(&i, sum, vatSum); e != ok {
		return nil, e
	}
	return nil, p.addItem(c, typeOfOperation(op), i)
}

// replaced applies table 17 field 71, which turns 20 % into 22 %.
func (p *Printer) replaced(vat byte) byte {
	if vat == vat20 && p.tables.number(17, 1, 71) == 1 {
		return vat22
	}
	return vat
}

// price computes the sums of an item and checks those of the host.
func (p *Printer) price(i *item, sum, vatSum int64) code {
	computed := mulDiv(i.Price, i.Quantity, quantityScale)
	switch {
	case i.Quantity == 0 || i.Method > 7:
		return errParameters
	case computed > moneyMax:
		return errProduct
	case sum == letDeviceCount:
		i.Sum = computed
	case sum < computed-1 || sum > computed+1:
		return errParameters
	default:
		i.Sum = sum
	}
	if e := p.checkSubject(i.Subject); e != ok {
		return e
	}
	i.VATSum = vatOf(i.VAT, i.Sum)
	if p.tables.number(1, 1, 14) == 1 && vatSum != letDeviceCount && i.VAT != vat0 && i.VAT != vatNone {
		i.VATSum = vatSum
	}
	return ok
}

// checkSubject refuses goods with a marking code: marking is out of scope, so
// this device is never registered for it.
func (p *Printer) checkSubject(s byte) code {
	switch {
	case s == 31 || s == 33:
		return errMarking
	case s > 33 || s > 27 && s < 30 || s > 26 && p.fn.FFD() < ffd.Version12:
		return errParameters
	}
	return ok
}

func (p *Printer) closeV2(c *call) ([]byte, code) { return p.closeWith(c, 6) }

func (p *Printer) closeV3(c *call) ([]byte, code) { return p.closeWith(c, 10) }

// closeWith is FF45 and FF76: they differ in the number of tax sums.
func (p *Printer) closeWith(c *call, taxes int) ([]byte, code) {
	var s settlement
	for i := range s.payments {
		s.payments[i] = c.money()
	}
	s.rounding = int64(c.u8())
	for range taxes {
		s.taxes = append(s.taxes, c.money())
	}
	s.taxation = c.u8()
	s.text = ffd.DecodeText1251(c.rest())
	d, change, e := p.closeReceipt(c, s)
	if e != ok {
		return nil, e
	}
	b := put(nil, 5, change)
	return p.signed(b, d), ok
}

// signed appends FD, FP and, with extended answers, date and time (section
// 3.9).
func (p *Printer) signed(b []byte, d fn.Document) []byte {
	b = put(b, 4, int64(d.Number))
	b = put(b, 4, int64(d.Sign))
	return p.dated(b, d)
}

func (p *Printer) dated(b []byte, d fn.Document) []byte {
	if p.tables.number(17, 1, 36) == 1 {
		b = append(b, ymdhm(d.Time)...)
	}
	return b
}

// sendTLV is FF0C: tags of the document in progress.
func (p *Printer) sendTLV(c *call) ([]byte, code) {
	tlv := slices.Clone(c.rest())
	if e := p.resume(); e != ok {
		return nil, e
	}
	if err := p.fn.Write(tlv); err != nil {
		return nil, storageCode(err)
	}
	if r := p.st.Receipt; r != nil {
		r.Tags = append(r.Tags, tlv...)
	} else {
		p.pendingTags = append(p.pendingTags, tlv...)
	}
	return nil, ok
}

func (p *Printer) sendItemTLV(c *call) ([]byte, code) { return nil, p.bind(slices.Clone(c.rest())) }
