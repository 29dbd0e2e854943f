package broker

import (
	"crypto/sha256"
	"strings"
	"sync"
)

// publishers remembers who sent the latest management requests. MQTT 3.1.1
// does not carry the sender to the receiver.
type publishers struct {
	mu    sync.Mutex
	names map[[sha256.Size]byte]string
	order [][sha256.Size]byte // a ring once it is full
	next  int
}

const twoSenders = "\x00" // no name

func newPublishers() *publishers {
	return &publishers{names: make(map[[sha256.Size]byte]string)}
}

func publicationKey(topic string, payload []byte) [sha256.Size]byte {
	hash := sha256.New()
	hash.Write([]byte(topic)) // a topic has no zero byte
	hash.Write([]byte{0})
	hash.Write(payload)
	return [sha256.Size]byte(hash.Sum(nil))
}

func (p *publishers) add(topic string, payload []byte, user string) {
	key := publicationKey(topic, payload)
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, ok := p.names[key]; ok {
		if before != user {
			p.names[key] = twoSenders
		}
		return
	}
	if len(p.order) < publishersMax {
		p.order = append(p.order, key)
	} else {
		delete(p.names, p.order[p.next])
		p.order[p.next] = key
		p.next = (p.next + 1) % publishersMax
	}
	p.names[key] = user
}

func (p *publishers) find(topic string, payload []byte) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	user, ok := p.names[publicationKey(topic, payload)]
	if !ok || user == twoSenders {
		return "", false
	}
	return user, true
}

func isFilter(topic string) bool { return strings.ContainsAny(topic, "+#") }
