package sim

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"kassad/fiscal"
)

// proofPage is the page with the table, between two marks.
const (
	proofPage  = "../../docs/proof.md"
	proofBegin = "<!-- matrix -->"
	proofEnd   = "<!-- /matrix -->"
)

// matrixRow is a row of the table.
type matrixRow struct {
	backend, fault string
	verb           fiscal.Verb
	points         int
	violations     int
	ends           map[matrixEnd]int
}

// rows adds the cells up, in the order in which they are listed.
func (m *matrix) rows() (rows []*matrixRow) {
	index := map[string]*matrixRow{}
	for _, c := range m.cells {
		key := c.lane() + c.fault
		if index[key] == nil {
			index[key] = &matrixRow{backend: c.backend, fault: c.fault, verb: c.verb, ends: map[matrixEnd]int{}}
			rows = append(rows, index[key])
		}
	}
	for _, r := range m.results {
		row := index[r.cell.lane()+r.cell.fault]
		row.points++
		row.ends[r.end]++
		if len(r.violations) > 0 {
			row.violations++
		}
	}
	return rows
}

// heldReasons counts the cells that a person would have to decide.
func (m *matrix) heldReasons() []string {
	n := map[string]int{}
	for _, r := range m.results {
		if r.end == endHeld {
			n[fmt.Sprintf("%s, %s, %s: `%s`", r.cell.backend, r.cell.verb, r.cell.fault, r.held)]++
		}
	}
	var list []string
	for what, count := range n {
		list = append(list, fmt.Sprintf("- %s, %d", what, count))
	}
	slices.Sort(list)
	return list
}

func (m *matrix) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d cells, %d violations, %s on %d processors.\n\n", len(m.results), m.bad, m.took.Round(time.Second), runtime.GOMAXPROCS(0))
	b.WriteString("| Backend | Command | Fault | Points | Done at once | Done, recovered | Rejected | Held | Violations |\n")
	b.WriteString("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, r := range m.rows() {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %d | %d | %d | %d | %d | %d |\n", r.backend, r.verb, r.fault, r.points,
			r.ends[endOnce], r.ends[endRecovered], r.ends[endRejected], r.ends[endHeld], r.violations)
	}
	if held := m.heldReasons(); len(held) > 0 {
		b.WriteString("\nHeld for a person:\n\n" + strings.Join(held, "\n") + "\n")
	}
	return b.String()
}

// write puts the table between the marks of a page.
func (m *matrix) write(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	begin, end := bytes.Index(text, []byte(proofBegin)), bytes.Index(text, []byte(proofEnd))
	if begin < 0 || end < begin {
		return fmt.Errorf("%s has no %s … %s", name, proofBegin, proofEnd)
	}
	out := slices.Concat(text[:begin+len(proofBegin)], []byte("\n"+m.page()), text[end:])
	return os.WriteFile(name, out, 0o600)
}
