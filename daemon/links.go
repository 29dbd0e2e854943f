package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
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
	link     *mqtt.Link
	config   mqtt.LinkConfig
}

// embeddedName is the link to our own broker.
const embeddedName = "shop"

// buildLinks prepares the broker and a link for each broker; nothing connects.
func (d *Daemon) buildLinks() error {
	if d.cfg.Broker.Enabled {
		b, err := broker.New(broker.Config{
			Listen: d.cfg.Broker.Listen, CertFile: d.cfg.Broker.CertFile, KeyFile: d.cfg.Broker.KeyFile,
			UsersFile: d.cfg.Broker.UsersFile, Topics: d.topics, Managers: d.managerNames(),
		}, d.log)
		if err != nil {
			return err
		}
		d.broker = b
	}
	if d.cfg.Broker.Enabled {
		d.links = append(d.links, &station{name: embeddedName, role: RoleShop, embedded: true})
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
	s := &station{name: fmt.Sprintf("%s-%d", lc.Role, i+1), role: lc.Role}
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
	c.Topics = d.topics
	c.Subscriptions = []string{d.topics.Commands(), d.topics.Requests(), d.topics.NodeState()}
	c.Will = &mqtt.Will{Topic: d.topics.NodeState(), Payload: func() []byte { return d.nodeState(mqtt.NodeOffline) }}
	c.State, c.Outbox = d.state, outbox{d.spool}
	c.OnUp = func(context.Context, bool) {
		d.alerts.clear("", fiscal.CodeBrokerAway)
		d.log.Info("link up", "link", s.name)
		d.ready()
	}
	c.OnDown = func(err error) {
		d.alerts.raise("", fiscal.CodeBrokerAway, s.name)
		d.log.Warn("link down", "link", s.name, "err", err)
	}
	c.OnRefused = func(filter string, err error) {
		d.log.Error("subscription refused", "link", s.name, "filter", filter, "err", err)
	}
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
	for {
		in, err := s.link.Receive(ctx)
		if errors.Is(err, mqtt.ErrClosed) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("link %s: %w", s.name, err)
		}
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
	if json.Unmarshal(payload, &state) == nil {
		d.rivals.observe(state.Instance, state.State == mqtt.NodeOnline, s.name)
	}
}

// sayGoodbye publishes offline on every link and disconnects.
func (d *Daemon) sayGoodbye() {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	for _, s := range d.links {
		last := mqtt.Outgoing{Topic: d.topics.NodeState(), Payload: d.nodeState(mqtt.NodeOffline), Retain: true}
		if err := s.link.Close(ctx, last); err != nil {
			d.log.Warn("link did not close in time", "link", s.name, "err", err)
		}
	}
}

// tell sends an answer that no record carries: it may get lost, and the
// terminal asks again.
func (d *Daemon) tell(s *station, topic string, payload []byte) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), tellTimeout)
		defer cancel()
		if err := s.link.Publish(ctx, topic, payload, false); err != nil {
			d.log.Warn("answer not sent", "link", s.name, "topic", topic, "err", err)
		}
	}()
}

const tellTimeout = 10 * time.Second

// outbox shows the spool's outbox to a link.
type outbox struct{ spool *spool.Spool }

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
func (o outbox) Sent(ids ...uint64) { o.spool.Sent(ids...) }
