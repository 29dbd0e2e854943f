package broker

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Denied is something that a client was not allowed to do. A denied publish is
// acknowledged and dropped: MQTT 3.1.1 knows no refusal, and closing the
// connection would make a terminal's library send the same message for ever.
type Denied struct {
	User, Client string // cut to 64 bytes; of a connect, what the client claims to be
	Address      string // where the client comes from, without the port
	What         string // publish, subscribe, connect, will, or connection: closed before it could speak
	Topic        string
}

// denials tells of what was denied. The log gets a line a second for each user
// and kind, with the number of those left out, and linesPerSecond in all.
type denials struct {
	log  *slog.Logger
	tell func(Denied)
	seldom
}

const (
	denialEvery    = time.Second
	denialKeysMax  = 1024
	linesBurst     = 50
	linesPerSecond = 2

	deniedTopicBytesMax = 200
	deniedNameBytesMax  = 64
)

func newDenials(log *slog.Logger, tell func(Denied)) *denials {
	return &denials{log: log, tell: tell, seldom: newSeldom(time.Now())}
}

func (d *denials) add(denied Denied) {
	denied.User, denied.Client = cut(denied.User, deniedNameBytesMax), cut(denied.Client, deniedNameBytesMax)
	denied.Topic = cut(denied.Topic, deniedTopicBytesMax)
	if times, ok := d.allow(denied.User+" "+denied.What, time.Now()); ok {
		d.log.Warn("broker denied", "user", denied.User, "client", denied.Client, "address", denied.Address,
			"what", denied.What, "topic", denied.Topic, "times", times)
	}
	if d.tell != nil {
		d.tell(denied)
	}
}

// warn writes a line of which a client could make many.
func (d *denials) warn(key, text string, args ...any) {
	if times, ok := d.allow(text+" "+cut(key, deniedNameBytesMax), time.Now()); ok {
		d.log.Warn(text, append(args, "times", times)...)
	}
}

// cut makes a copy: what it cuts may be half a megabyte, and must not be kept.
func cut(text string, most int) string { return strings.Clone(text[:min(len(text), most)]) }

// seldom bounds lines of a log whose number is a stranger's choice.
type seldom struct {
	mu    sync.Mutex
	lines bucket
	keys  map[string]*tally
}

type tally struct {
	told  time.Time
	times int // since then
}

func newSeldom(now time.Time) seldom {
	return seldom{lines: newBucket(now, linesBurst, linesPerSecond), keys: make(map[string]*tally)}
}

// allow counts one occurrence, and tells whether to write a line now and how
// many occurrences it stands for.
func (s *seldom) allow(key string, now time.Time) (times int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.keys[key]
	if t == nil {
		if len(s.keys) >= denialKeysMax { // names are the stranger's choice
			key = ""
		}
		if t = s.keys[key]; t == nil {
			t = &tally{}
			s.keys[key] = t
		}
	}
	t.times++
	if now.Sub(t.told) < denialEvery || !s.lines.try(now) {
		return 0, false
	}
	times, t.times, t.told = t.times, 0, now
	if len(s.keys) >= denialKeysMax {
		s.sweep(now)
	}
	return times, true
}

// sweep forgets who has been told of and was quiet since.
func (s *seldom) sweep(now time.Time) {
	for key, t := range s.keys {
		if t.times == 0 && now.Sub(t.told) >= denialEvery {
			delete(s.keys, key)
		}
	}
}
