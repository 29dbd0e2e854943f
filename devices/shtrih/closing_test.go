package shtrih

import (
	"context"
	"testing"

	"kassad/fiscal"
)

// A closing answer that names another document than the one that was made is no
// proof: an older one of the same sum, or another program's of another kind. The
// storage is asked, and has ours.
func TestClosingNamesAnotherDocument(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		named  uint64
		before storedDocument // at 100
		after  storedDocument // at 102
	}{
		"one of before":        {100, storedDocument{form: 3, kind: 1, total: 40000}, storedDocument{form: 3, kind: 1, total: 7}},
		"one of another kind":  {102, storedDocument{form: 3, kind: 1, total: 7}, storedDocument{form: 3, kind: 2, total: 40000}},
		"one of another total": {102, storedDocument{form: 3, kind: 1, total: 7}, storedDocument{form: 3, kind: 1, total: 40001}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				doc := coffee()
				s.docs[100] = c.before
				base := mustPrepare(t, d, doc)
				s.damage = func(name string, answer []byte) {
					if (name == "FF76" || name == "FF45") && answer[2] == 0 {
						s.store(c.after)
						copy(answer[8:], le(c.named, 4))
					}
				}
				_, err := d.Submit(context.Background(), doc, base)
				if e := fiscal.AsError(err, ""); err == nil || e.Outcome != fiscal.OutcomeUnknown {
					t.Fatalf("%v", err)
				}
				if v := mustFind(t, d, doc, base); v.Finding != fiscal.Made || v.Receipt.FD != 101 {
					t.Errorf("%s %+v", v.Finding, v.Receipt)
				}
			})
		})
	}
}

// A drawer that has more than was ordered tells of another sum, as one that has
// less does.
func TestDrawerTellsOfAnotherSum(t *testing.T) {
	t.Parallel()
	for name, drawer := range map[string]uint64{"more": 1500, "less": 500} {
		bubble(t, func(t *testing.T, s *script, d *Driver) {
			in := fiscal.Document{ID: "i", Verb: fiscal.VerbCashIn, Amount: 1000}
			base := mustPrepare(t, d, in)
			s.hook = func(name string) bool {
				if name == "50h" {
					s.drawer = drawer
				}
				return true
			}
			_, err := d.Submit(context.Background(), in, base)
			if e := fiscal.AsError(err, ""); err == nil || e.Outcome != fiscal.OutcomeUnknown {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// Money that another program has moved the other way makes the drawer a matter for a
// person (5.8, table): whether ours was made or not.
func TestFindCashBesideAnothers(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{false, true} {
		bubble(t, func(t *testing.T, s *script, d *Driver) {
			in := fiscal.Document{ID: "i", Verb: fiscal.VerbCashIn, Amount: 1000}
			s.drawer, s.registers, s.counts = 5000, map[uint64]uint64{}, map[byte]uint32{}
			base := mustPrepare(t, d, in)
			s.registers[moneyCashOut], s.counts[countCashOut], s.drawer = 300, 1, 4700
			if made {
				s.cashIn, s.cashInCount, s.drawer = 1000, 1, 5700
			}
			if v := mustFind(t, d, in, base); v.Finding != fiscal.Foreign || v.Code != fiscal.CodeClosedByOther {
				t.Errorf("made %v: %s", made, v.Finding)
			}
		})
	}
}

// A correction says whether the tax service has ordered it.
func TestCorrectionByOrder(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{false, true} {
		bubbleWith(t, Options{FFD: fiscal.FFD105}, func(t *testing.T, s *script, d *Driver) {
			doc := fiscal.Document{
				ID: "k", Verb: fiscal.VerbCorrection, Kind: fiscal.Sale, Key: coffee().Key, Total: 100, Payments: fiscal.Payments{Card: 100},
				Correction: &fiscal.Correction{ByOrder: ordered, VAT: map[fiscal.VAT]fiscal.Money{fiscal.VATNone: 100}},
			}
			mustPrepare(t, d, doc)
			if _, closing, err := d.planCorrection(doc); err != nil || (closing[6] == 1) != ordered || closing[7] != 1 {
				t.Errorf("ordered %v: % X, %v", ordered, closing, err)
			}
		})
	}
}
