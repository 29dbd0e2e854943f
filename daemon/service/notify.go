package service

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Notifier writes to the socket of systemd; nil where there is none, and then
// says nothing.
type Notifier struct {
	path     string
	watchdog time.Duration
}

// SystemdNotifier is the way to systemd, if it has started this process.
func SystemdNotifier(getenv func(string) string) *Notifier {
	n := &Notifier{path: getenv("NOTIFY_SOCKET")}
	if n.path == "" {
		return nil
	}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n // the watchdog is meant for another process
	}
	if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		n.watchdog = time.Duration(us) * time.Microsecond
	}
	return n
}

// Watchdog is how long systemd waits for WATCHDOG=1; 0: it does not.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// notifyTimeout keeps a full socket from holding us.
const notifyTimeout = time.Second

// Send tells systemd the assignments of sd_notify(3), such as READY=1.
func (n *Notifier) Send(assignments ...string) error {
	if n == nil {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.path, Net: "unixgram"}) // @ is the abstract name space
	if err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(notifyTimeout)); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	if _, err := c.Write([]byte(strings.Join(assignments, "\n"))); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	return nil
}
