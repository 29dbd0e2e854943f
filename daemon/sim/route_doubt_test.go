package sim

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// atClose is the command that decides about a receipt.
func atClose() printer.Trigger { return printer.Command(closeReceipt, closeReceiptV3) }

// A printer that loses power in the middle of a close blocks itself alone: the
// sales after it are made in the clouds, and the one in doubt is found, or made
// once, when the printer is back; after a restart of the daemon too.
func TestRouteDoubtBlocksItsOwnDevice(t *testing.T) {
	t.Parallel()
	type doubt struct {
		do        printer.Action
		restart   bool
		recovered bool
	}
	sideBySide(t, map[string]doubt{
		"made":              {printer.ExecuteThenPowerCycle{Off: time.Hour}, false, true},
		"not made":          {printer.PowerCycleBefore{Off: time.Hour, LoseReceipt: true}, false, false},
		"made, restart":     {printer.ExecuteThenPowerCycle{Off: time.Hour}, true, true},
		"not made, restart": {printer.PowerCycleBefore{Off: time.Hour, LoseReceipt: true}, true, false},
	}, func(t *testing.T, c doubt) {
		r := openRouted(t)
		r.front.Inject(printer.Fault{When: atClose(), Do: c.do})
		first := r.begin(fiscal.VerbSale, "", sale())
		first.unknown()
		behind := r.begin(fiscal.VerbSale, "", sale())
		if a := behind.ends(fiscal.Done); a.Route != daemon.CloudLifePay {
			t.Errorf("%s", a.Raw)
		}
		r.lose(daemon.CloudLifePay)
		r.sell(daemon.CloudBIFIT)
		if c.restart {
			first = r.restart(first)[0]
		}
		r.find("front")
		if a := first.ends(fiscal.Done); a.Route != "front" || a.Recovered != c.recovered {
			t.Errorf("%s", a.Raw)
		}
		r.made(map[string]int{"front": 1, "lifepay": 1, "bifit": 1})
	})
}

// A person gives an attempt of the printer up, and it has made the document
// after all: that is told with what may be done about it, and an alert stands.
// If it is the document that the person named, there is nothing to tell.
func TestRouteLateDocument(t *testing.T) {
	t.Parallel()
	sideBySide(t, map[string]struct {
		action fiscal.Action
		fd     uint32
		ends   fiscal.State
		silent bool
	}{
		"given up":              {fiscal.ResolveGiveUp, 0, fiscal.Abandoned, false},
		"done elsewhere":        {fiscal.ResolveDoneElsewhere, 77, fiscal.Done, false},
		"corrected":             {fiscal.ResolveAsCorrection, 78, fiscal.Done, false},
		"done by that document": {fiscal.ResolveDoneElsewhere, 3, fiscal.Done, true},
	}, func(t *testing.T, c struct {
		action fiscal.Action
		fd     uint32
		ends   fiscal.State
		silent bool
	}) {
		r := openRouted(t, func(o *Options) { o.Policy.Unknown = 300 * time.Millisecond })
		r.front.Inject(printer.Fault{When: atClose(), Do: printer.ExecuteThenPowerCycle{Off: time.Hour}})
		p := r.begin(fiscal.VerbSale, "", sale())
		p.held(fiscal.CodeNeedsPerson)
		if err := resolve(t, r.Shop, p.id, c.action, c.fd); err != nil {
			t.Fatal(err)
		}
		p.ends(c.ends)
		elsewhere(r.Shop, r.front.Storage().Serial(), 3) // a person's matter from here on
		r.find("front")
		r.w.says("dev/front/state", `"link":true`)
		onDev := NewID()
		must(t, r.till, fiscal.VerbCounters, obj{})
		beginRaw(t, r.till, fiscal.VerbSale, onDev, onDevice(onDev, "front", sale())).ends(fiscal.Done)
		if c.silent {
			if n := r.w.count("evt/cloud", p.id); n != 0 {
				t.Errorf("told of %d late documents", n)
			}
			return
		}
		h := r.w.wait(t, "the late document", on("evt/cloud", p.id))
		if !strings.Contains(h.payload, `"what":"late"`) || !strings.Contains(h.payload, `"verb":"refund"`) || !strings.Contains(h.payload, `"fd":3`) {
			t.Errorf("%s", h.payload)
		}
		r.w.stands("dev/front/alert/late-document")
	})
}

// A person who retries while the printer comes back gets the document that was
// made, and no second one: while the printer has not been asked, no cloud of the
// route gets the sale, however long that takes.
func TestRouteRetryFindsTheDocument(t *testing.T) {
	t.Parallel()
	r := openRouted(t, func(o *Options) { o.Policy.Unknown = 300 * time.Millisecond })
	r.front.Inject(printer.Fault{When: atClose(), Do: printer.ExecuteThenPowerCycle{Off: time.Hour}})
	p := r.begin(fiscal.VerbSale, "", sale())
	held := p.held(fiscal.CodeNeedsPerson)
	if err := resolve(t, r.Shop, p.id, fiscal.ResolveRetry, 0); err != nil {
		t.Fatal(err)
	}
	p.asked(held)
	next := r.begin(fiscal.VerbSale, "", sale())
	if a := next.ends(fiscal.Done); a.Route != daemon.CloudLifePay { // what is not in doubt goes on
		t.Errorf("%s", a.Raw)
	}
	r.find("front")
	if a := p.ends(fiscal.Done); !a.Recovered || a.Route != "front" || a.Fiscal.FD != 3 {
		t.Errorf("%s", a.Raw)
	}
	r.made(map[string]int{"front": 1, "lifepay": 1})
}

// A printer that is away and back every moment, and clouds that come and go:
// every sale of two tills is one document of three ledgers.
func TestRouteBouncingPrinter(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	r := openRouted(t, with(func(c *daemon.Config) { c.Routes[0].FallbackAfter = daemon.Duration(time.Second) }))
	const tills, sales, bounces = 2, 30, 12
	for i := range bounces {
		off := time.Duration(20+random.IntN(100)) * time.Millisecond
		if i%4 == 3 {
			off = 2 * time.Second // long enough to send receipts on
		}
		var do printer.Action = printer.ExecuteThenPowerCycle{Off: off}
		if random.IntN(2) == 0 {
			do = printer.PowerCycleBefore{Off: off, LoseReceipt: random.IntN(2) == 0, KeepReceipt: true}
		}
		r.front.Inject(printer.Fault{When: printer.Command(0x8D, 0xFF46, closeReceipt, closeReceiptV3), Nth: 5*i + 2 + random.IntN(5), Do: do})
	}
	var group sync.WaitGroup
	for i := range tills {
		till := openTill(t, r.Shop, []string{"left", "right"}[i])
		group.Go(func() {
			for n := range sales {
				if i == 0 && n%10 == 5 {
					r.CutCloud(daemon.CloudLifePay)
				}
				must(t, till, fiscal.VerbSale, sale())
				if i == 0 && n%10 == 7 {
					r.find(daemon.CloudLifePay)
				}
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range r.receipts() {
		total += n
	}
	if got := r.receipts(); total != tills*sales || got["front"] == 0 {
		t.Errorf("%d sales became %v", tills*sales, got)
	}
}
