package sim

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// socket is a printer's TCP port that can be taken away from the host.
type socket struct {
	net.Listener
	mu    sync.Mutex
	gone  bool
	conns []net.Conn
}

func newSocket() (*socket, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	return &socket{Listener: l}, err
}

// Accept implements net.Listener. While the port is away, hosts are hung up on.
func (k *socket) Accept() (net.Conn, error) {
	for {
		c, err := k.Listener.Accept()
		if err != nil {
			return nil, err
		}
		k.mu.Lock()
		gone := k.gone
		k.conns = append(k.conns, c)
		k.mu.Unlock()
		if !gone {
			return c, nil
		}
		c.Close()
	}
}

func (k *socket) takeAway() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gone = true
	for _, c := range k.conns {
		c.Close()
	}
	k.conns = nil
}

func (k *socket) giveBack() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gone = false
}

// mortal is a shop whose daemon dies between two commands to the printer.
type mortal struct {
	t      *testing.T
	shop   *Shop
	bench  *bench
	socket *socket
	copies chan journalFiles // the store as it was at the death
}

func newMortal(t *testing.T, o order) *mortal {
	m := &mortal{t: t, copies: make(chan journalFiles, 1)}
	m.shop = openShop(t, Options{
		Printers: map[string]printer.Config{"front": o.printer(1)}, Config: hurried, Policy: impatient(),
		Listen: func(string) (net.Listener, error) {
			var err error
			m.socket, err = newSocket()
			return m.socket, err
		},
	})
	m.bench = newBench(m.shop, "front")
	if o.shift {
		disown(m.shop, "front", 2)
	}
	return m
}

// dieAfter arms the death: when the printer has executed n more commands, the
// store stays as it is on disk at that moment, and the line is cut.
func (m *mortal) dieAfter(n int) {
	dir := m.shop.Config.DataDir
	m.bench.Inject(printer.Fault{When: printer.Any(), Nth: n, Do: printer.Call{When: printer.After, Do: func(*printer.Printer) {
		if m.t.Context().Err() != nil {
			return // the order was quicker
		}
		copied := readJournal(m.t, dir)
		m.socket.takeAway()
		m.copies <- copied
	}}})
}

// rise puts the store of the death in place and starts the daemon again.
func (m *mortal) rise(copied journalFiles) {
	m.t.Helper()
	if err := m.shop.Stop(); err != nil {
		m.t.Error(err)
	}
	copied.put(m.t, m.shop.Config.DataDir)
	m.socket.giveBack()
	m.shop.Config.Broker.Listen = "127.0.0.1:0" // the old port may be somebody else's by now
	if err := m.shop.Start(m.t.Context()); err != nil {
		m.t.Error(err)
	}
}

// quietTill opens a terminal when the daemon has looked at the device, so that
// the commands counted are those of the order.
func (m *mortal) quietTill() *Till {
	m.t.Helper()
	till := openTill(m.t, m.shop, "till1")
	if _, err := till.Call(m.t.Context(), fiscal.VerbStatus, obj{}); err != nil {
		m.t.Fatal(err)
	}
	return till
}

// commandsOf counts the commands that an undisturbed order takes.
func commandsOf(t *testing.T, o order) int {
	m := newMortal(t, o)
	till := m.quietTill()
	n := 0
	var mu sync.Mutex
	m.bench.OnCommand(func([]byte) {
		mu.Lock()
		defer mu.Unlock()
		n++
	})
	must(t, till, o.verb, o.body)
	mu.Lock()
	defer mu.Unlock()
	return n
}

// dies lets the daemon die after so many commands of the order, of its next
// life and so on, and wants one document of all of it.
func dies(t *testing.T, o order, deaths ...int) {
	m := newMortal(t, o)
	till := m.quietTill()
	before, drawer := len(m.bench.Storage().Ledger()), m.bench.Drawer()
	id := NewID()
	m.dieAfter(deaths[0])
	for i := range deaths {
		p := beginRaw(t, till, o.verb, id, Request(id, o.body))
		select {
		case copied := <-m.copies:
			till.link.Close()
			if i+1 < len(deaths) {
				m.dieAfter(deaths[i+1])
			}
			m.rise(copied)
			till = openTill(t, m.shop, "till1")
		case <-p.final: // there was not so much to do
			m.bench.ClearFaults()
		}
	}
	a, err := till.CallID(soon(t), o.verb, id, o.body, nil)
	if err != nil {
		t.Errorf("deaths after %v commands: %v", deaths, err)
		return
	}
	(&ordeal{order: o, trouble: trouble{name: fmt.Sprintf("deaths after %v", deaths)}, bench: m.bench}).check(t, a, before, drawer)
}

// The daemon dies after each command that an order takes, with the store as it
// is on disk then, and starts again: one document.
func TestDeathAtEveryCommand(t *testing.T) {
	t.Parallel()
	var lives errgroup.Group
	lives.SetLimit(16)
	for _, o := range orders() {
		for n := range commandsOf(t, o) {
			lives.Go(func() error { dies(t, o, n+1); return nil })
		}
	}
	lives.Wait()
}

// The next life dies too, at each command of finding out what became of the
// last one.
func TestDeathInRecovery(t *testing.T) {
	t.Parallel()
	var lives errgroup.Group
	lives.SetLimit(16)
	for _, o := range orders()[:2] {
		total := commandsOf(t, o)
		for _, n := range []int{total - 3, total - 6} {
			for k := 1; k <= 30; k += 3 {
				lives.Go(func() error { dies(t, o, n, k); return nil })
			}
		}
	}
	lives.Wait()
}
