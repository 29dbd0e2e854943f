package ffd

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// EncodingError names a character that the code page does not have.
type EncodingError struct {
	Rune rune
	Page string
}

func (e *EncodingError) Error() string {
	return fmt.Sprintf("character %q (U+%04X) is not in %s", e.Rune, e.Rune, e.Page)
}

// typographic are characters that CP866 lacks and that tills type all the
// same, with what the format reference (1.1) puts in their place.
var typographic = strings.NewReplacer(
	"«", `"`, "»", `"`, "“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'",
	"—", "-", "–", "-", "‑", "-", "…", "...", "₽", "руб.", "²", "2", "³", "3", "×", "x",
	"\u00a0", " ", "\u202f", " ",
)

// Plain replaces typographic characters that CP866 lacks. Lengths are measured
// after it.
func Plain(s string) string { return typographic.Replace(s) }

// EncodeText converts s to CP866 after Plain. Control characters and
// characters outside the page fail with *EncodingError.
func EncodeText(s string) ([]byte, error) { return encode(Plain(s), charmap.CodePage866, "CP866") }

// EncodeText1251 converts s to CP1251 after Plain, the page of print commands.
func EncodeText1251(s string) ([]byte, error) {
	return encode(Plain(s), charmap.Windows1251, "CP1251")
}

func encode(s string, page *charmap.Charmap, name string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		b, ok := page.EncodeRune(r)
		if !ok || r < ' ' || r == 0x7F {
			return nil, &EncodingError{Rune: r, Page: name}
		}
		out = append(out, b)
	}
	return out, nil
}

// DecodeText converts CP866 bytes to a string and drops padding on the right.
func DecodeText(b []byte) string { return decodeText(b, charmap.CodePage866) }

// DecodeText1251 converts CP1251 bytes up to the first zero to a string.
func DecodeText1251(b []byte) string { return decodeText(b, charmap.Windows1251) }

func decodeText(b []byte, page *charmap.Charmap) string {
	var s strings.Builder
	for _, c := range b {
		if c == 0 {
			break
		}
		s.WriteRune(page.DecodeByte(c))
	}
	return strings.TrimRight(s.String(), " ")
}
