package broker

import (
	"strings"

	"kassad/mqtt"
)

// role is what a user may do.
type role uint8

const (
	roleAnybody  role = iota + 1 // no users file: everything
	roleTerminal                 // its own commands and answers
	roleManager                  // management, and reading all but commands
	roleRelay                    // callbacks, and its own loop-back messages
	roleDaemon                   // everything
)

// rights decides by role and topic. The terminal of a command is always the
// user's own name, which is how the daemon knows who sent it.
type rights struct{ topics mqtt.Topics }

func (r rights) mayPublish(who role, user, topic string) bool {
	if who == roleAnybody || who == roleDaemon {
		return true
	}
	parsed, err := r.topics.Parse(topic)
	if err != nil {
		return false
	}
	switch who {
	case roleTerminal:
		return parsed.Kind == mqtt.TopicCommand && parsed.Name == user
	case roleManager:
		return parsed.Kind == mqtt.TopicRequest
	case roleRelay:
		return parsed.Kind == mqtt.TopicCallback || parsed.Kind == mqtt.TopicProbe
	}
	return false
}

// maySubscribe judges a filter. A manager may ask for the whole tree; mayRead
// then keeps the commands from it, message by message, and the callbacks, whose
// tokens are the daemon's business alone.
func (r rights) maySubscribe(who role, user, filter string) bool {
	root := r.topics.Root()
	switch who {
	case roleAnybody, roleDaemon:
		return true
	case roleTerminal:
		return covers(root+"/res/"+user+"/#", filter) || filter == root+"/last/"+user ||
			covers(root+"/node/#", filter) || covers(root+"/dev/#", filter) || filter == root+"/spool/state"
	case roleManager:
		return covers(root+"/#", filter) && !covers(root+"/cmd/#", filter) && !covers(root+"/callback/#", filter)
	case roleRelay:
		parsed, err := r.topics.Parse(filter) // no wildcards
		return err == nil && parsed.Kind == mqtt.TopicProbe
	}
	return false
}

func (r rights) mayRead(who role, user, topic string) bool {
	root := r.topics.Root()
	if who == roleManager && (strings.HasPrefix(topic, root+"/cmd/") || strings.HasPrefix(topic, root+"/callback/")) {
		return false
	}
	return r.maySubscribe(who, user, topic)
}

// covers tells whether every topic of filter is a topic of pattern, which has
// no wildcard but a # at its end.
func covers(pattern, filter string) bool {
	fixed := strings.TrimSuffix(pattern, "/#")
	return filter == fixed || strings.HasPrefix(filter, fixed+"/")
}
