package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
)

// hasAll reports what of a Russian and an English sentence is missing.
func (p *wireProblem) hasAll() bool {
	return p != nil && p.Code != "" && strings.ContainsAny(p.Text, "абвгдежзиклмнопрстуя") && p.Message != "" && p.Action != ""
}

// verbCalls are every verb of the contract in an order in which a day allows
// them.
var verbCalls = []struct {
	verb fiscal.Verb
	body obj
}{
	{"shift-open", obj{"cashier": cashier}},
	{"cash-in", obj{"amount": 1000.00, "cashier": cashier}},
	{"sale", obj{"cashier": cashier, "customer": "+79161234567", "taxation": "usn-income", "internet": false,
		"items": []obj{{"name": "Ананас", "price": 110.00, "quantity": 1, "unit": "piece", "vat": "vat22", "method": "full-payment", "subject": "goods",
			"discount": obj{"percent": 10}, "department": 1,
			"agent": obj{"type": "agent", "supplier": obj{"name": "ООО Ромашка", "inn": "7707083893", "phones": []string{"+74950000000"}}}}},
		"discount": obj{"amount": 0}, "payments": obj{"cash": 500}, "additional": "", "print": true}},
	{"refund", tea()},
	{"buy", receipt(obj{"cash": "#"}, item("Картофель", "30", "2.5", "none", obj{"unit": "kg"}))},
	{"buy-refund", receipt(obj{"cash": "#"}, item("Картофель", "30", "1", "none", obj{"unit": "kg"}))},
	{"correction", obj{"items": []obj{item("Чай", "50.00", "1", "none", nil)}, "payments": obj{"card": "#"},
		"correction": obj{"kind": "sale", "by": "self", "date": "2026-01-20"}}},
	{"cash-out", obj{"amount": "200.50"}},
	{"x-report", obj{}}, {"counters", obj{}}, {"copy", obj{}}, {"text", obj{"lines": []string{"Спасибо!"}, "cut": true}}, {"drawer", obj{}},
	{"document", obj{"fd": 2}}, {"status", obj{}}, {"hello", obj{}}, {"query", obj{"id": "verb-sale"}},
	{"sync", obj{"since": 0}}, {"cancel", obj{"id": "never-seen"}},
	{"shift-close", obj{"cashier": cashier}},
}

// Every verb is answered as the contract says: accepted first where it is
// journalled, then one final answer, with the documented fields and no others.
func TestEveryVerbIsAnswered(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	e := listen(t, s, s.url())
	till := openTill(t, s, "till1")
	for _, c := range verbCalls {
		id := "verb-" + string(c.verb)
		var steps []wireAnswer
		a, err := till.CallRaw(t.Context(), c.verb, id, Request(id, c.body), func(a Answer) {
			steps = append(steps, strict[wireAnswer](t, string(a.Raw)))
		})
		if err != nil {
			t.Fatal(err)
		}
		checkSteps(t, c.verb, steps)
		checkAnswer(t, c.verb, steps[len(steps)-1], string(a.Raw))
		if c.verb.Journalled() {
			last := e.wait(t, "last of "+id, on("last/till1", id))
			if kept := strict[wireAnswer](t, last.payload); kept.State != "done" || !*kept.Final {
				t.Errorf("last: %s", last.payload)
			}
		}
	}
	checkEvents(t, e)
}

// checkSteps holds the answers to one id against the rules of states.
func checkSteps(t *testing.T, verb fiscal.Verb, steps []wireAnswer) {
	t.Helper()
	for i, a := range steps {
		final := i == len(steps)-1
		if a.V != 1 || a.N != i+1 || a.Final == nil || *a.Final != final || a.Verb != string(verb) || a.Dup {
			t.Errorf("%s: answer %d of %d: %+v", verb, i+1, len(steps), a)
		}
	}
	switch {
	case verb.Journalled() && (len(steps) < 2 || steps[0].State != "accepted"):
		t.Errorf("%s: no accepted before %+v", verb, steps)
	case !verb.Journalled() && len(steps) != 1:
		t.Errorf("%s: %d answers to a question", verb, len(steps))
	}
}

// checkAnswer looks for what a verb's final answer must carry.
func checkAnswer(t *testing.T, verb fiscal.Verb, a wireAnswer, raw string) {
	t.Helper()
	if a.State != "done" || a.Error != nil || a.Waiting != nil {
		t.Errorf("%s: %s", verb, raw)
		return
	}
	f, complete := a.Fiscal, true
	switch {
	case verb.Receipt():
		kind := string(verb)
		if verb == fiscal.VerbCorrection {
			kind = f.Kind // the kind of the settlement, or the verb: see below
		}
		complete = f != nil && f.Kind == kind && len(f.FN) == 16 && f.FD > 0 && f.FP != "" && f.Shift == 1 && f.Receipt > 0 &&
			len(f.At) == len("2026-11-22T12:04:31") && f.Total != "" && f.Change != "" && len(f.RNM) == 16 && f.FFD == "1.2" && len(f.Key) == 16 &&
			strings.HasSuffix(f.QR, fmt.Sprintf("&fn=%s&i=%d&fp=%s&n=%s", f.FN, f.FD, f.FP, f.QR[len(f.QR)-1:])) && strings.Contains(f.QR, "&s="+string(f.Total)+"&")
		if verb == fiscal.VerbSale {
			complete = complete && f.Total == "99.00" && f.Change == "401.00"
		}
	case verb == fiscal.VerbShiftOpen, verb == fiscal.VerbShiftClose:
		complete = f != nil && f.Kind == string(verb) && f.FD > 0 && f.FP != "" && f.Shift == 1 && f.At != "" && (verb == fiscal.VerbShiftOpen) == (a.Counters == nil)
	case verb.Class() == fiscal.ClassRecord:
		complete = f != nil && f.Kind == string(verb) && f.Total != ""
	case verb == fiscal.VerbXReport, verb == fiscal.VerbCounters:
		complete = a.Counters != nil
	case verb == fiscal.VerbDocument:
		complete = a.Document != nil && a.Document.FD == 2 && a.Document.FP != "" && len(a.Document.Tags) > 0
	case verb == fiscal.VerbStatus:
		complete = a.Device != nil && a.Device.Link && a.Device.Shift.Open && a.Device.FN.LastFD > 0
	case verb == fiscal.VerbHello:
		h := a.Hello
		complete = h != nil && h.Time != "" && h.Version == "sim" && slices.Equal(h.Rights, []string{"*"}) && h.Limits.Items == 500 && h.Limits.PayloadBytes == 256<<10
	case verb == fiscal.VerbQuery:
		complete = a.Answer != nil && a.Answer.ID == "verb-sale" && a.Answer.State == "done" && a.Answer.Fiscal.FD > 0
	case verb == fiscal.VerbSync:
		complete = len(a.Answers) == 12 && a.Answers[0].ID == "verb-shift-open" && a.Seq > 0 && a.Next == 0
	}
	if !complete {
		t.Errorf("%s: incomplete: %s", verb, raw)
	}
	if a.Counters != nil {
		checkCounters(t, a.Counters, raw)
		if (verb == fiscal.VerbShiftClose) != (a.Counters.ClosedAt != "") {
			t.Errorf("%s: closed_at %q", verb, a.Counters.ClosedAt)
		}
	}
	if verb.Journalled() && a.Timing == nil || a.Route != "front" && (verb.Journalled() || a.Counters != nil) {
		t.Errorf("%s: no timing or no route: %s", verb, raw)
	}
}

func checkCounters(t *testing.T, c *wireCounters, raw string) {
	t.Helper()
	sale := c.ByKind["sale"]
	if c.Shift != 1 || c.OpenedAt == "" || c.FirstFD == 0 || c.LastFD < c.FirstFD || c.Receipts != 5 || len(c.ByKind) != 4 ||
		sale.Count != 2 || sale.Total != "149.00" || sale.Payments == nil || sale.Payments.Cash != "99.00" || c.ByKind["buy"].VAT["none"].Base != "75.00" || // corrections included
		c.CashIn == nil || *c.CashIn != (wireTally{1, "1000.00"}) || c.CashOut == nil || *c.CashOut != (wireTally{1, "200.50"}) ||
		c.Drawer == "" || c.GrandTotals["sale"] == "" || c.Journal == nil || !c.Journal.Agrees || c.Corrections["sale"].Count != 1 {
		t.Errorf("counters: %s", raw)
	}
}

// checkEvents wants a gap-free stream over all classes.
func checkEvents(t *testing.T, e *ear) {
	t.Helper()
	e.wait(t, "the event of the close", on("evt/shift", `"verb-shift-close"`))
	classes := map[string]int{}
	var before uint64
	for i, h := range e.events() {
		var ev wireEvent
		if err := unmarshal(h.payload, &ev); err != nil || h.topic != "evt/"+ev.Class || ev.At == "" {
			t.Errorf("event %s: %v", h.payload, err)
		}
		if i > 0 && ev.Seq != before+1 {
			t.Errorf("event %d follows %d", ev.Seq, before)
		}
		before = ev.Seq
		classes[ev.Class]++
	}
	if classes["receipt"] != 5 || classes["shift"] != 2 || classes["cash"] != 2 {
		t.Errorf("events %v", classes)
	}
}

// The retained tree is complete, is told again to a broker that has forgotten
// everything, and says offline when the node stops or dies.
func TestRetainedTree(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	s := openShop(t, Options{Config: func(c *daemon.Config) {
		c.MQTT = []daemon.LinkConfig{{URL: m.URL, Role: daemon.RoleShop}}
	}})
	e := listen(t, s, m.URL)
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{})
	must(t, till, fiscal.VerbSale, tea())
	must(t, till, fiscal.VerbXReport, obj{})
	must(t, till, fiscal.VerbShiftClose, obj{})
	s.Printers["front"].PaperOut()
	e.wait(t, "paper-out", on("dev/front/alert/paper-out", "Закончилась"))
	checkTree(t, e)

	m.Restart(t)
	after := listen(t, s, m.URL)
	checkTree(t, after)
	alert := after.wait(t, "the alert again", on("dev/front/alert/paper-out", "since"))
	if a := strict[wireAlert](t, alert.payload); !a.hasAll() || a.Device != "front" || a.Since == "" {
		t.Errorf("alert %s", alert.payload)
	}
	s.Printers["front"].PaperIn()
	after.wait(t, "the alert is cleared", func(h heard) bool { return h.topic == "dev/front/alert/paper-out" && h.payload == "" })

	online := strict[wireState](t, after.wait(t, "online", on("node/state", `"online"`)).payload)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	offline := strict[wireState](t, after.wait(t, "offline", on("node/state", `"offline"`)).payload)
	if offline.Instance != online.Instance || offline.Boot != online.Boot || offline.Epoch != online.Epoch {
		t.Errorf("online %+v, offline %+v", online, offline)
	}
	mark := after.mark()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := strict[wireState](t, after.after(t, mark, "online again", on("node/state", `"online"`)).payload)
	if again.Instance != online.Instance || again.Boot == online.Boot || again.Epoch != online.Epoch+1 {
		t.Errorf("then %+v, now %+v", online, again)
	}
}

// checkTree waits for every retained topic of a shop that has sold, and
// decodes each strictly.
func checkTree(t *testing.T, e *ear) {
	t.Helper()
	get := func(topic, part string) string { return e.wait(t, topic, on(topic, part)).payload }
	if st := strict[wireState](t, get("node/state", "online")); st.Instance == "" || st.Boot == "" || st.Epoch == 0 || st.At == "" {
		t.Errorf("node/state %+v", st)
	}
	info := strict[wireInfo](t, get("node/info", `"limits":{"items"`))
	if info.Version != "sim" || !slices.Equal(info.Contract, []int{1}) || len(info.Config) != 64 || info.Limits.QueueDevice != 1000 ||
		info.Limits.Terminals != 64 || info.Limits.AmountMax != "100000000.00" && info.Limits.AmountMax != "99999999.99" ||
		info.Devices["front"].Kind != "shtrih-m" || !slices.Contains(info.Devices["front"].Can, "x-report") {
		t.Errorf("node/info %+v", info)
	}
	health := strict[wireHealth](t, get("node/health", `"up":true`))
	if health.MemoryBytes == 0 || health.DiskFree == 0 || health.Flush == "" || len(health.Links) == 0 {
		t.Errorf("node/health %+v", health)
	}
	strict[wireSpool](t, get("spool/state", `"queued":0`))
	dev := strict[wireDevice](t, get("dev/front/state", `"link":true`))
	if dev.Shift == nil || dev.FN == nil || dev.FN.Serial == "" || dev.OFD == nil || dev.Clock == "" {
		t.Errorf("dev/front/state %+v", dev)
	}
	about := strict[struct {
		Model, Serial, Firmware, FFD, RNM, INN, Owner, Address, FN string
		Taxations                                                  int
		Limits                                                     map[string]int
	}](t, get("dev/front/info", "model"))
	if about.Model == "" || about.Serial == "" || about.Firmware == "" || about.FFD != "1.2" || len(about.RNM) != 16 || about.Address == "" {
		t.Errorf("dev/front/info %+v", about)
	}
	for _, what := range []string{"x", "z"} {
		r := strict[wireReport](t, get("dev/front/"+what, "counters"))
		if r.At == "" || r.Counters == nil || r.Counters.Shift != 1 || r.Counters.ByKind["sale"].Count != 1 || what == "z" && r.Fiscal.FD == 0 {
			t.Errorf("dev/front/%s %+v", what, r)
		}
	}
	if last := strict[wireAnswer](t, get("last/till1", "shift-close")); last.State != "done" || last.Counters == nil {
		t.Errorf("last/till1 %+v", last)
	}
}

// A sale that is asked to stop in the middle is finished: the node says
// draining until then, and the till hears its answer.
func TestDrainingFinishesTheReceiptInHand(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	e := listen(t, s, s.url())
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{})
	begun, release := holdCommand(s.Printers["front"], closeReceipt, closeReceiptV3)
	id := NewID()
	if err := till.Send(t.Context(), fiscal.VerbSale, Request(id, tea())); err != nil {
		t.Fatal(err)
	}
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	e.wait(t, "draining", on("node/state", `"draining"`))
	close(release)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	e.wait(t, "the answer", answered(id, fiscal.Done))
	e.wait(t, "offline", on("node/state", `"offline"`))
	if ledger := s.Printers["front"].Storage().Ledger(); ledger[len(ledger)-1].Form != fiscal.FormReceipt {
		t.Errorf("the last document is of form %d", ledger[len(ledger)-1].Form)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A correction of FFD 1.05 has sums in place of items.
func TestCorrectionOf105(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Printers: printer105()})
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{})
	a := must(t, till, fiscal.VerbCorrection, obj{"total": "120.00", "payments": obj{"cash": "120.00"}, "vat": obj{"vat20": "20.00"},
		"correction": obj{"kind": "sale", "by": "order", "date": "2026-01-20", "number": "12-3"}})
	w := strict[wireAnswer](t, string(a.Raw))
	if w.Fiscal == nil || w.Fiscal.Total != "120.00" || w.Fiscal.FFD != "1.05" {
		t.Errorf("%s", a.Raw)
	}
	if e := lastEntry(s, "front"); e.Form != fiscal.FormCorrection || e.Total != 12000 {
		t.Errorf("tax office %+v", e)
	}
}

func lastEntry(s *Shop, device string) fn.Entry {
	ledger := s.Printers[device].Storage().Ledger()
	return ledger[len(ledger)-1]
}
