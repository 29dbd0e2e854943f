package sim

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	"kassad/devices/link"
	"kassad/fiscal"
	"kassad/spool/spooltest"
)

// matrixBench is one life of a shop in which cells are run one after the other.
type matrixBench struct {
	t       *testing.T
	ctx     context.Context
	shop    *Shop
	till    *Till
	disk    *spooltest.Disk
	dir     string
	network *Network
	backend *matrixBackend
	line    *Line // from the daemon to the backend
	closers []func()

	calm   bool   // the last command left no doubt about a cloud
	warm   bool   // a document was made in this life of the daemon
	strike func() // kills the daemon, once a cell
	killed atomic.Bool
	lives  chan struct{} // one start of a daemon at a time; a mutex would stop virtual time

	mu      sync.Mutex
	revived chan struct{} // closed: the daemon that was struck last runs again
}

// onBench opens a shop in virtual time for a story.
func onBench(t *testing.T, backend *matrixBackend, log *slog.Logger, story func(b *matrixBench)) {
	t.Helper()
	dir := memoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(virtualStart))
		b := &matrixBench{t: t, ctx: t.Context(), disk: spooltest.NewDisk(dir), dir: dir, network: NewNetwork(), backend: backend, lives: make(chan struct{}, 1)}
		opt := backend.options(b)
		opt.Dir, opt.Network, opt.Disk, opt.Log = dir, b.network, b.disk, log
		defer func() {
			for _, end := range b.closers {
				end()
			}
			<-time.After(2 * dialTimeout) // a terminal that was about to connect again gives up
		}()
		var err error
		if b.shop, err = Open(b.ctx, opt); err != nil {
			t.Fatal(err)
		}
		defer b.shop.Close() // what a killed daemon has to say is of no interest
		if b.till, err = b.shop.Till(b.ctx, "till1"); err != nil {
			t.Fatal(err)
		}
		story(b)
	})
}

// order is a command of the backend.
func (b *matrixBackend) order(verb fiscal.Verb) (matrixOrder, bool) {
	i := slices.IndexFunc(b.orders, func(o matrixOrder) bool { return o.verb == verb })
	if i < 0 {
		return matrixOrder{}, false
	}
	return b.orders[i], true
}

// prepare brings the shop to where a cell begins: everything well, the shift as
// the order wants it, and the catching up of a first document over.
func (b *matrixBench) prepare(o matrixOrder) error {
	if !b.warm {
		if err := b.ready(o); err != nil {
			return err
		}
		if o.verb == fiscal.VerbCashOut && b.backend.made != nil { // a new drawer is empty
			if err := b.must(fiscal.VerbCashIn); err != nil {
				return err
			}
		}
		told := b.command(o)
		if end, _ := told.end(); end != endOnce {
			return fmt.Errorf("a clean %s ends %s: %s", o.verb, end, told.last.Raw)
		}
		b.warm = true
	}
	return b.ready(o)
}

func (b *matrixBench) ready(o matrixOrder) error {
	if b.backend.made == nil {
		if err := b.look(); err != nil {
			return err
		}
	} else if !b.calm {
		<-time.After(matrixCloudCalm)
	}
	switch open := b.open(); {
	case o.open && !open && b.backend.device != daemon.CloudBIFIT:
		return b.must(fiscal.VerbShiftOpen)
	case o.form == fiscal.FormShiftOpen && open:
		return b.must(fiscal.VerbShiftClose)
	}
	return nil
}

// open tells whether the shift is.
func (b *matrixBench) open() (open bool) {
	if b.backend.made == nil {
		return b.shop.Printers[matrixPrinter].Storage().Shift().Open
	}
	for _, ledger := range b.backend.ledger(b.shop) {
		for _, e := range ledger {
			switch e.Form {
			case fiscal.FormShiftOpen:
				open = true
			case fiscal.FormShiftClose:
				open = false
			}
		}
	}
	return open
}

func (b *matrixBench) must(verb fiscal.Verb) error {
	id, body := NewID(), obj{"cashier": cashier}
	if verb == fiscal.VerbCashIn {
		body["amount"] = 100_000
	}
	a, err := b.till.CallRaw(b.ctx, verb, id, onDevice(id, b.backend.device, body), nil)
	if err == nil && a.State != fiscal.Done {
		err = fmt.Errorf("%s: %s", verb, a.Raw)
	}
	return err
}

// look has the daemon read the status until the device is well: the line is
// quiet then.
func (b *matrixBench) look() (err error) {
	for range 30 {
		id := NewID()
		var a Answer
		if a, err = b.till.CallRaw(b.ctx, fiscal.VerbStatus, id, onDevice(id, matrixPrinter, obj{}), nil); err == nil && a.State == fiscal.Done {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("status: %s", a.Raw)
		}
		<-time.After(2 * time.Second)
	}
	return err
}

// account is what may not change but by one document.
type account struct {
	documents map[string]int // ledger entries by FN
	drawer    int64          // of a printer
	cloud     int            // documents of a cloud
}

func (b *matrixBench) account() (account, error) {
	books, err := b.shop.ledgers()
	a := account{documents: map[string]int{}}
	for serial, ledger := range books.Ledgers {
		a.documents[serial] = len(ledger)
	}
	if p := b.shop.Printers[matrixPrinter]; p != nil {
		a.drawer = p.Drawer()
	}
	if b.backend.made != nil {
		a.cloud = b.backend.made(b.shop)
	}
	return a, err
}

// since are the documents made after an account, but those of nobody.
func (b *matrixBench) since(before account) (made []fn.Entry, drawer int64, err error) {
	books, err := b.shop.ledgers()
	for serial, ledger := range books.Ledgers {
		for _, e := range ledger[before.documents[serial]:] {
			if !books.Foreign[docID(serial, e.FD)] {
				made = append(made, e)
			}
		}
	}
	if p := b.shop.Printers[matrixPrinter]; p != nil {
		drawer = p.Drawer() - before.drawer
	}
	return made, drawer, err
}

// arm lays the fault in the way. reached tells whether the exchange came there.
func (b *matrixBench) arm(c matrixCell) (reached func() bool) {
	line, direction := b.place(c.place)
	b.strike = sync.OnceFunc(func() {
		b.killed.Store(true)
		b.shop.Strike()
		revived := make(chan struct{})
		b.mu.Lock()
		b.revived = revived
		b.mu.Unlock()
		go func() {
			defer close(revived)
			b.revive()
		}()
	})
	if c.place == placeDisk {
		before := b.disk.Writes()
		b.disk.KillAt(int(c.k), b.strike)
		return func() bool { return int64(b.disk.Writes()-before) >= c.k }
	}
	script := line.Script(b.faults(c, direction)...)
	var late func() bool
	if c.fault == faultLate {
		late = line.Late(direction, c.k, b.backend.late)
	}
	if c.place == placeAgainOut || c.place == placeAgainIn {
		b.renew()
	}
	if late != nil {
		return late
	}
	return func() bool {
		in, out := script.Seen()
		if direction == link.In {
			return in > c.k || b.gone(c) && in >= c.k
		}
		return out > c.k || b.gone(c) && out >= c.k
	}
}

// renew makes the daemon begin anew with the backend.
func (b *matrixBench) renew() {
	if b.backend.again == nil {
		b.line.Reset()
		return
	}
	b.lives <- struct{}{}
	defer func() { <-b.lives }()
	if err := b.backend.again(b); err != nil && !b.killed.Load() {
		b.t.Error(err)
	}
}

// gone tells whether a fault takes the byte with it.
func (b *matrixBench) gone(c matrixCell) bool {
	return c.fault == faultCut || c.fault == faultPower || c.fault == faultKill
}

func (b *matrixBench) faults(c matrixCell, d link.Direction) []link.Fault {
	at := func(kind link.FaultKind) link.Fault { return link.Fault{Direction: d, Kind: kind, At: c.k} }
	switch c.fault {
	case faultLate:
		return nil
	case faultFlip, faultTurn:
		f := at(link.Flip)
		f.Mask = c.mask()
		return []link.Fault{f}
	case faultPower:
		f := at(link.Call)
		f.Do = func() { b.backend.power(b) }
		return []link.Fault{f, at(link.Cut)}
	case faultKill:
		f := at(link.Call)
		f.Do = b.strike
		return []link.Fault{f}
	default:
		return []link.Fault{at(link.FaultKind(c.fault))}
	}
}

func (b *matrixBench) place(name string) (*Line, link.Direction) {
	switch name {
	case placeIn, placeAgainIn:
		return b.line, link.In
	case placeCallOut, placeCallIn:
		calls, _ := b.shop.calls.Load().(string)
		d := link.Out
		if name == placeCallIn {
			d = link.In
		}
		return b.network.Line(calls), d
	case placeBrokerOut:
		return b.network.Line(b.shop.Broker), link.Out
	case placeBrokerIn:
		return b.network.Line(b.shop.Broker), link.In
	default:
		return b.line, link.Out
	}
}

// await waits for a daemon that was struck to run again.
func (b *matrixBench) await() {
	b.mu.Lock()
	revived := b.revived
	b.mu.Unlock()
	if revived != nil {
		<-revived
	}
}

// count runs an order without a fault and counts what passes at each place, on
// the connection that there is or on a new one.
func (b *matrixBench) count(o matrixOrder, place string) (map[string]int64, error) {
	if err := b.prepare(o); err != nil {
		return nil, err
	}
	wire, broker := b.line.Script(), b.network.Line(b.shop.Broker).Script()
	if place == placeAgainOut {
		b.renew()
	}
	var calls *link.Script
	if _, ok := b.shop.calls.Load().(string); ok {
		line, _ := b.place(placeCallOut)
		calls = line.Script()
	}
	writes := b.disk.Writes()
	told := b.command(o)
	if end, _ := told.end(); end != endOnce {
		return nil, fmt.Errorf("a clean run ends %s: %s", end, told.last.Raw)
	}
	in, out := wire.Seen()
	if place == placeAgainOut {
		return map[string]int64{placeAgainOut: out, placeAgainIn: in}, nil
	}
	brokerIn, brokerOut := broker.Seen()
	sizes := map[string]int64{
		placeOut: out, placeIn: in, placeBrokerOut: brokerOut, placeBrokerIn: brokerIn, placeDisk: int64(b.disk.Writes() - writes),
	}
	if calls != nil {
		callIn, callOut := calls.Seen()
		sizes[placeCallOut], sizes[placeCallIn] = callOut, callIn
	}
	return sizes, nil
}

// revive starts the daemon again after its death.
func (b *matrixBench) revive() {
	b.lives <- struct{}{}
	defer func() { <-b.lives }()
	b.warm = false
	b.shop.Kill()
	<-time.After(matrixRevive)
	if err := b.shop.Start(b.ctx); err != nil {
		b.t.Errorf("start after a kill: %v", err)
	}
}
