package shtrih

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

func TestHooks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := New(Config{Header: []string{"СПАСИБО"}})
		var seen []uint16
		var papers []Printed
		p.OnCommand(func(cmd []byte) { seen = append(seen, CodeOf(cmd)) })
		p.OnPrint(func(d Printed) { papers = append(papers, d) })
		h := dial(t, p)
		h.ready()
		for _, msg := range [][]byte{message(0xE0), message(0x8D, 0), line(1, quantityScale, 80730, 8, 4, 1, "x"), closing(1, 80730)} {
			h.exchange(msg)
		}
		h.close()
		if len(seen) != 4 || seen[3] != 0xFF45 {
			t.Errorf("commands % X", seen)
		}
		if len(papers) != 2 || papers[1].Kind != PrintedReceipt || papers[1].FD != 3 {
			t.Fatalf("papers %+v", papers)
		}
		e := p.Storage().Receipts()[0]
		want := "t=" + e.Time.Format("20060102T1504") + "&s=807.30&fn=9999078900000001&i=3&fp="
		if !strings.HasPrefix(papers[1].QR, want) || !strings.HasSuffix(papers[1].QR, "&n=1") {
			t.Errorf("QR %s", papers[1].QR)
		}
		text := strings.Join(papers[1].Lines, "\n")
		if !strings.Contains(text, notFiscal) || !strings.Contains(text, "СПАСИБО") {
			t.Errorf("paper:\n%s", text)
		}
	})
}

// Table 17 field 7: 1 skips one document, 2 all (section 3.3).
func TestNoPrint(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	printed := 0
	p.OnPrint(func(Printed) { printed++ })
	p.SetTable(17, 1, 7, 1)
	must(t, p, message(0xE0))
	sale(t, p, 1)
	if printed != 1 {
		t.Errorf("%d documents, want the second only", printed)
	}
	p.SetTable(17, 1, 7, 2)
	sale(t, p, 1)
	sale(t, p, 1)
	if printed != 1 {
		t.Errorf("%d documents, want no more", printed)
	}
}

func TestImplicitOpening(t *testing.T) { // section 3.7 and 5.3
	t.Parallel()
	p := New(Config{AutoOpenShift: true})
	must(t, p, line(1, quantityScale, 100, 8, 4, 1, "x"))
	must(t, p, closing(1, 100))
	if e := p.Storage().Ledger(); len(e) != 3 || e[1].Form != fn.FormShiftOpen || e[2].Form != fn.FormReceipt {
		t.Errorf("%+v", e)
	}
}

// Tax mode 1: the sums are the host's (table 1 field 14).
func TestHostComputesTax(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	p.SetTable(1, 1, 14, 1)
	must(t, p, message(0xE0))
	msg := line(1, quantityScale, 12000, 1, 4, 1, "x")
	copy(msg[23:28], put(nil, 5, 1999))
	must(t, p, msg)
	msg = closing(1, 12000)
	copy(msg[87:92], put(nil, 5, 1998))
	must(t, p, msg)
	if e := p.Storage().Receipts()[0]; e.VAT[1] != 1998 || e.Items[0].VATSum != 1999 {
		t.Errorf("%+v", e)
	}
}

// Sums of the host may differ by a kopeck, no more (section 3.9, worked E03).
func TestSumTolerance(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	for sum, want := range map[int64]byte{24736: errParameters, 24737: ok, 24738: ok, 24739: ok, 24740: errParameters} {
		msg := line(1, 2474000, 9999, 2, 4, 1, "x")
		copy(msg[18:23], put(nil, 5, sum))
		wantError(t, p, msg, want)
	}
}

func TestItemTags(t *testing.T) { // section 2.1, FF4D
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	must(t, p, line(1, quantityScale, 100, 8, 4, 1, "Чужое"))
	wantError(t, p, message(0xFF4D, ffd.AppendByte(nil, ffd.TagMethod, 4)...), byte(fn.ErrDuplicate))
	must(t, p, message(0xFF4D, ffd.AppendByte(nil, ffd.TagItemAgent, 64)...))
	wantError(t, p, closing(1, 100), errTagsMissing) // 1222 without 1226
	supplier := ffd.Append(ffd.Append(nil, ffd.TagSupplierPhone, []byte("+79123456789")), ffd.TagSupplierName, []byte("IP"))
	must(t, p, message(0xFF4D, ffd.Append(nil, ffd.TagSupplierData, supplier)...))
	must(t, p, message(0xFF4D, ffd.Append(nil, ffd.TagSupplierINN, []byte("500100732259"))...))
	must(t, p, closing(1, 100))
	i := p.Storage().Receipts()[0].Items[0]
	if i.Agent != 64 || i.SupplierINN != "500100732259" || i.Supplier != "IP" || len(i.Phones) != 1 || i.Name != "Чужое" {
		t.Errorf("%+v", i)
	}
}

func TestSwappedStorage(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	must(t, p, message(0xE0))
	old := p.SwapStorage(fn.New(fn.Config{Serial: "9999078900009999", Registration: fn.Registration{INN: "7707083893", Taxations: 1}}))
	if a := must(t, p, message(0xFF02)); !bytes.Equal(a[3:], []byte("9999078900009999")) || p.Mode() != modeClosed {
		t.Errorf("% X mode %d", a, p.Mode())
	}
	if len(old.Ledger()) != 2 {
		t.Errorf("old ledger %+v", old.Ledger())
	}
}

func TestForeignHostOnAnotherPort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, h := rig(t, Config{Link: LinkOptions{Clients: Share}})
		other := dial(t, p)
		other.ready()
		if a := other.exchange(message(0x8D, 0)); errorOf(a) != errReceiptOpen {
			t.Errorf("% X", a)
		}
		h.exchange(message(0x88))
		other.exchange(message(0x8D, 0))
		p.Disconnect()
		h.gone()
		other.gone()
		<-time.After(time.Second)
	})
}

// Every error byte of section 4.1 can be had from the device.
func TestEveryErrorCode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := New(Config{})
		h := dial(t, p)
		h.ready()
		for c := 1; c < 256; c++ {
			p.Inject(Fault{When: Command(0xFF45), Do: RefuseWith{byte(c)}})
			if a := h.exchange(closing(1, 1)); !bytes.Equal(a, []byte{0xFF, 0x45, byte(c)}) {
				t.Errorf("%02X: % X", c, a)
			}
		}
		h.close()
	})
}
