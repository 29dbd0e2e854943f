package fiscal

import (
	"fmt"
	"strconv"
)

// Kind is the settlement sign, tag 1054.
type Kind uint8

// Settlement signs.
const (
	Sale Kind = iota + 1
	Refund
	Buy
	BuyRefund
)

// VAT is the rate code, tag 1199 (format reference 2.1).
type VAT uint8

// Rate codes.
const (
	VAT20 VAT = iota + 1
	VAT10
	VAT120
	VAT110
	VAT0
	VATNone
	VAT5
	VAT7
	VAT105
	VAT107
	VAT22
	VAT122
)

// Method is the payment method sign, tag 1214, 1..7.
type Method uint8

// Payment methods.
const (
	Prepayment Method = iota + 1
	PartialPrepayment
	Advance
	FullPayment
	PartialPaymentAndCredit
	Credit
	CreditPayment
)

// Subject is the item kind, tag 1212: 1..27 and 30..33.
type Subject uint8

// Subjects that rules look at.
const (
	Goods                 Subject = 1
	PaymentSubject        Subject = 10
	MarkedExciseNoCode    Subject = 30
	MarkedExcise          Subject = 31
	MarkedGoodsNoCode     Subject = 32
	MarkedGoods           Subject = 33
	subjectOrdinaryMax    Subject = 27
	subjectFirstFFD12Only Subject = 27
)

// Marked tells whether the subject calls for a marking code.
func (s Subject) Marked() bool { return s >= MarkedExciseNoCode }

// Unit is the measure of quantity, tag 2108.
type Unit uint8

// Piece is the unit of things that are counted.
const Piece Unit = 0

// Taxation is one bit of the taxation systems, tag 1055; 0 is the device's own.
type Taxation uint8

// AgentType is one bit of the agent sign, tag 1222.
type AgentType uint8

// Agents, tag 1222.
const (
	BankAgent AgentType = 1 << iota
	BankSubagent
	PayingAgent
	PayingSubagent
	Attorney
	Commissioner
	OtherAgent
)

var (
	kindTokens = tokens[Kind]{{Sale, "sale"}, {Refund, "refund"}, {Buy, "buy"}, {BuyRefund, "buy-refund"}}
	vatTokens  = tokens[VAT]{
		{VATNone, "none"}, {VAT0, "vat0"}, {VAT5, "vat5"}, {VAT7, "vat7"}, {VAT10, "vat10"}, {VAT20, "vat20"}, {VAT22, "vat22"},
		{VAT105, "vat105"}, {VAT107, "vat107"}, {VAT110, "vat110"}, {VAT120, "vat120"}, {VAT122, "vat122"},
	}
	methodTokens = tokens[Method]{
		{Prepayment, "prepayment"}, {PartialPrepayment, "partial-prepayment"}, {Advance, "advance"}, {FullPayment, "full-payment"},
		{PartialPaymentAndCredit, "partial-payment-and-credit"}, {Credit, "credit"}, {CreditPayment, "credit-payment"},
	}
	subjectTokens = tokens[Subject]{
		{1, "goods"}, {2, "excise"}, {3, "job"}, {4, "service"}, {5, "gambling-bet"}, {6, "gambling-prize"}, {7, "lottery-ticket"},
		{8, "lottery-prize"}, {9, "intellectual"}, {10, "payment"}, {11, "agent"}, {12, "award"}, {13, "other"}, {14, "property-right"},
		{15, "non-operating-income"}, {16, "other-contribution"}, {17, "trade-fee"}, {18, "resort-fee"}, {19, "deposit"}, {20, "expense"},
		{21, "pension-own"}, {22, "pension"}, {23, "medical-own"}, {24, "medical"}, {25, "social"}, {26, "casino"}, {27, "cash-by-agent"},
		{30, "excise-to-mark"}, {31, "excise-marked"}, {32, "goods-to-mark"}, {33, "goods-marked"},
		{12, "composite"}, // 1.05 used 12 for a composite item; one code, two words
	}
	unitTokens = tokens[Unit]{
		{0, "piece"}, {10, "g"}, {11, "kg"}, {12, "t"}, {20, "cm"}, {21, "dm"}, {22, "m"}, {30, "cm2"}, {31, "dm2"}, {32, "m2"},
		{40, "ml"}, {41, "l"}, {42, "m3"}, {50, "kwh"}, {51, "gcal"}, {70, "day"}, {71, "hour"}, {72, "minute"}, {73, "second"},
		{80, "kb"}, {81, "mb"}, {82, "gb"}, {83, "tb"}, {255, "other"},
	}
	taxationTokens = tokens[Taxation]{{1, "osn"}, {2, "usn-income"}, {4, "usn-income-expense"}, {16, "eshn"}, {32, "patent"}}
	agentTokens    = tokens[AgentType]{
		{BankAgent, "bank-agent"}, {BankSubagent, "bank-subagent"}, {PayingAgent, "paying-agent"}, {PayingSubagent, "paying-subagent"},
		{Attorney, "attorney"}, {Commissioner, "commissioner"}, {OtherAgent, "agent"},
	}
)

// tokens is a two-way table of wire words; the first word of a value prints.
type tokens[T ~uint8] []struct {
	value T
	word  string
}

func (t tokens[T]) parse(word string) (T, bool) {
	for _, row := range t {
		if row.word == word {
			return row.value, true
		}
	}
	return 0, false
}

func (t tokens[T]) word(v T) string {
	for _, row := range t {
		if row.value == v {
			return row.word
		}
	}
	return strconv.Itoa(int(v))
}

func (t tokens[T]) unknown(v T) bool {
	for _, row := range t {
		if row.value == v {
			return false
		}
	}
	return true
}

func (t tokens[T]) unmarshal(text []byte, v *T) error {
	got, ok := t.parse(string(text))
	if !ok {
		return fmt.Errorf("unknown word %q", text)
	}
	*v = got
	return nil
}

// words lists the vocabulary in table order.
func (t tokens[T]) words() []string {
	out := make([]string, len(t))
	for i, row := range t {
		out[i] = row.word
	}
	return out
}

// Vocabulary lists the words of each token field of the contract, for schemas
// and help.
func Vocabulary() map[string][]string {
	return map[string][]string{
		"kind": kindTokens.words(), "vat": vatTokens.words(), "method": methodTokens.words(), "subject": subjectTokens.words(),
		"unit": unitTokens.words(), "taxation": taxationTokens.words(), "agent": agentTokens.words(),
	}
}

func (k Kind) String() string      { return kindTokens.word(k) }
func (v VAT) String() string       { return vatTokens.word(v) }
func (m Method) String() string    { return methodTokens.word(m) }
func (s Subject) String() string   { return subjectTokens.word(s) }
func (u Unit) String() string      { return unitTokens.word(u) }
func (t Taxation) String() string  { return taxationTokens.word(t) }
func (a AgentType) String() string { return agentTokens.word(a) }

// MarshalText and UnmarshalText use the words of the contract.

func (k Kind) MarshalText() ([]byte, error)       { return []byte(k.String()), nil }
func (k *Kind) UnmarshalText(b []byte) error      { return kindTokens.unmarshal(b, k) }
func (v VAT) MarshalText() ([]byte, error)        { return []byte(v.String()), nil }
func (v *VAT) UnmarshalText(b []byte) error       { return vatTokens.unmarshal(b, v) }
func (m Method) MarshalText() ([]byte, error)     { return []byte(m.String()), nil }
func (m *Method) UnmarshalText(b []byte) error    { return methodTokens.unmarshal(b, m) }
func (s Subject) MarshalText() ([]byte, error)    { return []byte(s.String()), nil }
func (u Unit) MarshalText() ([]byte, error)       { return []byte(u.String()), nil }
func (u *Unit) UnmarshalText(b []byte) error      { return unitTokens.unmarshal(b, u) }
func (t Taxation) MarshalText() ([]byte, error)   { return []byte(t.String()), nil }
func (a AgentType) MarshalText() ([]byte, error)  { return []byte(a.String()), nil }
func (a *AgentType) UnmarshalText(b []byte) error { return agentTokens.unmarshal(b, a) }

// UnmarshalText reads a word or, as the contract allows for tag 1212, the
// number itself.
func (s *Subject) UnmarshalText(b []byte) error {
	if n, err := strconv.Atoi(string(b)); err == nil {
		v := Subject(n)
		if n < 1 || n > int(MarkedGoods) || v > subjectOrdinaryMax && v < MarkedExciseNoCode {
			return fmt.Errorf("no subject has the number %d", n)
		}
		*s = v
		return nil
	}
	return subjectTokens.unmarshal(b, s)
}

// UnmarshalText reads a word; "0" is the device's own system, as records store
// it.
func (t *Taxation) UnmarshalText(b []byte) error {
	if string(b) == "0" {
		*t = 0
		return nil
	}
	return taxationTokens.unmarshal(b, t)
}

// fraction is the part of a VAT-inclusive sum that is tax (format reference
// 2.1, column "factor").
func (v VAT) fraction() (n, d int64) {
	switch v {
	case VAT20, VAT120:
		return 20, 120
	case VAT10, VAT110:
		return 10, 110
	case VAT5, VAT105:
		return 5, 105
	case VAT7, VAT107:
		return 7, 107
	case VAT22, VAT122:
		return 22, 122
	default:
		return 0, 1
	}
}

// Tax is the VAT inside the VAT-inclusive sum m, rounded half up (format
// reference 3.1). It is 0 for VAT0 and VATNone.
func (v VAT) Tax(m Money) Money {
	n, d := v.fraction()
	return Money(mulDiv(int64(m), n, d))
}
