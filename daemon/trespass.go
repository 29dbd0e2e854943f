package daemon

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/mqtt/broker"
)

// Limits of the alert about clients that were denied something.
const (
	trespassersMax   = 64               // who is counted by name; all others together
	trespassersShown = 4                // in the detail of the alert
	trespassTellsMax = time.Minute      // between two details
	trespassQuiet    = 10 * time.Minute // without any, and the alert is over

	trespassOthers = "others"
)

// trespassers counts who was denied what, by the broker or by the daemon. One
// alert stands for all of them. What a stranger sends can make neither it nor
// the memory grow, and changes it once a minute at most.
type trespassers struct {
	alerts *alertBook

	mu    sync.Mutex
	who   map[string]map[string]int // name or address → what → times
	fresh bool                      // something since the alert was last told
	last  time.Time                 // of the latest
	told  time.Time
}

func newTrespassers(alerts *alertBook) *trespassers {
	return &trespassers{alerts: alerts, who: map[string]map[string]int{}}
}

// denied is told by the broker. A name is proven except in a connect.
func (t *trespassers) denied(d broker.Denied) {
	who, what := d.Address, d.What
	if strings.HasPrefix(what, "connect") {
		what, _, _ = strings.Cut(what, " ")
	} else if mqtt.ValidName(d.User) {
		who = d.User
	}
	t.note(who, what, time.Now())
}

// refused is told by intake: a command for which its terminal has no right.
func (t *trespassers) refused(terminal string, code fiscal.Code) {
	if code == fiscal.CodeNoRight || code == fiscal.CodeUnknownTerminal {
		t.note(terminal, string(code), time.Now())
	}
}

// managed is told of a management request for which somebody has no right.
func (t *trespassers) managed(who string) { t.note(who, "management", time.Now()) }

func (t *trespassers) note(who, what string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.who[who] == nil {
		if len(t.who) >= trespassersMax {
			who = trespassOthers
		}
		if t.who[who] == nil {
			t.who[who] = map[string]int{}
		}
	}
	t.who[who][what]++
	t.fresh, t.last = true, now
}

// settle raises, changes or ends the alert.
func (t *trespassers) settle(now time.Time) {
	t.mu.Lock()
	var detail string
	over := false
	switch {
	case t.fresh && now.Sub(t.told) >= trespassTellsMax:
		detail, t.fresh, t.told = t.detail(), false, now
	case len(t.who) > 0 && now.Sub(t.last) >= trespassQuiet:
		clear(t.who)
		over = true
	}
	t.mu.Unlock()
	if detail != "" {
		t.alerts.raise("", fiscal.CodeAccessDenied, detail)
	} else if over {
		t.alerts.clear("", fiscal.CodeAccessDenied)
	}
}

// detail names those who were denied most: "till2: publish 12, subscribe 3;
// 10.0.0.7: connect 40; 3 more".
func (t *trespassers) detail() string {
	sum := func(who string) (n int) {
		for _, times := range t.who[who] {
			n += times
		}
		return n
	}
	names := slices.SortedFunc(maps.Keys(t.who), func(a, b string) int {
		return cmp.Or(cmp.Compare(sum(b), sum(a)), cmp.Compare(a, b))
	})
	var parts []string
	for _, who := range names[:min(len(names), trespassersShown)] {
		var kinds []string
		for _, what := range slices.Sorted(maps.Keys(t.who[who])) {
			kinds = append(kinds, fmt.Sprintf("%s %d", what, t.who[who][what]))
		}
		parts = append(parts, who+": "+strings.Join(kinds, ", "))
	}
	if more := len(names) - trespassersShown; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return strings.Join(parts, "; ")
}
