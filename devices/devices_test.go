package devices

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"kassad/devices/link"
)

// A USB printer that is plugged again gets another name; the dialer follows
// its serial number, and refuses a stranger under the old name.
func TestDialerFollowsUSB(t *testing.T) {
	t.Parallel()
	var ports []link.Port
	var opened []string
	d := &dialer{
		address: "serial:///dev/ttyACM0?baud=115200", log: slog.New(slog.DiscardHandler),
		hold:  func(_ Known, l link.Link) link.Link { return l },
		ports: func() ([]link.Port, error) { return ports, nil },
		open: func(_ context.Context, address string) (link.Link, error) {
			a, err := link.Parse(address)
			opened = append(opened, a.Name)
			c, _ := net.Pipe()
			return c, err
		},
	}
	steps := []struct {
		name  string
		ports []link.Port
		opens string // "" for a refusal
	}{
		{"first sight", []link.Port{{Name: "/dev/ttyACM0", Serial: "A"}}, "/dev/ttyACM0"},
		{"renamed", []link.Port{{Name: "/dev/ttyACM2", Serial: "A"}}, "/dev/ttyACM2"},
		{"renamed, a stranger in its place", []link.Port{{Name: "/dev/ttyACM0", Serial: "B"}, {Name: "/dev/ttyACM1", Serial: "A"}}, "/dev/ttyACM1"},
		{"away, a stranger in its place", []link.Port{{Name: "/dev/ttyACM0", Serial: "B"}}, ""},
		{"back", []link.Port{{Name: "/dev/ttyACM0", Serial: "A"}}, "/dev/ttyACM0"},
	}
	for _, s := range steps {
		ports, opened = s.ports, nil
		_, err := d.dial(t.Context())
		if s.opens == "" {
			if err == nil {
				t.Errorf("%s: opened %v, want a refusal", s.name, opened)
			}
			continue
		}
		if err != nil || len(opened) != 1 || opened[0] != s.opens {
			t.Errorf("%s: opened %v, %v; want %s", s.name, opened, err, s.opens)
		}
	}
}

func TestTraceFileTurns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "trace")
	f := &traceFile{path: path}
	chunk := make([]byte, traceMax/2+1)
	for range 3 {
		if _, err := f.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil || info.Size() > traceMax {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := Open(Settings{Kind: "abacus"}); err == nil {
		t.Error("an unknown kind opens")
	}
	if _, err := Open(Settings{Kind: KindShtrihM, Address: "ftp://x"}); !errors.Is(err, link.ErrAddress) {
		t.Errorf("a bad address: %v", err)
	}
}
