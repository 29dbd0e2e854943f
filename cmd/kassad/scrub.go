package main

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// hiddenText stands where something was that nobody else should read.
const hiddenText = "***"

// secretBytesMin is the shortest text that is looked for everywhere: a shorter
// one would be found in numbers that are none of it.
const secretBytesMin = 5

// scrubber takes out of texts what support has no need of: known secrets, and
// what looks like a password's hash, a key, a phone or an e-mail.
type scrubber struct{ known []string }

func newScrubber(secrets []string) scrubber {
	var known []string
	for _, s := range secrets {
		if len(s) < secretBytesMin {
			continue
		}
		quoted, _ := json.Marshal(s) // a string can be written
		for _, form := range []string{s, string(quoted[1 : len(quoted)-1]), url.QueryEscape(s), url.PathEscape(s)} {
			if !slices.Contains(known, form) {
				known = append(known, form)
			}
		}
	}
	// The longest first: a part that is known, too, must not save the rest.
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	return scrubber{known}
}

// Forms of what is hidden wherever it stands. A phone has 11 digits, and no
// digit or letter beside them: numbers of FN, registers and printers are longer.
var (
	pemBlock  = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)`)
	bcryptRow = regexp.MustCompile(`\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{0,53}`)
	email     = regexp.MustCompile(`[\pL0-9._%+'-]+@[\pL0-9-]+(\.[\pL0-9-]+)+`)
	phone     = regexp.MustCompile(`(^|[^0-9A-Za-z.])(\+?[78][ (-]{0,2}[0-9]{3}[ )-]{0,2}[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{2})($|[^0-9A-Za-z])`)
	assigned  = regexp.MustCompile(`(?i)((?:pass(?:word|wd)?|secret|token|api_?key|authorization)["']?\s*[:=]\s*)("[^"]*"|'[^']*'|(?:bearer\s+|basic\s+)?[^\s,;}]+)`)
	cashiers  = regexp.MustCompile(`(?i)(cashier["']?\s*[:=]\s*)("[^"]*"|'[^']*')`) // of a cloud's section
	callback  = regexp.MustCompile(`(callback/[a-z]+/)[A-Za-z0-9_/-]+`)
)

func (s scrubber) clean(text string) string {
	for _, k := range s.known {
		text = strings.ReplaceAll(text, k, hiddenText)
	}
	text = pemBlock.ReplaceAllString(text, hiddenText)
	text = bcryptRow.ReplaceAllString(text, hiddenText)
	text = assigned.ReplaceAllString(text, "${1}"+hiddenText)
	text = cashiers.ReplaceAllString(text, "${1}"+hiddenText)
	text = callback.ReplaceAllString(text, "${1}"+hiddenText)
	text = email.ReplaceAllString(text, hiddenText)
	for range 2 { // two phones may share what stands between them
		text = phone.ReplaceAllString(text, "${1}"+hiddenText+"${3}")
	}
	return text
}

// personal are the members of a record that tell who bought, who sold, and what
// somebody wrote.
var personal = []string{"customer", "buyer", "cashier", "additional", "text", "phones", "acceptor", "transfer", "url", "note"}

// withoutPeople replaces what tells of people in what JSON was decoded to.
func withoutPeople(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if slices.Contains(personal, key) && !empty(member) {
				v[key] = hiddenText
				continue
			}
			v[key] = withoutPeople(member)
		}
	case []any:
		for i := range v {
			v[i] = withoutPeople(v[i])
		}
	}
	return v
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
