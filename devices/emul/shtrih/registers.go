package shtrih

import "kassad/devices/emul/fn"

// Money registers with a name of their own (section 3.2).
const (
	regCashAtClose   = 120
	regDrawer        = 241
	regCashIn        = 242
	regCashOut       = 243
	regCancelled     = 249
	regCorrections   = 4224
	regLifetime      = 4228
	regShiftTotals   = 4291
	regUnsent        = 4354
	regCorrByPayment = 4363
	regMax           = 4490
	bytePlainMax     = 255
	regWideMin       = 4096
	operRefusedFrom  = 250
)

// Operational registers (section 3.2).
const (
	operReceipts   = 144
	operLast       = 148
	operDocument   = 152
	operCashIns    = 153
	operCashOuts   = 154
	operLastIn     = 155
	operLastOut    = 156
	operCancelled  = 157
	operX          = 158
	operZ          = 159
	operCancels    = 166
	operDocHigh    = 186
	operDocLow     = 185
	operCancelType = 179
	operCorrection = 200
)

// span maps receipt registers to their counterparts of the shift.
type span struct{ from, to, shift uint16 }

func moneySpans() []span {
	return []span{
		{0, 63, 121}, {64, 67, 185}, {68, 71, 189}, {72, 87, 193}, {88, 103, 209}, {104, 119, 225},
		{4096, 4143, 4144}, {4192, 4199, 4208}, {4200, 4207, 4216}, {4427, 4442, 4459}, {4443, 4458, 4475},
	}
}

func operationalSpans() []span { return []span{{0, 63, 72}, {64, 67, 136}, {68, 71, 140}} }

// closeReceiptRegisters moves the registers of the receipt to the shift, or
// drops them.
func (p *Printer) closeReceiptRegisters(count bool) {
	for _, s := range moneySpans() {
		for r := s.from; r <= s.to; r++ {
			if count {
				p.st.Money[s.shift+r-s.from] += p.st.Money[r]
			}
			delete(p.st.Money, r)
		}
	}
	for _, s := range operationalSpans() {
		for r := s.from; r <= s.to; r++ {
			if count {
				p.st.Operational[byte(s.shift+r-s.from)] += p.st.Operational[byte(r)]
			}
			delete(p.st.Operational, byte(r))
		}
	}
}

// clearShiftRegisters is what Z does.
func (p *Printer) clearShiftRegisters() {
	for r := range p.st.Money {
		if r >= 121 && r <= regCashOut && r != regDrawer || r >= regCancelled && r <= 252 || r >= 4144 {
			delete(p.st.Money, r)
		}
	}
	for r := range p.st.Operational {
		if r >= 72 && r <= 147 || r == operCashIns || r == operCashOuts || r == operCancelled ||
			r >= operCancelType && r <= 184 || r == operCorrection+2 || r == operCorrection+3 {
			delete(p.st.Operational, r)
		}
	}
	if p.tables.number(1, 1, 2) == 1 {
		p.st.Money[regDrawer] = 0
	}
}

// countItem is what each operation adds (section 3.2, "Behaviour").
func (p *Printer) countItem(r *receipt, i item) {
	t, d := uint16(r.Type), uint16(max(i.Department, 1)-1)
	p.st.Money[t+4*d] += i.Sum
	p.st.Operational[byte(t+4*d)]++
	turnover, tax := vatRegisters(i.VAT)
	if turnover > 0 {
		p.st.Money[turnover+t] += i.Sum
	}
	if tax > 0 {
		p.st.Money[tax+t] += i.VATSum
	}
}

// vatRegisters are the first registers of turnover and tax of a rate. For 22 %
// no numbers are known (section 7, question 7): nothing is counted.
func vatRegisters(vat byte) (turnover, tax uint16) {
	switch vat {
	case 1:
		return 88, 104
	case 2:
		return 92, 108
	case 5:
		return 96, 112
	case 6:
		return 100, 116
	case 3:
		return 4192, 4200
	case 4:
		return 4196, 4204
	case 7, 8, 9, 10:
		n := uint16(vat-7) * 4
		return 4427 + n, 4443 + n
	default:
		return 0, 0
	}
}

func (p *Printer) moneyRegister(c *call) ([]byte, code) {
	var n uint16
	if len(c.b) == 1 {
		n = uint16(c.u8())
	} else if n = c.u16(); n < regWideMin {
		return nil, errParameters // the two-byte form starts at 4096 (section 3.2)
	}
	if n > regMax || n > 252 && n <= bytePlainMax {
		return nil, errParameters
	}
	return put(nil, 6, p.money(n)), ok
}

// money reads a register. Those of the storage are computed, the rest stored.
func (p *Printer) money(n uint16) int64 {
	switch {
	case n >= 245 && n <= 248:
		return p.shiftTotal(uint16(n - 245))
	case n >= regLifetime && n < regShiftTotals:
		return storageRegister(p.fn.TotalCounters(), int(n-regLifetime), int64(p.fn.Shift().Number))
	case n >= regShiftTotals && n < regUnsent:
		return storageRegister(p.fn.ShiftCounters(), int(n-regShiftTotals), int64(p.fn.Shift().Number))
	case n >= regUnsent && n < regCorrByPayment:
		return p.unsentRegister(int(n - regUnsent))
	default:
		return p.st.Money[n]
	}
}

// shiftTotal is the sum over departments of the shift; t is in the order of the
// registers.
func (p *Printer) shiftTotal(t uint16) int64 {
	var sum int64
	for d := range uint16(16) {
		sum += p.st.Money[121+t+4*d]
	}
	return sum + p.st.Money[189+t] - p.st.Money[185+t]
}

// storageRegister is a block of 63 registers: shift number, operations, four
// times thirteen totals, nine of corrections. The order of the blocks is the
// storage's: sale, sale return, buy, buy return.
func storageRegister(c fn.Counters, n int, shift int64) int64 {
	switch {
	case n == 0:
		return shift
	case n == 1:
		return int64(c.Count())
	case n < 2+4*13:
		return totalOf(c.Operations[(n-2)/13+1], (n-2)%13)
	default:
		return correctionOf(c.Corrections, n-2-4*13)
	}
}

func totalOf(t fn.Totals, n int) int64 {
	return []int64{
		int64(t.Count), t.Sum, t.Cash, t.Card, t.Prepaid, t.Credit, t.Provision, t.VAT[1], t.VAT[2], t.VAT[5], t.VAT[6], t.VAT[3], t.VAT[4],
	}[n]
}

func correctionOf(c [5]fn.Correction, n int) int64 {
	switch {
	case n == 0:
		return int64(c[1].Count + c[2].Count + c[3].Count + c[4].Count)
	case n%2 == 1:
		return int64(c[(n+1)/2].Count)
	default:
		return c[n/2].Sum
	}
}

func (p *Printer) unsentRegister(n int) int64 { return correctionOf(p.fn.Queue().Counters, n) }

func (p *Printer) operationalRegister(c *call) ([]byte, code) {
	n := c.u8()
	if n >= operRefusedFrom {
		return nil, errParameters
	}
	v := p.st.Operational[n]
	switch n {
	case operDocLow:
		v = p.st.Operational[operDocument] & 0xFFFF
	case operDocHigh:
		v = p.st.Operational[operDocument] >> 16
	}
	return put(nil, 2, int64(v)), ok
}

// lifetimeTotals is FE F4 (section 3.2): values of the storage, in the order
// sale, sale return, buy, buy return.
func (p *Printer) lifetimeTotals(c *call) ([]byte, code) {
	k := c.u32()
	total := p.fn.TotalCounters()
	var b []byte
	switch {
	case k == 0:
		for i := 1; i <= 4; i++ {
			b = put(b, 8, total.Operations[i].Sum)
		}
	case k <= 4:
		o := total.Operations[k]
		for slot, v := range map[int]int64{0: o.Cash, 1: o.Card, 13: o.Prepaid, 14: o.Credit, 15: o.Provision} {
			b = append(b, make([]byte, max(0, 16*8-len(b)))...)
			copy(b[slot*8:], put(nil, 8, v))
		}
	case k == 5:
		for i := 1; i <= 4; i++ {
			b = put(b, 8, total.Corrections[i].Sum)
		}
	default:
		return nil, errParameters
	}
	return b, ok
}

// Money reads a money register as 1Ah does, for tests.
func (p *Printer) Money(n uint16) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.money(n)
}

// Operational reads an operational register as 1Bh does, for tests.
func (p *Printer) Operational(n byte) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.st.Operational[n]
}
