package shtrih

import (
	"context"
	"fmt"
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
		refused byte
		made    uint64 // by the command, all the same
		outcome fiscal.Outcome
		finding fiscal.Finding
	}{
		"refused":                       {refused: 0x51, outcome: fiscal.OutcomeRejected, finding: fiscal.Absent},
		"refused, and made":             {refused: 0x51, made: 100000, outcome: fiscal.OutcomeUnknown, finding: fiscal.Made},
		"refused, and another sum made": {refused: 0x51, made: 7, outcome: fiscal.OutcomeUnknown, finding: fiscal.Foreign},
		"to be sent again, and made":    {refused: errPrinting, made: 100000, outcome: fiscal.OutcomeUnknown, finding: fiscal.Made},
		"after the paper, and made":     {refused: errContinue, made: 100000, outcome: fiscal.OutcomeUnknown, finding: fiscal.Made},
		"after the buffer, and made":    {refused: errBufferFull, made: 100000, outcome: fiscal.OutcomeUnknown, finding: fiscal.Made},
		"another sum made":              {made: 7, outcome: fiscal.OutcomeUnknown, finding: fiscal.Foreign},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				base := mustPrepare(t, d, in)
				if c.refused != 0 {
					s.refuse["50h"] = []byte{c.refused}
				}
				if c.made > 0 {
					s.cashIn, s.cashInCount, s.drawer = s.cashIn+c.made, s.cashInCount+1, s.drawer+c.made
				}
				if c.refused == 0 { // the device adds the ordered sum: take it back
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
	for _, code := range []byte{0x14, 0x33, 0x8D} {
		t.Run(fmt.Sprintf("%02Xh", code), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				base := mustPrepare(t, d, doc)
				s.refuse["8Dh"] = []byte{code}
				s.mode, s.fnDocument = modeDocument, 4 // it was opened
				_, err := d.Submit(context.Background(), doc, base)
				if f := fiscal.AsError(err, ""); err == nil || f.Outcome != fiscal.OutcomeUnknown {
					t.Errorf("%v", err)
				}
				if v := mustFind(t, d, doc, base); v.Finding != fiscal.Absent || s.mode != modeShift {
					t.Errorf("found: %s, mode %d", v.Finding, s.mode)
				}
			})
		})
	}
}
