package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"
)

// A frame is one entry of the log: what one commit changed, or a checkpoint.
// Frames are numbered without gaps, begin at a multiple of frameAlign, so that
// a torn write can spoil none but the last, and are little-endian:
//
//	0  magic, with the version of the format
//	4  length of the payload
//	8  number
//	16 lineage: which store the frame belongs to
//	24 kind, and three zero bytes
//	28 CRC-32C over all of this but itself, and the payload
//	32 payload
const (
	frameMagic = 0x31464B6B // "kKF1"
	frameAlign = 512
	logHead    = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type frameKind uint8

const (
	kindOps        frameKind = 1
	kindCheckpoint frameKind = 2
)

// op is one change of the index. The value is whole, so that replaying a frame
// twice changes nothing.
type op struct {
	kind       opKind
	bucket     string
	key, value []byte
	sequence   uint64
}

type opKind uint8

const (
	opPut opKind = iota
	opDelete
	opSequence
)

func frameLen(payload int) int64 {
	return int64(logHead+payload+frameAlign-1) / frameAlign * frameAlign
}

// makeFrame frames a payload that begins at logHead of b.
func makeFrame(b []byte, kind frameKind, lineage, number uint64) []byte {
	payload := len(b) - logHead
	b = append(b, make([]byte, frameLen(payload)-int64(len(b)))...)
	binary.LittleEndian.PutUint32(b, frameMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(payload))
	binary.LittleEndian.PutUint64(b[8:], number)
	binary.LittleEndian.PutUint64(b[16:], lineage)
	binary.LittleEndian.PutUint32(b[24:], uint32(kind))
	binary.LittleEndian.PutUint32(b[28:], frameSum(b, payload))
	return b
}

func frameSum(b []byte, payload int) uint32 {
	return crc32.Update(crc32.Checksum(b[:28], castagnoli), castagnoli, b[logHead:logHead+payload])
}

// frameRef is a frame that was found whole in a segment.
type frameRef struct {
	number, lineage uint64
	kind            frameKind
	at              int64 // in the segment
	payload         []byte
}

// frameAt reads the frame at the front of b; false if there is no whole one.
func frameAt(b []byte) (frameRef, bool) {
	if len(b) < logHead || binary.LittleEndian.Uint32(b) != frameMagic {
		return frameRef{}, false
	}
	payload := binary.LittleEndian.Uint32(b[4:])
	if uint64(payload) > uint64(len(b)-logHead) || frameSum(b, int(payload)) != binary.LittleEndian.Uint32(b[28:]) {
		return frameRef{}, false
	}
	return frameRef{
		number: binary.LittleEndian.Uint64(b[8:]), lineage: binary.LittleEndian.Uint64(b[16:]),
		kind: frameKind(b[24]), payload: b[logHead : logHead+int(payload)],
	}, true
}

// opsFrame frames the changes of one commit. before is the number of the frame
// with changes before it: a chain that a lost checkpoint does not break.
func opsFrame(ops []op, lineage, number, before uint64) []byte {
	size := logHead + 8
	for _, o := range ops {
		size += len(o.bucket) + len(o.key) + len(o.value) + 16
	}
	b := binary.LittleEndian.AppendUint64(make([]byte, logHead, size+frameAlign), before)
	for _, o := range ops {
		b = append(b, byte(o.kind))
		b = appendBytes(b, []byte(o.bucket))
		switch o.kind {
		case opPut:
			b = appendBytes(appendBytes(b, o.key), o.value)
		case opDelete:
			b = appendBytes(b, o.key)
		case opSequence:
			b = binary.AppendUvarint(b, o.sequence)
		}
	}
	return makeFrame(b, kindOps, lineage, number)
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// before is the number of the frame with changes before this one.
func (f frameRef) before() (uint64, bool) {
	if f.kind != kindOps || len(f.payload) < 8 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(f.payload), true
}

// readOps reads what opsFrame framed. The ops point into payload.
func readOps(payload []byte) ([]op, error) {
	if len(payload) < 8 {
		return nil, fmt.Errorf("%w: a frame is too short", ErrDamaged)
	}
	var ops []op
	for c := (reader{b: payload[8:]}); len(c.b) > 0; {
		o := op{kind: opKind(c.b[0])}
		c.b = c.b[1:]
		o.bucket = string(c.bytes())
		switch o.kind {
		case opPut:
			o.key, o.value = c.bytes(), c.bytes()
		case opDelete:
			o.key = c.bytes()
		case opSequence:
			o.sequence = c.number()
		default:
			c.bad = true
		}
		if c.bad {
			return nil, fmt.Errorf("%w: a frame holds an unknown change", ErrDamaged)
		}
		ops = append(ops, o)
	}
	return ops, nil
}

type reader struct {
	b   []byte
	bad bool
}

func (c *reader) number() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.b, c.bad = nil, true
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *reader) bytes() []byte {
	n := c.number()
	if n > uint64(len(c.b)) {
		c.b, c.bad = nil, true
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

// apply makes the changes of a frame in the index.
func apply(b *bolt.Tx, ops []op) error {
	for _, o := range ops {
		bucket := b.Bucket([]byte(o.bucket))
		if bucket == nil {
			return fmt.Errorf("%w: no bucket %q", ErrDamaged, o.bucket)
		}
		var err error
		switch o.kind {
		case opPut:
			if grows(o.bucket) {
				bucket.FillPercent = 0.9
			}
			err = bucket.Put(o.key, o.value)
		case opDelete:
			err = bucket.Delete(o.key)
		case opSequence:
			err = bucket.SetSequence(o.sequence)
		}
		if err != nil {
			return fmt.Errorf("%w: replay %s: %w", ErrDamaged, o.bucket, err)
		}
	}
	return nil
}

// checkpoint is a state of the index that is durable and stays so until the
// next one: its meta page, and the number of the last frame in it.
type checkpoint struct {
	applied uint64
	closed  bool  // nothing came after it
	length  int64 // of its segment, which therefore cannot be cut short unseen
	image   []byte
}

const checkpointBytes = 8 + 1 + 8 + metaBytes

func checkpointFrame(c checkpoint, lineage, number uint64) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, logHead, frameAlign), c.applied)
	closed := byte(0)
	if c.closed {
		closed = 1
	}
	b = binary.LittleEndian.AppendUint64(append(b, closed), uint64(c.length))
	return makeFrame(append(b, c.image...), kindCheckpoint, lineage, number)
}

func readCheckpoint(payload []byte) (checkpoint, bool) {
	if len(payload) != checkpointBytes {
		return checkpoint{}, false
	}
	c := checkpoint{
		applied: binary.LittleEndian.Uint64(payload), closed: payload[8] == 1,
		length: int64(binary.LittleEndian.Uint64(payload[9:])), image: payload[17:],
	}
	_, ok := readMeta(c.image)
	return c, ok
}
