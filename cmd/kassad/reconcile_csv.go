package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
)

// A table for an accountant: Russian spreadsheets want semicolons, decimal
// commas and a mark of UTF-8.
const (
	spreadsheetMark  = "\xEF\xBB\xBF"
	spreadsheetComma = ';'
)

var (
	amountPattern = regexp.MustCompile(`^-?[0-9]+\.[0-9]{2}$`)
	longNumber    = regexp.MustCompile(`^[0-9]{10,}$`)
)

// spreadsheet writes rows that a spreadsheet reads as they are.
type spreadsheet struct{ w *csv.Writer }

func newSpreadsheet(w io.Writer, header ...string) (*spreadsheet, error) {
	if _, err := io.WriteString(w, spreadsheetMark); err != nil {
		return nil, err
	}
	s := &spreadsheet{csv.NewWriter(w)}
	s.w.Comma, s.w.UseCRLF = spreadsheetComma, true
	return s, s.w.Write(header)
}

func (s *spreadsheet) row(cells ...string) error {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = cell(c)
	}
	return s.w.Write(out)
}

// cell writes amounts with a comma, keeps long numbers from being rounded, and
// keeps a person's words from being a formula.
func cell(s string) string {
	switch {
	case amountPattern.MatchString(s):
		return strings.Replace(s, ".", ",", 1)
	case longNumber.MatchString(s):
		return `="` + s + `"`
	case s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])):
		return "'" + s
	default:
		return s
	}
}

// Words of the table.
var (
	russianAgainst = map[fiscal.Against]string{
		fiscal.AgainstDevice: "касса и ФН", fiscal.AgainstConfirmed: "подтверждено сервисом", fiscal.AgainstImport: "независимая выгрузка",
	}
	russianMismatch = map[fiscal.MismatchCode]string{
		fiscal.MismatchFigure: "итог не сходится", fiscal.MismatchForeign: "документа нет в журнале", fiscal.MismatchMissing: "документа нет у другой стороны",
		fiscal.MismatchKind: "признак расчёта", fiscal.MismatchTotal: "сумма", fiscal.MismatchPayments: "оплата", fiscal.MismatchVAT: "НДС",
		fiscal.MismatchSign: "фискальный признак", fiscal.MismatchTwoCommands: "один документ у двух команд",
		fiscal.MismatchTwoDocuments: "два документа по одной команде", fiscal.MismatchGap: "пропуск номера",
	}
)

// writeReportCSV prints a report as one table: a figure or a document a row.
func writeReportCSV(w io.Writer, r mqtt.Reconciliation) error {
	s, err := newSpreadsheet(w, "Отчёт", "Касса", "Смена", "Сверено с", "Раздел", "Показатель", "ФН", "ФД", "ФП", "Команда", "Журнал", "Другая сторона", "Пояснение")
	if err != nil {
		return err
	}
	for _, p := range r.Parts {
		if err := writePartCSV(s, r.ID, p); err != nil {
			return err
		}
	}
	s.w.Flush()
	return s.w.Error()
}

func writePartCSV(s *spreadsheet, id string, p mqtt.ReconciledPart) error {
	shift := number(p.Shift)
	against := strings.TrimSpace(russianAgainst[p.Against] + " " + p.Source)
	row := func(cells ...string) error {
		return s.row(append([]string{id, p.Backend, shift, against}, cells...)...)
	}
	verdict := map[string]string{"AGREES": "сходится", "DIFFERS": "не сходится", "INCOMPLETE": "сверено не полностью"}[partVerdict(p)]
	rows := [][]string{{"вывод", verdict, p.FN, "", "", "", "", "", ""}}
	for _, f := range figureRows(p) {
		rows = append(rows, []string{"итоги", f.name, p.FN, "", "", "", f.journal, f.other, ""})
	}
	for _, d := range p.Differences {
		what := strings.TrimSpace(russianMismatch[d.Code] + " " + d.Figure)
		rows = append(rows, []string{"расхождение", what, d.FN, number(d.FD), d.FP, d.ID, d.Journal, d.Other, d.Text})
	}
	for _, u := range p.Unconfirmed {
		rows = append(rows, []string{"не подтверждено", string(u.State), "", "", "", u.ID, amount(u.Total), "", u.Ticket})
	}
	for _, l := range p.Late {
		rows = append(rows, []string{"поздний документ", l.Device, l.FN, number(l.FD), "", l.ID, "", l.Total.String(), l.Ticket})
	}
	for _, d := range p.Settled {
		rows = append(rows, []string{"решено человеком", string(d.Action), "", number(d.FD), "", d.ID, amount(d.Total), "", d.By + ": " + d.Note})
	}
	for _, n := range p.Notes {
		rows = append(rows, []string{"примечание", "", "", "", "", "", "", "", n})
	}
	for _, cells := range rows {
		if err := row(cells...); err != nil {
			return err
		}
	}
	return nil
}

// number prints what is known; 0 is not.
func number(n uint32) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

// writeListCSV prints the list of reports.
func writeListCSV(w io.Writer, reports []mqtt.ReconciliationItem) error {
	s, err := newSpreadsheet(w, "Отчёт", "Время", "Повод", "Кто", "О чём", "Сходится", "Расхождений", "Не подтверждено")
	if err != nil {
		return err
	}
	agrees := map[bool]string{true: "да", false: "нет"}
	for _, r := range reports {
		err := s.row(r.ID, time.Time(r.At).Local().Format(time.DateTime), string(r.Why), r.By, about(r.Device, r.Shift, r.Since, r.Until),
			agrees[r.Agrees], fmt.Sprint(r.Differences), fmt.Sprint(r.Unconfirmed))
		if err != nil {
			return err
		}
	}
	s.w.Flush()
	return s.w.Error()
}
