package broker

import (
	"crypto/subtle"
	"errors"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	takeOverWait        = time.Second
	takeOverPoll        = time.Millisecond
	rateWaitMax         = 100 * time.Millisecond
	deniedTopicBytesMax = 200
	noWillTopic         = "$will/none" // nobody can subscribe by a wildcard to a $ topic
)

// hook is everything that the library asks us.
type hook struct {
	mochi.HookBase
	broker     *Broker
	users      *users // nil: nobody is authenticated
	rights     rights
	publishers *publishers
	denials    *denials
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
	case mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSessionEstablish, mochi.OnDisconnect,
		mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnPublish, mochi.OnSubscribe, mochi.OnWill,
		mochi.OnPublishDropped, mochi.OnClientExpired:
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
	}
	return roleTerminal, user
}

func (h *hook) deny(cl *mochi.Client, what, topic string) {
	topic = topic[:min(len(topic), deniedTopicBytesMax)]
	h.denials.add(Denied{User: string(cl.Properties.Username), Client: cl.ID, What: what, Topic: topic})
}

// OnConnectAuthenticate checks the password, whose session it is, and the
// will, which the library publishes without asking for a right.
func (h *hook) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	if !h.authentic(cl, pk.Connect.Password) || !h.ownSession(cl) {
		h.deny(cl, "connect", "")
		return false
	}
	who, user := h.role(cl)
	if pk.Connect.WillFlag {
		if !h.rights.mayPublish(who, user, pk.Connect.WillTopic) {
			h.deny(cl, "will", pk.Connect.WillTopic)
			cl.Properties.Will = mochi.Will{}
		}
		cl.Properties.Will.Retain = cl.Properties.Will.Retain && who != roleTerminal && who != roleManager
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
	return h.users == nil || h.users.verify(user, password)
}

// ownSession keeps a name from connecting with the client id of another, which
// would hand it the other's unread messages. The daemon does not inherit: it
// removes who took its id.
func (h *hook) ownSession(cl *mochi.Client) bool {
	server := h.broker.server
	existing, ok := server.Clients.Get(cl.ID)
	if !ok {
		return true
	}
	was, wasUser := h.role(existing)
	is, isUser := h.role(cl)
	if was == is && (wasUser == isUser || is == roleAnybody) {
		return true
	}
	if is != roleDaemon {
		return false
	}
	existing.Stop(packets.ErrSessionTakenOver)
	h.forget(existing)
	return true
}

func (h *hook) forget(cl *mochi.Client) {
	h.broker.server.UnsubscribeClient(cl)
	cl.ClearInflights()
	h.broker.server.Clients.Delete(cl.ID)
}

// OnSessionEstablish bounds the number of sessions: the one that was away
// longest goes.
func (h *hook) OnSessionEstablish(cl *mochi.Client, _ packets.Packet) {
	clients := h.broker.server.Clients
	if existing, ok := clients.Get(cl.ID); ok {
		existing.State.Inflight.Delete(0) // see packetid.go
		return
	}
	if clients.Len() < sessionsMax {
		return
	}
	var oldest *mochi.Client
	for _, other := range clients.GetAll() {
		if away := other.StopTime(); away != 0 && (oldest == nil || away < oldest.StopTime()) {
			oldest = other
		}
	}
	if oldest != nil {
		h.forget(oldest)
	}
}

// OnClientExpired removes the subscriptions that the library leaves behind.
func (h *hook) OnClientExpired(cl *mochi.Client) {
	h.broker.server.UnsubscribeClient(cl)
	cl.ClearInflights()
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

// OnSubscribe only tells of refusals; OnACLCheck makes them.
func (h *hook) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	who, user := h.role(cl)
	for _, sub := range pk.Filters {
		if !h.rights.maySubscribe(who, user, sub.Filter) {
			h.deny(cl, "subscribe", sub.Filter)
		}
	}
	return pk
}

// OnPublish restores what OnPacketRead hid, and judges.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	pk = unhide(cl, pk)
	who, user := h.role(cl)
	if !h.rights.mayPublish(who, user, pk.TopicName) {
		h.deny(cl, "publish", pk.TopicName)
		pk.Ignore = true
		return pk, nil
	}
	if who == roleTerminal || who == roleManager {
		// A command is delivered and never stored: it would run again.
		pk.FixedHeader.Retain = false
	}
	if who == roleManager {
		h.publishers.add(pk.TopicName, pk.Payload, user)
	}
	return pk, nil
}

// OnPacketRead slows down a client that floods, by not reading on, and hides
// packet identifiers.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return pk, nil
	}
	if who, _ := h.role(cl); pk.FixedHeader.Type == packets.Publish && who != roleDaemon {
		if wait := c.bucket.take(time.Now()); wait > 0 {
			pause(min(wait, rateWaitMax), nil)
		}
	}
	return hide(c, pk), nil
}

// OnPacketEncode writes the identifiers back.
func (h *hook) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	return reveal(cl, pk)
}

// OnWill keeps back the will of a connection that its own client has replaced:
// it would mark as offline a node that is here. Stop waits for the Stop that
// is running, and the cause is set then.
func (h *hook) OnWill(cl *mochi.Client, will mochi.Will) (mochi.Will, error) {
	if takenOver(cl) {
		will.TopicName, will.Retain = noWillTopic, false
	}
	return will, nil
}

// OnDisconnect waits until the library has marked a replaced client. It marks
// late, and would delete the new client of the same id with the old one.
func (h *hook) OnDisconnect(cl *mochi.Client, _ error, expire bool) {
	if !expire || !takenOver(cl) {
		return
	}
	deadline := time.Now().Add(takeOverWait)
	for !cl.IsTakenOver() && time.Now().Before(deadline) {
		pause(takeOverPoll, nil)
	}
}

func takenOver(cl *mochi.Client) bool {
	cl.Stop(nil)
	return errors.Is(cl.StopCause(), packets.ErrSessionTakenOver)
}

// OnPublishDropped: a client reads too slowly and its queue is full.
func (h *hook) OnPublishDropped(cl *mochi.Client, pk packets.Packet) {
	h.broker.log.Warn("broker dropped a message for a slow client", "client", cl.ID, "topic", pk.TopicName)
}
