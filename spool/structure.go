package spool

import (
	"bytes"
)

// structure walks every page of one state of the index and proves that bbolt
// can: each is used once or free, keys are in order and inside what the page
// above says, and nothing leads out of the file. It changes nothing and cannot
// be made to fail otherwise than by its error. breathe, if not nil, is called
// between pages.
func (p *pages) structure(breathe func() error) error {
	w := structure{pages: p, used: make([]uint64, (p.m.highest+63)/64), breathe: breathe}
	for id := range uint64(2) {
		if err := w.use(id, 0); err != nil {
			return err
		}
	}
	if err := w.tree(p.m.root, 0, nil, nil); err != nil {
		return err
	}
	return w.freelist()
}

type structure struct {
	*pages
	used    []uint64 // a bit a page
	breathe func() error
}

// use marks a page and those after it.
func (w *structure) use(id, overflow uint64) error {
	for i := id; i <= id+overflow; i++ {
		if w.used[i/64]&(1<<(i%64)) != 0 {
			return w.bad(i, "it is used twice")
		}
		w.used[i/64] |= 1 << (i % 64)
	}
	return nil
}

// tree walks a page and all below it. Its keys are from low on and below high.
func (w *structure) tree(id uint64, depth int, low, high []byte) error {
	if w.breathe != nil {
		if err := w.breathe(); err != nil {
			return err
		}
	}
	pg, err := w.read(id)
	if err != nil {
		return err
	}
	if err := w.use(id, pg.overflow); err != nil {
		return err
	}
	if depth > depthMax {
		return w.bad(id, "the tree is too deep")
	}
	if pg.flags != flagBranch && pg.flags != flagLeaf {
		return w.bad(id, "its kind is %x", pg.flags)
	}
	els, err := w.elements(pg)
	if err != nil {
		return err
	}
	if pg.flags == flagBranch && len(els) == 0 {
		return w.bad(id, "a branch has no entry")
	}
	if n := len(els); n > 0 && (low != nil && bytes.Compare(els[0].key, low) < 0 || high != nil && bytes.Compare(els[n-1].key, high) >= 0) {
		return w.bad(id, "its keys belong elsewhere")
	}
	for i, e := range els {
		next := high
		if i+1 < len(els) {
			next = els[i+1].key
		}
		if err := w.entry(pg, e, depth, next); err != nil {
			return err
		}
	}
	return nil
}

func (w *structure) entry(pg page, e element, depth int, next []byte) error {
	switch {
	case pg.flags == flagBranch:
		return w.tree(e.child, depth+1, e.key, next)
	case !e.bucket:
		return nil
	case len(e.value) < 16:
		return w.bad(pg.id, "bucket %q has no root", e.key)
	}
	if root := native.Uint64(e.value); root != 0 {
		return w.tree(root, depth+1, nil, nil)
	}
	_, err := w.inlineElements(e.value[16:])
	return err
}

// freelist marks the free pages; nothing may be left over.
func (w *structure) freelist() error {
	if w.m.freelist == noFreelist {
		return nil
	}
	pg, err := w.read(w.m.freelist)
	if err != nil {
		return err
	}
	if pg.flags != flagFree {
		return w.bad(pg.id, "it is no list of free pages")
	}
	if err := w.use(pg.id, pg.overflow); err != nil {
		return err
	}
	count, at := uint64(pg.count), uint64(pageHead)
	if pg.count == 0xFFFF && len(pg.b) >= pageHead+8 {
		count, at = native.Uint64(pg.b[pageHead:]), pageHead+8
	}
	if count > w.m.highest || at+8*count > uint64(len(pg.b)) {
		return w.bad(pg.id, "%d free pages do not fit", count)
	}
	for i := range count {
		id := native.Uint64(pg.b[at+8*i:])
		if id < 2 || id >= w.m.highest {
			return w.bad(pg.id, "free page %d is out of bounds", id)
		}
		if err := w.use(id, 0); err != nil {
			return err
		}
	}
	for id := range w.m.highest {
		if w.used[id/64]&(1<<(id%64)) == 0 {
			return w.bad(id, "it is neither used nor free")
		}
	}
	return nil
}
