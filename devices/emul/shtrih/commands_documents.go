package shtrih

import (
	"slices"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// documentCommands are the storage documents besides receipts and shifts
// (section 3.9): corrections before FFD 1.2 and the state report.
func documentCommands() []command {
	return []command{
		{code: 0xFF35, name: "begin correction", min: 6, max: 6, access: sysadmin, modes: inOpen | inOver24, run: (*Printer).beginCorrection},
		{code: 0xFF36, name: "correction", min: 12, max: 12, access: sysadmin, modes: inOpen | inOver24, prints: true, run: (*Printer).correctionV1},
		{code: 0xFF4A, name: "correction V2", min: 69, max: 69, access: sysadmin, modes: inOpen | inOver24, prints: true, run: (*Printer).correctionV2},
		{code: 0xFF37, name: "begin state report", min: 6, max: 6, access: sysadmin, modes: working, run: begin(fn.KindStateReport)},
		{code: 0xFF38, name: "state report", min: 6, max: 6, access: sysadmin, modes: working, prints: true, run: (*Printer).stateReport},
	}
}

// beginCorrection is for formats before 1.2, where a correction is sums only
// (section 5.5); from 1.2 on 8Dh with 80h opens one with items.
func (p *Printer) beginCorrection(*call) ([]byte, code) {
	if p.fn.FFD() >= ffd.Version12 {
		return nil, byte(fn.ErrMode)
	}
	return begin(fn.KindCorrection)(p, nil)
}

// sums is a correction by totals: payments and tax sums.
type sums struct {
	kind, sign                               byte
	total                                    int64
	cash, electronic, prepaid, credit, other int64
	vat                                      [6]int64 // rows 1..6 of table 6
	taxation                                 byte
}

func (p *Printer) correctionV1(c *call) ([]byte, code) {
	s := sums{total: c.money(), sign: c.u8()}
	s.cash = s.total
	s.vat[3] = s.total // the old form names no tax: turnover without VAT
	return p.correct(c, s)
}

func (p *Printer) correctionV2(c *call) ([]byte, code) {
	s := sums{kind: c.u8(), sign: c.u8(), total: c.money()}
	for _, to := range []*int64{&s.cash, &s.electronic, &s.prepaid, &s.credit, &s.other} {
		*to = c.money()
	}
	for i := range s.vat {
		s.vat[i] = c.money()
	}
	s.taxation = c.u8()
	return p.correct(c, s)
}

func (p *Printer) correct(c *call, s sums) ([]byte, code) {
	if p.fn.Current() != fn.KindCorrection {
		return nil, byte(fn.ErrState)
	}
	allowed := p.fn.Registration().Taxations
	or(&s.taxation, allowed&-allowed)
	paid := s.cash + s.electronic + s.prepaid + s.credit + s.other
	switch {
	case s.kind > 1 || s.sign < 1 || s.sign > 4:
		return nil, errParameters
	case s.sign%2 == 0 && p.fn.FFD() < ffd.Version11:
		return nil, errParameters // 1.05 knows sale and buy corrections only
	case s.taxation&(s.taxation-1) != 0 || s.taxation&allowed == 0:
		return nil, errParameters
	case paid < s.total:
		return nil, errPaidShort
	case paid > s.total:
		return nil, errNonCashOver
	case s.total == 0:
		return nil, errZeroReceipt
	}
	d, err := p.fn.Commit(fn.Closing{At: p.clock(), Operation: s.sign, Total: s.total, Data: p.correctionData(c.op, s)})
	if err != nil {
		return nil, storageCode(err)
	}
	p.pendingTags = nil
	p.countCorrection(typeOfOperation(s.sign), settlement{
		total: s.total, cash: s.cash,
		payments: [16]int64{1: s.electronic, 13: s.prepaid, 14: s.credit, 15: s.other},
	})
	p.finishDocument(d, p.documentTape(d, "КАССОВЫЙ ЧЕК КОРРЕКЦИИ", operationName(s.sign), p.columns("ИТОГ", "="+rubles(s.total))))
	return p.signed(put(nil, 2, int64(d.Receipt)), d), ok
}

func (p *Printer) correctionData(op byte, s sums) []byte {
	b := p.commonTags(p.pendingTags, op)
	fields, _ := ffd.Decode(p.pendingTags)
	if _, there := ffd.Find(fields, ffd.TagCorrectionType); !there {
		b = ffd.AppendByte(b, ffd.TagCorrectionType, s.kind)
	}
	b = append(b, p.basis(fields)...)
	b = ffd.AppendByte(b, ffd.TagTaxation, s.taxation)
	for i, tag := range []ffd.Tag{ffd.TagCash, ffd.TagCard, ffd.TagPrepaid, ffd.TagCredit, ffd.TagProvision} {
		b = ffd.AppendVLN(b, tag, uint64([]int64{s.cash, s.electronic, s.prepaid, s.credit, s.other}[i]))
	}
	byCode := map[byte]int64{}
	for row, v := range s.vat {
		if v > 0 {
			byCode[p.replaced(rates()[row].code)] += v
		}
	}
	return append(b, vatTags(byCode)...)
}

// basis wraps 1177, 1178 and 1179 into 1174 for hosts that sent them flat
// (section 5.5 has both ways).
func (p *Printer) basis(fields []ffd.Field) []byte {
	if _, there := ffd.Find(fields, ffd.TagCorrectionBasis); there {
		return nil
	}
	var inner []byte
	for _, t := range []ffd.Tag{1177, ffd.TagCorrectionDate, ffd.TagCorrectionNumber} {
		if f, there := ffd.Find(fields, t); there {
			inner = ffd.Append(inner, t, f.Value)
		}
	}
	if len(inner) == 0 {
		return nil
	}
	return ffd.Append(nil, ffd.TagCorrectionBasis, inner)
}

func (p *Printer) stateReport(c *call) ([]byte, code) {
	d, e := p.document(fn.KindStateReport, c.op)
	if e != ok {
		return nil, e
	}
	p.finishDocument(d, p.documentTape(d, "ОТЧЕТ О СОСТОЯНИИ РАСЧЕТОВ"))
	q := p.fn.Queue()
	b := put(nil, 4, int64(d.Number))
	b = put(b, 4, int64(d.Sign))
	b = put(b, 4, int64(q.Count))
	since := []byte{0, 0, 0}
	if q.Count > 0 {
		since = ymd(q.First.Time)
	}
	return p.dated(slices.Concat(b, since), d), ok
}
