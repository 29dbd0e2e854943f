package daemon

import (
	"log/slog"
	"os"
	"slices"
	"strings"

	"kassad/mqtt"
	"kassad/mqtt/broker"
)

// Files are those that the configuration names and the daemon reads: keys,
// certificates, users, passwords.
func (c Config) Files() []string {
	files := []string{c.Broker.CertFile, c.Broker.KeyFile, c.Broker.UsersFile}
	for _, l := range c.MQTT {
		files = append(files, l.PasswordFile, l.CAFile, l.CertFile, l.KeyFile)
	}
	if l := c.LifePay; l != nil {
		files = append(files, l.APIKeyFile, l.CAFile, l.Callback.CertFile, l.Callback.KeyFile)
	}
	if b := c.BIFIT; b != nil {
		files = append(files, b.ConnectorTokenFile, b.BrokerTokenFile, b.CAFile)
	}
	return slices.DeleteFunc(files, func(f string) bool { return f == "" })
}

// CheckBroker reads certificate and users as the embedded broker does at its
// start, and opens nothing.
func (c Config) CheckBroker() error {
	if !c.Broker.Enabled {
		return nil
	}
	topics, err := mqtt.NewTopics(c.Org, c.Store, c.Node)
	if err != nil {
		return err
	}
	_, err = broker.New(broker.Config{
		Listen: c.Broker.Listen, CertFile: c.Broker.CertFile, KeyFile: c.Broker.KeyFile, UsersFile: c.Broker.UsersFile, Topics: topics,
	}, slog.New(slog.DiscardHandler))
	return err
}

// Secrets are the texts that nobody but the daemon should read, as far as its
// reader may read them: passwords, keys and tokens, whole and line by line.
func (c Config) Secrets() (secrets []string) {
	public := []string{c.Broker.CertFile}
	for _, l := range c.MQTT {
		public = append(public, l.CAFile, l.CertFile)
	}
	if l := c.LifePay; l != nil {
		public = append(public, l.CAFile, l.Callback.CertFile)
		secrets = append(secrets, l.Login)
	}
	if b := c.BIFIT; b != nil {
		public = append(public, b.CAFile)
	}
	for _, f := range c.Files() {
		if slices.Contains(public, f) {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if f == c.Broker.UsersFile {
				_, line, _ = strings.Cut(line, ":") // the names are no secret
			}
			secrets = append(secrets, line)
		}
	}
	for _, name := range []string{envLifePayKey, envConnectorToken, envBrokerToken} {
		secrets = append(secrets, strings.TrimSpace(os.Getenv(name)))
	}
	return slices.DeleteFunc(secrets, func(s string) bool {
		return s == "" || strings.HasPrefix(s, "-----BEGIN") || strings.HasPrefix(s, "-----END")
	})
}
