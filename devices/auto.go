package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"kassad/devices/detect"
	"kassad/devices/link"
	"kassad/devices/shtrih"
)

// Between two searches, while nothing is plugged in or out.
const (
	searchFirst = 2 * time.Second
	searchMax   = time.Minute
)

// sayMost is how many places an error lists.
const sayMost = 6

// ErrNoPrinter: the search is over, and the printer was not there. The error
// tells what was.
var ErrNoPrinter = errors.New("printer not found")

// autoDialer opens the link to a printer wherever it is. The place where it was
// last comes first, and the port with the same USB identity; a search asks at
// other places, with growing pauses unless something was plugged in or out.
type autoDialer struct {
	name   string
	finder *Finder
	open   func(ctx context.Context, address string) (link.Link, error)
	ask    shtrih.Asking
	log    *slog.Logger

	mu     sync.Mutex
	tried  string         // mark of the place that was opened last
	proven bool           // the printer was there
	alien  string         // mark of the place where another printer was met
	seen   []detect.Place // at the last search
	last   error          // of the last search
	pause  time.Duration
	next   time.Time // no search before, unless the places change
}

func (a *autoDialer) dial(ctx context.Context) (link.Link, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	places, err := a.finder.places(a.name)
	if err != nil {
		a.log.Warn("list ports", "device", a.name, "err", err) // what was listed is looked at
	}
	known := a.known()
	place, at, sure, here := a.usual(known, places)
	doubted := here && place.Mark() == a.tried && !a.proven && !sure
	if due := a.due(places); here && (!doubted || !due) {
		l, err := a.take(ctx, place, at)
		if err == nil || !due {
			return l, err
		}
	} else if !due {
		return nil, a.last
	}
	return a.search(ctx, places)
}

// known is what the finder knows of this device's printer.
func (a *autoDialer) known() Known {
	a.finder.mu.Lock()
	defer a.finder.mu.Unlock()
	return a.finder.members[a.name].known
}

// usual is where the printer was last, under whatever name that port has now.
// sure says that a USB serial number tells: the printer is there, even if it is
// silent, and nobody else need be asked.
func (a *autoDialer) usual(k Known, places []detect.Place) (p detect.Place, address string, sure, ok bool) {
	at, err := link.Parse(k.Address)
	if err != nil { // nothing is known
		return p, "", false, false
	}
	var same []detect.Place
	for _, p := range places {
		if p.Port.Serial != "" && p.Port.Identity() == k.USB {
			same = append(same, p)
		}
	}
	if sure = len(same) == 1; !sure { // none, or adapters that all carry one number
		same = slices.DeleteFunc(slices.Clone(places), func(p detect.Place) bool {
			return !samePlace(k.Address, p) || p.Port.Identity() != k.USB
		})
	}
	switch _, noNetworks := a.finder.exclude.Networks(); {
	case len(same) > 0:
		p = same[0]
	case at.Scheme == "tcp" && !noNetworks: // its network card may come up only now
		p = detect.Place{Address: k.Address}
	default:
		return p, "", false, false
	}
	if p.Port.Name != "" {
		at.Name = p.Port.Name
	}
	return p, at.String(), sure, p.Left == "" && p.Mark() != a.alien
}

// due tells whether to search now.
func (a *autoDialer) due(places []detect.Place) bool {
	return a.seen == nil || !time.Now().Before(a.next) || detect.Changed(a.seen, places)
}

// take opens the link at a place. The driver asks who is there, see proved.
func (a *autoDialer) take(ctx context.Context, p detect.Place, address string) (link.Link, error) {
	l, err := a.open(ctx, address)
	if err != nil {
		return nil, err
	}
	a.tried, a.proven = p.Mark(), false
	return a.finder.hold(a.name, Known{Address: address, USB: p.Port.Identity()}, l), nil
}

// admit is asked by the driver who answers on a new link.
func (a *autoDialer) admit(serial string) error {
	err := a.finder.admit(a.name, serial)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.proven = err == nil
	if err != nil {
		a.alien, a.last = a.tried, err
		return err
	}
	a.alien, a.pause, a.seen = "", 0, nil
	return nil
}

// search asks at every place that may be asked.
func (a *autoDialer) search(ctx context.Context, places []detect.Place) (link.Link, error) {
	select {
	case a.finder.turn <- struct{}{}:
		defer func() { <-a.finder.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if a.seen != nil && detect.Changed(a.seen, places) {
		a.pause = 0
	}
	a.pause = min(max(2*a.pause, searchFirst), searchMax)
	a.finder.around.Use(places)
	results := detect.Look(ctx, places, a.finder.probe, a.ask, nil)
	a.seen, a.next = places, time.Now().Add(a.pause)
	found, err := a.choose(results)
	if err != nil {
		a.last = err
		return nil, err
	}
	l, err := a.take(ctx, found.Place, found.Found.Address)
	if a.last = err; err == nil { // should it come to nothing
		a.alien, a.last = "", fmt.Errorf("%w: it was found at %s and says nothing now", ErrNoPrinter, found.Name())
	}
	return l, err
}

// choose picks this device's printer of what was found. Without a known serial
// number only a single printer can be meant.
func (a *autoDialer) choose(results []detect.Result) (detect.Result, error) {
	want := a.known().Serial
	var mine []detect.Result
	serials := map[string]bool{}
	for _, r := range results {
		serial := r.Found.Serial
		_, taken := a.finder.owner(serial, a.name)
		if r.Outcome != detect.Printer || serial == "" || taken || want != "" && serial != want {
			continue
		}
		mine = append(mine, r)
		serials[serial] = true
	}
	switch {
	case len(serials) > 1:
		return detect.Result{}, fmt.Errorf("%w: several are here, and serial is not set: %s", ErrNoPrinter, say(results))
	case len(mine) == 0 && want != "":
		return detect.Result{}, fmt.Errorf("%w: serial number %s; %s", ErrNoPrinter, want, say(results))
	case len(mine) == 0:
		return detect.Result{}, fmt.Errorf("%w: %s", ErrNoPrinter, say(results))
	}
	// One printer on two ways: its network card keeps its name, its serial port
	// does not (lessons of the vendor's users).
	if i := slices.IndexFunc(mine, func(r detect.Result) bool { return r.Network != "" }); i > 0 {
		return mine[i], nil
	}
	return mine[0], nil
}

// say tells in one line what was at each place.
func say(results []detect.Result) string {
	if len(results) == 0 {
		return "there is no port on this computer"
	}
	var parts []string
	for i, r := range results {
		if i == sayMost {
			parts = append(parts, fmt.Sprintf("and %d more", len(results)-i))
			break
		}
		what := string(r.Outcome)
		switch r.Outcome {
		case detect.Printer:
			what = strings.TrimSpace(r.Found.Model + " " + r.Found.Serial)
			if r.Found.Serial == "" {
				what += " that does not tell its serial number (another password?)"
			}
		case detect.Left:
			what = strings.TrimSpace(string(r.Left) + " " + r.Detail)
		}
		parts = append(parts, r.Name()+": "+what)
	}
	return strings.Join(parts, "; ")
}
