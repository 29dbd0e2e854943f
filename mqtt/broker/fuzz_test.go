package broker

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"kassad/mqtt"
)

// FuzzParseUsers: a users file is names that topics can carry, each once with a
// hash, or an error that shows no hash and no password.
func FuzzParseUsers(f *testing.F) {
	hash, err := bcrypt.GenerateFromPassword([]byte("x"), bcrypt.MinCost)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("# users\ntill1:" + string(hash) + "\n\ntill2:" + string(hash)))
	f.Add([]byte("till1:TOPSECRET\n"))
	f.Add([]byte("Till:" + string(hash)))
	f.Add([]byte("till1 TOPSECRETWORD\n"))
	f.Add([]byte("till1:" + string(hash) + "\r\ntill1:" + string(hash)))
	f.Add(bytes.Repeat([]byte("till"), 20_000))
	f.Fuzz(func(t *testing.T, text []byte) {
		hashes, err := parseUsers(bytes.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrUsersFile) || hashes != nil {
				t.Fatalf("%v with %d names", err, len(hashes))
			}
			for line := range strings.Lines(string(text)) {
				secret := strings.TrimLeft(strings.TrimSpace(line), "abcdefghijklmnopqrstuvwxyz0123456789-:")
				if len(secret) > 8 && strings.Contains(err.Error(), secret) {
					t.Fatalf("%v tells %q", err, secret)
				}
			}
			return
		}
		for name, hash := range hashes {
			if !mqtt.ValidName(name) || !bytes.Contains(text, []byte(name+":"+string(hash))) {
				t.Fatalf("%q has %q", name, hash)
			}
			if _, err := bcrypt.Cost(hash); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}

// FuzzRights: no filter lets a terminal read what is told to another one or
// asked by it, and nobody but the daemon reads callbacks; no topic lets anybody
// speak for somebody else.
func FuzzRights(f *testing.F) {
	topics, err := mqtt.NewTopics("local", "shop", "main")
	if err != nil {
		f.Fatal(err)
	}
	root := topics.Root()
	private := []string{
		topics.Command("till2", "sale"), topics.Command("till1", "sale"), topics.Result("till2", "sale"), topics.Last("till2"),
		topics.Request("resolve"), topics.Response("resolve"), topics.Callback("lifepay"), topics.Event("audit"),
		"kassad/v1/local/shop/other/res/till1/sale",
	}
	for _, filter := range append(private, root+"/#", "#", "+/#", root+"/res/till1/+", root+"/res/+/sale", "$share/g/"+root+"/#", root+"/node/#", root+"/last/till1") {
		f.Add(filter)
	}
	r := rights{topics}
	f.Fuzz(func(t *testing.T, filter string) {
		if r.maySubscribe(roleTerminal, "till1", filter) {
			for _, topic := range private {
				if matches(filter, topic) {
					t.Errorf("till1 may have %q, and with it %s", filter, topic)
				}
			}
		}
		for who, user := range map[role]string{roleManager: "ivanov", roleRelay: "relay"} {
			for _, topic := range []string{topics.Callback("lifepay"), topics.Command("till1", "sale")} {
				if r.maySubscribe(who, user, filter) && matches(filter, topic) && r.mayRead(who, user, topic) {
					t.Errorf("%s may have %q, and with it %s", user, filter, topic)
				}
			}
		}
		if r.mayPublish(roleTerminal, "till1", filter) && !strings.HasPrefix(filter, root+"/cmd/till1/") {
			t.Errorf("till1 may publish on %q", filter)
		}
		if r.mayPublish(roleManager, "ivanov", filter) && !strings.HasPrefix(filter, root+"/mgmt/req/") {
			t.Errorf("a manager may publish on %q", filter)
		}
	})
}

// matches is the rule of MQTT 3.1.1, 4.7: + is one level, # the rest.
func matches(filter, topic string) bool {
	want, have := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, w := range want {
		switch {
		case w == "#":
			return true
		case i >= len(have) || w != "+" && w != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}
