//go:build linux

package shtrih

import (
	"context"
	"os"
	"testing"
)

func TestPTY(t *testing.T) {
	t.Parallel()
	p := New(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	path := make(chan string, 1)
	done := make(chan error, 1)
	go func() { done <- p.ListenPTY(ctx, func(s string) { path <- s }) }()
	f, err := os.OpenFile(<-path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	talk(t, f, false)
	_ = f.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
