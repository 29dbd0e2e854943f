package lifepay

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// Kopecks is an amount of money.
type Kopecks int64

// String is roubles with two decimals.
func (k Kopecks) String() string {
	sign, v := "", int64(k)
	if v < 0 {
		sign, v = "-", -v
	}
	return fmt.Sprintf("%s%d.%02d", sign, v/100, v%100)
}

// amountMax bounds every amount, so that sums of many cannot overflow: 10^13
// kopecks.
const amountMax = 10_000_000_000_000

// Rounding says how a line becomes kopecks (section 3.3).
type Rounding string

// Roundings.
const (
	HalfUp   Rounding = "half-up" // the exact line; default
	HalfEven Rounding = "half-even"
	Truncate Rounding = "truncate"
	// UnitHalfUp takes a percent discount off the price, rounds that half up,
	// multiplies, and rounds again.
	UnitHalfUp Rounding = "unit-half-up"
)

// round makes kopecks of non-negative roubles. It is false beyond amountMax.
func (m Rounding) round(roubles *big.Rat) (Kopecks, bool) {
	k := new(big.Rat).Mul(roubles, big.NewRat(100, 1))
	q, rest := new(big.Int).QuoRem(k.Num(), k.Denom(), new(big.Int))
	half := rest.Lsh(rest, 1).Cmp(k.Denom())
	up := half > 0 || half == 0 && (m != HalfEven || q.Bit(0) == 1)
	if up && m != Truncate {
		q.Add(q, big.NewInt(1))
	}
	if !q.IsInt64() || q.Int64() > amountMax {
		return 0, false
	}
	return Kopecks(q.Int64()), true
}

var decimalForm = regexp.MustCompile(`^[+-]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$`)

// decimal reads a number exactly. The form bounds length and exponent, so that
// no request makes numbers of a million digits.
func decimal(s string) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if !decimalForm.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// hasDecimals tells whether r can be written with at most n decimals.
func hasDecimals(r *big.Rat, n int) bool {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	return new(big.Rat).Mul(r, new(big.Rat).SetInt(scale)).IsInt()
}

// discount is of a position. Value is per cent or roubles of the whole line.
type discount struct {
	percent bool
	value   *big.Rat
}

// net is price x quantity without the discount (section 3.1). It is false for
// a discount above the line and for amounts beyond amountMax.
func (m Rounding) net(price, quantity *big.Rat, d discount) (Kopecks, bool) {
	price = new(big.Rat).Set(price)
	off := new(big.Rat)
	switch {
	case d.value == nil:
	case d.percent && m == UnitHalfUp:
		unit, ok := HalfUp.round(mul(price, keep(d.value)))
		if !ok {
			return 0, false
		}
		price = big.NewRat(int64(unit), 100)
	case d.percent:
		price = mul(price, keep(d.value))
	default:
		off = d.value
	}
	line := mul(price, quantity)
	if line.Sub(line, off); line.Sign() < 0 {
		return 0, false
	}
	return m.round(line)
}

func mul(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }

// keep is the part that a percent discount leaves.
func keep(percent *big.Rat) *big.Rat {
	part := new(big.Rat).Sub(big.NewRat(100, 1), percent)
	return part.Quo(part, big.NewRat(100, 1))
}

// Payments of a document. Cash is what was given, change included.
type Payments struct {
	Card, Cash, MC, Prepayment, Credit Kopecks
}

// paymentFields are in the order of Payments.
var paymentFields = [5]string{"card_amount", "cash_amount", "mc_amount", "prepayment_amount", "credit_amount"}

const cashField = 1

func (p Payments) list() [5]Kopecks { return [5]Kopecks{p.Card, p.Cash, p.MC, p.Prepayment, p.Credit} }

func paymentsOf(v [5]Kopecks) Payments {
	return Payments{Card: v[0], Cash: v[1], MC: v[2], Prepayment: v[3], Credit: v[4]}
}

// Sum is all payments.
func (p Payments) Sum() Kopecks {
	var sum Kopecks
	for _, v := range p.list() {
		sum += v
	}
	return sum
}

// NonCash is all payments but cash.
func (p Payments) NonCash() Kopecks { return p.Sum() - p.Cash }

// tender is a payment field as it was sent.
type tender struct {
	set   bool
	rest  bool // "#"
	value Kopecks
}

// settle computes "#" (section 3.2). The error is a map of the fields at fault
// to what is wrong with them.
func settle(total Kopecks, sent [5]tender) (Payments, map[string]string) {
	var values [5]Kopecks
	var sum Kopecks
	var named, rests []int
	for i, t := range sent {
		if t.set {
			named = append(named, i)
		}
		if t.rest {
			rests = append(rests, i)
		}
		values[i] = t.value
		sum += t.value
	}
	switch {
	case len(rests) > 1:
		return Payments{}, complaints(rests, "Символ «#» допускается только в одном виде оплаты.")
	case len(rests) == 1 && sum > total:
		return Payments{}, complaints(rests, "Сумма других видов оплаты превышает сумму чека.")
	case len(rests) == 1:
		values[rests[0]] = total - sum
	case len(named) == 0 && total > 0:
		return Payments{}, complaints([]int{0}, "Необходимо указать хотя бы один вид оплаты.")
	case sum < total:
		return Payments{}, complaints(named, "Сумма оплаты меньше суммы чека.")
	}
	return paymentsOf(values), nil
}

func complaints(fields []int, text string) map[string]string {
	out := map[string]string{}
	for _, i := range fields {
		out[paymentFields[i]] = text
	}
	return out
}
