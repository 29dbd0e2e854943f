package spool

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kassad/fiscal"
)

// model is what the spool should hold, in plain maps.
type model struct {
	path    string
	s       *Spool
	records map[string]fiscal.Record
	tombs   map[string]bool
	outbox  []string
	fd      uint32
	finals  []string
}

// TestModel runs random operations against maps, with the store closed and
// opened in between.
func TestModel(t *testing.T) {
	t.Parallel()
	n := 0
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := &model{path: filepath.Join(dir, fmt.Sprint(n)), records: map[string]fiscal.Record{}, tombs: map[string]bool{}}
		m.open(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"accept":    m.accept,
			"move":      m.move,
			"tombstone": m.tombstone,
			"sent":      m.sentAll,
			"reopen":    func(rt *rapid.T) { m.closeAndCheck(rt); m.open(rt) },
			"":          m.compare,
		})
		m.closeAndCheck(rt)
	})
}

func (m *model) open(rt *rapid.T) {
	s, err := Open(m.path, Options{})
	if err != nil {
		rt.Fatal(err)
	}
	m.s = s
}

func (m *model) closeAndCheck(rt *rapid.T) {
	if err := m.s.Close(); err != nil {
		rt.Fatal(err)
	}
	if faults, err := Check(m.path); err != nil || len(faults) > 0 {
		rt.Fatalf("check: %v %v", faults, err)
	}
}

func (m *model) update(rt *rapid.T, fn func(*Tx) error) {
	if err := m.s.Update(fn); err != nil {
		rt.Fatal(err)
	}
}

func ids() *rapid.Generator[string] { return rapid.StringMatching("[ab]{1,2}") }

func (m *model) accept(rt *rapid.T) {
	r := sale(ids().Draw(rt, "id"))
	r.Device = rapid.SampledFrom([]string{"front", "back"}).Draw(rt, "device")
	r.Hash += rapid.SampledFrom([]string{"", "", "other"}).Draw(rt, "hash")
	old, known := m.records[r.ID]
	want := New
	switch {
	case known && old.Hash == r.Hash:
		want = Duplicate
	case known:
		want = Conflict
	case m.tombs[r.ID]:
		want = Tombstoned
	}
	m.update(rt, func(tx *Tx) error {
		got, how, err := tx.Accept(r)
		if err == nil && how != want {
			err = fmt.Errorf("accept %s: %v, want %v", r.ID, how, want)
		}
		if err == nil && how != Conflict && how != Duplicate {
			err = tx.Send(Message{Link: "local", Topic: r.ID})
			r = got
		}
		return err
	})
	if known {
		return
	}
	m.records[r.ID] = r
	m.outbox = append(m.outbox, r.ID)
	delete(m.tombs, r.ID)
	if want == Tombstoned {
		m.finals = append(m.finals, r.ID)
	}
}

func (m *model) move(rt *rapid.T) {
	r, known := m.records[ids().Draw(rt, "id")]
	if !known || r.State.Final() {
		rt.Skip()
	}
	switch rapid.IntRange(0, 4).Draw(rt, "to") {
	case 0:
		r.State = fiscal.Working
	case 1:
		r.State, r.Device = fiscal.Accepted, "lifepay"
	case 2:
		r.State = fiscal.Held
	case 3:
		r.State, r.FinalAt = fiscal.Rejected, wall.Add(time.Minute)
	case 4:
		m.fd++
		r = done(r, m.fd)
	}
	m.update(rt, func(tx *Tx) error { return tx.Put(r) })
	if r.State.Final() {
		m.finals = append(m.finals, r.ID)
	}
	m.records[r.ID] = r
}

func (m *model) tombstone(rt *rapid.T) {
	id := ids().Draw(rt, "id")
	if _, known := m.records[id]; known {
		rt.Skip()
	}
	m.update(rt, func(tx *Tx) error { return tx.Tombstone(id, wall) })
	m.tombs[id] = true
}

func (m *model) sentAll(rt *rapid.T) {
	err := m.s.View(func(tx *Tx) error {
		messages, err := tx.Outbox("local", 0, 100)
		for _, msg := range messages {
			m.s.Sent(msg.ID)
		}
		return err
	})
	if err != nil {
		rt.Fatal(err)
	}
	m.outbox = nil
}

func (m *model) compare(rt *rapid.T) {
	err := m.s.View(func(tx *Tx) error {
		queued := map[string]int{}
		for id, want := range m.records {
			got, ok, err := tx.ByID(id)
			if err != nil || !ok || got.State != want.State || got.Device != want.Device || got.Seq != want.Seq {
				return fmt.Errorf("%s: %+v, want %+v: %w", id, got, want, err)
			}
			if !want.State.Final() {
				queued[want.Device]++
			}
		}
		for _, device := range []string{"front", "back", "lifepay"} {
			if q, err := tx.Queue(device); err != nil || len(q) != queued[device] {
				return fmt.Errorf("queue of %s has %d, want %d: %w", device, len(q), queued[device], err)
			}
		}
		for id := range m.tombs {
			if !tx.Tombstoned(id) {
				return fmt.Errorf("tombstone %s is gone", id)
			}
		}
		finals, err := tx.FinalsSince("till1", 0, 1000)
		if err != nil || len(finals) != len(m.finals) {
			return fmt.Errorf("%d finals, want %v: %w", len(finals), m.finals, err)
		}
		for i, r := range finals {
			if r.ID != m.finals[i] || r.FinalSeq != uint64(i+1) {
				return fmt.Errorf("final %d is %s %d, want %s", i, r.ID, r.FinalSeq, m.finals[i])
			}
		}
		fd, err := tx.LastFD(storage)
		if n, _ := tx.OutboxCount(); n != len(m.outbox) || fd != m.fd {
			return fmt.Errorf("outbox %d, want %d; last FD %d, want %d: %w", n, len(m.outbox), fd, m.fd, err)
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
}
