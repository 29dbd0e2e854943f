package shtrih

import (
	"slices"
	"strings"
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// storageCommands are section 3.8: questions to the storage.
func storageCommands() []command {
	ask := func(code uint16, name string, length int, run func(*Printer, *call) ([]byte, code)) command {
		return command{code: code, name: name, min: length, max: length, access: sysadmin, modes: everyMode, run: run}
	}
	return []command{
		ask(0xFF01, "storage status", 6, (*Printer).storageStatus),
		ask(0xFF02, "storage serial", 6, (*Printer).storageSerial),
		ask(0xFF03, "storage expiry", 6, (*Printer).storageExpiry),
		ask(0xFF04, "storage version", 6, (*Printer).storageVersion),
		ask(0xFF08, "cancel storage document", 6, (*Printer).cancelDocument),
		ask(0xFF09, "last registration", 6, (*Printer).lastRegistration),
		ask(0xFF0A, "find document", 10, (*Printer).findDocument),
		ask(0xFF0E, "registration tag", 9, (*Printer).registrationTag),
		ask(0xFF39, "operator exchange", 6, (*Printer).exchangeStatus),
		ask(0xFF3A, "request document TLV", 10, (*Printer).requestTLV),
		ask(0xFF3B, "read TLV", 6, (*Printer).readTLV),
		ask(0xFF3C, "operator receipt", 10, (*Printer).operatorReceipt),
		ask(0xFF3F, "unsent documents", 6, (*Printer).unsentCount),
		ask(0xFF40, "shift parameters", 6, (*Printer).shiftParameters),
		ask(0xFF62, "synchronise registers", 6, nothing),
		ask(0xFF63, "free memory", 6, (*Printer).freeMemory),
		ask(0xFF74, "storage model", 6, (*Printer).storageModel),
		ask(0xFF75, "document size", 6, (*Printer).documentSize),
		ask(0xFF30, "buffer size", 6, (*Printer).bufferSize),
		ask(0xFF31, "read buffer", 9, (*Printer).readBuffer),
		ask(0xFF32, "begin buffer", 8, (*Printer).beginBuffer),
		{code: 0xFF33, name: "write buffer", min: 9, max: messageMax, access: sysadmin, modes: everyMode, run: (*Printer).writeBuffer},
		ask(0xFF64, "send buffer", 6, (*Printer).sendBuffer),
	}
}

func padded(s string, n int, fill byte) []byte {
	b := slices.Repeat([]byte{fill}, n)
	copy(b, s)
	return b
}

func (p *Printer) storageStatus(*call) ([]byte, code) {
	s := p.fn.Status(p.clock())
	b := []byte{byte(s.Phase), byte(s.Current), flag(s.HasData || s.Current != fn.KindNone && p.hasItems()), flag(s.ShiftOpen), s.Warnings}
	b = append(b, ymdhm(s.LastTime)...)
	b = append(b, padded(s.Serial, 16, '0')...)
	return put(b, 4, int64(s.LastDocument)), ok
}

func (p *Printer) hasItems() bool { return p.st.Receipt != nil && len(p.st.Receipt.Items) > 0 }

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func (p *Printer) storageSerial(*call) ([]byte, code) { return padded(p.fn.Serial(), 16, '0'), ok }

func (p *Printer) storageExpiry(*call) ([]byte, code) {
	return append(ymd(p.fn.Expires()), 29, 1), ok
}

func (p *Printer) storageVersion(*call) ([]byte, code) {
	return append(padded("fn_v_1_2_emul", 16, 0), 0), ok // type 0: debug
}

// cancelDocument is FF08. It reaches an open receipt as well: the device loses
// what the storage has dropped.
func (p *Printer) cancelDocument(*call) ([]byte, code) {
	p.pendingTags = nil
	if p.st.Receipt != nil {
		p.dropReceipt()
		return nil, ok
	}
	return nil, storageCode(p.fn.Cancel())
}

func (p *Printer) lastRegistration(*call) ([]byte, code) {
	d, err := p.fn.Document(1)
	if err != nil {
		return nil, storageCode(err)
	}
	b := append(ymdhm(d.Time), p.registrationBody(false)...)
	return p.signed(b, d), ok
}

// registrationBody is INN, RNM, taxations, mode; from FFD 1.1 the extended
// mode, the operator's INN and, in FF09 and re-registrations, a reason.
func (p *Printer) registrationBody(short bool) []byte {
	r := p.fn.Registration()
	b := append(padded(r.INN, 12, ' '), padded(r.RNM, 20, ' ')...)
	b = append(b, r.Taxations, r.Mode)
	if p.fn.FFD() < ffd.Version11 {
		return b
	}
	b = append(b, r.ExtendedMode)
	b = append(b, padded(r.OFDINN, 12, ' ')...)
	if short {
		return b
	}
	return put(b, 4, 0)
}

func (p *Printer) findDocument(c *call) ([]byte, code) {
	d, err := p.fn.Document(c.u32())
	if err != nil {
		return nil, storageCode(err)
	}
	b := []byte{byte(d.Form), flag(d.Confirmed)}
	b = append(b, ymdhm(d.Time)...)
	b = put(b, 4, int64(d.Number))
	b = put(b, 4, int64(d.Sign))
	switch d.Form {
	case fn.FormReceipt, fn.FormCorrection:
		b = put(append(b, d.Operation), 5, d.Total)
	case fn.FormShiftOpen, fn.FormShiftClose:
		b = put(b, 2, int64(d.Shift))
	case fn.FormRegistration:
		b = append(b, p.registrationBody(true)...)
	case fn.FormStateReport:
		q := p.fn.Queue()
		b = append(put(b, 4, int64(q.Count)), ymd(q.First.Time)...)
	}
	return b, ok
}

const everyTag = 0xFFFF

func (p *Printer) registrationTag(c *call) ([]byte, code) {
	_, tag := c.u8(), c.u16()
	if tag == everyTag {
		tlv, err := p.fn.TLV(1, time.Time{})
		p.reading = tlv
		return nil, storageCode(err)
	}
	tlv, err := p.fn.RegistrationTag(ffd.Tag(tag))
	if err != nil {
		return nil, storageCode(err)
	}
	return tlv, ok
}

// Bits of the exchange state (section 3.8, FF39).
const (
	exchangeConnected = 1 << 0
	exchangeMessage   = 1 << 1
)

func (p *Printer) exchangeStatus(*call) ([]byte, code) {
	q := p.fn.Queue()
	state := byte(exchangeConnected)
	if q.Count > 0 {
		state = exchangeMessage
	}
	b := put([]byte{state, 0}, 2, int64(q.Count))
	b = put(b, 4, int64(q.First.Number))
	if q.Count == 0 {
		return append(b, 0, 0, 0, 0, 0), ok
	}
	return append(b, ymdhm(q.First.Time)...), ok
}

// requestTLV puts a document out for FF3B; the device is in mode 1 until it has
// been read to the end.
func (p *Printer) requestTLV(c *call) ([]byte, code) {
	if p.cfg.RefuseReadingInReceipt && p.st.Receipt != nil {
		return nil, errMode
	}
	n := c.u32()
	tlv, err := p.fn.TLV(n, p.clock())
	if err != nil {
		return nil, storageCode(err)
	}
	d, err := p.fn.Document(n)
	if err != nil {
		return nil, storageCode(err)
	}
	p.reading = tlv
	return put(put(nil, 2, int64(d.Form)), 2, int64(len(tlv))), ok
}

// tlvChunkMax is an odd size on purpose: a host must not count on chunks ending
// where a tag ends.
const tlvChunkMax = 119

func (p *Printer) readTLV(*call) ([]byte, code) {
	if len(p.reading) == 0 {
		return nil, byte(fn.ErrNoData)
	}
	n := min(len(p.reading), tlvChunkMax)
	chunk := p.reading[:n]
	p.reading = p.reading[n:]
	return chunk, ok
}

func (p *Printer) operatorReceipt(c *call) ([]byte, code) {
	d, err := p.fn.Document(c.u32())
	if err != nil || !d.Confirmed {
		return nil, byte(fn.ErrNoData)
	}
	b := append(ymdhm(d.Time), padded(strings.Repeat("\x5A", 18), 18, 0)...)
	return put(b, 4, int64(d.Number)), ok
}

func (p *Printer) unsentCount(*call) ([]byte, code) {
	return put(nil, 2, int64(p.fn.Queue().Count)), ok
}

func (p *Printer) shiftParameters(*call) ([]byte, code) {
	s := p.fn.Shift()
	b := []byte{flag(s.Open)}
	b = put(b, 2, int64(s.Number))
	return put(b, 2, int64(s.Receipts)), ok
}

const kilobytesPerDocument = 1

func (p *Printer) freeMemory(*call) ([]byte, code) {
	room := int64(p.fn.Room())
	return put(put(nil, 4, room), 4, room*kilobytesPerDocument), ok
}

func (p *Printer) storageModel(*call) ([]byte, code) {
	return padded(string(text1251("ЭМУЛЯТОР ФН")), 48, 0), ok
}

func (p *Printer) documentSize(*call) ([]byte, code) {
	return put(put(nil, 4, int64(p.fn.CurrentSize())), 4, 0), ok
}

// dataBuffer carries TLV that does not fit one message, and what the storage
// has for the operator.
type dataBuffer struct {
	data []byte
}

const (
	bufferBlock = 240
	bufferMax   = 1 << 15
)

func (p *Printer) bufferSize(*call) ([]byte, code) {
	return append(put(nil, 2, int64(len(p.buffer.data))), bufferBlock), ok
}

func (p *Printer) readBuffer(c *call) ([]byte, code) {
	at, n := int(c.u16()), int(c.u8())
	if at+n > len(p.buffer.data) || n > bufferBlock {
		return nil, errParameters
	}
	return p.buffer.data[at : at+n], ok
}

func (p *Printer) beginBuffer(c *call) ([]byte, code) {
	size := int(c.u16())
	if size == 0 || size > bufferMax {
		return nil, errParameters
	}
	p.buffer = dataBuffer{data: make([]byte, size)}
	return []byte{bufferBlock}, ok
}

func (p *Printer) writeBuffer(c *call) ([]byte, code) {
	at, n := int(c.u16()), int(c.u8())
	if n != len(c.b) || at+n > len(p.buffer.data) {
		return nil, errParameters
	}
	copy(p.buffer.data[at:], c.rest())
	return nil, ok
}

func (p *Printer) sendBuffer(c *call) ([]byte, code) {
	if len(p.buffer.data) == 0 {
		return nil, errNoData
	}
	c.reader = reader{b: p.buffer.data}
	_, e := p.sendTLV(c)
	if e == ok {
		p.buffer = dataBuffer{}
	}
	return nil, e
}
