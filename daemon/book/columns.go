package book

import (
	"fmt"
	"slices"
	"strings"

	"kassad/fiscal"
)

// Columns are the titles of a file's columns by field (see Fields). A field
// that is not named is looked for under its default titles.
type Columns map[string]string

// defaults are the titles under which a field is looked for.
var defaults = map[string][]string{
	"fn":         {"fn", "фн", "номер фн", "№ фн", "заводской номер фн", "серийный номер фн", "номер фискального накопителя"},
	"fd":         {"fd", "фд", "номер фд", "№ фд", "номер фискального документа"},
	"fp":         {"fp", "фп", "фпд", "фискальный признак", "фискальный признак документа"},
	"date":       {"date", "дата", "дата и время", "дата/время", "дата чека", "дата документа", "дата операции"},
	"time":       {"time", "время", "время чека", "время операции"},
	"kind":       {"kind", "признак расчета", "тип операции", "вид операции", "тип чека", "операция"},
	"form":       {"form", "тип документа", "вид документа", "документ"},
	"total":      {"total", "сумма", "итого", "итог", "сумма чека", "сумма расчета", "сумма, руб", "сумма, руб."},
	"cash":       {"cash", "наличными", "наличные", "сумма наличными"},
	"card":       {"card", "безналичными", "безналичные", "электронными", "сумма безналичными", "сумма электронными", "картой"},
	"prepayment": {"prepayment", "аванс", "предоплата", "предоплатой", "зачет аванса", "предварительная оплата"},
	"credit":     {"credit", "кредит", "в кредит", "постоплата", "последующая оплата"},
	"other":      {"other", "встречное предоставление", "иная форма оплаты", "иная оплата"},
	"shift":      {"shift", "смена", "номер смены", "№ смены"},
	"ticket":     {"ticket", "uuid", "ext_id", "внешний номер", "идентификатор документа"},
}

// vatTitles are the default titles of the sums by rate.
var vatTitles = map[string][]string{
	"none": {"none", "без ндс"}, "vat0": {"vat0", "ндс 0%", "ндс 0"}, "vat5": {"vat5", "ндс 5%"}, "vat7": {"vat7", "ндс 7%"},
	"vat10": {"vat10", "ндс 10%"}, "vat20": {"vat20", "ндс 20%"}, "vat22": {"vat22", "ндс 22%"},
	"vat105": {"vat105", "ндс 5/105"}, "vat107": {"vat107", "ндс 7/107"}, "vat110": {"vat110", "ндс 10/110"},
	"vat120": {"vat120", "ндс 20/120"}, "vat122": {"vat122", "ндс 22/122"},
}

// Fields lists what a column may hold: fn fd fp date time kind form total cash
// card prepayment credit other shift ticket, and a sum for each rate of VAT:
// the tax, or the turnover for vat0 and none.
func Fields() []string {
	return append([]string{
		"fn", "fd", "fp", "date", "time", "kind", "form", "total", "cash", "card", "prepayment", "credit", "other", "shift", "ticket",
	}, fiscal.Vocabulary()["vat"]...)
}

// Validate refuses a field that there is not, and a title that is empty.
func (c Columns) Validate() error {
	for field, title := range c {
		if !slices.Contains(Fields(), field) {
			return fiscal.Refuse(fiscal.CodeBadValue, "columns", fmt.Sprintf("there is no field %q; fields are %s", field, strings.Join(Fields(), " ")))
		}
		if normal(title) == "" {
			return fiscal.Refuse(fiscal.CodeBadValue, "columns", fmt.Sprintf("the column of %s has no title", field))
		}
	}
	return nil
}

// find tells which column of a header holds which field. A title that is
// configured wins over the defaults.
func (c Columns) find(header []string) map[string]int {
	titles := make([]string, len(header))
	for i, h := range header {
		titles[i] = normal(h)
	}
	at := map[string]int{}
	for _, field := range Fields() {
		wanted := append(slices.Clone(defaults[field]), vatTitles[field]...)
		if title, ok := c[field]; ok {
			wanted = []string{normal(title)}
		}
		for _, title := range wanted {
			if i := slices.Index(titles, title); i >= 0 {
				at[field] = i
				break
			}
		}
	}
	return at
}

// normal makes titles comparable: lower case, one space, е for ё.
func normal(title string) string {
	title = strings.Trim(strings.TrimSpace(title), `"`)
	title = strings.ReplaceAll(strings.ToLower(title), "ё", "е")
	return strings.Join(strings.Fields(title), " ")
}
