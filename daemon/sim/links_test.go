package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
	"kassad/spool"
)

// A till that is closed while its broker is away leaves the library asleep for
// up to its pause between attempts.
func TestMain(m *testing.M) {
	const library = "github.com/eclipse/paho%2emqtt%2egolang."
	goleak.VerifyTestMain(m, append(mqtttest.LeakOptions(),
		goleak.IgnoreAnyFunction(library+"(*client).reconnect"), goleak.IgnoreAnyFunction(library+"(*client).Disconnect.func1"))...)
}

// wan is the wire to a broker, which can be cut.
type wan struct {
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func openWAN(t *testing.T, brokerURL string) *wan {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wan{target: strings.TrimPrefix(brokerURL, "tcp://"), listener: l}
	w.work.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.Cut()
		w.work.Wait()
	})
	return w
}

func (w *wan) URL() string { return "tcp://" + w.listener.Addr().String() }

func (w *wan) accept() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.target)
		if err != nil {
			in.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, in, out)
		if w.cut {
			in.Close()
			out.Close()
		}
		w.mu.Unlock()
		for _, ends := range [][2]net.Conn{{in, out}, {out, in}} {
			w.work.Go(func() {
				io.Copy(ends[0], ends[1])
				ends[0].Close()
			})
		}
	}
}

// Cut breaks the wire until Mend.
func (w *wan) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *wan) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// shopLink adds an external broker for terminals.
func shopLink(url string) func(*daemon.Config) {
	return func(c *daemon.Config) { c.MQTT = []daemon.LinkConfig{{URL: url, Role: daemon.RoleShop}} }
}

// Results and events that are made while a broker is away arrive when it is
// back: in order, none lost, and only what was on its way may come twice.
func TestOutboxSurvivesTheBroker(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	w := openWAN(t, m.URL)
	s := openShop(t, Options{Config: shopLink(w.URL())})
	far, near := listen(t, s, m.URL), listen(t, s, s.url())
	far.wait(t, "the node", on("node/state", "online"))
	far.ask(t, "till1", fiscal.VerbShiftOpen, "open", Request("open", obj{}), fiscal.Done)
	begun, release := holdCommand(s.Printers["front"], closeReceipt, closeReceiptV3)
	const sales = 25
	for i := range sales {
		far.say(t, "cmd/till1/sale", Request(saleID(i), tea()))
	}
	<-begun
	far.wait(t, "the last is accepted", answered(saleID(sales-1), fiscal.Accepted))
	w.Cut()
	near.wait(t, "the alert", on("node/alert/broker-away", "shop-1"))
	mark := far.mark()
	close(release)
	// The same id by the other link is answered there, and finished there too.
	near.ask(t, "till1", fiscal.VerbSale, saleID(sales-1), Request(saleID(sales-1), tea()), fiscal.Done)
	near.wait(t, "the outbox", on("spool/state", `"queued":0`))
	w.Mend()
	far.after(t, mark, "the last result", answered(saleID(sales-1), fiscal.Done))
	near.wait(t, "the alert is gone", func(h heard) bool { return h.topic == "node/alert/broker-away" && h.payload == "" })
	far.wait(t, "the last event", on("evt/receipt", saleID(sales-1)))
	checkResults(t, far, sales)
	checkSequence(t, far)
	near.wait(t, "the empty outbox", on("spool/state", `"outbox":0`))
}

func saleID(i int) string { return fmt.Sprintf("sale-%02d", i) }

// checkResults wants the final answers in the order of the documents.
func checkResults(t *testing.T, e *ear, sales int) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	next := 0
	for _, h := range e.all {
		if !strings.HasPrefix(h.topic, "res/till1/sale") || !strings.Contains(h.payload, `"done"`) {
			continue
		}
		a := decoded(t, h)
		switch a.ID {
		case saleID(next):
			next++
		case saleID(next - 1): // was on its way when the wire was cut
		default:
			t.Errorf("%s after %d results", a.ID, next)
		}
	}
	if next != sales {
		t.Errorf("%d results of %d", next, sales)
	}
}

// checkSequence wants every event since the first one heard.
func checkSequence(t *testing.T, e *ear) {
	t.Helper()
	var seen []uint64
	for _, h := range e.events() {
		var ev wireEvent
		if err := unmarshal(h.payload, &ev); err != nil {
			t.Fatal(err)
		}
		if n := len(seen); n > 0 && ev.Seq != seen[n-1]+1 && ev.Seq != seen[n-1] {
			t.Errorf("event %d after %d", ev.Seq, seen[n-1])
		}
		seen = append(seen, ev.Seq)
	}
}

// A broker that is restarted with its memory empty has the results of what
// came by it, as far as MQTT can know who listens: in last/, and for who asks
// again.
func TestResultsAfterABrokerIsKilled(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	s := openShop(t, Options{Config: shopLink(m.URL)})
	e := listen(t, s, m.URL)
	e.wait(t, "the node", on("node/state", "online"))
	e.ask(t, "till1", fiscal.VerbShiftOpen, "open", Request("open", obj{}), fiscal.Done)
	begun, release := holdCommand(s.Printers["front"], closeReceipt, closeReceiptV3)
	e.say(t, "cmd/till1/sale", Request("sale", tea()))
	<-begun
	m.Kill()
	near := listen(t, s, s.url())
	close(release)
	near.wait(t, "done", on("last/till1", `"sale"`))
	m.Restart(t)
	again := listen(t, s, m.URL)
	again.wait(t, "last", on("last/till1", `"id":"sale"`))
	again.say(t, "cmd/till1/sale", Request("sale", tea()))
	again.wait(t, "the answer again", on("res/till1/sale", `"state":"done","final":true,"dup":true`))
}

// What a broker kept for the node is refused and removed, but a command that
// was taken when it was sent keeps its answer.
func TestRetainedCommandsOfABroker(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	root := daemon.DefaultConfig().Root()
	early := listenTo(t, root, m.URL, "#")
	early.Send(t, root+"/cmd/till1/shift-open", string(Request("kept", obj{})), true)
	early.Send(t, root+"/mgmt/req/status", string(mustJSON(obj{"v": 1, "id": "kept-too", "by": "ivanov"})), true)
	w := openWAN(t, m.URL)
	s := openShop(t, Options{Config: func(c *daemon.Config) {
		shopLink(w.URL())(c)
		managers("ivanov")(c)
	}})
	refusedAs(t, decoded(t, early.wait(t, "refused", answered("kept", fiscal.Rejected))), fiscal.Rejected, fiscal.CodeRetained)
	early.wait(t, "the request is refused", on("mgmt/res/status", `"retained"`))
	for _, topic := range []string{"cmd/till1/shift-open", "mgmt/req/status"} {
		early.wait(t, topic+" is cleared", func(h heard) bool { return h.topic == topic && h.payload == "" })
	}
	// Mosquitto hides the flag from who listens already.
	early.Send(t, root+"/cmd/till1/shift-open", string(Request("live", obj{})), true)
	early.wait(t, "it is taken", answered("live", fiscal.Done))
	mark := early.mark()
	w.Cut()
	early.after(t, mark, "the will", on("node/state", "offline"))
	w.Mend()
	early.after(t, mark, "the kept copy is answered", on("res/till1/shift-open", `"id":"live","n":3,"state":"done","final":true,"dup":true`))
	early.after(t, mark, "it is cleared", func(h heard) bool { return h.topic == "cmd/till1/shift-open" && h.payload == "" })
	early.ask(t, "till1", fiscal.VerbHello, "fence", Request("fence", obj{}), fiscal.Done)
	early.mu.Lock()
	defer early.mu.Unlock()
	for _, h := range early.all {
		if strings.Contains(h.payload, `"bad-json"`) {
			t.Errorf("our own clearing was answered: %+v", h)
		}
	}
	if got := documents(s, "front"); got != 2 {
		t.Errorf("%d documents", got)
	}
}

// The head office manages; it does not sell.
func TestOfficeLinkTakesNoCommands(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	s := openShop(t, Options{Config: func(c *daemon.Config) {
		c.MQTT = []daemon.LinkConfig{{URL: m.URL, Role: daemon.RoleOffice}}
	}})
	e := listen(t, s, m.URL)
	e.wait(t, "the node", on("node/state", "online"))
	refusedAs(t, e.ask(t, "till1", fiscal.VerbShiftOpen, "x", Request("x", obj{}), fiscal.Rejected), fiscal.Rejected, fiscal.CodeNoRight)
	must(t, openTill(t, s, "till1"), fiscal.VerbShiftOpen, obj{})
	e.wait(t, "its event", on("evt/shift", "shift-open"))
}

// Another node under our name: documents wait until a person chooses.
func TestDuplicateNode(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	s := openShop(t, Options{Config: func(c *daemon.Config) {
		shopLink(m.URL)(c)
		managers("ivanov")(c)
	}})
	e := listen(t, s, s.url())
	own := listen(t, s, m.URL)
	own.wait(t, "online", on("node/state", "online"))
	rival := mustJSON(obj{"state": "online", "instance": "somebody-else", "boot": "b", "epoch": 3, "at": "2026-11-22T12:00:00Z"})
	own.Send(t, own.root+"node/state", string(rival), true)
	alert := strict[wireAlert](t, e.wait(t, "the alert", on("node/alert/duplicate-node", "somebody-else")).payload)
	if alert.Code != "duplicate-node" || !alert.hasAll() {
		t.Errorf("alert %+v", alert)
	}
	e.say(t, "cmd/till1/shift-open", Request("wait", obj{}))
	e.wait(t, "it waits", func(h heard) bool {
		return answered("wait", fiscal.Accepted)(h) && strings.Contains(h.payload, `"waiting":{"code":"duplicate-node"`)
	})
	e.say(t, "cmd/till1/cash-in", envelope("short", obj{"wait": "100ms"}, obj{"amount": 1}))
	refusedAs(t, decoded(t, e.wait(t, "waited out", answered("short", fiscal.Rejected))), fiscal.Rejected, fiscal.CodeCondition)
	e.ask(t, "till1", fiscal.VerbStatus, "status", Request("status", obj{}), fiscal.Done) // questions go on
	if documents(s, "front") != 1 {
		t.Error("a document was begun")
	}
	managed[struct{ Node string }](t, e, "resolve", obj{"node": "keep"})
	e.wait(t, "it goes on", answered("wait", fiscal.Done))
	e.wait(t, "the alert is gone", func(h heard) bool { return h.topic == "node/alert/duplicate-node" && h.payload == "" })

	// The same one is settled; another is not.
	before := e.mark()
	own.Send(t, own.root+"node/state", string(rival), true)
	own.Send(t, own.root+"node/state", strings.Replace(string(rival), "somebody-else", "a-third", 1), true)
	e.after(t, before, "another alert", on("node/alert/duplicate-node", "a-third"))
	managed[struct{ Node string }](t, e, "resolve", obj{"node": "keep"})
	e.after(t, before, "it is gone", func(h heard) bool { return h.topic == "node/alert/duplicate-node" && h.payload == "" })

	// What an earlier connection of our own left is no rival, and is overwritten.
	stale := strings.Replace(own.wait(t, "online", on("node/state", `"online"`)).payload, "online", "offline", 1)
	mark := own.mark()
	own.Send(t, own.root+"node/state", stale, true)
	own.after(t, mark, "online again", on("node/state", `"online"`))
}

// A rival that leaves is a rival no more.
func TestRivalLeaves(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	s := openShop(t, Options{Config: shopLink(m.URL)})
	e := listen(t, s, m.URL)
	e.wait(t, "online", on("node/state", "online"))
	say := func(state string) {
		e.Send(t, e.root+"node/state", string(mustJSON(obj{"state": state, "instance": "other", "boot": "b", "epoch": 3, "at": "2026-11-22T12:00:00Z"})), false)
	}
	say("online")
	e.wait(t, "the alert", on("node/alert/duplicate-node", "other"))
	e.say(t, "cmd/till1/shift-open", Request("wait", obj{}))
	e.wait(t, "it waits", on("res/till1/shift-open", "duplicate-node"))
	say("offline")
	e.wait(t, "it goes on", answered("wait", fiscal.Done))
}

// Somebody who uses our client id is a rival as well.
func TestClientIDTakeOver(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	s := openShop(t, Options{Config: func(c *daemon.Config) {
		c.MQTT = []daemon.LinkConfig{{URL: m.URL, Role: daemon.RoleShop, ClientID: "node-1"}}
	}})
	near, far := listen(t, s, s.url()), listen(t, s, m.URL)
	stands := heardSoon(t, near, on("node/alert/duplicate-node", "client-id on shop-1"))
	for mark := 0; ; {
		came := heardSoonAfter(t, far, mark, on("node/state", "online"))
		select {
		case <-stands:
			manageHere(t, s, "resolve", obj{"node": "keep"})
			near.wait(t, "the alert is gone", func(h heard) bool { return h.topic == "node/alert/duplicate-node" && h.payload == "" })
			return
		case <-came:
			mark = far.mark()
			mqtttest.MustConnect(t, m.URL, func(o *paho.ClientOptions) { o.SetClientID("node-1") })
		case <-time.After(hearing):
			t.Fatal("no alert")
		}
	}
}

func heardSoon(t *testing.T, e *ear, fits func(heard) bool) <-chan heard {
	return heardSoonAfter(t, e, 0, fits)
}

// heardSoonAfter delivers the first message after mark that fits.
func heardSoonAfter(t *testing.T, e *ear, mark int, fits func(heard) bool) <-chan heard {
	out := make(chan heard, 1)
	go func() {
		for {
			e.mu.Lock()
			all, news := e.all, e.news
			e.mu.Unlock()
			for ; mark < len(all); mark++ {
				if fits(all[mark]) {
					out <- all[mark]
					return
				}
			}
			select {
			case <-news:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return out
}

// One data_dir serves one daemon.
func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	s := openShop(t, Options{})
	d, err := daemon.New(s.Config, daemon.Options{Log: s.opt.Log, Open: func(daemon.DeviceConfig) (fiscal.Backend, error) {
		return nil, errors.New("must not be opened")
	}})
	if d != nil || !errors.Is(err, spool.ErrLocked) || !strings.Contains(err.Error(), "one data_dir serves one daemon") {
		t.Errorf("got %v", err)
	}
	must(t, openTill(t, s, "till1"), fiscal.VerbShiftOpen, obj{})
}

// A flood of commands cannot keep the daemon from stopping, and what was not
// stored is not lost.
func TestStopUnderAFlood(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	s := openShop(t, Options{Config: shopLink(m.URL)})
	e := listen(t, s, m.URL)
	e.wait(t, "online", on("node/state", "online"))
	e.Client.Publish(e.root+"cmd/till1/shift-open", 1, false, Request("open", obj{}))
	e.wait(t, "open", answered("open", fiscal.Done))
	const flood = 600
	for i := range flood { // of one terminal: one shard takes them all
		e.Client.Publish(e.root+"cmd/till1/sale", 1, false, Request(fmt.Sprintf("f%03d", i), tea()))
	}
	e.wait(t, "the first answer", on("res/till1/sale", "accepted"))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range flood {
		e.wait(t, "all", answered(fmt.Sprintf("f%03d", i), fiscal.Done))
	}
}

// A command that a killed daemon had not acknowledged comes again from the
// broker's session and is answered once; the kill shows as offline.
func TestUnacknowledgedCommandComesAgain(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.MosquittoOptions{})
	p := printer.New(printer.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var ports sync.WaitGroup
	ports.Go(func() { p.ServeTCP(t.Context(), l) })
	t.Cleanup(ports.Wait)
	cfg := daemon.DefaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.Broker.Enabled = false
	shopLink(m.URL)(&cfg)
	cfg.Devices = []daemon.DeviceConfig{daemon.DeviceConfig{Name: "front", Kind: "shtrih-m", Address: "tcp://" + l.Addr().String()}.WithDefaults()}
	path := filepath.Join(t.TempDir(), "config.json")
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestChildDaemon$")
		cmd.Env = append(os.Environ(), childConfig+"="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	e := listenTo(t, cfg.Root(), m.URL, "#")
	first := start()
	before := strict[wireState](t, e.wait(t, "online", on("node/state", "online")).payload)
	e.wait(t, "the printer", on("dev/front/state", `"link":true`))
	// Frozen, it takes the command from nobody's hands but the system's.
	if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	e.say(t, "cmd/till1/shift-open", Request("unacked", obj{}))
	mark := e.mark()
	first.Process.Kill()
	first.Wait() // always an error: it was killed
	will := strict[wireState](t, e.after(t, mark, "the will", on("node/state", "offline")).payload)
	if will.Instance != before.Instance || will.Boot != before.Boot || will.Epoch != before.Epoch {
		t.Errorf("online %+v, will %+v", before, will)
	}
	second := start()
	e.wait(t, "done", answered("unacked", fiscal.Done))
	after := strict[wireState](t, e.after(t, mark, "online again", on("node/state", "online")).payload)
	if after.Epoch != before.Epoch+1 || after.Boot == before.Boot || after.Instance != before.Instance {
		t.Errorf("before %+v, after %+v", before, after)
	}
	e.ask(t, "till1", fiscal.VerbHello, "fence", Request("fence", obj{}), fiscal.Done)
	second.Process.Kill()
	second.Wait()
	counts := map[fiscal.State]int{}
	e.mu.Lock()
	for _, h := range e.all {
		if h.topic == "node/alert/duplicate-node" {
			t.Errorf("its own past is a rival: %+v", h)
		}
		if strings.Contains(h.payload, `"id":"unacked"`) && strings.HasPrefix(h.topic, "res/") {
			counts[decoded(t, h).State]++
		}
	}
	e.mu.Unlock()
	if counts[fiscal.Accepted] != 1 || counts[fiscal.Done] != 1 || len(p.Storage().Ledger()) != 2 {
		t.Errorf("answers %v, %d documents", counts, len(p.Storage().Ledger()))
	}
}
