package shtrih

import (
	"slices"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// receipt is an open receipt or correction in the memory of the device. The
// storage sees its items only at the close.
type receipt struct {
	Type       byte // order of 8Dh and of the registers: sale, buy, sale return, buy return
	Correction bool
	Operator   byte
	Tags       []byte // receipt-level TLV from the host
	Items      []item
	Lines      []string // printed text between the items
}

// item is one line of a receipt.
type item struct {
	Name       string
	Quantity   int64 // millionths
	Price      int64
	Sum        int64
	VAT        byte // tag 1199
	VATSum     int64
	Department byte
	Method     byte   // tag 1214
	Subject    byte   // tag 1212
	Tags       []byte // TLV of FF4D
}

// Limits.
const (
	itemNameMax    = 128
	departmentsMax = 16
	quantityScale  = 1_000_000
	moneyMax       = 1<<40 - 1
	letDeviceCount = 1<<40 - 1 // FFFFFFFFFF
	receiptItems   = 500
)

// operation translates the type to tag 1054: three orders exist (section 4.4).
func (r *receipt) operation() byte { return [4]byte{1, 3, 2, 4}[r.Type&3] }

// typeOfOperation is the reverse of operation.
func typeOfOperation(op byte) byte { return [5]byte{0, 0, 2, 1, 3}[op] }

// cashLeaves tells whether the cash of this type is paid out.
func (r *receipt) cashLeaves() bool { return r.Type == 1 || r.Type == 2 }

func (r *receipt) total() int64 {
	var sum int64
	for _, i := range r.Items {
		sum += i.Sum
	}
	return sum
}

func (r *receipt) kind() fn.Kind {
	if r.Correction {
		return fn.KindCorrection
	}
	return fn.KindReceipt
}

// openReceipt starts a receipt in the device and in the storage.
func (p *Printer) openReceipt(t byte, correction bool, op byte) code {
	switch p.mode() & 0x0F {
	case modeReceipt:
		return errReceiptOpen
	case modeOver24:
		return errShift24
	case modeClosed:
		if !p.cfg.AutoOpenShift {
			return errMode
		}
		if _, e := p.openShift(op); e != ok {
			return e
		}
	}
	r := &receipt{Type: t, Correction: correction, Operator: op}
	if err := p.fn.Begin(r.kind(), p.clock()); err != nil {
		return storageCode(err)
	}
	p.st.Receipt = r
	return ok
}

// resume begins the document in the storage anew if an outage took it while the
// device kept the receipt (section 5.8, facts 1 and 8).
func (p *Printer) resume() code {
	r := p.st.Receipt
	if r == nil || p.fn.Current() != fn.KindNone {
		return ok
	}
	if err := p.fn.Begin(r.kind(), p.clock()); err != nil {
		return storageCode(err)
	}
	return storageCode(p.fn.Write(r.Tags))
}

// dropReceipt forgets an open receipt; nothing was fiscalised.
func (p *Printer) dropReceipt() {
	r := p.st.Receipt
	p.st.Money[regCancelled+uint16(r.Type)] += r.total()
	p.st.Operational[operCancelled]++
	p.st.Operational[operCancels]++
	p.st.Operational[operCancelType+r.Type]++
	p.closeReceiptRegisters(false)
	p.st.Receipt = nil
	if p.fn.Current() != fn.KindNone {
		_ = p.fn.Cancel() // cannot fail: something is in progress
	}
}

// addItem puts a line into the receipt and opens one if needed.
func (p *Printer) addItem(c *call, t byte, i item) code {
	if p.st.Receipt == nil {
		if e := p.openReceipt(t, false, c.op); e != ok {
			return e
		}
	}
	r := p.st.Receipt
	switch {
	case r.Operator != c.op:
		return errOtherOperator
	case r.Type != t:
		return errWrongType
	case len(r.Items) >= receiptItems:
		return errTooMany
	case r.total()+i.Sum > moneyMax:
		return errTotalOverflow
	}
	if e := p.resume(); e != ok {
		return e
	}
	r.Items = append(r.Items, i)
	p.countItem(r, i)
	p.print(p.itemLines(i)...)
	return ok
}

// recount rebuilds the registers after items changed.
func (p *Printer) recount(r *receipt) {
	p.closeReceiptRegisters(false)
	for _, i := range r.Items {
		p.countItem(r, i)
	}
}

// settlement is how a receipt is paid and taxed.
type settlement struct {
	payments [16]int64
	rounding int64
	taxes    []int64 // by row of table 6, from the host
	taxation byte
	text     string

	total, cash, change int64
	electronic          int64
}

// settle checks the payments (section 3.9, FF45).
func (p *Printer) settle(r *receipt, s *settlement) code {
	s.total = r.total() - s.rounding
	var paid int64
	for _, v := range s.payments {
		paid += v
	}
	nonCash := paid - s.payments[0]
	for _, v := range s.payments[1:13] {
		s.electronic += v
	}
	allowed := p.fn.Registration().Taxations
	if s.taxation == 0 {
		s.taxation = allowed & -allowed
	}
	switch {
	case s.rounding > 99 || s.total < 0:
		return errParameters
	case s.taxation&(s.taxation-1) != 0 || s.taxation&allowed == 0:
		return errParameters
	case len(r.Items) == 0:
		return errZeroReceipt
	case s.total == 0 && p.tables.number(1, 1, 23) == 1:
		return errZeroReceipt
	case nonCash > s.total:
		return errNonCashOver
	case paid < s.total:
		return errPaidShort
	}
	s.cash = s.total - nonCash
	s.change = paid - s.total
	if r.cashLeaves() && !r.Correction && s.cash > p.st.Money[regDrawer] {
		return errNoCash
	}
	return ok
}

// closeReceipt fiscalises. Up to the commit every refusal leaves the receipt
// open and changes nothing.
func (p *Printer) closeReceipt(c *call, s settlement) (fn.Document, int64, code) {
	r := p.st.Receipt
	if r == nil {
		return fn.Document{}, 0, errMode
	}
	if r.Operator != c.op {
		return fn.Document{}, 0, errOtherOperator
	}
	if e := p.settle(r, &s); e != ok {
		return fn.Document{}, 0, e
	}
	if e := p.resume(); e != ok {
		return fn.Document{}, 0, e
	}
	data := p.receiptData(r, &s)
	d, err := p.fn.Commit(fn.Closing{At: p.clock(), Operation: r.operation(), Total: s.total, Data: data})
	if err != nil {
		return fn.Document{}, 0, storageCode(err)
	}
	p.countReceipt(r, s)
	p.st.Receipt = nil
	p.finishDocument(d, p.receiptTape(r, s, d))
	return d, s.change, ok
}

// countReceipt moves money. A correction changes no drawer: its cash is there
// already (format reference 4.6).
func (p *Printer) countReceipt(r *receipt, s settlement) {
	t := uint16(r.Type)
	if r.Correction {
		p.countCorrection(r.Type, s)
		p.closeReceiptRegisters(false)
		return
	}
	pay := s.payments
	pay[0] = s.cash
	for i, v := range pay {
		if i < 4 {
			p.st.Money[72+t+4*uint16(i)] += v
		} else {
			p.st.Money[regWideMin+t+4*uint16(i-4)] += v
		}
	}
	p.st.Money[64+t] += s.rounding
	if r.cashLeaves() {
		p.st.Money[regDrawer] -= s.cash
	} else {
		p.st.Money[regDrawer] += s.cash
	}
	p.st.Money[regCashAtClose] = p.st.Money[regDrawer]
	p.closeReceiptRegisters(true)
	p.st.Operational[operReceipts+r.Type]++
	p.st.Operational[operLast+r.Type]++
}

func (p *Printer) countCorrection(t byte, s settlement) {
	p.st.Money[regCorrections+uint16(t)] += s.total
	pay := s.payments
	pay[0] = s.cash
	for i, v := range pay {
		p.st.Money[regCorrByPayment+16*uint16(t)+uint16(i)] += v
	}
	if t < 2 { // only sale and buy have counters (section 3.2)
		p.st.Operational[operCorrection+t]++
		p.st.Operational[operCorrection+2+t]++
	}
}

// receiptData is the TLV that the device adds at the close.
func (p *Printer) receiptData(r *receipt, s *settlement) []byte {
	b := p.commonTags(r.Tags, r.Operator)
	b = ffd.AppendByte(b, ffd.TagTaxation, s.taxation)
	for _, v := range []struct {
		tag ffd.Tag
		sum int64
	}{
		{ffd.TagCash, s.cash}, {ffd.TagCard, s.electronic}, {ffd.TagPrepaid, s.payments[13]}, {ffd.TagCredit, s.payments[14]}, {ffd.TagProvision, s.payments[15]},
	} {
		b = ffd.AppendVLN(b, v.tag, uint64(v.sum))
	}
	b = append(b, vatTags(p.receiptVAT(r, s))...)
	if r.Correction {
		fields, _ := ffd.Decode(r.Tags)
		b = append(b, p.basis(fields)...)
	}
	for _, i := range r.Items {
		b = ffd.Append(b, ffd.TagItem, p.itemData(i))
	}
	return b
}

// commonTags are the tags that the device fills from its tables unless the host
// sent them (section 2.1).
func (p *Printer) commonTags(sent []byte, op byte) []byte {
	fields, _ := ffd.Decode(sent)
	var b []byte
	for _, d := range []struct {
		tag  ffd.Tag
		text string
	}{
		{ffd.TagCashier, p.tables.text(2, int(op), 2)}, {ffd.TagCashierINN, p.tables.text(18, 1, 23)},
		{ffd.TagSettlementAddress, p.tables.text(18, 1, 9)}, {ffd.TagSettlementPlace, p.tables.text(18, 1, 14)},
		{ffd.TagSenderEmail, p.tables.text(18, 1, 15)},
	} {
		if _, there := ffd.Find(fields, d.tag); !there && d.text != "" {
			if out, err := ffd.AppendText(b, d.tag, d.text); err == nil {
				b = out
			}
		}
	}
	return b
}

// receiptVAT is tax by rate code, turnover for codes 5 and 6. In tax mode 1 the
// sums are the host's (table 1 field 14).
func (p *Printer) receiptVAT(r *receipt, s *settlement) map[byte]int64 {
	out, turnover := map[byte]int64{}, map[byte]int64{}
	for _, i := range r.Items {
		turnover[i.VAT] += i.Sum
		if i.VAT == vat0 || i.VAT == vatNone {
			out[i.VAT] += i.Sum
		} else {
			out[i.VAT] += i.VATSum
		}
	}
	if p.tables.number(1, 1, 14) == 1 {
		for row, v := range s.taxes {
			if c := rates()[row].code; v > 0 || out[c] > 0 {
				out[c] = v
			}
		}
		return out
	}
	if p.cfg.TaxOnTurnover {
		for c := range out {
			if c != vat0 && c != vatNone {
				out[c] = vatOf(c, turnover[c])
			}
		}
	}
	return out
}

// vatTags encodes the sums: six rates have tags of their own, those of 2025 and
// 2026 go into 1115 (format reference 2.1).
func vatTags(sums map[byte]int64) []byte {
	old := map[byte]ffd.Tag{
		1: ffd.TagVAT20, 2: ffd.TagVAT10, 3: ffd.TagVAT120, 4: ffd.TagVAT110, 5: ffd.TagTurnover0, 6: ffd.TagTurnoverNone,
	}
	var b, inner []byte
	for c := byte(1); c <= 12; c++ {
		v, there := sums[c]
		if !there {
			continue
		}
		if tag, isOld := old[c]; isOld {
			b = ffd.AppendVLN(b, tag, uint64(v))
			continue
		}
		one := ffd.AppendVLN(ffd.AppendByte(nil, ffd.TagVATRate, c), ffd.TagVATAmount, uint64(v))
		inner = ffd.Append(inner, ffd.TagVATSum, one)
	}
	if len(inner) > 0 {
		b = ffd.Append(b, ffd.TagVATSums, inner)
	}
	return b
}

// itemData is the content of tag 1059.
func (p *Printer) itemData(i item) []byte {
	sent, _ := ffd.Decode(i.Tags)
	b := ffd.AppendByte(nil, ffd.TagMethod, i.Method)
	b = ffd.AppendByte(b, ffd.TagSubject, i.Subject)
	if i.Name != "" {
		if out, err := ffd.AppendText(b, ffd.TagItemName, i.Name); err == nil {
			b = out
		}
	}
	b = ffd.AppendVLN(b, ffd.TagItemPrice, uint64(i.Price))
	decimals, q := byte(6), uint64(i.Quantity)
	for decimals > 0 && q%10 == 0 {
		decimals, q = decimals-1, q/10
	}
	b = ffd.AppendFVLN(b, ffd.TagQuantity, decimals, q)
	b = ffd.AppendByte(b, ffd.TagVATRate, i.VAT)
	if i.VAT != vatNone {
		b = ffd.AppendVLN(b, ffd.TagItemVAT, uint64(i.VATSum))
	}
	b = ffd.AppendVLN(b, ffd.TagItemSum, uint64(i.Sum))
	if _, there := ffd.Find(sent, ffd.TagUnit); !there && p.fn.FFD() >= ffd.Version12 {
		b = ffd.AppendByte(b, ffd.TagUnit, 0)
	}
	return append(b, i.Tags...)
}

// itemTagsOfDevice are what FF46 carries, so FF4D may not.
func itemTagsOfDevice() []ffd.Tag {
	return []ffd.Tag{
		ffd.TagItemName, ffd.TagItemPrice, ffd.TagQuantity, ffd.TagItemSum, ffd.TagVATRate, ffd.TagItemVAT, ffd.TagMethod, ffd.TagSubject,
	}
}

// bind adds the tags of FF4D to the last item.
func (p *Printer) bind(tlv []byte) code {
	r := p.st.Receipt
	if r == nil || len(r.Items) == 0 {
		return errMode
	}
	last := &r.Items[len(r.Items)-1]
	fields, err := ffd.Decode(tlv)
	if err != nil {
		return byte(fn.ErrFormat)
	}
	old, _ := ffd.Decode(last.Tags)
	for _, f := range fields {
		if slices.Contains(itemTagsOfDevice(), f.Tag) {
			return byte(fn.ErrDuplicate)
		}
		if _, there := ffd.Find(old, f.Tag); there {
			return byte(fn.ErrDuplicate)
		}
	}
	if e := p.resume(); e != ok {
		return e
	}
	trial := *last
	trial.Tags = append(slices.Clone(last.Tags), tlv...)
	if err := p.fn.Check(ffd.Append(nil, ffd.TagItem, p.itemData(trial))); err != nil {
		return storageCode(err)
	}
	last.Tags = trial.Tags
	return ok
}
