package fiscal

import (
	"encoding"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// FuzzNumbers holds the readers of amounts, quantities and rates against exact
// arithmetic: what is read is the number that is written, neither rounded nor
// beyond its limit, and what is refused has too many decimals, is beyond the
// limit or is no plain decimal number.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{
		"0", "110", "110.5", "110.50", "99999999.99", "100000000", "99999999.000001", "0.0000001", "-1", "-0", "1e3", ".5", "5.", "00012", "+1", "1 000", "1,5", "٣", "",
		"100", "100.01", "9223372036854775808", "0.005",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoney(s)
		exact(t, s, int64(m), err, moneyDecimals, int64(MoneyMax))
		q, err := ParseQuantity(s)
		exact(t, s, int64(q), err, quantityDecimals, int64(QuantityMax))
		p, err := ParsePercent(s)
		exact(t, s, int64(p), err, percentDecimals, int64(PercentMax))
		printed(t, s)
	})
}

func exact(t *testing.T, s string, got int64, err error, decimals int, limit int64) {
	t.Helper()
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	plain := s != "" && strings.Trim(s, "0123456789.") == "" && strings.Count(s, ".") <= 1 && s[0] != '.' && s[len(s)-1] != '.'
	if err != nil {
		if got != 0 || !errors.Is(err, ErrNumber) && !errors.Is(err, ErrDecimals) && !errors.Is(err, ErrRange) {
			t.Errorf("%q: %d, %v", s, got, err)
		}
		if !plain || len(s) > 1000 {
			return
		}
		want, _ := new(big.Rat).SetString(s)
		want.Mul(want, new(big.Rat).SetInt(unit))
		_, frac, _ := strings.Cut(s, ".")
		if len(frac) <= decimals && want.Cmp(new(big.Rat).SetInt64(limit)) <= 0 {
			t.Errorf("%q is refused: %v", s, err)
		}
		return
	}
	if !plain || got < 0 || got > limit {
		t.Fatalf("%q is read as %d", s, got)
	}
	want, _ := new(big.Rat).SetString(s)
	if want.Mul(want, new(big.Rat).SetInt(unit)).Cmp(new(big.Rat).SetInt64(got)) != 0 {
		t.Errorf("%q is read as %d, want %s", s, got, want)
	}
}

// printed: what our own records and answers hold reads as it was printed.
func printed(t *testing.T, s string) {
	t.Helper()
	var m, m2 Money
	if json.Unmarshal([]byte(s), &m) == nil {
		out, err := json.Marshal(m)
		if err == nil {
			err = json.Unmarshal(out, &m2)
		}
		if err != nil || m2 != m {
			t.Errorf("%q is %d, prints %s and is then %d: %v", s, m, out, m2, err)
		}
	}
	var q, q2 Quantity
	if json.Unmarshal([]byte(s), &q) == nil {
		out, err := json.Marshal(q)
		if err == nil {
			err = json.Unmarshal(out, &q2)
		}
		if err != nil || q2 != q || q < 0 || q > QuantityMax {
			t.Errorf("%q is %d, prints %s and is then %d: %v", s, q, out, q2, err)
		}
	}
}

// FuzzWords: a word of the contract prints as it was read, and nothing else is
// one, but for the numbers of subjects and what records write.
func FuzzWords(f *testing.F) {
	for _, words := range Vocabulary() {
		for _, w := range words {
			f.Add(w)
		}
	}
	f.Add("0")
	f.Add("1")
	f.Add("33")
	f.Add("-1")
	f.Add(" sale")
	f.Fuzz(func(t *testing.T, s string) {
		again(t, s, new(Kind), new(Kind))
		again(t, s, new(VAT), new(VAT))
		again(t, s, new(Method), new(Method))
		again(t, s, new(Unit), new(Unit))
		again(t, s, new(AgentType), new(AgentType))
		again(t, s, new(Subject), new(Subject))
		again(t, s, new(Taxation), new(Taxation))
	})
}

type wordOfContract interface {
	comparable
	encoding.TextMarshaler
}

func again[T wordOfContract, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, s string, v, second P) {
	t.Helper()
	var zero T
	if err := v.UnmarshalText([]byte(s)); err != nil {
		if *v != zero {
			t.Errorf("%q is refused, and %v", s, *v)
		}
		return
	}
	text, err := (*v).MarshalText()
	if err == nil {
		err = second.UnmarshalText(text)
	}
	if err != nil || *v != *second {
		t.Errorf("%T: %q is %v, prints %q and is then %v: %v", zero, s, *v, text, *second, err)
	}
}

// FuzzResolve reads any draft of figures: what resolves pays exactly its total,
// line by line, and its tax lies inside it.
func FuzzResolve(f *testing.F) {
	f.Add(int64(11000), int64(1_000_000), int64(1000), int64(0), int64(50000), uint8(1))
	f.Add(int64(1), int64(1), int64(9999), int64(1), int64(0), uint8(3))
	f.Add(int64(MoneyMax), int64(QuantityUnit), int64(0), int64(MoneyMax), int64(1), uint8(200))
	f.Add(int64(3333), int64(333_333), int64(333), int64(7), int64(100), uint8(7))
	f.Fuzz(func(t *testing.T, price, quantity, percent, amount, cash int64, n uint8) {
		inside := func(v, most int64) int64 { return int64(uint64(v) % uint64(most+1)) }
		d := Draft{ID: "a", Verb: VerbSale}
		for i := range int(n%8) + 1 {
			d.Items = append(d.Items, Item{
				Name: "x", Price: Money(inside(price+int64(i), int64(MoneyMax))), Quantity: Quantity(inside(quantity*int64(i+1), int64(QuantityMax))),
				VAT: VAT(i%6 + 1), Discount: Discount{Percent: Percent(inside(percent, int64(PercentMax)))},
			})
		}
		d.Discount.Amount = Money(inside(amount, int64(MoneyMax)))
		d.Payments.Cash = Money(inside(cash, int64(MoneyMax)))
		doc, err := d.Resolve()
		if err != nil {
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Code.Info().Nature != Content || refusal.Outcome != OutcomeRejected {
				t.Fatalf("%v", err)
			}
			return
		}
		var sum Money
		for _, l := range doc.Lines {
			if l.Sum < 0 || l.Tax < 0 || l.Tax > l.Sum || l.Quantity <= 0 {
				t.Errorf("line %+v", l)
			}
			sum += l.Sum
		}
		if sum != doc.Total || doc.Payments.Total() != doc.Total || doc.Change < 0 || doc.Total > MoneyMax || doc.Payments.Cash+doc.Change != d.Payments.Cash {
			t.Errorf("%+v of %+v: lines %s", doc, d, sum)
		}
	})
}
