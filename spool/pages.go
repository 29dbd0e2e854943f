package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// What bbolt's pages look like. They are read here without bbolt, from the file
// and not from the map, because bbolt trusts them: a page that makes no sense
// can send it beyond the map or round in circles, in goroutines of its own,
// where nothing can be caught. Numbers are the machine's.
const (
	metaBytes  = 80 // page header and meta
	metaMagic  = 0xED0CDAED
	pageHead   = 16
	leafElem   = 16
	branchElem = 16

	flagBranch = 0x01
	flagLeaf   = 0x02
	flagMeta   = 0x04
	flagFree   = 0x10
	noFreelist = ^uint64(0)
	isBucket   = 1 // flag of a leaf's element
)

var native = binary.NativeEndian

// meta is a root of the index.
type meta struct {
	pageSize                      int
	root, freelist, highest, txid uint64 // highest: the first page that was never used
	slot                          int    // where it was found
	image                         []byte
}

// bytes is how long the index is, as this meta says.
func (m *meta) bytes() int64 { return int64(m.highest) * int64(m.pageSize) }

// readMeta reads a meta page; false if it is none.
func readMeta(b []byte) (meta, bool) {
	if len(b) < metaBytes || native.Uint32(b[16:]) != metaMagic || native.Uint32(b[20:]) != 2 {
		return meta{}, false
	}
	sum := fnv.New64a()
	sum.Write(b[16:72])
	m := meta{
		pageSize: int(native.Uint32(b[24:])), root: native.Uint64(b[32:]), freelist: native.Uint64(b[48:]),
		highest: native.Uint64(b[56:]), txid: native.Uint64(b[64:]), image: bytes.Clone(b[:metaBytes]),
	}
	ok := sum.Sum64() == native.Uint64(b[72:]) && m.pageSize >= 1024 && m.pageSize <= 1<<24 && m.pageSize&(m.pageSize-1) == 0 &&
		m.highest < 1<<40 && m.root < m.highest
	return m, ok
}

// readMetas finds the valid meta pages of a file, the newest first.
func readMetas(f io.ReaderAt) []meta {
	var metas []meta
	b := make([]byte, metaBytes)
	for size := int64(1024); size <= 1<<24; size <<= 1 {
		if _, err := f.ReadAt(b, size); err != nil {
			break
		}
		if m, ok := readMeta(b); ok && int64(m.pageSize) == size {
			m.slot = 1
			metas = append(metas, m)
			break
		}
	}
	if _, err := f.ReadAt(b, 0); err == nil {
		if m, ok := readMeta(b); ok {
			metas = append(metas, m)
		}
	}
	if len(metas) == 2 && metas[0].txid < metas[1].txid {
		metas[0], metas[1] = metas[1], metas[0]
	}
	return metas
}

// page is one page with those that it flows over into.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	b        []byte // from the header on
}

// pages reads the pages of one state of the index.
type pages struct {
	f io.ReaderAt
	m meta
}

func (p *pages) bad(id uint64, format string, args ...any) error {
	return fmt.Errorf("%w: page %d: %s", ErrDamaged, id, fmt.Sprintf(format, args...))
}

func (p *pages) read(id uint64) (page, error) {
	if id < 2 || id >= p.m.highest {
		return page{}, p.bad(id, "it is out of bounds")
	}
	b := make([]byte, p.m.pageSize)
	if _, err := p.f.ReadAt(b, int64(id)*int64(p.m.pageSize)); err != nil {
		return page{}, p.bad(id, "%v", err)
	}
	out := page{id: native.Uint64(b), flags: native.Uint16(b[8:]), count: int(native.Uint16(b[10:])), overflow: uint64(native.Uint32(b[12:])), b: b}
	if out.id != id {
		return page{}, p.bad(id, "it says it is page %d", out.id)
	}
	if out.overflow == 0 {
		return out, nil
	}
	if out.overflow >= p.m.highest-id {
		return page{}, p.bad(id, "it flows over the end")
	}
	var last [1]byte
	if _, err := p.f.ReadAt(last[:], int64(id+out.overflow+1)*int64(p.m.pageSize)-1); err != nil { // before memory is taken for it
		return page{}, p.bad(id, "%v", err)
	}
	out.b = make([]byte, (out.overflow+1)*uint64(p.m.pageSize))
	if _, err := p.f.ReadAt(out.b, int64(id)*int64(p.m.pageSize)); err != nil {
		return page{}, p.bad(id, "%v", err)
	}
	return out, nil
}

// element is an entry of a page.
type element struct {
	key, value []byte
	bucket     bool
	child      uint64 // of a branch
}

// elements reads the entries of a page that is held in b.
func (p *pages) elements(pg page) ([]element, error) {
	out := make([]element, 0, pg.count)
	for i := range pg.count {
		at := pageHead + i*16
		if at+16 > len(pg.b) {
			return nil, p.bad(pg.id, "%d entries do not fit", pg.count)
		}
		e := pg.b[at:]
		var el element
		var pos, keyLen, valueLen uint64
		if pg.flags == flagBranch {
			pos, keyLen, el.child = uint64(native.Uint32(e)), uint64(native.Uint32(e[4:])), native.Uint64(e[8:])
		} else {
			el.bucket = native.Uint32(e)&isBucket != 0
			pos, keyLen, valueLen = uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
		}
		if pos+keyLen+valueLen > uint64(len(e)) {
			return nil, p.bad(pg.id, "entry %d does not fit", i)
		}
		el.key, el.value = e[pos:pos+keyLen], e[pos+keyLen:pos+keyLen+valueLen]
		if i > 0 && bytes.Compare(out[i-1].key, el.key) >= 0 {
			return nil, p.bad(pg.id, "its keys are not in order")
		}
		out = append(out, el)
	}
	return out, nil
}

// get finds one key of a bucket, without looking at anything beside its way.
func (p *pages) get(bucket, key string) ([]byte, error) {
	e, err := p.find(p.m.root, bucket)
	if err != nil || e == nil {
		return nil, err
	}
	if !e.bucket || len(e.value) < 16 {
		return nil, p.bad(p.m.root, "%q is no bucket", bucket)
	}
	if root := native.Uint64(e.value); root != 0 {
		e, err = p.find(root, key)
	} else {
		e, err = p.inline(e.value[16:], key)
	}
	if err != nil || e == nil {
		return nil, err
	}
	return bytes.Clone(e.value), nil
}

// inline finds a key in a bucket that is small enough to live in its entry.
func (p *pages) inline(b []byte, key string) (*element, error) {
	els, err := p.inlineElements(b)
	for _, e := range els {
		if string(e.key) == key {
			return &e, err
		}
	}
	return nil, err
}

func (p *pages) inlineElements(b []byte) ([]element, error) {
	if len(b) < pageHead || native.Uint16(b[8:]) != flagLeaf {
		return nil, p.bad(0, "an inline bucket is none")
	}
	return p.elements(page{flags: flagLeaf, count: int(native.Uint16(b[10:])), b: b})
}

// depthMax bounds the way down a tree: one deeper than that goes in a circle.
const depthMax = 32

func (p *pages) find(id uint64, key string) (*element, error) {
	for range depthMax {
		pg, err := p.read(id)
		if err != nil {
			return nil, err
		}
		els, err := p.elements(pg)
		if err != nil {
			return nil, err
		}
		at := 0
		for at < len(els) && string(els[at].key) <= key {
			at++
		}
		switch {
		case pg.flags != flagBranch && pg.flags != flagLeaf:
			return nil, p.bad(id, "its kind is %x", pg.flags)
		case pg.flags == flagLeaf && (at == 0 || string(els[at-1].key) != key):
			return nil, nil
		case pg.flags == flagLeaf:
			return &els[at-1], nil
		case len(els) == 0:
			return nil, p.bad(id, "a branch has no entry")
		}
		id = els[max(at-1, 0)].child
	}
	return nil, p.bad(id, "the tree is too deep")
}
