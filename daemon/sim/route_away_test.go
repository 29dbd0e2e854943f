package sim

import (
	"slices"
	"testing"
	"time"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// loseAll takes everything away, and lets it be seen: a first sale has tried all backends and
// waits at the last one.
func (r *routed) loseAll() (first *pending) {
	r.lose("front", daemon.CloudLifePay, daemon.CloudBIFIT)
	first = r.begin(fiscal.VerbSale, "", sale())
	r.isAt(first, daemon.CloudBIFIT)
	first.until("away", func(a Answer) bool { return a.Route == daemon.CloudBIFIT && a.Waiting != nil })
	return first
}

// While everything is away sales wait; whichever backend comes back makes them
// in their order. Another device is not held up meanwhile, and spool/state
// shows where they wait.
func TestRouteEverythingAway(t *testing.T) {
	t.Parallel()
	sideBySide(t, map[string]string{"front": "front", "lifepay": "lifepay", "bifit": "bifit"}, func(t *testing.T, back string) {
		r := openRouted(t, func(o *Options) {
			o.Printers["second"] = shifted(printer.Config{Serial: serialOf(2), FNSerial: serialOf(2)}, time.Now())
		}, ways(map[string][]string{"default": {"front", "lifepay", "bifit"}}))
		disown(r.Shop, "second", 2)
		r.w.says("dev/second/state", `"link":true`)
		all := []*pending{r.loseAll()}
		for range 5 {
			p := r.begin(fiscal.VerbSale, "", sale())
			p.until("accepted", func(a Answer) bool { return a.State == fiscal.Accepted })
			all = append(all, p)
		}
		r.w.until("where they wait", "spool/state", func(payload string) bool {
			st := decode[struct {
				Queued   int
				ByDevice map[string]int `json:"by_device"`
			}](t, []byte(payload))
			return st.Queued == 6 && st.ByDevice["front"]+st.ByDevice["lifepay"]+st.ByDevice["bifit"] == 6
		})
		id := NewID()
		if a := beginRaw(t, r.till, fiscal.VerbSale, id, onDevice(id, "second", sale())).ends(fiscal.Done); a.Route != "second" {
			t.Errorf("%s", a.Raw)
		}
		r.find(back)
		var fds []uint32
		for _, p := range all {
			a := p.ends(fiscal.Done)
			if a.Route != back {
				t.Errorf("%s", a.Raw)
			}
			fds = append(fds, a.Fiscal.FD)
		}
		if !slices.IsSorted(fds) {
			t.Errorf("made in the order %v", fds)
		}
		r.made(map[string]int{back: 6, "second": 1})
	})
}

// A sale that waits at a second backend ends by its wait, or by a cancel.
func TestRouteEndsWhileWaitingElsewhere(t *testing.T) {
	t.Parallel()
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		r := openRouted(t)
		p := r.loseAll()
		must(t, r.till, fiscal.VerbCancel, obj{"id": p.id})
		p.ends(fiscal.Cancelled)
		r.find("front")
		r.sell("front")
		r.made(map[string]int{"front": 1})
	})
	t.Run("wait", func(t *testing.T) {
		t.Parallel()
		r := openRouted(t)
		r.lose("front", daemon.CloudLifePay, daemon.CloudBIFIT)
		id := NewID()
		p := beginRaw(t, r.till, fiscal.VerbSale, id, envelope(id, obj{"wait": "4s"}, sale()))
		r.isAt(p, daemon.CloudLifePay)
		if a := p.ends(fiscal.Rejected); a.Error == nil || a.Error.Code != fiscal.CodeCondition {
			t.Errorf("%s", a.Raw)
		}
		r.find(daemon.CloudBIFIT)
		r.made(map[string]int{})
	})
}

// A sale that has waited for longer than late_after is a person's, who may
// decide everything about it while all is away.
func TestRouteLateWithEverythingAway(t *testing.T) {
	t.Parallel()
	sideBySide(t, map[string]decision{
		"begun again": {fiscal.ResolveRetry, fiscal.Done}, "given up": {fiscal.ResolveGiveUp, fiscal.Abandoned},
		"done elsewhere": {fiscal.ResolveDoneElsewhere, fiscal.Done}, "corrected": {fiscal.ResolveAsCorrection, fiscal.Done},
	}, func(t *testing.T, c decision) {
		r := openRouted(t, with(func(cfg *daemon.Config) {
			cfg.LateAfter = daemon.Duration(5 * time.Second)
			cfg.Routes[0].FallbackAfter = daemon.Duration(time.Hour)
		}))
		r.lose("front", daemon.CloudLifePay, daemon.CloudBIFIT)
		p := r.begin(fiscal.VerbSale, "", sale())
		p.waits(fiscal.CodePrinterAway)
		p.held(fiscal.CodeLate)
		fd := map[fiscal.Action]uint32{fiscal.ResolveDoneElsewhere: 41, fiscal.ResolveAsCorrection: 42}[c.action]
		if err := resolve(t, r.Shop, p.id, c.action, fd); err != nil {
			t.Fatal(err)
		}
		if c.action == fiscal.ResolveRetry {
			r.find("front")
		}
		p.ends(c.state)
		if n := r.receipts()["front"]; n != map[fiscal.Action]int{fiscal.ResolveRetry: 1}[c.action] {
			t.Errorf("%d receipts", n)
		}
	})
}

// decision is what a person decides, and how it ends.
type decision struct {
	action fiscal.Action
	state  fiscal.State
}

// Receipts without the buyer's address wait for a printer, or are refused, by
// the route's no_contact.
func TestRouteNoContact(t *testing.T) {
	t.Parallel()
	anonymous := func() obj { return receipt(obj{"cash": "#"}, kettle()) }
	t.Run("spool", func(t *testing.T) {
		t.Parallel()
		r := openRouted(t)
		r.lose("front")
		p := r.begin(fiscal.VerbSale, "", anonymous())
		p.waits(fiscal.CodePrinterAway)
		r.sell(daemon.CloudLifePay) // the next one has an address
		r.find("front")
		if a := p.ends(fiscal.Done); a.Route != "front" {
			t.Errorf("%s", a.Raw)
		}
		r.made(map[string]int{"front": 1, "lifepay": 1})
	})
	t.Run("refuse", func(t *testing.T) {
		t.Parallel()
		r := openRouted(t, with(func(c *daemon.Config) { c.Routes[0].NoContact = daemon.NoContactRefuse }))
		r.lose("front")
		for range 2 { // the first may wait and be refused there, the second at acceptance
			p := r.begin(fiscal.VerbSale, "", anonymous())
			if a := p.ends(fiscal.Rejected); a.Error == nil || a.Error.Code != fiscal.CodeContactRequired {
				t.Errorf("%s", a.Raw)
			}
		}
		r.find("front")
		r.made(map[string]int{})
	})
}

// What a backend cannot carry unchanged passes it by; what none can is refused
// at acceptance.
func TestRouteSkipsWhoCannot(t *testing.T) {
	t.Parallel()
	r := openRouted(t, ways(map[string][]string{
		"default": {"bifit", "lifepay", "front"}, "clouds": {"bifit", "lifepay"},
	}))
	more := func(field string, value any) obj {
		b := sale()
		b[field] = value
		return b
	}
	of := func(quantity string, it obj) obj {
		return byMail(obj{"card": "#"}, item("Сыр", "500.00", quantity, "vat10", it))
	}
	agent := obj{"type": "agent", "supplier": obj{"name": "ООО Ромашка", "inn": "7707083893", "phones": []string{"+74950000000"}}}
	for _, c := range []struct {
		name string
		body obj
		by   string
		only bool // no cloud can
	}{
		{"plain", sale(), "bifit", false},
		{"by weight", of("0.345", obj{"unit": "kg"}), "bifit", false},
		{"agent", of("1", obj{"agent": agent}), "front", true},
		{"additional", more("additional", "заказ 7"), "front", true},
		{"department", of("1", obj{"department": 3}), "lifepay", false},
		{"six decimals", of("0.123456", obj{"unit": "kg"}), "front", true},
		{"no address", receipt(obj{"card": "#"}, kettle()), "front", true},
		{"other payment", byMail(obj{"other": "#"}, kettle()), "bifit", false},
	} {
		p := r.begin(fiscal.VerbSale, "", c.body)
		if a := p.ends(fiscal.Done); a.Route != c.by {
			t.Errorf("%s: %s", c.name, a.Raw)
		}
		if !c.only {
			continue
		}
		p = r.begin(fiscal.VerbSale, "clouds", c.body)
		if a := p.ends(fiscal.Rejected); a.Error == nil || a.Error.Code.Info().Nature != fiscal.Content || a.N != 1 {
			t.Errorf("%s, clouds alone: %s", c.name, a.Raw)
		}
	}
	wrong := correctionOf(byMail(obj{"card": "#"}, kettle()))
	if a := r.begin(fiscal.VerbCorrection, "", wrong).ends(fiscal.Done); a.Route == daemon.CloudBIFIT {
		t.Errorf("a correction at BIFIT: %s", a.Raw)
	}
	if a := r.begin(fiscal.VerbCorrection, "bifit", wrong).ends(fiscal.Rejected); a.Error.Code != fiscal.CodeUnsupported {
		t.Errorf("a correction at BIFIT alone: %s", a.Raw)
	}
}

// correctionOf makes a body one of today's correction.
func correctionOf(body obj) obj {
	body["correction"] = obj{"kind": "sale", "by": "self", "date": time.Now().Format(time.DateOnly)}
	return body
}

// A command's own route or device goes before the terminal's, and that before
// the default. A name that nobody has is refused.
func TestRouteNames(t *testing.T) {
	t.Parallel()
	r := openRouted(t, ways(map[string][]string{"default": {"front", "lifepay"}, "net": {"bifit", "lifepay"}}), with(func(c *daemon.Config) {
		every := []string{"*"}
		c.Terminals = map[string]daemon.TerminalConfig{
			"till1": {Rights: every}, "net": {Rights: every, Route: "net"}, "desk": {Rights: every, Device: "lifepay"}, "both": {Rights: every, Route: "default", Device: "lifepay"},
		}
	}))
	tills := map[string]*Till{"till1": r.till, "net": openTill(t, r.Shop, "net"), "desk": openTill(t, r.Shop, "desk"), "both": openTill(t, r.Shop, "both")}
	for _, c := range []struct {
		till, key, name string
		by              string
		refused         fiscal.Code
	}{
		{till: "till1", by: "front"},
		{till: "net", by: "bifit"},
		{till: "desk", by: "lifepay"},
		{till: "net", key: "route", name: "default", by: "front"},
		{till: "both", by: "front"},
		{till: "net", key: "route", name: "lifepay", by: "lifepay"},
		{till: "net", key: "device", name: "front", by: "front"},
		{till: "desk", key: "route", name: "net", by: "bifit"},
		{till: "till1", key: "device", name: "bifit", by: "bifit"},
		{till: "till1", key: "route", name: "nowhere", refused: fiscal.CodeUnknownRoute},
		{till: "till1", key: "device", name: "nobody", refused: fiscal.CodeUnknownDevice},
		{till: "till1", key: "device", name: "net", refused: fiscal.CodeUnknownDevice},
	} {
		id := NewID()
		payload := Request(id, sale())
		if c.key != "" {
			payload = addressed(id, c.key, c.name, sale())
		}
		a, err := tills[c.till].CallRaw(t.Context(), fiscal.VerbSale, id, payload, nil)
		switch {
		case err != nil:
			t.Error(err)
		case c.refused != "" && (a.State != fiscal.Rejected || a.Error == nil || a.Error.Code != c.refused):
			t.Errorf("%+v: %s", c, a.Raw)
		case c.refused == "" && (a.State != fiscal.Done || a.Route != c.by):
			t.Errorf("%+v: %s", c, a.Raw)
		}
	}
	if a, err := r.till.Call(t.Context(), fiscal.VerbXReport, obj{}); err != nil || a.Route != "front" {
		t.Errorf("an X report of a terminal without a device: %s, %v", a.Raw, err)
	}
}
