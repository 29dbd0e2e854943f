package book

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"kassad/fiscal"
)

// entry reads the row. receipt is false for a document that is none.
func (p *parser) entry() (e fiscal.BookEntry, receipt bool, err error) {
	e.Where = fmt.Sprintf("line %d", p.line)
	if shiftDocument(p.value("form")) || shiftDocument(p.value("kind")) {
		return e, false, nil
	}
	if err := p.numbers(&e); err != nil {
		return e, false, err
	}
	if e.At, err = p.when(); err != nil {
		return e, false, err
	}
	if err := p.kind(&e); err != nil {
		return e, false, err
	}
	return e, true, p.sums(&e)
}

func (p *parser) numbers(e *fiscal.BookEntry) error {
	e.FN, e.Ticket = p.value("fn"), p.value("ticket")
	for field, into := range map[string]*uint32{"fd": &e.FD, "fp": &e.Sign, "shift": &e.Shift} {
		s := strings.Map(dropSpace, p.value(field))
		if s == "" {
			continue
		}
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return p.bad(field, "not a whole number below 4294967296")
		}
		*into = uint32(n)
	}
	return nil
}

// layouts of dates, as exports write them. A zone is left out of account: fiscal
// times are the register's own.
var layouts = []string{
	"02.01.2006 15:04:05", "02.01.2006 15:04", "02.01.2006", "02.01.06 15:04:05", "02.01.06 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04",
	"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", time.RFC3339,
}

func (p *parser) when() (time.Time, error) {
	s := p.value("date")
	if clock := p.value("time"); clock != "" && !strings.Contains(s, ":") {
		s += " " + clock
	}
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, ",", " ")), " ")
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC), nil
		}
	}
	return time.Time{}, p.bad("date", "not a date such as 22.11.2026 12:04:31 or 2026-11-22T12:04:31")
}

// kinds are the words of the settlement sign, tag 1054, and its numbers.
var kinds = map[string]fiscal.Kind{
	"1": fiscal.Sale, "sale": fiscal.Sale, "приход": fiscal.Sale, "прихода": fiscal.Sale, "продажа": fiscal.Sale,
	"2": fiscal.Refund, "refund": fiscal.Refund, "возврат прихода": fiscal.Refund, "возврата прихода": fiscal.Refund,
	"возврат продажи": fiscal.Refund, "возврат": fiscal.Refund,
	"3": fiscal.Buy, "buy": fiscal.Buy, "расход": fiscal.Buy, "расхода": fiscal.Buy, "покупка": fiscal.Buy,
	"4": fiscal.BuyRefund, "buy-refund": fiscal.BuyRefund, "возврат расхода": fiscal.BuyRefund, "возврата расхода": fiscal.BuyRefund,
	"возврат покупки": fiscal.BuyRefund,
}

func (p *parser) kind(e *fiscal.BookEntry) error {
	form := normal(p.value("form"))
	word := normal(p.value("kind"))
	e.Form = fiscal.FormReceipt
	if strings.Contains(form, "коррекци") || strings.Contains(word, "коррекци") {
		e.Form, e.Correction = fiscal.FormCorrection, true
	}
	if word == "" {
		word = form // some exports have one column for both
		if _, ok := kinds[word]; !ok {
			return nil
		}
	}
	for _, extra := range []string{"кассовый чек", "чек коррекции", "коррекция", "чек", "бсо"} {
		word = strings.TrimSpace(strings.TrimPrefix(word, extra))
	}
	word = strings.Trim(word, "() .")
	kind, ok := kinds[word]
	if !ok {
		return p.bad("kind", "not one of приход, возврат прихода, расход, возврат расхода or 1 to 4")
	}
	e.Kind = kind
	return nil
}

// shiftDocument tells whether a row is a report and no receipt.
func shiftDocument(word string) bool {
	word = normal(word)
	for _, s := range []string{"смен", "регистрац", "закрытии фн", "состоянии расчетов", "подтверждение", "shift-open", "shift-close"} {
		if strings.Contains(word, s) {
			return true
		}
	}
	return false
}

func (p *parser) sums(e *fiscal.BookEntry) error {
	for field, into := range map[string]**fiscal.Money{
		"total": &e.Total, "cash": &e.Payments.Cash, "card": &e.Payments.Card, "prepayment": &e.Payments.Prepayment,
		"credit": &e.Payments.Credit, "other": &e.Payments.Other,
	} {
		sum, err := p.money(field, e.Kind)
		if err != nil {
			return err
		}
		*into = sum
	}
	if e.Total == nil {
		return p.bad("total", "the document has no total")
	}
	for _, word := range fiscal.Vocabulary()["vat"] {
		sum, err := p.money(word, e.Kind)
		if err != nil {
			return err
		}
		if sum == nil {
			continue
		}
		var rate fiscal.VAT
		if err := rate.UnmarshalText([]byte(word)); err != nil {
			return p.bad(word, err.Error())
		}
		if e.VAT == nil {
			e.VAT = map[fiscal.VAT]fiscal.VATTally{}
		}
		if rate == fiscal.VAT0 || rate == fiscal.VATNone {
			e.VAT[rate] = fiscal.VATTally{Base: sum}
		} else {
			e.VAT[rate] = fiscal.VATTally{Tax: sum}
		}
	}
	return nil
}

// money reads an amount; nil where the column is empty or missing. Some exports
// show what goes back with a minus.
func (p *parser) money(field string, kind fiscal.Kind) (*fiscal.Money, error) {
	s := p.value(field)
	if s == "" || s == "-" || s == "—" {
		return nil, nil
	}
	m, err := ParseMoney(s)
	if err != nil {
		return nil, p.bad(field, err.Error())
	}
	if m < 0 {
		if kind != fiscal.Refund && kind != fiscal.BuyRefund {
			return nil, p.bad(field, "a receipt cannot be negative")
		}
		m = -m
	}
	return &m, nil
}

// ParseMoney reads an amount as Russian documents write it: "1 234,56", "1234.5",
// "-99", "1 234,56 ₽". Spaces of any kind part thousands; of a dot and a comma
// the last one parts kopecks, and the other one threes of digits.
func ParseMoney(s string) (fiscal.Money, error) {
	s = strings.Map(dropSpace, s)
	for _, unit := range []string{"₽", "руб.", "руб", "р."} {
		s = strings.TrimSuffix(s, unit)
	}
	s = strings.ReplaceAll(s, "−", "-")
	digits := strings.TrimPrefix(s, "-")
	switch dot, comma := strings.LastIndexByte(digits, '.'), strings.LastIndexByte(digits, ','); {
	case dot >= 0 && comma > dot:
		digits = joinThousands(digits, ".", comma)
	case comma >= 0 && dot > comma:
		digits = joinThousands(digits, ",", dot)
	}
	m, err := fiscal.ParseMoney(strings.Replace(digits, ",", ".", 1))
	if digits != s && strings.HasPrefix(s, "-") {
		m = -m
	}
	return m, err
}

// joinThousands drops the mark between thousands before the kopecks. A slip of
// the pen is left as it is: no number.
func joinThousands(digits, mark string, kopecks int) string {
	groups := strings.Split(digits[:kopecks], mark)
	for i, g := range groups {
		if len(g) > 3 || len(g) == 0 || i > 0 && len(g) < 3 {
			return digits
		}
	}
	return strings.Join(groups, "") + digits[kopecks:]
}

// dropSpace removes the spaces that part thousands, also those that do not
// break.
func dropSpace(r rune) rune {
	if unicode.IsSpace(r) {
		return -1
	}
	return r
}
