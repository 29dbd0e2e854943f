package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// A damaged store is made again from the base that reaches furthest: a state of
// the index at some frame, and the frames that follow it without a gap. At an
// equal reach the order is that of the table; docs/store.md has it in words.
//
//	base                 is believed because                   at frame
//	the copy             its checksum fits                     of the copy
//	nothing              the log goes back to its first frame  0
//	the index as it is   it was walked through                 its own
//	the checkpoint       its pages were walked through         of the checkpoint
//	what can be read     nothing proves it: entries are        0
//	                     sorted out and indexes made anew
//
// If the furthest reach is short of what was there, the rest is lost: the
// frames behind the gap are brought in and the indexes made anew.
type healer struct {
	s       *Spool
	f       *found
	lineage uint64
	frames  []frameRef // with changes, of the lineage, in order
	highest uint64     // number of any frame that there ever was
	wanted  uint64     // number of the last frame with changes that there ever was
	copy    trailer
	copied  bool
}

// base is a state to begin from.
type base struct {
	name    string
	applied uint64
	reach   uint64
	open    func() error
	proved  bool // nothing of the index is believed
}

// heal makes the store again. Only an error of the disk keeps it from that.
func (s *Spool) heal(f *found, why error) (err error) {
	s.healing = true
	defer func() {
		s.healing, s.needless, s.at = false, nil, s.path
		if err != nil { // a full disk needs the room
			err = errors.Join(err, s.closeIndex(), s.disk.Remove(s.path+suffixNew))
		}
	}()
	s.recovery = Recovery{Why: why.Error()}
	h := &healer{s: s, f: f}
	if h.gather(); h.foreign() {
		if err := h.adopt(); !errors.Is(err, ErrDamaged) {
			return errors.Join(err, s.healed())
		}
	}
	bases := h.bases()
	s.needless = h.needless(bases[0])
	if err := h.begin(); err != nil {
		return err
	}
	s.at = s.path + suffixNew
	for _, b := range bases {
		err := h.try(b)
		if errors.Is(err, ErrDamaged) {
			s.wedged = s.db != nil // perhaps
			if err := s.closeIndex(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		return h.goOn()
	}
	return errors.New("no base of the store could be made") // the last one is made of nothing
}

// gather reads all that is left.
func (h *healer) gather() {
	var all []frameRef
	for i := range h.f.segments {
		seg := &h.f.segments[i]
		if err := seg.scan(h.s.disk); err == nil {
			all = append(all, seg.frames...)
		}
		h.highest = max(h.highest, seg.first)
	}
	if f, err := h.s.disk.Open(h.s.path+suffixCopy, os.O_RDONLY); err == nil {
		h.copy, h.copied = readTrailer(f)
		_ = f.Close() // it was only read
	}
	switch {
	case len(all) > 0:
		h.lineage = all[len(all)-1].lineage
	case h.copied:
		h.lineage = h.copy.lineage
	default:
		h.lineage = h.f.standing.lineage
	}
	h.copied = h.copied && h.copy.lineage == h.lineage
	for _, f := range all {
		if f.lineage != h.lineage {
			continue
		}
		h.highest = max(h.highest, f.number)
		if f.kind == kindOps {
			h.frames, h.wanted = append(h.frames, f), max(h.wanted, f.number)
		}
	}
	slices.SortStableFunc(h.frames, func(a, b frameRef) int { return cmp.Compare(a.number, b.number) })
	if h.copied {
		h.wanted = max(h.wanted, h.copy.applied)
	}
	if h.f.readable && h.f.standing.lineage == h.lineage {
		h.wanted = max(h.wanted, h.f.standing.applied)
	}
	h.highest = max(h.highest, h.wanted)
}

// foreign tells that somebody has put the index of another store in place.
func (h *healer) foreign() bool {
	st := h.f.standing
	return h.f.readable && h.f.heal == "" && (st.format == formatAlone || st.lineage != h.lineage)
}

// adopt takes such an index, if it is whole. What belonged to the former one
// is set aside.
func (h *healer) adopt() error {
	s := h.s
	if err := h.walked(h.f.metas[0], true); err != nil {
		return err
	}
	s.recovery.From, s.recovery.Lost = "the index that was put in its place", true
	for _, seg := range h.f.segments {
		if err := s.setAside(seg.name); err != nil {
			return err
		}
	}
	if err := s.setAside(s.path + suffixCopy); err != nil {
		return err
	}
	return s.adopt(h.f.standing.format)
}

// chain brings the frames after a base that follow without a gap.
func (h *healer) chain(applied uint64) (frames, rest []frameRef) {
	for i, f := range h.frames {
		if f.number <= applied {
			continue
		}
		if before, ok := f.before(); !ok || before > applied {
			return frames, h.frames[i:]
		}
		applied = f.number
		frames = append(frames, f)
	}
	return frames, nil
}

func (h *healer) reach(applied uint64) uint64 {
	if frames, _ := h.chain(applied); len(frames) > 0 {
		return frames[len(frames)-1].number
	}
	return applied
}

// bases lists what could be begun from, the best first.
func (h *healer) bases() []base {
	var out []base
	add := func(name string, applied uint64, open func() error, proved bool) {
		out = append(out, base{name, applied, h.reach(applied), open, proved})
	}
	if h.copied {
		add("the copy", h.copy.applied, h.fromCopy, true)
	}
	if h.reach(0) > 0 {
		add("the log", 0, h.fromNothing, true)
	}
	if h.f.readable && h.f.standing.lineage == h.lineage && h.f.standing.format == format {
		add("the index", h.f.standing.applied, h.fromIndex, false)
	}
	if cp, _, err := h.checkpoint(); err == nil {
		add("the checkpoint", cp.applied, h.fromCheckpoint, false)
	}
	slices.SortStableFunc(out, func(a, b base) int { return cmp.Compare(b.reach, a.reach) })
	return append(out, base{"what could be read", 0, 0, h.fromPieces, false}, base{"nothing", 0, 0, h.fromNothing, false})
}

// checkpoint finds the last one of the log.
func (h *healer) checkpoint() (cp checkpoint, m meta, err error) {
	for i := len(h.f.segments) - 1; i >= 0; i-- {
		if cp, _, err := lastCheckpoint(&h.f.segments[i]); err == nil {
			m, _ := readMeta(cp.image)
			if olderThan(h.f.metas, m.txid) || h.f.size < m.bytes() {
				break
			}
			return cp, m, nil
		}
	}
	return cp, m, fmt.Errorf("%w: no checkpoint", ErrDamaged)
}

// try makes the store from a base, and tells what is lost by that.
func (h *healer) try(b base) error {
	s := h.s
	s.lineage, s.applied, s.recovery.Replayed = h.lineage, b.applied, 0
	s.needless = h.needless(b)
	if err := b.open(); err != nil {
		return err
	}
	if !b.proved && b.applied > 0 {
		if err := h.refresh(b.applied); err != nil {
			return err
		}
	}
	frames, rest := h.chain(b.applied)
	if err := s.replay(frames); err != nil {
		return err
	}
	s.recovery.From = b.name
	s.recovery.Lost = s.applied < h.wanted || h.tailInDoubt()
	if len(rest) > 0 {
		if err := s.salvage(rest); err != nil {
			return err
		}
	}
	if b.name == "the checkpoint" || b.name == "what could be read" || len(rest) > 0 || h.again() {
		if err := s.mend(); err != nil {
			return err
		}
	}
	if s.recovery.Lost || len(rest) > 0 {
		return h.parted()
	}
	return nil
}

// tailInDoubt tells that the log may have had frames that nobody knows of: its
// end is missing, and the index was not closed.
func (h *healer) tailInDoubt() bool {
	st := h.f.standing
	if h.f.readable && st.lineage == h.lineage && st.closed && st.applied >= h.wanted {
		return false
	}
	if len(h.f.segments) == 0 {
		return true
	}
	last := h.f.segments[len(h.f.segments)-1]
	if len(last.frames) == 0 {
		return true
	}
	if cp, _, err := lastCheckpoint(&last); err != nil || last.length < cp.length {
		return true
	}
	return h.f.readable && st.lineage == h.lineage && st.applied > last.frames[len(last.frames)-1].number
}

// again tells that the store was mended not long ago: what was made from the
// same base may have the same damage.
func (h *healer) again() bool { return h.f.heal != "" && len(asides(h.s.path)) > 1 }

func (h *healer) fromCopy() error {
	s := h.s
	if _, err := proveCopy(s.disk, s.path+suffixCopy); err != nil {
		return err
	}
	if err := s.beside(s.path+suffixCopy, h.copy.size); err != nil {
		return err
	}
	if err := s.openIndex(mapFor(h.copy.size)); err != nil {
		return err
	}
	return h.stands(h.copy.applied)
}

// stands proves that an index that was opened is at the frame that it should
// be at.
func (h *healer) stands(applied uint64) error {
	st, err := standingOf(h.s.db)
	if err == nil && (st.applied != applied || st.lineage != h.lineage) {
		err = fmt.Errorf("%w: the index is at frame %d, not %d", ErrDamaged, st.applied, applied)
	}
	return err
}

func (h *healer) fromNothing() error {
	s := h.s
	if s.lineage == 0 {
		s.lineage = 1
	}
	return s.makingWay(func() error { return s.makeIndex(0, false) })
}

// walked walks through one state of the index before anything of it is
// believed; through its entries too if it is the newest.
func (h *healer) walked(m meta, newest bool) error {
	f, err := openFile(h.s.path, os.O_RDONLY)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer f.Close()
	faults, err := checkPages(f, m, nil)
	if err == nil && newest && len(faults) == 0 {
		faults, err = checkFile(h.s.path, nil)
	}
	return errors.Join(err, damageIn(faults))
}

func (h *healer) fromIndex() error {
	if err := h.walked(h.f.metas[0], true); err != nil {
		return err
	}
	if err := h.s.beside(h.s.path, h.f.size); err != nil {
		return err
	}
	if err := h.s.openIndex(mapFor(h.f.metas[0].bytes())); err != nil {
		return err
	}
	return h.stands(h.f.standing.applied)
}

func (h *healer) fromCheckpoint() error {
	cp, m, err := h.checkpoint()
	if err == nil {
		err = h.walked(m, false)
	}
	if err == nil {
		err = h.s.beside(h.s.path, h.f.size)
	}
	if err != nil {
		return err
	}
	return h.s.rollBack(h.f, cp)
}

// needless tells, when it is asked, whether a base makes up for all of the index.
func (h *healer) needless(b base) func() bool {
	return func() bool {
		if !b.proved || b.reach < h.wanted {
			return false
		}
		_, err := proveCopy(h.s.disk, h.s.path+suffixCopy)
		return err == nil || b.name != "the copy"
	}
}

// beside copies an index, or as much of it as size tells, to where it is made
// again. The file itself is left alone, so that a loss of power takes nothing.
func (s *Spool) beside(from string, size int64) error {
	return s.makingWay(func() error { return s.copyBeside(from, size) })
}

func (s *Spool) copyBeside(from string, size int64) error {
	if err := s.disk.Remove(s.at); err != nil {
		return err
	}
	in, err := s.disk.Open(from, os.O_RDONLY)
	if err != nil {
		return err
	}
	out, err := s.disk.Open(s.at, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	w := copyWriter{f: out, breathe: func() error { return nil }}
	_, err = io.CopyBuffer(&w, io.NewSectionReader(in, 0, size), make([]byte, zeroBytes))
	return errors.Join(err, out.Close(), in.Close())
}

// begin takes what the end needs, before the index takes all the room: the mark,
// by which a start that comes between the steps of goOn heals once more, and a
// segment.
func (h *healer) begin() error {
	s := h.s
	if h.f.heal == "" {
		if err := s.makingWay(func() error { return s.mark(s.recovery.Why) }); err != nil {
			return err
		}
	}
	return s.makingWay(func() error { return s.log.prepareAny(0) })
}

// goOn puts the index that was made again in its place, and begins a new segment
// behind all that there ever was.
func (h *healer) goOn() error {
	s := h.s
	if err := s.disk.SyncIndex(s.at, s.db.Sync); err != nil {
		return flushFailed(err)
	}
	size := s.mapBytes
	if err := s.closeIndex(); err != nil {
		return err
	}
	s.needless = nil
	if err := s.setAside(s.path); err != nil {
		return err
	}
	err := s.disk.Rename(s.at, s.path)
	if err == nil {
		err = s.disk.SyncDir(filepath.Dir(s.path))
	}
	if err != nil {
		return err
	}
	s.at = s.path
	if err := s.openIndex(size); err != nil {
		return err
	}
	s.number = max(h.highest, s.applied, s.number)
	if err := s.log.close(); err != nil {
		return err
	}
	if err := s.makingWay(func() error { return s.checkpoint(false, 0) }); err != nil {
		return err
	}
	return s.healed()
}

// healed forgets the mark: the store is whole.
func (s *Spool) healed() error {
	if err := s.disk.Remove(s.path + suffixHeal); err != nil {
		return err
	}
	return s.disk.SyncDir(filepath.Dir(s.path))
}
