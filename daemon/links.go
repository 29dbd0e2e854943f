package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/mqtt/broker"
	"kassad/spool"
)

// station is one link with its part in the shop.
type station struct {
	name     string
	role     string
	embedded bool
	open     bool // only programs on this computer can reach it
	link     *mqtt.Link
	config   mqtt.LinkConfig
	tells    chan struct{} // one for each answer on its way
}

func newStation(name, role string) *station {
	return &station{name: name, role: role, tells: make(chan struct{}, tellsMax)}
}

// awayLinks are the links that are down, for one alert about all of them.
type awayLinks struct {
	mu    sync.Mutex
	names map[string]bool
}

// linkAway notes that a link has gone or come back.
func (d *Daemon) linkAway(name string, away bool) {
	d.away.mu.Lock()
	defer d.away.mu.Unlock()
	if d.away.names == nil {
		d.away.names = map[string]bool{}
	}
	if d.away.names[name] == away {
		return
	}
	d.away.names[name] = away
	d.untold.health.Store(true)
	var down []string
	for name, away := range d.away.names {
		if away {
			down = append(down, name)
		}
	}
	slices.Sort(down)
	if len(down) == 0 {
		d.alerts.clear("", fiscal.CodeBrokerAway)
	} else {
		d.alerts.raise("", fiscal.CodeBrokerAway, strings.Join(down, ", "))
	}
}

// embeddedName is the link to our own broker.
const embeddedName = "shop"

// buildLinks prepares the broker and a link for each broker; nothing connects.
func (d *Daemon) buildLinks() error {
	if d.cfg.Broker.Enabled {
		b, err := broker.New(broker.Config{
			Listen: d.cfg.Broker.Listen, CertFile: d.cfg.Broker.CertFile, KeyFile: d.cfg.Broker.KeyFile,
			UsersFile: d.cfg.Broker.UsersFile, Topics: d.topics, Managers: d.managerNames(), Relay: d.cfg.callback().RelayUser,
			Open: d.opt.Network.Listen, OnDenied: d.denied.denied,
		}, d.log)
		if err != nil {
			return err
		}
		d.broker = b
	}
	if d.cfg.Broker.Enabled {
		s := newStation(embeddedName, RoleShop)
		host, _, err := net.SplitHostPort(d.cfg.Broker.Listen)
		s.embedded, s.open = true, err == nil && isLoopback(host)
		d.links = append(d.links, s)
	}
	for i, lc := range d.cfg.MQTT {
		s, err := d.external(i, lc)
		if err != nil {
			return err
		}
		d.links = append(d.links, s)
	}
	return nil
}

func (d *Daemon) managerNames() []string {
	var names []string
	for name := range d.cfg.Managers {
		names = append(names, name)
	}
	return names
}

// external prepares a link to a broker that is not ours.
func (d *Daemon) external(i int, lc LinkConfig) (*station, error) {
	s := newStation(fmt.Sprintf("%s-%d", lc.Role, i+1), lc.Role)
	s.open = loopbackURL(lc.URL)
	var password mqtt.Secret
	if lc.PasswordFile != "" {
		b, err := os.ReadFile(lc.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("mqtt[%d].password_file: %w", i, err)
		}
		password = mqtt.Secret(strings.TrimSpace(string(b)))
	}
	id := lc.ClientID
	if id == "" {
		id = "kassad-" + d.id.Instance
	}
	s.config = mqtt.LinkConfig{
		Name: s.name, URL: lc.URL, ClientID: id, Username: lc.Username, Password: password,
		CAFile: lc.CAFile, CertFile: lc.CertFile, KeyFile: lc.KeyFile, AllowPlaintext: lc.AllowPlaintext,
	}
	var err error
	s.link, err = d.newLink(s)
	return s, err
}

// newLink completes the configuration with what every link has in common.
func (d *Daemon) newLink(s *station) (*mqtt.Link, error) {
	c := s.config
	c.Topics, c.Dial, c.Tuning = d.topics, d.opt.Network.Dial, d.opt.Links
	c.Subscriptions = []string{d.topics.Commands(), d.topics.Requests(), d.topics.NodeState()}
	if d.cfg.callback().URL != "" {
		c.Subscriptions = append(c.Subscriptions, d.topics.Callback(mqtt.CallbackLifePay))
	}
	c.Will = &mqtt.Will{Topic: d.topics.NodeState(), Payload: func() []byte { return d.nodeState(mqtt.NodeOffline) }}
	c.State, c.Outbox = d.state, outbox{d.spool, d.spoolChanged}
	c.OnUp = func(context.Context, bool) {
		d.linkAway(s.name, false)
		d.untold.health.Store(true) // its round trip
		d.ready()
	}
	c.OnDown = func(error) {
		if !d.leaving() { // our own goodbye is no alert
			d.linkAway(s.name, true)
		}
	}
	c.OnRefused = func(filter string, err error) {
		d.log.Error("subscription refused", "link", s.name, "filter", filter, "err", err)
	}
	c.Pumping = d.pulses.join("outbox " + s.name).pumping
	c.OnTakeOver = func() { d.rivals.takenOver(s.name) }
	return mqtt.NewLink(c, d.log)
}

// openBroker starts the embedded broker and prepares the link to it, since
// only now its address is known. Nothing else runs yet.
func (d *Daemon) openBroker(ctx context.Context) error {
	if d.broker == nil {
		return nil
	}
	if err := d.broker.Start(ctx); err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	user, password := d.broker.Credential()
	for _, s := range d.links {
		if !s.embedded {
			continue
		}
		s.config = mqtt.LinkConfig{
			Name: s.name, URL: d.broker.LocalURL(), ClientID: "kassad-" + d.id.Instance, Username: user, Password: password,
		}
		var err error
		if s.link, err = d.newLink(s); err != nil {
			return err
		}
	}
	return nil
}

// receive hands what comes by a link to who it is for.
func (d *Daemon) receive(ctx context.Context, s *station) error {
	desk := newDesk(ctx, d, s)
	defer desk.wait()
	p := d.pulses.join("intake " + s.name)
	defer p.rest()
	for {
		p.rest()
		in, err := s.link.Receive(ctx)
		if errors.Is(err, mqtt.ErrClosed) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("link %s: %w", s.name, err)
		}
		p.within(deskQueue * turnMax) // behind what the same terminal has sent before
		topic, err := d.topics.Parse(in.Topic)
		if err != nil {
			d.log.Warn("message on a topic that is not ours", "link", s.name, "topic", in.Topic)
			in.Ack()
			continue
		}
		switch topic.Kind {
		case mqtt.TopicCommand:
			desk.command(topic, in)
		case mqtt.TopicRequest:
			desk.request(topic, in)
		case mqtt.TopicCallback:
			desk.callback(topic, in)
		case mqtt.TopicNode:
			d.observeNode(s, in.Payload)
			in.Ack()
		default:
			in.Ack()
		}
	}
}

// observeNode looks for another instance under our name.
func (d *Daemon) observeNode(s *station, payload []byte) {
	var state struct{ State, Instance string }
	if json.Unmarshal(payload, &state) != nil {
		return
	}
	if state.Instance == d.id.Instance && state.State == mqtt.NodeOffline && !d.leaving() {
		// The will of an earlier connection of ours, which the broker has sent
		// late: it would stay retained over our birth.
		d.state.Refresh(d.topics.NodeState())
	}
	d.rivals.observe(state.Instance, state.State == mqtt.NodeOnline, s.name)
}

// leaving tells whether a stop has begun.
func (d *Daemon) leaving() bool {
	select {
	case <-d.stopping:
		return true
	default:
		return false
	}
}

// sayGoodbye publishes offline on every link and disconnects, after answers and
// results have left.
func (d *Daemon) sayGoodbye() {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	var group sync.WaitGroup
	for _, s := range d.links {
		group.Go(func() {
			s.settle(ctx)
			d.emptyOutbox(ctx, s)
			last := mqtt.Outgoing{Topic: d.topics.NodeState(), Payload: d.nodeState(mqtt.NodeOffline), Retain: true}
			if err := s.link.Close(ctx, last); err != nil {
				d.log.Warn("link did not close in time", "link", s.name, "err", err)
			}
		})
	}
	group.Wait()
	if d.broker != nil { // its clients get what the link has left with it
		d.broker.Settle(ctx)
	}
}

// emptyOutbox waits until a link has sent what it has, so that the till hears
// how the receipt in hand has ended; ctx bounds it, and what is left goes out
// after the next start.
func (d *Daemon) emptyOutbox(ctx context.Context, s *station) {
	look := time.NewTicker(outboxPoll)
	defer look.Stop()
	for s.link.Status().Up {
		left, err := outbox{spool: d.spool}.Next(s.name, 0, 1)
		if err != nil || len(left) == 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

const outboxPoll = 2 * time.Millisecond

// settle waits until all that was told has left, or ctx ends.
func (s *station) settle(ctx context.Context) {
	for range cap(s.tells) {
		select {
		case s.tells <- struct{}{}:
			defer func() { <-s.tells }()
		case <-ctx.Done():
			return
		}
	}
}

// tell sends an answer that no record carries: it may get lost, and the
// terminal asks again. It waits only when very many are on their way.
func (d *Daemon) tell(s *station, topic string, payload []byte) { d.send(s, topic, payload, false) }

func (d *Daemon) send(s *station, topic string, payload []byte, retain bool) {
	s.tells <- struct{}{}
	go func() {
		defer func() { <-s.tells }()
		ctx, cancel := context.WithTimeout(context.Background(), tellTimeout)
		defer cancel()
		if err := d.publishSoon(ctx, s, topic, payload, retain); err != nil {
			d.log.Warn("not sent", "link", s.name, "topic", topic, "err", err)
		}
	}()
}

// publishSoon waits for a link that is only just coming up: what a broker has
// kept for us arrives with the subscription, before the link is up.
func (d *Daemon) publishSoon(ctx context.Context, s *station, topic string, payload []byte, retain bool) error {
	again := time.NewTicker(tellRetry)
	defer again.Stop()
	for {
		err := s.link.Publish(ctx, topic, payload, retain)
		if !errors.Is(err, mqtt.ErrDown) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		case <-d.stopping:
			return err
		}
	}
}

// tellsMax bounds the answers on their way: a client that floods us waits for
// itself.
const tellsMax = 256

const (
	tellTimeout = 10 * time.Second
	tellRetry   = 100 * time.Millisecond
)

// outbox shows the spool's outbox to a link.
type outbox struct {
	spool *spool.Spool
	less  func() // something has left
}

// Next implements mqtt.Outbox.
func (o outbox) Next(link string, after uint64, limit int) ([]mqtt.Outgoing, error) {
	var out []mqtt.Outgoing
	err := o.spool.View(func(tx *spool.Tx) error {
		messages, err := tx.Outbox(link, after, limit)
		for _, m := range messages {
			out = append(out, mqtt.Outgoing{ID: m.ID, Topic: m.Topic, Payload: m.Payload, Retain: m.Retain})
		}
		return err
	})
	return out, err
}

// Sent implements mqtt.Outbox.
func (o outbox) Sent(ids ...uint64) {
	o.spool.Sent(ids...)
	o.less()
}
