package ffd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Limits of the encoding, format reference 1.1.
const (
	headerBytes   = 4
	moneyBytesMax = 8
	nestingMax    = 4
)

// Errors of decoding.
var (
	ErrShort   = errors.New("tlv: cut short")
	ErrNesting = errors.New("tlv: nested too deep")
	ErrNumber  = errors.New("tlv: number too long")
)

// Field is one decoded requisite. Fields is set for containers, else Value.
type Field struct {
	Tag    Tag
	Value  []byte
	Fields []Field
}

// Append appends one TLV with the given value to dst.
func Append(dst []byte, tag Tag, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(tag))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// AppendByte appends a one-byte requisite.
func AppendByte(dst []byte, tag Tag, v byte) []byte { return Append(dst, tag, []byte{v}) }

// AppendUint32 appends a fixed four-byte number.
func AppendUint32(dst []byte, tag Tag, v uint32) []byte {
	return Append(dst, tag, binary.LittleEndian.AppendUint32(nil, v))
}

// AppendVLN appends an unsigned number in its shortest little-endian form;
// zero takes one byte.
func AppendVLN(dst []byte, tag Tag, v uint64) []byte { return Append(dst, tag, vln(v)) }

// AppendFVLN appends value·10^-decimals: one byte of decimals, then the number.
func AppendFVLN(dst []byte, tag Tag, decimals byte, value uint64) []byte {
	return Append(dst, tag, append([]byte{decimals}, vln(value)...))
}

// AppendTime appends a unix time. The wall clock of t is encoded as if it were
// UTC; no zone is stored (format reference 1.1).
func AppendTime(dst []byte, tag Tag, t time.Time) []byte {
	wall := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	return AppendUint32(dst, tag, uint32(wall.Unix()))
}

// AppendText appends a CP866 string. It fails with *EncodingError if a
// character has no place in CP866.
func AppendText(dst []byte, tag Tag, s string) ([]byte, error) {
	b, err := EncodeText(s)
	if err != nil {
		return dst, fmt.Errorf("tag %d: %w", tag, err)
	}
	return Append(dst, tag, b), nil
}

// AppendPadded appends a CP866 string padded with spaces on the right to size.
func AppendPadded(dst []byte, tag Tag, s string, size int) ([]byte, error) {
	b, err := EncodeText(s)
	if err != nil {
		return dst, fmt.Errorf("tag %d: %w", tag, err)
	}
	for len(b) < size {
		b = append(b, ' ')
	}
	return Append(dst, tag, b), nil
}

func vln(v uint64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, v)
	for len(b) > 1 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// Decode splits b into its requisites, containers included. The result shares
// memory with b. It fails with ErrShort or ErrNesting and never panics.
func Decode(b []byte) ([]Field, error) { return decode(b, 0) }

func decode(b []byte, depth int) ([]Field, error) {
	if depth > nestingMax {
		return nil, ErrNesting
	}
	var out []Field
	for len(b) > 0 {
		if len(b) < headerBytes {
			return out, ErrShort
		}
		tag := Tag(binary.LittleEndian.Uint16(b))
		n := int(binary.LittleEndian.Uint16(b[2:]))
		if len(b) < headerBytes+n {
			return out, ErrShort
		}
		f := Field{Tag: tag, Value: b[headerBytes : headerBytes+n]}
		if tag.IsContainer() {
			inner, err := decode(f.Value, depth+1)
			if err != nil {
				return out, fmt.Errorf("tag %d: %w", tag, err)
			}
			f.Fields = inner
		}
		out = append(out, f)
		b = b[headerBytes+n:]
	}
	return out, nil
}

// Encode is the reverse of Decode. A container is encoded from its Fields.
func Encode(fields []Field) []byte {
	var out []byte
	for _, f := range fields {
		v := f.Value
		if f.Tag.IsContainer() {
			v = Encode(f.Fields)
		}
		out = Append(out, f.Tag, v)
	}
	return out
}

// Find returns the first field with the given tag at this level.
func Find(fields []Field, tag Tag) (Field, bool) {
	for _, f := range fields {
		if f.Tag == tag {
			return f, true
		}
	}
	return Field{}, false
}

// Uint reads the value as an unsigned little-endian number: byte, uint16,
// uint32 and VLN alike. An empty value is zero (format reference 1.1).
func (f Field) Uint() (uint64, error) {
	if len(f.Value) > moneyBytesMax {
		return 0, fmt.Errorf("tag %d: %w", f.Tag, ErrNumber)
	}
	var v uint64
	for i := len(f.Value) - 1; i >= 0; i-- {
		v = v<<8 | uint64(f.Value[i])
	}
	return v, nil
}

// Decimal reads an FVLN: value·10^-decimals.
func (f Field) Decimal() (decimals byte, value uint64, err error) {
	if len(f.Value) == 0 {
		return 0, 0, nil
	}
	v, err := Field{Tag: f.Tag, Value: f.Value[1:]}.Uint()
	return f.Value[0], v, err
}

// Time reads a unix time as a wall clock in loc.
func (f Field) Time(loc *time.Location) (time.Time, error) {
	v, err := f.Uint()
	if err != nil {
		return time.Time{}, err
	}
	u := time.Unix(int64(v), 0).UTC()
	return time.Date(u.Year(), u.Month(), u.Day(), u.Hour(), u.Minute(), u.Second(), 0, loc), nil
}

// Text reads a CP866 string; padding spaces are removed.
func (f Field) Text() string { return DecodeText(f.Value) }

// FiscalSign reads tag 1077: six bytes, the sign is the last four, big-endian
// (format reference 5.2).
func (f Field) FiscalSign() (uint32, error) {
	if len(f.Value) != 6 {
		return 0, fmt.Errorf("tag %d: %w", f.Tag, ErrShort)
	}
	return binary.BigEndian.Uint32(f.Value[2:]), nil
}
