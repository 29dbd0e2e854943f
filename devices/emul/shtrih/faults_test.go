package shtrih

import (
	"bytes"
	"testing"
	"time"

	"kassad/devices/emul/fn"
)

// rig is a printer with an open receipt of one item, one byte before the close.
func rig(t *testing.T, cfg Config) (*Printer, *host) {
	t.Helper()
	p := New(cfg)
	must(t, p, message(0xE0))
	must(t, p, message(0x8D, 0))
	must(t, p, line(1, quantityScale, 10000, 0xCB, 4, 1, "Товар"))
	h := dial(t, p)
	h.ready()
	return p, h
}

// made is the number of receipts that the tax office has.
func made(p *Printer) int { return len(p.Storage().Receipts()) }

func wantMade(t *testing.T, p *Printer, want int) {
	t.Helper()
	if got := made(p); got != want {
		t.Errorf("ledger has %d receipts, want %d", got, want)
	}
}

// The fault points of section 5.8, by number.
func TestFaultPoints(t *testing.T) {
	closeFrame := frame(closing(1, 10000))
	faulty := func(name string, f Action, then func(t *testing.T, p *Printer, h *host)) {
		bubbleNamed(t, name, func(t *testing.T) {
			p, h := rig(t, Config{})
			p.Inject(Fault{When: Command(0xFF45), Do: f})
			h.write(closeFrame...)
			then(t, p, h)
		})
	}
	faulty("1 dropped", DropCommand{}, func(t *testing.T, p *Printer, h *host) {
		h.silent(time.Second)
		wantMade(t, p, 0)
		h.ready()
		h.exchange(closing(1, 10000))
		wantMade(t, p, 1)
		h.close()
	})
	faulty("1 cut before", CutBefore{}, func(t *testing.T, p *Printer, h *host) {
		h.gone()
		wantMade(t, p, 0)
	})
	faulty("2 answer lost", LoseAnswer{LoseAck: true}, func(t *testing.T, p *Printer, h *host) {
		h.silent(time.Second)
		wantMade(t, p, 1)
		h.write(byteENQ)
		h.expect(byteACK)
		if a := h.frame(); a[1] != 0x45 || errorOf(a) != ok {
			t.Errorf("pending: % X", a)
		}
		h.write(byteACK)
		h.ready()
		h.close()
	})
	faulty("3 cut, pending kept", ExecuteThenCut{}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		h.gone()
		wantMade(t, p, 1)
		h = dial(t, p)
		h.write(byteENQ)
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
		h.close()
	})
	faulty("3 cut, pending dropped", ExecuteThenCut{DropPending: true, LoseAck: true}, func(t *testing.T, p *Printer, h *host) {
		h.gone()
		wantMade(t, p, 1)
		h = dial(t, p)
		h.ready()
		h.close()
	})
	faulty("4 power cycle after", ExecuteThenPowerCycle{Off: time.Minute, Interrupted: true}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		h.gone()
		wantMade(t, p, 1)
		<-time.After(2 * time.Minute)
		h = dial(t, p)
		h.ready()
		if p.Submode() != subContinue || p.Mode() != modeOpen {
			t.Errorf("mode %d submode %d", p.Mode(), p.Submode())
		}
		h.exchange(message(0xB0))
		wantMade(t, p, 1)
		h.close()
	})
	faulty("5 power cycle before, receipt kept", PowerCycleBefore{}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		h.gone()
		if p.Mode() != modeReceipt || p.Storage().Current() != fn.KindNone {
			t.Errorf("mode %02X, storage %d", p.Mode(), p.Storage().Current())
		}
		h = dial(t, p)
		h.ready()
		h.exchange(closing(1, 10000)) // the receipt can still be closed
		wantMade(t, p, 1)
		h.close()
	})
	faulty("5 power cycle before, receipt lost", PowerCycleBefore{LoseReceipt: true}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		h.gone()
		wantMade(t, p, 0)
		if p.Mode() != modeOpen {
			t.Errorf("mode %02X", p.Mode())
		}
	})
	faulty("6 slow", Slow{Before: 40 * time.Second}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		h.write(byteENQ)
		h.expect(byteACK)
		h.silent(39 * time.Second)
		h.frame()
		h.write(byteACK)
		wantMade(t, p, 1)
		h.close()
	})
	faulty("7 no paper before", RunOutOfPaper{Before}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		if a := h.frame(); errorOf(a) != errNoPaper {
			t.Errorf("% X", a)
		}
		h.write(byteACK)
		p.PaperIn()
		h.exchange(closing(1, 10000))
		wantMade(t, p, 1)
		h.close()
	})
	faulty("7 paper ends during", RunOutOfPaper{During}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		if a := h.frame(); errorOf(a) != ok || p.Submode() != subActive {
			t.Errorf("% X, submode %d", a, p.Submode())
		}
		h.write(byteACK)
		if a := h.exchange(message(0x8D, 0)); errorOf(a) != errNoPaper {
			t.Errorf("8D in submode 2: % X", a)
		}
		p.PaperIn()
		if a := h.exchange(message(0x8D, 0)); errorOf(a) != errContinue {
			t.Errorf("8D in submode 3: % X", a)
		}
		h.exchange(message(0xB0))
		wantMade(t, p, 1)
		h.close()
	})
	faulty("7 paper ends after", RunOutOfPaper{After}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
		if p.Submode() != subPassive {
			t.Errorf("submode %d", p.Submode())
		}
		h.close()
	})
	faulty("8 busy after", StayBusy{Times: 2}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
		for i, want := range []byte{errPrinting, errPrinting, ok} {
			if a := h.exchange(message(0x8D, 0)); errorOf(a) != want {
				t.Errorf("try %d: % X", i, a)
			}
		}
		h.close()
	})
	faulty("9 bad LRC", BadLRC{}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		bad := h.read(19)
		if lrc(bad[1:]) == 0 {
			t.Error("LRC is good")
		}
		h.write(byteNAK, byteENQ)
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
		wantMade(t, p, 1)
		h.close()
	})
	faulty("10 stray FF", Stray{}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK, byteTail)
		h.frame()
		h.write(byteACK)
		h.close()
	})
	faulty("11 duplicate", LoseConfirm{}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		first := h.frame()
		h.write(byteACK, byteENQ)
		h.expect(byteACK)
		if again := h.frame(); !bytes.Equal(first, again) {
			t.Errorf("% X, then % X", first, again)
		}
		h.write(byteACK)
		h.ready()
		h.close()
	})
	faulty("12 24 hours pass", MoveClock{25 * time.Hour}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		if a := h.frame(); errorOf(a) != byte(fn.ErrShift24) {
			t.Errorf("% X", a)
		}
		h.write(byteACK)
		wantMade(t, p, 0)
		for _, msg := range [][]byte{message(0x88), message(0x40), message(0x41)} {
			if a := h.exchange(msg); errorOf(a) != ok {
				t.Errorf("% X: % X", msg, a)
			}
		}
		h.close()
	})
	faulty("13 foreign document", ForeignDocument{Total: 777, When: Before}, func(t *testing.T, p *Printer, h *host) {
		h.expect(byteACK)
		if a := h.frame(); errorOf(a) != ok {
			t.Errorf("% X", a)
		}
		h.write(byteACK)
		all := p.Storage().Receipts()
		if len(all) != 2 || all[0].Total != 777 || all[1].Total != 10000 {
			t.Errorf("ledger: %+v", all)
		}
		if got := p.Money(121); got != 10777 {
			t.Errorf("register 121 = %d", got)
		}
		h.close()
	})
}

func TestOtherFaults(t *testing.T) {
	msg := message(0x13)
	bubbleNamed(t, "n-th occurrence", func(t *testing.T) {
		p := New(Config{})
		h := dial(t, p)
		p.Inject(Fault{When: Command(0x13), Nth: 2, Times: 2, Do: RefuseWith{0xC8}})
		h.ready()
		for i, want := range []byte{ok, 0xC8, 0xC8, ok} {
			if a := h.exchange(msg); errorOf(a) != want {
				t.Errorf("%d: % X", i+1, a)
			}
		}
		h.close()
	})
	bubbleNamed(t, "truncated, corrupt, cut", func(t *testing.T) {
		p := New(Config{})
		h := dial(t, p)
		h.ready()
		p.Inject(Fault{Do: Truncate{2}})
		h.write(frame(msg)...)
		h.expect(byteACK, byteSTX, 3)
		h.write(byteNAK, byteENQ)
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
		p.Inject(Fault{Do: Corrupt{At: 2, Xor: 0xFF}})
		h.write(frame(msg)...)
		h.expect(byteACK, byteSTX, 3, 0x13^0xFF)
		h.read(3)
		h.write(byteNAK, byteENQ)
		h.expect(byteACK)
		h.frame()
		h.write(byteACK)
		p.Inject(Fault{Do: CutAnswer{1}})
		h.write(frame(msg)...)
		h.expect(byteACK, byteSTX)
		h.gone()
	})
	bubbleNamed(t, "ACK and NAK", func(t *testing.T) {
		p := New(Config{})
		h := dial(t, p)
		h.ready()
		p.Inject(Fault{Do: NAKCommand{}})
		h.write(frame(msg)...)
		h.expect(byteNAK)
		p.Inject(Fault{Do: LoseAck{}})
		h.write(frame(msg)...)
		h.frame()
		h.write(byteACK)
		h.close()
	})
	bubbleNamed(t, "executed and refused", func(t *testing.T) {
		p, h := rig(t, Config{})
		p.Inject(Fault{When: Command(0xFF45), Do: ExecuteThenRefuse{0x03}})
		if a := h.exchange(closing(1, 10000)); errorOf(a) != 3 {
			t.Errorf("% X", a)
		}
		wantMade(t, p, 1)
		h.close()
	})
	bubbleNamed(t, "short FF errors", func(t *testing.T) {
		h := dial(t, New(Config{ShortFFErrors: true}))
		h.ready()
		if a := h.exchange(message(0xFF61)); !bytes.Equal(a, []byte{0xFF, errUnsupported}) {
			t.Errorf("% X", a)
		}
		h.close()
	})
}

func TestPowerAndCable(t *testing.T) {
	bubbleNamed(t, "silent power loss", func(t *testing.T) {
		p, h := rig(t, Config{AutoCancelOnPower: true})
		p.PowerOffSilently()
		h.write(byteENQ)
		h.silent(time.Second)
		p.PowerOn()
		h.ready()
		if p.Mode() != modeOpen {
			t.Errorf("mode %d", p.Mode())
		}
		h.close()
	})
	bubbleNamed(t, "off refuses", func(t *testing.T) {
		p, h := rig(t, Config{})
		p.PowerOff()
		h.gone()
		dial(t, p).gone()
		p.PowerOn()
		h = dial(t, p)
		h.ready()
		h.close()
	})
	bubbleNamed(t, "cable", func(t *testing.T) {
		p, h := rig(t, Config{})
		p.PullCable()
		h.write(byteENQ)
		h.silent(time.Second)
		p.PlugCable()
		h.ready()
		h.close()
	})
	bubbleNamed(t, "print time", func(t *testing.T) {
		p := New(Config{Print: PrintOptions{LineTime: 100 * time.Millisecond}})
		must(t, p, message(0xE0))
		if p.Submode() != subPrinting {
			t.Fatalf("submode %d", p.Submode())
		}
		wantError(t, p, message(0x8D, 0), errPrinting)
		p.PaperOut()
		if p.Submode() != subActive {
			t.Errorf("submode %d", p.Submode())
		}
		p.PaperIn()
		must(t, p, message(0xB0))
		<-time.After(10 * time.Second)
		must(t, p, message(0x8D, 0))
	})
	bubbleNamed(t, "roll ends, cover", func(t *testing.T) {
		p := New(Config{})
		must(t, p, message(0xE0))
		p.PaperLeft(3)
		must(t, p, message(0x8D, 0))
		if p.Submode() != subActive {
			t.Errorf("submode %d", p.Submode())
		}
		p.PaperIn()
		must(t, p, message(0xB0))
		p.SetCover(true)
		wantError(t, p, message(0x29, 2, 1), errNoPaper)
		if a := must(t, p, message(0x10)); a[4]&0x04 == 0 {
			t.Errorf("cover flag: % X", a)
		}
		p.SetCover(false)
		must(t, p, message(0x29, 2, 1))
	})
}
