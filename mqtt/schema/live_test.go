package schema_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"kassad/daemon"
	"kassad/daemon/sim"
	"kassad/fiscal"
	"kassad/mqtt"
)

// ear hears everything that a node publishes.
type ear struct {
	topics mqtt.Topics
	all    schemas
	client paho.Client

	mu      sync.Mutex
	heard   map[string]int // by schema
	answers map[string]chan []byte
	told    chan struct{} // holds a token after a reconciliation, which nobody waits for
	faults  []string
}

func listen(t *testing.T, s *sim.Shop) *ear {
	t.Helper()
	topics, err := mqtt.ParseRoot(s.Config.Root())
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{topics: topics, all: compile(t), heard: map[string]int{}, answers: map[string]chan []byte{}, told: make(chan struct{}, 1)}
	o := paho.NewClientOptions().AddBroker("tcp://" + s.Broker).SetClientID("ear").SetDefaultPublishHandler(e.hear)
	e.client = paho.NewClient(o)
	for _, token := range []func() paho.Token{e.client.Connect, func() paho.Token { return e.client.Subscribe(topics.Everything(), 1, nil) }} {
		if tk := token(); !tk.WaitTimeout(10*time.Second) || tk.Error() != nil {
			t.Fatal(tk.Error())
		}
	}
	t.Cleanup(func() { e.client.Disconnect(100) })
	return e
}

func (e *ear) hear(_ paho.Client, m paho.Message) {
	topic, err := e.topics.Parse(m.Topic())
	name := schemaOf(topic)
	if err == nil && len(m.Payload()) > 0 && name != "" {
		if topic.Kind == mqtt.TopicResponse {
			err = checkManaged(e.all, topic.Verb, m.Payload())
		} else {
			err = e.all.check(name, m.Payload())
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.faults = append(e.faults, fmt.Sprintf("%s: %v\n%s", m.Topic(), err, m.Payload()))
	}
	e.heard[name]++
	if name == "reconciliation" {
		select {
		case e.told <- struct{}{}:
		default:
		}
	}
	var a struct {
		ID string `json:"id"`
	}
	if topic.Kind == mqtt.TopicResponse && json.Unmarshal(m.Payload(), &a) == nil && e.answers[a.ID] != nil {
		e.answers[a.ID] <- m.Payload()
	}
}

// schemaOf is the schema of what is published on a topic; "" for commands and
// probes.
func schemaOf(t mqtt.Topic) string {
	switch t.Kind {
	case mqtt.TopicResult, mqtt.TopicLast, mqtt.TopicResponse:
		return "answer"
	case mqtt.TopicNode:
		if t.Verb == "reconcile" {
			return "reconciliation"
		}
		return "node-" + t.Verb
	case mqtt.TopicSpool:
		return "spool-state"
	case mqtt.TopicDevice:
		return map[string]string{"state": "device-state", "info": "device-info", "x": "device-report", "z": "device-report", "reconcile": "reconciliation"}[t.Verb]
	case mqtt.TopicNodeAlert, mqtt.TopicDeviceAlert:
		return "alert"
	case mqtt.TopicEvent:
		return "event-" + t.Verb
	default:
		return ""
	}
}

// manage asks for an operation and returns the answer.
func (e *ear) manage(ctx context.Context, op string, body any) ([]byte, error) {
	id := sim.NewID()
	answer := make(chan []byte, 1)
	e.mu.Lock()
	e.answers[id] = answer
	e.mu.Unlock()
	payload, err := json.Marshal(map[string]any{"v": 1, "id": id, "by": "ivanov", "body": body})
	if err != nil {
		return nil, err
	}
	if err := e.all.check("manage-"+op, payload); err != nil {
		return nil, err
	}
	e.client.Publish(e.topics.Request(op), 1, false, payload)
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type object = map[string]any

// TestRunningDaemon holds everything that a daemon publishes in a short day
// against the schemas.
func TestRunningDaemon(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := sim.Open(ctx, sim.Options{Dir: t.TempDir(), Config: func(c *daemon.Config) {
		c.Managers = map[string]daemon.ManagerConfig{"ivanov": {Ops: []string{"*"}}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	e := listen(t, s)
	till, err := s.Till(ctx, "till1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range day() {
		if _, err := till.Call(ctx, c.verb, c.body); err != nil {
			t.Fatalf("%s: %v", c.verb, err)
		}
	}
	for op, body := range map[string]any{
		"status": object{}, "doctor": object{}, "logs": object{"lines": 5}, "detect": object{}, "backup": object{},
		"set-time": object{"device": "front"}, "config-get": object{}, "resolve": object{"id": "nobody", "action": "give-up"},
		"reconcile": object{"list": true},
	} {
		if _, err := e.manage(ctx, op, body); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	if _, err := e.manage(ctx, "reconcile", object{"device": "front"}); err != nil {
		t.Error(err)
	}
	select {
	case <-e.told:
	case <-ctx.Done():
		t.Error("no reconciliation")
	}
	e.report(t)
}

// day is one command of every verb.
func day() []struct {
	verb fiscal.Verb
	body any
} {
	cashier := object{"name": "Иванова А.", "inn": "500100732259"}
	receipt := func(more object) object {
		body := object{
			"cashier": cashier, "payments": object{"cash": "#"},
			"items": []object{{"name": "Хлеб", "price": "65.50", "quantity": "2", "vat": "vat10"}},
		}
		for k, v := range more {
			body[k] = v
		}
		return body
	}
	return []struct {
		verb fiscal.Verb
		body any
	}{
		{fiscal.VerbHello, object{}}, {fiscal.VerbStatus, object{}}, {fiscal.VerbShiftOpen, object{"cashier": cashier}},
		{fiscal.VerbCashIn, object{"amount": 1000, "cashier": cashier}}, {fiscal.VerbSale, receipt(nil)}, {fiscal.VerbRefund, receipt(nil)},
		{fiscal.VerbBuy, receipt(nil)}, {fiscal.VerbBuyRefund, receipt(nil)},
		{fiscal.VerbCorrection, receipt(object{"correction": object{"kind": "sale", "by": "self", "date": time.Now().Format(time.DateOnly)}})},
		{fiscal.VerbSale, receipt(object{"payments": object{"card": 1}})}, // refused
		{fiscal.VerbCashOut, object{"amount": 10, "cashier": cashier}}, {fiscal.VerbXReport, object{}}, {fiscal.VerbCopy, object{}},
		{fiscal.VerbText, object{"lines": []string{"Проверка"}, "cut": true}}, {fiscal.VerbDrawer, object{}}, {fiscal.VerbCounters, object{}},
		{fiscal.VerbDocument, object{"fd": 3}}, {fiscal.VerbQuery, object{"id": "nobody"}}, {fiscal.VerbCancel, object{"id": "nobody"}},
		{fiscal.VerbSync, object{"since": 0}}, {fiscal.VerbShiftClose, object{"cashier": cashier}},
	}
}

// report tells what did not fit, and what was never heard.
func (e *ear) report(t *testing.T) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.faults {
		t.Error(f)
	}
	for _, m := range messages() {
		rare := m.name == "alert" || strings.HasPrefix(m.name, "event-alert") || m.name == "event-device" || m.name == "event-cloud"
		if m.asks&isOutgoing != 0 && !strings.HasPrefix(m.name, "result-") && !rare && e.heard[m.name] == 0 {
			t.Errorf("%s was never published", m.name)
		}
	}
}
