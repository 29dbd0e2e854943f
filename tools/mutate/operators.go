package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// mutant is one small mistake: the bytes from..to of a file are replaced.
type mutant struct {
	file     string // path from the module's root
	line     int
	function string
	what     string // "a == b becomes a != b"
	from, to int
	text     string
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d %s: %s", m.file, m.line, m.function, m.what)
}

// id names a mutant for the list of known ones: it survives moved lines.
func (m mutant) id() string { return m.file + " " + m.function + ": " + m.what }

// finder collects the mutants of one file.
type finder struct {
	file     string
	src      []byte
	fset     *token.FileSet
	function string
	receiver *ast.FieldList
	kind     *ast.FuncType // of the function at hand
	found    []mutant
}

// mutantsOf lists what can be broken in a file, in the order of the text.
func mutantsOf(file string, src []byte) ([]mutant, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &finder{file: filepath.ToSlash(file), src: src, fset: fset}
	for _, d := range tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		f.function, f.receiver, f.kind = fn.Name.Name, fn.Recv, fn.Type
		ast.Inspect(fn.Body, f.visit)
	}
	sort.SliceStable(f.found, func(i, j int) bool { return f.found[i].from < f.found[j].from })
	return f.found, nil
}

func (f *finder) offset(p token.Pos) int { return f.fset.Position(p).Offset }

func (f *finder) text(n ast.Node) string { return string(f.src[f.offset(n.Pos()):f.offset(n.End())]) }

// replace adds a mutant that puts text where from..to stands.
func (f *finder) replace(from, to token.Pos, text string) {
	a, b := f.offset(from), f.offset(to)
	was := string(f.src[a:b])
	f.found = append(f.found, mutant{
		file: f.file, line: f.fset.Position(from).Line, function: f.function, what: says(was, text), from: a, to: b, text: text,
	})
}

// says describes a change in one short line.
func says(was, text string) string {
	const most = 90
	short := func(s string) string {
		s = strings.Join(strings.Fields(s), " ")
		if r := []rune(s); len(r) > most {
			s = string(r[:most]) + "…"
		}
		return s
	}
	if strings.TrimSpace(text) == "" {
		return "drop " + short(was)
	}
	return short(was) + " becomes " + short(text)
}

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.replace(n.Pos(), n.End(), f.text(n.X))
		}
	case *ast.IfStmt:
		f.negate(n.Cond)
	case *ast.CaseClause:
		f.clause(n)
	case *ast.AssignStmt:
		f.assignment(n)
	case *ast.IncDecStmt, *ast.SendStmt, *ast.GoStmt, *ast.DeferStmt:
		f.replace(n.Pos(), n.End(), "")
	case *ast.ExprStmt:
		if _, call := n.X.(*ast.CallExpr); call {
			f.replace(n.Pos(), n.End(), "")
		}
	case *ast.FuncLit:
		outer := f.kind
		f.kind = n.Type
		ast.Inspect(n.Body, f.visit)
		f.kind = outer
		return false
	case *ast.ReturnStmt:
		f.results(n)
	case *ast.BranchStmt:
		f.branch(n)
	case *ast.CompositeLit:
		f.elements(n)
	case *ast.BasicLit:
		f.literal(n)
	case *ast.CallExpr:
		f.call(n)
	case *ast.Ident:
		if other, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
			f.replace(n.Pos(), n.End(), other)
		}
	}
	return true
}

// negate turns a condition round. Comparisons have their own mutants.
func (f *finder) negate(cond ast.Expr) {
	switch c := cond.(type) {
	case *ast.BinaryExpr:
		if c.Op != token.LAND && c.Op != token.LOR {
			return
		}
	case *ast.UnaryExpr:
		return
	}
	f.replace(cond.Pos(), cond.End(), "!("+f.text(cond)+")")
}

// swaps are the operators that one is mistaken for.
var swaps = map[token.Token][]string{
	token.EQL: {"!="}, token.NEQ: {"=="},
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"|"}, token.SHL: {">>"}, token.SHR: {"<<"},
}

func (f *finder) binary(n *ast.BinaryExpr) {
	if n.Op == token.ADD && f.words(n) {
		return
	}
	for _, op := range swaps[n.Op] {
		f.replace(n.Pos(), n.End(), f.text(n.X)+" "+op+" "+f.text(n.Y))
	}
	if n.Op == token.LAND || n.Op == token.LOR {
		f.replace(n.Pos(), n.End(), "("+f.text(n.X)+")")
		f.replace(n.Pos(), n.End(), "("+f.text(n.Y)+")")
	}
}

// words tells whether a sum joins text.
func (f *finder) words(n *ast.BinaryExpr) bool { return strings.ContainsAny(f.text(n), "\"`") }

// clause takes a case out, and lets the case of a switch without a subject be
// taken the other way.
func (f *finder) clause(n *ast.CaseClause) {
	if n.List == nil {
		return
	}
	f.replace(n.Pos(), n.End(), "")
	if len(n.List) == 1 {
		switch n.List[0].(type) {
		case *ast.BinaryExpr, *ast.UnaryExpr:
			f.negate(n.List[0])
		}
		return
	}
	for i := range n.List {
		f.replace(n.List[0].Pos(), n.List[len(n.List)-1].End(), f.without(n.List, i))
	}
}

// without is a list with the i-th left out.
func (f *finder) without(list []ast.Expr, i int) string {
	var kept []string
	for j, e := range list {
		if j != i {
			kept = append(kept, f.text(e))
		}
	}
	return strings.Join(kept, ", ")
}

// assignment leaves out an assignment, or one of several at once.
func (f *finder) assignment(n *ast.AssignStmt) {
	if n.Tok == token.DEFINE {
		return
	}
	f.replace(n.Pos(), n.End(), "")
	if len(n.Lhs) != len(n.Rhs) || len(n.Lhs) < 2 {
		return
	}
	for i := range n.Lhs {
		f.replace(n.Pos(), n.End(), f.without(n.Lhs, i)+" = "+f.without(n.Rhs, i))
	}
}

// results returns a zero in place of a result, or what came in and nothing
// more in place of two results of a call.
func (f *finder) results(n *ast.ReturnStmt) {
	types := f.resultTypes()
	if len(n.Results) == 1 && len(types) == 2 {
		if same := f.parameter(types[0]); same != "" && zeroOf(types[1]) == "nil" {
			f.replace(n.Results[0].Pos(), n.Results[0].End(), same+", nil")
		}
		return
	}
	for i, e := range n.Results {
		switch e.(type) {
		case *ast.CompositeLit, *ast.BasicLit, *ast.BinaryExpr, *ast.UnaryExpr: // have mutants of their own
			continue
		}
		if i >= len(types) {
			return
		}
		if zero := zeroOf(types[i]); zero != "" && f.text(e) != zero && f.text(e) != "true" {
			f.replace(e.Pos(), e.End(), zero)
		}
	}
}

// resultTypes are the types of the function at hand as they are written.
func (f *finder) resultTypes() []ast.Expr {
	var types []ast.Expr
	if f.kind.Results == nil {
		return nil
	}
	for _, field := range f.kind.Results.List {
		for range max(len(field.Names), 1) {
			types = append(types, field.Type)
		}
	}
	return types
}

// parameter names a receiver or parameter of this type, or "".
func (f *finder) parameter(want ast.Expr) string {
	for _, list := range []*ast.FieldList{f.receiver, f.kind.Params} {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			if f.text(field.Type) == f.text(want) && len(field.Names) > 0 {
				return field.Names[0].Name
			}
		}
	}
	return ""
}

// zeroOf is the zero value of a written type, or "" where the text does not
// tell it.
func zeroOf(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr, *ast.ArrayType, *ast.MapType, *ast.FuncType, *ast.InterfaceType:
		return "nil"
	case *ast.Ident:
		switch t.Name {
		case "bool":
			return "false"
		case "error":
			return "nil"
		case "string":
			return `""`
		case "int", "int64", "uint8", "uint16", "uint32", "uint64", "byte":
			return "0"
		}
	}
	return ""
}

func (f *finder) branch(n *ast.BranchStmt) {
	switch n.Tok {
	case token.BREAK:
		f.replace(n.Pos(), n.End(), "continue")
	case token.CONTINUE:
		f.replace(n.Pos(), n.End(), "break")
	}
}

// elements leaves out one element of a list, or puts two in the wrong order:
// in lists of effects the order is the promise.
func (f *finder) elements(n *ast.CompositeLit) {
	for i, e := range n.Elts {
		to := e.End()
		if i+1 < len(n.Elts) {
			to = n.Elts[i+1].Pos()
		}
		f.replace(e.Pos(), to, "")
		if _, keyed := e.(*ast.KeyValueExpr); !keyed && i+1 < len(n.Elts) {
			next := n.Elts[i+1]
			f.replace(e.Pos(), next.End(), f.text(next)+", "+f.text(e))
		}
	}
}

func (f *finder) literal(n *ast.BasicLit) {
	switch n.Kind {
	case token.INT:
		v, err := strconv.ParseInt(n.Value, 0, 64)
		if err != nil {
			return
		}
		f.replace(n.Pos(), n.End(), strconv.FormatInt(v+1, 10))
		if v > 0 {
			f.replace(n.Pos(), n.End(), strconv.FormatInt(v-1, 10))
		}
	case token.STRING:
		if n.Value == `""` {
			f.replace(n.Pos(), n.End(), `"x"`)
			return
		}
		if !strings.Contains(n.Value, " ") { // words for people are not measured
			f.replace(n.Pos(), n.End(), `""`)
		}
	}
}

// call mistakes max for min.
func (f *finder) call(n *ast.CallExpr) {
	if id, ok := n.Fun.(*ast.Ident); ok {
		if other, swap := map[string]string{"min": "max", "max": "min"}[id.Name]; swap {
			f.replace(id.Pos(), id.End(), other)
		}
	}
}
