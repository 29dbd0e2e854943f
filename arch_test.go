// Package kassad_test keeps the shape of the module: which package may import
// which, and what no package may do.
package kassad_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "kassad/"

// forbidden lists, for each folder, what the code in it must not import. It is
// the picture of docs/architecture.md as a test.
var forbidden = map[string][]string{
	"fiscal":            {"spool", "devices", "mqtt", "daemon", "cmd", "net", "os"},
	"spool":             {"devices", "mqtt", "daemon", "cmd", "net"},
	"devices":           {"spool", "mqtt", "daemon", "cmd"},
	"devices/link":      {"fiscal"},
	"devices/detect":    {"fiscal", "devices/emul", "devices/web", "devices/lifepay", "devices/bifit"},
	"devices/web":       {"devices/link", "devices/shtrih"},
	"devices/shtrih":    {"devices/emul", "devices/lifepay", "devices/bifit", "devices/web"},
	"devices/lifepay":   {"devices/emul", "devices/bifit", "devices/shtrih", "devices/link"},
	"devices/bifit":     {"devices/emul", "devices/lifepay", "devices/shtrih", "devices/link"},
	"devices/emul":      {"devices/shtrih", "devices/lifepay", "devices/bifit", "devices/web", "devices/link"},
	"mqtt":              {"spool", "devices", "daemon", "cmd"},
	"daemon":            {"cmd"},
	"daemon/service":    {"fiscal", "spool", "devices", "mqtt"},
	"daemon/enrol":      {"fiscal", "spool", "devices", "mqtt"},
	"daemon/localca":    {"fiscal", "spool", "devices", "mqtt"},
	"daemon/secretfile": {"fiscal", "spool", "devices", "mqtt"},
	"owner":             {"fiscal", "spool", "devices", "mqtt", "daemon", "cmd"},
	"filelock":          {"fiscal", "spool", "devices", "mqtt", "daemon", "cmd"},
	"packaging":         {"fiscal", "spool", "devices", "mqtt", "daemon", "cmd"},
	"tools":             {"fiscal", "spool", "devices", "mqtt", "daemon", "cmd"},
}

// emulators may be imported by the emulated shop, the binary and tests only.
var emulatorUsers = []string{"daemon/sim", "cmd", "devices/emul"}

func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// sources calls visit for every Go file of the module that is no test.
func sources(t *testing.T, visit func(name string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(name), f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImports(t *testing.T) {
	sources(t, func(name string, f *ast.File) {
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			imp = strings.TrimPrefix(imp, module)
			for dir, bad := range forbidden {
				for _, b := range bad {
					if under(path.Dir(name), dir) && under(imp, b) {
						t.Errorf("%s must not import %s", name, imp)
					}
				}
			}
			if under(imp, "spool/spooltest") && !under(path.Dir(name), "daemon/sim") {
				t.Errorf("%s must not import %s: a failing disk serves tests", name, imp)
			}
			if under(imp, "devices/emul") && !anyUnder(path.Dir(name), emulatorUsers) {
				t.Errorf("%s must not import %s: emulators serve the demo and tests", name, imp)
			}
		}
	})
}

func anyUnder(p string, dirs []string) bool {
	for _, d := range dirs {
		if under(p, d) {
			return true
		}
	}
	return false
}

// TestCalls refuses what makes code untestable or unstoppable outside cmd.
func TestCalls(t *testing.T) {
	banned := map[string]string{
		"os.Exit": "return an error", "log.Fatal": "return an error", "log.Fatalf": "return an error",
		"fmt.Print": "write to the writer you were given", "fmt.Println": "write to the writer you were given",
		"fmt.Printf": "write to the writer you were given", "time.Sleep": "use a timer that the context can stop",
	}
	sources(t, func(name string, f *ast.File) {
		if under(name, "cmd") || under(name, "tools") { // binaries
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok {
					if instead, bad := banned[x.Name+"."+sel.Sel.Name]; bad {
						t.Errorf("%s calls %s.%s: %s", name, x.Name, sel.Sel.Name, instead)
					}
				}
			}
			return true
		})
	})
}
