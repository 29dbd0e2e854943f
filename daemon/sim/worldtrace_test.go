package sim

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// traceTail is how many lines of a failing run are shown.
const traceTail = 60

// trace notes every change of state, one line each, in columns of fixed width:
// virtual time since the opening, actor, id, state, detail. Lines of one
// instant are sorted: who came first between two clock ticks is nobody's
// business.
type worldTrace struct {
	mu    sync.Mutex
	start time.Time
	at    time.Duration
	now   []string // lines of the instant at
	tail  []string
	sum   hash.Hash
	out   io.Writer // nil: nobody reads along
	lines int
	dir   string // not to be told: it differs
}

func newTrace(out io.Writer) *worldTrace {
	return &worldTrace{start: time.Now(), sum: sha256.New(), out: out}
}

func (t *worldTrace) add(actor, id, state, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Since(t.start)
	if at != t.at {
		t.flush()
		t.at = at
	}
	detail := format
	if len(args) > 0 {
		detail = fmt.Sprintf(format, args...)
	}
	if t.dir != "" {
		detail = strings.ReplaceAll(detail, t.dir, "DIR")
	}
	h := at / time.Hour
	m, s := at%time.Hour/time.Minute, at%time.Minute
	line := fmt.Sprintf("%03d:%02d:%02d.%09d %-9s %-18s %-12s %s\n", h, m, s/time.Second, s%time.Second, actor, id, state, detail)
	t.now = append(t.now, line)
}

// flush ends an instant; mu is held.
func (t *worldTrace) flush() {
	slices.Sort(t.now)
	for _, line := range t.now {
		t.lines++
		t.sum.Write([]byte(line))
		if t.out != nil {
			_, _ = io.WriteString(t.out, line)
		}
	}
	t.tail = append(t.tail, t.now...)
	if n := len(t.tail) - traceTail; n > 0 {
		t.tail = slices.Delete(t.tail, 0, n)
	}
	t.now = t.now[:0]
}

// end is the digest of everything.
func (t *worldTrace) end() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush()
	return fmt.Sprintf("%x", t.sum.Sum(nil)[:8])
}

// journalLog makes lines of what the daemon logs of its commands. Everything
// else that it logs goes to more.
type journalLog struct {
	trace *worldTrace
	more  slog.Handler // nil: nowhere
	attrs []slog.Attr
}

func (l *journalLog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || l.more != nil
}

func (l *journalLog) Handle(ctx context.Context, r slog.Record) error {
	if l.more != nil {
		return l.more.Handle(ctx, r)
	}
	if r.Message != "command" {
		return nil
	}
	var id, state, why, fd, device string
	note := func(a slog.Attr) bool {
		switch a.Key {
		case "id":
			id = a.Value.String()
		case "state":
			state = a.Value.String()
		case "why":
			why += " " + a.Value.String()
		case "fd":
			fd = " fd " + a.Value.String()
		case "device":
			device = a.Value.String()
		}
		return true
	}
	for _, a := range l.attrs {
		note(a)
	}
	r.Attrs(note)
	l.trace.add("daemon", id, state, "%s", device+fd+why)
	return nil
}

func (l *journalLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *l
	c.attrs = append(slices.Clone(l.attrs), attrs...)
	if c.more != nil {
		c.more = c.more.WithAttrs(attrs)
	}
	return &c
}

func (l *journalLog) WithGroup(string) slog.Handler { return l }
