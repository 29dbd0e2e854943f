package sim

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
	backend *matrixBackend

	warm    bool   // a document was made in this life of the daemon
	strike  func() // kills the daemon, once a cell
	killed  atomic.Bool
	revived sync.WaitGroup // the next life of a daemon that was struck
}

// matrixDir is a folder in memory where there is one: flushes cost nothing.
func matrixDir(t *testing.T) string {
	t.Helper()
	const memory = "/dev/shm"
	if st, err := os.Stat(memory); err != nil || !st.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "matrix-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// onBench opens a shop in virtual time for a story.
func onBench(t *testing.T, backend *matrixBackend, log *slog.Logger, story func(b *matrixBench)) {
	t.Helper()
	dir := matrixDir(t)
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(virtualStart))
		opt := backend.options()
		opt.Dir, opt.Network, opt.Disk, opt.Log = dir, NewNetwork(), spooltest.NewDisk(dir), log
		s, err := Open(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close() // what a killed daemon has to say is of no interest
		till, err := s.Till(t.Context(), "till1")
		if err != nil {
			t.Fatal(err)
		}
		story(&matrixBench{t: t, ctx: t.Context(), shop: s, till: till, disk: opt.Disk, backend: backend})
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
		told := b.command(o)
		if end, _ := told.end(); end != endOnce {
			return fmt.Errorf("a clean %s ends %s: %s", o.verb, end, told.last.Raw)
		}
		b.warm = true
	}
	return b.ready(o)
}

func (b *matrixBench) ready(o matrixOrder) error {
	if p := b.shop.Printers[matrixPrinter]; p != nil {
		if err := b.look(); err != nil {
			return err
		}
		shift := p.Storage().Shift()
		if o.open && !shift.Open {
			return b.must(fiscal.VerbShiftOpen)
		}
		if o.form == fiscal.FormShiftOpen && shift.Open {
			return b.must(fiscal.VerbShiftClose)
		}
	}
	return nil
}

func (b *matrixBench) must(verb fiscal.Verb) error {
	a, err := b.till.Call(b.ctx, verb, obj{"cashier": cashier})
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
	drawer    int64
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
	if c.place == placeAgainOut || c.place == placeAgainIn {
		b.backend.line(b.shop).Reset()
	}
	line, direction := b.place(c.place)
	b.strike = sync.OnceFunc(func() {
		b.shop.Strike()
		b.killed.Store(true)
		b.revived.Go(b.revive)
	})
	if c.place == placeDisk {
		before := b.disk.Writes()
		b.disk.KillAt(int(c.k), b.strike)
		return func() bool { return int64(b.disk.Writes()-before) >= c.k }
	}
	if c.fault == faultLate {
		return line.Late(direction, c.k, b.backend.late)
	}
	script := line.Script(b.faults(c, direction)...)
	return func() bool {
		in, out := script.Seen()
		if direction == link.In {
			return in > c.k || b.gone(c) && in >= c.k
		}
		return out > c.k || b.gone(c) && out >= c.k
	}
}

// gone tells whether a fault takes the byte with it.
func (b *matrixBench) gone(c matrixCell) bool {
	return c.fault == faultCut || c.fault == faultPower || c.fault == faultKill
}

func (b *matrixBench) faults(c matrixCell, d link.Direction) []link.Fault {
	at := func(kind link.FaultKind) link.Fault { return link.Fault{Direction: d, Kind: kind, At: c.k} }
	switch c.fault {
	case faultFlip, faultTurn:
		f := at(link.Flip)
		f.Mask = c.mask()
		return []link.Fault{f}
	case faultPower:
		f := at(link.Call)
		f.Do = func() { b.backend.power(b.shop) }
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
		return b.backend.line(b.shop), link.In
	case placeBrokerOut:
		return b.shop.opt.Network.Line(b.shop.Broker), link.Out
	case placeBrokerIn:
		return b.shop.opt.Network.Line(b.shop.Broker), link.In
	default:
		return b.backend.line(b.shop), link.Out
	}
}

// count runs an order without a fault and counts what passes at each place. A
// place of a new connection is counted on one.
func (b *matrixBench) count(o matrixOrder, place string) (map[string]int64, error) {
	if err := b.prepare(o); err != nil {
		return nil, err
	}
	if place == placeAgainOut {
		b.backend.line(b.shop).Reset()
	}
	wire, broker := b.backend.line(b.shop).Script(), b.shop.opt.Network.Line(b.shop.Broker).Script()
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
	return map[string]int64{
		placeOut: out, placeIn: in, placeBrokerOut: brokerOut, placeBrokerIn: brokerIn, placeDisk: int64(b.disk.Writes() - writes),
	}, nil
}

// revive starts the daemon again after its death.
func (b *matrixBench) revive() {
	b.warm = false
	b.shop.Kill()
	<-time.After(matrixRevive)
	if err := b.shop.Start(b.ctx); err != nil {
		b.t.Errorf("start after a kill: %v", err)
	}
}
