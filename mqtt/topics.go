package mqtt

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of topics. Brokers log topic names, and AWS IoT refuses more than
// 256 bytes; the longest topic of the contract, a device alert with every name
// at its limit, is 184 bytes and has 8 slashes.
const (
	nameBytesMax    = 32
	topicBytesMax   = 192
	topicSlashesMax = 8
	topicPrefix     = "kassad/v1/"
)

// Errors of topics.
var (
	// ErrName: a name is not 1 to 32 characters of a-z, 0-9 and "-".
	ErrName = errors.New("a name is 1 to 32 characters of a-z, 0-9 and -")
	// ErrTopic: a topic is not one of the contract under this root.
	ErrTopic = errors.New("not a topic of this node")
)

// ValidName tells whether s may be a level of a topic: an organisation, store,
// node, terminal, device, verb, operation, code or class.
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > nameBytesMax {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Topics builds and parses the topics of one node. Its zero value is of no use.
//
// Builders panic on a name that breaks the rule: names come from a checked
// configuration or from Parse, so a bad one is a fault of this program.
type Topics struct {
	root string
}

// NewTopics returns the topics under kassad/v1/{org}/{store}/{node}.
func NewTopics(org, store, node string) (Topics, error) {
	for _, level := range []struct{ what, name string }{{"org", org}, {"store", store}, {"node", node}} {
		if !ValidName(level.name) {
			return Topics{}, fmt.Errorf("%s %q: %w", level.what, level.name, ErrName)
		}
	}
	return Topics{root: topicPrefix + org + "/" + store + "/" + node}, nil
}

// ParseRoot reads a root as Root prints it.
func ParseRoot(root string) (Topics, error) {
	levels := strings.Split(strings.TrimPrefix(root, topicPrefix), "/")
	if !strings.HasPrefix(root, topicPrefix) || len(levels) != 3 {
		return Topics{}, fmt.Errorf("root %.200q: want %s{org}/{store}/{node}", root, topicPrefix)
	}
	return NewTopics(levels[0], levels[1], levels[2])
}

// Root returns the root, without a slash at its end.
func (t Topics) Root() string { return t.root }

// Everything is the filter of all topics of the node.
func (t Topics) Everything() string { return t.root + "/#" }

// Commands is the filter of all commands of all terminals.
func (t Topics) Commands() string { return t.root + "/cmd/+/+" }

// Requests is the filter of all management requests.
func (t Topics) Requests() string { return t.root + "/mgmt/req/+" }

// Command is where a terminal publishes a command.
func (t Topics) Command(terminal, verb string) string { return t.join("cmd", terminal, verb) }

// Result is where every state of a command is answered.
func (t Topics) Result(terminal, verb string) string { return t.join("res", terminal, verb) }

// Results is the filter of all answers to a terminal.
func (t Topics) Results(terminal string) string { return t.join("res", terminal) + "/#" }

// Last holds the last final result of a terminal (retained).
func (t Topics) Last(terminal string) string { return t.join("last", terminal) }

// NodeState is the node's online, draining or offline (retained, the will).
func (t Topics) NodeState() string { return t.root + "/node/state" }

// NodeInfo describes versions, devices and limits (retained).
func (t Topics) NodeInfo() string { return t.root + "/node/info" }

// NodeHealth is the periodic health of the process (retained).
func (t Topics) NodeHealth() string { return t.root + "/node/health" }

// NodeAlert stands while the condition stands (retained).
func (t Topics) NodeAlert(code string) string { return t.join("node", "alert", code) }

// Probe is the topic of a link's loop-back messages.
func (t Topics) Probe(name string) string { return t.join("node", "probe", name) }

// SpoolState summarises the queue (retained).
func (t Topics) SpoolState() string { return t.root + "/spool/state" }

// NodeReconcile is the last reconciliation (retained).
func (t Topics) NodeReconcile() string { return t.root + "/node/reconcile" }

// Device is one of a device's documents: state, info, x, z or reconcile
// (retained).
func (t Topics) Device(name, what string) string { return t.join("dev", name, what) }

// DeviceAlert stands while the condition stands (retained).
func (t Topics) DeviceAlert(name, code string) string { return t.join("dev", name, "alert", code) }

// Event is the stream of a class of events.
func (t Topics) Event(class string) string { return t.join("evt", class) }

// Request is where a manager publishes a management request.
func (t Topics) Request(op string) string { return t.join("mgmt", "req", op) }

// Callback is where a relay passes on what a service calls back.
func (t Topics) Callback(service string) string { return t.join("callback", service) }

// Response is where a management request is answered.
func (t Topics) Response(op string) string { return t.join("mgmt", "res", op) }

func (t Topics) join(levels ...string) string {
	for _, level := range levels {
		if !ValidName(level) {
			panic(fmt.Sprintf("mqtt: topic level %.80q under %q: %v", level, t.root, ErrName))
		}
	}
	return t.root + "/" + strings.Join(levels, "/")
}
