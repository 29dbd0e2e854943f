package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/invopop/jsonschema"

	"kassad/daemon"
	"kassad/devices/link"
	"kassad/fiscal"
	"kassad/mqtt"
)

var update = flag.Bool("update", false, "write the files instead of comparing them")

// message is one file: what it describes and the Go value behind it.
type message struct {
	name  string
	title string
	value any
	body  any // of a request; nil if it has no members
	class string
	asks  envelope // of a terminal's request
}

// envelope says which members a verb's envelope has beside v, id, exp and wait.
type envelope uint8

const (
	anyTime      envelope = 0
	needsTime    envelope = 1 << (iota - 1) // at is required
	namesRoute                              // route
	namesDevice                             // device
	needsBody                               // the body has required members
	isManagement                            // mgmt/req
	isOutgoing                              // what kassad publishes
	isBare                                  // the value is the whole message: there is no envelope
)

// Bodies and results of management, as package daemon reads and writes them.
type (
	logsRequest struct {
		// Lines is how many of the last lines are wanted; 200 by default.
		Lines int `json:"lines,omitempty"`
	}
	setTimeRequest struct {
		// Device may be left out where there is only one.
		Device string `json:"device,omitempty"`
	}
	reloadRequest struct {
		ID string `json:"id"`
		// Confirmed is a person's word that no fiscal document exists.
		Confirmed bool   `json:"confirmed"`
		Note      string `json:"note,omitempty"`
	}
	resolveRequest struct {
		// ID is the held command.
		ID string `json:"id,omitempty"`
		// Action is the decision.
		Action fiscal.Action `json:"action,omitempty"`
		// FD is the document that settles it: done-elsewhere and as-correction need it.
		FD uint32 `json:"fd,omitempty"`
		// Note is kept and published with the decision.
		Note string `json:"note,omitempty"`
		// Node is keep: of two nodes of one name, this one goes on. Then the other members are left out.
		Node string `json:"node,omitempty"`
	}
	// reconcileList answers a request with list.
	reconcileList struct {
		Reports []mqtt.ReconciliationItem `json:"reports"`
	}
	logsResult struct {
		Lines []string `json:"lines"`
	}
	restartResult struct {
		Restart string `json:"restart"`
	}
	detectResult struct {
		Ports   []link.Port                 `json:"ports"`
		Devices map[string]mqtt.DeviceState `json:"devices"`
	}
	backupResult struct {
		File   string `json:"file"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
	}
	setTimeResult struct {
		Device string `json:"device"`
		Clock  string `json:"clock"`
	}
)

// messages lists all files.
func messages() []message {
	request := func(name, verbs string, body any, asks envelope) message {
		return message{name: "request-" + name, title: "cmd/{terminal}/{verb}: " + verbs, value: mqtt.Request{}, body: body, asks: asks}
	}
	outgoing := func(name, topic string, value any) message {
		return message{name: name, title: topic, value: value, asks: isOutgoing}
	}
	event := func(class string, value any) message {
		return message{name: "event-" + class, title: "evt/" + class, value: value, class: class, asks: isOutgoing}
	}
	manage := func(op string, body any) message {
		return message{name: "manage-" + op, title: "mgmt/req/" + op, value: mqtt.ManagementRequest{}, body: body, asks: isManagement}
	}
	result := func(op string, value any) message {
		return message{name: "result-" + op, title: "result of mgmt/res/" + op, value: value, asks: isOutgoing}
	}
	return []message{
		request("receipt", "sale, refund, buy, buy-refund", mqtt.ReceiptRequest{}, needsTime|namesRoute|needsBody),
		request("correction", "correction", mqtt.CorrectionRequest{}, needsTime|namesRoute|needsBody),
		request("shift", "shift-open, shift-close", mqtt.ShiftRequest{}, needsTime|namesDevice),
		request("cash", "cash-in, cash-out", mqtt.CashRequest{}, needsTime|namesDevice|needsBody),
		request("text", "text", mqtt.TextRequest{}, namesDevice|needsBody),
		request("device", "x-report, copy, drawer, counters, status", mqtt.EmptyRequest{}, namesDevice),
		request("document", "document", mqtt.DocumentRequest{}, namesDevice|needsBody),
		request("target", "query, cancel", mqtt.TargetRequest{}, needsBody),
		request("sync", "sync", mqtt.SyncRequest{}, needsBody),
		request("hello", "hello", mqtt.EmptyRequest{}, anyTime),
		{name: "callback", title: "callback/lifepay", value: mqtt.Callback{}, asks: isBare},
		outgoing("answer", "res/{terminal}/{verb}, last/{terminal} and mgmt/res/{op}", mqtt.Answer{}),
		outgoing("node-state", "node/state", mqtt.NodeState{}),
		outgoing("node-info", "node/info", mqtt.NodeInfo{}),
		outgoing("node-health", "node/health", mqtt.NodeHealth{}),
		outgoing("spool-state", "spool/state", mqtt.SpoolState{}),
		outgoing("device-state", "dev/{name}/state", mqtt.DeviceState{}),
		outgoing("device-info", "dev/{name}/info", fiscal.Info{}),
		outgoing("device-report", "dev/{name}/x and dev/{name}/z", mqtt.DeviceReport{}),
		outgoing("alert", "node/alert/{code} and dev/{name}/alert/{code}", mqtt.Alert{}),
		outgoing("reconciliation", "node/reconcile and dev/{name}/reconcile", mqtt.Reconciliation{}),
		event(mqtt.EventReceipt, mqtt.RecordEvent{}),
		event(mqtt.EventShift, mqtt.RecordEvent{}),
		event(mqtt.EventCash, mqtt.RecordEvent{}),
		event(mqtt.EventDevice, mqtt.DeviceEvent{}),
		event(mqtt.EventAlert, mqtt.AlertEvent{}),
		event(mqtt.EventAudit, mqtt.AuditEvent{}),
		event(mqtt.EventCloud, mqtt.LateEvent{}),
		manage("status", nil), manage("doctor", nil), manage("logs", logsRequest{}), manage("restart", nil), manage("detect", nil),
		manage("backup", nil), manage("set-time", setTimeRequest{}), manage("config-get", nil), manage("resolve", resolveRequest{}),
		manage("reconcile", daemon.ReconcileRequest{}), manage("bifit-reload", reloadRequest{}),
		result("reconcile", mqtt.Reconciliation{}), result("reconcile-list", reconcileList{}),
		result("status", daemon.Overview{}), result("doctor", []daemon.Check{}), result("logs", logsResult{}),
		result("restart", restartResult{}), result("detect", detectResult{}), result("backup", backupResult{}),
		result("set-time", setTimeResult{}),
	}
}

// comments are what the sources say of types and members.
type comments map[string]string

func readComments(t *testing.T) comments {
	t.Helper()
	var r jsonschema.Reflector
	for _, from := range []struct{ base, dir string }{ // the extractor joins the two
		{"kassad/mqtt/schema", ".."}, {"kassad/mqtt/schema", "../../fiscal"}, {"kassad/mqtt/schema", "../../daemon"},
		{"kassad/mqtt/schema_test", "."},
	} {
		if err := r.AddGoComments(from.base, from.dir); err != nil {
			t.Fatal(err)
		}
	}
	return r.CommentMap
}

// schema makes the schema of m. closed refuses unknown members and codes of
// what kassad publishes as well.
func (m message) schema(said comments, closed bool) *jsonschema.Schema {
	s := m.reflect(m.value, said, closed)
	s.ID = jsonschema.ID("urn:kassad:v1:" + m.name)
	s.Title = m.title
	if m.class != "" {
		class, _ := s.Properties.Get("class")
		constant(m.class)(class)
	}
	if m.asks&(isOutgoing|isBare) != 0 {
		return s
	}
	if m.asks&isManagement == 0 {
		m.trim(s)
	}
	m.addBody(s, said, closed)
	return s
}

func (m message) reflect(value any, said comments, closed bool) *jsonschema.Schema {
	outgoing := m.asks&isOutgoing != 0
	r := &jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true, AllowAdditionalProperties: outgoing && !closed, Mapper: mapper(!outgoing, closed),
		CommentMap: said,
	}
	s := r.Reflect(value)
	refine(s, reflect.TypeOf(value).Name())
	return s
}

// trim takes the members away that the verb's envelope does not have.
func (m message) trim(s *jsonschema.Schema) {
	if m.asks&needsTime != 0 {
		s.Required = append(s.Required, "at")
	}
	for name, has := range map[string]bool{"route": m.asks&namesRoute != 0, "device": m.asks&namesDevice != 0} {
		if !has {
			s.Properties.Delete(name)
		}
	}
}

func (m message) addBody(s *jsonschema.Schema, said comments, closed bool) {
	value := m.body
	if value == nil {
		value = mqtt.EmptyRequest{}
	}
	body := m.reflect(value, said, closed)
	if s.Definitions == nil {
		s.Definitions = jsonschema.Definitions{}
	}
	for name, def := range body.Definitions {
		s.Definitions[name] = def
	}
	body.Version, body.Definitions = "", nil
	s.Properties.Set("body", body)
	if m.asks&needsBody != 0 {
		s.Required = append(s.Required, "body")
	}
	if len(s.Definitions) == 0 {
		s.Definitions = nil
	}
}

func encode(t *testing.T, s *jsonschema.Schema) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestFilesAreCurrent compares the files with the types. "make generate"
// writes them.
func TestFilesAreCurrent(t *testing.T) {
	t.Parallel()
	var names []string
	said := readComments(t)
	for _, m := range messages() {
		file := m.name + ".json"
		names = append(names, file)
		want := encode(t, m.schema(said, false))
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale (%v): run make generate", file, err)
		}
	}
	found, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		if slices.Contains(names, file) {
			continue
		}
		if *update {
			os.Remove(file)
			continue
		}
		t.Errorf("%s belongs to no message: run make generate", file)
	}
}
