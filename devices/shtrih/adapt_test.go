package shtrih

import (
	"context"
	"encoding/binary"
	"testing"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// tagsOf lists the requisites of every FF0C and FF4D that the device has seen.
func (s *script) tagsOf(name string) (commands [][]ffd.Field) {
	for i, n := range s.log {
		if n == name {
			fields, err := ffd.Decode(s.messages[i][tagsHead:])
			if err != nil {
				s.t.Errorf("%s: %v", name, err)
			}
			commands = append(commands, fields)
		}
	}
	return commands
}

// A device that takes one requisite a command, or no 1192, or wants FF4D on the
// other side of FF46, gets its receipt at the second attempt, with our key, and
// the next receipts at the first.
func TestHabits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		refuse func(m []byte) byte
	}{
		{"one requisite a command", func(m []byte) byte {
			if fields, _ := ffd.Decode(m[tagsHead:]); m[1] == fnSendTags && len(fields) > 1 {
				return errParameters
			}
			return 0
		}},
		{"no 1192", func(m []byte) byte {
			fields, _ := ffd.Decode(m[tagsHead:])
			if _, ok := ffd.Find(fields, ffd.TagReceiptExtra); ok {
				return errTagRefused
			}
			return 0
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				s.judgeTags = c.refuse
				for i := range uint32(2) {
					doc := coffee()
					base := mustPrepare(t, d, doc)
					r, err := d.Submit(context.Background(), doc, base)
					if err != nil || r.FD != 101+i || r.Key != doc.Key || s.count("88h") != 1 {
						t.Fatalf("%+v, %v, %d cancels", r, err, s.count("88h"))
					}
					if v := mustFind(t, d, doc, base); v.Finding != fiscal.Made {
						t.Errorf("find: %s", v.Finding)
					}
				}
			})
		})
	}
}

func TestItemTagsOnTheOtherSide(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.judgeTags = func(m []byte) byte {
			if m[1] == fnSendItemTags && s.operations == 2 { // coffee's second item has them
				return 0x02
			}
			return 0
		}
		doc := coffee()
		r, err := d.Submit(context.Background(), doc, mustPrepare(t, d, doc))
		if err != nil || r.FD != 101 || s.count("88h") != 1 || s.count("FF4D") != 2 {
			t.Errorf("%+v, %v, log %v", r, err, s.log)
		}
	})
}

// A requisite that is wrong however it is sent ends as a refusal.
func TestHabitsEnd(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.judgeTags = func(m []byte) byte {
			if binary.LittleEndian.Uint16(m[tagsHead:]) == uint16(ffd.TagCashier) {
				return errParameters
			}
			return 0
		}
		doc := coffee()
		_, err := d.Submit(context.Background(), doc, mustPrepare(t, d, doc))
		wantError(t, err, fiscal.CodeDeviceRefused, fiscal.OutcomeRejected)
		if len(s.docs) != 0 || s.count("8Dh") != 2 || s.count("88h") != 2 || len(s.tagsOf("FF0C")) != 2 {
			t.Errorf("log %v", s.log)
		}
	})
}

// FF40 is answered 37h: the shift comes from 11h, whose last closed one is 0
// here, and the receipts are counted. Once asked in vain is enough.
func TestShiftWithoutFF40(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		s.refuse["FF40"] = []byte{errUnsupported}
		s.counts = map[byte]uint32{countReceipts: 2, countReceipts + 2: 1, countSaleCorrections: 1}
		base := mustPrepare(t, d, coffee())
		if base.Shift != 1 || base.Receipt != 4 || !base.ShiftOpen {
			t.Errorf("baseline %+v", base)
		}
		mustPrepare(t, d, coffee())
		if s.count("FF40") != 1 {
			t.Errorf("FF40 asked %d times", s.count("FF40"))
		}
	})
}

// Rates are found by what table 6 says of them, wherever their rows are.
func TestRateRows(t *testing.T) {
	t.Parallel()
	renamed := map[byte]tableRate{
		1: {2200, "НДС 22%"}, 2: {1000, "НДС 10%"}, 3: {0, "НДС 0%"}, 4: {0, "БЕЗ НДС"}, 5: {2200, "НДС 22/122"}, 6: {1000, "НДС 10/110"},
	}
	moved := map[byte]tableRate{
		1: {2000, "НДС 20%"}, 2: {1000, "НДС 10%"}, 3: {0, ""}, 4: {0, ""}, 5: {2000, "НДС 20/120"}, 6: {1000, "НДС 10/110"}, 7: {500, ""},
		8: {700, ""}, 9: {500, ""}, 10: {700, ""}, 11: {2200, "НДС 22/122"}, 12: {2200, "НДС 22%"},
	}
	for _, c := range []struct {
		rows map[byte]tableRate
		vat  fiscal.VAT
		want byte // 0: the device has no such rate
	}{
		{renamed, fiscal.VAT22, 0x01}, {renamed, fiscal.VAT122, 0x10}, {renamed, fiscal.VAT20, 0}, {renamed, fiscal.VAT120, 0},
		{renamed, fiscal.VAT110, 0x20}, {renamed, fiscal.VATNone, 0x08}, {renamed, fiscal.VAT5, 0}, {renamed, fiscal.VAT105, 0},
		{moved, fiscal.VAT22, 0xCC}, {moved, fiscal.VAT122, 0xCB}, {moved, fiscal.VAT20, 0x01}, {moved, fiscal.VAT105, 0x84},
	} {
		t.Run(c.vat.String(), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				s.rates = c.rows
				doc := coffee()
				doc.Lines[0].VAT = c.vat
				_, err := d.Prepare(context.Background(), doc)
				if c.want == 0 {
					wantError(t, err, fiscal.CodeUnsupported, fiscal.OutcomeRejected)
				} else if b := d.id.rates[c.vat]; err != nil || b != c.want {
					t.Errorf("byte %02X, %v, want %02X", b, err, c.want)
				}
			})
		})
	}
}

// After one refusal for want of cash the drawer is read before a receipt is
// opened: while the refund waits, nothing is printed and cancelled.
func TestNoCash(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		doc.Verb, doc.Kind, doc.Change = fiscal.VerbRefund, fiscal.Refund, 0
		s.refuse["FF76"] = []byte{errNoCash}
		_, err := d.Submit(context.Background(), doc, mustPrepare(t, d, doc))
		wantError(t, err, fiscal.CodeNoCash, fiscal.OutcomeRejected)
		s.drawer = 39999
		_, err = d.Prepare(context.Background(), doc)
		wantError(t, err, fiscal.CodeNoCash, fiscal.OutcomeRejected)
		s.drawer++
		if r, err := d.Submit(context.Background(), doc, mustPrepare(t, d, doc)); err != nil || r.FD != 101 || s.count("88h") != 1 {
			t.Errorf("%+v, %v, log %v", r, err, s.log)
		}
	})
}
