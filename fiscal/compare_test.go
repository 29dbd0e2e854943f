package fiscal

import "testing"

// A device that does not tell its corrections may or may not count them among
// the receipts: neither is a difference. One that tells them is compared.
func TestCompareWithCorrections(t *testing.T) {
	t.Parallel()
	sums := func(count uint32, cash Money) map[Kind]*KindCounters {
		return map[Kind]*KindCounters{Sale: {Count: count, Total: cash, Payments: &Payments{Cash: cash}}}
	}
	corrections := map[Kind]*Tally{Sale: {Count: 1, Total: 100}}
	journal := Counters{ByKind: sums(4, 400), Corrections: corrections}
	for _, c := range []struct {
		name   string
		device Counters
		agrees bool
	}{
		{"left out, not told", Counters{ByKind: sums(3, 300)}, true},
		{"counted, not told", Counters{ByKind: sums(4, 400)}, true},
		{"counted and told", Counters{ByKind: sums(4, 400), Corrections: corrections}, true},
		{"told, and one too few", Counters{ByKind: sums(3, 300), Corrections: corrections}, false},
	} {
		if a := Compare(c.device, journal); a.Agrees != c.agrees {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
}
