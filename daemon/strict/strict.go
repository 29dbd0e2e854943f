// Package strict reads TOML of people who make mistakes: an unknown key is an
// error that shows its line, and no error shows a secret.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Decode reads text over what v holds.
func Decode(text []byte, v any) error {
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(v)
	var unknown *toml.StrictMissingError
	var at *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("unknown key:\n%s", mask(unknown.String()))
	case errors.As(err, &at):
		return fmt.Errorf("%w:\n%s", err, mask(at.String()))
	}
	return err
}

var secret = regexp.MustCompile(`(?i)(\w*(?:key|token|password|secret)\w*)(["'\]]?\s*=\s*).*`)

// mask hides the values of what looks like a secret in lines that an error
// quotes: some write a key where the name of its file belongs.
func mask(quoted string) string {
	return secret.ReplaceAllStringFunc(quoted, func(line string) string {
		m := secret.FindStringSubmatch(line)
		if strings.HasSuffix(m[1], "_file") {
			return line
		}
		return m[1] + m[2] + "… (secrets stand in files: " + m[1] + "_file)"
	})
}
