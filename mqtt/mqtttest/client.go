package mqtttest

import (
	"net/url"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// clientPatience is long: a login computes a hash that is slow on purpose, and
// slower still under the race detector beside other tests.
const clientPatience = time.Minute

// IsProbe tells a link's loop-back topic.
func IsProbe(topic string) bool { return strings.Contains(topic, "/node/probe/") }

// Client is a plain MQTT client, as a terminal or a stranger would be.
type Client struct {
	paho.Client
	Messages chan paho.Message // all that arrives, acknowledged
	Lost     chan error
}

// Connect connects a client, clean session, and returns the error.
func Connect(t testing.TB, brokerURL string, change ...func(*paho.ClientOptions)) (*Client, error) {
	t.Helper()
	c := &Client{Messages: make(chan paho.Message, 20_000), Lost: make(chan error, 1)}
	if _, err := url.Parse(brokerURL); err != nil {
		t.Fatal(err)
	}
	o := paho.NewClientOptions().AddBroker(brokerURL).SetProtocolVersion(4).
		SetClientID(strings.ReplaceAll(t.Name(), "/", "-")[:min(20, len(t.Name()))] + time.Now().Format("150405.000000000")).
		SetAutoReconnect(false).SetCleanSession(true).SetConnectTimeout(clientPatience).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { c.Messages <- m }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { c.Lost <- err })
	for _, f := range change {
		f(o)
	}
	c.Client = paho.NewClient(o)
	token := c.Client.Connect()
	if !token.WaitTimeout(clientPatience) {
		t.Fatal("client does not connect")
	}
	if token.Error() == nil {
		t.Cleanup(func() { c.Client.Disconnect(100) })
	}
	return c, token.Error()
}

// MustConnect connects a client.
func MustConnect(t testing.TB, brokerURL string, change ...func(*paho.ClientOptions)) *Client {
	t.Helper()
	c, err := Connect(t, brokerURL, change...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Login sets name and password.
func Login(name, password string) func(*paho.ClientOptions) {
	return func(o *paho.ClientOptions) { o.SetUsername(name).SetPassword(password) }
}

// SubscribeTo subscribes with QoS 1 and returns what was granted, 0x80 if refused.
func (c *Client) SubscribeTo(t testing.TB, filter string) byte {
	t.Helper()
	token := c.Client.Subscribe(filter, 1, nil).(*paho.SubscribeToken)
	if !token.WaitTimeout(clientPatience) || token.Error() != nil {
		t.Fatalf("subscribe %s: %v", filter, token.Error())
	}
	for _, granted := range token.Result() { // its key is not always the filter
		return granted
	}
	t.Fatalf("subscribe %s: no result", filter)
	return 0
}

// Send publishes with QoS 1 and waits for the acknowledgement.
func (c *Client) Send(t testing.TB, topic, payload string, retain bool) {
	t.Helper()
	token := c.Client.Publish(topic, 1, retain, payload)
	if !token.WaitTimeout(clientPatience) || token.Error() != nil {
		t.Fatalf("publish %s: %v", topic, token.Error())
	}
}

// Next waits for a message.
func (c *Client) Next(t testing.TB) paho.Message {
	t.Helper()
	select {
	case m := <-c.Messages:
		return m
	case <-time.After(clientPatience):
		t.Fatal("no message")
		return nil
	}
}
