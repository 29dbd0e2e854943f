package enrol

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	text := SetUser(UsersHeader+"# till9: was here\nrelay:$2a$10$r", "till1", "$2a$10$a")
	text = SetUser(text, "till2", "$2a$10$b")
	text = SetUser(text, "till1", "$2a$10$c")
	if got := Users(text); !slices.Equal(got, []string{"relay", "till2", "till1"}) {
		t.Errorf("%v in\n%s", got, text)
	}
	if strings.Contains(text, "$2a$10$a") || !strings.Contains(text, "till1:$2a$10$c\n") {
		t.Errorf("the old hash stays:\n%s", text)
	}
	rest, was := RemoveUser(text, "till1")
	if !was || slices.Contains(Users(rest), "till1") || !strings.Contains(rest, "# till9: was here") {
		t.Errorf("%v\n%s", was, rest)
	}
	if again, was := RemoveUser(rest, "till1"); was || again != rest {
		t.Error("removed twice")
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^([a-hj-km-np-z2-9]{5}-){3}[a-hj-km-np-z2-9]{5}$`)
	seen := map[string]bool{}
	for range 100 {
		p, err := Password()
		if err != nil || !form.MatchString(p) || seen[p] {
			t.Fatal(p, err)
		}
		seen[p] = true
	}
}

const shop = `# top
#org = "local"

[broker]
#listen = "127.0.0.1:1883"
## users_file = "/etc/kassad/users"

[[device]]
name = "front"
## serial = "1"
`

func TestSetKey(t *testing.T) {
	t.Parallel()
	text := shop
	for _, k := range []struct{ section, key, value string }{
		{"", "org", "romashka"}, {"[broker]", "users_file", `C:\ProgramData\kassad\users`}, {"[[device]]", "serial", `"7`}, {"[[device]]", "name", "back"},
	} {
		next, err := SetKey(text, k.section, k.key, k.value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(next, "\n") != strings.Count(text, "\n") {
			t.Errorf("%s moved lines:\n%s", k.key, next)
		}
		text = next
	}
	var got struct {
		Org    string
		Broker map[string]string
		Device []map[string]string
	}
	if err := toml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if got.Org != "romashka" || got.Broker["users_file"] != `C:\ProgramData\kassad\users` || got.Device[0]["serial"] != `"7` || got.Device[0]["name"] != "back" {
		t.Errorf("%+v", got)
	}
	for _, k := range [][2]string{{"[broker]", "org"}, {"", "listen"}, {"[lifepay]", "login"}} {
		if _, err := SetKey(text, k[0], k[1], "x"); err == nil {
			t.Errorf("%s has a place in %q", k[1], k[0])
		}
	}
}

// What was added is removed without a trace, whatever stands around it.
func TestTerminals(t *testing.T) {
	t.Parallel()
	one, err := AddTerminal(shop, "till1", []string{"sale", "refund"})
	if err != nil {
		t.Fatal(err)
	}
	two, err := AddTerminal(one, "till2", []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Terminal map[string]struct{ Rights []string }
	}
	if err := toml.Unmarshal([]byte(two), &got); err != nil || len(got.Terminal) != 2 || !slices.Equal(got.Terminal["till1"].Rights, []string{"sale", "refund"}) {
		t.Errorf("%v %+v", err, got)
	}
	if rest, was := RemoveTerminal(two, "till2"); !was || rest != one {
		t.Errorf("%v\n%s", was, rest)
	}
	only, _ := AddTerminal(shop, "till2", []string{"*"})
	if rest, was := RemoveTerminal(two, "till1"); !was || rest != only {
		t.Errorf("%v\n%s\nwant\n%s", was, rest, only)
	}
	if rest, was := RemoveTerminal(shop, "till1"); was || rest != shop {
		t.Error("removed what was not there")
	}
	// The comment of the next section is not this one's.
	byHand := "[terminal.a] # front\nrights = [\n  \"sale\",\n]\n\n# The office.\n[manager.b]\nops = [\"*\"]\n"
	if rest, was := RemoveTerminal(byHand, "a"); !was || rest != "\n# The office.\n[manager.b]\nops = [\"*\"]\n" {
		t.Errorf("%v %q", was, rest)
	}
}

func TestCard(t *testing.T) {
	t.Parallel()
	c := Card{V: CardVersion, URL: "ssl://10.0.0.1:8883", Root: "kassad/v1/a/b/c", Name: "till1", Password: "p", CAFile: "ca.crt", CASHA256: "00"}
	text, err := c.QR()
	if err != nil || strings.Contains(text, "ca.crt") || !strings.Contains(text, `"password":"p"`) {
		t.Errorf("%v %s", err, text)
	}
}
