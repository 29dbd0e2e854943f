package shtrih

import (
	"testing"
	"testing/synctest"
	"time"
)

// Table "Device side" of section 1.1, state by state.

func TestBootIgnoresAllButENQ(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := dial(t, New(Config{}))
		defer h.close()
		h.write(frame(message(0x10))[:1]...)
		h.write(0x00, 0x41)
		h.silent(time.Second)
		h.ready()
	})
}

func TestWaitSTX(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := dial(t, New(Config{}))
		defer h.close()
		h.ready()
		h.ready() // ENQ again: not STX
		h.write('A')
		h.expect(byteNAK)
		h.write(0, 0, 0, 0) // section 1.1, field notes: skipped
		h.silent(time.Second)
		h.write(byteSTX, 0x00)
		h.expect(byteNAK) // bad LEN
		bad := frame(message(0x10))
		bad[len(bad)-1] ^= 1
		h.write(bad...)
		h.expect(byteNAK)
		h.write(frame(message(0x10))[:4]...)
		h.expect(byteNAK) // byte timeout
		if a := h.exchange(message(0x10)); errorOf(a) != ok {
			t.Errorf("10h: % X", a)
		}
		if a := h.exchange(message(0x10)); errorOf(a) != ok { // no ENQ needed
			t.Errorf("10h: % X", a)
		}
	})
}

func TestZeroIsRefusedByOption(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := dial(t, New(Config{Link: LinkOptions{RefuseZero: true}}))
		defer h.close()
		h.ready()
		h.write(0)
		h.expect(byteNAK)
	})
}

func TestUnconfirmedAnswer(t *testing.T) {
	for _, v := range []struct {
		name string
		say  []byte
	}{{"NAK", []byte{byteNAK}}, {"swallowed ENQ", []byte{byteENQ}}, {"garbage", []byte{0x41}}, {"timeout", nil}} {
		t.Run(v.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := dial(t, New(Config{}))
				defer h.close()
				h.ready()
				h.write(frame(message(0x13))...)
				h.expect(byteACK)
				first := h.frame()
				if v.say != nil {
					h.write(v.say...)
				}
				h.silent(2 * time.Second)
				h.write('x', byteACK, byteSTX) // ignored in WAIT_ENQ
				h.silent(time.Second)
				h.write(byteENQ)
				h.expect(byteACK)
				if again := h.frame(); string(again) != string(first) {
					t.Errorf("got % X, want % X", again, first)
				}
				h.write(byteACK)
				h.ready()
			})
		})
	}
}

// A 05 inside a frame acts as ENQ while an answer is unconfirmed.
func TestENQInsideAFrame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := dial(t, New(Config{}))
		defer h.close()
		h.ready()
		h.write(frame(message(0x13))...)
		h.expect(byteACK)
		h.frame()
		h.silent(2 * time.Second)
		h.write(byteSTX, 0x05)
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
	})
}

func TestENQWhileBusy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := New(Config{})
		h := dial(t, p)
		defer h.close()
		p.Inject(Fault{When: Command(0x13), Do: Slow{Before: 10 * time.Second}})
		h.ready()
		h.write(frame(message(0x13))...)
		h.expect(byteACK)
		h.write(byteENQ)
		h.expect(byteACK)
		h.silent(9 * time.Second)
		h.frame()
		h.write(byteACK)
		h.ready()
	})
}

func TestENQWhileBusyIsQueued(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := New(Config{Link: LinkOptions{QueueWhileBusy: true}})
		h := dial(t, p)
		defer h.close()
		p.Inject(Fault{When: Command(0x13), Do: Slow{Before: 10 * time.Second}})
		h.ready()
		h.write(frame(message(0x13))...)
		h.expect(byteACK)
		h.write(byteENQ)
		h.frame() // the queued ENQ is swallowed as a bad confirmation
		h.write(byteENQ)
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
	})
}

func TestPendingAnswerAndConnections(t *testing.T) {
	for _, drop := range []bool{false, true} {
		bubbleNamed(t, map[bool]string{false: "kept", true: "dropped"}[drop], func(t *testing.T) {
			p := New(Config{Link: LinkOptions{DropPendingOnClose: drop}})
			h := dial(t, p)
			h.ready()
			h.write(frame(message(0x13))...)
			h.expect(byteACK)
			h.frame()
			h.close()
			h = dial(t, p)
			defer h.close()
			h.write(byteENQ)
			if drop {
				h.expect(byteNAK)
				return
			}
			h.expect(byteACK)
			h.frame()
			h.write(byteACK)
		})
	}
}

func bubbleNamed(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { bubble(t, f) })
}

// The device keeps executing when the connection is gone (section 1.1, "What
// is lost when").
func TestExecutionSurvivesTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := New(Config{})
		p.Inject(Fault{When: Command(0xE0), Do: Slow{Before: 5 * time.Second}})
		h := dial(t, p)
		h.ready()
		h.write(frame(message(0xE0))...)
		h.expect(byteACK)
		h.close()
		<-time.After(6 * time.Second) // virtual
		if !p.Storage().Shift().Open {
			t.Fatal("shift is not open")
		}
		h = dial(t, p)
		defer h.close()
		h.write(byteENQ)
		h.expect(byteACK)
		if a := h.frame(); a[0] != 0xE0 {
			t.Errorf("pending: % X", a)
		}
		h.write(byteACK)
	})
}

func TestSecondConnection(t *testing.T) {
	bubbleNamed(t, "takes over", func(t *testing.T) {
		p := New(Config{})
		a := dial(t, p)
		b := dial(t, p)
		a.gone()
		b.ready()
		b.close()
	})
	bubbleNamed(t, "refused", func(t *testing.T) {
		p := New(Config{Link: LinkOptions{Clients: Refuse}})
		a := dial(t, p)
		b := dial(t, p)
		b.gone()
		a.ready()
		a.close()
	})
	bubbleNamed(t, "shared", func(t *testing.T) {
		p := New(Config{Link: LinkOptions{Clients: Share}})
		a := dial(t, p)
		b := dial(t, p)
		a.ready()
		b.ready()
		a.exchange(message(0xE0))
		b.exchange(message(0x10))
		a.close()
		b.close()
	})
}

func TestBaudPacesTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := dial(t, New(Config{Link: LinkOptions{Baud: 4800}}))
		defer h.close()
		h.ready()
		start := time.Now()
		h.exchange(message(0x11)) // ACK, 48 bytes and three around them
		if took, want := time.Since(start), 52*10*time.Second/4800; took < want-time.Millisecond || took > want+time.Millisecond {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}

// A host that went silent without reading must not take the answer from the
// host that replaced it.
func TestAnswerGoesToTheNewHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := New(Config{})
		p.Inject(Fault{When: Command(0x13), Do: Slow{Before: 5 * time.Second}})
		old := dial(t, p)
		old.ready()
		old.write(frame(message(0x13))...) // its ACK is never read
		synctest.Wait()
		h := dial(t, p)
		h.write(byteENQ)
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
		h.ready()
		old.close()
		h.close()
	})
}
