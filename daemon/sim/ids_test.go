package sim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
)

// documents counts what the tax office sees of a printer.
func documents(s *Shop, device string) int { return len(s.Printers[device].Storage().Ledger()) }

// refusedAs wants a refusal with a code and both sentences.
func refusedAs(t *testing.T, a Answer, state fiscal.State, code fiscal.Code) {
	t.Helper()
	w := strict[wireAnswer](t, string(a.Raw))
	if w.State != string(state) || w.Final == nil || !*w.Final || w.Error == nil || w.Error.Code != string(code) || !w.Error.hasAll() {
		t.Errorf("want %s %s: %s", state, code, a.Raw)
	}
}

// The same id with the same content has one document and one answer: at once,
// three times together, after a restart, and by another link.
func TestSameIDSameAnswer(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	s := openShop(t, Options{Config: func(c *daemon.Config) {
		c.MQTT = []daemon.LinkConfig{{URL: m.URL, Role: daemon.RoleShop}}
	}})
	till, other := openTill(t, s, "till1"), listen(t, s, m.URL)
	e := listen(t, s, s.url())
	must(t, till, fiscal.VerbShiftOpen, obj{})
	id := NewID()
	request := Request(id, tea())
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := till.Send(t.Context(), fiscal.VerbSale, request); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	first := decoded(t, e.wait(t, "done", answered(id, fiscal.Done)))
	before := documents(s, "front")
	same := func(where string, a Answer) {
		t.Helper()
		if !a.Dup || !a.Final || a.State != fiscal.Done || a.Fiscal == nil || *a.Fiscal != *first.Fiscal || a.N != first.N || documents(s, "front") != before {
			t.Errorf("%s: %s\nfirst: %s", where, a.Raw, first.Raw)
		}
	}
	same("at once", e.ask(t, "till1", fiscal.VerbSale, id, request, fiscal.Done))
	// Neither exp, nor wait, nor white space is the command.
	same("past its exp", e.ask(t, "till1", fiscal.VerbSale, id, envelope(id, obj{"exp": "2020-01-01T00:00:00Z", "wait": "1s"}, tea()), fiscal.Done))
	same("other link", other.ask(t, "till1", fiscal.VerbSale, id, request, fiscal.Done))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	e = listen(t, s, s.url())
	e.wait(t, "last after the restart", on("last/till1", id))
	same("after a restart", e.ask(t, "till1", fiscal.VerbSale, id, request, fiscal.Done))
	same("other link after it", other.ask(t, "till1", fiscal.VerbSale, id, request, fiscal.Done))
}

// The same id with another content is refused, whatever differs.
func TestIDConflict(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Printers: twoPrinters()})
	e := listen(t, s, s.url())
	id := NewID()
	e.ask(t, "till1", fiscal.VerbShiftOpen, "open", onDevice("open", "front", obj{}), fiscal.Done)
	e.ask(t, "till1", fiscal.VerbCashIn, id, onDevice(id, "front", obj{"amount": 5}), fiscal.Done)
	before := documents(s, "front")
	for _, payload := range [][]byte{
		onDevice(id, "front", obj{"amount": 6}),
		onDevice(id, "back", obj{"amount": 5}),
		onDevice(id, "front", obj{"amount": 5, "cashier": cashier}),
	} {
		refusedAs(t, e.ask(t, "till1", fiscal.VerbCashIn, id, payload, fiscal.Rejected), fiscal.Rejected, fiscal.CodeIDConflict)
	}
	refusedAs(t, e.ask(t, "till1", fiscal.VerbCashOut, id, onDevice(id, "front", obj{"amount": 5}), fiscal.Rejected), fiscal.Rejected, fiscal.CodeIDConflict)
	if a := e.ask(t, "till1", fiscal.VerbCashIn, id, addressed(id, "route", "front", obj{"amount": 5}), fiscal.Done); !a.Dup {
		t.Errorf("a device named as route: %s", a.Raw)
	}
	if documents(s, "front") != before || s.Printers["front"].Drawer() != 500 || s.Printers["back"].Drawer() != 0 {
		t.Error("a conflict made something")
	}
}

// Only acceptance binds an id: what was refused may be sent again.
func TestRefusedIDsMayBeSentAgain(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	e := listen(t, s, s.url())
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{})
	id := NewID()
	past, later := time.Now().Add(-time.Minute).Format(time.RFC3339), time.Now().Add(time.Minute).Format(time.RFC3339)
	refusedAs(t, e.ask(t, "till1", fiscal.VerbSale, id, envelope(id, obj{"exp": past}, tea()), fiscal.Expired), fiscal.Expired, fiscal.CodeExpired)
	refusedAs(t, e.ask(t, "till1", fiscal.VerbSale, id, envelope(id, obj{"extra": 1}, tea()), fiscal.Rejected), fiscal.Rejected, fiscal.CodeUnknownField)
	old := time.Now().AddDate(0, 0, -401).Format(time.RFC3339)
	refusedAs(t, e.ask(t, "till1", fiscal.VerbSale, id, envelope(id, obj{"at": old}, tea()), fiscal.Rejected), fiscal.Rejected, fiscal.CodeTooOld)
	q := e.ask(t, "till1", fiscal.VerbQuery, "q1", Request("q1", obj{"id": id}), fiscal.Rejected)
	refusedAs(t, q, fiscal.Rejected, fiscal.CodeNotFound)
	if a := e.ask(t, "till1", fiscal.VerbSale, id, envelope(id, obj{"exp": later}, tea()), fiscal.Done); a.Dup {
		t.Errorf("%s", a.Raw)
	}
	for _, verb := range []fiscal.Verb{fiscal.VerbHello, fiscal.VerbCancel} {
		body := obj{}
		if verb == fiscal.VerbCancel {
			body = obj{"id": "never"}
		}
		refusedAs(t, e.ask(t, "till1", verb, "late", mustJSON(obj{"v": 1, "id": "late", "exp": past, "body": body}), fiscal.Expired), fiscal.Expired, fiscal.CodeExpired)
	}
	// An old sale that is not too old waits for a person.
	held := NewID()
	e.ask(t, "till1", fiscal.VerbSale, held, envelope(held, obj{"at": time.Now().AddDate(0, 0, -399).Format(time.RFC3339)}, tea()), fiscal.Held)
	e.wait(t, "held in spool/state", on("spool/state", `"held":["`+held+`"]`))
	if r := manageHere(t, s, "resolve", obj{"id": held, "action": "give-up", "note": "проба"}); !strings.Contains(string(r), `"abandoned"`) {
		t.Errorf("resolved: %s", r)
	}
	e.wait(t, "abandoned", answered(held, fiscal.Abandoned))
}

// A wait bounds a condition: rejected, and nothing is made when the printer is
// back. It runs out for a command that stands behind another one as well.
func TestWaitRunsOut(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: quickPoll})
	e := listen(t, s, s.url())
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{})
	p := s.Printers["front"]
	p.PaperOut()
	before := documents(s, "front")
	patient, first, second := NewID(), NewID(), NewID()
	e.say(t, "cmd/till1/sale", Request(patient, tea()))
	if a := decoded(t, e.wait(t, "waiting", func(h heard) bool {
		return answered(patient, fiscal.Accepted)(h) && strings.Contains(h.payload, "waiting")
	})); a.Waiting.Code != fiscal.CodePaperOut || a.N != 2 {
		t.Errorf("%s", a.Raw)
	}
	e.say(t, "cmd/till1/sale", envelope(first, obj{"wait": "300ms"}, tea()))
	e.say(t, "cmd/till2/sale", envelope(second, obj{"wait": "100ms"}, tea()))
	for _, id := range []string{second, first} {
		refusedAs(t, decoded(t, e.wait(t, "waited out", answered(id, fiscal.Rejected))), fiscal.Rejected, fiscal.CodeCondition)
	}
	if documents(s, "front") != before {
		t.Error("something was made without paper")
	}
	p.PaperIn()
	e.wait(t, "the patient one", answered(patient, fiscal.Done))
	if got := documents(s, "front"); got != before+1 {
		t.Errorf("%d documents, want %d", got, before+1)
	}
}

// The same with a printer that is switched off.
func TestWaitForAPrinterThatIsAway(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: quickPoll})
	e := listen(t, s, s.url())
	e.wait(t, "the printer", on("dev/front/state", `"link":true`))
	s.Printers["front"].PowerOff()
	id := NewID()
	e.say(t, "cmd/till1/shift-open", envelope(id, obj{"wait": "200ms"}, obj{}))
	refusedAs(t, decoded(t, e.wait(t, "waited out", answered(id, fiscal.Rejected))), fiscal.Rejected, fiscal.CodeCondition)
	s.Printers["front"].PowerOn()
	if documents(s, "front") != 1 {
		t.Error("a shift was opened")
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: quickPoll})
	e := listen(t, s, s.url())
	till := openTill(t, s, "till1")
	must(t, till, fiscal.VerbShiftOpen, obj{})
	cancel := func(terminal, id, target string, state fiscal.State) Answer {
		t.Helper()
		return e.ask(t, terminal, fiscal.VerbCancel, id, Request(id, obj{"id": target}), state)
	}
	// One in the printer, one behind it.
	begun, release := holdCommand(s.Printers["front"], closeReceipt, closeReceiptV3)
	inHand, queued := NewID(), NewID()
	e.say(t, "cmd/till1/sale", Request(inHand, tea()))
	<-begun
	e.say(t, "cmd/till1/sale", Request(queued, tea()))
	e.wait(t, "queued", answered(queued, fiscal.Accepted))
	refusedAs(t, cancel("till1", "c1", inHand, fiscal.Rejected), fiscal.Rejected, fiscal.CodeNotBegunOnly)
	refusedAs(t, cancel("till2", "c2", queued, fiscal.Rejected), fiscal.Rejected, fiscal.CodeNoRight)
	cancel("till1", "c3", queued, fiscal.Done)
	if a := decoded(t, e.wait(t, "cancelled", answered(queued, fiscal.Cancelled))); !a.Final {
		t.Errorf("%s", a.Raw)
	}
	cancel("till1", "c4", queued, fiscal.Done) // twice
	close(release)
	e.wait(t, "the one in hand", answered(inHand, fiscal.Done))
	refusedAs(t, cancel("till1", "c5", inHand, fiscal.Rejected), fiscal.Rejected, fiscal.CodeNotBegunOnly)
	// A cancelled id stays so.
	if a := e.ask(t, "till1", fiscal.VerbSale, queued, Request(queued, tea()), fiscal.Cancelled); !a.Dup {
		t.Errorf("%s", a.Raw)
	}
	// An id that was never seen, twice; the late arrival is cancelled.
	unseen, before := NewID(), documents(s, "front")
	cancel("till1", "c6", unseen, fiscal.Done)
	cancel("till1", "c7", unseen, fiscal.Done)
	if a := e.ask(t, "till1", fiscal.VerbSale, unseen, Request(unseen, tea()), fiscal.Cancelled); a.N != 1 || a.Dup {
		t.Errorf("%s", a.Raw)
	}
	e.wait(t, "the event of its end", on("evt/receipt", `"id":"`+unseen+`"`))
	if a := e.ask(t, "till1", fiscal.VerbSale, unseen, Request(unseen, tea()), fiscal.Cancelled); !a.Dup {
		t.Errorf("the repeat: %s", a.Raw)
	}
	if documents(s, "front") != before {
		t.Error("a cancelled command printed")
	}
}

// sync gives every final answer of the terminal in order, by number and by
// time, in pages.
func TestSync(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	till, stranger := openTill(t, s, "till1"), openTill(t, s, "till2")
	begin := time.Now().Add(-time.Second)
	var want []string
	for i := range 53 { // one page is 50
		id := fmt.Sprintf("drawer-%03d", i)
		want = append(want, id)
		if err := till.Send(t.Context(), fiscal.VerbDrawer, Request(id, obj{})); err != nil {
			t.Fatal(err)
		}
	}
	e := listen(t, s, s.url())
	e.wait(t, "the last one", on("last/till1", want[len(want)-1]))
	must(t, stranger, fiscal.VerbDrawer, obj{})
	page := func(since any) wireAnswer {
		a := must(t, till, fiscal.VerbSync, obj{"since": since})
		return strict[wireAnswer](t, string(a.Raw))
	}
	for _, since := range []any{0, begin.Format(time.RFC3339)} {
		var got []string
		for next := since; ; {
			p := page(next)
			for _, a := range p.Answers {
				got = append(got, a.ID)
				if a.State != "done" || !*a.Final || a.Verb != "drawer" || !a.Dup {
					t.Errorf("answer %+v", a)
				}
			}
			if p.Next == 0 {
				next = p.Seq
				if rest := page(next); len(rest.Answers) != 0 {
					t.Errorf("after %v: %+v", next, rest)
				}
				break
			}
			next = p.Next
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("since %v: %v", since, got)
		}
	}
	if rest := page(time.Now().Add(time.Minute).Format(time.RFC3339)); len(rest.Answers) != 0 {
		t.Errorf("from the future: %+v", rest)
	}
}

// Questions are rate-limited for each terminal; commands and other terminals
// are not.
func TestTooManyQuestions(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	e := listen(t, s, s.url())
	for i := range 60 {
		id := fmt.Sprintf("h%d", i)
		e.Client.Publish(e.root+"cmd/till1/hello", 1, false, Request(id, obj{}))
	}
	h := e.wait(t, "busy", on("res/till1/hello", `"busy"`))
	refusedAs(t, decoded(t, h), fiscal.Rejected, fiscal.CodeBusy)
	e.ask(t, "till2", fiscal.VerbHello, "other", Request("other", obj{}), fiscal.Done)
	e.ask(t, "till1", fiscal.VerbDrawer, "command", Request("command", obj{}), fiscal.Done)
}

// A queue of 1000 is full: the next one is told busy, and nothing that was
// accepted is dropped.
func TestFullQueueIsBusy(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Config: quickPoll})
	e := listen(t, s, s.url())
	must(t, openTill(t, s, "till1"), fiscal.VerbShiftOpen, obj{})
	s.Printers["front"].PowerOff()
	e.wait(t, "the printer is away", on("dev/front/state", `"link":false`))
	const most = 1000
	for i := range most {
		// A sale behind a closed door; many tills share the flushes.
		id := fmt.Sprintf("q%04d", i)
		e.Client.Publish(fmt.Sprintf("%scmd/till%d/cash-in", e.root, i%64), 1, false, envelope(id, obj{"wait": "24h"}, obj{"amount": 1}))
	}
	e.wait(t, "all are queued", on("spool/state", `"queued":1000`))
	a := e.ask(t, "till1", fiscal.VerbCashIn, "one-more", Request("one-more", obj{"amount": 1}), fiscal.Rejected)
	refusedAs(t, a, fiscal.Rejected, fiscal.CodeBusy)
	if a := e.ask(t, "till1", fiscal.VerbCashIn, "q0001", envelope("q0001", nil, obj{"amount": 1}), fiscal.Accepted); !a.Dup {
		t.Errorf("a repeat in a full queue: %s", a.Raw)
	}
	records, err := s.Daemon().Records()
	if err != nil || len(records) != 1+most {
		t.Errorf("%d records, %v", len(records), err)
	}
	// Room again: by cancel.
	mark := e.mark()
	for i := range most {
		id := fmt.Sprintf("q%04d", i)
		e.Client.Publish(fmt.Sprintf("%scmd/till%d/cancel", e.root, i%64), 1, false, Request("c"+id, obj{"id": id}))
	}
	e.after(t, mark, "the queue is empty", on("spool/state", `"queued":0`))
	s.Printers["front"].PowerOn()
	e.ask(t, "till1", fiscal.VerbCashIn, "one-more", Request("one-more", obj{"amount": 1}), fiscal.Done)
	if got := s.Printers["front"].Drawer(); got != 100 {
		t.Errorf("drawer %d", got)
	}
}

// Two printers work side by side: one that does not answer holds nobody else
// up.
func TestDevicesInParallel(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{Printers: twoPrinters()})
	e := listen(t, s, s.url())
	for _, device := range []string{"front", "back"} {
		e.ask(t, "till1", fiscal.VerbShiftOpen, "open-"+device, onDevice("open-"+device, device, obj{}), fiscal.Done)
	}
	begun, release := holdCommand(s.Printers["front"], closeReceipt, closeReceiptV3)
	e.say(t, "cmd/till1/sale", onRoute("slow", "front", tea()))
	<-begun
	for i := range 3 { // of the same terminal
		id := fmt.Sprintf("quick%d", i)
		e.ask(t, "till1", fiscal.VerbSale, id, onDevice(id, "back", tea()), fiscal.Done)
	}
	close(release)
	e.wait(t, "the slow one", answered("slow", fiscal.Done))
}

// 64 terminals at once: each has its own answers, in its own order.
func TestSixtyFourTerminals(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	e := listen(t, s, s.url())
	openTill(t, s, "till1")
	e.ask(t, "till0", fiscal.VerbShiftOpen, "open", Request("open", obj{}), fiscal.Done)
	const tills, each = 64, 2
	for n := range each {
		for i := range tills {
			id := fmt.Sprintf("t%02d-%d", i, n)
			e.Client.Publish(fmt.Sprintf("%scmd/till%d/sale", e.root, i), 1, false, Request(id, tea()))
		}
	}
	for i := range tills {
		for n := range each {
			id := fmt.Sprintf("t%02d-%d", i, n)
			h := e.wait(t, id, answered(id, fiscal.Done))
			if h.topic != fmt.Sprintf("res/till%d/sale", i) {
				t.Errorf("%s was answered on %s", id, h.topic)
			}
		}
	}
	if got := documents(s, "front"); got != 2+tills*each {
		t.Errorf("%d documents", got)
	}
}

func twoPrinters() map[string]printer.Config {
	return map[string]printer.Config{
		"front": {},
		"back":  {Serial: "0000000000000002", FNSerial: "9999078900000002"},
	}
}

// quickPoll looks at the devices often.
func quickPoll(c *daemon.Config) {
	for i := range c.Devices {
		c.Devices[i].Poll = daemon.Duration(100 * time.Millisecond)
	}
}

// manageHere uses the control socket of the shop.
func manageHere(t *testing.T, s *Shop, op string, body any) []byte {
	t.Helper()
	r, err := daemon.Control(t.Context(), s.Config, op, "тест", body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
