package sim

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// bad is a command that must be refused. old is replaced by new in the good
// request of the verb; without old, new is the whole payload.
type bad struct {
	verb     fiscal.Verb
	old, new string
	code     fiscal.Code
}

// goodRequest is what a row of the table breaks: it would be carried out.
func goodRequest(verb fiscal.Verb) string {
	body := map[fiscal.Verb]string{
		"correction":  `{"items":[{"name":"Чай","price":50,"quantity":1,"vat":"none"}],"payments":{"card":"#"},"correction":{"kind":"sale","by":"self","date":"2026-01-20"}}`,
		"shift-close": `{"cashier":{"name":"Иванова А."}}`, "shift-open": `{"cashier":{"name":"Иванова А."}}`,
		"cash-in": `{"amount":10.00}`, "cash-out": `{"amount":10.00}`, "text": `{"lines":["x"],"cut":true}`,
		"document": `{"fd":1}`, "query": `{"id":"taken"}`, "cancel": `{"id":"taken"}`, "sync": `{"since":0}`,
		"x-report": `{}`, "copy": `{}`, "drawer": `{}`, "counters": `{}`, "status": `{}`, "hello": `{}`,
	}[verb]
	if body == "" {
		body = `{"cashier":{"name":"Иванова А."},"items":[{"name":"Чай","price":50,"quantity":1,"vat":"none"}],"payments":{"cash":100}}`
	}
	return `{"v":1,"id":"bad","at":"` + time.Now().Format(time.RFC3339) + `","device":"front","body":` + body + `}`
}

const (
	badJSON      = fiscal.CodeBadJSON
	badValue     = fiscal.CodeBadValue
	unknownField = fiscal.CodeUnknownField
)

var badMessages = []bad{
	{"sale", "", "", badJSON},
	{"sale", "", " ", badJSON},
	{"sale", "", "null", badJSON},
	{"sale", "", "[]", badJSON},
	{"sale", "", `"sale"`, badJSON},
	{"sale", "", `{"v":1,"id":"bad"`, badJSON},
	{"sale", "", `{"v":1,"id":"bad"}{}`, badJSON},
	{"sale", "", `{"v":1,"id":"bad",}`, badJSON},
	{"sale", "", "{\"v\":1,\"id\":\"\xff\"}", badJSON},
	{"sale", "", strings.Repeat("[", 100_000), badJSON},
	{"sale", `"device":"front"`, `"device":"front","device":"front"`, badJSON},
	{"sale", `"price":50`, `"price":50,"price":5`, badJSON},
	{"sale", `"price":50`, `"price":050`, badJSON},
	{"sale", `"price":50`, `"price":NaN`, badJSON},
	{"sale", `"Чай"`, `"` + strings.Repeat("ч", 150<<10) + `"`, fiscal.CodeTooLarge}, // 300 KiB
	{"sale", `"v":1`, `"v":2`, badValue},
	{"sale", `"v":1`, `"v":"1"`, badValue},
	{"sale", `"v":1,`, ``, badValue},
	{"sale", `"v":1`, `"v":1,"extra":true`, unknownField},
	{"sale", `"v":1`, `"V":1`, unknownField},
	{"sale", `"id":"bad",`, ``, badValue},
	{"sale", `"id":"bad"`, `"id":7`, badValue},
	{"sale", `"id":"bad"`, `"id":""`, badValue},
	{"sale", `"id":"bad"`, `"id":"a/b"`, badValue},
	{"sale", `"id":"bad"`, `"id":"` + strings.Repeat("x", 65) + `"`, badValue},
	{"sale", `"id":"bad"`, `"id":"taken"`, fiscal.CodeIDConflict},
	{"shift-close", `"id":"bad"`, `"id":"taken"`, fiscal.CodeIDConflict},
	{"sale", `"at"`, `"ts"`, unknownField},
	{"cash-in", `"at"`, `"exp"`, badValue}, // at is missing
	{"sale", `"v":1`, `"v":1,"exp":"2020-01-01T00:00:00Z"`, fiscal.CodeExpired},
	{"drawer", `"v":1`, `"v":1,"exp":"2020-01-01T00:00:00Z"`, fiscal.CodeExpired},
	{"hello", `,"device":"front"`, `,"exp":"2020-01-01T00:00:00Z"`, fiscal.CodeExpired},
	{"sale", `"v":1`, `"v":1,"exp":"tomorrow"`, badValue},
	{"sale", `"v":1`, `"v":1,"wait":"20"`, badValue},
	{"sale", `"v":1`, `"v":1,"wait":"-1s"`, badValue},
	{"sale", `"device":"front"`, `"device":"back"`, fiscal.CodeUnknownDevice},
	{"shift-open", `"device":"front"`, `"device":"back"`, fiscal.CodeUnknownDevice},
	{"status", `"device":"front"`, `"device":"back"`, fiscal.CodeUnknownDevice},
	{"sale", `"device":"front"`, `"route":"back"`, fiscal.CodeUnknownRoute},
	{"counters", `"device":"front"`, `"route":"back"`, fiscal.CodeUnknownRoute},
	{"sale", `"device":"front"`, `"device":"front","route":"old"`, badValue},
	{"sale", `"device":"front"`, `"device":"Front"`, badValue},
	{"sale", `"device":"front"`, `"device":null`, badValue},
	{"hello", `"v":1`, `"v":1`, badValue}, // names a device
	{"sale-all", "", `{"v":1,"id":"bad"}`, fiscal.CodeUnknownVerb},
	{"z-report", "", `{"v":1,"id":"bad"}`, fiscal.CodeUnknownVerb},
}

var badReceipts = []bad{
	{"sale", `"items"`, `"item"`, unknownField},
	{"sale", `"name":"Чай"`, `"nmae":"Чай"`, unknownField},
	{"sale", `"body":{`, `"body":{"correction":{},`, unknownField},
	{"sale", `"name":"Чай"`, `"name":7`, badValue},
	{"sale", `"name":"Чай"`, `"name":""`, badValue},
	{"sale", `"name":"Чай"`, `"name":"` + strings.Repeat("ч", 129) + `"`, fiscal.CodeTooLong}, // E06
	{"sale", `"name":"Чай"`, `"name":"чай 🍵"`, fiscal.CodeNotEncodable},
	{"sale", `"name":"Чай"`, `"name":"日本茶"`, fiscal.CodeNotEncodable},
	{"sale", `"name":"Чай"`, `"name":"чай\nчерный"`, fiscal.CodeNotEncodable},
	{"sale", `"name":"Чай"`, `"name":"чай\u0000"`, fiscal.CodeNotEncodable},
	{"sale", `"price":50,`, ``, badValue},
	{"sale", `"price":50`, `"price":50.001`, badValue},
	{"sale", `"price":50`, `"price":"50,00"`, badValue},
	{"sale", `"price":50`, `"price":-50`, badValue},
	{"sale", `"price":50`, `"price":5e1`, badValue},
	{"sale", `"price":50`, `"price":true`, badValue},
	{"sale", `"price":50`, `"price":{}`, badValue},
	{"sale", `"price":50`, `"price":100000000.00`, badValue},
	{"sale", `"price":50`, `"price":99999999999999999999`, badValue},
	{"sale", `"price":50,"quantity":1`, `"price":99999999,"quantity":2`, badValue}, // overflow of the sum
	{"sale", `"quantity":1`, `"quantity":0`, badValue},                             // E05
	{"sale", `"quantity":1`, `"quantity":-1`, badValue},
	{"sale", `"quantity":1`, `"quantity":1.1234567`, badValue}, // E04
	{"sale", `"quantity":1`, `"quantity":"one"`, badValue},
	{"sale", `"vat":"none"`, `"vat":"vat18"`, badValue},
	{"sale", `"vat":"none"`, `"vat":22`, badValue},
	{"sale", `,"vat":"none"`, ``, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","unit":"box"`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","method":"later"`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","subject":"food"`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","subject":33`, fiscal.CodeMarkingUnsupported}, // R33
	{"sale", `"vat":"none"`, `"vat":"none","department":0`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","sum":50.02`, badValue}, // E03
	{"sale", `"vat":"none"`, `"vat":"none","discount":{"percent":101}`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","discount":{"amount":51}`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","discount":{"percent":1,"amount":1}`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","agent":{"type":"agent","supplier":{"name":"x","inn":"7707083894"}}`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","agent":{"type":"agent","supplier":{"name":"x","inn":"7707083893","phones":["8 495"]}}`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","agent":{"type":"broker","supplier":{"inn":"7707083893"}}`, badValue},
	{"sale", `"vat":"none"`, `"vat":"none","method":"credit"`, badValue}, // E10: paid in cash
	{"sale", `[{"name":"Чай","price":50,"quantity":1,"vat":"none"}]`, `[]`, fiscal.CodeEmpty},
	{"sale", `"items":[{"name":"Чай","price":50,"quantity":1,"vat":"none"}],`, ``, fiscal.CodeEmpty},
	{"sale", `{"name":"Чай","price":50,"quantity":1,"vat":"none"}`, strings.Repeat(`{},`, 500) + `{}`, fiscal.CodeTooLarge},
	{"sale", `{"cash":100}`, `{}`, fiscal.CodePaymentsShort},
	{"sale", `,"payments":{"cash":100}`, ``, fiscal.CodePaymentsShort},
	{"sale", `{"cash":100}`, `{"cash":20,"card":29.99}`, fiscal.CodePaymentsShort},          // E02
	{"sale", `{"cash":100}`, `{"card":30,"prepayment":20.01}`, fiscal.CodeNoncashOverTotal}, // E01
	{"sale", `{"cash":100}`, `{"card":100}`, fiscal.CodeNoncashOverTotal},
	{"sale", `{"cash":100}`, `{"cash":"#","card":"#"}`, badValue},
	{"sale", `{"cash":100}`, `{"cash":100.005}`, badValue},
	{"sale", `{"cash":100}`, `{"cash":-100}`, badValue},
	{"sale", `{"cash":100}`, `{"sbp":100}`, unknownField},
	{"sale", `{"cash":100}`, `{"cash":100},"total":51`, badValue},
	{"sale", `"body":{`, `"body":{"taxation":"envd",`, badValue},
	{"sale", `"body":{`, `"body":{"taxation":"osn",`, badValue},            // E07: not registered
	{"sale", `"body":{`, `"body":{"taxation":"osn,usn-income",`, badValue}, // E08
	{"sale", `"body":{`, `"body":{"taxation":3,`, badValue},                // E08
	{"sale", `"body":{`, `"body":{"internet":true,`, badValue},             // no customer
	{"sale", `"body":{`, `"body":{"customer":"nobody",`, badValue},
	{"sale", `"body":{`, `"body":{"internet":"да",`, badValue},
	{"sale", `"body":{`, `"body":{"additional":"` + strings.Repeat("x", 17) + `",`, fiscal.CodeTooLong},
	{"sale", `"Иванова А."`, `"` + strings.Repeat("И", 65) + `"`, fiscal.CodeTooLong},
	{"sale", `"Иванова А."`, `"Иванова","inn":"500100732258"`, badValue},
	{"sale", `"Иванова А."`, `"Иванова 😀"`, fiscal.CodeNotEncodable},
	{"refund", `{"cash":100}`, `{"cash":1}`, fiscal.CodePaymentsShort},
	{"buy", `"vat":"none"`, `"vat":"vat21"`, badValue},
	{"buy-refund", `"quantity":1`, `"quantity":"1e1"`, badValue},
}

var badOthers = []bad{
	{"correction", `"kind":"sale"`, `"kind":"x"`, badValue},
	{"correction", `"by":"self",`, ``, badValue},
	{"correction", `"by":"self"`, `"by":"order"`, badValue}, // an order has a number
	{"correction", `"2026-01-20"`, `"20.01.2026"`, badValue},
	{"correction", `"2026-01-20"`, `"2090-01-20"`, badValue},                     // the future
	{"correction", `"device":"front"`, `"device":"old"`, fiscal.CodeUnsupported}, // E09, see below
	{"correction", `,"correction":{"kind":"sale","by":"self","date":"2026-01-20"}`, ``, badValue},
	{"shift-open", `"cashier"`, `"cassier"`, unknownField},
	{"shift-close", `"Иванова А."`, `"` + strings.Repeat("И", 65) + `"`, fiscal.CodeTooLong},
	{"cash-in", `10.00`, `0`, badValue},
	{"cash-in", `10.00`, `-10`, badValue},
	{"cash-in", `10.00`, `10.001`, badValue},
	{"cash-out", `10.00`, `1000000000000`, badValue},
	{"cash-out", `"amount"`, `"sum"`, unknownField},
	{"text", `["x"]`, `[]`, fiscal.CodeEmpty},
	{"text", `["x"]`, `["😀"]`, fiscal.CodeNotEncodable},
	{"text", `["x"]`, `"x"`, badValue},
	{"text", `"cut":true`, `"cut":"yes"`, badValue},
	{"x-report", `"body":{`, `"body":{"cashier":{}`, unknownField},
	{"drawer", `"body":{}`, `"body":[]`, badValue},
	{"document", `1}`, `0}`, badValue},
	{"document", `1}`, `99999}`, fiscal.CodeNotFound},
	{"query", `,"device":"front"`, ``, fiscal.CodeNotFound}, // see below: an id nobody has sent
	{"sync", `0}`, `"вчера"}`, badValue},
	{"cancel", `"taken"`, `""`, badValue},
	{"cancel", `,"device":"front"`, ``, fiscal.CodeNotBegunOnly},
}

// changing are the printer's commands that make or print something.
var changing = []uint16{
	0x12, 0x17, 0x25, 0x28, 0x29, 0x2F, 0x40, 0x41, 0x50, 0x51, 0x80, 0x81, 0x82, 0x83, 0x85, 0x86, 0x87, 0x88, 0x8C, 0x8D, 0xE0,
	0xFF0B, 0xFF0C, 0xFF0D, 0xFF35, 0xFF36, 0xFF41, 0xFF42, 0xFF43, 0xFF45, 0xFF46, 0xFF4A, 0xFF4B, 0xFF4D, 0xFF76,
}

// watchCommands counts what a printer is told to do.
func watchCommands(p *printer.Printer) (told func() []string) {
	var mu sync.Mutex
	var seen []string
	p.OnCommand(func(cmd []byte) {
		if code := printer.CodeOf(cmd); slices.Contains(changing, code) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, fmt.Sprintf("%02X", cmd))
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// More than a hundred bad commands through MQTT: each is refused with its code
// and both sentences, and nothing has changed at the end.
func TestBadCommands(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{
		Printers: map[string]printer.Config{
			"front": {Taxations: 1 << 1},
			"old":   {FFD: ffd.Version105, Serial: "0000000000000105", FNSerial: "9999078900000105"},
		},
		Config: func(c *daemon.Config) {
			c.Terminals = map[string]daemon.TerminalConfig{
				"till1": {Rights: []string{"*"}, Device: "front"}, "till2": {Rights: []string{"refund"}, Device: "front"},
			}
		},
	})
	e := listen(t, s, s.url())
	for _, device := range []string{"front", "old"} {
		e.ask(t, "till1", fiscal.VerbShiftOpen, "open-"+device, onDevice("open-"+device, device, obj{}), fiscal.Done)
		e.wait(t, device, on("dev/"+device+"/info", "model"))
	}
	e.ask(t, "till1", fiscal.VerbCashIn, "taken", onDevice("taken", "front", obj{"amount": 1}), fiscal.Done)
	e.wait(t, "the queue is empty", on("spool/state", `"queued":0`))

	before := worldOf(t, s)
	commands := watchCommands(s.Printers["front"])
	oldCommands := watchCommands(s.Printers["old"])
	rows := slices.Concat(badMessages, badReceipts, badOthers)
	if len(rows) < 100 {
		t.Errorf("only %d", len(rows))
	}
	for i, row := range rows {
		refuse(t, e, "till1", row.verb, row.payload(t), row.code, fmt.Sprintf("row %d: %s %.60q", i, row.verb, row.new))
	}
	refuse(t, e, "till2", "sale", goodRequest("sale"), fiscal.CodeNoRight, "no right")
	refuse(t, e, "till9", "sale", goodRequest("sale"), fiscal.CodeUnknownTerminal, "a foreign terminal")
	refuse(t, e, "till9", "hello", `{"v":1,"id":"bad"}`, fiscal.CodeUnknownTerminal, "a foreign terminal's question")
	refuse(t, e, "till1", "sale", strings.Replace(goodRequest("sale"), `"at":"20`, `"at":"20200101T00:00:00Z","x":"`, 1), badValue, "an old form of time")
	old := strings.Replace(goodRequest("sale"), time.Now().Format("2006-"), "2020-", 1)
	refuse(t, e, "till1", "sale", old, fiscal.CodeTooOld, "a sale of 2020")

	if after := worldOf(t, s); after != before {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	if told := append(commands(), oldCommands()...); len(told) > 0 {
		t.Errorf("a printer was told %q", told)
	}
}

func (b bad) payload(t *testing.T) string {
	t.Helper()
	if b.old == "" {
		return b.new
	}
	good := goodRequest(b.verb)
	if b.code == fiscal.CodeUnsupported {
		good = strings.Replace(good, `"kind":"sale"`, `"kind":"refund"`, 1)
	}
	if b.code == fiscal.CodeNotFound {
		good = strings.Replace(good, `"taken"`, `"never-sent"`, 1)
	}
	if !strings.Contains(good, b.old) {
		t.Fatalf("%q is not in %s", b.old, good)
	}
	return strings.Replace(good, b.old, b.new, 1)
}

// refuse publishes a payload and wants its refusal.
func refuse(t *testing.T, e *ear, terminal string, verb fiscal.Verb, payload string, code fiscal.Code, what string) {
	t.Helper()
	mark := e.mark()
	e.say(t, "cmd/"+terminal+"/"+string(verb), []byte(payload))
	h := e.after(t, mark, what, on("res/"+terminal+"/"+string(verb), ""))
	a := strict[wireAnswer](t, h.payload)
	if a.State == "accepted" {
		t.Fatalf("%s: want %s, but it was accepted", what, code) // the rows share an id
	}
	state := "rejected"
	if code == fiscal.CodeExpired {
		state = "expired"
	}
	if a.State != state || a.Final == nil || !*a.Final || a.Error == nil || a.Error.Code != string(code) || !a.Error.hasAll() || a.Verb != string(verb) {
		t.Errorf("%s: want %s: %.600s", what, code, h.payload)
	}
	if a.ID != "bad" && a.ID != "taken" && strings.Contains(payload, `"id":"bad"`) {
		t.Errorf("%s: the answer has id %q", what, a.ID)
	}
}

// world is what a refused command must not change.
type world struct {
	records                      int
	frontDocuments, oldDocuments int
	frontDrawer, oldDrawer       int64
}

func worldOf(t *testing.T, s *Shop) world {
	t.Helper()
	records, err := s.Daemon().Records()
	if err != nil {
		t.Fatal(err)
	}
	return world{len(records), documents(s, "front"), documents(s, "old"), s.Printers["front"].Drawer(), s.Printers["old"].Drawer()}
}

// A command with the retain flag is refused, and the broker keeps nothing.
// A retained command under the id of another one is no repeat of that: it is not
// told what became of it.
func TestRetainedCommandOfAnotherContent(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	e := listen(t, s, s.url())
	e.ask(t, "till1", fiscal.VerbText, "taken", Request("taken", obj{"lines": []string{"one"}}), fiscal.Done)
	e.Send(t, e.root+"cmd/till1/text", string(Request("taken", obj{"lines": []string{"two"}})), true)
	refusedAs(t, decoded(t, e.wait(t, "retained", answered("taken", fiscal.Rejected))), fiscal.Rejected, fiscal.CodeRetained)
}

func TestRetainedCommandIsRefused(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	e := listen(t, s, s.url())
	e.wait(t, "the printer", on("dev/front/state", `"link":true`))
	topic := e.root + "cmd/till1/shift-open"
	e.Send(t, topic, string(Request("kept", obj{})), true)
	refusedAs(t, decoded(t, e.wait(t, "retained", answered("kept", fiscal.Rejected))), fiscal.Rejected, fiscal.CodeRetained)
	e.ask(t, "till1", fiscal.VerbHello, "fence", Request("fence", obj{}), fiscal.Done)
	if documents(s, "front") != 1 {
		t.Error("it was carried out")
	}
	late := listen(t, s, s.url())
	late.say(t, "cmd/till1/hello", Request("fence2", obj{}))
	late.wait(t, "the fence", answered("fence2", fiscal.Done))
	late.mu.Lock()
	defer late.mu.Unlock()
	for _, h := range late.all {
		if h.retained && strings.HasPrefix(h.topic, "cmd/") {
			t.Errorf("kept: %+v", h)
		}
	}
}
