package broker

import (
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// The library (v2.7.9) writes the path of a retained message into its index
// under a lock that a subscription with a wildcard does not take when it reads
// the path: a string that changes under its reader can take the process down.
// So index is held for writing from the hook before a message is retained to
// the hook after it, and for reading from the SUBACK to the end of the
// subscription. Neither waits for a client inside.

// keep takes the index, if the library goes on to retain pk. OnRetainMessage
// gives it back.
func (h *hook) keep(retain bool) {
	if retain {
		h.index.Lock()
	}
}

// OnRetainMessage follows every change of the index.
func (h *hook) OnRetainMessage(*mochi.Client, packets.Packet, int64) { h.index.Unlock() }

// scan takes the index for the subscription that the SUBACK has granted.
func (h *hook) scan(cl *mochi.Client, sent packets.Packet) {
	if c, ok := cl.Net.Conn.(*conn); ok && sent.FixedHeader.Type == packets.Suback {
		h.index.RLock()
		c.scanning = true
	}
}

// OnPacketProcessed ends a subscription, also one whose SUBACK was never sent.
func (h *hook) OnPacketProcessed(cl *mochi.Client, pk packets.Packet, _ error) {
	if c, ok := cl.Net.Conn.(*conn); ok && pk.FixedHeader.Type == packets.Subscribe && c.scanning {
		c.scanning = false
		h.index.RUnlock()
	}
}
