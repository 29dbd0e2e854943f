package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
)

// logBuffer is a log that a test may read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// running is a kassad run inside the test.
type running struct {
	t       *testing.T
	config  string
	address string
	log     logBuffer
	status  chan int
	stop    context.CancelFunc
}

func startRun(t *testing.T) *running {
	t.Helper()
	r := newRunning(t)
	r.start()
	return r
}

// newRunning has a configuration and is not started.
func newRunning(t *testing.T) *running {
	t.Helper()
	dir := t.TempDir()
	r := &running{t: t, config: filepath.Join(dir, "kassad.toml"), address: filepath.Join(dir, "broker.addr"), status: make(chan int, 1)}
	text := fmt.Sprintf("data_dir = %q\n[broker]\nlisten = \"127.0.0.1:0\"\n[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = \"tcp://127.0.0.1:1\"\n", filepath.Join(dir, "data"))
	r.write(text)
	return r
}

func (r *running) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	r.stop = cancel
	go func() {
		r.status <- run(ctx, []string{"run", "--config", r.config, "--address-file", r.address}, strings.NewReader(""), &r.log, &r.log)
	}()
	r.ready()
}

func (r *running) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// ready waits for the next time that commands are taken.
func (r *running) ready() {
	r.t.Helper()
	if !appears(r.address, false) {
		r.t.Fatalf("not ready:\n%s", r.log.String())
	}
	if err := os.Remove(r.address); err != nil {
		r.t.Fatal(err)
	}
}

// restart asks for one. The daemon may take commands a moment before it takes
// questions.
func (r *running) restart(cfg daemon.Config) {
	r.t.Helper()
	tick := time.NewTicker(awaitTick)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(r.t.Context(), awaitTimeout)
	defer cancel()
	for {
		_, err := daemon.Control(ctx, cfg, "restart", "test", nil)
		if err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if !errors.Is(err, daemon.ErrNotRunning) || ctx.Err() != nil {
			r.t.Fatal(err)
		}
	}
	r.ready()
}

// TestRestart: a restart that the office asks for happens in the same process,
// with the new configuration if it is good and with the old one if it is not.
func TestRestart(t *testing.T) {
	t.Parallel()
	r := startRun(t)
	cfg, err := daemon.LoadConfig(r.config)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.write("store = \"arbat\"\n" + string(good))
	r.restart(cfg)
	r.write("storre = \"arbat\"\n")
	r.restart(cfg)
	r.stop()
	if status := <-r.status; status != exitOK {
		t.Errorf("exit status %d", status)
	}
	log := r.log.String()
	if got := strings.Count(log, "root=kassad/v1/local/arbat/main"); got != 2 || !strings.Contains(log, "configuration from before") {
		t.Errorf("ready %d times as arbat:\n%s", got, log)
	}
}
