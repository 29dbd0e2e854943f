package spool

import (
	"errors"
	"os"
)

// circleAll is the most pages of an index of which each is looked at before it
// is read through bbolt. In a larger one the branches are, and the first page
// below each of them: the rest would be all of a cold disk.
const circleAll = 4096

// straight proves that no way down a state of the index leads in a circle.
// bbolt would follow it until the memory is used up, which nothing can catch.
func (s *Spool) straight(m meta) error {
	f, err := s.disk.Open(s.at, os.O_RDONLY)
	if err != nil {
		return err
	}
	w := structure{pages: &pages{f: f, m: m}, used: make([]uint64, (m.highest+63)/64)}
	return errors.Join(w.down(m.root, 0), f.Close())
}

// down looks at a page and the branches below it. Only the root's leaf holds
// buckets.
func (w *structure) down(id uint64, depth int) error {
	pg, err := w.read(id)
	if err != nil {
		return err
	}
	if err := w.use(id, 0); err != nil {
		return err
	}
	if depth > depthMax {
		return w.bad(id, "the tree is too deep")
	}
	els, err := w.elements(pg)
	if err != nil {
		return err
	}
	for i, e := range els {
		switch {
		case pg.flags == flagBranch && i > 0 && w.m.highest > circleAll && w.leaf(els[0].child):
			return nil // all below one branch are of one kind
		case pg.flags == flagBranch:
			err = w.down(e.child, depth+1)
		case e.bucket && len(e.value) >= 16 && native.Uint64(e.value) != 0:
			err = w.down(native.Uint64(e.value), depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf tells that a page holds entries.
func (w *structure) leaf(id uint64) bool {
	pg, err := w.read(id)
	return err == nil && pg.flags == flagLeaf
}
