package daemon

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
)

// A full disk, and the reserve is used up: a cancel has its answer, which says so,
// and is acknowledged. It would stay with the broker until the next connection, and
// some of its kind would fill what may be in flight.
func TestCancelOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := startCloudShop(t, nil, nil)
	s.sell(t, "seen")
	answer := func(id, of string) mqtt.Answer {
		t.Helper()
		return s.ask(t, "cancel", id, fmt.Sprintf(`{"v":1,"id":%q,"body":{"id":%q}}`, id, of))
	}
	s.disk.SetFull(true)
	fill(t, s.spool)
	if a := answer("c1", "unseen"); a.State != fiscal.Rejected || a.Error == nil || a.Error.Code != fiscal.CodeDiskFull {
		t.Errorf("one that was never seen: %+v", a)
	}
	if a := answer("c2", "seen"); a.State != fiscal.Rejected || a.Error == nil || a.Error.Code != fiscal.CodeNotBegunOnly {
		t.Errorf("one that is begun: %+v", a)
	}
	s.disk.SetFull(false)
	if a := answer("c3", "unseen"); a.State != fiscal.Done {
		t.Errorf("with room again: %+v", a)
	}
}

// A command that comes again by another link has its answer on a full disk, too, though
// it cannot be noted that answers go there.
func TestRepeatOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := startCloudShop(t, nil, nil)
	payload := fmt.Sprintf(`{"v":1,"id":"a","at":%q,"body":{"items":[{"name":"Ананас","price":110,"quantity":1,"vat":"none"}],"payments":{"card":"#"}}}`,
		time.Now().Format(time.RFC3339))
	c, refusal := mqtt.DecodeCommand("sale", []byte(payload))
	if refusal != nil {
		t.Fatal(refusal)
	}
	r := soldAt(s.journal, time.Now())
	r.Hash, r.Device, r.Links = c.Hash, "elsewhere", []string{"another"}
	if _, _, err := s.journal.accept(r); err != nil {
		t.Fatal(err)
	}
	s.disk.SetFull(true)
	fill(t, s.spool)
	if a := s.ask(t, "sale", "a", payload); !a.Dup || a.State != fiscal.Accepted {
		t.Errorf("%+v", a)
	}
	s.disk.SetFull(false)
	s.ask(t, "sale", "a", payload)
	if r, _, err := s.journal.byID("a"); err != nil || len(r.Links) != 2 {
		t.Errorf("with room again: %v, %v", r.Links, err)
	}
}

// ask sends a message of the till, and waits for the answer to its id.
func (s *cloudShop) ask(t *testing.T, verb, id, payload string) (a mqtt.Answer) {
	t.Helper()
	if err := s.till.Send(t.Context(), verb, []byte(payload)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(patience); ; {
		select {
		case r := <-s.answers:
			if r.ID != id {
				continue
			}
			if err := json.Unmarshal(r.Payload, &a); err != nil {
				t.Fatal(err)
			}
			return a
		case <-deadline:
			t.Fatalf("%s is not answered", id)
		}
	}
}
