package spool

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"
)

func send(t *testing.T, s *Spool, link string, n int) {
	t.Helper()
	update(t, s, func(tx *Tx) error {
		for i := range n {
			m := Message{Link: link, Topic: fmt.Sprintf("res/%d", i), Payload: []byte("{}"), Retain: i%2 == 1}
			if err := tx.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
}

func outbox(t *testing.T, s *Spool, link string, after uint64, limit int) []Message {
	t.Helper()
	var out []Message
	view(t, s, func(tx *Tx) (err error) {
		out, err = tx.Outbox(link, after, limit)
		return err
	})
	return out
}

func TestOutboxByLink(t *testing.T) {
	t.Parallel()
	s := start(t)
	send(t, s, "local", 3)
	send(t, s, "office", 2)
	send(t, s, "local", 2)
	local := outbox(t, s, "local", 0, 100)
	if len(local) != 5 || local[1].Topic != "res/1" || !local[1].Retain || string(local[1].Payload) != "{}" {
		t.Fatalf("local %+v", local)
	}
	for i := 1; i < len(local); i++ {
		if local[i].ID <= local[i-1].ID {
			t.Errorf("id %d after %d", local[i].ID, local[i-1].ID)
		}
	}
	if rest := outbox(t, s, "local", local[2].ID, 1); len(rest) != 1 || rest[0].ID != local[3].ID {
		t.Errorf("after the third: %+v", rest)
	}
	if none := outbox(t, s, "nobody", 0, 100); none != nil {
		t.Errorf("nobody has %+v", none)
	}
	s.Sent(local[0].ID, local[4].ID)
	if left := outbox(t, s, "local", 0, 100); len(left) != 3 {
		t.Errorf("acknowledged entries are shown: %+v", left)
	}
	view(t, s, func(tx *Tx) error {
		if n, err := tx.OutboxCount(); n != 5 || err != nil {
			t.Errorf("count %d %v", n, err)
		}
		if links := tx.OutboxLinks(); len(links) != 2 {
			t.Errorf("links %v", links)
		}
		return nil
	})
}

// onDisk counts what is really there.
func onDisk(t *testing.T, s *Spool) (n int) {
	t.Helper()
	err := s.db.View(func(tx *bolt.Tx) error {
		n = tx.Bucket([]byte(bucketOutbox)).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSentRidesOnTheNextUpdate(t *testing.T) {
	t.Parallel()
	s := start(t)
	send(t, s, "local", 3)
	s.Sent(outbox(t, s, "local", 0, 1)[0].ID)
	before := commits(t, s)
	update(t, s, func(tx *Tx) error { return tx.PutMeta("x", 1) })
	if onDisk(t, s) != 2 || commits(t, s) != before+1 {
		t.Errorf("%d on disk after %d commits", onDisk(t, s), commits(t, s)-before)
	}
}

func TestSentIsFlushedWhenIdle(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	synctest.Test(t, func(t *testing.T) {
		s := reopen(t, path, Options{})
		send(t, s, "local", 3)
		s.Sent(outbox(t, s, "local", 0, 1)[0].ID)
		synctest.Wait()
		if n := onDisk(t, s); n != 3 {
			t.Errorf("%d on disk at once", n)
		}
		<-time.After(sentIdle + time.Millisecond)
		synctest.Wait()
		if n := onDisk(t, s); n != 2 {
			t.Errorf("%d on disk after a second", n)
		}
	})
}

func TestSentIsFlushedByClose(t *testing.T) {
	t.Parallel()
	s := start(t)
	send(t, s, "local", 2)
	s.Sent(outbox(t, s, "local", 0, 1)[0].ID)
	path := s.db.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, path, Options{})
	if n := onDisk(t, again); n != 1 {
		t.Errorf("%d on disk", n)
	}
}
