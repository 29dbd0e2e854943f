package shtrih

import (
	"math/bits"
	"strconv"
)

// rate is a row of table 6: how a VAT rate is named on the wire and in the
// document (section 4.7).
type rate struct {
	hundredths int  // per cent
	code       byte // tag 1199
	wire       byte // FF46
	nano       byte // FF46 on a Nano-F, where it differs
	tax, base  int64
	name       string
}

func rates() []rate {
	return []rate{
		{2000, 1, 0x01, 0, 20, 120, "НДС 20%"}, {1000, 2, 0x02, 0, 10, 110, "НДС 10%"}, {0, 5, 0x04, 0, 0, 1, "НДС 0%"},
		{0, 6, 0x08, 0, 0, 1, "БЕЗ НДС"}, {2000, 3, 0x10, 0, 20, 120, "НДС 20/120"}, {1000, 4, 0x20, 0, 10, 110, "НДС 10/110"},
		{500, 7, 0x81, 0, 5, 105, "НДС 5%"}, {700, 8, 0x82, 0, 7, 107, "НДС 7%"}, {500, 9, 0x84, 0, 5, 105, "НДС 5/105"},
		{700, 10, 0x88, 0, 7, 107, "НДС 7/107"}, {2200, 11, 0xCB, 0x90, 22, 122, "НДС 22%"}, {2200, 12, 0xCC, 0xA0, 22, 122, "НДС 22/122"},
	}
}

// VAT codes, tag 1199, that rules look at.
const (
	vat20   = 1
	vat0    = 5
	vatNone = 6
	vat22   = 11
)

// vatOfByte reads the tax byte of FF46: one bit, a Nano-F byte, or C0h + row of
// table 6; 00 is no VAT.
func vatOfByte(b byte) (byte, bool) {
	if b == 0 {
		return vatNone, true
	}
	for i, r := range rates() {
		if b == r.wire || r.nano != 0 && b == r.nano || b == 0xC0+byte(i)+1 {
			return r.code, true
		}
	}
	return 0, false
}

// vatOfGroup reads the group numbers of the old commands: the first of four
// bytes that is not zero, 1..12 = row of table 6.
func vatOfGroup(groups []byte) (byte, bool) {
	for _, g := range groups {
		if g == 0 {
			continue
		}
		if int(g) > len(rates()) {
			return 0, false
		}
		return rates()[g-1].code, true
	}
	return vatNone, true
}

// vatOf is the tax inside sum, rounded half up (format reference 3.1).
func vatOf(code byte, sum int64) int64 {
	for _, r := range rates() {
		if r.code == code {
			return mulDiv(sum, r.tax, r.base)
		}
	}
	return 0
}

// mulDiv is a·b/c for non-negative a and b, half up, with a 128-bit product.
// Results that do not fit are cut to the largest number, which every later
// limit refuses.
func mulDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(c)/2, 0)
	hi += carry
	if hi >= uint64(c) {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	if q > 1<<63-1 {
		return 1<<63 - 1
	}
	return int64(q)
}

func itoa(v int) string { return strconv.Itoa(v) }
