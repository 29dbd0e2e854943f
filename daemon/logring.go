package daemon

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// logLines is how many lines the operation "logs" can tell.
const logLines = 1000

// logRing keeps the last lines of the log for those who are not at the
// computer.
type logRing struct {
	mu    sync.Mutex
	lines []string
	next  int
}

// Write takes whole lines, as slog's text handler writes them.
func (r *logRing) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(string(bytes.TrimRight(p, "\n"))) {
		line = strings.TrimRight(line, "\n")
		if len(r.lines) < logLines {
			r.lines = append(r.lines, line)
			continue
		}
		r.lines[r.next] = line
		r.next = (r.next + 1) % logLines
	}
	return len(p), nil
}

// last returns up to n lines, oldest first.
func (r *logRing) last(n int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(append([]string{}, r.lines[r.next:]...), r.lines[:r.next]...)
	return all[max(0, len(all)-n):]
}

// tee writes each log record to two handlers.
type tee struct{ a, b slog.Handler }

func (t tee) Enabled(ctx context.Context, l slog.Level) bool {
	return t.a.Enabled(ctx, l) || t.b.Enabled(ctx, l)
}

func (t tee) Handle(ctx context.Context, r slog.Record) error {
	if t.a.Enabled(ctx, r.Level) {
		if err := t.a.Handle(ctx, r.Clone()); err != nil {
			return err
		}
	}
	if t.b.Enabled(ctx, r.Level) {
		return t.b.Handle(ctx, r)
	}
	return nil
}

func (t tee) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tee{t.a.WithAttrs(attrs), t.b.WithAttrs(attrs)}
}

func (t tee) WithGroup(name string) slog.Handler {
	return tee{t.a.WithGroup(name), t.b.WithGroup(name)}
}

// ringLogger sends what log gets to the ring as well.
func ringLogger(log *slog.Logger, ring io.Writer) *slog.Logger {
	return slog.New(tee{log.Handler(), slog.NewTextHandler(ring, &slog.HandlerOptions{Level: slog.LevelInfo})})
}
