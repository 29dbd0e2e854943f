package shtrih

import "slices"

// access is who may send a command (section 2, "Access rights").
type access int

const (
	anyone   access = iota // no password in the message
	operator               // any row of table 2
	senior                 // rows 28..30
	sysadmin               // row 30
)

// modes is a set of modes by number, 1<<mode.
type modes uint16

const (
	everyMode     modes = 0xFFFF
	inOpen        modes = 1 << modeOpen
	inOver24      modes = 1 << modeOver24
	inClosed      modes = 1 << modeClosed
	inReceipt     modes = 1 << modeReceipt
	inReset       modes = 1 << modeReset
	inDate        modes = 1 << modeDate
	inData        modes = 1 << modeData
	working             = inOpen | inOver24 | inClosed
	workingOrOpen       = working | inReceipt
)

// command is a row of the dispatch table.
type command struct {
	code     uint16
	name     string
	min, max int // length of the message, code included
	access   access
	modes    modes
	prints   bool
	withOp   bool // the answer carries the operator number
	loose    bool // password is checked first, a wrong length after it is 33h (section 2)
	run      func(*Printer, *call) ([]byte, code)
}

// call is one command being executed.
type call struct {
	spec command
	op   byte // operator number, row of table 2
	pwd  uint32
	msg  []byte
	reader
}

// answer executes a message with the printer locked.
func (p *Printer) answer(msg []byte) []byte {
	spec, known := p.commands[CodeOf(msg)]
	if !known {
		if len(msg) == 0 {
			return []byte{0, errLength}
		}
		return p.refusal(msg, errUnsupported)
	}
	c := &call{spec: spec, msg: msg}
	if e := p.admit(c); e != ok {
		return p.refusal(msg, e)
	}
	before := p.mode()
	data, e := spec.run(p, c)
	if e != ok {
		return p.refusal(msg, e)
	}
	if after := p.mode(); after != before {
		p.st.Previous = before
	}
	head := spec.head(ok)
	if spec.withOp {
		head = append(head, c.op)
	}
	return append(head, data...)
}

// admit is what every command goes through: length, password, mode, paper.
func (p *Printer) admit(c *call) code {
	s := c.spec
	offset := 1
	if s.code > 0xFF {
		offset = 2
	}
	short := len(c.msg) < s.min || len(c.msg) > s.max
	if short && !s.loose {
		return errLength
	}
	c.reader = reader{b: c.msg[min(offset, len(c.msg)):]}
	if s.access != anyone {
		if len(c.b) < 4 {
			return errPassword
		}
		c.pwd = c.u32()
		c.op = p.operator(c.pwd)
		if c.op == 0 || !s.access.allows(c.op) {
			return errPassword
		}
	}
	if short {
		return errParameters
	}
	if s.modes&(1<<(p.mode()&0x0F)) == 0 {
		return errMode
	}
	if s.prints {
		return p.paperRefusal()
	}
	return ok
}

func (a access) allows(op byte) bool {
	switch a {
	case sysadmin:
		return op == 30
	case senior:
		return op >= 28
	default:
		return true
	}
}

// operator finds the row of table 2 with this password, the system
// administrator first. 0 is nobody.
func (p *Printer) operator(pwd uint32) byte {
	for row := 30; row >= 1; row-- {
		if p.tables.number(2, row, 1) == int64(pwd) {
			return byte(row)
		}
	}
	return 0
}

// head is code and error. Some firmware answers refusals of FF commands without
// the second byte (section 2).
func (s command) head(e code) []byte {
	if s.code > 0xFF {
		if s.code>>8 == 0xFE {
			return []byte{0xFE, e}
		}
		return []byte{byte(s.code >> 8), byte(s.code), e}
	}
	return []byte{byte(s.code), e}
}

func (p *Printer) refusal(msg []byte, e code) []byte {
	p.last = e
	switch {
	case len(msg) > 1 && msg[0] == 0xFF && !p.cfg.ShortFFErrors:
		return []byte{0xFF, msg[1], e}
	case len(msg) == 0:
		return []byte{0, e}
	default:
		return []byte{msg[0], e}
	}
}

// commandTable indexes the rows by code.
func commandTable() map[uint16]command {
	t := map[uint16]command{}
	for _, c := range commands() {
		t[c.code] = c
	}
	return t
}

func commands() []command {
	return slices.Concat(statusCommands(), tableCommands(), printCommands(), shiftCommands(), receiptCommands(), oldReceiptCommands(),
		storageCommands(), documentCommands())
}

// reader takes little-endian numbers from a message; past the end it gives
// zeros, since lengths were checked before.
type reader struct{ b []byte }

func (r *reader) take(n int) []byte {
	n = min(n, len(r.b))
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) number(n int) int64 {
	var v int64
	for i, c := range r.take(n) {
		v |= int64(c) << (8 * i)
	}
	return v
}

func (r *reader) u8() byte     { return byte(r.number(1)) }
func (r *reader) u16() uint16  { return uint16(r.number(2)) }
func (r *reader) u32() uint32  { return uint32(r.number(4)) }
func (r *reader) money() int64 { return r.number(5) }
func (r *reader) rest() []byte { return r.take(len(r.b)) }

// put appends a little-endian number of n bytes.
func put(b []byte, n int, v int64) []byte {
	for i := range n {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}
