package service

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The socket of systemd, by path and in the abstract name space.
func TestNotifier(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "kassad-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, path := range []string{filepath.Join(dir, "notify"), "@kassad-test-" + strconv.Itoa(os.Getpid())} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		environment := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())}
		n := SystemdNotifier(func(key string) string { return environment[key] })
		if n.Watchdog() != 30*time.Second {
			t.Errorf("watchdog of %s", n.Watchdog())
		}
		if err := n.Send("READY=1", "STATUS=касса готова"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 100)
		if k, err := l.Read(got); err != nil || string(got[:k]) != "READY=1\nSTATUS=касса готова" {
			t.Errorf("%q, %v", got[:k], err)
		}
		environment["WATCHDOG_PID"] = "1"
		if w := SystemdNotifier(func(key string) string { return environment[key] }).Watchdog(); w != 0 {
			t.Errorf("the watchdog of another process: %s", w)
		}
	}
	none := SystemdNotifier(func(string) string { return "" })
	if none != nil || none.Send("READY=1") != nil || none.Watchdog() != 0 {
		t.Error("without systemd somebody is told")
	}
	gone := SystemdNotifier(func(key string) string {
		return map[string]string{"NOTIFY_SOCKET": filepath.Join(dir, "gone")}[key]
	})
	if err := gone.Send("READY=1"); err == nil || !strings.HasPrefix(err.Error(), "systemd: ") {
		t.Errorf("a socket that is gone: %v", err)
	}
}
