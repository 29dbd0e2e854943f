package kassad_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var fuzzer = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(`)

// TestFuzzersAreListed holds the table of docs/testing.md against the code, in
// both directions.
func TestFuzzersAreListed(t *testing.T) {
	page, err := os.ReadFile("docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		for name := range strings.FieldsFuncSeq(cells[3], func(r rune) bool { return strings.ContainsRune(" ,`", r) }) {
			if strings.HasPrefix(name, "Fuzz") && name != "Fuzzer" {
				listed[strings.Trim(cells[2], " `")+" "+name] = true
			}
		}
	}
	for name := range fuzzers(t) {
		if !listed[name] {
			t.Errorf("docs/testing.md lacks %s", name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("docs/testing.md lists %s, which is not there", name)
	}
}

// fuzzers are "package FuzzName" of the module.
func fuzzers(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte("testing.F")) {
			return err
		}
		for _, m := range fuzzer.FindAllSubmatch(text, -1) {
			found[path.Dir(filepath.ToSlash(name))+" "+string(m[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no fuzzers")
	}
	return found
}
