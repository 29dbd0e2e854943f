package sim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// Every condition of a printer sends a receipt to the next backend, and only
// after fallback_after. When the printer is well, receipts go there again.
func TestRouteLeavesAnAilingPrinter(t *testing.T) {
	t.Parallel()
	list := ailments()
	printers, routes := map[string]printer.Config{}, map[string][]string{}
	for i, a := range list {
		name := fmt.Sprintf("d%d", i)
		c := printer.Config{Serial: fmt.Sprintf("%016d", i+1), FNSerial: serialOf(i + 1), CashDrawer: 100_000}
		if a.verb == fiscal.VerbRefund {
			c.CashDrawer = 0
		}
		printers[name], routes["by-"+name] = shifted(c, time.Now()), []string{name, daemon.CloudLifePay}
	}
	o := Options{Printers: printers, LifePay: &lifepay.Config{}, Policy: hastyPolicy(), Config: soonElsewhere}
	ways(routes)(&o)
	s := openShop(t, o)
	till, w := openTill(t, s, "till1"), watch(t, s)
	var group sync.WaitGroup
	for i, a := range list {
		name := fmt.Sprintf("d%d", i)
		disown(s, name, 2)
		group.Go(func() { a.leave(t, newBench(s, name), till, w) })
	}
	group.Wait()
}

func (a ailment) leave(t *testing.T, b *bench, till *Till, w *watcher) {
	verb := a.verb
	if verb == "" {
		verb = fiscal.VerbSale
	}
	body, route := mailed(orders()[0].body), "by-"+b.name
	w.says("dev/"+b.name+"/state", `"link":true`)
	fell := time.Now()
	a.fall(b)
	id := NewID()
	p := beginRaw(t, till, verb, id, addressed(id, "route", route, body))
	answer := p.ends(fiscal.Done)
	if answer.Route != daemon.CloudLifePay || answer.Recovered {
		t.Errorf("%s: %s", a.name, answer.Raw)
	}
	if took := time.Since(fell); took < soonAfter {
		t.Errorf("%s: left after %v", a.name, took)
	}
	w.stands("dev/" + b.name + "/alert/route-fallback")
	a.heal(b)
	id = NewID()
	if here := beginRaw(t, till, verb, id, onDevice(id, b.name, body)).ends(fiscal.Done); here.Route != b.name {
		t.Errorf("%s: on its own device: %s", a.name, here.Raw)
	}
	w.cleared("dev/" + b.name + "/alert/route-fallback")
	id = NewID()
	if back := beginRaw(t, till, verb, id, addressed(id, "route", route, body)).ends(fiscal.Done); back.Route != b.name {
		t.Errorf("%s: healed: %s", a.name, back.Raw)
	}
}

// A printer that was seen away for long enough is passed over at acceptance; a
// shift that nobody has opened only shows when a receipt is tried.
func TestRoutePassesOver(t *testing.T) {
	t.Parallel()
	t.Run("paper", func(t *testing.T) {
		t.Parallel()
		r := openRouted(t)
		r.sell("front")
		r.front.PaperOut()
		r.w.stands("dev/front/alert/paper-out")
		r.sell(daemon.CloudLifePay) // waits, and leaves
		p := r.begin(fiscal.VerbSale, "", sale())
		if a := p.ends(fiscal.Done); a.Route != daemon.CloudLifePay || p.routesOf() != daemon.CloudLifePay {
			t.Errorf("by %s: %s", p.routesOf(), a.Raw)
		}
		r.made(map[string]int{"front": 1, "lifepay": 2})
		r.front.PaperIn()
		r.w.cleared("dev/front/alert/paper-out")
	})
	t.Run("closed shift", func(t *testing.T) {
		t.Parallel()
		r := openRouted(t, func(o *Options) { o.Printers = nil })
		p := r.begin(fiscal.VerbSale, "", sale())
		p.waits(fiscal.CodeShiftClosed)
		if a := p.ends(fiscal.Done); a.Route != daemon.CloudLifePay {
			t.Errorf("%s", a.Raw)
		}
	})
	t.Run("every backend in order", func(t *testing.T) {
		t.Parallel()
		r := openRouted(t)
		r.lose("front", daemon.CloudLifePay)
		p := r.begin(fiscal.VerbSale, "", sale())
		p.ends(fiscal.Done)
		if !strings.HasSuffix(p.routesOf(), "lifepay bifit") {
			t.Errorf("by %s", p.routesOf())
		}
		r.find("front")
		r.find(daemon.CloudLifePay)
	})
}

// What a backend refuses for its content is refused: no other one is asked.
func TestRouteContentNeverMoves(t *testing.T) {
	t.Parallel()
	closes := []uint16{closeReceipt, closeReceiptV3}
	sideBySide(t, map[string]struct {
		route []string
		spoil func(r *routed)
	}{
		"printer, opening": {[]string{"front", "lifepay", "bifit"}, func(r *routed) {
			r.front.Inject(printer.Fault{When: printer.Command(0x8D), Do: printer.RefuseWith{Code: 0x18}})
		}},
		"printer, close": {[]string{"front", "bifit", "lifepay"}, func(r *routed) {
			r.front.Inject(printer.Fault{When: printer.Command(closes...), Do: printer.RefuseWith{Code: 0x09}})
		}},
		"lifepay": {[]string{"lifepay", "bifit", "front"}, func(r *routed) {
			if err := r.LifePay.Fail(lifepay.Fault{Kind: lifepay.FaultRefuse}); err != nil {
				t.Error(err)
			}
		}},
		"bifit": {[]string{"bifit", "lifepay", "front"}, func(r *routed) {
			r.BIFIT.Fail(bifit.Fault{On: bifit.OnRegister, Do: bifit.Respond{Status: 400}})
		}},
	}, func(t *testing.T, c struct {
		route []string
		spoil func(r *routed)
	}) {
		r := openRouted(t, ways(map[string][]string{"default": c.route}))
		c.spoil(r)
		p := r.begin(fiscal.VerbSale, "", sale())
		if a := p.ends(fiscal.Rejected); a.Error == nil || a.Error.Code.Info().Nature != fiscal.Content || p.routesOf() != c.route[0] {
			t.Errorf("by %s: %s", p.routesOf(), a.Raw)
		}
		r.made(map[string]int{})
		r.sell(c.route[0]) // and the backend is well
	})
}

// A document that a cloud has taken stays there, for however long; the sales
// after it go their way.
func TestRouteRegisteredNeverMoves(t *testing.T) {
	t.Parallel()
	for _, first := range []string{daemon.CloudLifePay, daemon.CloudBIFIT} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			second := map[string]string{daemon.CloudLifePay: daemon.CloudBIFIT, daemon.CloudBIFIT: daemon.CloudLifePay}[first]
			r := openRouted(t, ways(map[string][]string{"default": {first, second}}))
			if err := r.LifePay.Fail(lifepay.Fault{Kind: lifepay.FaultStuck}); err != nil {
				t.Error(err)
			}
			r.BIFIT.Fail(bifit.Fault{Do: bifit.Stick{}})
			stuck := r.begin(fiscal.VerbSale, "", sale())
			stuck.registered()
			r.lose(first)
			r.LifePay.ClearFaults()
			r.BIFIT.ClearFaults()
			r.sell(second) // leaves the first one, away for longer than fallback_after
			r.sell(second)
			stuck = r.restart(stuck)[0]
			r.find(first)
			r.freeStuck()
			if a := stuck.ends(fiscal.Done); a.Route != first {
				t.Errorf("%s", a.Raw)
			}
			r.made(map[string]int{first: 1, second: 2})
		})
	}
}

// freeStuck lets every stuck document of the clouds go on.
func (r *routed) freeStuck() {
	for _, d := range r.LifePay.Documents() {
		if d.FD == 0 {
			if err := r.LifePay.Finish(d.UUID, lifepay.Outcome{}); err != nil {
				r.t.Error(err)
			}
		}
	}
	for _, d := range r.BIFIT.Documents() {
		if err := r.BIFIT.Finish(d.ID); err != nil {
			r.t.Error(err)
		}
	}
}
