package shtrih

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

func TestSale(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		if base.Device != "0001234" || base.Storage != s.fn || base.LastFD != 100 || base.Shift != 7 || base.Receipt != 3 || !base.ShiftOpen {
			t.Errorf("baseline %+v", base)
		}
		s.log, s.messages = nil, nil
		r, err := d.Submit(context.Background(), doc, base)
		if err != nil {
			t.Fatal(err)
		}
		if r.FD != 101 || r.Sign != 3477496463 || r.Shift != 7 || r.Number != 4 || r.Total != 40000 || r.Change != 10000 ||
			r.Key != doc.Key || r.FFD != fiscal.FFD12 || r.Kind != "sale" || r.Registration != "0000000000044665" || r.At.IsZero() {
			t.Errorf("receipt %+v", r)
		}
		want := "8Dh FF0C FF46 FF46 FF4D 89h FF76 FF0A FF40 10h"
		if got := strings.Join(s.log, " "); got != want {
			t.Errorf("exchanges %s, want %s", got, want)
		}
		fields, err := ffd.Decode(s.tags)
		if err != nil {
			t.Fatal(err)
		}
		if keyOf(fields) != doc.Key {
			t.Errorf("key %q", keyOf(fields))
		}
		if f, _ := ffd.Find(fields, ffd.TagCashier); f.Text() != "Иванова" {
			t.Errorf("cashier %q", f.Text())
		}
		item := s.messages[2]
		if item[28] != 0xCB || item[29] != 1 || item[30] != 4 || item[31] != 1 || uintAt(item, 18, 5) != 30000 {
			t.Errorf("item % X", item)
		}
		if closing := s.last("FF76"); uintAt(closing, 6, 5) != 50000 || len(closing) != 138 {
			t.Errorf("close % X", closing)
		}
	})
}

func TestSecondSaleReadsNothingTwice(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.extended = true
		for range 2 {
			doc := coffee()
			s.log = nil
			base := mustPrepare(t, d, doc)
			if _, err := d.Submit(context.Background(), doc, base); err != nil {
				t.Fatal(err)
			}
		}
		want := "11h FF01 FF40 8Dh FF0C FF46 FF46 FF4D 89h FF76 FF40 10h"
		if got := strings.Join(s.log, " "); got != want {
			t.Errorf("exchanges %s, want %s", got, want)
		}
	})
}

func TestOldCloseCommand(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.refuse["FF76"] = []byte{errUnsupported}
		for i := range 2 {
			doc := coffee()
			base := mustPrepare(t, d, doc)
			if _, err := d.Submit(context.Background(), doc, base); err != nil {
				t.Fatal(err)
			}
			if s.count("FF45") != i+1 || s.count("FF76") != 1 {
				t.Errorf("FF45 %d, FF76 %d", s.count("FF45"), s.count("FF76"))
			}
		}
	})
}

// Refusals that the reference says to wait for have no effect and are repeated.
func TestRepeats(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		s.refuse["8Dh"] = []byte{errPrinting, errPrinting}
		s.refuse["FF46"] = []byte{errBufferFull}
		s.refuse["FF76"] = []byte{errPrinting, errContinue}
		if _, err := d.Submit(context.Background(), doc, base); err != nil {
			t.Fatal(err)
		}
		if len(s.docs) != 1 {
			t.Errorf("%d documents", len(s.docs))
		}
	})
}

func TestRefusalsBeforeTheClose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		command string
		code    byte
		want    fiscal.Code
		outcome fiscal.Outcome
		cancels int
	}{
		{"paper at opening", "8Dh", 0x6B, fiscal.CodePaperOut, fiscal.OutcomeRejected, 0},
		{"expired at opening", "8Dh", 0x4E, fiscal.CodeShiftExpired, fiscal.OutcomeRejected, 0},
		{"expired in the storage", "8Dh", 0x16, fiscal.CodeShiftExpired, fiscal.OutcomeRejected, 0},
		{"foreign receipt", "8Dh", 0x4A, fiscal.CodeForeignReceipt, fiscal.OutcomeRejected, 0},
		{"paper in the middle", "FF46", 0x6B, fiscal.CodePaperOut, fiscal.OutcomeRejected, 1},
		{"tag refused", "FF0C", 0x0C, fiscal.CodeDeviceRefused, fiscal.OutcomeRejected, 1},
		{"short payment", "FF76", 0x45, fiscal.CodePaymentsShort, fiscal.OutcomeRejected, 1},
		{"clock at the close", "FF76", 0x07, fiscal.CodeClockWrong, fiscal.OutcomeRejected, 1},
		{"overdue at the close", "FF76", 0x14, fiscal.CodeOFDOverdue, fiscal.OutcomeRejected, 1},
		{"storage fault: nothing is cancelled", "FF76", 0x03, fiscal.CodeFNFault, fiscal.OutcomeUnknown, 0},
		{"storage silent", "FF76", 0x30, fiscal.CodeFNMissing, fiscal.OutcomeUnknown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				doc := coffee()
				base := mustPrepare(t, d, doc)
				d.habits.separateTags = true // what one can refuse, the other cannot heal
				s.refuse[c.command] = []byte{c.code}
				_, err := d.Submit(context.Background(), doc, base)
				wantError(t, err, c.want, c.outcome)
				if s.count("88h") != c.cancels || len(s.docs) != 0 {
					t.Errorf("%d cancels, %d documents", s.count("88h"), len(s.docs))
				}
			})
		})
	}
}

func TestSubtotalDiffers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		s.hook = func(name string) bool {
			if name == "FF46" && s.operations == 1 {
				s.sum++
			}
			return true
		}
		_, err := d.Submit(context.Background(), doc, base)
		wantError(t, err, fiscal.CodeDeviceRefused, fiscal.OutcomeRejected)
		if s.count("FF76") != 0 || s.count("88h") != 1 || s.mode != modeShift {
			t.Errorf("log %v", s.log)
		}
	})
}

func TestPrepareConditions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(s *script)
		want fiscal.Code
	}{
		{"closed", func(s *script) { s.mode = modeClosed }, fiscal.CodeShiftClosed},
		{"expired", func(s *script) { s.mode = modeExpired }, fiscal.CodeShiftExpired},
		{"foreign receipt", func(s *script) { s.mode = modeDocument }, fiscal.CodeForeignReceipt},
		{"foreign document in the storage", func(s *script) { s.fnDocument = 0x14 }, fiscal.CodeForeignReceipt},
		{"no paper", func(s *script) { s.submode = submodePaperOut }, fiscal.CodePaperOut},
		{"cover", func(s *script) { s.submode = submodePaperOut; s.flags |= flagCoverOpen }, fiscal.CodeCoverOpen},
		{"printing for ever", func(s *script) { s.submode = submodePrinting }, fiscal.CodePrinterBusy},
		{"clock", func(s *script) { s.clockAhead = 6 * time.Minute }, fiscal.CodeClockWrong},
		{"date", func(s *script) { s.mode = modeDate }, fiscal.CodeClockWrong},
		{"storage", func(s *script) { s.refuse["FF01"] = []byte{0x30} }, fiscal.CodeFNMissing},
		{"password", func(s *script) { s.refuse["11h"] = []byte{0x4F} }, fiscal.CodePrinterFault},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				c.set(s)
				_, err := d.Prepare(context.Background(), coffee())
				if e := fiscal.AsError(err, ""); e.Code != c.want {
					t.Errorf("%v, want %s", err, c.want)
				}
				for _, forbidden := range []string{"88h", "FF08", "8Dh", "1Eh"} {
					if s.count(forbidden) != 0 {
						t.Errorf("prepare sent %s", forbidden)
					}
				}
			})
		})
	}
}

// An interrupted print is continued before a document, and a print under way
// is waited for.
func TestReadyContinues(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.submode = submodeContinue
		polls := 0
		s.hook = func(name string) bool {
			switch {
			case name == "B0h":
				s.submode = submodePrinting
			case name == "10h":
				if polls++; polls > 2 {
					s.submode = submodeIdle
				}
			}
			return true
		}
		mustPrepare(t, d, coffee())
		if s.count("B0h") != 1 {
			t.Errorf("log %v", s.log)
		}
	})
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		d.c.link.Close()
		s.serial = "other"
		_, err := d.Submit(context.Background(), doc, base)
		// The link died unnoticed: nothing of the first command was sent.
		wantError(t, err, fiscal.CodePrinterAway, fiscal.OutcomeUnreachable)
		_, err = d.Submit(context.Background(), doc, base)
		wantError(t, err, fiscal.CodeOtherStorage, fiscal.OutcomeUnreachable)
		if s.count("8Dh") != 0 {
			t.Errorf("log %v", s.log)
		}
	})
}

func TestShift(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.mode = modeClosed
		open := fiscal.Document{ID: "o", Verb: fiscal.VerbShiftOpen, Cashier: fiscal.Cashier{Name: "Иванова"}}
		base := mustPrepare(t, d, open)
		r, err := d.Submit(context.Background(), open, base)
		if err != nil || r.FD != 101 || r.Shift != 8 || r.Kind != "shift-open" || r.Sign == 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if !slices.Contains(s.log, "FF41") || !slices.Contains(s.log, "FF0C") {
			t.Errorf("log %v", s.log)
		}
		if base = mustPrepare(t, d, open); base.Already == nil || base.Already.FD != 101 || base.Already.By != "other" {
			t.Errorf("already %+v", base.Already)
		}
		end := fiscal.Document{ID: "c", Verb: fiscal.VerbShiftClose}
		base = mustPrepare(t, d, end)
		if base.Counters == nil || base.Counters.Shift != 8 || base.Counters.FirstFD != 101 {
			t.Errorf("counters %+v", base.Counters)
		}
		r, err = d.Submit(context.Background(), end, base)
		if err != nil || r.FD != 102 || r.Shift != 8 {
			t.Errorf("%+v, %v", r, err)
		}
		if base = mustPrepare(t, d, end); base.Already == nil || base.Already.FD != 102 {
			t.Errorf("already %+v", base.Already)
		}
	})
}

// Another program sells while the figures of the shift are read: they are read
// again, and not for ever.
func TestCloseReadsFiguresOfOneMoment(t *testing.T) {
	t.Parallel()
	for sales, busy := range map[int]bool{1: false, closeReadings: false, closeReadings + 1: true} {
		bubble(t, func(t *testing.T, s *script, d *Driver) {
			mustPrepare(t, d, coffee()) // connected
			last, left := s.lastFD, sales
			s.hook = func(name string) bool {
				if name == "1Bh" || name == "1Ah" {
					if reading := s.count("FF01"); left > 0 && reading > 1+sales-left {
						s.lastFD, left = s.lastFD+1, left-1
					}
				}
				return true
			}
			base, err := d.Prepare(context.Background(), fiscal.Document{ID: "c", Verb: fiscal.VerbShiftClose})
			if left > 0 {
				t.Fatalf("%d of %d sales were not made: %v", left, sales, s.log)
			}
			if busy {
				wantError(t, err, fiscal.CodePrinterBusy, fiscal.OutcomeRejected)
				return
			}
			if want := last + uint32(sales); err != nil || base.LastFD != want || base.Counters.LastFD != want {
				t.Errorf("%d sales: %+v, %v; the last document is %d", sales, base, err, want)
			}
		})
	}
}

func TestShiftRefusedIsUndone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.mode = modeClosed
		open := fiscal.Document{ID: "o", Verb: fiscal.VerbShiftOpen, Cashier: fiscal.Cashier{Name: "Иванова"}}
		base := mustPrepare(t, d, open)
		s.refuse["E0h"] = []byte{0x6B}
		_, err := d.Submit(context.Background(), open, base)
		wantError(t, err, fiscal.CodePaperOut, fiscal.OutcomeRejected)
		if s.fnDocument != 0 || s.count("FF08") != 1 {
			t.Errorf("open in the storage %02X, log %v", s.fnDocument, s.log)
		}
	})
}

func TestCash(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		in := fiscal.Document{ID: "i", Verb: fiscal.VerbCashIn, Amount: 100000}
		base := mustPrepare(t, d, in)
		r, err := d.Submit(context.Background(), in, base)
		if err != nil || r.Total != 100000 || r.Drawer == nil || *r.Drawer != 100000 {
			t.Fatalf("%+v, %v", r, err)
		}
		if v := mustFind(t, d, in, base); v.Finding != fiscal.Made {
			t.Errorf("done: %s", v.Finding)
		}
		base = mustPrepare(t, d, in)
		if v := mustFind(t, d, in, base); v.Finding != fiscal.Absent {
			t.Errorf("not done: %s", v.Finding)
		}
		s.cashIn++
		if v := mustFind(t, d, in, base); v.Finding != fiscal.Foreign {
			t.Errorf("other sum: %s", v.Finding)
		}
		s.cashIn--
		s.shift++
		if v := mustFind(t, d, in, base); v.Finding != fiscal.Foreign {
			t.Errorf("other shift: %s", v.Finding)
		}
	})
}

func TestMarkElsewhere(t *testing.T) {
	t.Parallel()
	doc := coffee()
	doc.Additional = "Заказ 17"
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		base := mustPrepare(t, d, doc)
		if _, err := d.Submit(context.Background(), doc, base); err != nil {
			t.Fatal(err)
		}
		a, err := d.ReadDocument(context.Background(), 101)
		if err != nil || a.Key != doc.Key || !a.Full || a.Kind != fiscal.Sale || a.Total != 40000 || a.Number != 4 || a.Shift != 7 {
			t.Errorf("%+v, %v", a, err)
		}
		i := slices.IndexFunc(a.Tags, func(t fiscal.Tag) bool { return t.Tag == 1192 })
		if i < 0 || a.Tags[i].Value != "Заказ 17" {
			t.Errorf("tags %+v", a.Tags)
		}
		if v := mustFind(t, d, doc, base); v.Finding != fiscal.Made {
			t.Errorf("%s", v.Finding)
		}
		if _, err := d.ReadDocument(context.Background(), 999); fiscal.AsError(err, "").Code != fiscal.CodeNotFound {
			t.Errorf("no such document: %v", err)
		}
	})
}

func TestContentRefusedBeforeAnything(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(d *fiscal.Document)
		want fiscal.Code
	}{
		{"no lines", func(d *fiscal.Document) { d.Lines = nil }, fiscal.CodeEmpty},
		{"name too long", func(d *fiscal.Document) { d.Lines[0].Name = strings.Repeat("я", 129) }, fiscal.CodeTooLong},
		{"emoji", func(d *fiscal.Document) { d.Lines[0].Name = "Кофе ☕" }, fiscal.CodeNotEncodable},
		{"rate the device lacks", func(d *fiscal.Document) { d.Lines[0].VAT = fiscal.VAT5 }, fiscal.CodeUnsupported},
		{"marked", func(d *fiscal.Document) { d.Lines[0].Subject = fiscal.MarkedGoods }, fiscal.CodeMarkingUnsupported},
		{"contact", func(d *fiscal.Document) { d.Customer = strings.Repeat("x", 65) }, fiscal.CodeTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				doc := coffee()
				c.set(&doc)
				_, err := d.Prepare(context.Background(), doc)
				wantError(t, err, c.want, fiscal.OutcomeRejected)
				if s.count("8Dh") != 0 {
					t.Errorf("log %v", s.log)
				}
			})
		})
	}
}

// A device that does not take tag 1084 still gets its document; the receipt
// then claims no key.
func TestKeyRefused(t *testing.T) {
	t.Parallel()
	bubbleWith(t, Options{Mark: Mark1084}, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		s.refuse["FF0C"] = []byte{0x0B}
		r, err := d.Submit(context.Background(), doc, base)
		if err != nil || r.Key != "" || r.FD != 101 {
			t.Errorf("%+v, %v", r, err)
		}
		if v := mustFind(t, d, doc, base); v.Finding != fiscal.Foreign || v.Code != fiscal.CodeClosedByOther {
			t.Errorf("%s %s", v.Finding, v.Code)
		}
	})
}

// A reading that broke off leaves the device in mode 1; the next call ends it.
func TestInterruptedReading(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		if _, err := d.Submit(context.Background(), doc, base); err != nil {
			t.Fatal(err)
		}
		s.refuse["FF3B"] = []byte{0x39}
		if _, err := d.ReadDocument(context.Background(), 101); fiscal.AsError(err, "").Code != fiscal.CodePrinterFault {
			t.Errorf("%v", err)
		}
		if a, err := d.ReadDocument(context.Background(), 101); err != nil || a.Key != doc.Key || s.count("03h") != 1 {
			t.Errorf("%+v, %v, log %v", a, err, s.log)
		}
		s.mode = modeData
		s.hook = func(name string) bool {
			if name == "03h" {
				s.mode = modeShift
			}
			return true
		}
		d.Close()
		mustPrepare(t, d, doc)
	})
}

func TestCorrection12(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		doc.Verb, doc.Change = fiscal.VerbCorrection, 0
		doc.Correction = &fiscal.Correction{ByOrder: true, Date: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Number: "12-3", FP: "3477496463"}
		base := mustPrepare(t, d, doc)
		if _, err := d.Submit(context.Background(), doc, base); err != nil {
			t.Fatal(err)
		}
		if m := s.last("8Dh"); m[5] != 0x80 {
			t.Errorf("opened by % X", m)
		}
		fields, err := ffd.Decode(s.tags)
		if err != nil || keyOf(fields) != doc.Key {
			t.Errorf("%v, key %q", err, keyOf(fields))
		}
		if f, _ := ffd.Find(fields, ffd.TagReceiptExtra); f.Text() != "3477496463" {
			t.Errorf("1192 %q", f.Text())
		}
		if f, _ := ffd.Find(fields, ffd.TagCorrectionType); len(f.Value) != 1 || f.Value[0] != 1 {
			t.Errorf("1173 %+v", f)
		}
		f, _ := ffd.Find(fields, ffd.TagCorrectionBasis)
		date, _ := ffd.Find(f.Fields, ffd.TagCorrectionDate)
		if date.String() != "2026-02-01T00:00:00" {
			t.Errorf("1178 %s", date)
		}
	})
}

func TestCorrection105(t *testing.T) {
	t.Parallel()
	bubbleWith(t, Options{FFD: fiscal.FFD105}, func(t *testing.T, s *script, d *Driver) {
		doc := fiscal.Document{
			ID: "k", Verb: fiscal.VerbCorrection, Kind: fiscal.Refund, Key: coffee().Key, Total: 100, Payments: fiscal.Payments{Card: 100},
			Correction: &fiscal.Correction{VAT: map[fiscal.VAT]fiscal.Money{fiscal.VAT22: 18}},
		}
		_, err := d.Prepare(context.Background(), doc)
		wantError(t, err, fiscal.CodeUnsupported, fiscal.OutcomeRejected)
		doc.Kind = fiscal.Sale
		tags, _, err := d.planCorrection(doc) // FF4A has no place for 22 %: 1115 {1119 {1199, 1120}}
		if want := unhex(t, "5B 04 0E 00 5F 04 0A 00 AF 04 01 00 0B 60 04 01 00 12"); err != nil || len(tags) != 1 || !slices.Equal(tags[0][6:], want) {
			t.Errorf("% X, %v", tags, err)
		}
		doc.Correction.VAT = map[fiscal.VAT]fiscal.Money{fiscal.VATNone: 100}
		mustPrepare(t, d, doc)
		tags, closing, err := d.planCorrection(doc)
		if err != nil || len(tags) != 0 || len(closing) != 69 || uintAt(closing, 53, 5) != 100 || uintAt(closing, 18, 5) != 100 {
			t.Errorf("% X, %v", closing, err)
		}
	})
}

// The supplier vector of section 2.1, and 1222 together with 1226.
func TestAgentTags(t *testing.T) {
	t.Parallel()
	tags := itemTags(fiscal.Line{Agent: &fiscal.Agent{
		Type: fiscal.OtherAgent, Supplier: fiscal.Supplier{Name: "А", INN: "7707083893", Phones: []string{"+79123456789"}},
	}}, ffd.Version12, "items[0]")
	want := "C6 04 01 00 40 CA 04 0C 00 37 37 30 37 30 38 33 38 39 33 20 20" +
		"C8 04 15 00 93 04 0C 00 2B 37 39 31 32 33 34 35 36 37 38 39 C9 04 01 00 80"
	if got := tags.join(); tags.err != nil || !slices.Equal(got, unhex(t, want)) {
		t.Errorf("% X, %v", got, tags.err)
	}
}

// TLVs share commands, whole, up to the limit.
func TestTagPacking(t *testing.T) {
	t.Parallel()
	var tags tlvs
	for range 5 {
		tags.text("x", ffd.TagBuyerContact, strings.Repeat("x", 60), 64)
	}
	for separate, want := range map[bool]int{false: 2, true: 5} {
		got, err := tags.commands(fnSendTags, pwd, separate)
		if err != nil || len(got) != want {
			t.Errorf("separate %v: %d commands, %v", separate, len(got), err)
		}
		for _, m := range got {
			if _, err := ffd.Decode(m[6:]); err != nil || len(m) > messageBytesMax {
				t.Errorf("% X: %v", m, err)
			}
		}
	}
}

func TestNoPrint(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		one := byte(7)
		doc := coffee()
		doc.NoPrint = true
		base := mustPrepare(t, d, doc)
		d.id.noPrint = &one
		s.refuse["FF76"] = []byte{0x14} // the document is not made: the setting must not hit another
		_, err := d.Submit(context.Background(), doc, base)
		wantError(t, err, fiscal.CodeOFDOverdue, fiscal.OutcomeRejected)
		if _, err := d.Submit(context.Background(), coffee(), mustPrepare(t, d, coffee())); err != nil {
			t.Fatal(err)
		}
		if m := s.last("1Eh"); s.count("1Eh") != 2 || m[len(m)-1] != 0 {
			t.Errorf("%d writes, last % X", s.count("1Eh"), m)
		}
	})
}
