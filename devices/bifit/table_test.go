package bifit

import (
	"slices"
	"strings"
	"testing"

	"kassad/fiscal"
)

func TestTokensHaveMarks(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range Tokens() {
		if seen[row.Key] {
			t.Errorf("%s is there twice", row.Key)
		}
		seen[row.Key] = true
		if !slices.Contains([]Mark{Documented, ThirdParty, Inferred, Placeholder}, row.Mark) {
			t.Errorf("%s has the mark %q", row.Key, row.Mark)
		}
		if err := checkToken(row.Key, row.Value); err != nil {
			t.Errorf("%s: %v", row.Key, err)
		}
	}
	Tokens()[0].Value = "changed"
	if Tokens()[0].Value == "changed" {
		t.Error("the table can be changed from outside")
	}
}

// TestTokensAreWordsOfTheContract: a row that no document can reach is a
// misspelling.
func TestTokensAreWordsOfTheContract(t *testing.T) {
	t.Parallel()
	words := fiscal.Vocabulary()
	words["type"] = words["kind"]
	for _, row := range Tokens() {
		group, word, _ := strings.Cut(row.Key, ".")
		if list, ok := words[group]; ok && !slices.Contains(list, word) {
			t.Errorf("%s: the contract has no such word", row.Key)
		}
	}
	for _, group := range []string{"type", "taxation", "method", "vat"} {
		for _, word := range words[group] {
			if !slices.ContainsFunc(Tokens(), func(row Token) bool { return row.Key == group+"."+word }) {
				t.Errorf("%s.%s has no row", group, word)
			}
		}
	}
}

func TestOwnTokens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key, value string
		good       bool
	}{
		"payment":           {"payment.card", "ELECTRONIC", true},
		"no such payment":   {"payment.card", "", true},
		"new error":         {"error.E-17", "fn-limit", true},
		"known error":       {"error.KKT_FAULT", "unknown", true},
		"several spellings": {"status.DONE", "DONE,READY", true},
		"path":              {"path.document", "/x/{id}", true},

		"unknown":           {"payment.cards", "CARD", false},
		"unknown group":     {"colour.red", "RED", false},
		"new status":        {"status.LOST", "LOST", false},
		"error, no code":    {"error.", "device", false},
		"error, no class":   {"error.X", "weather", false},
		"error, empty":      {"error.X", "", false},
		"status, empty":     {"status.DONE", "", false},
		"status, gap":       {"status.DONE", "DONE,", false},
		"status of two":     {"status.DONE", "DONE,ERROR", false},
		"path without id":   {"path.document", "/x", false},
		"path without root": {"path.reload", "x", false},
		"path, empty":       {"path.token", "", false},
		"field, empty":      {"answer.fn", "", false},
		"spaces":            {"payment.card", "CARD 2", false},
		"letters":           {"payment.card", "КАРТА", false},
	} {
		o := options()
		o.Tokens = map[string]string{c.key: c.value}
		if _, err := New(o); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Options)
		good   bool
	}{
		"as they are":       {func(*Options) {}, true},
		"defaults":          {func(o *Options) { *o = Options{ConnectorToken: connectorSecret} }, true},
		"no connector":      {func(o *Options) { o.ConnectorToken = "" }, false},
		"line in connector": {func(o *Options) { o.ConnectorToken = connectorSecret + "\n" }, false},
		"space in broker":   {func(o *Options) { o.BrokerToken = brokerSecret + " " }, false},
		"long cashier":      {func(o *Options) { o.Cashier = strings.Repeat("я", 65) }, false},
		"long place":        {func(o *Options) { o.Place = strings.Repeat("я", 257) }, false},
		"plain http":        {func(o *Options) { o.BaseURL = "http://fp.bifit.com" }, false},
		"no such file":      {func(o *Options) { o.CAFile = "nowhere.pem" }, false},
	} {
		o := options()
		c.change(&o)
		_, err := New(o)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), connectorSecret) || strings.Contains(err.Error(), brokerSecret)) {
			t.Errorf("%s: the error shows a secret", name)
		}
	}
}
