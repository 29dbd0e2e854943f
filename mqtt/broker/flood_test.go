package broker_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"kassad/mqtt/mqtttest"
)

// Several connections of a name share what it may send: the burst passes, and
// then all of them together are as slow as one. Another name is not.
func TestConnectionsOfANameShareItsBudget(t *testing.T) {
	t.Parallel()
	s := startShop(t)
	var tills []paho.Client
	for range 4 {
		tills = append(tills, s.login(t, "till2").Client)
	}
	const messages = 256 + 400 // the burst and two seconds
	begun := time.Now()
	var tokens []paho.Token
	for i := range messages {
		tokens = append(tokens, tills[i%len(tills)].Publish(s.topics.Command("till2", "hello"), 1, false, "x"))
	}
	honest := s.login(t, "till1")
	honest.Send(t, s.topics.Command("till1", "hello"), "x", false)
	waiting := func(token paho.Token) bool {
		select {
		case <-token.Done():
			return false
		default:
			return true
		}
	}
	if !slices.ContainsFunc(tokens, waiting) { // the order tells, not the clock: the machine may stand still
		t.Error("another name waits until all of the first are through")
	}
	for _, token := range tokens {
		if !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	if took := time.Since(begun); took < 1500*time.Millisecond {
		t.Errorf("%d messages in %v", messages, took)
	}
}

// What is sent while the daemon is away fills some megabytes, not the computer;
// small commands still find room, and when the daemon has been here large ones do.
func TestLargeMessagesKeptForTheDaemon(t *testing.T) {
	t.Parallel()
	b := mqtttest.StartBroker(t)
	topics := mqtttest.Topics(t)
	user, secret := b.Credential()
	login := func() *mqtttest.Client {
		return mqtttest.MustConnect(t, b.LocalURL(), mqtttest.Login(user, secret.Reveal()), persistent("kassad"))
	}
	away := login()
	away.SubscribeTo(t, topics.Commands())
	away.Client.Disconnect(100)
	const size, room = 500_000, (32 << 20) / 500_000
	till := mqtttest.MustConnect(t, b.LocalURL())
	for _, small := range []string{"small", "another"} {
		for range 100 {
			till.Send(t, topics.Command("till1", "sale"), strings.Repeat("x", size), false)
		}
		till.Send(t, topics.Command("till1", "sale"), small, false)
		till.SubscribeTo(t, "nothing") // the library acknowledges before it hands on
		large, back := 0, login()
		for {
			got := string(back.Next(t).Payload())
			if got == small {
				break
			}
			if len(got) == size {
				large++
			}
		}
		if large != room {
			t.Errorf("%d large ones were kept, want %d", large, room)
		}
		back.Client.Disconnect(1000)
	}
}
