package broker

import (
	"errors"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	takeOverWait = time.Second
	takeOverPoll = time.Millisecond
	noWillTopic  = "$will/none" // nobody can subscribe by a wildcard to a $ topic
)

// ownID puts the proven name before the client id. So a client id is a name's
// own: another cannot take the session over, and cannot keep its owner out by
// taking the id first. The daemon's id has no name before it, and no name of
// the users file is empty.
func (h *hook) ownID(cl *mochi.Client) {
	if who, user := h.role(cl); who != roleAnybody && who != roleDaemon {
		cl.ID = user + "/" + cl.ID
	}
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

// hasPlace bounds the sessions of a name, so that one terminal cannot take the
// places, or the kept messages, of the others: its own session that was away
// longest goes, and if none is away, the new connection is refused.
func (h *hook) hasPlace(cl *mochi.Client) bool {
	is, isUser := h.role(cl)
	if is == roleDaemon || is == roleAnybody {
		return true
	}
	own := 0
	var oldest *mochi.Client
	for _, other := range h.broker.server.Clients.GetAll() {
		if _, user := h.role(other); user != isUser || other.ID == cl.ID {
			continue
		}
		own++
		if away := other.StopTime(); away != 0 && (oldest == nil || away < oldest.StopTime()) {
			oldest = other
		}
	}
	if own < userSessionsMax {
		return true
	}
	if oldest == nil {
		return false
	}
	h.forget(oldest)
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

// OnWill keeps back the will of a connection that its own client has replaced:
// it would mark as offline a node that is here. Stop waits for the Stop that
// is running, and the cause is set then.
func (h *hook) OnWill(cl *mochi.Client, will mochi.Will) (mochi.Will, error) {
	if takenOver(cl) {
		will.TopicName, will.Retain = noWillTopic, false
	}
	h.keep(will.Retain)
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

// OnQosPublish closes a gap in which the library (v2.7.9) loses a message: a
// publish finds the old client of a session, the session moves to a new
// connection, and the publish puts the message with the old client. The
// library marks the old client before it copies, so a message that comes too
// late for the copy finds the mark, and is moved by hand. One that comes just
// in time may arrive twice.
func (h *hook) OnQosPublish(cl *mochi.Client, pk packets.Packet, _ int64, _ int) {
	h.keeps(cl, pk)
	if pk.FixedHeader.Type != packets.Publish || !cl.IsTakenOver() || cl.Properties.Clean {
		return
	}
	heir := h.heir(cl)
	if heir == nil {
		h.broker.log.Warn("broker lost a message while a session moved", "client", cl.ID, "topic", pk.TopicName)
		return
	}
	id, err := heir.NextPacketID()
	if err != nil || heir.State.Inflight.Len() >= inflightMax {
		return // full, as it would have been without the move
	}
	pk.PacketID = uint16(id)
	heir.State.Inflight.Set(pk)
	if heir.IsTakenOver() { // moved on
		h.OnQosPublish(heir, pk, 0, 0)
		return
	}
	if err := heir.WritePacket(pk); err != nil {
		h.broker.log.Debug("broker keeps a message for the next connection", "client", cl.ID, "error", err)
	}
}

// heir waits for the client that takes a session over; it is registered a
// moment after the old one is marked.
func (h *hook) heir(old *mochi.Client) *mochi.Client {
	deadline := time.Now().Add(takeOverWait)
	for {
		if cl, ok := h.broker.server.Clients.Get(old.ID); ok && cl != old {
			return cl
		}
		if !time.Now().Before(deadline) {
			return nil
		}
		pause(takeOverPoll, nil)
	}
}
