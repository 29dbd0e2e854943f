package strict

import (
	"regexp"
	"strings"
)

// wrongType is how the parser tells a value of another type, in words of Go.
var wrongType = regexp.MustCompile(`cannot decode TOML ([\w ]+?) into (?:struct field \S+ of type )?(\S+)`)

// wanted names what belongs there instead, by the beginning of the type's name.
var wanted = []struct{ kind, words string }{
	{"string", `a text in quotes`},
	{"bool", "true or false"},
	{"int", "a whole number"},
	{"uint", "a whole number, 0 or more"},
	{"[]string", `a list of texts: ["a", "b"]`},
	{"[]", "a list"},
	{"map", "a table"},
}

// plain says what the parser says in words that need no knowledge of Go.
func plain(message string) string {
	message = wrongType.ReplaceAllStringFunc(message, func(found string) string {
		m := wrongType.FindStringSubmatch(found)
		belongs := "another kind of value"
		for _, w := range wanted {
			if strings.HasPrefix(m[2], w.kind) {
				belongs = w.words
				break
			}
		}
		return "here belongs " + belongs + ", not " + m[1]
	})
	if strings.Contains(message, "escape") {
		message += "\n" + `in double quotes \ begins an escape: write C:/kassad, or 'C:\kassad' in single quotes`
	}
	return message
}
