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

// keepNothing takes a command, request or callback out of what the broker
// retains.
func (h *hook) keepNothing(pk packets.Packet) packets.Packet {
	pk.Properties.User = slices.DeleteFunc(slices.Clone(pk.Properties.User), isMark) // a stranger's
	if !pk.FixedHeader.Retain {
		return pk
	}
	if h.isOrder(pk.TopicName) {
		pk.FixedHeader.Retain = false
		pk.Properties.User = append(pk.Properties.User, packets.UserProperty{Key: retainedMark})
	}
	return pk
}

// isOrder tells the topics of what nobody may find there later: commands,
// requests and callbacks, which are carried out when they come, and loop-back
// messages.
func (h *hook) isOrder(topic string) bool {
	parsed, err := h.rights.topics.Parse(topic)
	return err == nil && (parsed.Kind == mqtt.TopicCommand || parsed.Kind == mqtt.TopicRequest ||
		parsed.Kind == mqtt.TopicCallback || parsed.Kind == mqtt.TopicProbe)
}

// tellRetained turns the mark into the flag while a message is written.
func tellRetained(pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Publish && slices.ContainsFunc(pk.Properties.User, isMark) {
		pk.FixedHeader.Retain = true
		pk.Properties.User = slices.DeleteFunc(slices.Clone(pk.Properties.User), isMark)
	}
	return pk
}
