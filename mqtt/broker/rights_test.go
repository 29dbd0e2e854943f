package broker

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"kassad/mqtt"
)

// TestRightsTable holds the table of docs/mqtt.md against the code, and the
// table against the topics of the same page: each place, each role, both ways.
func TestRightsTable(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/mqtt.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	rights := rights{mustTopics(t)}
	root := rights.topics.Root()
	concrete := strings.NewReplacer("{terminal}", "till1", "{other}", "till2", "{verb}", "sale", "{code}", "paper-out", "{name}", "front", "{class}", "receipt", "{op}", "status")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` *\\| (-|[a-z, ]+?) *\\| (-|[a-z, ]+?) *\\| (-|[a-z, ]+?) *\\|$").FindAllStringSubmatch(section(t, page, "Who may what"), -1)
	seen := map[string]bool{}
	for _, row := range rows {
		place := row[1]
		seen[place] = true
		topic := root + "/" + concrete.Replace(place)
		if _, err := rights.topics.Parse(topic); err != nil {
			t.Errorf("%s: %v", place, err)
		}
		for i, who := range []struct {
			role role
			user string
		}{{roleTerminal, "till1"}, {roleManager, "ivanov"}, {roleRelay, "relay"}} {
			says := row[2+i]
			if got := rights.mayPublish(who.role, who.user, topic); got != strings.Contains(says, "publish") {
				t.Errorf("%s publishes %s: %v, the page says %q", who.user, place, got, says)
			}
			if got := rights.mayRead(who.role, who.user, topic); got != strings.Contains(says, "read") {
				t.Errorf("%s reads %s: %v, the page says %q", who.user, place, got, says)
			}
			if rights.maySubscribe(who.role, who.user, "$share/g/"+topic) {
				t.Errorf("%s shares %s", who.user, place)
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(section(t, page, "Transport and topics"), -1) {
		for _, place := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[1], -1) {
			if !seen[place[1]] {
				t.Errorf("%s is a topic, and nobody says who may what there", place[1])
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d places", len(seen))
	}
}

func section(t *testing.T, page, title string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n## "+title+"\n")
	if !ok {
		t.Fatalf("no section %q", title)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

func mustTopics(t *testing.T) mqtt.Topics {
	t.Helper()
	topics, err := mqtt.NewTopics("local", "shop", "main")
	if err != nil {
		t.Fatal(err)
	}
	return topics
}
