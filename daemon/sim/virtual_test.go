package sim

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"kassad/fiscal"
	"kassad/mqtt/mqtttest"
)

// virtualStart is when a shop in virtual time begins: a Sunday morning, with
// the law of 2026.
var virtualStart = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// virtually runs a shop in virtual time, on a network of its own. Minutes of
// waiting cost nothing, and only what happens takes time.
func virtually(t *testing.T, opt Options, story func(ctx context.Context, s *Shop)) {
	t.Helper()
	dir := memoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(virtualStart))
		opt.Dir, opt.Network = dir, NewNetwork()
		if opt.Log == nil {
			opt.Log = slog.New(slog.DiscardHandler)
		}
		ctx := t.Context()
		s, err := Open(ctx, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		story(ctx, s)
	})
}

// TestVirtualSale is a sale in a shop where nothing is real but the program.
func TestVirtualSale(t *testing.T) {
	t.Parallel()
	virtually(t, Options{Log: mqtttest.Log(t)}, func(ctx context.Context, s *Shop) {
		till, err := s.Till(ctx, "till1")
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []fiscal.Verb{fiscal.VerbShiftOpen, fiscal.VerbSale, fiscal.VerbShiftClose} {
			body := obj{}
			if verb == fiscal.VerbSale {
				body = saleOf(2)
			}
			if a, err := till.Call(ctx, verb, body); err != nil || a.State != fiscal.Done {
				t.Errorf("%s: %s, %v", verb, a.Raw, err)
			}
		}
		b, err := s.Books(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range b.Violations() {
			t.Error(v)
		}
	})
}

// memoryDir is a folder in memory where there is one: a flush costs nothing, and
// what is lost with the power is the business of the simulated disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "kassad-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
