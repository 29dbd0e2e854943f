package broker

import (
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := newBudget(now)
	for i := range nameBurst {
		if wait := b.take(now, 100); wait != 0 {
			t.Fatalf("message %d waits %v", i, wait)
		}
	}
	if wait := b.take(now, 100); wait != time.Second/namePerSecond {
		t.Errorf("one more waits %v", wait)
	}
	if wait := b.take(now.Add(time.Second), 100); wait != 0 {
		t.Errorf("after a second: %v", wait)
	}
	for range 10 * nameBurst {
		if wait := b.take(now.Add(time.Second), 100); wait > nameWaitMax {
			t.Fatalf("waits %v", wait)
		}
	}
	if wait := b.take(now.Add(time.Second+nameWaitMax+time.Second), 100); wait != 0 {
		t.Errorf("a debt of more than %v is kept: %v", nameWaitMax, wait)
	}
	if wait := (*budget)(nil).take(now, 1<<30); wait != 0 {
		t.Errorf("the daemon waits %v", wait)
	}
}

func TestBudgetOfBytes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := newBudget(now)
	for sent := 0; sent < nameBytesBurst; sent += packetBytesMax {
		if wait := b.take(now, packetBytesMax); wait != 0 {
			t.Fatalf("after %d bytes: %v", sent, wait)
		}
	}
	if wait := b.take(now, packetBytesMax); wait != time.Second/2 {
		t.Errorf("half a megabyte more waits %v", wait)
	}
	if wait := b.take(now, 100); wait <= time.Second/2 || wait > time.Second {
		t.Errorf("a small one behind it waits %v", wait)
	}
	if b.rested(now) || !b.rested(now.Add(time.Minute)) {
		t.Error("when it is as new")
	}
}

// A name is one budget; names that nobody uses any more do not pile up.
func TestBudgetsOfNames(t *testing.T) {
	t.Parallel()
	var all budgets
	debtor := all.of("till1")
	if all.of("till1") != debtor || all.of("till2") == debtor {
		t.Error("whose is whose")
	}
	debtor.take(time.Now(), nameBytesBurst+nameBytesPerSecond*5)
	for i := range 3 * usersMax {
		all.of(string(rune(0x4E00 + i)))
	}
	if len(all.names) > usersMax || all.of("till1") != debtor {
		t.Errorf("%d names", len(all.names))
	}
}

func TestWaitEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	c := newConn(nopConn{address: "10.0.0.1"})
	c.Conn = nopConn{}
	done := make(chan bool)
	go func() { done <- c.wait(time.Hour) }()
	_ = c.Close()
	select {
	case goesOn := <-done:
		if goesOn {
			t.Error("goes on with a closed connection")
		}
	case <-time.After(10 * time.Second):
		t.Error("waits on")
	}
	if !newConn(nopConn{address: "10.0.0.1"}).wait(time.Microsecond) {
		t.Error("an open one is given up")
	}
}

// What waits for the daemon is bounded by bytes, and what the library has let
// go of without a word is found when there is no room.
func TestKeptBytes(t *testing.T) {
	t.Parallel()
	const size = packetBytesMax
	var k kept
	for i := range keptBytesMax / size {
		if k.full(size, func(keptID) bool { t.Error("asked with room left"); return true }) {
			t.Fatalf("full after %d", i)
		}
		k.put(keptID{"kassad", uint16(i)}, size)
		k.put(keptID{"kassad", uint16(i)}, size) // sent again
	}
	all := func(keptID) bool { return true }
	if !k.full(size, all) {
		t.Error("no bound")
	}
	k.remove(keptID{"kassad", 7})
	k.remove(keptID{"kassad", 7})
	if k.full(size, all) || !k.full(size+1, all) {
		t.Errorf("%d bytes", k.sum)
	}
	k.put(keptID{"kassad", 7}, size)
	if k.full(size, func(id keptID) bool { return id.packet != 9 }) {
		t.Error("what is gone counts")
	}
	for i := range keptBytesMax / size {
		k.remove(keptID{"kassad", uint16(i)})
	}
	if k.sum != 0 || len(k.sizes) != 0 || k.large.Load() != 0 {
		t.Errorf("%d bytes of %d remain", k.sum, len(k.sizes))
	}
}
