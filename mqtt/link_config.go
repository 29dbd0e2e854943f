package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// Limits and defaults of a link.
const (
	linkInFlightMax        = 16 // a burst of more starves tills behind one slow broker
	linkPayloadBytesMax    = 256 << 10
	linkQueueMessages      = 1024
	linkQueueBytesMax      = 32 << 20
	linkKeepAlive          = 30 * time.Second
	linkConnectTimeout     = 10 * time.Second
	linkAckTimeout         = 20 * time.Second
	linkWriteTimeout       = 5 * time.Second
	linkBackoffMin         = 500 * time.Millisecond
	linkBackoffMax         = 60 * time.Second
	linkStableAfter        = 10 * time.Second
	linkSubscriptionsMax   = 64
	linkProbePatience      = 12 // times ConnectTimeout, while what the broker has kept moves
	linkProbeLooks         = 10 // a ConnectTimeout
	linkDisconnectWait     = 250 * time.Millisecond
	linkOutboxRetry        = time.Second
	linkSettleWait         = 2 * time.Second
	clientIDBytesMax       = 128
	tcpKeepAliveIdle       = 15 * time.Second
	tcpKeepAliveInterval   = 5 * time.Second
	tcpKeepAliveProbes     = 3
	portPlain, portTLS     = "1883", "8883"
	takeOverConnectionsMax = 3
	takeOverLife           = time.Minute
)

// ErrLinkConfig: a link cannot be made of this configuration.
var ErrLinkConfig = errors.New("mqtt link")

// Will is what the broker publishes, retained and with QoS 1, when the
// connection dies without a DISCONNECT.
type Will struct {
	Topic string
	// Payload is called before every CONNECT, so that a will can name the
	// connection it belongs to (epoch) and a late one be told from a newer birth.
	Payload func() []byte
}

// LinkConfig describes a connection to one broker.
type LinkConfig struct {
	Name     string // for logs and Incoming.Link
	URL      string // tcp://host:1883, mqtt://…; ssl://host:8883, tls://…, mqtts://…
	ClientID string // stable over restarts: it names the session at the broker
	Username string
	Password Secret
	// CAFile replaces the system's roots; CertFile and KeyFile are a client
	// certificate. TLS urls only.
	CAFile, CertFile, KeyFile string
	// AllowPlaintext permits a plain url beyond this machine.
	AllowPlaintext bool
	// Dial replaces the network of this computer; TLS goes over it.
	Dial      func(ctx context.Context, network, address string) (net.Conn, error)
	KeepAlive time.Duration // 30 s

	Topics        Topics
	Subscriptions []string // topic filters, QoS 1
	Will          *Will
	State         *State // retained topics to keep published; may be shared
	Outbox        Outbox // messages that must arrive
	// Pumping, if not nil, follows the pump of the outbox: true when a turn of
	// it begins, false when it waits for something to do.
	Pumping func(busy bool)

	// OnUp is called when subscriptions are granted and the loop-back message
	// has come back, before state and outbox are sent. ctx ends with the
	// connection. It must return soon.
	OnUp func(ctx context.Context, sessionPresent bool)
	// OnDown is called after every connection that ended and every attempt
	// that failed.
	OnDown func(err error)
	// OnRefused is called when the broker refuses a subscription; the link
	// tries again with the next connection.
	OnRefused func(filter string, err error)
	// OnTakeOver is called when the broker accepts us and closes the
	// connection soon after, three times running: as a rule another program
	// uses the same client id.
	OnTakeOver func()

	Tuning LinkTuning
}

// LinkTuning changes defaults, for tests and doctor.
type LinkTuning struct {
	BackoffMin, BackoffMax time.Duration // 0.5 s, 60 s
	StableAfter            time.Duration // 10 s: a connection that lived longer resets the backoff
	ConnectTimeout         time.Duration // 10 s: dial and CONNACK, each SUBACK, silence before the loop-back message
	AckTimeout             time.Duration // 20 s: a broker that owes a PUBACK longer is given up
	QueueMessages          int           // 1024
	// Draw chooses a pause from 0 to most, before an attempt to connect;
	// default: at random. A simulation draws from its seed.
	Draw func(most time.Duration) time.Duration
}

func (t *LinkTuning) setDefaults() {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&t.BackoffMin, linkBackoffMin)
	set(&t.BackoffMax, linkBackoffMax)
	set(&t.StableAfter, linkStableAfter)
	set(&t.ConnectTimeout, linkConnectTimeout)
	set(&t.AckTimeout, linkAckTimeout)
	if t.QueueMessages <= 0 {
		t.QueueMessages = linkQueueMessages
	}
}

// endpoint is where and how to dial.
type endpoint struct {
	address string // host:port
	tls     *tls.Config
	open    func(ctx context.Context, network, address string) (net.Conn, error)
}

// check sets defaults and tells everything that is wrong at once.
func (c *LinkConfig) check(log *slog.Logger) (endpoint, error) {
	c.Tuning.setDefaults()
	if c.KeepAlive <= 0 {
		c.KeepAlive = linkKeepAlive
	}
	var problems []error
	complain := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w %s: %w", ErrLinkConfig, c.Name, fmt.Errorf(format, args...)))
	}
	if c.ClientID == "" || len(c.ClientID) > clientIDBytesMax || strings.ContainsAny(c.ClientID, "+#\x00") {
		complain("client id %.40q: want 1 to %d characters without + and #", c.ClientID, clientIDBytesMax)
	}
	if c.Topics.root == "" {
		complain("no topic root")
	}
	if len(c.Subscriptions) > linkSubscriptionsMax {
		complain("%d subscriptions: at most %d", len(c.Subscriptions), linkSubscriptionsMax)
	}
	if log == nil {
		complain("no logger")
	}
	e, err := c.endpoint()
	if err != nil {
		complain("%w", err)
	}
	return e, errors.Join(problems...)
}

func (c *LinkConfig) endpoint() (endpoint, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return endpoint{}, errors.New("url cannot be read: want tcp://host:1883 or ssl://host:8883")
	}
	if u.User != nil {
		return endpoint{}, errors.New("url holds a user name: use username and password_file, urls are shown in logs")
	}
	if u.Hostname() == "" {
		return endpoint{}, fmt.Errorf("url %q: no host", c.URL)
	}
	port := u.Port()
	switch u.Scheme {
	case "tcp", "mqtt":
		if port == "" {
			port = portPlain
		}
		if !isLoopback(u.Hostname()) && !c.AllowPlaintext {
			return endpoint{}, fmt.Errorf("%s is not encrypted and leaves this machine, so passwords and sales could be read and forged: use ssl://%s:%s, or set allow_plaintext = true if the wire itself is safe",
				c.URL, u.Hostname(), portTLS)
		}
		if c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" {
			return endpoint{}, fmt.Errorf("%s is not encrypted, but certificate files are given: use ssl://", c.URL)
		}
		return endpoint{address: net.JoinHostPort(u.Hostname(), port), open: c.Dial}, nil
	case "ssl", "tls", "mqtts":
		if port == "" {
			port = portTLS
		}
		config, err := c.tlsConfig(u.Hostname())
		return endpoint{address: net.JoinHostPort(u.Hostname(), port), tls: config, open: c.Dial}, err
	}
	return endpoint{}, fmt.Errorf("url scheme %q: want tcp or ssl", u.Scheme)
}

func (c *LinkConfig) tlsConfig(host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s: no certificate in it", c.CAFile)
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("cert_file and key_file go together")
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (e endpoint) dial(ctx context.Context) (net.Conn, error) {
	open := e.open
	if open == nil {
		dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: tcpKeepAliveIdle, Interval: tcpKeepAliveInterval, Count: tcpKeepAliveProbes,
		}}
		open = dialer.DialContext
	}
	conn, err := open(ctx, "tcp", e.address)
	if err != nil || e.tls == nil {
		return conn, err
	}
	secured := tls.Client(conn, e.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}
