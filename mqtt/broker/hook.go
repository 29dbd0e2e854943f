package broker

import (
	"crypto/subtle"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// hook is everything that the library asks us.
type hook struct {
	mochi.HookBase
	broker     *Broker
	users      *users // nil: nobody is authenticated
	rights     rights
	publishers *publishers
	denials    *denials
	budgets    budgets
	kept       kept
	arrivals   atomic.Int64
	index      sync.RWMutex // of what is retained; see index.go
}

var _ mochi.Hook = (*hook)(nil)

func newHook(b *Broker, known *users) *hook {
	return &hook{
		broker: b, users: known, rights: rights{topics: b.config.Topics},
		publishers: newPublishers(), denials: newDenials(b.log, b.config.OnDenied),
	}
}

// ID names the hook in logs.
func (h *hook) ID() string { return "kassad" }

// Provides lists the hooks below.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSessionEstablish, mochi.OnDisconnect,
		mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnPacketSent, mochi.OnPublish, mochi.OnSubscribe, mochi.OnWill,
		mochi.OnPublishDropped, mochi.OnClientExpired, mochi.OnQosPublish, mochi.OnQosComplete,
		mochi.OnQosDropped, mochi.OnRetainMessage, mochi.OnPacketProcessed:
		return true
	}
	return false
}

// role derives the role from the name that CONNECT proved. Sessions keep it
// while their client is away.
func (h *hook) role(cl *mochi.Client) (role, string) {
	user := string(cl.Properties.Username)
	switch {
	case user == daemonUser:
		return roleDaemon, user
	case h.users == nil:
		return roleAnybody, user
	case h.broker.isManager(user):
		return roleManager, user
	case user != "" && user == h.broker.config.Relay:
		return roleRelay, user
	}
	return roleTerminal, user
}

func (h *hook) deny(cl *mochi.Client, what, topic string) {
	h.denials.add(Denied{User: string(cl.Properties.Username), Client: cl.ID, Address: addressOf(cl.Net.Conn), What: what, Topic: topic})
}

// OnConnect refuses MQTT 5. The contract is 3.1.1, and with 5 come message
// expiry, which would delete commands, and flow control, in which the library
// (v2.7.9) locks itself out.
func (h *hook) OnConnect(cl *mochi.Client, pk packets.Packet) error {
	if pk.ProtocolVersion == protocolVersion {
		if cl.State.Keepalive == 0 || cl.State.Keepalive > keepAliveSecondsMax {
			cl.State.Keepalive = keepAliveSecondsMax // else it could hold its place in silence for ever
		}
		return nil
	}
	h.deny(cl, "connect with another MQTT than 3.1.1", "")
	_ = h.broker.server.SendConnack(cl, packets.ErrUnsupportedProtocolVersion, false, nil)
	return packets.ErrUnsupportedProtocolVersion
}

// OnConnectAuthenticate checks the password, whose session it is, and the
// will, which the library publishes without asking for a right.
func (h *hook) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	if !h.authentic(cl, pk.Connect.Password) {
		h.deny(cl, "connect", "")
		return false
	}
	h.ownID(cl)
	if !h.ownSession(cl) || !h.hasPlace(cl) {
		h.deny(cl, "connect", "")
		return false
	}
	who, user := h.role(cl)
	if c, ok := cl.Net.Conn.(*conn); ok && who != roleDaemon && who != roleAnybody {
		c.budget = h.budgets.of(user)
	}
	if pk.Connect.WillFlag {
		if !h.rights.mayPublish(who, user, pk.Connect.WillTopic) {
			h.deny(cl, "will", pk.Connect.WillTopic)
			cl.Properties.Will = mochi.Will{}
		}
		if who != roleDaemon && h.isOrder(cl.Properties.Will.TopicName) {
			cl.Properties.Will.Retain = false
		}
		cl.Properties.Will.WillDelayInterval = 0 // see index.go: a will is retained when it is announced, or not at all
	}
	return true
}

func (h *hook) authentic(cl *mochi.Client, password []byte) bool {
	user := string(cl.Properties.Username)
	if user == daemonUser {
		return subtle.ConstantTimeCompare(password, []byte(h.broker.secret.Reveal())) == 1
	}
	if cl.Net.Listener == daemonListener {
		return false
	}
	return h.users == nil || h.users.verify(user, password, addressOf(cl.Net.Conn))
}

// OnACLCheck is asked for filters, for every delivery, and for publishes. The
// last are judged in OnPublish, where they can be dropped with an
// acknowledgement; here a refusal would close the connection.
func (h *hook) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	if write {
		return true
	}
	who, user := h.role(cl)
	if who == roleManager && isFilter(topic) {
		return h.rights.maySubscribe(who, user, topic)
	}
	return h.rights.mayRead(who, user, topic)
}

// OnSubscribe only tells of refusals; OnACLCheck makes them. What would be more
// than a session may have is made a filter that the library refuses.
func (h *hook) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	who, user := h.role(cl)
	had := cl.State.Subscriptions.GetAll()
	pk.Filters = slices.Clone(pk.Filters)
	for i, sub := range pk.Filters {
		if _, again := had[sub.Filter]; !again && who != roleDaemon && (len(had) >= subscriptionsMax || len(sub.Filter) > filterBytesMax) {
			h.deny(cl, "subscribe", sub.Filter)
			pk.Filters[i].Filter = noFilter
			continue
		}
		if !h.rights.maySubscribe(who, user, sub.Filter) {
			h.deny(cl, "subscribe", sub.Filter)
			continue
		}
		had[sub.Filter] = sub
	}
	return pk
}

// noFilter cannot be subscribed to.
const noFilter = ""

// veil begins the broker's own topics while the library handles a publish to
// them: it would drop that without a word and without an acknowledgement.
const veil = "$"

func ownTopic(topic string) bool {
	return len(topic) >= len(mochi.SysPrefix) && strings.EqualFold(topic[:len(mochi.SysPrefix)], mochi.SysPrefix)
}

// OnPublish restores what OnPacketRead hid, and judges.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	pk = unhide(cl, pk)
	// The library sends unacknowledged messages again in the order of this
	// field, which holds seconds. Nothing else uses it without expiry.
	pk.Created = h.arrivals.Add(1)
	who, user := h.role(cl)
	if topic := strings.TrimPrefix(pk.TopicName, veil); ownTopic(topic) {
		pk.TopicName = topic
	}
	if ownTopic(pk.TopicName) || !h.rights.mayPublish(who, user, pk.TopicName) {
		h.deny(cl, "publish", pk.TopicName)
		pk.Ignore = true
		return pk, nil
	}
	if who != roleDaemon {
		pk = h.keepNothing(pk)
		if h.overfull(cl, pk) {
			pk.Ignore = true
			return pk, nil
		}
	}
	if who == roleManager {
		h.publishers.add(pk.TopicName, pk.Payload, user)
	}
	h.keep(pk.FixedHeader.Retain)
	return pk, nil
}

// OnPacketRead slows down a terminal, manager or relay that floods, by not reading
// on, and hides packet identifiers. What comes by a connection that closes
// meanwhile is dropped: who connects again and again must not go round the wait.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return pk, nil
	}
	switch pk.FixedHeader.Type {
	case packets.Publish, packets.Subscribe, packets.Unsubscribe:
		if !c.wait(c.budget.take(time.Now(), pk.FixedHeader.Remaining)) {
			return pk, packets.ErrRejectPacket
		}
	}
	if pk.FixedHeader.Type == packets.Publish && ownTopic(pk.TopicName) {
		pk.TopicName = veil + pk.TopicName
	}
	return hide(c, pk), nil
}

// OnPacketEncode writes the identifiers and the retain flag back, and keeps
// the greeting first.
func (h *hook) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	if c, ok := cl.Net.Conn.(*conn); ok && pk.FixedHeader.Type == packets.Publish {
		c.awaitGreeting()
	}
	return reveal(cl, tellRetained(pk))
}

// OnPacketSent notes the greeting, and the grant of a subscription. A
// connection is greeted once.
func (h *hook) OnPacketSent(cl *mochi.Client, pk packets.Packet, _ []byte) {
	h.scan(cl, pk)
	if c, ok := cl.Net.Conn.(*conn); ok && pk.FixedHeader.Type == packets.Connack {
		close(c.greeted)
	}
}

// OnPublishDropped: a client reads too slowly and its queue is full.
func (h *hook) OnPublishDropped(cl *mochi.Client, pk packets.Packet) {
	h.denials.warn(cl.ID, "broker dropped a message for a slow client", "client", cl.ID, "topic", pk.TopicName)
}
