package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kassad/daemon"
	"kassad/devices/bifit"
	"kassad/fiscal"
)

// pages are all pages for readers, with their text, by path from here.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range append(names, "../README.md", "../README.ru.md", "../CHANGELOG.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

// blocks splits a page into prose and the fenced blocks of one language.
func blocks(page, language string) (prose string, fenced []string) {
	for i, part := range strings.Split("\n"+page, "\n```") {
		if i%2 == 0 {
			prose += part
			continue
		}
		if info, body, _ := strings.Cut(part, "\n"); info == language {
			fenced = append(fenced, body)
		}
	}
	return prose, fenced
}

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the places of a page as code hosts name them.
func anchors(page string) (found []string) {
	prose, _ := blocks(page, "")
	for _, m := range headingPattern.FindAllStringSubmatch(prose, -1) {
		found = append(found, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return found
}

// TestCommandsInBothLanguages: the commands of an installation, which tests of
// the packages run, are the same in both.
func TestCommandsInBothLanguages(t *testing.T) {
	t.Parallel()
	all := pages(t)
	tagged := regexp.MustCompile("(?ms)^```(sh [a-z-]+)\n(.*?)^```$")
	english := tagged.FindAllString(all["../README.md"], -1)
	if russian := tagged.FindAllString(all["../README.ru.md"], -1); len(english) == 0 || !slices.Equal(english, russian) {
		t.Errorf("README.md has %q, README.ru.md %q", english, russian)
	}
}

// TestLinks follows every link between the pages and into the tree.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name, text := range all {
		prose, _ := blocks(text, "")
		for _, m := range linkPattern.FindAllStringSubmatch(prose, -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			} else if anchor != "" && !slices.Contains(anchors(all[target]), anchor) {
				t.Errorf("%s: %s has no heading #%s", name, target, anchor)
			}
		}
	}
}

// keys lists the keys of a configuration and of everything in it.
func keys(t reflect.Type) (found []string) {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return keys(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	for f := range t.Fields() {
		if key := f.Tag.Get("toml"); key != "" {
			found = append(found, key)
		} else if !f.Anonymous {
			continue
		}
		found = append(found, keys(f.Type)...)
	}
	return found
}

// TestConfigReference wants every key of the configuration in operations.md,
// and those of a service on its own page, too.
func TestConfigReference(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for page, config := range map[string]reflect.Type{
		"operations.md": reflect.TypeFor[daemon.Config](),
		"lifepay.md":    reflect.TypeFor[daemon.LifePayConfig](),
		"bifit.md":      reflect.TypeFor[daemon.BIFITConfig](),
		"routes.md":     reflect.TypeFor[daemon.RouteConfig](),
	} {
		text := all["../docs/"+page]
		found := keys(config)
		if len(found) < 4 {
			t.Errorf("%s: only the keys %q", page, found)
		}
		for _, key := range found {
			if !strings.Contains(text, "`"+key+"`") && !strings.Contains(text, "["+key+"]") && !strings.Contains(text, "["+key+".") {
				t.Errorf("%s does not explain %q", page, key)
			}
		}
	}
}

// TestTokens holds the table of words in bifit.md against the driver's: key,
// word and how sure it is.
func TestTokens(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, row := range strings.Split(pages(t)["../docs/bifit.md"], "\n") {
		cells := strings.Split(row, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		shown[strings.Join(cells, "|")] = true
	}
	for _, token := range bifit.Tokens() {
		value := "`" + token.Value + "`"
		if token.Value == "" {
			value = "–"
		}
		if row := "|`" + token.Key + "`|" + value + "|" + string(token.Mark) + "|"; !shown[row] {
			t.Errorf("bifit.md has no row %s", row)
		}
	}
}

// TestConfigExamples reads every configuration that a page shows.
func TestConfigExamples(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		_, examples := blocks(text, "toml")
		for _, example := range examples {
			c, err := daemon.ParseConfig([]byte(example))
			if err == nil && strings.Contains(name, "README") {
				c.DataDir = t.TempDir()
				err = c.Validate()
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, example)
			}
		}
	}
}

// TestAlertsAreKnown holds the first column of the table of alerts against the
// table of codes.
func TestAlertsAreKnown(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(pages(t)["../docs/operations.md"], "| Code ")
	table, _, _ := strings.Cut(rest, "\n\n")
	if !found {
		t.Fatal("operations.md has no table of alerts")
	}
	for _, row := range strings.Split(table, "\n")[2:] {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), "|")
		for _, code := range strings.Fields(first) {
			if code = strings.Trim(code, "`"); fiscal.Code(code).Info().Code == "" {
				t.Errorf("there is no code %q", code)
			}
		}
	}
}

var testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")

// TestNamedTestsExist: a page that names a test as its proof names one that
// there is, and each moment of failure has one.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	known := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range pages(t) {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	}
	inTable, moments := false, 0
	for row := range strings.Lines(pages(t)["../docs/recovery.md"]) {
		switch {
		case strings.HasPrefix(row, "| Moment "):
			inTable = true
		case !strings.HasPrefix(row, "|"):
			inTable = false
		case inTable && !strings.HasPrefix(row, "| -"):
			if moments++; !testName.MatchString(row) {
				t.Errorf("recovery.md: no test for %s", row)
			}
		}
	}
	if moments < 20 {
		t.Errorf("recovery.md has %d moments", moments)
	}
}
