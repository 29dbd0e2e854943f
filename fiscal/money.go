package fiscal

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Money is an amount in kopecks. No float ever touches it.
type Money int64

// Quantity is a number of units in millionths: 1 kg is 1_000_000.
type Quantity int64

// Percent is a rate in hundredths of a per cent: 10 % is 1000.
type Percent int64

// Limits of amounts and their notation.
const (
	// MoneyMax bounds every amount that comes from outside (contract, Limits).
	MoneyMax Money = 9_999_999_999
	// QuantityUnit is one whole unit.
	QuantityUnit Quantity = 1_000_000
	// QuantityMax keeps price × quantity inside 128 bits and FVLN in 8 bytes.
	QuantityMax Quantity = 99_999_999 * QuantityUnit
	// PercentMax is 100 %.
	PercentMax Percent = 10_000

	moneyDecimals    = 2
	quantityDecimals = 6
	percentDecimals  = 2
)

// Errors of reading numbers.
var (
	ErrNumber   = errors.New("not a decimal number")
	ErrDecimals = errors.New("too many decimals")
	ErrRange    = errors.New("out of range")
)

// ParseMoney reads roubles with at most two decimals: "110", "110.5",
// "110.50". The result lies in 0..MoneyMax.
func ParseMoney(s string) (Money, error) {
	v, err := parseDecimal(s, moneyDecimals, int64(MoneyMax))
	return Money(v), err
}

// ParseQuantity reads a quantity with at most six decimals, 0..QuantityMax.
func ParseQuantity(s string) (Quantity, error) {
	v, err := parseDecimal(s, quantityDecimals, int64(QuantityMax))
	return Quantity(v), err
}

// ParsePercent reads a rate with at most two decimals, 0..100.
func ParsePercent(s string) (Percent, error) {
	v, err := parseDecimal(s, percentDecimals, int64(PercentMax))
	return Percent(v), err
}

func parseDecimal(s string, decimals int, limit int64) (int64, error) {
	digits := strings.TrimPrefix(s, "-")
	whole, frac, _ := strings.Cut(digits, ".")
	if whole == "" || strings.HasSuffix(digits, ".") || !allDigits(whole) || !allDigits(frac) {
		return 0, ErrNumber
	}
	if len(frac) > decimals {
		return 0, ErrDecimals
	}
	if digits != s {
		return 0, ErrRange // negative amounts have no meaning on the wire
	}
	v, err := strconv.ParseInt(whole+frac+strings.Repeat("0", decimals-len(frac)), 10, 64)
	if err != nil || v > limit {
		return 0, ErrRange
	}
	return v, nil
}

func allDigits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// String prints roubles with two decimals: 99.00, -0.05.
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s%d.%02d", sign, int64(m)/100, int64(m)%100)
}

// MarshalJSON prints a JSON number with two decimals.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads what MarshalJSON prints, or a string; the digits are
// read as text. Negative amounts are read too, since counters may be negative.
func (m *Money) UnmarshalJSON(b []byte) error {
	s := unquote(b)
	positive := strings.TrimPrefix(s, "-")
	v, err := parseDecimal(positive, moneyDecimals, 1<<62)
	if err != nil {
		return fmt.Errorf("money %q: %w", s, err)
	}
	if positive != s {
		v = -v
	}
	*m = Money(v)
	return nil
}

// String prints the shortest decimal form: 1, 2.474.
func (q Quantity) String() string {
	s := fmt.Sprintf("%d.%06d", int64(q/QuantityUnit), int64(q%QuantityUnit))
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// MarshalJSON prints a JSON number.
func (q Quantity) MarshalJSON() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalJSON reads a JSON number or string as text.
func (q *Quantity) UnmarshalJSON(b []byte) error {
	v, err := ParseQuantity(unquote(b))
	if err != nil {
		return fmt.Errorf("quantity %s: %w", b, err)
	}
	*q = v
	return nil
}

func unquote(b []byte) string {
	s := string(b)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// Sum is the cost of q units at price m, rounded half up to a kopeck (format
// reference 3.1). Both are non-negative and within their limits.
func (m Money) Sum(q Quantity) Money { return Money(mulDiv(int64(m), int64(q), int64(QuantityUnit))) }

// Less is m lowered by p, rounded half up (format reference 3.3 rule 1).
func (m Money) Less(p Percent) Money {
	return Money(mulDiv(int64(m), int64(PercentMax-p), int64(PercentMax)))
}

// mulDiv is a·b/c rounded half up, with a 128-bit product. a, b ≥ 0, c > 0.
func mulDiv(a, b, c int64) int64 {
	if a < 0 || b < 0 || c <= 0 {
		panic(fmt.Sprintf("fiscal: mulDiv(%d, %d, %d): negative factor", a, b, c))
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(c)/2, 0)
	quo, _ := bits.Div64(hi+carry, lo, uint64(c))
	return int64(quo)
}
