package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

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

// establish reads the identity, or makes one, and counts the start.
func establish(s *spool.Spool) (identity, error) {
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
		id.Epoch++
		return tx.PutMeta(metaIdentity, id)
	})
	id.boot, id.counted = uuid.NewString(), err == nil
	if spool.NoRoom(err) { // no reason to stay down: it reads, and refuses
		id.Epoch--
		return id, nil
	}
	return id, err
}

// epochFile holds the number of the last start beside the journal: a journal
// that has counted fewer was restored from an older copy, removed or set aside.
const epochFile = "epoch"

// noteLoss tells of a journal that was damaged, and marks one that may have
// forgotten something: one whose copies were damaged too, or that has counted
// fewer starts than the file beside it. The mark is made before the file is
// written, so that a death between loses no mark.
func (d *Daemon) noteLoss(r spool.Recovery) error {
	path := filepath.Join(d.cfg.DataDir, epochFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	last, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64) // unreadable: nothing is claimed
	why, lost := "", r.Lost
	if r.Why != "" {
		why = fmt.Sprintf("%s; it was made again from %s", r.Why, r.From)
		if r.Aside != "" {
			why += "; the damaged journal was set aside as " + r.Aside
		}
	}
	if last > d.id.Epoch || last == d.id.Epoch && d.id.counted {
		lost, why = true, "the journal is older than the last start: it was restored from a copy, or removed"
	}
	if lost {
		if err := d.journal.rebuilt(d.started); err != nil {
			return err
		}
	}
	if why != "" {
		d.alerts.raise("", fiscal.CodeStoreRecovered, why)
		d.log.Warn("the journal was damaged", "why", why, "lost", lost, "frames", r.Replayed)
	}
	next := path + ".new"
	if err := os.WriteFile(next, fmt.Appendln(nil, d.id.Epoch), 0o600); spool.NoRoom(err) {
		return nil // an older number claims less
	} else if err != nil {
		return err
	}
	return os.Rename(next, path)
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
