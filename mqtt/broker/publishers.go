package broker

import (
	"crypto/sha256"
	"log/slog"
	"strings"
	"sync"
	"time"
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

// denials tells of missing rights, a user at most once a second.
type denials struct {
	log  *slog.Logger
	tell func(Denied)

	mu   sync.Mutex
	last map[string]time.Time
}

const (
	denialEvery    = time.Second
	denialUsersMax = 1024
)

func newDenials(log *slog.Logger, tell func(Denied)) *denials {
	return &denials{log: log, tell: tell, last: make(map[string]time.Time)}
}

func (d *denials) add(denied Denied) {
	if d.fresh(denied.User+" "+denied.What, time.Now()) {
		d.log.Warn("broker denied", "user", denied.User, "client", denied.Client, "what", denied.What, "topic", denied.Topic)
	}
	if d.tell != nil {
		d.tell(denied)
	}
}

func (d *denials) fresh(key string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.last[key]) < denialEvery {
		return false
	}
	if len(d.last) >= denialUsersMax { // names are the stranger's choice
		clear(d.last)
	}
	d.last[key] = now
	return true
}
