package enrol

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// SetKey gives a key of the first section of that header a value, in the line
// where the sample has it, commented or not. section is "" for the keys before
// the first header, else "[broker]" or "[[device]]".
func SetKey(text, section, key string, value any) (string, error) {
	assignment, err := toml.Marshal(map[string]any{key: value})
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	lines := strings.SplitAfter(text, "\n")
	begin := 0
	if section != "" {
		begin = slices.IndexFunc(lines, func(l string) bool { return strings.TrimSpace(l) == section }) + 1
		if begin == 0 {
			return "", fmt.Errorf("no section %s", section)
		}
	}
	place := regexp.MustCompile(`^(#|## )?` + regexp.QuoteMeta(key) + `\s*=`)
	for i := begin; i < len(lines) && !isHeader(lines[i]); i++ {
		if place.MatchString(lines[i]) {
			lines[i] = string(assignment)
			return strings.Join(lines, ""), nil
		}
	}
	return "", fmt.Errorf("no place for %s in %s", key, section)
}

func isHeader(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "[") }

// AddTerminal appends a section. The caller sees that there is none yet.
func AddTerminal(text, name string, rights []string) (string, error) {
	list, err := toml.Marshal(map[string]any{"rights": rights})
	if err != nil {
		return "", fmt.Errorf("rights: %w", err)
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + "\n[terminal." + name + "]\n" + string(list), nil
}

// RemoveTerminal takes a section out. What stands before the next header
// without a key of its own, comments and empty lines, belongs to that one.
func RemoveTerminal(text, name string) (rest string, was bool) {
	lines := strings.SplitAfter(text, "\n")
	begin := slices.IndexFunc(lines, func(l string) bool {
		header, _, _ := strings.Cut(l, "#")
		return strings.TrimSpace(header) == "[terminal."+name+"]"
	})
	if begin < 0 {
		return text, false
	}
	end := begin + 1
	for end < len(lines) && !isHeader(lines[end]) {
		end++
	}
	for end > begin+1 && (strings.TrimSpace(lines[end-1]) == "" || strings.HasPrefix(lines[end-1], "#")) {
		end--
	}
	if begin > 0 && strings.TrimSpace(lines[begin-1]) == "" {
		begin-- // the empty line that AddTerminal has put there
	}
	return strings.Join(slices.Delete(lines, begin, end), ""), true
}
