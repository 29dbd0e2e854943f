package shtrih

import (
	"encoding/binary"
	"fmt"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// field is one column of a table (sections 2Eh and 3.3).
type field struct {
	name     string
	text     bool // CHAR, else BIN
	size     int
	min, max int64 // BIN only
	readOnly bool
}

// table is a settings table; rows and fields count from 1.
type table struct {
	name   string
	rows   int
	fields []field
}

// tables are the settings of the device. Cells hold the wire form: BIN
// little-endian, CHAR in CP1251 padded with zeros.
type tables struct {
	list  []table
	Cells map[uint32][]byte // by table<<24 | row<<8 | field
}

func bin(name string, size int, maximum int64) field {
	return field{name: name, size: size, max: maximum}
}

func char(name string, size int) field { return field{name: name, text: true, size: size} }

func fixed(f field) field {
	f.readOnly = true
	return f
}

func cell(t, row, f int) uint32 { return uint32(t)<<24 | uint32(row)<<8 | uint32(f) }

// newTables builds the desktop numbering of section 3.3 with factory values.
func newTables(cfg Config, storage *fn.Storage) *tables {
	t := &tables{list: tableList(), Cells: map[uint32][]byte{}}
	for i, tab := range t.list {
		for row := 1; row <= tab.rows; row++ {
			for f, def := range tab.fields {
				t.Cells[cell(i+1, row, f+1)] = make([]byte, def.size)
			}
		}
	}
	t.factory(cfg, storage)
	return t
}

func (t *tables) find(tab, row, f int) (field, []byte, code) {
	if tab < 1 || tab > len(t.list) {
		return field{}, nil, errNoTable
	}
	def := t.list[tab-1]
	if row < 1 || row > def.rows || f < 1 || f > len(def.fields) {
		return field{}, nil, errParameters
	}
	return def.fields[f-1], t.Cells[cell(tab, row, f)], ok
}

func (t *tables) number(tab, row, f int) int64 {
	_, v, e := t.find(tab, row, f)
	if e != ok {
		return 0
	}
	r := reader{b: v}
	return r.number(min(len(v), 8))
}

func (t *tables) text(tab, row, f int) string {
	_, v, _ := t.find(tab, row, f)
	return ffd.DecodeText1251(v)
}

// set writes without the checks of 1Eh.
func (t *tables) set(tab, row, f int, v any) {
	def, _, e := t.find(tab, row, f)
	if e != ok {
		panic(fmt.Sprintf("shtrih: table %d row %d field %d: error %02Xh", tab, row, f, e))
	}
	b := make([]byte, def.size)
	switch v := v.(type) {
	case string:
		copy(b, text1251(v))
	case int:
		copy(b, binary.LittleEndian.AppendUint64(nil, uint64(v)))
	}
	t.Cells[cell(tab, row, f)] = b
}

func (t *tables) write(tab, row, f int, v []byte) code {
	def, _, e := t.find(tab, row, f)
	switch {
	case e != ok:
		return e
	case def.readOnly:
		return errReadOnly
	case len(v) > def.size || !def.text && len(v) != def.size:
		return errLength
	}
	if !def.text {
		r := reader{b: v}
		if n := r.number(min(len(v), 8)); def.max > 0 && (n < def.min || n > def.max) {
			return errParameters
		}
	}
	b := make([]byte, def.size)
	copy(b, v)
	t.Cells[cell(tab, row, f)] = b
	return ok
}

// SetTable writes a table field past its checks: v is an int or a string.
func (p *Printer) SetTable(tab, row, f int, v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tables.set(tab, row, f, v)
}

// tableCommands are 1Eh, 1Fh, 2Dh, 2Eh and the registers.
func tableCommands() []command {
	return []command{
		{code: 0x1A, name: "money register", min: 6, max: 7, access: operator, modes: workingOrOpen, withOp: true, run: (*Printer).moneyRegister},
		{code: 0x1B, name: "operational register", min: 6, max: 6, access: operator, modes: workingOrOpen, withOp: true, run: (*Printer).operationalRegister},
		{code: 0x1E, name: "write table", min: 10, max: messageMax, access: sysadmin, modes: everyMode &^ inData, loose: true, run: (*Printer).writeTable},
		{code: 0x1F, name: "read table", min: 9, max: 9, access: sysadmin, modes: everyMode, run: (*Printer).readTable},
		{code: 0x2D, name: "table structure", min: 6, max: 6, access: sysadmin, modes: everyMode, run: (*Printer).tableStructure},
		{code: 0x2E, name: "field structure", min: 7, max: 7, access: sysadmin, modes: everyMode, run: (*Printer).fieldStructure},
	}
}

func (p *Printer) writeTable(c *call) ([]byte, code) {
	tab, row, f := int(c.u8()), int(c.u16()), int(c.u8())
	return nil, p.tables.write(tab, row, f, c.rest())
}

func (p *Printer) readTable(c *call) ([]byte, code) {
	p.refreshTables()
	_, v, e := p.tables.find(int(c.u8()), int(c.u16()), int(c.u8()))
	return v, e
}

const nameBytes = 40

func name40(s string) []byte {
	b := make([]byte, nameBytes)
	copy(b, text1251(s))
	return b
}

func (p *Printer) tableStructure(c *call) ([]byte, code) {
	n := int(c.u8())
	if n < 1 || n > len(p.tables.list) {
		return nil, errNoTable
	}
	t := p.tables.list[n-1]
	return append(put(name40(t.name), 2, int64(t.rows)), byte(len(t.fields))), ok
}

func (p *Printer) fieldStructure(c *call) ([]byte, code) {
	f, _, e := p.tables.find(int(c.u8()), 1, int(c.u8()))
	if e != ok {
		return nil, e
	}
	b := name40(f.name)
	if f.text {
		return append(b, 1, byte(f.size)), ok
	}
	high := f.max
	if high == 0 {
		high = 1<<(8*f.size) - 1
	}
	b = append(b, 0, byte(f.size))
	return put(put(b, f.size, f.min), f.size, high), ok
}

// refreshTables brings the fields up to date that mirror the storage (tables
// 18 and 20).
func (p *Printer) refreshTables() {
	q := p.fn.Queue()
	p.tables.set(20, 1, 3, q.Count)
	p.tables.set(20, 1, 4, int(q.First.Number))
	date := ""
	if q.Count > 0 {
		date = q.First.Time.Format("02.01.06 15:04")
	}
	p.tables.set(20, 1, 5, date)
}
