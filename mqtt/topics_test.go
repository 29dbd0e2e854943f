package mqtt_test

import (
	"errors"
	"strings"
	"testing"

	"kassad/mqtt"
)

func testTopics(t testing.TB) mqtt.Topics {
	t.Helper()
	topics, err := mqtt.ParseRoot("kassad/v1/local/shop/main")
	if err != nil {
		t.Fatal(err)
	}
	return topics
}

// TestTopicsOfTheContract spells out the page "Topics" of the contract.
func TestTopicsOfTheContract(t *testing.T) {
	t.Parallel()
	topics := testTopics(t)
	for _, test := range []struct {
		built, want string
		parsed      mqtt.Topic
	}{
		{topics.Command("till1", "sale"), "cmd/till1/sale", mqtt.Topic{Kind: mqtt.TopicCommand, Name: "till1", Verb: "sale"}},
		{topics.Result("till1", "buy-refund"), "res/till1/buy-refund", mqtt.Topic{Kind: mqtt.TopicResult, Name: "till1", Verb: "buy-refund"}},
		{topics.Last("till1"), "last/till1", mqtt.Topic{Kind: mqtt.TopicLast, Name: "till1"}},
		{topics.NodeState(), "node/state", mqtt.Topic{Kind: mqtt.TopicNode, Verb: "state"}},
		{topics.NodeInfo(), "node/info", mqtt.Topic{Kind: mqtt.TopicNode, Verb: "info"}},
		{topics.NodeHealth(), "node/health", mqtt.Topic{Kind: mqtt.TopicNode, Verb: "health"}},
		{topics.NodeReconcile(), "node/reconcile", mqtt.Topic{Kind: mqtt.TopicNode, Verb: "reconcile"}},
		{topics.Device("front", "reconcile"), "dev/front/reconcile", mqtt.Topic{Kind: mqtt.TopicDevice, Name: "front", Verb: "reconcile"}},
		{topics.NodeAlert("clock-wrong"), "node/alert/clock-wrong", mqtt.Topic{Kind: mqtt.TopicNodeAlert, Verb: "clock-wrong"}},
		{topics.Probe("0a1b"), "node/probe/0a1b", mqtt.Topic{Kind: mqtt.TopicProbe, Name: "0a1b"}},
		{topics.SpoolState(), "spool/state", mqtt.Topic{Kind: mqtt.TopicSpool, Verb: "state"}},
		{topics.Device("front", "x"), "dev/front/x", mqtt.Topic{Kind: mqtt.TopicDevice, Name: "front", Verb: "x"}},
		{topics.DeviceAlert("front", "paper-out"), "dev/front/alert/paper-out", mqtt.Topic{Kind: mqtt.TopicDeviceAlert, Name: "front", Verb: "paper-out"}},
		{topics.Event("receipt"), "evt/receipt", mqtt.Topic{Kind: mqtt.TopicEvent, Verb: "receipt"}},
		{topics.Request("doctor"), "mgmt/req/doctor", mqtt.Topic{Kind: mqtt.TopicRequest, Verb: "doctor"}},
		{topics.Response("doctor"), "mgmt/res/doctor", mqtt.Topic{Kind: mqtt.TopicResponse, Verb: "doctor"}},
		{topics.Callback("lifepay"), "callback/lifepay", mqtt.Topic{Kind: mqtt.TopicCallback, Verb: "lifepay"}},
	} {
		if want := "kassad/v1/local/shop/main/" + test.want; test.built != want {
			t.Errorf("built %s, want %s", test.built, want)
		}
		parsed, err := topics.Parse(test.built)
		if err != nil || parsed != test.parsed {
			t.Errorf("%s: parsed %+v, %v, want %+v", test.built, parsed, err, test.parsed)
		}
		if again := topics.Build(parsed); again != test.built {
			t.Errorf("rebuilt %s, want %s", again, test.built)
		}
	}
	for built, want := range map[string]string{
		topics.Everything(): "#", topics.Commands(): "cmd/+/+", topics.Requests(): "mgmt/req/+", topics.Results("till1"): "res/till1/#",
	} {
		if built != "kassad/v1/local/shop/main/"+want {
			t.Errorf("filter %s, want %s", built, want)
		}
	}
}

func TestTopicsRefused(t *testing.T) {
	t.Parallel()
	topics := testTopics(t)
	for _, topic := range []string{
		"", "cmd/till1/sale", "kassad/v1/local/shop/other/cmd/till1/sale", "kassad/v1/local/shop/main",
		"kassad/v1/local/shop/main/", "kassad/v1/local/shop/main/cmd/till1", "kassad/v1/local/shop/main/cmd/till1/sale/now",
		"kassad/v1/local/shop/main/cmd/+/sale", "kassad/v1/local/shop/main/#", "kassad/v1/local/shop/main/cmd//sale",
		"kassad/v1/local/shop/main/cmd/Till1/sale", "kassad/v1/local/shop/main/cmd/касса/sale",
		"kassad/v1/local/shop/main/node/other", "kassad/v1/local/shop/main/dev/front/alert",
		"kassad/v1/local/shop/main/cmd/till1/" + strings.Repeat("a", 33), strings.Repeat("a/", 200),
		"/kassad/v1/local/shop/main/cmd/till1/sale", "kassad/v1/local/shop/mainx/cmd/till1/sale",
	} {
		if parsed, err := topics.Parse(topic); !errors.Is(err, mqtt.ErrTopic) {
			t.Errorf("%q: %+v, %v", topic, parsed, err)
		}
	}
	var zero mqtt.Topics
	if _, err := zero.Parse("/cmd/till1/sale"); err == nil {
		t.Error("the zero value parses")
	}
}

func TestRootNames(t *testing.T) {
	t.Parallel()
	for _, root := range []string{"", "kassad/v1/a/b", "kassad/v1/a/b/c/d", "kassad/v2/a/b/c", "kassad/v1/a//c", "kassad/v1/A/b/c", "a/b/c"} {
		if _, err := mqtt.ParseRoot(root); err == nil {
			t.Errorf("%q is taken", root)
		}
	}
	if _, err := mqtt.NewTopics("org", "magasin-1", strings.Repeat("n", 32)); err != nil {
		t.Error(err)
	}
	if _, err := mqtt.NewTopics("org", "s", strings.Repeat("n", 33)); !errors.Is(err, mqtt.ErrName) || !strings.Contains(err.Error(), "node") {
		t.Errorf("got %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a builder takes a bad name")
		}
	}()
	testTopics(t).Command("till/1", "sale")
}

func FuzzTopicsParse(f *testing.F) {
	topics := testTopics(f)
	f.Add(topics.Command("till1", "sale"))
	f.Add(topics.DeviceAlert("front", "paper-out"))
	f.Add(topics.Root() + "/cmd/+/#")
	f.Fuzz(func(t *testing.T, topic string) {
		parsed, err := topics.Parse(topic)
		if err != nil {
			if !errors.Is(err, mqtt.ErrTopic) || len(err.Error()) > 2000 {
				t.Fatalf("%q: %v", topic, err)
			}
			return
		}
		if again := topics.Build(parsed); again != topic {
			t.Fatalf("%q parses to %+v, which builds %q", topic, parsed, again)
		}
	})
}
