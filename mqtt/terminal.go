package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Times of a terminal.
const (
	terminalConnect = 10 * time.Second
	terminalRepeat  = 4 * time.Second // the same id again, until something answers
	terminalQuiesce = 250             // ms, for the DISCONNECT to leave
	answersBuffered = 64
	protocol311     = 4 // MQTT 3.1.1, so that a refusal is not taken for an old broker
)

// TerminalConfig is how a terminal reaches the broker.
type TerminalConfig struct {
	URL      string // tcp://127.0.0.1:1883, ssl://shop:8883
	Root     string // topic root of the node
	Name     string // the terminal's own name in topics
	Username string
	Password string
	CAFile   string
	// ClientID names the session at the broker; default "terminal-" and Name.
	// With Fleeting the broker keeps nothing for it after the connection.
	ClientID string
	Fleeting bool
	// Dial replaces the network of this computer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Reply is one answer as it came.
type Reply struct {
	Verb    string `json:"-"` // of the topic
	Payload []byte `json:"-"`
	// The parts that a terminal's own logic looks at.
	ID    string `json:"id"`
	N     int    `json:"n"`
	State string `json:"state"`
	Final bool   `json:"final"`
	Dup   bool   `json:"dup"`
}

// Terminal is the other end of the contract: what a till does. kassad call and
// the emulated shop use it.
type Terminal struct {
	cfg    TerminalConfig
	client paho.Client

	mu      sync.Mutex
	waiters map[string]chan Reply
	heard   func(Reply)
}

// DialTerminal connects and subscribes to the terminal's answers. heard, if not
// nil, is called for every answer in order, from one goroutine.
func DialTerminal(ctx context.Context, cfg TerminalConfig, heard func(Reply)) (*Terminal, error) {
	t := &Terminal{cfg: cfg, waiters: map[string]chan Reply{}, heard: heard}
	if cfg.ClientID == "" {
		cfg.ClientID = "terminal-" + cfg.Name
	}
	o := paho.NewClientOptions().AddBroker(cfg.URL).SetClientID(cfg.ClientID).SetProtocolVersion(protocol311).
		SetCleanSession(cfg.Fleeting).SetAutoReconnect(true).SetConnectRetry(false).SetConnectTimeout(terminalConnect).
		SetMaxReconnectInterval(terminalRepeat).SetUsername(cfg.Username).SetPassword(cfg.Password)
	o.SetDefaultPublishHandler(t.receive)
	if cfg.Dial != nil {
		o.SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			return cfg.Dial(context.Background(), "tcp", u.Host)
		})
	}
	if cfg.CAFile != "" {
		pool, err := certPool(cfg.CAFile)
		if err != nil {
			return nil, err
		}
		o.SetTLSConfig(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	}
	o.SetOnConnectHandler(func(c paho.Client) { c.Subscribe(t.answers(), 1, nil) })
	t.client = paho.NewClient(o)
	if err := finish(ctx, t.client.Connect()); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.URL, err)
	}
	if err := finish(ctx, t.client.Subscribe(t.answers(), 1, nil)); err != nil {
		t.Close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return t, nil
}

func certPool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

// finish waits for a token or for ctx.
func finish(ctx context.Context, token paho.Token) error {
	select {
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answers is the filter of everything that is told to this terminal.
func (t *Terminal) answers() string { return t.cfg.Root + "/res/" + t.cfg.Name + "/+" }

// readReply reads an answer.
func readReply(topic string, payload []byte) (Reply, bool) {
	r := Reply{Verb: topic[strings.LastIndexByte(topic, '/')+1:], Payload: payload}
	return r, json.Unmarshal(payload, &r) == nil
}

func (t *Terminal) receive(_ paho.Client, m paho.Message) {
	r, ok := readReply(m.Topic(), m.Payload())
	if !ok {
		return // not an answer of ours
	}
	if t.heard != nil {
		t.heard(r)
	}
	t.mu.Lock()
	w := t.waiters[r.ID]
	t.mu.Unlock()
	if w != nil {
		select {
		case w <- r:
		default: // nobody reads: the waiter has what it wanted
		}
	}
}

// Send publishes a command and waits for the broker to take it, which proves
// nothing about kassad.
func (t *Terminal) Send(ctx context.Context, verb string, payload []byte) error {
	return finish(ctx, t.client.Publish(t.cfg.Root+"/cmd/"+t.cfg.Name+"/"+verb, 1, false, payload))
}

// Call sends a command and returns its final answer. Until the first answer
// comes the same command is sent again every few seconds, as a terminal should:
// the id makes that harmless. each, if not nil, sees every answer on the way.
func (t *Terminal) Call(ctx context.Context, verb, id string, payload []byte, each func(Reply)) (Reply, error) {
	w := make(chan Reply, answersBuffered)
	t.mu.Lock()
	t.waiters[id] = w
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.waiters, id)
		t.mu.Unlock()
	}()
	if err := t.Send(ctx, verb, payload); err != nil {
		return Reply{}, err
	}
	repeat := time.NewTicker(terminalRepeat)
	defer repeat.Stop()
	answered := false
	for {
		select {
		case <-ctx.Done():
			return Reply{}, fmt.Errorf("%s %s: no final answer: %w", verb, id, ctx.Err())
		case r := <-w:
			answered = true
			if each != nil {
				each(r)
			}
			if r.Final {
				return r, nil
			}
		case <-repeat.C:
			if !answered {
				// A send that fails here is repeated by the next tick.
				_ = t.Send(ctx, verb, payload)
			}
		}
	}
}

// Close leaves the broker.
func (t *Terminal) Close() { t.client.Disconnect(terminalQuiesce) }
