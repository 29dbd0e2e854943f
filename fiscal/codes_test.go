package fiscal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// declaredCodes reads the constants of codes.go, so that none can be forgotten
// in the table.
func declaredCodes(t *testing.T) []Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		word, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, Code(word))
		return true
	})
	return codes
}

func TestEveryCodeHasARow(t *testing.T) {
	t.Parallel()
	declared := declaredCodes(t)
	if len(declared) < 50 {
		t.Fatalf("only %d codes found in codes.go", len(declared))
	}
	for _, c := range declared {
		if c.Info().Code != c {
			t.Errorf("%s has no row", c)
		}
	}
	if len(declared) != len(infos) {
		t.Errorf("codes.go declares %d codes, the table has %d", len(declared), len(infos))
	}
}

func TestRowsAreComplete(t *testing.T) {
	t.Parallel()
	kebab, cyrillic := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`), regexp.MustCompile(`[а-яё]`)
	for _, row := range Codes() {
		if !kebab.MatchString(string(row.Code)) {
			t.Errorf("%q is not kebab-case", row.Code)
		}
		if row.Nature < Content || row.Nature > Notice {
			t.Errorf("%s: nature %d", row.Code, row.Nature)
		}
		if !cyrillic.MatchString(row.Russian) || !strings.HasSuffix(row.Russian, ".") {
			t.Errorf("%s: Russian text %q", row.Code, row.Russian)
		}
		for _, s := range []string{row.English, row.Action} {
			if s == "" || cyrillic.MatchString(s) || strings.HasSuffix(s, ".") {
				t.Errorf("%s: English text %q", row.Code, s)
			}
		}
	}
}

func TestContractCodes(t *testing.T) {
	t.Parallel()
	const contract = `bad-json unknown-field bad-value too-long not-encodable payments-short noncash-over-total empty
		too-large too-old retained expired no-right unknown-terminal unknown-verb unknown-device unknown-route unsupported
		marking-unsupported id-conflict busy not-found not-begun-only condition paper-out cover-open printer-away printer-busy
		printer-fault shift-closed shift-expired clock-wrong fn-full fn-expired fn-missing fn-fault ofd-overdue no-cash
		foreign-receipt closed-by-other other-storage needs-person`
	for _, word := range strings.Fields(contract) {
		if Code(word).Info().Code == "" {
			t.Errorf("the contract names %s, the table does not", word)
		}
	}
	if rows := Codes(); !slices.IsSortedFunc(rows, func(a, b CodeInfo) int { return strings.Compare(string(a.Code), string(b.Code)) }) {
		t.Error("Codes is not sorted")
	}
}
