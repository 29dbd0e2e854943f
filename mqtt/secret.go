package mqtt

import (
	"fmt"
	"io"
	"log/slog"
)

const secretMask = "***"

// Secret is a password or key. It prints *** in every format, log, JSON and
// TOML; only Reveal gives the text away.
type Secret string

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// String returns the mask, or nothing if there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return secretMask
}

// Format covers the verbs that String does not: %x, %q and %#v would otherwise
// print the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue keeps the text out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the text out of JSON and TOML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text from a configuration.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}
