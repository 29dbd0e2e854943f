package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"kassad/fiscal"
	"kassad/mqtt"
)

// schemas are the compiled schemas of all messages, closed, so that an invented
// member or code is found.
type schemas map[string]*jsonschema.Schema

func compile(t *testing.T) schemas {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	said := readComments(t)
	var names []string
	for _, m := range messages() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(encode(t, m.schema(said, true))))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(m.name, doc); err != nil {
			t.Fatal(err)
		}
		names = append(names, m.name)
	}
	all := schemas{}
	for _, name := range names {
		s, err := c.Compile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = s
	}
	return all
}

// check holds a message against the schema of a name.
func (s schemas) check(name string, payload []byte) error {
	schema := s[name]
	if schema == nil {
		return fmt.Errorf("there is no schema %q", name)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// requestSchema is the schema of a verb's request.
func requestSchema(verb fiscal.Verb) string {
	switch {
	case verb == fiscal.VerbCorrection:
		return "request-correction"
	case verb.Receipt():
		return "request-receipt"
	case verb == fiscal.VerbShiftOpen, verb == fiscal.VerbShiftClose:
		return "request-shift"
	case verb.Class() == fiscal.ClassRecord:
		return "request-cash"
	case verb == fiscal.VerbQuery, verb == fiscal.VerbCancel:
		return "request-target"
	case verb == fiscal.VerbText, verb == fiscal.VerbDocument, verb == fiscal.VerbSync, verb == fiscal.VerbHello:
		return "request-" + string(verb)
	default:
		return "request-device"
	}
}

// example is a fenced block of the documentation whose first line is
// "```json" and words that say what it is.
type example struct {
	where   string
	words   []string // "request", "sale"; "answer"; "event", "receipt"; …
	payload []byte
}

// documents are the pages that may hold examples.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(pages, "../../README.md", "../../README.ru.md")
}

func examples(t *testing.T) (found []example) {
	t.Helper()
	for _, page := range documents(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var open *example
		for i, line := range strings.Split(string(text), "\n") {
			switch info, fence := strings.CutPrefix(strings.TrimSpace(line), "```"); {
			case fence && open != nil:
				found = append(found, *open)
				open = nil
			case fence && (info == "json" || strings.HasPrefix(info, "json ")):
				open = &example{where: fmt.Sprintf("%s:%d", filepath.Base(page), i+1), words: strings.Fields(info)[1:]}
			case open != nil:
				open.payload = append(append(open.payload, line...), '\n')
			}
		}
		if open != nil {
			t.Errorf("%s: a block of json does not end", open.where)
		}
	}
	return found
}

// TestExamples holds every example of the documentation against its schema,
// and gives every request to the code that reads it.
func TestExamples(t *testing.T) {
	t.Parallel()
	all := compile(t)
	seen := map[fiscal.Verb]bool{}
	for _, e := range examples(t) {
		if err := e.check(all); err != nil {
			t.Errorf("%s: %v\n%s", e.where, err, e.payload)
		}
		if len(e.words) == 2 && e.words[0] == "request" {
			seen[fiscal.Verb(e.words[1])] = true
		}
	}
	for _, v := range verbs() {
		if !seen[v] {
			t.Errorf("no page shows a request of %s", v)
		}
	}
}

func verbs() []fiscal.Verb {
	return []fiscal.Verb{
		fiscal.VerbSale, fiscal.VerbRefund, fiscal.VerbBuy, fiscal.VerbBuyRefund, fiscal.VerbCorrection, fiscal.VerbShiftOpen,
		fiscal.VerbShiftClose, fiscal.VerbCashIn, fiscal.VerbCashOut, fiscal.VerbXReport, fiscal.VerbCopy, fiscal.VerbText,
		fiscal.VerbDrawer, fiscal.VerbCounters, fiscal.VerbDocument, fiscal.VerbStatus, fiscal.VerbQuery, fiscal.VerbSync,
		fiscal.VerbHello, fiscal.VerbCancel,
	}
}

func (e example) check(all schemas) error {
	switch kind := strings.Join(e.words, "-"); {
	case len(e.words) == 2 && e.words[0] == "request":
		return e.checkRequest(all, fiscal.Verb(e.words[1]))
	case len(e.words) == 2 && e.words[0] == "manage":
		if err := all.check(kind, e.payload); err != nil {
			return err
		}
		if _, refusal := mqtt.DecodeManage(e.payload); refusal != nil {
			return refusal
		}
		return nil
	case len(e.words) == 2 && e.words[0] == "managed":
		return checkManaged(all, e.words[1], e.payload)
	default:
		return all.check(kind, e.payload)
	}
}

// checkRequest reads the request as the daemon does, up to the document that
// it makes.
func (e example) checkRequest(all schemas, verb fiscal.Verb) error {
	if err := all.check(requestSchema(verb), e.payload); err != nil {
		return err
	}
	cmd, refusal := mqtt.DecodeCommand(string(verb), e.payload)
	if refusal != nil {
		return refusal
	}
	if !verb.Journalled() {
		return nil
	}
	_, err := cmd.Draft.Resolve()
	return err
}

// checkManaged checks an answer of mgmt/res/{op} and the result in it.
func checkManaged(all schemas, op string, payload []byte) error {
	if err := all.check("answer", payload); err != nil {
		return err
	}
	var a struct {
		Verb   string          `json:"verb"`
		Error  json.RawMessage `json:"error"`
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(payload, &a); err != nil {
		return err
	}
	switch {
	case a.Verb != op:
		return fmt.Errorf("the answer is of %s", a.Verb)
	case a.Error != nil, op == "config-get": // whose form is that of the configuration
		return nil
	case op == "reconcile" && bytes.Contains(a.Result, []byte(`"reports"`)):
		return all.check("result-reconcile-list", a.Result)
	case op == "resolve":
		return all.check("answer", a.Result)
	}
	return all.check("result-"+op, a.Result)
}

// TestSchemasRefuse proves that the schemas are not merely patient.
func TestSchemasRefuse(t *testing.T) {
	t.Parallel()
	all := compile(t)
	const sale = `{"v":1,"id":"a","at":"2026-11-22T12:04:28+03:00","body":{"items":[{"name":"Хлеб","price":65.50,"quantity":1,"vat":"vat10"}],"payments":{"cash":"#"}}}`
	if err := all.check("request-receipt", []byte(sale)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"v":1`, `"v":2`}, {`"id":"a"`, `"id":"a b"`}, {`"at":"2026-11-22T12:04:28+03:00",`, ``}, {`+03:00`, ``},
		{`"body"`, `"boby"`}, {`"price":65.50`, `"price":-1`}, {`"price":65.50`, `"price":"65.505"`}, {`"quantity":1`, `"quantity":0`},
		{`"quantity":1`, `"quantity":"1.0000001"`}, {`vat10`, `vat18`}, {`"cash":"#"`, `"cash":"rest"`}, {`"cash"`, `"coins"`},
		{`"vat":"vat10"`, `"vat":"vat10","subject":28`}, {`"items":[`, `"total":"x","items":[`},
	} {
		bad := strings.Replace(sale, change[0], change[1], 1)
		if bad == sale {
			t.Fatalf("%v changes nothing", change)
		}
		if all.check("request-receipt", []byte(bad)) == nil {
			t.Errorf("accepted: %s", bad)
		}
	}
}

// TestEveryMessageIsShown wants an example of every message in the pages.
func TestEveryMessageIsShown(t *testing.T) {
	t.Parallel()
	var shown []string
	for _, e := range examples(t) {
		switch {
		case len(e.words) == 2 && e.words[0] == "request":
			shown = append(shown, requestSchema(fiscal.Verb(e.words[1])))
		case len(e.words) == 2 && e.words[0] == "managed":
			shown = append(shown, "result-"+e.words[1])
		default:
			shown = append(shown, strings.Join(e.words, "-"))
		}
	}
	for _, m := range messages() {
		if !slices.Contains(shown, m.name) {
			t.Errorf("no page shows %s", m.name)
		}
	}
}
