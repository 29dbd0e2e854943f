package detect

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"sync"

	"kassad/devices/link"
	"kassad/devices/shtrih"
)

// Outcome is what a place turned out to be.
type Outcome string

// Outcomes. Left is that of a place that was not asked.
const (
	Printer Outcome = "printer"
	Left    Outcome = "left-alone"
	Silent  Outcome = "silent"   // nobody answers
	Other   Outcome = "other"    // somebody of another protocol, or who talks unasked
	Busy    Outcome = "in-use"   // another program had it when it was opened
	NoRight Outcome = "no-right" // of this user to open it
	Gone    Outcome = "gone"     // it vanished meanwhile
	Failed  Outcome = "failed"
)

// Result is one place after Look.
type Result struct {
	Place
	Outcome Outcome
	Found   shtrih.Found // of a Printer
	Err     error        // of the others; nil for Left
}

// Prober asks who is at a place, within shtrih.ProbeTimeout.
type Prober func(ctx context.Context, p Place, ask shtrih.Asking) (shtrih.Found, error)

// Probe is the Prober of this computer.
func Probe(ctx context.Context, p Place, ask shtrih.Asking) (shtrih.Found, error) {
	if p.Port.Name != "" {
		return shtrih.Probe(ctx, p.Port, ask)
	}
	return shtrih.ProbeAddress(ctx, p.Address, ask)
}

// lookMost is how many places are asked at a time, each by one protocol.
const lookMost = 8

// Look asks at the places that are not to be left alone, several at a time, so
// that it takes little longer than one. done, if not nil, is told of each as it
// ends. The results are in the order of places.
func Look(ctx context.Context, places []Place, probe Prober, ask shtrih.Asking, done func(Result)) []Result {
	results := make([]Result, len(places))
	free := make(chan struct{}, lookMost)
	var work sync.WaitGroup
	var telling sync.Mutex
	for i, p := range places {
		if p.Left != "" {
			results[i] = Result{Place: p, Outcome: Left}
			continue
		}
		free <- struct{}{}
		work.Go(func() {
			defer func() { <-free }()
			found, err := probe(ctx, p, ask)
			results[i] = Result{Place: p, Outcome: outcome(err), Found: found, Err: err}
			if done != nil {
				telling.Lock()
				defer telling.Unlock()
				done(results[i])
			}
		})
	}
	work.Wait()
	return results
}

func outcome(err error) Outcome {
	var dial *net.OpError
	switch {
	case err == nil:
		return Printer
	case errors.Is(err, link.ErrBusy):
		return Busy
	case errors.Is(err, fs.ErrPermission):
		return NoRight
	case errors.Is(err, link.ErrNoPort), errors.Is(err, link.ErrHangUp), errors.Is(err, fs.ErrNotExist):
		return Gone
	case errors.Is(err, shtrih.ErrOther), errors.Is(err, shtrih.ErrTalks):
		return Other
	case errors.Is(err, shtrih.ErrNotFound), errors.Is(err, context.DeadlineExceeded), errors.As(err, &dial):
		return Silent
	default:
		return Failed
	}
}
