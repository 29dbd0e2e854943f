// Package strict reads TOML of people who make mistakes: an unknown key is an
// error that shows its line, and no error shows a secret.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Decode reads text over what v holds.
func Decode(text []byte, v any) error {
	text = WithoutMark(text)
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(v)
	var unknown *toml.StrictMissingError
	var at *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("unknown key:\n%s", mask(text, unknown.String()))
	case errors.As(err, &at):
		return fmt.Errorf("\n%s", plain(mask(text, at.String())))
	}
	return err
}

// WithoutMark takes away the mark of UTF-8 that old editors of Windows put before
// a text, and that nobody sees.
func WithoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }

var (
	secret = regexp.MustCompile(`(?i)\w*(?:key|token|password|secret)\w*`)
	equals = regexp.MustCompile(`^[\s"'\]]*=\s*`)
	// closed is a value that ends on its line.
	closed = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)+"|'[^']+'|""|''|[\w.+-]+)\s*[,}]?\s*(?:#.*)?$`)
	quoted = regexp.MustCompile(`^\s*(\d+)\| `)
)

const masked = "… (secrets stand in files"

// mask hides what stands behind the name of a secret in the lines of text that
// an error quotes: some write a key where the name of its file belongs. Where
// such a value may go on over its line, nothing below it is quoted.
func mask(text []byte, excerpt string) string {
	last := lastShown(text)
	lines := strings.SplitAfter(excerpt, "\n")
	for i, line := range lines {
		m := quoted.FindStringSubmatch(line)
		if m == nil {
			continue // what is wrong, in the parser's words
		}
		if n, err := strconv.Atoi(m[1]); err != nil || n > last {
			lines[i] = m[0] + masked + ")\n"
			continue
		}
		if name, before, after := cutSecret(line); name != "" {
			lines[i] = before + name + equals.FindString(after) + masked + ": " + name + "_file)\n"
		}
	}
	return strings.Join(lines, "")
}

// cutSecret finds the first name of a secret in a line. The name of a file is
// none.
func cutSecret(line string) (name, before, after string) {
	for _, at := range secret.FindAllStringIndex(line, -1) {
		name := line[at[0]:at[1]]
		if !strings.HasSuffix(strings.ToLower(name), "_file") && equals.MatchString(line[at[1]:]) {
			return name, line[:at[0]], line[at[1]:]
		}
	}
	return "", line, ""
}

// lastShown is the number of the first line of text with a secret that may go
// on below it, or of the last line.
func lastShown(text []byte) int {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		name, _, after := cutSecret(strings.TrimRight(line, "\r\n"))
		if name == "" || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if !closed.MatchString(after[len(equals.FindString(after)):]) {
			return n
		}
	}
	return n
}
