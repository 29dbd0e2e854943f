package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Limits of the retained state.
const (
	stateTopicsMax       = 4096
	stateIntervalDefault = 250 * time.Millisecond
)

// ErrStateFull: more topics than stateTopicsMax, which no shop has: names are
// being invented somewhere.
var ErrStateFull = errors.New("too many retained topics")

// State is the node's retained topics as they should be. Latest wins: who sets
// a topic faster than it can be published loses the steps in between, never
// the last one. One State may serve several links; each publishes all of it
// after every connect, since a broker may have lost its memory.
//
// Set and Delete only write to memory and never wait.
type State struct {
	interval time.Duration

	mu       sync.Mutex
	version  uint64
	order    []string // topics in the order of their first appearance
	entries  map[string]stateEntry
	watchers map[chan struct{}]struct{}
}

type stateEntry struct {
	payload []byte // empty: deleted
	version uint64
}

// NewState returns an empty registry. A topic that flaps is published at most
// once per interval by each link; 0 means 250 ms.
func NewState(interval time.Duration) *State {
	if interval <= 0 {
		interval = stateIntervalDefault
	}
	return &State{
		interval: interval,
		entries:  make(map[string]stateEntry),
		watchers: make(map[chan struct{}]struct{}),
	}
}

// Set makes payload the retained message of topic. An equal payload is not
// published again. The caller must not change payload afterwards.
func (s *State) Set(topic string, payload []byte) error {
	return s.put(topic, payload, false)
}

// Delete clears the retained message of topic, also one that this process has
// never set. The topic stays in the registry, so that a link that is down now
// clears it later.
func (s *State) Delete(topic string) error {
	return s.put(topic, nil, false)
}

// Refresh publishes topic again as it is: for the topic of the will, which a
// broker may have published after the birth of the next connection.
func (s *State) Refresh(topic string) {
	s.mu.Lock()
	entry, ok := s.entries[topic]
	s.mu.Unlock()
	if ok {
		_ = s.put(topic, entry.payload, true)
	}
}

// Get returns what is to be retained at topic; nil if nothing.
func (s *State) Get(topic string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[topic].payload
}

// Topics lists the topics that hold a message, in the order of their first
// appearance. It is the list that a daemon keeps to clear what it renames.
func (s *State) Topics() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var topics []string
	for _, topic := range s.order {
		if len(s.entries[topic].payload) > 0 {
			topics = append(topics, topic)
		}
	}
	return topics
}

func (s *State) put(topic string, payload []byte, force bool) error {
	if len(topic) == 0 || len(topic) > topicBytesMax {
		return fmt.Errorf("state %.*q: %w", topicBytesMax, topic, ErrTopic)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, known := s.entries[topic]
	if known && !force && bytes.Equal(entry.payload, payload) {
		return nil
	}
	if !known {
		if len(s.order) >= stateTopicsMax {
			return fmt.Errorf("state %q: %w", topic, ErrStateFull)
		}
		s.order = append(s.order, topic)
	}
	s.version++
	s.entries[topic] = stateEntry{payload: payload, version: s.version}
	for w := range s.watchers {
		select {
		case w <- struct{}{}:
		default: // it has been told already
		}
	}
	return nil
}

// watch returns a channel that holds a token after every change.
func (s *State) watch() (changed chan struct{}, stop func()) {
	changed = make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[changed] = struct{}{}
	return changed, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, changed)
	}
}

// stateCursor is what one connection has published of a State.
type stateCursor struct {
	state *State
	seen  map[string]uint64
	at    map[string]time.Time
}

func newStateCursor(s *State) *stateCursor {
	return &stateCursor{state: s, seen: make(map[string]uint64), at: make(map[string]time.Time)}
}

// next takes the first topic whose message this connection has not published.
// If topics are only waiting for their interval to pass, wait tells how long.
func (c *stateCursor) next(now time.Time) (topic string, payload []byte, wait time.Duration, ok bool) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	for _, topic := range c.state.order {
		entry := c.state.entries[topic]
		if c.seen[topic] == entry.version {
			continue
		}
		if last, published := c.at[topic]; published {
			if rest := c.state.interval - now.Sub(last); rest > 0 {
				if wait == 0 || rest < wait {
					wait = rest
				}
				continue
			}
		}
		c.seen[topic], c.at[topic] = entry.version, now
		return topic, entry.payload, 0, true
	}
	return "", nil, wait, false
}
