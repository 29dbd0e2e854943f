package spool

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	// groupMax bounds the callbacks of one commit; the contract has 64 terminals.
	groupMax = 256
	// lingerMax is the longest wait for writers that were in the last group: at
	// 5 ms a flush, two half groups cost nearly twice one whole.
	lingerMax = time.Millisecond
	// sentIdle is how long acknowledged outbox entries wait for an Update to
	// ride on.
	sentIdle = time.Second
)

// request is one Update on its way through the writer.
type request struct {
	fn       func(*Tx) error
	accepts  bool // it takes a new command
	err      error
	panicked string
	done     chan struct{}
}

// Update runs fn and returns when its changes are on disk. Callbacks that
// arrive during a flush share the next one. If fn fails, its own changes alone
// are undone.
//
// fn may run more than once, when another callback of its group fails or the
// index has to grow: what it writes outside the store it must write from scratch
// each time. It must not keep tx, and must not call Update or View.
//
// An error that wraps ErrStore is the end: nobody can say what is on disk, and
// the process has to start again.
func (s *Spool) Update(fn func(tx *Tx) error) error {
	r := &request{fn: fn, done: make(chan struct{})}
	select {
	case s.requests <- r:
	case <-s.closing:
		if err := s.poison(); err != nil {
			return err
		}
		return ErrClosed
	}
	<-r.done
	if errors.Is(r.err, ErrDamaged) {
		s.damage(r.err)
	}
	if r.panicked != "" {
		panic(r.panicked)
	}
	return r.err
}

// write is the writer goroutine.
func (s *Spool) write() {
	defer close(s.stopped)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a torn file must not look like a bug in Go
	var w writer
	idle, idling := time.NewTimer(sentIdle), true
	defer idle.Stop()
	for {
		select {
		case r := <-s.requests:
			s.flush(&w, s.gather(&w, r))
		case <-s.acked:
		case <-idle.C:
			idling = false
			s.flush(&w, nil)
			if !s.tidy() {
				continue
			}
		case <-s.closing:
			s.flush(&w, nil)
			return
		}
		if !idling {
			idle.Reset(sentIdle)
			idling = true
		}
	}
}

// tidy does while nobody waits what a sale would have to wait for later. It
// tells whether it has to come again.
func (s *Spool) tidy() (again bool) {
	if s.poison() != nil {
		return false
	}
	if err := s.tidyUp(); isFull(err) {
		s.full.Store(true)
	} else if err != nil {
		err = fmt.Errorf("%w: %w", ErrStore, err)
		s.fault.CompareAndSwap(nil, &err)
		return false
	} else {
		s.full.Store(false)
	}
	return s.full.Load()
}

func (s *Spool) tidyUp() error {
	if s.log.half() || s.full.Load() {
		if err := s.log.prepare(0); err != nil {
			return err
		}
	}
	var used int64
	if err := guarded(func() error {
		return s.db.View(func(b *bolt.Tx) error { used = b.Size(); return nil })
	}); err != nil {
		return err
	}
	if s.real < used+reserve {
		return s.secure(used, used+reserve+growMin)
	}
	return nil
}

// writer is what the writer goroutine remembers of the last group.
type writer struct {
	group int
	took  time.Duration
}

// gather takes what has queued. Writers that shared the last flush are about to
// come back together, so a group waits for them, but never longer than half of
// what a flush costs. A lone writer waits for nobody.
func (s *Spool) gather(w *writer, first *request) []*request {
	group := []*request{first}
	for len(group) < groupMax {
		select {
		case r := <-s.requests:
			group = append(group, r)
			continue
		default:
		}
		break
	}
	if w.group <= 1 || len(group) >= w.group {
		return group
	}
	timer := time.NewTimer(min(lingerMax, w.took/2))
	defer timer.Stop()
	for len(group) < w.group {
		select {
		case r := <-s.requests:
			group = append(group, r)
		case <-timer.C:
			return group
		}
	}
	return group
}

// flush runs a group in one transaction and answers each of it.
func (s *Spool) flush(w *writer, group []*request) {
	defer func() {
		for _, r := range group {
			close(r.done)
		}
	}()
	err := s.poison()
	if err == nil {
		start := time.Now()
		err = s.commit(group)
		w.group, w.took = len(group), time.Since(start)
	}
	if err == nil {
		return
	}
	s.fault.CompareAndSwap(nil, &err)
	for _, r := range group {
		r.err, r.panicked = err, ""
	}
}

// commit brings the group to disk, without the callbacks that failed. Its error
// is fatal.
func (s *Spool) commit(group []*request) error {
	for {
		again, err := s.attempt(group)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrStore, err)
		}
		if !again {
			return nil
		}
	}
}

// attempt runs the callbacks that have not failed yet. It asks for another
// round when one fails after it has changed something: bbolt can only undo a
// whole transaction.
func (s *Spool) attempt(group []*request) (again bool, err error) {
	var b *bolt.Tx
	err = guarded(func() error { b, err = s.db.Begin(true); return err })
	if err != nil {
		return false, err
	}
	defer func() {
		if b.DB() != nil { // not committed
			err = errors.Join(err, s.rollback(b))
		}
	}()
	var sent []uint64
	var ops []op
	if err := guarded(func() error { sent, ops, err = s.dropSent(b); return err }); err != nil {
		return false, err
	}
	for _, r := range group {
		if r.failed() {
			continue
		}
		changed, wrote := s.call(r, b)
		if r.failed() && wrote {
			return true, nil
		}
		if !r.failed() {
			ops = append(ops, changed...)
		}
	}
	if len(ops) == 0 {
		return false, nil
	}
	switch err := s.store(b, ops); {
	case errors.Is(err, errRemap):
		if err := errors.Join(s.rollback(b), s.remap()); !isFull(err) {
			return true, err
		}
		s.full.Store(true)
		return refuse(group, ErrFull), nil
	case errors.Is(err, ErrFull):
		return refuse(group, err), nil
	case err != nil:
		return false, err
	}
	s.forget(sent)
	return false, nil
}

// refuse fails what does not fit: new commands first, and if there is none,
// all. It tells whether it has refused any.
func refuse(group []*request, err error) (any bool) {
	for _, accepts := range []bool{true, false} {
		for _, r := range group {
			if !r.failed() && (r.accepts || !accepts) {
				r.err, any = err, true
			}
		}
		if any {
			return true
		}
	}
	return false
}

// rollback undoes a transaction. If that fails too, the file stays locked.
func (s *Spool) rollback(b *bolt.Tx) error {
	err := guarded(b.Rollback)
	s.wedged = s.wedged || errors.Is(err, ErrDamaged)
	return err
}

func (r *request) failed() bool { return r.err != nil || r.panicked != "" }

// call runs one callback and tells what it changed. A panic in it travels to the
// goroutine that called Update; a callback that ends the writer's goroutine ends
// the spool.
func (s *Spool) call(r *request, b *bolt.Tx) (ops []op, wrote bool) {
	tx := &Tx{s: s, b: b}
	returned := false
	defer func() {
		ops, wrote, r.accepts = tx.ops, tx.wrote, tx.accepts
		if returned && r.err == nil && tx.accepts && s.full.Load() {
			r.err = ErrFull
		}
		tx.end()
		if returned {
			return
		}
		if p := recover(); p != nil {
			if isDamage(p) {
				r.err = damaged(p)
				return
			}
			r.panicked = fmt.Sprintf("spool: update: %v\n\n%s", p, debug.Stack())
			return
		}
		s.goexit(r)
	}()
	r.err = r.fn(tx)
	returned = true
	return nil, false // set above
}

// goexit keeps callers from waiting for ever for a writer that is gone.
func (s *Spool) goexit(r *request) {
	err := fmt.Errorf("%w: a callback ended the writer's goroutine", ErrStore)
	s.fault.CompareAndSwap(nil, &err)
	r.err = err
	s.close.Do(func() { close(s.closing) })
}

// Sent tells that the broker has acknowledged outbox entries. They disappear
// from Outbox at once, and from the disk with the next Update or after about a
// second; a crash in between sends them again.
func (s *Spool) Sent(ids ...uint64) {
	s.mu.Lock()
	for _, id := range ids {
		s.sent[id] = struct{}{}
	}
	s.mu.Unlock()
	select {
	case s.acked <- struct{}{}:
	default:
	}
}

// dropSent deletes the acknowledged entries inside b.
func (s *Spool) dropSent(b *bolt.Tx) ([]uint64, []op, error) {
	s.mu.Lock()
	ids := make([]uint64, 0, len(s.sent))
	for id := range s.sent {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	tx := &Tx{s: s, b: b}
	for _, id := range ids {
		if err := tx.delete(bucketOutbox, outboxKey(id)); err != nil {
			return nil, nil, err
		}
	}
	return ids, tx.ops, nil
}

func (s *Spool) forget(ids []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.sent, id)
	}
}

// isSent tells whether an entry on disk is acknowledged already.
func (s *Spool) isSent(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.sent[id]
	return ok
}
