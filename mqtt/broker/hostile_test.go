package broker_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"kassad/mqtt/mqtttest"
)

// Silent connections keep nobody out, and who is in stays in.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	till := s.login(t, "till1")
	till.SubscribeTo(t, s.topics.Results("till1"))
	for range 300 {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	daemon := s.login(t, "daemon")
	s.login(t, "till2")
	daemon.Send(t, s.topics.Result("till1", "sale"), "yours", false)
	if m := till.Next(t); string(m.Payload()) != "yours" {
		t.Errorf("got %s", m.Payload())
	}
	if !s.sawDenial("", "connection", "") {
		t.Error("nobody is told")
	}
}

// A name cannot take the places of others: its own sessions go, or it waits.
func TestSessionsOfAName(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	away := s.login(t, "till1", persistent("till-1"))
	away.SubscribeTo(t, s.topics.Results("till1"))
	away.Client.Disconnect(100)
	session := func(i int) func(*paho.ClientOptions) { return persistent(fmt.Sprint("foe-", i)) }
	for i := range 40 { // away at once: its own oldest goes each time
		c := s.login(t, "till2", session(i))
		c.Client.Disconnect(100)
	}
	for i := range 16 {
		s.login(t, "till2", session(100+i))
	}
	if _, err := mqtttest.Connect(t, s.url, mqtttest.Login("till2", "pw-till2"), session(200)); !errors.Is(err, packets.ErrorRefusedNotAuthorised) {
		t.Errorf("the seventeenth: %v", err)
	}
	s.login(t, "till2", session(100)) // its own once more
	daemon := s.login(t, "daemon")
	daemon.Send(t, s.topics.Result("till1", "sale"), "kept", false)
	back := s.login(t, "till1", persistent("till-1"))
	if m := back.Next(t); string(m.Payload()) != "kept" {
		t.Errorf("got %s", m.Payload())
	}
}

// A session has a bounded number of subscriptions, each of a bounded length.
func TestSubscriptionsOfASession(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	till := s.login(t, "till1")
	filter := func(i int) string { return fmt.Sprintf("%s/res/till1/verb-%d", s.topics.Root(), i) }
	for i := range 64 {
		if granted := till.SubscribeTo(t, filter(i)); granted != 1 {
			t.Fatalf("filter %d: %#x", i, granted)
		}
	}
	for what, f := range map[string]string{"one more": filter(64), "a long one": s.topics.Root() + "/res/till1/" + fmt.Sprintf("%0300d", 1)} {
		if granted := till.SubscribeTo(t, f); granted != 0x80 {
			t.Errorf("%s: %#x", what, granted)
		}
	}
	if granted := till.SubscribeTo(t, filter(5)); granted != 1 {
		t.Errorf("one that it has: %#x", granted)
	}
	daemon := s.login(t, "daemon")
	daemon.Send(t, filter(64), "no", false)
	daemon.Send(t, filter(63), "yes", false)
	select {
	case m := <-till.Messages:
		if string(m.Payload()) != "yes" {
			t.Errorf("got %s", m.Topic())
		}
	case <-time.After(patience):
		t.Error("nothing comes")
	}
}
