package sim

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
	"kassad/fiscal"
)

// fate lets the daemon of a shop die at its n-th moment: before or after an
// exchange with a cloud, or after a save of the journal. The store stays as it
// is on disk then, and no cloud is reached any more.
type fate struct {
	t      *testing.T
	copies chan journalFiles

	mu    sync.Mutex
	cfg   daemon.Config
	armed bool
	count int // moments since it was armed
	at    int // the one to die at; 0: never
	dead  bool
}

// moment is a place where the daemon may die; true: it is dead.
func (f *fate) moment() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || f.dead {
		return f.dead
	}
	if f.count++; f.count != f.at {
		return false
	}
	f.dead = true
	f.copies <- readJournal(f.t, f.cfg.DataDir)
	return true
}

// Handle implements slog.Handler: the record of a save comes from the worker,
// which goes on when it has been handled.
func (f *fate) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "command" {
		f.moment()
	}
	return nil
}

// Enabled, WithAttrs and WithGroup implement slog.Handler.
func (f *fate) Enabled(context.Context, slog.Level) bool { return true }
func (f *fate) WithAttrs([]slog.Attr) slog.Handler       { return f }
func (f *fate) WithGroup(string) slog.Handler            { return f }

// between puts the fate before and after every exchange.
func (f *fate) between(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.moment() {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		if f.moment() {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // a host that has left is told nothing
	})
}

// openFated is a routed shop whose printer has no paper and where LIFE PAY
// refuses the account: a sale ends at BIFIT.
func openFated(t *testing.T, at int) (*routed, *fate) {
	t.Helper()
	f := &fate{t: t, at: at, copies: make(chan journalFiles, 1)}
	r := openRouted(t, func(o *Options) { o.Log = slog.New(f) })
	for name, d := range r.doors {
		r.CutCloud(name)
		d.handler = f.between(d.handler)
		if err := r.MendCloud(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.LifePay.Fail(lifepay.Fault{Kind: lifepay.FaultRefuse, Code: 6080, Times: -1}); err != nil {
		t.Fatal(err)
	}
	r.front.PaperOut()
	r.w.stands("dev/front/alert/paper-out")
	f.mu.Lock()
	f.cfg, f.armed = r.Config, true
	f.mu.Unlock()
	return r, f
}

// rise starts the daemon again with the store of its death.
func (f *fate) rise(r *routed, copied journalFiles) {
	r.t.Helper()
	r.till = stopFor(r.t, r.Shop, r.till, func() {
		copied.put(r.t, r.Config.DataDir)
		f.mu.Lock()
		f.dead, f.armed = false, false
		f.mu.Unlock()
	})
}

// live sells once through a death at the n-th moment, and tells how many
// moments there were.
func live(t *testing.T, at int) (moments int) {
	r, f := openFated(t, at)
	p := r.begin(fiscal.VerbSale, "", sale())
	select {
	case copied := <-f.copies:
		r.LifePay.ClearFaults() // what it may have been sent is found out there, and nowhere else
		f.rise(r, copied)
		p = beginRaw(t, r.till, fiscal.VerbSale, p.id, Request(p.id, sale()))
		a := <-p.final
		if a.State != fiscal.Done {
			t.Errorf("death at moment %d: %s", at, a.Raw)
		}
		r.made(map[string]int{a.Route: 1})
	case a := <-p.final:
		if a.State != fiscal.Done || at != 0 {
			t.Errorf("no death at moment %d: %s", at, a.Raw)
		}
		r.made(map[string]int{daemon.CloudBIFIT: 1})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// On the way of a sale from a printer over LIFE PAY to BIFIT the daemon dies
// before and after each exchange and after each save: one document.
func TestRouteDeathAtEveryMoment(t *testing.T) {
	t.Parallel()
	moments := live(t, 0)
	if moments < 10 {
		t.Errorf("%d moments", moments)
	}
	var lives errgroup.Group
	lives.SetLimit(sideBySideAtOnce)
	for n := range moments - 2 { // the way is not always of the same length
		lives.Go(func() error { live(t, n+1); return nil })
	}
	_ = lives.Wait()
}
