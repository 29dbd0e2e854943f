package daemon

import (
	"sync"
	"time"

	"kassad/fiscal"
)

// Alert is a condition that stands.
type Alert struct {
	Device string // "" for the node
	Code   fiscal.Code
	Detail string
	Since  time.Time
}

type alertKey struct {
	device string
	code   fiscal.Code
}

// alertBook holds what stands now. Each alert is a retained topic while it
// stands, and an event when it comes and goes.
type alertBook struct {
	mu       sync.Mutex
	standing map[alertKey]Alert
	changed  func(a Alert, stands bool)
}

func newAlertBook(changed func(a Alert, stands bool)) *alertBook {
	return &alertBook{standing: map[alertKey]Alert{}, changed: changed}
}

func (b *alertBook) raise(device string, code fiscal.Code, detail string) {
	key := alertKey{device, code}
	b.mu.Lock()
	old, stands := b.standing[key]
	if stands && old.Detail == detail {
		b.mu.Unlock()
		return
	}
	a := Alert{Device: device, Code: code, Detail: detail, Since: time.Now()}
	if stands {
		a.Since = old.Since
	}
	b.standing[key] = a
	b.mu.Unlock()
	b.changed(a, true)
}

func (b *alertBook) clear(device string, code fiscal.Code) {
	key := alertKey{device, code}
	b.mu.Lock()
	a, stands := b.standing[key]
	delete(b.standing, key)
	b.mu.Unlock()
	if stands {
		b.changed(a, false)
	}
}

// settle makes exactly the given codes stand among those of one watcher.
func (b *alertBook) settle(device string, watched []fiscal.Code, stands map[fiscal.Code]string) {
	for _, code := range watched {
		if detail, ok := stands[code]; ok {
			b.raise(device, code, detail)
		} else {
			b.clear(device, code)
		}
	}
}

func (b *alertBook) list() []Alert {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Alert, 0, len(b.standing))
	for _, a := range b.standing {
		out = append(out, a)
	}
	return out
}
