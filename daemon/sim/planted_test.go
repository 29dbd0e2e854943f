package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Flags of make planted.
var (
	plantedNames = flag.String("planted", "", "all, or bugs by comma")
	plantedJobs  = flag.Int("planted.jobs", 2, "worlds at once")
	plantedSeeds = flag.Int("planted.seeds", 200, "how many worlds a bug may survive")
	plantedPage  = flag.Bool("planted.page", false, "write the table into docs/proof.md")
)

// plantedHours are lived with faults in each world of a hunt.
const plantedHours = 6

// plantedEdit is one change of the product.
type plantedEdit struct{ file, was, becomes string }

// plantedBug is a small change of the product that the simulation must notice.
type plantedBug struct {
	name, what string
	edits      []plantedEdit
}

// readPlanted reads the bugs. Each is a file: what it is, and for every edit
// the file, the text that stands there, and what becomes of it.
func readPlanted(t *testing.T) (list []plantedBug) {
	t.Helper()
	files, err := filepath.Glob("testdata/planted/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no planted bugs: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut(string(text), "\n=== ")
		b := plantedBug{name: strings.TrimSuffix(filepath.Base(name), ".txt"), what: strings.TrimPrefix(head, "bug: ")}
		for _, part := range strings.Split("\n"+rest, "\n=== ") {
			part = strings.TrimPrefix(part, "\n")
			file, texts, ok1 := strings.Cut(part, "\n--- was\n")
			was, becomes, ok2 := strings.Cut(texts, "\n--- becomes\n")
			if !ok1 || !ok2 {
				t.Fatalf("%s: %q is no edit", name, part)
			}
			b.edits = append(b.edits, plantedEdit{file, was, strings.TrimSuffix(becomes, "\n")})
		}
		list = append(list, b)
	}
	return list
}

// root is where the module is, seen from the tests of this package.
const root = "../.."

// apply makes the changed files. An edit that does not fit exactly once is an
// error: the code has moved, and the bug has to move with it.
func (b plantedBug) apply() (changed map[string]string, err error) {
	changed = map[string]string{}
	for _, e := range b.edits {
		text, ok := changed[e.file]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.was); n != 1 {
			return nil, fmt.Errorf("planted bug %s: its place in %s is there %d times, want once; bring testdata/planted/%s.txt up to date", b.name, e.file, n, b.name)
		}
		changed[e.file] = strings.Replace(text, e.was, e.becomes, 1)
	}
	return changed, nil
}

// TestPlantedFit holds the bugs against the code as it is now.
func TestPlantedFit(t *testing.T) {
	t.Parallel()
	list := readPlanted(t)
	if len(list) < 20 {
		t.Errorf("%d planted bugs, want at least 20", len(list))
	}
	for _, b := range list {
		if _, err := b.apply(); err != nil {
			t.Error(err)
		}
	}
}

// build compiles the tests of this package with the bug in.
func (b plantedBug) build(t *testing.T) (binary string, err error) {
	changed, err := b.apply()
	if err != nil {
		return "", err
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for file, text := range changed {
		abs, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		replace[abs] = filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(replace[abs], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "sim.test")
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
}

// plantedResult is a row of the table.
type plantedResult struct {
	Name, What, Where string
	Seeds             int // needed; 0: not caught
	Seed              uint64
	Violation         string
}

// hunt lives worlds with the bug until one of them goes wrong.
func (b plantedBug) hunt(t *testing.T) plantedResult {
	r := plantedResult{Name: b.name, What: b.what, Where: b.edits[0].file}
	binary, err := b.build(t)
	if err != nil {
		t.Errorf("%s: %v", b.name, err)
		return r
	}
	tried := 0
	liveMany(t.Context(), binary, 1, *plantedSeeds, *plantedJobs, plantedHours, "", func(run worldRun) bool {
		if tried++; !run.failed() {
			return true
		}
		r.Seeds, r.Seed = tried, run.Seed
		if r.Violation = fmt.Sprint(run.err); len(run.Violations) > 0 {
			r.Violation = run.Violations[0]
		}
		return false
	})
	return r
}

// TestPlanted hunts the bugs (make planted).
func TestPlanted(t *testing.T) {
	if *plantedNames == "" {
		return
	}
	wanted := strings.Split(*plantedNames, ",")
	var rows []plantedResult
	for _, b := range readPlanted(t) {
		if *plantedNames != "all" && !slices.Contains(wanted, b.name) {
			continue
		}
		began := time.Now()
		r := b.hunt(t)
		rows = append(rows, r)
		fmt.Printf("%-32s %4d seeds  %6s  %s\n", r.Name, r.Seeds, time.Since(began).Round(time.Second), r.Violation)
		if r.Seeds == 0 {
			t.Errorf("%s (%s) was not caught by %d seeds", b.name, b.what, *plantedSeeds)
		}
	}
	if *plantedPage {
		writeProof(t, "planted", plantedTable(rows))
	}
}

func plantedTable(rows []plantedResult) string {
	var s strings.Builder
	s.WriteString("| Bug | Where | Seeds needed | What was violated |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		seeds := fmt.Sprint(r.Seeds)
		if r.Seeds == 0 {
			seeds = "**not caught**"
		}
		fmt.Fprintf(&s, "| %s: %s | `%s` | %s | %s |\n", r.Name, r.What, r.Where, seeds, strings.ReplaceAll(r.Violation, "|", "/"))
	}
	return s.String()
}

// writeProof puts text between the markers of a section of docs/proof.md.
func writeProof(t *testing.T, section, text string) {
	t.Helper()
	page := filepath.Join(root, "docs", "proof.md")
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+section+" -->", "<!-- /"+section+" -->"
	before, rest, ok1 := strings.Cut(string(raw), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("docs/proof.md has no section %s", section)
	}
	if err := os.WriteFile(page, []byte(before+begin+"\n\n"+text+"\n"+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
