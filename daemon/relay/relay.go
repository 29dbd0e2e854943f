// Package relay takes the callbacks of a cloud register on a public host and
// passes them on over MQTT to the shop that each is for.
//
// A relay knows no secret of a shop and judges no callback: it lets through
// what has the form of one, for the nodes that it was told of, and the daemon
// there checks the token (design 5, Clouds). It answers 200 only when the
// broker has acknowledged the message; after anything else the service calls
// again, which harms nothing.
//
// Door is the HTTP side. The daemon has one as well, where a shop can be
// reached from the internet itself.
package relay

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kassad/mqtt"
)

// Limits of passing on.
const (
	// passTimeout is how long a callback waits for the broker. Services give
	// up on an answer after some tens of seconds.
	passTimeout = 10 * time.Second
	closeGrace  = 2 * time.Second
)

// Relay is one relay.
type Relay struct {
	config Config
	log    *slog.Logger
	links  []*mqtt.Link // as config.Brokers
	lost   Sparse
}

// New checks what the configuration names; nothing connects or listens.
func New(config Config, log *slog.Logger) (*Relay, error) {
	r := &Relay{config: config, log: log}
	for i, b := range config.Brokers {
		link, err := newLink(fmt.Sprintf("broker-%d", i+1), b, log)
		if err != nil {
			return nil, err
		}
		r.links = append(r.links, link)
	}
	return r, nil
}

func newLink(name string, b BrokerConfig, log *slog.Logger) (*mqtt.Link, error) {
	topics, err := b.topics()
	if err != nil {
		return nil, err
	}
	var password mqtt.Secret
	if b.PasswordFile != "" {
		text, err := os.ReadFile(b.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("%s: password_file: %w", name, err)
		}
		password = mqtt.Secret(strings.TrimSpace(string(text)))
	}
	return mqtt.NewLink(mqtt.LinkConfig{
		Name: name, URL: b.URL, ClientID: b.ClientID, Username: b.Username, Password: password,
		CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile, AllowPlaintext: b.AllowPlaintext,
		Topics: topics,
	}, log)
}

// Run serves until ctx ends. ready, if not nil, is called with the address
// when callbacks are taken; brokers may still be away then.
func (r *Relay) Run(ctx context.Context, ready func(address string)) error {
	door, err := Open(DoorConfig{
		Listen: r.config.Listen, CertFile: r.config.CertFile, KeyFile: r.config.KeyFile, Prefix: r.config.Prefix,
		Rate: r.config.Rate, Knows: func(t mqtt.Topics) bool { return r.link(t) != nil }, Take: r.pass, Healthy: r.healthy,
	}, r.log)
	if err != nil {
		return err
	}
	// The links stay up until the requests at work have their answers.
	for _, l := range r.links {
		l.Start(context.WithoutCancel(ctx))
	}
	group, serving := errgroup.WithContext(ctx)
	group.Go(func() error { return door.Serve(serving) })
	r.log.Info("relay is listening", "address", door.Addr(), "tls", door.tls != nil, "brokers", len(r.links))
	if ready != nil {
		ready(door.Addr())
	}
	err = group.Wait()
	r.close()
	return err
}

func (r *Relay) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	var group sync.WaitGroup
	for _, l := range r.links {
		group.Go(func() {
			if err := l.Close(ctx); err != nil {
				r.log.Warn("link did not close in time", "link", l.Name(), "err", err)
			}
		})
	}
	group.Wait()
}

// link is the broker of a node; nil if the node is none of ours.
func (r *Relay) link(t mqtt.Topics) *mqtt.Link {
	for i, b := range r.config.Brokers {
		if b.reaches(t) {
			return r.links[i]
		}
	}
	return nil
}

// pass hands a callback to the broker of its node, and waits until the broker
// has it.
func (r *Relay) pass(ctx context.Context, t mqtt.Topics, c mqtt.Callback) int {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	link := r.link(t)
	if err := link.Publish(ctx, t.Callback(mqtt.CallbackLifePay), mqtt.EncodeCallback(c), false); err != nil {
		if more, ok := r.lost.Allow(time.Now()); ok {
			r.log.Warn("not passed on, the service will call again", "node", t.Root(), "link", link.Name(), "err", err, "before", more)
		}
		return http.StatusServiceUnavailable
	}
	r.log.Debug("passed on", "node", t.Root(), "link", link.Name(), "bytes", len(c.Body))
	return http.StatusOK
}

// healthy tells whether every broker is there.
func (r *Relay) healthy() bool {
	for _, l := range r.links {
		if !l.Status().Up {
			return false
		}
	}
	return true
}
