package mqtt

import (
	"fmt"
	"strings"
)

// TopicKind tells the places of the topic tree apart.
type TopicKind uint8

// Kinds of topics.
const (
	TopicCommand     TopicKind = iota + 1 // cmd/{Name}/{Verb}
	TopicResult                           // res/{Name}/{Verb}
	TopicLast                             // last/{Name}
	TopicNode                             // node/{Verb}: state, info, health, reconcile
	TopicNodeAlert                        // node/alert/{Verb}
	TopicProbe                            // node/probe/{Name}
	TopicSpool                            // spool/{Verb}: state
	TopicDevice                           // dev/{Name}/{Verb}: state, info, x, z, reconcile
	TopicDeviceAlert                      // dev/{Name}/alert/{Verb}
	TopicEvent                            // evt/{Verb}
	TopicRequest                          // mgmt/req/{Verb}
	TopicResponse                         // mgmt/res/{Verb}
	TopicCallback                         // callback/{Verb}: the service
)

// Topic is a parsed topic. Name is a terminal, a device or a probe; Verb is
// the verb, operation, class, code, document or service.
type Topic struct {
	Kind       TopicKind
	Name, Verb string
}

// Parse reads a topic of this node. A topic of another root, with a wildcard,
// with a name that breaks the rule or that the contract does not list is
// ErrTopic.
func (t Topics) Parse(topic string) (Topic, error) {
	bad := func(why string) (Topic, error) {
		return Topic{}, fmt.Errorf("%.*q: %w: %s", topicBytesMax, topic, ErrTopic, why)
	}
	if len(topic) > topicBytesMax || strings.Count(topic, "/") > topicSlashesMax {
		return bad("too long")
	}
	rest, ok := strings.CutPrefix(topic, t.root+"/")
	if !ok || t.root == "" {
		return bad("another root")
	}
	levels := strings.Split(rest, "/")
	for _, level := range levels {
		if !ValidName(level) {
			return bad(ErrName.Error())
		}
	}
	parsed, ok := classify(levels)
	if !ok {
		return bad("unknown place")
	}
	return parsed, nil
}

// classify expects levels that are all valid names.
func classify(l []string) (Topic, bool) {
	switch {
	case len(l) == 3 && l[0] == "cmd":
		return Topic{TopicCommand, l[1], l[2]}, true
	case len(l) == 3 && l[0] == "res":
		return Topic{TopicResult, l[1], l[2]}, true
	case len(l) == 2 && l[0] == "last":
		return Topic{TopicLast, l[1], ""}, true
	case len(l) == 2 && l[0] == "evt":
		return Topic{TopicEvent, "", l[1]}, true
	case len(l) == 2 && l[0] == "callback":
		return Topic{TopicCallback, "", l[1]}, true
	case len(l) == 2 && l[0] == "spool" && l[1] == "state":
		return Topic{TopicSpool, "", l[1]}, true
	case l[0] == "node":
		return classifyNode(l[1:])
	case l[0] == "dev":
		return classifyDevice(l[1:])
	case len(l) == 3 && l[0] == "mgmt" && l[1] == "req":
		return Topic{TopicRequest, "", l[2]}, true
	case len(l) == 3 && l[0] == "mgmt" && l[1] == "res":
		return Topic{TopicResponse, "", l[2]}, true
	}
	return Topic{}, false
}

func classifyNode(l []string) (Topic, bool) {
	switch {
	case len(l) == 1 && (l[0] == "state" || l[0] == "info" || l[0] == "health" || l[0] == "reconcile"):
		return Topic{TopicNode, "", l[0]}, true
	case len(l) == 2 && l[0] == "alert":
		return Topic{TopicNodeAlert, "", l[1]}, true
	case len(l) == 2 && l[0] == "probe":
		return Topic{TopicProbe, l[1], ""}, true
	}
	return Topic{}, false
}

func classifyDevice(l []string) (Topic, bool) {
	switch {
	case len(l) == 2 && (l[1] == "state" || l[1] == "info" || l[1] == "x" || l[1] == "z" || l[1] == "reconcile"):
		return Topic{TopicDevice, l[0], l[1]}, true
	case len(l) == 3 && l[1] == "alert":
		return Topic{TopicDeviceAlert, l[0], l[2]}, true
	}
	return Topic{}, false
}

// Build is the reverse of Parse.
func (t Topics) Build(topic Topic) string {
	switch topic.Kind {
	case TopicCommand:
		return t.Command(topic.Name, topic.Verb)
	case TopicResult:
		return t.Result(topic.Name, topic.Verb)
	case TopicLast:
		return t.Last(topic.Name)
	case TopicNode:
		return t.join("node", topic.Verb)
	case TopicNodeAlert:
		return t.NodeAlert(topic.Verb)
	case TopicProbe:
		return t.Probe(topic.Name)
	case TopicSpool:
		return t.join("spool", topic.Verb)
	case TopicDevice:
		return t.Device(topic.Name, topic.Verb)
	case TopicDeviceAlert:
		return t.DeviceAlert(topic.Name, topic.Verb)
	case TopicEvent:
		return t.Event(topic.Verb)
	case TopicRequest:
		return t.Request(topic.Verb)
	case TopicResponse:
		return t.Response(topic.Verb)
	case TopicCallback:
		return t.Callback(topic.Verb)
	}
	panic(fmt.Sprintf("mqtt: topic kind %d is unknown", topic.Kind))
}
