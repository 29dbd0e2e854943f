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
	}
	return false
}

// maySubscribe judges a filter. A manager may ask for the whole tree; mayRead
// then keeps the commands from it, message by message.
func (r rights) maySubscribe(who role, user, filter string) bool {
	root := r.topics.Root()
	switch who {
	case roleAnybody, roleDaemon:
		return true
	case roleTerminal:
		return covers(root+"/res/"+user+"/#", filter) || filter == root+"/last/"+user ||
			covers(root+"/node/#", filter) || covers(root+"/dev/#", filter) || filter == root+"/spool/state"
	case roleManager:
		return covers(root+"/#", filter) && !covers(root+"/cmd/#", filter)
	}
	return false
}

func (r rights) mayRead(who role, user, topic string) bool {
	if who == roleManager && strings.HasPrefix(topic, r.topics.Root()+"/cmd/") {
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
