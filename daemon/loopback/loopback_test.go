package loopback_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kassad/daemon/loopback"
)

// Who has read the file is heard; who has not, or has an old one, is not.
func TestDoor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := loopback.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	address, token, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 || len(token) < 26 {
		t.Errorf("%v %v, token of %d", info.Mode(), err, len(token))
	}

	good, err := loopback.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := served(t, l, good); err != nil || got != "hello" {
		t.Errorf("%q %v", got, err)
	}
	stranger, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stranger, strings.Repeat("A", len(token))); err != nil {
		t.Fatal(err)
	}
	if got, err := served(t, l, stranger); !errors.Is(err, loopback.ErrToken) {
		t.Errorf("without the token: %q %v", got, err)
	}
}

// served is what the process reads of a connection.
func served(t *testing.T, l net.Listener, c net.Conn) (string, error) {
	t.Helper()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(in)
	return string(b), err
}

// A process that has ended, cleanly or not, is not running; that is an error of
// the dial.
func TestNobody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := loopback.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
	for _, text := range []string{"", string(left), "garbage", "192.0.2.1:1 ABCDEFGHIJKLMNOPQRSTUVWXYZ", "127.0.0.1:1 short"} {
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var dial *net.OpError
		if _, err := loopback.Dial(t.Context(), path); !errors.As(err, &dial) || dial.Op != "dial" {
			t.Errorf("%q: %v", text, err)
		}
	}
}
