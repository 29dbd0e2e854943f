package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Formats of times for people, in the computer's own zone.
const (
	shortTime = "02.01 15:04"
	clockTime = "15:04:05"
)

// columnGap is the space between two columns.
const columnGap = 2

// table prints aligned columns under a header.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, header ...string) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, columnGap, ' ', 0)}
	t.row(header...)
	return t
}

// row adds a line; a cell cannot break the table, nor steer the screen.
func (t *table) row(cells ...string) {
	clean := make([]string, len(cells))
	for i, c := range cells {
		if c == "" {
			c = "-"
		}
		clean[i] = strings.Map(visible, c)
	}
	fmt.Fprintln(t.w, strings.Join(clean, "\t"))
}

// visible puts a space in the place of a control character: names of devices
// come from outside.
func visible(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

func (t *table) flush() error { return t.w.Flush() }

// printJSON prints v indented, with & and < as they are: QR texts have them.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// local prints a time for people; nothing if there is none.
func local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(shortTime)
}

// yesNo is a bool in a table.
func yesNo(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

// writeAddress tells a script where something listens. The file appears whole
// or not at all, so that its appearance is the sign that the port is open.
func writeAddress(path, address string) error {
	if path == "" {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("address file: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails when the rename took it away
	if _, err := fmt.Fprintln(tmp, address); err != nil {
		tmp.Close()
		return fmt.Errorf("address file: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("address file: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("address file: %w", err)
	}
	return nil
}
