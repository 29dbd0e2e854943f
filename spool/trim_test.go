package spool_test

import (
	"strings"
	"testing"

	"kassad/spool"
)

// Only what may go goes, the oldest first, and only of the link that is full.
func TestTrimOutbox(t *testing.T) {
	t.Parallel()
	s, err := spool.Open(t.TempDir()+"/s.db", spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(func(tx *spool.Tx) error {
		for i := range 1000 {
			for _, link := range []string{"office", "shop"} {
				topic := "evt/receipt"
				if i%10 == 0 {
					topic = "res/till1/sale"
				}
				if err := tx.Send(spool.Message{Link: link, Topic: topic, Payload: []byte{byte(i >> 8), byte(i)}}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	event := func(m spool.Message) bool { return strings.HasPrefix(m.Topic, "evt/") }
	left := func(link string) (results, events, oldestEvent int) {
		oldestEvent = -1
		if err := s.View(func(tx *spool.Tx) error {
			all, err := tx.Outbox(link, 0, 5000)
			for _, m := range all {
				if !event(m) {
					results++
					continue
				}
				events++
				if oldestEvent < 0 {
					oldestEvent = int(m.Payload[0])<<8 | int(m.Payload[1])
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return results, events, oldestEvent
	}
	for _, test := range []struct{ keep, dropped, results, events, oldest int }{
		{1000, 0, 100, 900, 1}, {400, 600, 100, 300, 667}, {400, 0, 100, 300, 667}, {50, 300, 100, 0, -1}, // results stay
	} {
		dropped, err := s.TrimOutbox("office", test.keep, event)
		results, events, oldest := left("office")
		if err != nil || dropped != test.dropped || results != test.results || events != test.events || oldest != test.oldest {
			t.Errorf("keep %d: dropped %d, %v; left %d results, %d events from %d", test.keep, dropped, err, results, events, oldest)
		}
	}
	if results, events, _ := left("shop"); results != 100 || events != 900 {
		t.Errorf("the other link has %d results and %d events", results, events)
	}
	if dropped, err := s.TrimOutbox("nobody", 0, event); dropped != 0 || err != nil {
		t.Errorf("a link that never sent: %d, %v", dropped, err)
	}
	if faults, err := s.Check(); err != nil || len(faults) > 0 {
		t.Errorf("check: %v %v", faults, err)
	}
}
