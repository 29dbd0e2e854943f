package service

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"
)

// Sizes of the log file where no journal keeps the log.
const (
	logFileMB    = 10
	logFilesKept = 5
)

// LogFile is a file that is put aside when it is full: at most 60 MB in all.
func LogFile(path string) io.WriteCloser {
	return &lumberjack.Logger{Filename: path, MaxSize: logFileMB, MaxBackups: logFilesKept, LocalTime: true}
}

// EventLog is the system's own book of events.
type EventLog interface {
	Error(v ...any) error
	Warning(v ...any) error
}

// eventHandler writes warnings and errors to the system's event log.
type eventHandler struct {
	log    EventLog
	format slog.Handler
	text   *strings.Builder
	mu     *sync.Mutex // of text
}

// EventHandler is a handler for warnings and errors; the rest is not for the
// event log. A record that the log refuses is lost, never the daemon's time.
func EventHandler(log EventLog) slog.Handler {
	h := &eventHandler{log: log, text: &strings.Builder{}, mu: &sync.Mutex{}}
	h.format = slog.NewTextHandler(h.text, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutStamp})
	return h
}

// withoutStamp leaves out what the event log has of its own.
func withoutStamp(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}

// Enabled implements slog.Handler.
func (h *eventHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle implements slog.Handler.
func (h *eventHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	h.text.Reset()
	err := h.format.Handle(ctx, r)
	line := strings.TrimSpace(h.text.String())
	h.mu.Unlock()
	if err != nil {
		return err
	}
	if r.Level >= slog.LevelError {
		return h.log.Error(line)
	}
	return h.log.Warning(line)
}

// WithAttrs implements slog.Handler.
func (h *eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	other := *h
	other.format = h.format.WithAttrs(attrs)
	return &other
}

// WithGroup implements slog.Handler.
func (h *eventHandler) WithGroup(name string) slog.Handler {
	other := *h
	other.format = h.format.WithGroup(name)
	return &other
}
