package broker

import (
	"context"
	"log/slog"
)

// quiet passes the library's log on at debug level, without the attributes
// that hold whole packets: payloads, and in CONNECT the password.
type quiet struct{ next slog.Handler }

func (q *quiet) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.next.Enabled(ctx, slog.LevelDebug)
}

func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, slog.LevelDebug, "broker: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if harmless(a.Key) {
			out.AddAttrs(a)
		}
		return true
	})
	return q.next.Handle(ctx, out)
}

func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	var kept []slog.Attr
	for _, a := range attrs {
		if harmless(a.Key) {
			kept = append(kept, a)
		}
	}
	return &quiet{next: q.next.WithAttrs(kept)}
}

func (q *quiet) WithGroup(name string) slog.Handler { return &quiet{next: q.next.WithGroup(name)} }

func harmless(key string) bool { return key != "pk" && key != "packet" && key != "will" }
