package sim

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"kassad/daemon"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/spool/spooltest"
)

// town is a shop under a seed: everything in it is the product's own but the
// people, the devices, the network, the disk and the time.
type town struct {
	plan    plan
	began   time.Time
	shop    *Shop
	network *Network
	broker  *worldBroker
	disk    *spooltest.Disk
	trace   *worldTrace
	tills   []*worldTill
	keeper  *keeper

	devices   []string // printers
	clouds    []string
	routes    []string
	lines     map[string]*Line
	lineNames []string
	hush      chan struct{} // closed: the second phase

	mu        sync.Mutex
	cents     fiscal.Money
	errands   map[string]*chore
	order     []*chore
	never     map[fiscal.Money]bool // totals that must not be in any ledger
	byHand    map[string]string     // document → command that a person has settled with it
	gaveUp    map[string]bool       // commands that a person gave up
	counts    map[string]int
	broken    []string // violations
	mends     map[int]*mending
	mendNext  int
	events    map[uint64]bool
	told      map[string]bool      // ids whose end an event has told
	acked     []string             // ids that the present life has acknowledged to the broker
	decided   map[string]bool      // ids that a person has spoken about
	lost      map[string]bool      // ids that the journal may have forgotten with an older copy
	barred    map[string]bool      // ids that a till took back before they were made
	strangers map[string]time.Time // receipts of other programs, and when they were made
	beside    map[string]uint32    // the last of them that a printer made beside an open receipt
	doomed    bool                 // the power goes right after the next flush
	isFull    bool                 // the disk
	foes      foes
	wasFull   bool // at some time of the present life
}

// mending is what gives back what a fault has taken.
type mending struct {
	timer *time.Timer
	do    func()
}

// runWorld lives a shop's days under a seed.
func runWorld(t *testing.T, p plan, out io.Writer, log slog.Handler) (o outcome) {
	t.Helper()
	dir := memoryDir(t)
	cryptotest.SetGlobalRandom(t, p.seed)
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(virtualStart))
		w := newWorld(p, dir, out)
		if err := w.open(t.Context(), log); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.live(t.Context())
		o = outcome{Seed: p.seed, Plan: p.text, Settled: w.settle(t.Context()).Hours()}
		w.judge()
		o.Hours = time.Since(began).Hours()
		w.close()
		o.Trace, o.Violations, o.Counts, o.Receipts, o.tail = w.trace.end(), w.broken, w.counts, w.sales(), w.trace.tail
	})
	return o
}

func newWorld(p plan, dir string, out io.Writer) *town {
	w := &town{
		plan: p, began: time.Now(), network: NewNetwork(), disk: spooltest.NewDisk(dir), trace: newTrace(out), hush: make(chan struct{}),
		errands: map[string]*chore{}, never: map[fiscal.Money]bool{}, byHand: map[string]string{}, gaveUp: map[string]bool{},
		counts: map[string]int{}, mends: map[int]*mending{}, events: map[uint64]bool{}, told: map[string]bool{}, decided: map[string]bool{}, strangers: map[string]time.Time{}, beside: map[string]uint32{}, lost: map[string]bool{}, barred: map[string]bool{}, lines: map[string]*Line{}, cents: 10_00,
		foes: newFoes(),
	}
	w.trace.dir = dir
	w.trace.add("world", "-", "opens", "seed %d, %s", p.seed, p.text)
	opt := Options{
		Dir: dir, Network: w.network, LifePay: p.lifePay(), BIFIT: p.bifitConfig(), Config: p.config, Printers: map[string]printer.Config{}, Disk: w.disk, Stopped: true, Policy: p.policy,
		Life: func(o *daemon.Options) { o.Health, o.Links.Draw = worldHealth, w.drawPause },
	}
	for i, c := range p.front {
		name := []string{"front", "second"}[i]
		w.devices = append(w.devices, name)
		opt.Printers[name] = c
	}
	w.disk.OnFlush(w.flushes)
	w.shop = &Shop{opt: opt}
	return w
}

// flushes is called before each flush: it takes time, and the power may go soon
// after it.
func (w *town) flushes() {
	w.mu.Lock()
	doomed := w.doomed
	w.doomed = false
	w.mu.Unlock()
	d := 200*time.Microsecond + w.now("flush", 6*time.Millisecond)
	if doomed {
		time.AfterFunc(d+w.now("doom", 3*time.Millisecond), func() { w.die(death{kind: "loss", off: w.now("off", time.Minute)}) })
	}
	<-time.After(d)
}

// now draws a duration up to most for something that happens at this instant,
// whatever has been drawn before.
func (w *town) now(what string, most time.Duration) time.Duration {
	return time.Duration(streamOf(w.plan.seed^uint64(time.Now().UnixNano()), what).Int64N(int64(most)) + 1)
}

func (w *town) drawPause(most time.Duration) time.Duration { return w.now("pause", most) }

// open builds the shop and lets everybody in.
func (w *town) open(ctx context.Context, log slog.Handler) (err error) {
	opt := w.shop.opt
	opt.Log = slog.New(&journalLog{trace: w.trace, more: log})
	if !w.plan.embedded {
		w.broker = newWorldBroker(w.network, worldBrokerAddress)
		w.broker.heard, w.broker.acked = w.hear, w.noteAck
		if err := w.broker.open(); err != nil {
			return err
		}
	}
	if w.shop, err = Open(ctx, opt); err != nil {
		return err
	}
	if w.plan.lifepay {
		w.clouds = append(w.clouds, daemon.CloudLifePay)
		w.shop.calls.Store(worldCallbacks)
	}
	if w.plan.bifit {
		w.clouds = append(w.clouds, daemon.CloudBIFIT)
	}
	w.routes = append(append([]string{daemon.DefaultRoute}, w.devices...), w.clouds...)
	if len(w.devices) == 1 && len(w.clouds) == 0 {
		w.routes = w.routes[1:]
	}
	w.layLines()
	w.keeper = newKeeper(w)
	return nil
}

// layLines gives every line a delay of its own, and a name for faults.
func (w *town) layLines() {
	add := func(name, address string) {
		line := w.network.Line(address)
		line.Delay = lineDelay + time.Duration(7919*(len(w.lineNames)+1))
		w.lines[name] = line
		w.lineNames = append(w.lineNames, name)
	}
	for i, name := range w.devices {
		add(name, w.shop.Config.Devices[i].Address[len("tcp://"):])
	}
	if w.plan.embedded {
		add("broker", virtualBroker)
	} else {
		add("broker", worldBrokerAddress)
	}
	for _, name := range w.clouds {
		add(name, w.shop.doors[name].address)
	}
	if w.plan.lifepay {
		add("callbacks", w.shop.doors[callbackDoor].address)
	}
}

// live is the first phase: everybody acts, and things go wrong.
func (w *town) live(ctx context.Context) {
	go w.keeper.run()
	for i := range w.plan.tills {
		t := w.newTill(i + 1)
		w.tills = append(w.tills, t)
		w.keeper.group.Go(func() { t.run(w.keeper.ctx) })
	}
	f := &fiend{w: w, rng: streamOf(w.plan.seed, "fiend")}
	w.keeper.group.Go(func() { f.run(w.keeper.ctx) })
	person := &person{w: w, rng: streamOf(w.plan.seed, "person")}
	w.keeper.group.Go(func() { person.run(w.keeper.ctx) })
	end := time.NewTimer(w.plan.length)
	defer end.Stop()
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	for {
		select {
		case <-tidy.C:
			collectGarbage()
		case <-end.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// tidyEvery is how often the world looks whether there is garbage enough, at
// instants of its own.
const tidyEvery = 11*time.Minute + 43*time.Nanosecond

// garbageEnough, in bytes: the collector takes its time, and so do fresh pages.
const garbageEnough = 192 << 20

// collectGarbage does what the runtime is kept from doing by itself
// (worldEnvironment), while everybody waits: then it changes no order.
func collectGarbage() {
	synctest.Wait()
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapAlloc > garbageEnough {
		runtime.GC()
	}
}

// worldHealth is rare: a measurement collects garbage.
const worldHealth = 6 * time.Hour

// settleBound is how long everything may take to end after the last fault.
const settleBound = 6 * time.Hour

// quietTime is enough for the answers to what was sent twice, and for a look at
// every device.
const quietTime = pollMax + time.Minute

// settle is the second phase: nothing goes wrong any more, and everything that
// was accepted reaches its end. It tells how long that took.
func (w *town) settle(ctx context.Context) time.Duration {
	began := time.Now()
	w.trace.add("world", "-", "calm", "")
	w.heal()
	close(w.hush)
	for time.Since(began) < settleBound && ctx.Err() == nil {
		<-time.After(30*time.Second + 41*time.Nanosecond)
		if left := w.unsettled(); len(left) == 0 {
			took := time.Since(began)
			<-time.After(quietTime)
			if len(w.unsettled()) == 0 {
				return took
			}
		}
	}
	for _, left := range w.unsettled() {
		w.violation("not settled %s after the last fault: %s", settleBound, left)
	}
	return time.Since(began)
}

// unsettled lists what has not ended.
func (w *town) unsettled() (list []string) {
	synctest.Wait() // the tills note what they hear by themselves
	w.mu.Lock()
	for _, e := range w.order {
		if !e.over {
			list = append(list, fmt.Sprintf("%s %s is %q (%s)", e.verb, e.id, e.state, e.waiting))
		}
	}
	w.mu.Unlock()
	d := w.keeper.daemon()
	if d == nil {
		return append(list, "the daemon is not running")
	}
	s := d.Status().Spool
	if s.Queued+s.Registered+s.Outbox+len(s.Held)+len(s.Unknown) > 0 {
		list = append(list, fmt.Sprintf("spool: queued %d, registered %d, outbox %d, unknown %v, held %v", s.Queued, s.Registered, s.Outbox, s.Unknown, s.Held))
	}
	return list
}

// heal ends all faults.
func (w *town) heal() {
	w.mu.Lock()
	keys := make([]int, 0, len(w.mends))
	for k := range w.mends {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var todo []func()
	for _, k := range keys {
		if m := w.mends[k]; m.timer.Stop() {
			todo = append(todo, m.do)
		}
		delete(w.mends, k)
	}
	w.mu.Unlock()
	for _, do := range todo {
		do()
	}
	for _, name := range w.lineNames {
		w.lines[name].Script()
		w.lines[name].Up()
	}
	for _, name := range w.devices {
		p := w.shop.Printers[name]
		p.ClearFaults()
		p.PowerOn()
		p.PaperIn()
		p.SetCover(false)
		p.AdvanceClock(time.Until(p.Clock()) * -1)
	}
	w.fill(false)
	w.disk.FailFlush(0)
	w.mu.Lock()
	w.doomed = false
	w.mu.Unlock()
	w.disk.KillAt(0, nil)
	if w.shop.LifePay != nil {
		w.shop.LifePay.ClearFaults()
		w.shop.LifePay.Release()
	}
	if w.shop.BIFIT != nil {
		w.shop.BIFIT.ClearFaults()
		w.shop.BIFIT.Release()
	}
	if w.broker != nil {
		w.broker.spoil(func(b *brokerFaults) { *b = brokerFaults{} })
		if !w.broker.isUp() {
			_ = w.broker.open() // its address is free
		}
	}
}

// mend does something after d, or when the faults end.
func (w *town) mend(d time.Duration, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mendNext++
	key := w.mendNext
	m := &mending{do: do}
	m.timer = time.AfterFunc(d, func() {
		w.mu.Lock()
		delete(w.mends, key)
		w.mu.Unlock()
		do()
	})
	w.mends[key] = m
}

func (w *town) close() {
	w.keeper.close()
	if w.broker != nil {
		w.broker.shut(false)
	}
	if err := w.shop.Close(); err != nil {
		w.violation("closing: %v", err)
	}
}

// may tells whether a kind of trouble belongs to this seed.
func (w *town) may(kind string) bool { return slices.Contains(w.plan.kinds, kind) }

func (w *town) count(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[kind]++
}

// amount is a sum of money that nothing else in this world has.
func (w *town) amount() fiscal.Money {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cents++
	return w.cents
}

// forbidden is an amount that must not come into any ledger.
func (w *town) forbidden() fiscal.Money {
	total := w.amount()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.never[total] = true
	return total
}

// fill makes the disk full, or not.
func (w *town) fill(full bool) {
	w.disk.SetFull(full)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isFull, w.wasFull = full, w.wasFull || full
}

func (w *town) enter(e *chore) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errands[e.id] = e
	w.order = append(w.order, e)
}

func (w *town) errand(id string) *chore {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.errands[id]
}

// disown marks documents that are nobody's.
func (w *town) disown(p *printer.Printer, after uint32) {
	w.shop.mu.Lock()
	defer w.shop.mu.Unlock()
	for _, e := range p.Storage().LedgerSince(after) {
		if e.FD > after {
			w.shop.foreign[docID(p.Storage().Serial(), e.FD)] = true
		}
	}
}

func (w *town) cutBroker() {
	if w.broker != nil {
		w.broker.cut()
		return
	}
	w.lines["broker"].Reset()
}

func (w *town) mendCloud(name string) {
	d := w.shop.doors[name]
	d.mu.Lock()
	shut := d.server == nil
	d.mu.Unlock()
	if shut {
		if err := w.shop.MendCloud(name); err != nil {
			w.violation("%s does not open: %v", name, err)
		}
	}
}

func (w *town) violation(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.trace.add("VIOLATION", "-", "", "%s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, text)
}

// die ends the daemon's life. A kill takes effect at once, wherever it is.
func (w *town) die(d death) { w.keeper.die(d) }
