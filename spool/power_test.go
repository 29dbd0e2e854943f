package spool_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"kassad/fiscal"
	"kassad/spool"
	"kassad/spool/spooltest"
)

var (
	powerSeeds = flag.Int("power-seeds", 60, "seeds of TestPowerLoss")
	powerSeed  = flag.Uint64("power-seed", 0, "the one seed of TestPowerLoss; 0: power-seeds new ones")
)

// book is what the store has promised: an id and how far it is. In doubt is
// what an Update was about when the power went: it is there or not.
type book struct {
	rng    *rand.Rand
	rank   map[string]int
	open   []fiscal.Record
	fd     uint32
	sales  int
	events uint64
	doubt  string
}

var ranks = map[fiscal.State]int{fiscal.Accepted: 1, fiscal.Working: 2, fiscal.Done: 3}

// step is one Update of a shop: a sale moves on, or a new one comes.
func (b *book) step(s *spool.Spool) error {
	var r fiscal.Record
	at := -1
	if len(b.open) > 0 && b.rng.IntN(3) > 0 {
		at = b.rng.IntN(len(b.open))
		r = b.open[at]
		if r.State == fiscal.Accepted {
			r.State, r.Baseline = fiscal.Working, &fiscal.Baseline{Storage: "9999078900012345"}
		} else {
			r = spool.DoneSale(r, b.fd+1)
		}
		b.doubt = r.ID
	} else {
		b.doubt = fmt.Sprintf("sale-%05d", b.sales)
		b.sales++
	}
	err := s.Update(func(tx *spool.Tx) (err error) {
		if at < 0 {
			if r, _, err = tx.Accept(spool.Sale(b.doubt)); err != nil {
				return err
			}
		} else if err := tx.Put(r); err != nil {
			return err
		}
		if _, err = tx.NextEvent(); err != nil {
			return err
		}
		return tx.Send(spool.Message{Link: "local", Topic: "evt", Payload: make([]byte, b.rng.IntN(900))})
	})
	if err != nil {
		return err
	}
	b.rank[r.ID], b.doubt = ranks[r.State], ""
	b.events++
	switch {
	case at < 0:
		b.open = append(b.open, r)
	case r.State == fiscal.Done:
		b.fd++
		b.open = append(b.open[:at], b.open[at+1:]...)
	default:
		b.open[at] = r
	}
	return nil
}

// compare looks for all that was promised, and takes over what was in doubt.
func (b *book) compare(s *spool.Spool) error {
	return s.View(func(tx *spool.Tx) error {
		b.open = nil
		all, err := tx.Records(0, 1<<20)
		if err != nil {
			return err
		}
		there := map[string]fiscal.Record{}
		for _, r := range all {
			there[r.ID] = r
			if !r.State.Final() {
				b.open = append(b.open, r)
			}
		}
		for id, rank := range b.rank {
			got := ranks[there[id].State]
			if got < rank || got > rank && id != b.doubt {
				return fmt.Errorf("%s was at %d, is at %d", id, rank, got)
			}
		}
		for id := range there {
			if b.rank[id] == 0 && id != b.doubt {
				return fmt.Errorf("%s was never accepted", id)
			}
			b.rank[id] = ranks[there[id].State]
		}
		if last := tx.LastEvent(); last < b.events || last > b.events+1 {
			return fmt.Errorf("event %d, were %d", last, b.events)
		}
		b.events, b.doubt = tx.LastEvent(), ""
		b.fd, err = tx.LastFD("9999078900012345")
		return err
	})
}

// life opens the store, proves the book, and works until the disk stops it, or
// for some steps.
func (b *book) life(path string, opt spool.Options, steps int) error {
	s, err := spool.Open(path, opt)
	if errors.Is(err, spooltest.ErrKilled) {
		return nil // while it opened
	}
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if r := s.Recovery(); r.Why != "" || r.Lost {
		return errors.Join(fmt.Errorf("a loss of power is no damage: %+v", r), s.Close())
	}
	if err := b.compare(s); err != nil {
		return errors.Join(err, s.Close())
	}
	for range steps {
		switch b.rng.IntN(40) {
		case 0:
			if err := s.RenewCopy(); errors.Is(err, spool.ErrDamaged) {
				return errors.Join(err, s.Close())
			}
		case 1:
			b.acknowledge(s)
		}
		if err := b.step(s); err != nil {
			break
		}
	}
	_ = s.Close() // it may be killed
	return nil
}

func (b *book) acknowledge(s *spool.Spool) {
	_ = s.View(func(tx *spool.Tx) error {
		messages, err := tx.Outbox("local", 0, 20)
		for _, m := range messages {
			s.Sent(m.ID)
		}
		return err
	})
}

// renamedBeforeAKill kills between the rename of a log file and its flush; the
// power goes in the life after.
const renamedBeforeAKill = 11320759272073326333

// TestPowerLoss: at any write of any life of a store the power goes, or the
// process is killed. Whatever sectors the disk then has of what was not
// flushed: all that was answered is there, nothing is called damaged, and
// nothing is wrong.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	seeds := []uint64{renamedBeforeAKill}
	for range *powerSeeds {
		seeds = append(seeds, rand.Uint64())
	}
	if *powerSeed != 0 {
		seeds = []uint64{*powerSeed}
	}
	began, lives := time.Now(), 0
	for _, seed := range seeds {
		dir, n, err := t.TempDir(), 0, error(nil)
		synctest.Test(t, func(*testing.T) { n, err = powerLives(dir, seed) })
		lives += n
		if err != nil {
			t.Fatalf("%v\nagain: go test ./spool -run TestPowerLoss -power-seed %d", err, seed)
		}
	}
	t.Logf("%d seeds, %d lives, %v", len(seeds), lives, time.Since(began).Round(time.Millisecond))
}

func powerLives(dir string, seed uint64) (lives int, err error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	disk := spooltest.NewDisk(dir)
	path := filepath.Join(dir, "kassad.db")
	b := &book{rng: rng, rank: map[string]int{}}
	for lives = range 8 {
		opt := disk.Options()
		if seed%4 > 0 { // copies are made where the seed says, so that it can be replayed
			opt.CopyBytes = 1 << 40
		}
		if rng.IntN(4) > 0 {
			disk.KillAt(1+rng.IntN(250), nil)
		}
		if err := b.life(path, opt, rng.IntN(120)); err != nil {
			return lives, fmt.Errorf("life %d: %w", lives, err)
		}
		disk.Kill()
		if rng.IntN(4) > 0 {
			if err := disk.PowerLoss(rng); err != nil {
				return lives, err
			}
		}
	}
	s, err := spool.Open(path, disk.Options())
	if err != nil {
		return lives, err
	}
	faults, err := s.Check()
	err = errors.Join(err, b.compare(s), s.Close())
	if len(faults) > 0 {
		err = errors.Join(err, fmt.Errorf("faults: %v", faults))
	}
	return lives, err
}
