package ffd

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzText: a text that a code page takes comes back as it was sent, one byte a
// character; what it does not take is refused by the character. Bytes of a
// device always become text without control characters' harm to UTF-8.
func FuzzText(f *testing.F) {
	for _, s := range []string{"Ананас", "«Ромашка» — №1…", "a\x00b", "║", "\x7f", "ёЁ", " x ", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, page := range map[string]struct {
			encode func(string) ([]byte, error)
			decode func([]byte) string
		}{"CP866": {EncodeText, DecodeText}, "CP1251": {EncodeText1251, DecodeText1251}} {
			if !utf8.ValidString(page.decode([]byte(s))) {
				t.Errorf("%s: % X is no text", name, s)
			}
			b, err := page.encode(s)
			if err != nil {
				var bad *EncodingError
				if !errors.As(err, &bad) || bad.Page != name || !strings.ContainsRune(Plain(s), bad.Rune) {
					t.Errorf("%s: %q: %v", name, s, err)
				}
				continue
			}
			plain := Plain(s)
			if len(b) != utf8.RuneCountInString(plain) {
				t.Errorf("%s: %q has %d bytes", name, plain, len(b))
			}
			if got := page.decode(b); got != strings.TrimRight(plain, " ") {
				t.Errorf("%s: %q comes back as %q", name, plain, got)
			}
		}
		if Plain(Plain(s)) != Plain(s) {
			t.Errorf("%q is not plain", Plain(s))
		}
	})
}
