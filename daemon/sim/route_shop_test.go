package sim

import (
	"maps"
	"strings"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// soonAfter is fallback_after in tests of routes.
const soonAfter = 300 * time.Millisecond

// routed is a shop with a printer whose shift is open before LIFE PAY and
// BIFIT, and those who sell and listen there.
type routed struct {
	*Shop
	t     *testing.T
	till  *Till
	w     *watcher
	front *bench
}

func openRouted(t *testing.T, change ...func(*Options)) *routed {
	t.Helper()
	opt := Options{
		Printers: map[string]printer.Config{"front": shifted(printer.Config{}, time.Now())},
		LifePay:  &lifepay.Config{}, BIFIT: quickBIFIT(), Policy: hastyPolicy(), Config: soonElsewhere,
	}
	for _, f := range change {
		f(&opt)
	}
	s := openShop(t, opt)
	disown(s, "front", 2)
	r := &routed{Shop: s, t: t, till: openTill(t, s, "till1"), w: watch(t, s), front: newBench(s, "front")}
	r.w.says("dev/front/state", `"link":true`)
	return r
}

// soonElsewhere reads the printers' states all the time, and sends receipts on
// soon.
func soonElsewhere(c *daemon.Config) {
	watchful(c)
	managers("ivanov")(c)
	for i := range c.Routes {
		c.Routes[i].FallbackAfter = daemon.Duration(soonAfter)
	}
}

// with adds to the configuration of a routed shop.
func with(change func(*daemon.Config)) func(*Options) {
	return func(o *Options) {
		before := o.Config
		o.Config = func(c *daemon.Config) { before(c); change(c) }
	}
}

// ways names the routes of a shop.
func ways(routes map[string][]string) func(*Options) {
	return with(func(c *daemon.Config) {
		c.Routes = nil
		for name, backends := range routes {
			c.Routes = append(c.Routes, daemon.RouteConfig{
				Name: name, Backends: backends, FallbackAfter: daemon.Duration(soonAfter), NoContact: daemon.NoContactSpool,
			})
		}
	})
}

// sale is one that every backend can carry.
func sale() obj { return byMail(obj{"cash": 1500}, kettle()) }

// mailed is a body of another test with an address of the buyer.
func mailed(body obj) obj {
	body = maps.Clone(body)
	body["customer"] = "buyer@example.org"
	return body
}

// begin sends a sale by a route; "" is the default.
func (r *routed) begin(verb fiscal.Verb, route string, body obj) *pending {
	id := NewID()
	if route == "" {
		return beginRaw(r.t, r.till, verb, id, Request(id, body))
	}
	return beginRaw(r.t, r.till, verb, id, addressed(id, "route", route, body))
}

// sell wants a sale done by a backend.
func (r *routed) sell(by string) Answer {
	r.t.Helper()
	a := must(r.t, r.till, fiscal.VerbSale, sale())
	if a.Route != by {
		r.t.Errorf("sold by %s, want %s: %s", a.Route, by, a.Raw)
	}
	return a
}

// lose takes backends away, and lets the daemon see it.
func (r *routed) lose(names ...string) {
	for _, name := range names {
		if p := r.Printers[name]; p != nil {
			p.PowerOff()
			r.w.says("dev/"+name+"/state", `"link":false`)
			continue
		}
		r.CutCloud(name)
	}
}

// find gives a backend back. A cloud's state is read rarely: the daemon is
// made to look twice, before and after.
func (r *routed) find(name string) {
	r.t.Helper()
	if p := r.Printers[name]; p != nil {
		p.PowerOn()
		return
	}
	look(r.t, r.till, name)
	if err := r.MendCloud(name); err != nil {
		r.t.Error(err)
	}
	look(r.t, r.till, name)
}

// again opens the terminal anew after the daemon was stopped, and asks for the
// commands that are not final.
func (r *routed) restart(pendings ...*pending) (again []*pending) {
	r.t.Helper()
	r.till = restart(r.t, r.Shop, r.till)
	r.w = watch(r.t, r.Shop)
	for _, p := range pendings {
		again = append(again, beginRaw(r.t, r.till, fiscal.VerbSale, p.id, Request(p.id, sale())))
	}
	return again
}

// isAt waits until the journal has a command at a backend.
func (r *routed) isAt(p *pending, device string) {
	r.t.Helper()
	p.until("at "+device, func(a Answer) bool { return a.Route == device })
}

// receipts counts the receipts that each backend has made.
func (r *routed) receipts() map[string]int {
	out := map[string]int{}
	for name, p := range r.Printers {
		for _, e := range p.Storage().Ledger() {
			if e.Form == fiscal.FormReceipt || e.Form == fiscal.FormCorrection {
				out[name]++
			}
		}
	}
	for _, d := range r.LifePay.Documents() {
		if d.FD != 0 {
			out[daemon.CloudLifePay]++
		}
	}
	for _, d := range r.BIFIT.Documents() {
		out[daemon.CloudBIFIT] += len(d.Made)
	}
	return out
}

// made wants receipts at these backends and no other.
func (r *routed) made(want map[string]int) {
	r.t.Helper()
	if got := r.receipts(); !maps.Equal(got, want) {
		r.t.Errorf("receipts %v, want %v", got, want)
	}
}

// routesOf lists the backends by which a till was told that a command goes,
// each once in a row.
func (p *pending) routesOf() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, a := range p.seen {
		if n := len(list); n == 0 || list[n-1] != a.Route {
			list = append(list, a.Route)
		}
	}
	return strings.Join(list, " ")
}
