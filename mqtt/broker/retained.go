package broker

import (
	"slices"

	"github.com/mochi-mqtt/server/v2/packets"

	"kassad/mqtt"
)

// MQTT 3.1.1 delivers a message with the retain flag to who has subscribed
// already as an ordinary one, so that the daemon could not refuse a retained
// command: it would carry it out, and meet it again after each reconnect. This
// broker never keeps a command or request, and tells the daemon by the flag.

// retainedMark travels inside the broker only: 3.1.1 has no properties.
const retainedMark = "kassad-retained"

func isMark(p packets.UserProperty) bool { return p.Key == retainedMark }

// keepNothing takes a command or request out of what the broker retains.
func (h *hook) keepNothing(pk packets.Packet) packets.Packet {
	pk.Properties.User = slices.DeleteFunc(slices.Clone(pk.Properties.User), isMark) // a stranger's
	if !pk.FixedHeader.Retain {
		return pk
	}
	topic, err := h.rights.topics.Parse(pk.TopicName)
	if err == nil && (topic.Kind == mqtt.TopicCommand || topic.Kind == mqtt.TopicRequest) {
		pk.FixedHeader.Retain = false
		pk.Properties.User = append(pk.Properties.User, packets.UserProperty{Key: retainedMark})
	}
	return pk
}

// tellRetained turns the mark into the flag while a message is written.
func tellRetained(pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Publish && slices.ContainsFunc(pk.Properties.User, isMark) {
		pk.FixedHeader.Retain = true
		pk.Properties.User = slices.DeleteFunc(slices.Clone(pk.Properties.User), isMark)
	}
	return pk
}
