package shtrih

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

// Frames of section 6.1 and the worked example of 1.1.
func TestFrameVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, message, frame string }{
		{"FC", "FC", "02 01 FC FD"},
		{"10", "10 1E 00 00 00", "02 05 10 1E 00 00 00 0B"},
		{"11", "11 1E 00 00 00", "02 05 11 1E 00 00 00 0A"},
		{"88", "88 1E 00 00 00", "02 05 88 1E 00 00 00 93"},
		{"88 answer", "88 00 1E", "02 03 88 00 1E 95"},
		{"B0", "B0 1E 00 00 00", "02 05 B0 1E 00 00 00 AB"},
		{"E0", "E0 1E 00 00 00", "02 05 E0 1E 00 00 00 FB"},
		{"41", "41 1E 00 00 00", "02 05 41 1E 00 00 00 5A"},
		{"error", "10 4F", "02 02 10 4F 5D"},
		{"FF45 error", "FF 45 58", "02 03 FF 45 58 E1"},
		{"FF40 answer", "FF 40 00 01 07 00 01 00", "02 08 FF 40 00 01 07 00 01 00 B0"},
		{"10 answer", "10 00 1E 92 02 02 00 00 9F E5 18 01 00 92 08 00", "02 10 10 00 1E 92 02 02 00 00 9F E5 18 01 00 92 08 00 75"},
	} {
		message, frame := unhex(t, c.message), unhex(t, c.frame)
		if got := appendFrame(nil, message); !bytes.Equal(got, frame) {
			t.Errorf("%s: encoded % X, want % X", c.name, got, frame)
		}
		got, n, v := decodeFrame(append(slices.Clone(frame), 0xFF))
		if v != goodFrame || n != len(frame) || !bytes.Equal(got, message) {
			t.Errorf("%s: decoded % X, %d, %d", c.name, got, n, v)
		}
		for i := range frame {
			if _, _, v := decodeFrame(frame[:i]); v != needMore {
				t.Errorf("%s: %d bytes: verdict %d", c.name, i, v)
			}
		}
		for i := 2; i < len(frame); i++ {
			bad := slices.Clone(frame)
			bad[i] ^= 0x40
			if _, _, v := decodeFrame(bad); v != badFrame {
				t.Errorf("%s: byte %d flipped: verdict %d", c.name, i, v)
			}
		}
	}
}

func TestFrameRefuses(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{{0x05}, {0x02, 0x00}, {0xFF, 0x02, 0x01}} {
		if _, _, v := decodeFrame(b); v != badFrame {
			t.Errorf("% X: verdict %d", b, v)
		}
	}
	for _, m := range [][]byte{nil, make([]byte, 256)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("message of %d bytes framed", len(m))
				}
			}()
			appendFrame(nil, m)
		}()
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(unhex(f, "02 01 FC FD"))
	f.Add(unhex(f, "02 05 10 1E 00 00 00 0B"))
	f.Add([]byte{0x02, 0x00, 0x00})
	f.Add([]byte{0x15})
	f.Fuzz(func(t *testing.T, b []byte) {
		message, n, v := decodeFrame(b)
		switch v {
		case goodFrame:
			if n > len(b) || !bytes.Equal(appendFrame(nil, message), b[:n]) {
				t.Errorf("% X: re-encodes to % X", b, appendFrame(nil, message))
			}
		case needMore:
			if len(b) >= messageBytesMax+frameExtraBytes {
				t.Errorf("%d bytes are not enough", len(b))
			}
		case badFrame:
		default:
			t.Errorf("verdict %d", v)
		}
	})
}
