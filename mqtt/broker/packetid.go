package broker

import (
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// MQTT numbers packets in each direction apart. The library (v2.7.9) keeps
// both directions in one table: a PUBLISH from a client with identifier 5
// deletes the unacknowledged message 5 to that client, which is then never
// sent again, and a SUBSCRIBE whose identifier is waiting to be acknowledged
// is refused with 0x80. A client that reconnects with unacknowledged messages
// and counts from 1 meets both.
//
// So the library sees identifier 0 of everything that a client begins with
// QoS 0 or 1, which no message to a client ever has, and the acknowledgement
// gets its own identifier back while it is written. A connection's packets are
// handled one at a time, so one place to remember it is enough. QoS 2, which
// the contract does not use, is left alone.

// hide runs before the library validates the packet.
func hide(c *conn, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Publish:
		c.ackID = 0
		if pk.FixedHeader.Qos == 1 && pk.PacketID != 0 {
			c.ackID = pk.PacketID
			pk.FixedHeader.Qos, pk.PacketID = 0, 0
		}
	case packets.Subscribe, packets.Unsubscribe:
		if pk.PacketID != 0 {
			c.ackID = pk.PacketID
			pk.FixedHeader.Qos, pk.PacketID = 0, 0
		}
	}
	return pk
}

// unhide makes a hidden publish QoS 1 again, once validated.
func unhide(cl *mochi.Client, pk packets.Packet) packets.Packet {
	if c, ok := cl.Net.Conn.(*conn); ok && c.ackID != 0 && pk.FixedHeader.Qos == 0 {
		pk.FixedHeader.Qos = 1
	}
	return pk
}

// reveal gives an acknowledgement its identifier back.
func reveal(cl *mochi.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Puback, packets.Suback, packets.Unsuback:
		if c, ok := cl.Net.Conn.(*conn); ok && pk.PacketID == 0 {
			pk.PacketID = c.ackID
		}
	}
	return pk
}
