package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// worldSum is the sum of many worlds: what docs/proof.md tells.
type worldSum struct {
	Commit      string
	From, Seeds int
	Hours       int // with faults, each
	ShopHours   float64
	Receipts    int
	Counts      map[string]int `json:",omitempty"` // what happened, by name
	Failed      []uint64       `json:",omitempty"`
	Slowest     float64        // virtual hours to settle
	RealMinutes float64
	Replayed    int
}

func (s *worldSum) add(r worldRun) {
	s.Seeds++
	s.ShopHours += r.Hours
	s.Receipts += r.Receipts
	for k, n := range r.Counts {
		s.Counts[k] += n
	}
	s.Slowest = max(s.Slowest, r.Settled)
	if r.failed() {
		s.Failed = append(s.Failed, r.Seed)
	}
}

func (s *worldSum) String() string {
	var faults []string
	for _, k := range slices.Sorted(maps.Keys(s.Counts)) {
		faults = append(faults, fmt.Sprintf("%s %d", k, s.Counts[k]))
	}
	return fmt.Sprintf("%d seeds, %.0f shop-hours, %d receipts, %d failed, settled within %.1f h, %.0f shop-hours a minute\nfaults: %s",
		s.Seeds, s.ShopHours, s.Receipts, len(s.Failed), s.Slowest, s.ShopHours/max(s.RealMinutes, 0.001), strings.Join(faults, ", "))
}

// worldBook is all runs that are kept, in the order of their seeds.
type worldBook struct {
	Runs []worldSum
	// Earlier is what the runs that tell no counts of their own had together.
	Earlier worldSum
}

// worldBookFile holds the runs that docs/proof.md is the sum of.
var worldBookFile = filepath.Join(root, "docs", "proof.json")

func readWorldBook() (book worldBook, err error) {
	text, err := os.ReadFile(worldBookFile)
	if err == nil {
		err = json.Unmarshal(text, &book)
	}
	return book, err
}

// keep adds a run. A run over the same seeds takes the place of an older one.
func (b *worldBook) keep(run worldSum) {
	b.Runs = append(slices.DeleteFunc(b.Runs, func(s worldSum) bool { return s.From == run.From }), run)
	slices.SortFunc(b.Runs, func(x, y worldSum) int { return x.From - y.From })
}

func (b *worldBook) write() error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(worldBookFile, append(text, '\n'), 0o644)
}

// page is the section of docs/proof.md: the runs, and their sum.
func (b *worldBook) page() string {
	var out strings.Builder
	out.WriteString("| Run | Commit | Shop-hours | Commands that became receipts | Violations | Shop-hours a minute |\n| --- | --- | ---: | ---: | ---: | ---: |\n")
	all := worldSum{Counts: maps.Clone(b.Earlier.Counts), Slowest: b.Earlier.Slowest, Replayed: b.Earlier.Replayed}
	for _, s := range b.Runs {
		fmt.Fprintf(&out, "| `make sim SEEDS=%d HOURS=%d FROM=%d` | %s | %.0f | %d | %d | %.0f |\n",
			s.Seeds, s.Hours, s.From, s.Commit, s.ShopHours, s.Receipts, len(s.Failed), s.ShopHours/max(s.RealMinutes, 0.001))
		all.Seeds, all.ShopHours, all.Receipts = all.Seeds+s.Seeds, all.ShopHours+s.ShopHours, all.Receipts+s.Receipts
		all.Failed, all.Replayed, all.RealMinutes = append(all.Failed, s.Failed...), all.Replayed+s.Replayed, all.RealMinutes+s.RealMinutes
		all.Slowest = max(all.Slowest, s.Slowest)
		for k, n := range s.Counts {
			all.Counts[k] += n
		}
	}
	fmt.Fprintf(&out, "| **together, %d seeds** | | **%.0f** | **%d** | **%d** | **%.0f** |\n\n",
		all.Seeds, all.ShopHours, all.Receipts, len(all.Failed), all.ShopHours/max(all.RealMinutes, 0.001))
	fmt.Fprintf(&out, "Longest time from the last fault to the last final state: %.1f virtual hours. Seeds lived twice and equal to the byte: %d.\n\n", all.Slowest, all.Replayed)
	out.WriteString("| What happened | Times |\n| --- | ---: |\n")
	for _, k := range slices.Sorted(maps.Keys(all.Counts)) {
		fmt.Fprintf(&out, "| %s | %d |\n", k, all.Counts[k])
	}
	return out.String()
}
