package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// faultKinds are all that can go wrong, by the names of FAULTS.
var faultKinds = []string{
	"line", "power", "paper", "foreign", "slow", "clock", "fn", "broker", "cloud", "callback", "disk", "flush", "loss", "kill", "killat",
	"polite", "till", "late", "forge", "blind", "swap", "copy",
}

// plan is everything that a seed decides before the shop opens.
type plan struct {
	seed     uint64
	length   time.Duration
	printers int
	lifepay  bool
	bifit    bool
	embedded bool // the daemon's own broker, else one beside it
	tills    int
	nights   bool          // the shop is closed ten hours of each day; faults are not
	pace     time.Duration // between two commands of a till, on average
	pause    time.Duration // between two faults, on average
	kinds    []string      // faults of this seed
	config   func(*daemon.Config)
	policy   *fiscal.Policy
	mark     string        // where our key goes
	unknown  time.Duration // a doubt becomes held after so long
	doubts   int           // how often what ends in a doubt is drawn
	front    []printer.Config
	text     string
}

// streamOf is the source of one actor: what one draws changes nothing for others.
func streamOf(seed uint64, actor string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(actor))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// between draws a duration to the nanosecond, so that no two actors wake at once.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}

// about draws a duration with a mean, as arrivals of independent people have.
func about(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(min(r.ExpFloat64(), 6)*float64(mean)) + time.Duration(1+r.IntN(999_983))
}

// drawPlan makes the plan of a seed. only, if not empty, are the kinds of
// faults that may happen at all.
func drawPlan(seed uint64, length time.Duration, only []string) plan {
	r := streamOf(seed, "plan")
	p := plan{seed: seed, length: length, printers: pick(r, 1, 1, 2), tills: 1 + r.IntN(4)}
	p.lifepay, p.bifit = oneIn(r, 3), oneIn(r, 3)
	p.embedded = oneIn(r, 10)
	p.pace = pick(r, 4*time.Minute, 15*time.Minute, 40*time.Minute, 40*time.Minute)
	p.pause = pick(r, 10*time.Minute, 25*time.Minute, time.Hour)
	for _, k := range faultKinds {
		wanted := r.IntN(5) > 0
		if k == "swap" { // the end of a storage's life is rare, and hides what a person does blindly
			wanted = r.IntN(4) == 0
		}
		if wanted && (len(only) == 0 || slices.Contains(only, k)) {
			p.kinds = append(p.kinds, k)
		}
	}
	for i := range p.printers {
		p.front = append(p.front, drawPrinter(r, seed, i))
	}
	p.config = drawConfig(r, &p)
	p.policy = drawPolicy(r)
	p.nights = !oneIn(r, 4)
	p.doubts = pick(r, 1, 6)
	p.text = fmt.Sprintf("printers %d, lifepay %t, bifit %t, embedded broker %t, mark %s, nights %t, tills %d, pace %s, pause %s, faults %s",
		p.printers, p.lifepay, p.bifit, p.embedded, p.mark, p.nights, p.tills, p.pace, p.pause, strings.Join(p.kinds, ","))
	return p
}

// openHours are those of the shop, from when the world begins, each day.
const openHours = 14 * time.Hour

// opening is t, or the next opening of the shop after it.
func (w *town) opening(t time.Time) time.Time {
	const day = 24 * time.Hour
	since := t.Sub(w.began) % day
	if !w.plan.nights || since < openHours {
		return t
	}
	return t.Add(day - since + since%time.Minute)
}

// drawPrinter makes a printer with habits of its own.
func drawPrinter(r *rand.Rand, seed uint64, i int) printer.Config {
	c := printer.Config{
		Serial: fmt.Sprintf("%016d", 1000+i), FNSerial: fmt.Sprintf("99990789000%05d", 1+i), Seed: seed + uint64(i),
		FFD: pick(r, byte(ffd.Version12), byte(ffd.Version12), byte(ffd.Version105)),
		Link: printer.LinkOptions{
			QueueWhileBusy: oneIn(r, 4), TrailingFF: oneIn(r, 2), DropPendingOnClose: oneIn(r, 4), Clients: printer.TakeOver,
		},
		Print:             printer.PrintOptions{LineTime: pick(r, 0, 20*time.Millisecond, 60*time.Millisecond)},
		AutoOpenShift:     oneIn(r, 4),
		AutoCancelOnPower: oneIn(r, 3),
		ShortFFErrors:     oneIn(r, 4),
	}
	return c
}

// drawPolicy lengthens the steady rhythms of recovery in most worlds, since
// they are most of the work of a shop in which something is away for hours. The
// first repetitions, where the races are, stay the product's.
func drawPolicy(r *rand.Rand) *fiscal.Policy {
	p := fiscal.DefaultPolicy()
	if !oneIn(r, 8) {
		p.Condition = append(p.Condition, 5*time.Second, 15*time.Second, 40*time.Second, 3*time.Minute)
		p.Doubt = append(p.Doubt, 10*time.Second, 30*time.Second, 100*time.Second)
		p.Refused = append(p.Refused, 2*time.Minute)
	}
	return &p
}

// pollMax is the longest time between two looks at an idle device.
const pollMax = 10 * time.Minute

func drawConfig(r *rand.Rand, p *plan) func(*daemon.Config) {
	auto, mark, poll := !oneIn(r, 4), pick(r, "1192", "1192", "1084", "none"), pick(r, 2*time.Minute, pollMax, 10*time.Second)
	if poll < time.Minute && !oneIn(r, 4) {
		poll = 5 * time.Minute
	}
	late := pick(r, 24*time.Hour, 24*time.Hour, time.Hour)
	p.mark = mark
	unknown := pick(r, 15*time.Minute, 15*time.Minute, 2*time.Minute)
	p.unknown = unknown
	fallback := pick(r, 2*time.Second, 30*time.Second, 5*time.Minute)
	reverse := oneIn(r, 4)
	return func(c *daemon.Config) {
		c.LateAfter, c.UnknownAfter = daemon.Duration(late), daemon.Duration(unknown)
		c.Managers = map[string]daemon.ManagerConfig{"ivanov": {Ops: []string{"*"}}}
		for i := range c.Devices {
			d := &c.Devices[i]
			d.AutoShift, d.Mark, d.Poll = auto, mark, daemon.Duration(poll+time.Duration(i)*time.Second)
		}
		for i := range c.Routes {
			c.Routes[i].FallbackAfter = daemon.Duration(fallback)
			if reverse {
				slices.Reverse(c.Routes[i].Backends)
			}
		}
		if len(c.Routes) == 0 && len(c.Devices) > 1 {
			c.Routes = []daemon.RouteConfig{{Name: daemon.DefaultRoute, Backends: []string{"front", "second"}, FallbackAfter: daemon.Duration(fallback), NoContact: daemon.NoContactSpool}}
		}
		if c.LifePay != nil {
			c.LifePay.Callback.Listen = worldCallbacks
		}
		if !p.embedded {
			c.Broker.Enabled = false
			c.MQTT = []daemon.LinkConfig{{URL: "tcp://" + worldBrokerAddress, Role: daemon.RoleShop}}
		}
	}
}

// Addresses that a world knows beforehand.
const (
	worldBrokerAddress = "127.0.0.1:1884"
	worldCallbacks     = "127.0.0.1:8085"
)

func (p plan) lifePay() *lifepay.Config {
	if !p.lifepay {
		return nil
	}
	r := streamOf(p.seed, "lifepay")
	return &lifepay.Config{
		Seed:   p.seed,
		Delays: lifepay.Delays{Queue: between(r, 0, 3*time.Second), Print: between(r, 0, 3*time.Second), Callback: between(r, 0, 20*time.Second)},
	}
}

func (p plan) bifitConfig() *bifit.Config {
	if !p.bifit {
		return nil
	}
	r := streamOf(p.seed, "bifit")
	return &bifit.Config{
		Seed:   p.seed,
		Delays: bifit.Delays{New: between(r, 1, 2*time.Second), Queued: between(r, 1, 5*time.Second), Registering: between(r, 1, 5*time.Second)},
		Rules:  bifit.Rules{Conflict: oneIn(r, 2)},
	}
}
