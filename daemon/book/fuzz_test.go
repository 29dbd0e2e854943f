package book

import (
	"math/big"
	"strings"
	"testing"
	"unicode"

	"kassad/fiscal"
)

// FuzzMoney: an amount of an export is the number that is written, to the
// kopeck, or it is refused: thousands are parted in threes, or not at all.
func FuzzMoney(f *testing.F) {
	for _, s := range []string{
		"1 234,56", "1234.5", "-99", "1\u00a0234,56 ₽", "1.234,56", "1,234.56", "1,2,3.4", "12,34.5", "−5 руб.", "1,234", "1.234", "--1", "- 1", "руб", "1.1.1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoney(s)
		if err != nil {
			return
		}
		if m < -fiscal.MoneyMax || m > fiscal.MoneyMax {
			t.Fatalf("%q is %d", s, m)
		}
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '.' || r == ',' {
				return r
			}
			if r == '-' || r == '−' || unicode.IsSpace(r) || strings.ContainsRune("₽руб", r) {
				return -1
			}
			t.Errorf("%q has a %q", s, r)
			return -1
		}, s)
		whole, frac := strings.TrimSuffix(digits, "."), ""
		if i := strings.LastIndexAny(whole, ".,"); i >= 0 {
			whole, frac = whole[:i], whole[i+1:]
		}
		groups := strings.FieldsFunc(whole, func(r rune) bool { return r == '.' || r == ',' })
		for _, g := range groups[1:] {
			if len(g) != 3 {
				t.Fatalf("%q is taken for %s", s, m)
			}
		}
		want, ok := new(big.Rat).SetString(strings.Join(groups, "") + "." + frac + "0")
		got := big.NewRat(max(int64(m), -int64(m)), 100)
		if !ok || want.Cmp(got) != 0 {
			t.Fatalf("%q is read as %s, want %v", s, m, want)
		}
	})
}
