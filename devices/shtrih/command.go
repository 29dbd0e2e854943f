package shtrih

import (
	"time"

	"kassad/fiscal"
)

// Command codes, section 3. FFxx commands are named by their second byte.
const (
	cmdEndDump      = 0x03
	cmdShortStatus  = 0x10
	cmdFullStatus   = 0x11
	cmdPrintLine    = 0x17
	cmdMoneyReg     = 0x1A
	cmdOperationReg = 0x1B
	cmdWriteTable   = 0x1E
	cmdReadTable    = 0x1F
	cmdSetTime      = 0x21
	cmdSetDate      = 0x22
	cmdConfirmDate  = 0x23
	cmdCut          = 0x25
	cmdDrawer       = 0x28
	cmdField        = 0x2E
	cmdXReport      = 0x40
	cmdCloseShift   = 0x41
	cmdCashIn       = 0x50
	cmdCashOut      = 0x51
	cmdCancel       = 0x88
	cmdSubtotal     = 0x89
	cmdCopy         = 0x8C
	cmdOpenReceipt  = 0x8D
	cmdContinue     = 0xB0
	cmdOpenShift    = 0xE0
	cmdModel        = 0xF7
	cmdDevice       = 0xFC
	cmdFN           = 0xFF

	fnStatusQuery    = 0x01
	fnExpiry         = 0x03
	fnCancel         = 0x08
	fnFind           = 0x0A
	fnSendTags       = 0x0C
	fnBeginCorrect   = 0x35
	fnOFD            = 0x39
	fnDocument       = 0x3A
	fnDocumentPart   = 0x3B
	fnUnsent         = 0x3F
	fnShift          = 0x40
	fnBeginShiftOpen = 0x41
	fnBeginShiftEnd  = 0x42
	fnClose          = 0x45
	fnItem           = 0x46
	fnCorrection     = 0x4A
	fnSendItemTags   = 0x4D
	fnClose3         = 0x76
)

// Layout figures of section 3.
const (
	passwordBytes     = 4
	moneyBytes        = 5
	quantityBytes     = 6
	paymentSlots      = 16
	slotCash          = 0
	slotCard          = 1
	slotPrepayment    = 13
	slotCredit        = 14
	slotOther         = 15
	moneyNotGiven     = 0xFFFFFFFFFF
	correctionReceipt = 0x80 // added to the type of 8D, FFD 1.2 (3.7)
	tagBytesMax       = 249  // TLV in one FF0C or FF4D (2.1)
	nameBytesMax      = 128
	lineBytesMax      = 72 // longest line seen to be accepted (3.5)
	toReceipt         = 0x02
	taxSumsOfClose    = 6
	taxSumsOfClose3   = 10
)

func appendUint(dst []byte, v uint64, n int) []byte {
	for range n {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

func appendMoney(dst []byte, m fiscal.Money) []byte { return appendUint(dst, uint64(m), moneyBytes) }

// command begins a one-byte command with its password.
func command(code byte, password uint32) []byte {
	return appendUint([]byte{code}, uint64(password), passwordBytes)
}

// fnCommand begins an FFxx command with its password.
func fnCommand(sub byte, password uint32) []byte {
	return appendUint([]byte{cmdFN, sub}, uint64(password), passwordBytes)
}

func encodeMoneyRegister(password uint32, n uint16) []byte {
	// The length of the number chooses the bank; two-byte numbers below 4096
	// are refused (3.2, 1Ah).
	size := 1
	if n > 0xFF {
		size = 2
	}
	return appendUint(command(cmdMoneyReg, password), uint64(n), size)
}

func encodeOperationRegister(password uint32, n byte) []byte {
	return append(command(cmdOperationReg, password), n)
}

func encodeReadTable(password uint32, table byte, row uint16, field byte) []byte {
	return append(appendUint(append(command(cmdReadTable, password), table), uint64(row), 2), field)
}

func encodeWriteTable(password uint32, table byte, row uint16, field byte, value []byte) []byte {
	b := append(appendUint(append(command(cmdWriteTable, password), table), uint64(row), 2), field)
	return append(b, value...)
}

func encodeField(password uint32, table, field byte) []byte {
	return append(command(cmdField, password), table, field)
}

// encodeDate is 22h and 23h: day, month, year.
func encodeDate(code byte, password uint32, t time.Time) []byte {
	return append(command(code, password), byte(t.Day()), byte(t.Month()), byte(t.Year()-2000))
}

func encodeTime(password uint32, t time.Time) []byte {
	return append(command(cmdSetTime, password), byte(t.Hour()), byte(t.Minute()), byte(t.Second()))
}

func encodeCash(code byte, password uint32, amount fiscal.Money) []byte {
	return appendMoney(command(code, password), amount)
}

func encodeOpenReceipt(password uint32, kind fiscal.Kind, correction bool) []byte {
	t := receiptType(kind)
	if correction {
		t |= correctionReceipt
	}
	return append(command(cmdOpenReceipt, password), t)
}

// receiptType is the type of 8D, of registers and of the mode byte, whose order
// differs from the settlement sign (4.4).
func receiptType(k fiscal.Kind) byte {
	switch k {
	case fiscal.Refund:
		return 2
	case fiscal.Buy:
		return 1
	case fiscal.BuyRefund:
		return 3
	default:
		return 0
	}
}

// item is one FF46.
type item struct {
	kind     fiscal.Kind
	quantity fiscal.Quantity
	price    fiscal.Money
	sum      fiscal.Money
	tax      uint64 // moneyNotGiven unless the device wants it
	rate     byte   // 4.7
	dept     byte
	method   fiscal.Method
	subject  fiscal.Subject
	name     []byte // CP1251
}

// encodeItem is FF46: op @6, quantity @7, price @13, sum @18, tax @23, rate
// @28, department @29, 1214 @30, 1212 @31, name @32.
func encodeItem(password uint32, it item) []byte {
	b := append(fnCommand(fnItem, password), byte(it.kind))
	b = appendUint(b, uint64(it.quantity), quantityBytes)
	b = appendMoney(b, it.price)
	b = appendMoney(b, it.sum)
	b = appendUint(b, it.tax, moneyBytes)
	b = append(b, it.rate, it.dept, byte(it.method), byte(it.subject))
	return append(b, it.name...)
}

// closing is FF45 and FF76, which differ in the number of tax sums only.
type closing struct {
	payments [paymentSlots]fiscal.Money
	taxes    [taxSumsOfClose3]fiscal.Money // in the order of table 6
	taxation fiscal.Taxation
}

// encodeClose is FF45 (LEN 118): payments @6, rounding @86, six tax sums @87,
// taxation @117, no text.
func encodeClose(password uint32, c closing) []byte {
	return c.encode(fnCommand(fnClose, password), taxSumsOfClose)
}

// encodeClose3 is FF76 (LEN 138): ten tax sums @87, taxation @137.
func encodeClose3(password uint32, c closing) []byte {
	return c.encode(fnCommand(fnClose3, password), taxSumsOfClose3)
}

func (c closing) encode(b []byte, taxes int) []byte {
	for _, p := range c.payments {
		b = appendMoney(b, p)
	}
	b = append(b, 0) // no rounding: totals are exact
	for _, t := range c.taxes[:taxes] {
		b = appendMoney(b, t)
	}
	return append(b, byte(c.taxation))
}

// correction is FF4A of FFD 1.05 and 1.1.
type correction struct {
	byOrder  bool
	kind     fiscal.Kind
	total    fiscal.Money
	payments fiscal.Payments
	taxes    [taxSumsOfClose]fiscal.Money
	taxation fiscal.Taxation
}

// encodeCorrection: type @6, sign @7, total @8, five payments @13, six tax sums
// @38, taxation @68. LEN 69.
func encodeCorrection(password uint32, c correction) []byte {
	order := byte(0)
	if c.byOrder {
		order = 1
	}
	b := append(fnCommand(fnCorrection, password), order, byte(c.kind))
	p := c.payments
	for _, m := range []fiscal.Money{c.total, p.Cash, p.Card, p.Prepayment, p.Credit, p.Other} {
		b = appendMoney(b, m)
	}
	for _, t := range c.taxes {
		b = appendMoney(b, t)
	}
	return append(b, byte(c.taxation))
}

func encodeTags(sub byte, password uint32, tlv []byte) []byte {
	return append(fnCommand(sub, password), tlv...)
}

func encodeDocument(sub byte, password, fd uint32) []byte {
	return appendUint(fnCommand(sub, password), uint64(fd), 4)
}

func encodeLine(password uint32, text []byte) []byte {
	return append(append(command(cmdPrintLine, password), toReceipt), text...)
}
