package spool

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"
)

// codecVersion is the first byte of every framed value. A field that is added
// later is read only when the version of the value has it.
const codecVersion = 3

const frameHead = 1 + crc32.Size

// seal frames a body. The sum covers the place as well: a value that turns up
// under another key is damage too.
func seal(bucket string, key, body []byte) []byte {
	out := make([]byte, frameHead, frameHead+len(body))
	out[0] = codecVersion
	binary.BigEndian.PutUint32(out[1:], sum(bucket, key, codecVersion, body))
	return append(out, body...)
}

// open checks a frame and returns its body, which lives as long as framed.
func open(bucket string, key, framed []byte) (body []byte, version byte, err error) {
	if len(framed) < frameHead {
		return nil, 0, fmt.Errorf("%w: %s %x: %d bytes", ErrDamaged, bucket, key, len(framed))
	}
	version, body = framed[0], framed[frameHead:]
	want, got := binary.BigEndian.Uint32(framed[1:]), sum(bucket, key, version, body)
	switch {
	case want != got:
		return nil, 0, fmt.Errorf("%w: %s %x: checksum %08x, stored %08x", ErrDamaged, bucket, key, got, want)
	case version > codecVersion:
		return nil, 0, fmt.Errorf("%w: %s %x: version %d of %d", ErrNewer, bucket, key, version, codecVersion)
	case version == 0:
		return nil, 0, fmt.Errorf("%w: %s %x: version 0", ErrDamaged, bucket, key)
	}
	return body, version, nil
}

func sum(bucket string, key []byte, version byte, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // cached by the library
	c := crc32.Update(0, table, []byte(bucket))
	c = crc32.Update(c, table, key)
	c = crc32.Update(c, table, []byte{version})
	return crc32.Update(c, table, body)
}

// coder walks a value field by field, in one direction: it appends to b, or
// takes from b. One description of a type serves both, so they cannot differ.
// The first error stays and makes the rest a no-op.
type coder struct {
	b       []byte
	reading bool
	version byte
	err     error
}

// encode describes v with walk and returns the body.
func encode[T any](v *T, walk func(*coder, *T)) []byte {
	c := coder{b: make([]byte, 0, 512), version: codecVersion}
	walk(&c, v)
	if c.err != nil {
		panic(fmt.Sprintf("spool: encode %T: %v", v, c.err)) // no input can cause it
	}
	return c.b
}

// decode reads a body that encode made. It never panics, whatever body holds.
func decode[T any](body []byte, version byte, walk func(*coder, *T)) (T, error) {
	var v T
	c := coder{b: body, reading: true, version: version}
	walk(&c, &v)
	if c.err == nil && len(c.b) > 0 {
		c.fail("%d bytes too many", len(c.b))
	}
	if c.err != nil {
		var none T
		return none, c.err
	}
	return v, nil
}

func (c *coder) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
	}
	c.b = nil
}

// take reads n bytes.
func (c *coder) take(n uint64) []byte {
	if c.err != nil || n > uint64(len(c.b)) {
		c.fail("%d bytes wanted, %d are left", n, len(c.b))
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

type integer interface {
	~int | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// num is a number of any width, as a zigzag varint.
func num[T integer](c *coder, v *T) {
	if !c.reading {
		c.b = binary.AppendVarint(c.b, int64(*v))
		return
	}
	x, n := binary.Varint(c.b)
	if c.err != nil || n <= 0 {
		c.fail("bad number")
		return
	}
	c.b = c.b[n:]
	if *v = T(x); int64(*v) != x {
		c.fail("number %d does not fit", x)
	}
}

func (c *coder) bool(v *bool) {
	var n uint8
	if *v {
		n = 1
	}
	num(c, &n)
	*v = n == 1
	if n > 1 {
		c.fail("bad flag %d", n)
	}
}

func (c *coder) bytes(v *[]byte) {
	n := uint64(len(*v))
	num(c, &n)
	if c.reading {
		*v = append([]byte(nil), c.take(n)...) // none is nil
		return
	}
	c.b = append(c.b, *v...)
}

func str[T ~string](c *coder, v *T) {
	n := uint64(len(*v))
	num(c, &n)
	if c.reading {
		*v = T(c.take(n))
		return
	}
	c.b = append(c.b, *v...)
}

// Kinds of a stored time.
const (
	timeZero uint8 = iota
	timeUTC
	timeZone
)

// time keeps the moment and the offset, but not the name of a zone. Any offset
// that a terminal may write is kept, which MarshalBinary would not do.
func (c *coder) time(v *time.Time) {
	var kind uint8
	var sec, nsec int64
	var offset int
	if !c.reading && !v.IsZero() {
		kind, sec, nsec = timeUTC, v.Unix(), int64(v.Nanosecond())
		if v.Location() != time.UTC {
			kind = timeZone
			_, offset = v.Zone()
		}
	}
	if num(c, &kind); kind != timeZero {
		num(c, &sec)
		num(c, &nsec)
	}
	if kind == timeZone {
		num(c, &offset)
	}
	if !c.reading {
		return
	}
	*v = time.Time{}
	switch {
	case kind > timeZone || nsec < 0 || nsec >= int64(time.Second):
		c.fail("bad time")
	case kind == timeUTC:
		*v = time.Unix(sec, nsec).UTC()
	case kind == timeZone:
		*v = time.Unix(sec, nsec).In(time.FixedZone("", offset))
	}
}

// list and table store their length plus one: nil and empty are different
// answers on the wire.

func list[T any](c *coder, v *[]T, each func(*coder, *T)) {
	n, ok := c.length(len(*v), *v == nil)
	if !ok {
		return
	}
	if c.reading {
		*v = make([]T, n)
	}
	for i := range *v {
		each(c, &(*v)[i])
	}
}

func table[K cmp.Ordered, V any](c *coder, v *map[K]V, key func(*coder, *K), each func(*coder, *V)) {
	n, ok := c.length(len(*v), *v == nil)
	if !ok {
		return
	}
	if !c.reading {
		for _, k := range slices.Sorted(maps.Keys(*v)) {
			e := (*v)[k]
			key(c, &k)
			each(c, &e)
		}
		return
	}
	*v = make(map[K]V, n)
	for range n {
		var k K
		var e V
		key(c, &k)
		each(c, &e)
		(*v)[k] = e
	}
}

// length codes a length; false means nil, or an error. Every element takes a
// byte at least, which bounds what a damaged length can ask for.
func (c *coder) length(n int, none bool) (int, bool) {
	coded := uint64(n) + 1
	if none {
		coded = 0
	}
	num(c, &coded)
	if c.reading && coded > uint64(len(c.b))+1 {
		c.fail("length %d, %d bytes are left", coded, len(c.b))
	}
	if c.err != nil || coded == 0 {
		return 0, false
	}
	return int(coded - 1), true
}

func optional[T any](c *coder, v **T, each func(*coder, *T)) {
	there := *v != nil
	c.bool(&there)
	if c.err != nil || !there {
		return
	}
	if c.reading {
		*v = new(T)
	}
	each(c, *v)
}
