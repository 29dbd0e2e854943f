package mqtt_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"kassad/mqtt"
)

func TestLinkConfigRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*mqtt.LinkConfig)
		want   string
	}{
		{"plaintext", func(c *mqtt.LinkConfig) { c.URL = "tcp://broker.example:1883" }, "use ssl://broker.example:8883, or set allow_plaintext = true"},
		{"plaintext without port", func(c *mqtt.LinkConfig) { c.URL = "mqtt://192.168.1.10" }, "use ssl://192.168.1.10:8883"},
		{"user in url", func(c *mqtt.LinkConfig) { c.URL = "tcp://user:secret@127.0.0.1" }, "use username and password_file"},
		{"scheme", func(c *mqtt.LinkConfig) { c.URL = "http://127.0.0.1" }, `scheme "http"`},
		{"host", func(c *mqtt.LinkConfig) { c.URL = "tcp://:1883" }, "no host"},
		{"certificates on a plain url", func(c *mqtt.LinkConfig) { c.CAFile = "ca.pem" }, "not encrypted"},
		{"half a client certificate", func(c *mqtt.LinkConfig) { c.URL, c.KeyFile = "ssl://127.0.0.1", "key.pem" }, "go together"},
		{"no CA file", func(c *mqtt.LinkConfig) { c.URL, c.CAFile = "ssl://127.0.0.1", "/nonexistent/ca.pem" }, "ca_file"},
		{"client id", func(c *mqtt.LinkConfig) { c.ClientID = "kassad/#" }, "client id"},
		{"root", func(c *mqtt.LinkConfig) { c.Topics = mqtt.Topics{} }, "topic root"},
		{"two at once", func(c *mqtt.LinkConfig) { c.ClientID, c.URL = "", "x://y" }, "client id"},
	} {
		config := mqtt.LinkConfig{Name: "office", URL: "tcp://127.0.0.1:1883", ClientID: "kassad", Topics: testTopics(t)}
		test.change(&config)
		_, err := mqtt.NewLink(config, slog.New(slog.DiscardHandler))
		if !errors.Is(err, mqtt.ErrLinkConfig) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "office") {
			t.Errorf("%s: got %v", test.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is shown: %v", test.name, err)
		}
	}
}

func TestLinkConfigAccepted(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"tcp://127.0.0.1:1883", "mqtt://localhost", "tcp://[::1]:1883", "tls://broker.example", "mqtts://broker.example:8884"} {
		config := mqtt.LinkConfig{URL: url, ClientID: "kassad", Topics: testTopics(t)}
		if _, err := mqtt.NewLink(config, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	}
	config := mqtt.LinkConfig{URL: "tcp://10.0.0.1", AllowPlaintext: true, ClientID: "kassad", Topics: testTopics(t)}
	if _, err := mqtt.NewLink(config, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}
