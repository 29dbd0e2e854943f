package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample is a package with a bit of everything that is mutated.
const sample = `package sample

type record struct{ state, waiting string }

func (r record) next(n int, late bool) (record, []string) {
	if n > 3 && late {
		r.state, r.waiting = "held", ""
		return r, []string{"save", "wake"}
	}
	switch n {
	case 1, 2:
		return r.next(n+2, late)
	}
	for range n {
		if !late {
			break
		}
	}
	return r, nil
}

func unseen(a, b int) int { return max(a, b) }
`

func TestOperators(t *testing.T) {
	t.Parallel()
	found, err := mutantsOf("p/sample.go", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range found {
		got = append(got, m.id())
		if text := sample[m.from:m.to]; text == m.text {
			t.Errorf("%s changes nothing", m)
		}
	}
	for _, want := range []string{
		"p/sample.go next: n > 3 && late becomes !(n > 3 && late)", "p/sample.go next: n > 3 && late becomes (late)", "p/sample.go next: n > 3 becomes n >= 3",
		"p/sample.go next: 3 becomes 4", "p/sample.go next: r.state, r.waiting = \"held\", \"\" becomes r.waiting = \"\"",
		"p/sample.go next: drop r.state, r.waiting = \"held\", \"\"", "p/sample.go next: \"save\", \"wake\" becomes \"wake\", \"save\"", "p/sample.go next: drop \"save\",",
		"p/sample.go next: drop case 1, 2: return r.next(n+2, late)", "p/sample.go next: 1, 2 becomes 2", "p/sample.go next: r.next(n+2, late) becomes r, nil",
		"p/sample.go next: n+2 becomes n - 2", "p/sample.go next: !late becomes late", "p/sample.go next: break becomes continue", "p/sample.go unseen: max becomes min",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no mutant %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// module writes a module of one package into a folder.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestMeasure runs the whole tool over a package of which every verdict is
// known, and leaves its files alone.
func TestMeasure(t *testing.T) {
	files := map[string]string{
		"go.mod": "module sample\n\ngo 1.26\n",
		"a.go": `package sample

func tested(n int) bool { return n == 0 }

func loops(n int) (steps int) {
	for n > 0 {
		n--
		steps = 1
	}
	return steps
}

func untested(n int) bool { return n != 0 }

func notRun(ok bool) int {
	if ok {
		return 5
	}
	return 0
}
`,
		"a_test.go": `package sample

import "testing"

func TestAll(t *testing.T) {
	if !tested(0) || tested(1) || loops(2) != 1 {
		t.Fatal()
	}
	untested(1)
	notRun(false)
}
`,
		"known.txt": "# mutants that change nothing\na.go untested: n != 0 becomes n == 0 | nobody asks\n",
	}
	dir := module(t, files)
	t.Chdir(dir)
	var out strings.Builder
	if err := measure(t.Context(), options{pkg: ".", files: "*.go", known: "known.txt", quick: true, timeout: 2 * time.Second, workers: 2}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"timed out  a.go:7 loops: drop n--", "equivalent a.go:13 untested: n != 0 becomes n == 0 (nobody asks)", "not run    a.go:17 notRun: 5 becomes 6", "survived   a.go:13 untested: 0 becomes 1",
	} {
		if !strings.Contains(out.String(), want+"\n") {
			t.Errorf("the report lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), " tested: n == 0") {
		t.Errorf("a mutant lives that is tested:\n%s", &out)
	}
	for name, text := range files {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != text {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
	report := filepath.Join(dir, "report.txt")
	if err := os.WriteFile(report, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	o := options{pkg: ".", files: "*.go", list: true, again: report}
	if err := measure(t.Context(), o, &out); err != nil || strings.Contains(out.String(), " tested: n == 0") || !strings.Contains(out.String(), "loops: drop n--") {
		t.Errorf("%v: again:\n%s", err, &out)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMeasureRefuses(t *testing.T) {
	dir := module(t, map[string]string{
		"go.mod": "module sample\n\ngo 1.26\n", "a.go": "package sample\n\nfunc f() int { return 1 + 1 }\n",
		"a_test.go": "package sample\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) { t.Fatal(f()) }\n", "bad.txt": "no reason\n",
	})
	t.Chdir(dir)
	for name, o := range map[string]options{
		"tests that fail":   {pkg: ".", files: "*.go"},
		"no such file":      {pkg: ".", files: "b*.go"},
		"no such package":   {pkg: "./nowhere", files: "*.go"},
		"a list unreadable": {pkg: ".", files: "*.go", known: "bad.txt"},
	} {
		var out strings.Builder
		if err := measure(t.Context(), o, &out); err == nil {
			t.Errorf("%s: no error:\n%s", name, &out)
		}
	}
}
