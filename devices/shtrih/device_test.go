package shtrih

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kassad/devices/link"
	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// script is a device that answers by rote: just enough state, read from the
// reference, to follow one document. It knows nothing of the driver.
type script struct {
	t        *testing.T
	mu       sync.Mutex
	log      []string // commands seen, in order
	messages [][]byte

	mode, submode, opened byte
	fnDocument            byte
	lastFD                uint32
	shift, receipt        uint16
	operations            int
	sum                   uint64
	kind                  byte
	tags                  []byte // TLV of the document in hand
	docs                  map[uint32]storedDocument
	reading               []byte
	cashIn, cashInCount   uint64
	drawer                uint64
	flags                 uint16
	serial, fn            string
	clockAhead            time.Duration
	extended              bool

	// refuse answers the next command of that name with an error code.
	refuse map[string][]byte
	// hook runs after a command was executed; false swallows the answer and
	// hangs up.
	hook func(name string) bool
	// damage, if set, changes an answer on its way.
	damage func(name string, answer []byte)

	registers map[uint64]uint64
	rates     map[byte]tableRate // rows of table 6 instead of the usual two
	// judgeTags, if set, is the error code for FF0C and FF4D.
	judgeTags func(m []byte) byte
	counts    map[byte]uint32
	lacks     func(register uint64) bool
	dials     int
}

type tableRate struct {
	figure uint16
	name   string
}

type storedDocument struct {
	form  byte
	kind  byte
	total uint64
	tlv   []byte
	shift uint16
}

func newScript(t *testing.T) *script {
	// A bubble begins with 2000 in Greenwich. West of it that is a year which the clock
	// of a register cannot show.
	if time.Now().Year() < 2000 {
		<-time.After(24 * time.Hour)
	}
	return &script{
		t: t, mode: modeShift, lastFD: 100, shift: 7, receipt: 3, docs: map[uint32]storedDocument{}, flags: 0x0292,
		serial: "0001234", fn: "9999078900012345", refuse: map[string][]byte{},
	}
}

// dial serves one connection.
func (s *script) dial(context.Context) (link.Link, error) {
	s.dials++
	host, peer := net.Pipe()
	device := &protocolDevice{}
	go device.serve(peer, func(m []byte) []byte {
		s.mu.Lock() // an old link's end may still be at work
		defer s.mu.Unlock()
		name := commandName(m)
		s.log = append(s.log, name)
		s.messages = append(s.messages, m)
		if codes := s.refuse[name]; len(codes) > 0 {
			s.refuse[name] = codes[1:]
			if codes[0] != 0 {
				return s.error(m, codes[0])
			}
		}
		answer := s.execute(m)
		if s.damage != nil {
			s.damage(name, answer)
		}
		if s.hook != nil && !s.hook(name) {
			peer.Close()
			host.Close()
		}
		return answer
	})
	return host, nil
}

func (s *script) error(m []byte, code byte) []byte {
	if m[0] == 0xFF {
		return []byte{0xFF, m[1], code}
	}
	return []byte{m[0], code}
}

func le(v uint64, n int) []byte { return appendUint(nil, v, n) }

func (s *script) ymdhm() []byte {
	now := time.Now().Add(s.clockAhead)
	return []byte{byte(now.Year() - 2000), byte(now.Month()), byte(now.Day()), byte(now.Hour()), byte(now.Minute())}
}

func (s *script) execute(m []byte) []byte {
	if m[0] == 0xFF {
		if s.judgeTags != nil && (m[1] == fnSendTags || m[1] == fnSendItemTags) {
			if code := s.judgeTags(m); code != 0 {
				return s.error(m, code)
			}
		}
		return append([]byte{0xFF, m[1]}, s.storage(m[1], m[6:])...)
	}
	ok := []byte{m[0], 0, 30}
	modeByte := s.mode | s.opened<<4
	switch m[0] {
	case 0xFC:
		return append([]byte{0xFC, 0, 0, 0, 1, 14, 250, 0}, "M-01F"...)
	case 0xF7:
		return append([]byte{0xF7, 0}, make([]byte, 20)...)
	case 0x10:
		return append(ok, byte(s.flags), byte(s.flags>>8), modeByte, s.submode, byte(s.operations), 0, 0, 0, 0, byte(s.operations>>8), 0, 0, 0)
	case 0x11:
		now := time.Now().Add(s.clockAhead)
		a := append(ok, 'T', '3', 0, 0, 0, 0, 0, 1, 0, 0, byte(s.flags), byte(s.flags>>8), modeByte, s.submode, 0)
		a = append(a, make([]byte, 7)...)
		a = append(a, byte(now.Day()), byte(now.Month()), byte(now.Year()-2000), byte(now.Hour()), byte(now.Minute()), byte(now.Second()), 0)
		return append(a, make([]byte, 16)...)
	case 0x1F:
		return s.table(m)
	case 0x2E:
		if m[6] == 17 {
			return append([]byte{0x2E, 0}, append([]byte{0xD4, 0xD4, 0xC4}, make([]byte, 39)...)...) // "ФФД"
		}
		return []byte{0x2E, 0x33}
	case 0x1A:
		if s.lacks != nil && s.lacks(uintAt(m, 5, len(m)-5)) {
			return []byte{m[0], errParameters}
		}
		return append(ok, le(s.money(uintAt(m, 5, len(m)-5)), 6)...)
	case 0x1B:
		if m[5] == countCashIn {
			return append(ok, le(s.cashInCount, 2)...)
		}
		return append(ok, le(uint64(s.counts[m[5]]), 2)...)
	case 0x8D:
		s.mode, s.opened, s.operations, s.sum, s.tags, s.fnDocument = modeDocument, m[5]&3, 0, 0, nil, 4
		return ok
	case 0x89:
		return append(ok, le(s.sum, 5)...)
	case 0x88:
		s.mode, s.opened, s.fnDocument = modeShift, 0, 0
		return ok
	case 0x50:
		s.cashIn += uintAt(m, 5, 5)
		s.cashInCount++
		s.drawer += uintAt(m, 5, 5)
		return append(ok, 1, 0)
	case 0xE0:
		s.mode, s.fnDocument = modeShift, 0
		s.shift, s.receipt = s.shift+1, 0
		s.store(storedDocument{form: 2, shift: s.shift})
		return ok
	case 0x41:
		s.mode, s.fnDocument = modeClosed, 0
		s.store(storedDocument{form: 5, shift: s.shift})
		return ok
	case 0x03, 0x17, 0x25, 0x28, 0x40, 0x8C, 0xB0, 0x21, 0x22, 0x23, 0x1E:
		return ok
	default:
		return []byte{m[0], errUnsupported}
	}
}

func (s *script) money(n uint64) uint64 {
	switch n {
	case moneyDrawer:
		return s.drawer
	case moneyCashIn:
		return s.cashIn
	default:
		return s.registers[n]
	}
}

func (s *script) table(m []byte) []byte {
	ok := []byte{0x1F, 0}
	if s.rates != nil && m[5] == tableTax {
		row, found := s.rates[m[6]]
		if !found {
			return []byte{0x1F, errParameters}
		}
		if m[8] == fieldTaxName {
			name, _ := ffd.EncodeText1251(row.name)
			return append(ok, name...)
		}
		return append(ok, le(uint64(row.figure), 2)...)
	}
	switch [3]byte{m[5], m[6], m[8]} {
	case [3]byte{18, 1, 1}:
		return append(ok, s.serial...)
	case [3]byte{18, 1, 3}:
		return append(ok, "0000000000044665"...)
	case [3]byte{17, 1, 17}:
		return append(ok, 4)
	case [3]byte{6, 11, 1}:
		return append(ok, le(2200, 2)...)
	case [3]byte{6, 1, 1}:
		return append(ok, le(2000, 2)...)
	default:
		return []byte{0x1F, errParameters}
	}
}

func (s *script) store(d storedDocument) {
	s.lastFD++
	s.docs[s.lastFD] = d
}

func (s *script) storage(sub byte, p []byte) []byte {
	switch sub {
	case 0x01:
		open := byte(0)
		if s.mode != modeClosed {
			open = 1
		}
		a := append([]byte{0, 3, s.fnDocument, 0, open, 0}, s.ymdhm()...)
		return append(append(a, s.fn...), le(uint64(s.lastFD), 4)...)
	case 0x40:
		open := byte(1)
		if s.mode == modeClosed {
			open = 0
		}
		return append([]byte{0, open}, append(le(uint64(s.shift), 2), le(uint64(s.receipt), 2)...)...)
	case 0x0C:
		s.tags = append(s.tags, p...)
		return []byte{0}
	case 0x41:
		s.fnDocument = 2
		return []byte{0}
	case 0x42:
		s.fnDocument = 8
		return []byte{0}
	case 0x08:
		s.fnDocument = 0
		return []byte{0}
	case 0x46:
		s.operations++
		s.kind = p[0]
		s.sum += uintAt(p, 12, 5)
		return []byte{0}
	case 0x4D:
		return []byte{0}
	case 0x45, 0x76:
		paid := uint64(0)
		for i := range 16 {
			paid += uintAt(p, 5*i, 5)
		}
		if paid < s.sum {
			return []byte{0x45}
		}
		s.receipt++
		tlv := slices.Clone(s.tags)
		tlv = ffd.AppendUint32(tlv, ffd.TagShift, uint32(s.shift))
		tlv = ffd.AppendUint32(tlv, ffd.TagReceipt, uint32(s.receipt))
		s.store(storedDocument{form: 3, kind: s.kind, total: s.sum, tlv: tlv})
		s.mode, s.opened, s.fnDocument = modeShift, 0, 0
		a := append([]byte{0}, le(paid-s.sum, 5)...)
		a = append(append(a, le(uint64(s.lastFD), 4)...), le(0xCF46628F, 4)...)
		if s.extended {
			a = append(a, s.ymdhm()...)
		}
		return a
	case 0x0A:
		fd := uint32(uintAt(p, 0, 4))
		d, ok := s.docs[fd]
		if !ok {
			return []byte{8}
		}
		a := append([]byte{0, d.form, 0}, s.ymdhm()...)
		a = append(append(a, le(uint64(fd), 4)...), le(0xCF46628F, 4)...)
		if d.form == 2 || d.form == 5 {
			return append(a, le(uint64(d.shift), 2)...)
		}
		return append(append(a, d.kind), le(d.total, 5)...)
	case 0x3A:
		d, ok := s.docs[uint32(uintAt(p, 0, 4))]
		if !ok || d.tlv == nil {
			return []byte{8}
		}
		s.reading = d.tlv
		return append([]byte{0, d.form, 0}, le(uint64(len(d.tlv)), 2)...)
	case 0x3B:
		if len(s.reading) == 0 {
			return []byte{8}
		}
		n := 4 + int(uintAt(s.reading, 2, 2))
		part := s.reading[:n]
		s.reading = s.reading[n:]
		return append([]byte{0}, part...)
	default:
		return []byte{errUnsupported}
	}
}

// count of a command in the log.
func (s *script) count(name string) int {
	n := 0
	for _, x := range s.log {
		if x == name {
			n++
		}
	}
	return n
}

func (s *script) last(name string) []byte {
	for i := len(s.log) - 1; i >= 0; i-- {
		if s.log[i] == name {
			return s.messages[i]
		}
	}
	return nil
}

// bubble runs f with a driver on a scripted device in virtual time.
func bubble(t *testing.T, f func(t *testing.T, s *script, d *Driver)) {
	t.Helper()
	bubbleWith(t, Options{}, f)
}

func bubbleWith(t *testing.T, o Options, f func(t *testing.T, s *script, d *Driver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		o.Dial, o.Logger = s.dial, slog.New(slog.DiscardHandler)
		d := New(o)
		defer d.Close()
		f(t, s, d)
	})
}

// coffee is a sale of two coffees and half a kilo of beans, 500.00 tendered.
func coffee() fiscal.Document {
	return fiscal.Document{
		ID: "a1", Verb: fiscal.VerbSale, Kind: fiscal.Sale, Key: "K7QX3M5A7BZC2D4E", Cashier: fiscal.Cashier{Name: "Иванова", INN: "500100732259"},
		Lines: []fiscal.Line{
			{Name: "Кофе", Price: 15000, Quantity: 2 * fiscal.QuantityUnit, Sum: 30000, VAT: fiscal.VAT22, Method: fiscal.FullPayment, Subject: fiscal.Goods, Department: 1},
			{Name: "Зёрна", Price: 20000, Quantity: fiscal.QuantityUnit / 2, Sum: 10000, VAT: fiscal.VATNone, Unit: 11, Method: fiscal.FullPayment, Subject: fiscal.Goods, Department: 1},
		},
		Payments: fiscal.Payments{Cash: 40000}, Total: 40000, Change: 10000,
	}
}

func mustPrepare(t *testing.T, d *Driver, doc fiscal.Document) fiscal.Baseline {
	t.Helper()
	base, err := d.Prepare(context.Background(), doc)
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return base
}

func wantError(t *testing.T, err error, code fiscal.Code, outcome fiscal.Outcome) {
	t.Helper()
	e := fiscal.AsError(err, "")
	if err == nil || e.Code != code || e.Outcome != outcome {
		t.Errorf("got %v (code %s, outcome %d), want %s, %d", err, e.Code, e.Outcome, code, outcome)
	}
}

func mustFind(t *testing.T, d *Driver, doc fiscal.Document, base fiscal.Baseline) fiscal.Verdict {
	t.Helper()
	v, err := d.Find(context.Background(), fiscal.Ref{Document: doc, Baseline: base})
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	return v
}
