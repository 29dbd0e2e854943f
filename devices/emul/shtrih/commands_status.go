package shtrih

import (
	"strconv"
	"time"

	"kassad/fiscal/ffd"
)

// statusCommands are section 3.1, 3.4 and the drawer.
func statusCommands() []command {
	return []command{
		{code: 0x10, name: "short status", min: 5, max: 5, access: operator, modes: everyMode, withOp: true, run: (*Printer).shortStatus},
		{code: 0x11, name: "full status", min: 5, max: 5, access: operator, modes: everyMode, withOp: true, run: (*Printer).fullStatus},
		{code: 0xFC, name: "device type", min: 1, max: 1, modes: everyMode, run: (*Printer).deviceType},
		{code: 0xF7, name: "extended request", min: 2, max: messageMax, modes: everyMode, run: (*Printer).modelParameters},
		{code: 0x6B, name: "error text", min: 1, max: 2, modes: everyMode, run: (*Printer).errorName},
		{code: 0x13, name: "beep", min: 5, max: 5, access: operator, modes: everyMode, withOp: true, run: nothing},
		{code: 0x14, name: "set port", min: 8, max: 8, access: sysadmin, modes: everyMode, run: (*Printer).setPort},
		{code: 0x15, name: "read port", min: 6, max: 6, access: sysadmin, modes: everyMode, run: (*Printer).readPort},
		{code: 0x16, name: "technological reset", min: 1, max: 1, modes: inReset, run: (*Printer).reset},
		{code: 0x03, name: "end of dump", min: 5, max: 5, access: operator, modes: everyMode, run: (*Printer).endReading},
		{code: 0x21, name: "set time", min: 8, max: 8, access: sysadmin, modes: inClosed, loose: true, run: (*Printer).setTime},
		{code: 0x22, name: "set date", min: 8, max: 8, access: sysadmin, modes: inOpen | inClosed | inDate, run: (*Printer).setDate},
		{code: 0x23, name: "confirm date", min: 8, max: 8, access: sysadmin, modes: inDate, run: (*Printer).confirmDate},
		{code: 0x28, name: "open drawer", min: 6, max: 6, access: operator, modes: workingOrOpen, withOp: true, run: nothing},
		{code: 0xFEF4, name: "non-nullable totals", min: 6, max: 6, modes: everyMode, run: (*Printer).lifetimeTotals},
	}
}

func nothing(*Printer, *call) ([]byte, code) { return nil, ok }

// Flags of 10h and 11h (section 4.3).
const (
	flagReceiptRoll   = 1 << 1
	flagTwoDecimals   = 1 << 4
	flagReceiptSensor = 1 << 7
	flagHeadLever     = 1 << 9
	flagCover         = 1 << 10
)

// flags gives 0292h when idle, the value of section 6.2.
func (p *Printer) flags() int64 {
	v := int64(flagTwoDecimals | flagHeadLever)
	if !p.paper.out {
		v |= flagReceiptRoll | flagReceiptSensor
	}
	if p.paper.cover {
		v |= flagCover
	}
	return v
}

const (
	batteryRaw = 0x9F
	supplyRaw  = 0xE5
)

func (p *Printer) shortStatus(*call) ([]byte, code) {
	operations := 0
	if p.st.Receipt != nil {
		operations = len(p.st.Receipt.Items)
	}
	b := put(nil, 2, p.flags())
	b = append(b, p.mode(), p.paper.submode(time.Now()), byte(operations), batteryRaw, supplyRaw, 0, 0, byte(operations>>8), 0, p.st.Previous, 0)
	if p.cfg.LastPrintResult {
		b = append(b, p.printResult())
	}
	return b, ok
}

// printResult is the byte that F7 bit 34 adds to 10h.
func (p *Printer) printResult() byte {
	switch p.paper.submode(time.Now()) {
	case subActive, subContinue:
		return 1
	case subPrinting:
		return 5
	default:
		return 0
	}
}

func (p *Printer) fullStatus(*call) ([]byte, code) {
	now := p.clock()
	b := []byte("T3")
	b = put(b, 2, 7196)
	b = append(b, 17, 12, 25)
	b = append(b, byte(p.tables.number(1, 1, 1)))
	b = put(b, 2, int64(p.st.Operational[operDocument]))
	b = put(b, 2, p.flags())
	b = append(b, p.mode(), p.paper.submode(time.Now()), 0)
	b = append(b, 'N', 'A', 0, 0, 1, 1, 16)
	b = append(b, dmy(now)...)
	b = append(b, byte(now.Hour()), byte(now.Minute()), byte(now.Second()), 0)
	b = put(b, 4, digits(p.cfg.Serial)%(1<<32))
	b = put(b, 2, int64(p.lastClosedShift()))
	b = put(b, 2, 0)
	b = append(b, 1, 20)
	return put(b, 6, digits(p.fn.Registration().INN)), ok
}

func (p *Printer) lastClosedShift() uint16 {
	s := p.fn.Shift()
	if s.Open {
		return s.Number - 1
	}
	return s.Number
}

func digits(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return v
}

func dmy(t time.Time) []byte { return []byte{byte(t.Day()), byte(t.Month()), byte(t.Year() % 100)} }

func ymd(t time.Time) []byte { return []byte{byte(t.Year() % 100), byte(t.Month()), byte(t.Day())} }

func ymdhm(t time.Time) []byte { return append(ymd(t), byte(t.Hour()), byte(t.Minute())) }

// text1251 is CP1251 without what has no place in it.
func text1251(s string) []byte {
	b, err := ffd.EncodeText1251(s)
	if err != nil {
		return []byte("?")
	}
	return b
}

func (p *Printer) deviceType(*call) ([]byte, code) {
	return append([]byte{0, 0, 1, 14, p.cfg.Model, 0}, text1251(p.cfg.ModelName)...), ok
}

// Flags of F7 type 1 (section 3.1).
const (
	featureCover       = 1 << 4
	featureCutter      = 1 << 13
	featureNonFiscal   = 1 << 22
	featurePrintResult = 1 << 34
	featureErrorText   = 1 << 36
	featureStorage     = 1 << 43
	featureFFD11       = 1 << 47
	featureCorrection  = 1 << 48
	featureExtended    = 1 << 50
	featureAutoCancel  = 1 << 53
)

func (p *Printer) modelParameters(c *call) ([]byte, code) {
	if c.u8() != 1 {
		return nil, errParameters
	}
	flags := int64(featureCover | featureCutter | featureNonFiscal | featureErrorText | featureStorage | featureExtended)
	if p.cfg.LastPrintResult {
		flags |= featurePrintResult
	}
	if p.fn.FFD() >= ffd.Version11 {
		flags |= featureFFD11
	}
	if p.fn.FFD() >= ffd.Version12 {
		flags |= featureCorrection
	}
	if p.cfg.AutoCancelOnPower {
		flags |= featureAutoCancel
	}
	b := put(nil, 8, flags)
	b = append(b, byte(p.cfg.Print.Width), byte(p.cfg.Print.Width/2), 1, 12, 16, 0, 0)
	b = put(b, 4, 0)
	b = put(b, 4, int64(p.cfg.Password))
	b = append(b, 0, 14) // no Bluetooth table; tax mode is field 14 of table 1
	return put(b, 2, messageMax), ok
}

func (p *Printer) errorName(c *call) ([]byte, code) {
	e := p.last
	if len(c.b) > 0 {
		e = c.u8()
	}
	return text1251(errorText(e)), ok
}

// Port rates: 0..6 on every model, 230400 and up draw 33h (section 6.5).
const rateMax = 6

func (p *Printer) setPort(c *call) ([]byte, code) {
	port, rate, timeout := c.u8(), c.u8(), c.u8()
	if rate > rateMax || port > 2 && port != 128 {
		return nil, errParameters
	}
	p.st.PortRate, p.st.PortTimeout = rate, timeout
	return nil, ok
}

func (p *Printer) readPort(*call) ([]byte, code) { return []byte{p.st.PortRate, p.st.PortTimeout}, ok }

// reset is allowed in mode 9 only, which FailMemory enters (section 3.4).
func (p *Printer) reset(*call) ([]byte, code) {
	p.st.Mode = 0
	return nil, ok
}

// FailMemory puts the device into mode 9, as a memory failure at power-on does;
// the host must send 16h and set the clock.
func (p *Printer) FailMemory() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.st.Mode = modeReset
}

func (p *Printer) endReading(*call) ([]byte, code) {
	if len(p.reading) == 0 {
		return nil, errMode
	}
	p.reading = nil
	return nil, ok
}

func (p *Printer) setTime(c *call) ([]byte, code) {
	h, m, s := c.u8(), c.u8(), c.u8()
	if h > 23 || m > 59 || s > 59 {
		return nil, errParameters
	}
	now := p.clock()
	p.setClock(time.Date(now.Year(), now.Month(), now.Day(), int(h), int(m), int(s), 0, now.Location()))
	return nil, ok
}

func (p *Printer) setClock(t time.Time) { p.st.ClockOffset += t.Sub(p.clock()) }

// setDate only remembers the date; 23h must repeat it (section 3.4).
func (p *Printer) setDate(c *call) ([]byte, code) {
	date, valid := p.date(c)
	if !valid {
		return nil, errDateFormat
	}
	if p.mode() == modeOpen {
		return nil, errDateMismatch
	}
	last := p.fn.Status(p.clock()).LastTime
	if date.AddDate(0, 0, 1).Before(last) {
		return nil, errDateMismatch // FN devices refuse past dates
	}
	p.st.Mode, p.st.PendingDate = modeDate, date
	return nil, ok
}

func (p *Printer) date(c *call) (time.Time, bool) {
	d, m, y := int(c.u8()), int(c.u8()), 2000+int(c.u8())
	now := p.clock()
	t := time.Date(y, time.Month(m), d, now.Hour(), now.Minute(), now.Second(), 0, now.Location())
	return t, t.Day() == d && int(t.Month()) == m && y < 2100
}

func (p *Printer) confirmDate(c *call) ([]byte, code) {
	date, valid := p.date(c)
	if !valid {
		return nil, errDateFormat
	}
	if y, m, d := p.st.PendingDate.Date(); date.Year() != y || date.Month() != m || date.Day() != d {
		return nil, errDateMismatch
	}
	p.setClock(date)
	p.st.Mode = 0
	return nil, ok
}
