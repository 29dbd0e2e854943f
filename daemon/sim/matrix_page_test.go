package sim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kassad/fiscal"
)

// Where the parts of a whole matrix are kept, and the page with their table,
// between two marks.
const (
	matrixParts = "../../dist/matrix"
	proofPage   = "../../docs/proof.md"
	proofBegin  = "<!-- matrix -->"
	proofEnd    = "<!-- /matrix -->"
)

// matrixRow is a row of the table.
type matrixRow struct {
	Backend, Fault string
	Verb           fiscal.Verb
	Points         int
	Missed         int // points behind the end of the exchange
	Violations     int
	Ends           map[matrixEnd]int
	Held           map[fiscal.Code]int
}

// matrixPart is what one shard of a whole matrix has shown.
type matrixPart struct {
	Took time.Duration
	Rows []*matrixRow

	Parts, Of int // of a sum of parts
}

// part adds the cells up, in the order in which they are listed.
func (m *matrix) part() matrixPart {
	p := matrixPart{Took: m.took}
	for _, r := range m.results {
		row := &matrixRow{Backend: r.cell.backend, Fault: r.cell.fault, Verb: r.cell.verb, Points: 1, Ends: map[matrixEnd]int{r.end: 1}, Held: map[fiscal.Code]int{}}
		if r.end == endHeld {
			row.Held[r.held] = 1
		}
		if r.missed {
			row.Missed = 1
		}
		if len(r.violations) > 0 {
			row.Violations = 1
		}
		p.add(row)
	}
	return p
}

// add puts a row's figures to those of its kind.
func (p *matrixPart) add(row *matrixRow) {
	i := slices.IndexFunc(p.Rows, func(r *matrixRow) bool {
		return r.Backend == row.Backend && r.Verb == row.Verb && r.Fault == row.Fault
	})
	if i < 0 {
		p.Rows = append(p.Rows, row)
		return
	}
	sum := p.Rows[i]
	sum.Points, sum.Missed, sum.Violations = sum.Points+row.Points, sum.Missed+row.Missed, sum.Violations+row.Violations
	for end, n := range row.Ends {
		sum.Ends[end] += n
	}
	for code, n := range row.Held {
		sum.Held[code] += n
	}
}

// save keeps what this run has shown.
func (m *matrix) save() error {
	text, err := json.Marshal(m.part())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(matrixParts, 0o755); err != nil {
		return err
	}
	return os.WriteFile(partName(m.shard[0], m.shard[1]), text, 0o644)
}

func partName(i, n int) string { return filepath.Join(matrixParts, fmt.Sprintf("%d-of-%d.json", i, n)) }

// gather adds up those of n parts that have been run. lanes are the order of
// the rows.
func gather(n int, lanes map[string]int) (matrixPart, error) {
	all := matrixPart{Of: n}
	for i := range n {
		text, err := os.ReadFile(partName(i, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var p matrixPart
		if err = errors.Join(err, json.Unmarshal(text, &p)); err != nil {
			return all, fmt.Errorf("part %d: %w", i, err)
		}
		all.Parts++
		all.Took += p.Took
		for _, row := range p.Rows {
			all.add(row)
		}
	}
	lane := func(r *matrixRow) int { return lanes[string(r.Verb)+"/"+r.Backend] }
	slices.SortFunc(all.Rows, func(a, b *matrixRow) int {
		return cmp.Or(lane(a)-lane(b), strings.Compare(a.Fault, b.Fault))
	})
	return all, nil
}

// page is the table.
func (p *matrixPart) page() string {
	var table, held strings.Builder
	table.WriteString("| Backend | Command | Fault | Points | Done at once | Done, recovered | Rejected | Held | Violations |\n")
	table.WriteString("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	points, bad, missed := 0, 0, 0
	for _, r := range p.Rows {
		points, bad, missed = points+r.Points, bad+r.Violations, missed+r.Missed
		fmt.Fprintf(&table, "| %s | `%s` | %s | %d | %d | %d | %d | %d | %d |\n", r.Backend, r.Verb, r.Fault, r.Points,
			r.Ends[endOnce], r.Ends[endRecovered], r.Ends[endRejected], r.Ends[endHeld], r.Violations)
		for _, code := range slices.Sorted(maps.Keys(r.Held)) {
			fmt.Fprintf(&held, "- %s, `%s`, %s: `%s`, %d\n", r.Backend, r.Verb, r.Fault, code, r.Held[code])
		}
	}
	head := fmt.Sprintf("\nParts run: %d of %d. %d points, %d violations, %s. At %d points the exchange was over before the fault.\n\n", p.Parts, p.Of, points, bad, p.Took.Round(time.Second), missed)
	if held.Len() > 0 {
		return head + table.String() + "\nHeld for a person:\n\n" + held.String()
	}
	return head + table.String() + "\nNo point was held for a person.\n"
}

// write puts the table between the marks of a page.
func (p *matrixPart) write(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	begin, end := bytes.Index(text, []byte(proofBegin)), bytes.Index(text, []byte(proofEnd))
	if begin < 0 || end < begin {
		return fmt.Errorf("%s has no %s … %s", name, proofBegin, proofEnd)
	}
	out := slices.Concat(text[:begin+len(proofBegin)], []byte("\n"+p.page()+"\n"), text[end:])
	return os.WriteFile(name, out, 0o644)
}
