package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/google/uuid"

	"kassad/fiscal"
	"kassad/spool"
)

// identity is who this node is: made at the first start, bound to the machine,
// so that a copied disk is another node and is seen as one (design 5.10).
type identity struct {
	Instance string `json:"instance"`
	Machine  string `json:"machine"` // hash of the machine's own id; "" where it has none
	Epoch    uint64 `json:"epoch"`   // starts of this store
	boot     string
	counted  bool // this start is in the store; a full disk has no room for it
}

const metaIdentity = "identity"

// establish reads the identity, or makes one, and counts the start. The first of
// a journal is noted: a folder that was emptied looks like a first installation.
func establish(s *spool.Spool, start time.Time) (identity, error) {
	var id identity
	err := s.Update(func(tx *spool.Tx) error {
		id = identity{}
		if _, err := tx.Meta(metaIdentity, &id); err != nil {
			return err
		}
		machine := machineHash()
		if id.Instance == "" || id.Machine != machine {
			id.Instance, id.Machine = uuid.NewString(), machine
		}
		if id.Epoch++; id.Epoch == 1 {
			if err := tx.PutMeta(metaBegun, start.Truncate(time.Second)); err != nil { // tills tell whole seconds
				return err
			}
		}
		return tx.PutMeta(metaIdentity, id)
	})
	id.boot, id.counted = uuid.NewString(), err == nil
	if spool.NoRoom(err) { // no reason to stay down: it reads, and refuses
		id.Epoch--
		return id, nil
	}
	return id, err
}

func machineHash() string {
	raw := machineID()
	if raw == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("kassad machine " + raw))
	return hex.EncodeToString(sum[:8])
}

// rivals are other instances that are online under our node. While there is
// one, no document is begun: two daemons under one name would answer the same
// ids twice.
type rivals struct {
	mu     sync.Mutex
	own    string
	seen   map[string]string // instance or link → how it was seen
	judged map[string]bool   // those against which a person has decided: this node is the one
	alerts *alertBook
}

func newRivals(own string, alerts *alertBook) *rivals {
	return &rivals{own: own, seen: map[string]string{}, judged: map[string]bool{}, alerts: alerts}
}

// observe takes a node/state message found under our own root.
func (r *rivals) observe(instance string, online bool, link string) {
	if instance == "" || instance == r.own {
		return
	}
	r.mu.Lock()
	if !online {
		delete(r.seen, instance)
	} else if !r.judged[instance] {
		r.seen[instance] = link
	}
	r.mu.Unlock()
	r.settle()
}

// takenOver notes that somebody else connects with our client id.
func (r *rivals) takenOver(link string) {
	r.mu.Lock()
	if who := "client-id on " + link; !r.judged[who] {
		r.seen[who] = link
	}
	r.mu.Unlock()
	r.settle()
}

// choose is a person's word that this node is the right one. It holds against
// those that were seen; another one asks again.
func (r *rivals) choose() {
	r.mu.Lock()
	for who := range r.seen {
		r.judged[who] = true
	}
	clear(r.seen)
	r.mu.Unlock()
	r.settle()
}

func (r *rivals) settle() {
	r.mu.Lock()
	var who string
	for instance, link := range r.seen {
		who = instance + " on " + link
	}
	r.mu.Unlock()
	if who == "" {
		r.alerts.clear("", fiscal.CodeDuplicate)
	} else {
		r.alerts.raise("", fiscal.CodeDuplicate, who)
	}
}

// paused tells whether documents may not begin.
func (r *rivals) paused() (fiscal.Code, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fiscal.CodeDuplicate, len(r.seen) > 0
}
