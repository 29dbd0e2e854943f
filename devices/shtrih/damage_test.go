package shtrih

import (
	"context"
	"testing"

	"kassad/fiscal"
)

// An LRC of one byte lets some damaged frames pass. A movement that was made is
// not rejected for an answer that reads as a refusal, and one of another sum is
// not done.
func TestCashUnderDamage(t *testing.T) {
	t.Parallel()
	in := fiscal.Document{ID: "i", Verb: fiscal.VerbCashIn, Amount: 100000}
	for name, c := range map[string]struct {
		refused bool
		made    uint64 // by the command, all the same
		outcome fiscal.Outcome
		finding fiscal.Finding
	}{
		"refused":                       {refused: true, outcome: fiscal.OutcomeRejected, finding: fiscal.Absent},
		"refused, and made":             {refused: true, made: 100000, outcome: fiscal.OutcomeUnknown, finding: fiscal.Made},
		"refused, and another sum made": {refused: true, made: 7, outcome: fiscal.OutcomeUnknown, finding: fiscal.Foreign},
		"another sum made":              {made: 7, outcome: fiscal.OutcomeUnknown, finding: fiscal.Foreign},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				base := mustPrepare(t, d, in)
				if c.refused {
					s.refuse["50h"] = []byte{0x51}
				}
				if c.made > 0 {
					s.cashIn, s.cashInCount, s.drawer = s.cashIn+c.made, s.cashInCount+1, s.drawer+c.made
				}
				if !c.refused { // the device adds the ordered sum: take it back
					s.cashIn, s.cashInCount, s.drawer = s.cashIn-uint64(in.Amount), s.cashInCount-1, s.drawer-uint64(in.Amount)
				}
				_, err := d.Submit(context.Background(), in, base)
				if f := fiscal.AsError(err, ""); err == nil || f.Outcome != c.outcome {
					t.Errorf("%v", err)
				}
				if v := mustFind(t, d, in, base); v.Finding != c.finding {
					t.Errorf("found: %s", v.Finding)
				}
			})
		})
	}
}

// An answer to the opening of a receipt that reads as a refusal does not leave
// the receipt open.
func TestOpeningUnderDamage(t *testing.T) {
	t.Parallel()
	doc := coffee()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		base := mustPrepare(t, d, doc)
		s.refuse["8Dh"] = []byte{0x8D}
		s.mode, s.fnDocument = modeDocument, 4 // it was opened
		_, err := d.Submit(context.Background(), doc, base)
		if f := fiscal.AsError(err, ""); err == nil || f.Outcome != fiscal.OutcomeUnknown {
			t.Errorf("%v", err)
		}
		if v := mustFind(t, d, doc, base); v.Finding != fiscal.Absent || s.mode != modeShift {
			t.Errorf("found: %s, mode %d", v.Finding, s.mode)
		}
	})
}

// What would be held for a person is looked at twice, and so are the counters of
// the drawer before a movement: one damaged answer that passes is no reason.
func TestOneDamagedReading(t *testing.T) {
	t.Parallel()
	in := fiscal.Document{ID: "i", Verb: fiscal.VerbCashIn, Amount: 100000}
	for name, of := range map[string]int{"the first reading": 1, "the second": 2, "the third": 3} {
		t.Run("drawer before, "+name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				s.damage = once("1Ah", of, 3)
				base := mustPrepare(t, d, in)
				if base.Drawer != fiscal.Money(s.drawer) || base.CashIn.Total != fiscal.Money(s.cashIn) || base.CashOut.Total != 0 {
					t.Errorf("%s in the drawer, %s in, %s out", base.Drawer, base.CashIn.Total, base.CashOut.Total)
				}
			})
		})
		t.Run("drawer after, "+name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				base := mustPrepare(t, d, in)
				s.cashIn, s.cashInCount, s.drawer = s.cashIn+100000, s.cashInCount+1, s.drawer+100000
				s.damage = once("1Ah", of, 3)
				if v := mustFind(t, d, in, base); v.Finding != fiscal.Made {
					t.Errorf("found: %s", v.Finding)
				}
			})
		})
	}
	t.Run("storage", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, s *script, d *Driver) {
			base := mustPrepare(t, d, in)
			s.damage = once("FF40", 1, 4)
			v := mustFind(t, d, in, base)
			if v.Finding == fiscal.Busy {
				v = mustFind(t, d, in, base)
			}
			if v.Finding != fiscal.Absent {
				t.Errorf("found: %s", v.Finding)
			}
		})
	})
}

// once changes one byte of the nth answer to a command.
func once(command string, nth, at int) func(string, []byte) {
	return func(name string, answer []byte) {
		if name != command {
			return
		}
		if nth--; nth == 0 {
			answer[at] ^= 0x40
		}
	}
}
