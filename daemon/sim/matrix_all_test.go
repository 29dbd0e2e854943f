package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// matrixBatch is how many cells a shop lives through at most. Its clock moves
// on by minutes with each, and a shift has 24 hours.
const matrixBatch = 40

// matrixEcho is how many cells pass between two lines of progress.
const matrixEcho = 2000

// matrix is a run of the matrix.
type matrix struct {
	chosen   string // -matrix
	shard    [2]int // i of n
	sizes    map[string]map[string]int64
	lanes    map[string]int // the order of rows
	cells    []matrixCell
	took     time.Duration
	backends []*matrixBackend

	mu      sync.Mutex
	results []matrixResult
	bad     int
}

func newMatrix(t *testing.T) *matrix {
	m := &matrix{chosen: *matrixFlag, shard: [2]int{0, 1}, sizes: map[string]map[string]int64{}, lanes: map[string]int{}, backends: matrixBackends()}
	if s := os.Getenv("MATRIX_SHARD"); s != "" {
		if n, err := fmt.Sscanf(s, "%d/%d", &m.shard[0], &m.shard[1]); n != 2 || err != nil || m.shard[1] < 1 || m.shard[0] < 0 || m.shard[0] >= m.shard[1] {
			t.Fatalf("MATRIX_SHARD is i/n with 0 <= i < n, not %q", s)
		}
		progress("matrix: shard %s", s)
	}
	for _, backend := range m.backends {
		for _, o := range backend.orders {
			lane := matrixCell{verb: o.verb, backend: backend.name}.lane()
			if !m.wanted(lane) {
				continue
			}
			m.lanes[lane] = len(m.lanes)
			m.measure(t, backend, o, lane)
			m.cells = append(m.cells, m.of(backend, o)...)
		}
	}
	m.choose()
	return m
}

// whole tells whether the cells of all names were chosen.
func (m *matrix) whole() bool { return m.chosen == "all" || m.chosen == "part" }

// wanted tells whether cells of a lane may have been chosen.
func (m *matrix) wanted(lane string) bool {
	return m.chosen == "" || m.whole() || strings.HasPrefix(lane, m.chosen) || strings.HasPrefix(m.chosen, lane)
}

// measure counts the bytes of a clean run, the longest of a few: ids and times
// differ.
func (m *matrix) measure(t *testing.T, backend *matrixBackend, o matrixOrder, lane string) {
	t.Helper()
	sizes := map[string]int64{}
	m.sizes[lane] = sizes
	onBench(t, backend, slog.New(slog.DiscardHandler), func(b *matrixBench) {
		for _, place := range []string{placeOut, placeAgainOut, placeOut, placeAgainOut} {
			counted, err := b.count(o, place)
			if err != nil {
				t.Fatalf("%s: %v", lane, err)
			}
			for place, n := range counted {
				sizes[place] = max(sizes[place], n)
			}
		}
	})
	// What follows on a new connection is what passes on an old one.
	sizes[placeAgainOut] -= sizes[placeOut]
	sizes[placeAgainIn] -= sizes[placeIn]
}

// of lists the cells of one command.
func (m *matrix) of(backend *matrixBackend, o matrixOrder) (cells []matrixCell) {
	c := matrixCell{verb: o.verb, backend: backend.name}
	for _, fault := range backend.faults {
		c.fault = fault.name
		for _, place := range fault.places {
			c.place = place
			n := m.sizes[c.lane()][place]
			for k := range n {
				c.k = k + firstOf(place)
				cells = append(cells, c)
			}
		}
	}
	return cells
}

func firstOf(place string) int64 {
	if place == placeDisk {
		return 1
	}
	return 0
}

// choose leaves what this run is about.
func (m *matrix) choose() {
	kept := m.cells[:0]
	for i, c := range m.cells {
		switch {
		case m.chosen == "" && i%matrixEvery != 0:
		case m.chosen != "" && !m.whole() && !strings.HasPrefix(c.String(), m.chosen):
		case i%m.shard[1] != m.shard[0]:
		default:
			kept = append(kept, c)
		}
	}
	m.cells = kept
}

// batches are the cells that share a shop.
func (m *matrix) batches() (list [][]matrixCell) {
	for begin := 0; begin < len(m.cells); {
		end := begin + 1
		for end < len(m.cells) && end-begin < matrixBatch && m.cells[end].lane() == m.cells[begin].lane() {
			end++
		}
		list = append(list, m.cells[begin:end])
		begin = end
	}
	return list
}

// runBatch runs cells one after the other; whatever spoils a shop, the next
// cell has a new one.
func (m *matrix) runBatch(t *testing.T, cells []matrixCell) {
	for len(cells) > 0 {
		ran := 0
		onBench(t, matrixBackendOf(cells[0].backend), slog.New(slog.DiscardHandler), func(b *matrixBench) {
			for _, c := range cells {
				r, err := b.run(c)
				ran++
				if err != nil && !errors.Is(err, errUsedUp) {
					r.violations = append(r.violations, err.Error())
				}
				m.note(t, r)
				if err != nil || len(r.violations) > 0 {
					return
				}
			}
		})
		cells = cells[max(ran, 1):]
	}
}

func (m *matrix) note(t *testing.T, r matrixResult) {
	m.mu.Lock()
	m.results = append(m.results, r)
	n := len(m.results)
	if len(r.violations) > 0 {
		m.bad++
	}
	bad := m.bad
	m.mu.Unlock()
	for _, v := range r.violations {
		t.Errorf("%s: %s", r.cell, v)
	}
	if len(r.violations) > 0 {
		t.Errorf("alone: %s", r.cell.command())
	}
	if len(r.violations) > 0 && m.chosen != "" {
		progress("matrix: %s: %s", r.cell.command(), r.violations[0]) // the test tells only at its end
	}
	if m.chosen != "" && n%matrixEcho == 0 {
		progress("matrix: %d of %d cells, %d with violations", n, len(m.cells), bad)
	}
}

// finish wants what was promised of all cells together, and writes the table of
// a whole run.
func (m *matrix) finish(t *testing.T) {
	ends, missed := map[matrixEnd]int{}, 0
	for _, r := range m.results {
		ends[r.end]++
		if r.missed {
			missed++
			t.Logf("%s: the command was over before it", r.cell)
		}
	}
	t.Logf("%d cells in %s, %d with violations, %d not reached: %v", len(m.results), m.took.Round(time.Second), m.bad, missed, ends)
	// Ids and times differ in length, and the daemon's own messages come when
	// they come; a cell behind the end of its exchange proves nothing.
	if missed*100 > len(m.results) {
		t.Errorf("%d of %d cells were not reached", missed, len(m.results))
	}
	if m.chosen != "all" || t.Failed() {
		return
	}
	if err := m.save(); err != nil {
		t.Fatal(err)
	}
	all, err := gather(m.shard[1], m.lanes)
	if err == nil {
		err = all.write(proofPage)
	}
	if err != nil {
		t.Error(err)
	}
}
