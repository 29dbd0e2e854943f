package service

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// book is an event log.
type book struct {
	mu    sync.Mutex
	lines []string
}

func (b *book) Error(v ...any) error   { return b.write("ERROR " + fmt.Sprint(v...)) }
func (b *book) Warning(v ...any) error { return b.write("WARN " + fmt.Sprint(v...)) }

func (b *book) write(line string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	return nil
}

// The event log gets warnings and errors, without the stamp that it has itself.
func TestEventHandler(t *testing.T) {
	t.Parallel()
	var events book
	log := slog.New(slog.NewMultiHandler(slog.NewTextHandler(io.Discard, nil), EventHandler(&events)))
	log.Info("ready")
	log.Warn("alert", "code", "paper-out")
	log.With("device", "front").WithGroup("g").Error("store", "err", "no\nroom")
	if want := []string{`WARN msg=alert code=paper-out`, `ERROR msg=store device=front g.err="no\nroom"`}; !slices.Equal(events.lines, want) {
		t.Errorf("%q, want %q", events.lines, want)
	}
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 50 {
				log.With("device", "front").Warn("alert")
			}
		})
	}
	writers.Wait()
	if n := slices.IndexFunc(events.lines[2:], func(l string) bool { return l != "WARN msg=alert device=front" }); n >= 0 || len(events.lines) != 402 {
		t.Errorf("%d lines, %q", len(events.lines), events.lines[max(n, 0)])
	}
}

// A full file is put aside, and old ones go.
func TestLogFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "logs", "kassad.log")
	file := LogFile(path)
	line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
	for range logFileMB + 1 {
		if _, err := file.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "kassad*.log"))
	if err != nil || len(files) != 2 {
		t.Errorf("%q, %v", files, err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 1<<20 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}
