package daemon

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A daemon that hangs takes the question, and whoever asks is told.
func TestSilentDaemon(t *testing.T) {
	t.Parallel()
	cfg := Config{DataDir: t.TempDir()}
	if err := controlAlive(t.Context(), cfg, time.Minute); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no daemon: %v", err)
	}
	l, err := openControl(ControlPath(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := controlAlive(t.Context(), cfg, 50*time.Millisecond); !errors.Is(err, ErrSilent) {
		t.Errorf("a silent one: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := controlAlive(gone, cfg, time.Minute); errors.Is(err, ErrSilent) || !errors.Is(err, context.Canceled) {
		t.Errorf("who asks has gone: %v", err)
	}
}
