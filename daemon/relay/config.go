package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"kassad/daemon/strict"
	"kassad/mqtt"
)

// Limits and defaults of the configuration.
const (
	configBytesMax = 1 << 20
	rateDefault    = 50
	rateMax        = 100_000
	brokersMax     = 64
	anyName        = "*"
)

// Config is the whole configuration of a relay: one strict TOML file. The field
// names are the keys of the file.
type Config struct {
	Listen   string `toml:"listen"`
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
	// Prefix is the path before {org}/{store}/{node} of the shops' url.
	Prefix string `toml:"prefix"`
	// Rate bounds the requests a second from one address; 0: no bound.
	Rate     int            `toml:"rate"`
	LogLevel string         `toml:"log_level"`
	Brokers  []BrokerConfig `toml:"broker"`
}

// BrokerConfig is a broker by which shops are reached.
type BrokerConfig struct {
	URL            string `toml:"url"`
	ClientID       string `toml:"client_id"`
	Username       string `toml:"username"`
	PasswordFile   string `toml:"password_file"`
	CAFile         string `toml:"ca_file"`
	CertFile       string `toml:"cert_file"`
	KeyFile        string `toml:"key_file"`
	AllowPlaintext bool   `toml:"allow_plaintext"`
	// Shops are the nodes behind this broker, org/store/node each; a level may
	// be "*". Callbacks for all others are not found.
	Shops []string `toml:"shops"`
	// Root is org/store/node under which the relay proves the broker by a
	// message to itself; by default the first of Shops, if it has no "*".
	Root string `toml:"root"`
}

// LoadConfig reads and checks the file at path.
func LoadConfig(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("relay config: %w", err)
	}
	c, err := ParseConfig(text)
	if err != nil {
		return c, fmt.Errorf("relay config %s: %w", path, err)
	}
	return c, nil
}

// ParseConfig reads TOML over the defaults and checks it. An unknown key is an
// error that shows its line.
func ParseConfig(text []byte) (Config, error) {
	c := Config{Listen: "127.0.0.1:8443", Rate: rateDefault, LogLevel: "info"}
	if len(text) > configBytesMax {
		return c, fmt.Errorf("larger than %d bytes", configBytesMax)
	}
	if err := strict.Decode(text, &c); err != nil {
		return c, err
	}
	for i := range c.Brokers {
		c.Brokers[i].fill()
	}
	return c, c.validate()
}

func (b *BrokerConfig) fill() {
	if b.Root == "" && len(b.Shops) > 0 && !strings.Contains(b.Shops[0], anyName) {
		b.Root = b.Shops[0]
	}
	if b.ClientID == "" {
		b.ClientID = "kassad-relay-" + hostHash()
	}
}

// hostHash tells relays on two hosts apart: one client id twice would throw
// both out in turn.
func hostHash() string {
	name, err := os.Hostname()
	if err != nil {
		return "host"
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:4])
}

func (c Config) validate() error {
	errs := []error{CheckListen(c.Listen, c.CertFile, c.KeyFile)}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := CheckPrefix(c.Prefix); err != nil {
		bad("prefix = %w", err)
	}
	if c.Rate < 0 || c.Rate > rateMax {
		bad("rate = %d: 0 (no bound) to %d requests a second", c.Rate, rateMax)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		bad("log_level = %q: debug, info, warn or error", c.LogLevel)
	}
	if len(c.Brokers) == 0 || len(c.Brokers) > brokersMax {
		bad("%d [[broker]]: name 1 to %d brokers by which the shops are reached", len(c.Brokers), brokersMax)
	}
	for i, b := range c.Brokers {
		errs = append(errs, b.validate(fmt.Sprintf("broker[%d]", i))...)
	}
	return errors.Join(errs...)
}

// validate leaves the url and the files to package mqtt, which opens them.
func (b BrokerConfig) validate(where string) (errs []error) {
	if len(b.Shops) == 0 {
		errs = append(errs, fmt.Errorf(`%s.shops: name the nodes behind it, for example ["acme/*/*"]`, where))
	}
	for _, s := range b.Shops {
		if !validPattern(s) {
			errs = append(errs, fmt.Errorf(`%s.shops: %q: want org/store/node, names of a-z, 0-9 and -, or "*" for any`, where, s))
		}
	}
	if _, err := b.topics(); err != nil {
		errs = append(errs, fmt.Errorf("%s.root = %q: name org/store/node under which the relay may send messages to itself (node/probe/+)", where, b.Root))
	}
	return errs
}

func validPattern(s string) bool {
	levels := strings.Split(s, "/")
	return len(levels) == 3 && !slices.ContainsFunc(levels, func(l string) bool { return l != anyName && !mqtt.ValidName(l) })
}

// topics are those of the node whose name the relay's own messages have.
func (b BrokerConfig) topics() (mqtt.Topics, error) { return mqtt.ParseRoot("kassad/v1/" + b.Root) }

// reaches tells whether a node is behind this broker.
func (b BrokerConfig) reaches(t mqtt.Topics) bool {
	names := strings.Split(t.Root(), "/")
	names = names[len(names)-3:]
	return slices.ContainsFunc(b.Shops, func(shop string) bool {
		for i, want := range strings.Split(shop, "/") {
			if want != anyName && want != names[i] {
				return false
			}
		}
		return true
	})
}
