package spool_test

import (
	"errors"
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

// TestKilledOnAFullDisk: a store that was killed on a full disk starts on the
// full disk, with the reserve or without it. It has all that was answered, takes
// nothing new, finishes what is in hand, and sells when there is room again.
func TestKilledOnAFullDisk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) { killedFull(t, dir, seed) })
	}
}

// crowd is a shop on a disk that is full.
type crowd struct {
	path string
	s    *spool.Spool
	disk *spooltest.Disk
	sold []fiscal.Record
	made uint32
}

func (c *crowd) open(t *testing.T) {
	t.Helper()
	var err error
	if c.s, err = spool.Open(c.path, c.disk.Options()); err != nil {
		t.Fatal(err)
	}
	if r := c.s.Recovery(); r.Why != "" {
		t.Fatalf("recovery: %+v", r)
	}
}

func (c *crowd) sell() error {
	var r fiscal.Record
	err := c.s.Update(func(tx *spool.Tx) (err error) {
		if r, _, err = tx.Accept(spool.Sale(fmt.Sprintf("sale-%04d", len(c.sold)))); err != nil {
			return err
		}
		return tx.Send(spool.Message{Link: "local", Topic: "evt", Payload: make([]byte, 3000)})
	})
	if err == nil {
		c.sold = append(c.sold, r)
	}
	return err
}

// finish brings one that is in hand to its end.
func (c *crowd) finish() error {
	r := c.sold[c.made]
	r.State, r.Baseline = fiscal.Working, &fiscal.Baseline{Storage: "9999078900012345"}
	err := c.s.Update(func(tx *spool.Tx) error { return tx.Put(r) })
	if err != nil {
		return err
	}
	r = spool.DoneSale(r, c.made+1)
	if err := c.s.Update(func(tx *spool.Tx) error { return tx.Put(r) }); err != nil {
		return err
	}
	c.made++
	return nil
}

// until repeats until the disk is full for it.
func until(t *testing.T, what func() error) {
	t.Helper()
	for range 5000 {
		if err := what(); errors.Is(err, spool.ErrFull) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the disk does not become full")
}

func killedFull(t *testing.T, dir string, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	c := &crowd{path: filepath.Join(dir, "kassad.db"), disk: spooltest.NewDisk(dir)}
	c.open(t)
	for range 1 + rng.IntN(30) {
		if err := c.sell(); err != nil {
			t.Fatal(err)
		}
	}
	c.disk.SetFull(true)
	until(t, c.sell)
	if seed%3 > 0 { // some of the reserve is used
		for range rng.IntN(12) {
			if err := c.finish(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if seed%3 == 2 { // all of it
		until(t, func() error {
			return c.s.Update(func(tx *spool.Tx) error {
				return tx.Send(spool.Message{Link: "local", Topic: "evt", Payload: make([]byte, 1+rng.IntN(9000))})
			})
		})
	}
	for range 1 + rng.IntN(3) { // a restart loop
		c.disk.Kill()
		_ = c.s.Close() // it was killed
		if seed%2 > 0 {
			if err := c.disk.PowerLoss(rng); err != nil {
				t.Fatal(err)
			}
		}
		c.open(t)
	}
	if until(t, c.sell); !c.s.Full() {
		t.Errorf("seed %d: it does not tell that the disk is full", seed)
	}
	if seed%3 < 2 {
		if err := c.finish(); err != nil {
			t.Errorf("seed %d: what is in hand: %v", seed, err)
		}
	}
	c.whole(t)
	c.disk.SetFull(false)
	<-time.After(3 * time.Second)
	if err := errors.Join(c.sell(), c.finish()); err != nil || c.s.Full() {
		t.Errorf("seed %d: with room again: %v", seed, err)
	}
	c.whole(t)
	if err := c.s.Close(); err != nil {
		t.Error(err)
	}
	if faults, err := spool.Check(c.path); err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
}

// whole looks for all that was answered.
func (c *crowd) whole(t *testing.T) {
	t.Helper()
	err := c.s.View(func(tx *spool.Tx) error {
		for i, want := range c.sold {
			r, ok, err := tx.ByID(want.ID)
			if err != nil || !ok || i < int(c.made) && r.State != fiscal.Done {
				return fmt.Errorf("%s: there %v, %s, %w", want.ID, ok, r.State, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
