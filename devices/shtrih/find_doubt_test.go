package shtrih

import (
	"context"
	"testing"

	"kassad/fiscal"
)

// A receipt is no correction, and two documents with our key are a person's
// business, whatever the second one says.
func TestFindAmongLikes(t *testing.T) {
	t.Parallel()
	ours := coffee().Key
	for _, c := range []struct {
		name string
		mark string
		docs []storedDocument
		want fiscal.Finding
	}{
		{"a correction with our key", "", []storedDocument{{form: 31, kind: 1, total: 40000, tlv: keyed(ours)}}, fiscal.Foreign},
		{"a correction, without a mark", MarkNone, []storedDocument{{form: 31, kind: 1, total: 40000, tlv: keyed("")}}, fiscal.Foreign},
		{"our key again, with another total", "", []storedDocument{
			{form: 3, kind: 1, total: 40000, tlv: keyed(ours)}, {form: 3, kind: 1, total: 5, tlv: keyed(ours)},
		}, fiscal.Foreign},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				if c.mark != "" {
					d.opt.Mark = c.mark
				}
				base := mustPrepare(t, d, coffee())
				for _, doc := range c.docs {
					s.store(doc)
				}
				if v := mustFind(t, d, coffee(), base); v.Finding != c.want || v.Code != fiscal.CodeClosedByOther {
					t.Errorf("%s %s %+v", v.Finding, v.Code, v.Receipt)
				}
			})
		})
	}
}

// Another program opens a receipt between the two looks at an idle device: it is
// not taken for what we have left open.
func TestFindOpenedBetweenTheLooks(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		base := mustPrepare(t, d, coffee())
		looks := 0
		s.hook = func(name string) bool {
			if name == "10h" {
				if looks++; looks == 1 {
					s.mode, s.opened, s.fnDocument = modeDocument, 0, 4
				}
			}
			return true
		}
		if v := mustFind(t, d, coffee(), base); v.Finding != fiscal.Busy || s.count("88h") != 0 {
			t.Errorf("%s, %d cancels", v.Finding, s.count("88h"))
		}
	})
}

// A movement of cash that is carried out during the quiet time is seen by the
// second reading, also one that takes money out.
func TestFindCashInTheQuietTime(t *testing.T) {
	t.Parallel()
	for _, verb := range []fiscal.Verb{fiscal.VerbCashIn, fiscal.VerbCashOut} {
		t.Run(string(verb), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				doc := fiscal.Document{ID: "i", Verb: verb, Amount: 1000}
				s.drawer, s.registers, s.counts = 5000, map[uint64]uint64{}, map[byte]uint32{}
				base := mustPrepare(t, d, doc)
				s.hook = func(name string) bool {
					if name != "10h" || s.cashInCount+uint64(s.counts[countCashOut]) > 0 {
						return true
					}
					if verb == fiscal.VerbCashIn {
						s.cashIn, s.cashInCount, s.drawer = 1000, 1, 6000
					} else {
						s.registers[moneyCashOut], s.counts[countCashOut], s.drawer = 1000, 1, 4000
					}
					return true
				}
				if v := mustFind(t, d, doc, base); v.Finding != fiscal.Made {
					t.Errorf("%s", v.Finding)
				}
			})
		})
	}
}

// A shift that was closed since has taken the counters with it: that they are
// zero as before proves nothing.
func TestFindCashAfterTheClose(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := fiscal.Document{ID: "i", Verb: fiscal.VerbCashIn, Amount: 1000}
		base := mustPrepare(t, d, doc)
		s.mode = modeClosed
		if v := mustFind(t, d, doc, base); v.Finding != fiscal.Foreign {
			t.Errorf("%s", v.Finding)
		}
	})
}

// A document that was made while its receipt was being cancelled is no refusal.
func TestMadeWhileItIsCancelled(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		d.habits.separateTags = true
		s.refuse["FF46"] = []byte{0x6B}
		s.hook = func(name string) bool {
			if name == "88h" {
				s.store(storedDocument{form: 3, kind: 1, total: 40000})
			}
			return true
		}
		_, err := d.Submit(context.Background(), doc, base)
		wantError(t, err, fiscal.CodePaperOut, fiscal.OutcomeUnknown)
	})
}

// A refusal of the opening is not believed if nobody can see that nothing is open.
func TestRefusedOpeningUnseen(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		s.refuse["8Dh"] = []byte{0x6B}
		s.hook = func(name string) bool { return name != "10h" }
		_, err := d.Submit(context.Background(), doc, base)
		wantError(t, err, fiscal.CodePaperOut, fiscal.OutcomeUnknown)
	})
}

// Another program's receipt has taken the next number of the shift.
func TestNumberAfterAnothersReceipt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		s.hook = func(name string) bool {
			if name == "89h" {
				s.store(storedDocument{form: 3, kind: 1, total: 7})
				s.receipt++
			}
			return true
		}
		r, err := d.Submit(context.Background(), doc, base)
		if err != nil || r.FD != base.LastFD+2 || r.Number != base.Receipt+2 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// What is not to be printed is told to the device for each document anew: it
// uses the word up, and keeps that of a document that was not made.
func TestNoPrintIsTakenBack(t *testing.T) {
	t.Parallel()
	one := byte(7)
	written := func(s *script) (values []byte) {
		for i, name := range s.log {
			if name == "1Eh" {
				values = append(values, s.messages[i][len(s.messages[i])-1])
			}
		}
		return values
	}
	silent := coffee()
	silent.NoPrint = true
	t.Run("used up", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, s *script, d *Driver) {
			for range 2 {
				base := mustPrepare(t, d, silent)
				d.id.noPrint = &one
				if _, err := d.Submit(context.Background(), silent, base); err != nil {
					t.Fatal(err)
				}
			}
			if got := written(s); string(got) != "\x01\x01" {
				t.Errorf("% X", got)
			}
		})
	})
	t.Run("not made", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, s *script, d *Driver) {
			base := mustPrepare(t, d, silent)
			d.id.noPrint = &one // another life of the daemon has written it
			if v := mustFind(t, d, silent, base); v.Finding != fiscal.Absent {
				t.Fatal(v.Finding)
			}
			if got := written(s); string(got) != "\x00" {
				t.Errorf("% X", got)
			}
		})
	})
}
