package mqtt

import (
	"encoding"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"kassad/fiscal"
)

// binder turns parsed JSON into typed values. It keeps the first thing that is
// wrong, with its path; what follows is still read, so that the id is known.
type binder struct {
	err  *fiscal.Error
	path []step
}

// step is a member's name, or the place in an array if name is empty.
type step struct {
	name  string
	index int
}

// field is one member that an object may have.
type field[T any] struct {
	name string
	need bool
	read func(b *binder, v *jsonValue, to *T)
}

// bindObject reads the members of v by the table and refuses all others.
func bindObject[T any](b *binder, v *jsonValue, fields []field[T], to *T) {
	if !b.expect(v, jsonObject) {
		return
	}
	for i := range v.members {
		m := &v.members[i]
		j := slices.IndexFunc(fields, func(f field[T]) bool { return f.name == m.key })
		b.enter(m.key)
		if j < 0 {
			b.fail(fiscal.CodeUnknownField, "the contract has no such field")
		} else {
			fields[j].read(b, &m.value, to)
		}
		b.leave()
	}
	for _, f := range fields {
		if f.need && v.member(f.name) == nil {
			b.enter(f.name)
			b.fail(fiscal.CodeBadValue, "required")
			b.leave()
		}
	}
}

// bindArray reads every element of v.
func bindArray(b *binder, v *jsonValue, itemsMax int, read func(i int, item *jsonValue)) {
	if !b.expect(v, jsonArray) {
		return
	}
	if len(v.items) > itemsMax {
		b.fail(fiscal.CodeTooLarge, "at most "+strconv.Itoa(itemsMax))
		return
	}
	for i := range v.items {
		b.path = append(b.path, step{index: i})
		read(i, &v.items[i])
		b.leave()
	}
}

func (b *binder) enter(name string) { b.path = append(b.path, step{name: name}) }
func (b *binder) leave()            { b.path = b.path[:len(b.path)-1] }

func (b *binder) fail(code fiscal.Code, detail string) {
	if b.err == nil {
		b.err = fiscal.Refuse(code, b.where(), detail)
	}
}

// where is the path at hand, "items[0].quantity". A hostile name is cut.
func (b *binder) where() string {
	const nameMax = 64
	var s strings.Builder
	for _, p := range b.path {
		switch {
		case p.name == "" && s.Len() > 0:
			s.WriteString("[" + strconv.Itoa(p.index) + "]")
			continue
		case s.Len() > 0:
			s.WriteByte('.')
		}
		if len(p.name) > nameMax {
			p.name = strings.ToValidUTF8(p.name[:nameMax], "") + "…"
		}
		s.WriteString(p.name)
	}
	return s.String()
}

func (b *binder) expect(v *jsonValue, kind jsonKind) bool {
	if v.kind != kind {
		b.fail(fiscal.CodeBadValue, "must be "+kind.String()+", not "+v.kind.String())
		return false
	}
	return true
}

func (b *binder) text(v *jsonValue) string {
	if !b.expect(v, jsonString) {
		return ""
	}
	return v.text
}

func (b *binder) bool(v *jsonValue) bool { return b.expect(v, jsonBool) && v.text == "true" }

// decimal reads a number or a string by parse, which sees the digits as they
// were written.
func decimal[T any](b *binder, v *jsonValue, parse func(string) (T, error)) T {
	var zero T
	if v.kind != jsonNumber && v.kind != jsonString {
		b.fail(fiscal.CodeBadValue, "must be a number, or a string with one, not "+v.kind.String())
		return zero
	}
	got, err := parse(v.text)
	if err != nil {
		b.fail(fiscal.CodeBadValue, err.Error())
		return zero
	}
	return got
}

func (b *binder) money(v *jsonValue) fiscal.Money { return decimal(b, v, fiscal.ParseMoney) }

func (b *binder) quantity(v *jsonValue) fiscal.Quantity { return decimal(b, v, fiscal.ParseQuantity) }

func (b *binder) percent(v *jsonValue) fiscal.Percent { return decimal(b, v, fiscal.ParsePercent) }

// whole reads an integer of least..most, written without a fraction.
func (b *binder) whole(v *jsonValue, least, most uint64) uint64 {
	if !b.expect(v, jsonNumber) {
		return 0
	}
	n, err := strconv.ParseUint(v.text, 10, 64)
	if err != nil || n < least || n > most {
		b.fail(fiscal.CodeBadValue, "must be a whole number from "+strconv.FormatUint(least, 10)+" to "+strconv.FormatUint(most, 10))
		return 0
	}
	return n
}

// word reads a token of the contract.
func (b *binder) word(v *jsonValue, to encoding.TextUnmarshaler) {
	if !b.expect(v, jsonString) {
		return
	}
	// Records write numbers for what has no word; the wire has words only.
	if v.text == "" || v.text[0] >= '0' && v.text[0] <= '9' {
		b.fail(fiscal.CodeBadValue, "unknown word "+strconv.Quote(clip(v.text)))
		return
	}
	if err := to.UnmarshalText([]byte(v.text)); err != nil {
		b.fail(fiscal.CodeBadValue, "unknown word "+strconv.Quote(clip(v.text)))
	}
}

// Years that a date of the wire may have: registers of this kind exist since
// 2016, and their clocks end in 2106.
const yearMin, yearMax = 2016, 2099

// instant reads an RFC 3339 time with a zone.
func (b *binder) instant(v *jsonValue) time.Time {
	return b.time(v, time.RFC3339, "must be an RFC 3339 time with a zone, like 2026-11-22T12:04:28+03:00")
}

// date reads a day.
func (b *binder) date(v *jsonValue) time.Time {
	return b.time(v, time.DateOnly, "must be a day, like 2026-11-22")
}

func (b *binder) time(v *jsonValue, layout, want string) time.Time {
	s := b.text(v)
	if b.err != nil && s == "" {
		return time.Time{}
	}
	at, err := time.Parse(layout, s)
	if err != nil || at.Year() < yearMin || at.Year() > yearMax || strings.ContainsRune(s, ',') {
		b.fail(fiscal.CodeBadValue, want)
		return time.Time{}
	}
	return at
}

// name reads the name of a device or route.
func (b *binder) name(v *jsonValue) string {
	s := b.text(v)
	if v.kind == jsonString && !ValidName(s) {
		b.fail(fiscal.CodeBadValue, "must be 1 to 32 of a-z, 0-9 and -")
		return ""
	}
	return s
}

// id reads the id of a command.
func (b *binder) id(v *jsonValue) string {
	s := b.text(v)
	if v.kind == jsonString && !ValidID(s) {
		b.fail(fiscal.CodeBadValue, "must be 1 to 64 of A-Z, a-z, 0-9 and ._:-")
		return ""
	}
	return s
}

const idBytesMax = 64

// ValidID tells whether s may be the id of a command.
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > idBytesMax {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("._:-", rune(c)) {
			return false
		}
	}
	return true
}

// clip keeps what a stranger wrote short enough for an answer.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

var errWait = errors.New("must be a duration like 20s, above 0 and at most 24h")
