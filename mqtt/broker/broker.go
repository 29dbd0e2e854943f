// Package broker is the embedded MQTT broker of a shop's LAN, so that the shop
// sells while the internet is away.
//
// It keeps nothing on disk: after a restart the daemon publishes everything
// retained again and terminals ask with sync. It is not the system of record,
// and no acknowledgement of its proves more than that a message arrived here.
//
// It must not decide what a terminal may sell. It proves who is speaking: with
// a users file a name can publish commands only under cmd/{its own name}/, so
// the terminal in the topic of a command is the authenticated user. Management
// requests have no name in their topic; Publisher tells whose they are.
// Without a users file, which is possible on the loopback interface only,
// nobody is authenticated and everybody may do everything.
package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"

	"kassad/mqtt"
)

// daemonUser is the name of the daemon's own credential. No name of a users
// file can look like it.
const daemonUser = "$kassad"

// ErrConfig: the broker cannot run safely with this configuration.
var ErrConfig = errors.New("broker")

// Config describes the broker.
type Config struct {
	Listen    string // 127.0.0.1:1883
	CertFile  string
	KeyFile   string
	UsersFile string   // name:bcrypt-hash lines; see HashPassword
	Managers  []string // names of the users file that manage; all others are terminals
	Relay     string   // name of the users file under which a relay brings callbacks; "" for none
	Topics    mqtt.Topics
	// Open replaces net.Listen.
	Open func(network, address string) (net.Listener, error)
	// OnDenied is called when a right is missing. It must not wait.
	OnDenied func(Denied)
}

// Broker is a running broker.
type Broker struct {
	config Config
	log    *slog.Logger
	server *mochi.Server
	hook   *hook
	secret mqtt.Secret
	tls    *tls.Config

	addr, local string
	closing     sync.Once
	unwatch     func() bool
}

// New checks the configuration and reads certificate and users. It opens
// nothing.
func New(config Config, log *slog.Logger) (*Broker, error) {
	if log == nil {
		return nil, fmt.Errorf("%w: no logger", ErrConfig)
	}
	if config.Open == nil {
		config.Open = net.Listen
	}
	if config.Topics.Root() == "" {
		return nil, fmt.Errorf("%w: no topic root", ErrConfig)
	}
	if err := checkListen(config); err != nil {
		return nil, err
	}
	b := &Broker{config: config, log: log, secret: mqtt.Secret(rand.Text())}
	if config.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(config.CertFile, config.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate: %w", ErrConfig, err)
		}
		b.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	var known *users
	if config.UsersFile != "" {
		var err error
		if known, err = loadUsers(config.UsersFile, log); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	for _, name := range config.Managers {
		if !mqtt.ValidName(name) {
			return nil, fmt.Errorf("%w: manager %q: %w", ErrConfig, name, mqtt.ErrName)
		}
	}
	if config.Relay != "" && !mqtt.ValidName(config.Relay) {
		return nil, fmt.Errorf("%w: relay %q: %w", ErrConfig, config.Relay, mqtt.ErrName)
	}
	b.hook = newHook(b, known)
	return b, nil
}

func checkListen(config Config) error {
	host, _, err := net.SplitHostPort(config.Listen)
	if err != nil {
		return fmt.Errorf("%w: listen %q: want host:port, for example 127.0.0.1:1883", ErrConfig, config.Listen)
	}
	if (config.CertFile == "") != (config.KeyFile == "") {
		return fmt.Errorf("%w: cert_file and key_file go together", ErrConfig)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if !loopback && (config.CertFile == "" || config.UsersFile == "") {
		return fmt.Errorf("%w: listening on %s lets the whole network sell: give cert_file, key_file and users_file in [broker], or listen on 127.0.0.1:1883",
			ErrConfig, config.Listen)
	}
	return nil
}

// Start opens the listener and serves until ctx ends or Close is called. A
// Broker is started once.
func (b *Broker) Start(ctx context.Context) error {
	b.server = mochi.New(&mochi.Options{
		Capabilities:           capabilities(),
		Logger:                 slog.New(&quiet{next: b.log.Handler()}),
		SysTopicResendInterval: sysTopicSeconds,
	})
	if err := b.server.AddHook(b.hook, nil); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	main, err := listen(b.config.Open, "main", b.config.Listen, b.tls, b.hook.denials)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	listeners := []*listener{main}
	b.addr = main.Address()
	b.local = "tcp://" + b.addr
	if b.tls != nil {
		// The certificate names the shop's host, not 127.0.0.1, so the daemon
		// has a door of its own. Only its credential opens it.
		inner, err := listen(b.config.Open, daemonListener, "127.0.0.1:0", nil, b.hook.denials)
		if err != nil {
			main.shut()
			return fmt.Errorf("broker: %w", err)
		}
		listeners = append(listeners, inner)
		b.local = "tcp://" + inner.Address()
	}
	for _, l := range listeners {
		if err := b.server.AddListener(l); err != nil {
			return fmt.Errorf("broker: %w", err)
		}
	}
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	b.log.Info("broker is listening", "address", b.addr, "tls", b.tls != nil, "users", b.config.UsersFile != "")
	b.unwatch = context.AfterFunc(ctx, b.shut)
	return nil
}

// Close disconnects everybody and returns when all goroutines have ended.
func (b *Broker) Close() error {
	if b.server == nil {
		return nil
	}
	if b.unwatch != nil { // else Start has failed
		b.unwatch()
	}
	b.shut()
	return nil
}

func (b *Broker) shut() { b.closing.Do(func() { _ = b.server.Close() }) }

// Addr is the address that terminals connect to.
func (b *Broker) Addr() string { return b.addr }

// LocalURL is where the daemon's own link connects, without TLS: it never
// leaves this machine.
func (b *Broker) LocalURL() string { return b.local }

// Credential is the daemon's own name and password, new with every New. It
// may do everything.
func (b *Broker) Credential() (name string, password mqtt.Secret) { return daemonUser, b.secret }

// Authenticates tells whether there is a users file, so that names are proven.
func (b *Broker) Authenticates() bool { return b.hook.users != nil }

// Publisher tells who published a management request that the daemon has just
// received. It is false when that cannot be told: nobody is authenticated, it
// was too long ago, or two users published the very same request, which a
// request with an id of its own never is.
func (b *Broker) Publisher(topic string, payload []byte) (name string, ok bool) {
	return b.hook.publishers.find(topic, payload)
}

// capabilities changes the library's defaults where they lose or leak:
// messages and retained state would vanish after 24 hours, nothing would be
// bounded, and a topic alias would be resolved after the rights were checked.
func capabilities() *mochi.Capabilities {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumMessageExpiryInterval = 0
	c.MaximumSessionExpiryInterval = sessionKeepSeconds
	c.MaximumClients = connectionsMax + daemonReserve
	c.MaximumPacketSize = packetBytesMax
	c.MaximumInflight = inflightMax
	c.MaximumClientWritesPending = writesPendingMax
	c.ReceiveMaximum = receiveMax
	c.TopicAliasMaximum = 0
	c.MinimumProtocolVersion = protocolVersion
	c.MaximumQos = qosMax
	return c
}

func (b *Broker) isManager(name string) bool { return slices.Contains(b.config.Managers, name) }
