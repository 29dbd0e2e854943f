package broker

import (
	"sync"
	"sync/atomic"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// kept counts the bytes that wait for the daemon's acknowledgement. The library
// bounds their number only, and 2 048 messages of half a megabyte are a
// computer's memory. Small messages are bounded by their number well enough,
// and cost nothing here.
type kept struct {
	large atomic.Int64 // len(sizes), to look at without the lock
	mu    sync.Mutex
	sizes map[keptID]int
	sum   int
}

type keptID struct {
	client string
	packet uint16
}

func (k *kept) put(id keptID, size int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sizes == nil {
		k.sizes = make(map[keptID]int)
	}
	k.sum += size - k.sizes[id]
	k.sizes[id] = size
	k.large.Store(int64(len(k.sizes)))
}

func (k *kept) remove(id keptID) {
	if k.large.Load() == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(id)
}

func (k *kept) drop(id keptID) {
	k.sum -= k.sizes[id]
	delete(k.sizes, id)
	k.large.Store(int64(len(k.sizes)))
}

// full tells that there is no room for more bytes. It asks about everything
// then: the library lets go of some messages without a word.
func (k *kept) full(more int, still func(keptID) bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sum+more <= keptBytesMax {
		return false
	}
	for id := range k.sizes {
		if !still(id) {
			k.drop(id)
		}
	}
	return k.sum+more > keptBytesMax
}

// keeps notes a large message that a session of the daemon has to acknowledge.
func (h *hook) keeps(cl *mochi.Client, pk packets.Packet) {
	if pk.FixedHeader.Type != packets.Publish || len(pk.Payload) < keptLargeBytes {
		return
	}
	if who, _ := h.role(cl); who == roleDaemon {
		h.kept.put(keptID{cl.ID, pk.PacketID}, len(pk.Payload))
	}
}

// overfull drops what the daemon has no room for, as a full session does: an
// acknowledgement proves nothing, and the terminal asks again.
func (h *hook) overfull(cl *mochi.Client, pk packets.Packet) bool {
	if len(pk.Payload) < keptLargeBytes || !h.kept.full(len(pk.Payload), h.stillKept) {
		return false
	}
	h.denials.warn(string(cl.Properties.Username), "broker dropped a message: too many bytes wait for the daemon",
		"user", string(cl.Properties.Username), "topic", cut(pk.TopicName, deniedTopicBytesMax))
	return true
}

func (h *hook) stillKept(id keptID) bool {
	cl, ok := h.broker.server.Clients.Get(id.client)
	if !ok {
		return false
	}
	pk, ok := cl.State.Inflight.Get(id.packet)
	return ok && len(pk.Payload) >= keptLargeBytes
}

// OnQosComplete: a client has acknowledged.
func (h *hook) OnQosComplete(cl *mochi.Client, pk packets.Packet) {
	h.kept.remove(keptID{cl.ID, pk.PacketID})
}

// OnQosDropped: a session has ended, or has moved; then its heir sends what it
// has again, and counts it.
func (h *hook) OnQosDropped(cl *mochi.Client, pk packets.Packet) {
	h.kept.remove(keptID{cl.ID, pk.PacketID})
}
