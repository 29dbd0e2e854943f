package bifit

import (
	"crypto/sha256"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// keyMax is the length of a key [C] (section 4.1).
const keyMax = 64

// register takes a receipt (section 14.4). It runs locked, so that two equal
// requests at once make one document.
func (s *Service) register(c *call) answer {
	owner, a := s.authorize(c)
	if owner == nil {
		return a
	}
	key, t := c.entry.Key, &s.cfg.Tolerate
	switch {
	case blank(key) && !t.NoKey:
		return badRequest("Idempotency-Key", "the header is required")
	case !blank(key) && !t.KeyForm && !keyForm(key):
		return badRequest("Idempotency-Key", "must be 1 to 64 of A-Za-z0-9_-")
	}
	if kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); kind != "application/json" && !t.ContentType {
		return badRequest("Content-Type", "send application/json")
	}
	r, wrong := readReceipt(c.body, &s.cfg)
	if wrong == nil {
		wrong = r.check(&s.cfg)
	}
	if wrong != nil {
		return badRequest(wrong.field, wrong.message)
	}
	hash := sha256.Sum256(c.body)
	if first := owner.keys[key]; first != nil && !blank(key) {
		return s.again(c, first, hash)
	}
	d := s.create(owner, key, r, c.now)
	d.body = hash
	c.entry.Document = d.id
	d.plan, c.entry.Faults = s.planOf(key)
	s.cfg.Log.Debug("document registered", "id", d.id, "key", key, "connector", owner.Name)
	s.settle(c.now)
	return accepted(d.id)
}

func accepted(id uint64) answer {
	return answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: strconv.AppendUint(nil, id, 10)}
}

func keyForm(key string) bool {
	return len(key) <= keyMax && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// again answers a known key.
func (s *Service) again(c *call, first *document, hash [sha256.Size]byte) answer {
	c.entry.Document = first.id
	a := accepted(first.id)
	if first.body == hash {
		return a
	}
	a.warning = fmt.Sprintf("key of document %d with another body", first.id)
	s.cfg.Log.Warn(a.warning, "key", first.key)
	if s.cfg.Rules.Conflict {
		a.status = http.StatusConflict
		a.json(map[string]any{
			"error": s.cfg.Table.Refusals.Token(int(RefusalConflict)), "message": "the key was used for another receipt", "id": first.id,
		})
	}
	return a
}

func (s *Service) create(owner *connector, key string, r *receipt, now time.Time) *document {
	d := &document{
		id: s.cfg.FirstID + uint64(len(s.st.documents)), key: key, receipt: r, owner: owner,
		created: now, changed: now, status: StatusNew, nextAt: now.Add(s.cfg.Delays.New),
	}
	if bit, ok := s.cfg.Table.TaxSystems.Value(r.taxSystem); ok {
		d.taxation = byte(bit)
	}
	s.st.documents = append(s.st.documents, d)
	owner.live = append(owner.live, d)
	if !blank(key) {
		owner.keys[key] = d
	}
	return d
}

// badRequest is 400 with the field that is wrong [C].
func badRequest(field, message string) answer {
	a := refuse(http.StatusBadRequest, RefusalBody, message)
	a.field = field
	return a
}
