// Package book reads an independent book of documents: a CSV export of a
// cabinet or of an operator of fiscal data. What the columns of a real export
// are called is UNVERIFIED, and differs between operators: the names are
// configuration, the defaults are words that mean the requisites.
package book

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"kassad/fiscal"
)

// Limits of an import.
const (
	SizeMax = 16 << 20 // bytes
	RowsMax = 100_000
	// headerLinesMax is how far down the header may be: exports begin with the
	// name of the shop and the period.
	headerLinesMax = 30
	valueShownMax  = 80 // bytes of a wrong value in an error
)

// Book is what a file tells.
type Book struct {
	Name    string // of the file
	Entries []fiscal.BookEntry
	Skipped int      // rows of other documents: reports of opening and closing shifts
	Fields  []string // what the file has columns of
}

// Has tells whether the file has a column of a field.
func (b *Book) Has(field string) bool { return slices.Contains(b.Fields, field) }

var byteOrderMark = []byte("\xEF\xBB\xBF")

// Parse reads a book: comma, semicolon or tab; UTF-8 or Windows-1251. name is
// the name of the file. An error names the line and the column.
func Parse(name string, text []byte, columns Columns) (Book, error) {
	if len(text) > SizeMax {
		return Book{}, fiscal.Refuse(fiscal.CodeTooLarge, name, fmt.Sprintf("the file has more than %d MiB: export a shorter period", SizeMax>>20))
	}
	if err := columns.Validate(); err != nil {
		return Book{}, err
	}
	text = bytes.TrimPrefix(text, byteOrderMark)
	if !utf8.Valid(text) {
		var err error
		if text, err = charmap.Windows1251.NewDecoder().Bytes(text); err != nil {
			return Book{}, refuse(0, "", "", "neither UTF-8 nor Windows-1251")
		}
	}
	for _, comma := range []rune{';', '\t', ','} {
		p := parser{reader: newReader(text, comma), book: Book{Name: name}}
		if !p.findHeader(columns) {
			continue
		}
		err := p.rows()
		return p.book, err
	}
	return Book{}, fiscal.Refuse(fiscal.CodeBadValue, name,
		"no header line with a total and one of fd, fp and date: name the columns with --columns total=…,fd=…,date=…")
}

func newReader(text []byte, comma rune) *csv.Reader {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = comma, -1, true, true
	return r
}

type parser struct {
	reader *csv.Reader
	book   Book
	at     map[string]int // field → index of its column
	titles []string
	row    []string
	line   int
}

// findHeader reads on until a line names the columns.
func (p *parser) findHeader(columns Columns) bool {
	for range headerLinesMax {
		row, err := p.reader.Read()
		if err != nil {
			return false
		}
		at := columns.find(row)
		_, total := at["total"]
		_, fd := at["fd"]
		_, fp := at["fp"]
		_, date := at["date"]
		if !total || !fd && !fp && !date {
			continue
		}
		p.at, p.titles = at, slices.Clone(row)
		for _, f := range Fields() {
			if _, ok := at[f]; ok {
				p.book.Fields = append(p.book.Fields, f)
			}
		}
		return true
	}
	return false
}

func (p *parser) rows() error {
	for {
		row, err := p.reader.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fiscal.Refuse(fiscal.CodeBadValue, "", err.Error())
		}
		p.row = row
		p.line, _ = p.reader.FieldPos(0)
		if p.empty() {
			continue
		}
		if len(p.book.Entries)+p.book.Skipped >= RowsMax {
			return fiscal.Refuse(fiscal.CodeTooLarge, fmt.Sprintf("line %d", p.line), fmt.Sprintf("more than %d documents: export a shorter period", RowsMax))
		}
		e, receipt, err := p.entry()
		switch {
		case err != nil:
			return err
		case receipt:
			p.book.Entries = append(p.book.Entries, e)
		default:
			p.book.Skipped++
		}
	}
}

// empty tells whether a row names no document: a blank line, or the totals at
// the end.
func (p *parser) empty() bool {
	return p.value("fd") == "" && p.value("fp") == "" && p.value("date") == "" && p.value("ticket") == ""
}

// value is the text of a field in the row, without what spreadsheets put
// around it: spaces, ="…", a leading apostrophe.
func (p *parser) value(field string) string {
	i, ok := p.at[field]
	if !ok || i >= len(p.row) {
		return ""
	}
	s := strings.TrimSpace(p.row[i])
	if inner, ok := strings.CutPrefix(s, "="); ok {
		s = strings.Trim(inner, `"`)
	}
	return strings.TrimSpace(strings.TrimPrefix(s, "'"))
}

// bad is the refusal of a value of the row.
func (p *parser) bad(field, why string) error {
	return refuse(p.line, p.titles[p.at[field]], p.value(field), why)
}

func refuse(line int, column, value, why string) error {
	if len(value) > valueShownMax {
		value = strings.ToValidUTF8(value[:valueShownMax], "") + "…"
	}
	where := ""
	if line > 0 {
		where = fmt.Sprintf("line %d, column %q", line, column)
		why = fmt.Sprintf("%q: %s", value, why)
	}
	return fiscal.Refuse(fiscal.CodeBadValue, where, why)
}
