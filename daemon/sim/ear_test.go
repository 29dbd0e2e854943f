package sim

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/fiscal/ffd"
	"kassad/mqtt/mqtttest"
)

// hearing is how long a test waits for what must come.
const hearing = longest

// heard is a message with its topic below the root of the node.
type heard struct {
	topic    string
	payload  string
	retained bool // kept by the broker from before
}

// ear is a foreign program that hears everything of a node, and may speak.
type ear struct {
	*mqtttest.Client
	root string

	mu   sync.Mutex
	all  []heard
	news chan struct{} // closed with the next message
}

func listen(t *testing.T, s *Shop, url string, change ...func(*paho.ClientOptions)) *ear {
	t.Helper()
	return listenTo(t, s.Config.Root(), url, "#", change...)
}

func listenTo(t *testing.T, root, url, filter string, change ...func(*paho.ClientOptions)) *ear {
	t.Helper()
	e := &ear{root: root + "/", news: make(chan struct{})}
	change = append(change, func(o *paho.ClientOptions) { o.SetDefaultPublishHandler(e.hear) })
	e.Client = mqtttest.MustConnect(t, url, change...)
	if granted := e.SubscribeTo(t, e.root+filter); granted != 1 {
		t.Fatalf("subscribe %s%s: %#x", e.root, filter, granted)
	}
	return e
}

func (e *ear) hear(_ paho.Client, m paho.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, heard{strings.TrimPrefix(m.Topic(), e.root), string(m.Payload()), m.Retained()})
	close(e.news)
	e.news = make(chan struct{})
}

// mark is a place in what was heard.
func (e *ear) mark() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

// after waits for the first message after a mark that fits.
func (e *ear) after(t *testing.T, mark int, what string, fits func(heard) bool) heard {
	t.Helper()
	timeout := time.After(hearing)
	for {
		e.mu.Lock()
		all, news := e.all, e.news
		e.mu.Unlock()
		for ; mark < len(all); mark++ {
			if fits(all[mark]) {
				return all[mark]
			}
		}
		select {
		case <-news:
		case <-timeout:
			t.Fatalf("did not hear: %s", what)
		}
	}
}

func (e *ear) wait(t *testing.T, what string, fits func(heard) bool) heard {
	t.Helper()
	return e.after(t, 0, what, fits)
}

// on waits for a topic and decodes its last-known payload, strictly.
func on(topic, part string) func(heard) bool {
	return func(h heard) bool { return h.topic == topic && strings.Contains(h.payload, part) }
}

// answered fits an answer to a command in a state.
func answered(id string, state fiscal.State) func(heard) bool {
	return func(h heard) bool {
		return strings.HasPrefix(h.topic, "res/") && strings.Contains(h.payload, `"id":"`+id+`"`) &&
			strings.Contains(h.payload, `"state":"`+string(state)+`"`)
	}
}

// events lists the events heard so far.
func (e *ear) events() []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []heard
	for _, h := range e.all {
		if strings.HasPrefix(h.topic, "evt/") {
			out = append(out, h)
		}
	}
	return out
}

// say publishes below the root of the node.
func (e *ear) say(t *testing.T, topic string, payload []byte) {
	t.Helper()
	e.Send(t, e.root+topic, string(payload), false)
}

// ask sends a command of a terminal and returns the first answer to its id
// that fits.
func (e *ear) ask(t *testing.T, terminal string, verb fiscal.Verb, id string, payload []byte, state fiscal.State) Answer {
	t.Helper()
	mark := e.mark()
	e.say(t, "cmd/"+terminal+"/"+string(verb), payload)
	h := e.after(t, mark, string(verb)+" "+id+" "+string(state), answered(id, state))
	return decoded(t, h)
}

func decoded(t *testing.T, h heard) Answer {
	t.Helper()
	a, err := decodeAnswer([]byte(h.payload))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// manage asks for a management operation.
func (e *ear) manage(t *testing.T, op, by string, body any) wireAnswer {
	t.Helper()
	id, mark := NewID(), e.mark()
	request := obj{"v": 1, "id": id, "by": by}
	if body != nil {
		request["body"] = body
	}
	e.say(t, "mgmt/req/"+op, mustJSON(request))
	h := e.after(t, mark, "mgmt "+op, on("mgmt/res/"+op, `"id":"`+id+`"`))
	return strict[wireAnswer](t, h.payload)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// strict decodes text into what the contract documents: a field that it does
// not document is an error.
func strict[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Errorf("%v\nin %s", err, text)
	}
	return v
}

// managers lets everybody manage by a name.
func managers(names ...string) func(*daemon.Config) {
	return func(c *daemon.Config) {
		c.Managers = map[string]daemon.ManagerConfig{}
		for _, n := range names {
			c.Managers[n] = daemon.ManagerConfig{Ops: []string{"*"}}
		}
	}
}

// envelope builds a request with more members.
func envelope(id string, more obj, body any) []byte {
	request := obj{"v": 1, "id": id, "at": time.Now().Format(time.RFC3339), "body": body}
	for k, v := range more {
		request[k] = v
	}
	return mustJSON(request)
}

// tea is the shortest sale.
func tea() obj { return receipt(obj{"card": "#"}, item("Чай", "50.00", "1", "none", nil)) }

func unmarshal(text string, v any) error { return json.Unmarshal([]byte(text), v) }

// holdCommand makes a printer wait before it executes one of the codes, once:
// begun tells that it has the command, release lets it go on.
func holdCommand(p *printer.Printer, codes ...uint16) (begun, release chan struct{}) {
	begun, release = make(chan struct{}), make(chan struct{})
	p.Inject(printer.Fault{When: printer.Command(codes...), Do: printer.Call{When: printer.Before, Do: func(*printer.Printer) {
		close(begun)
		<-release
	}}})
	return begun, release
}

func printer105() map[string]printer.Config {
	return map[string]printer.Config{"front": {FFD: ffd.Version105, CashDrawer: 500_000}}
}
