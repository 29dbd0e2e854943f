package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kassad/daemon"
	"kassad/devices"
	"kassad/devices/emul/bifit"
	"kassad/devices/emul/fn"
	"kassad/devices/emul/lifepay"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
	"kassad/spool/spooltest"
)

// Limits of a shop's life in tests and the demo.
const (
	startTimeout = 20 * time.Second
	callTimeout  = 120 * time.Second

	fallbackAfter = 2 * time.Second
)

// Options describe a shop. Its zero value is one printer with FFD 1.2 on TCP.
type Options struct {
	Dir       string                    // data directory; kept
	Printers  map[string]printer.Config // by device name; default "front"
	NoPrinter bool                      // clouds alone
	PTY       bool                      // printers on ptys where the system has them
	// LifePay and BIFIT, if not nil, are emulated clouds. Without a route of the
	// configuration the default route is all printers by name, then these two.
	LifePay *lifepay.Config
	BIFIT   *bifit.Config
	Config  func(*daemon.Config) // last word on the configuration
	Policy  *fiscal.Policy       // delays of recovery; default: the product's
	// Disk, if not nil, keeps the journal, and dies with the daemon.
	Disk *spooltest.Disk
	// Network, if not nil, is the only one there is: for everybody in the shop.
	Network *Network
	// Listen opens the TCP port of a printer; default: any on the loopback.
	Listen func(device string) (net.Listener, error)
	Log    *slog.Logger // default: discard
	// Life is the last word on what each life of the daemon is given.
	Life func(*daemon.Options)
	// Stopped opens the shop without starting the daemon.
	Stopped bool
}

// Shop is a running shop.
type Shop struct {
	Config   daemon.Config
	Printers map[string]*printer.Printer
	LifePay  *lifepay.Service
	BIFIT    *bifit.Service
	Broker   string // address of the embedded broker

	opt    Options
	ways   daemon.Network
	doors  map[string]*door
	calls  atomic.Value       // string: where the daemon takes callbacks
	cancel context.CancelFunc // of the ports of printers and clouds
	group  sync.WaitGroup

	mu      sync.Mutex
	stop    context.CancelFunc // of the daemon
	ended   chan error
	daemon  *daemon.Daemon
	host    *Host // of the daemon
	told    map[string]*Told
	order   []string
	foreign map[string]bool
	doubles map[string]string
	retired []*fn.Storage // taken out of a printer
	tills   []*Till
}

// Open starts printers and the daemon.
func Open(ctx context.Context, opt Options) (*Shop, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	ways := daemon.Network{Dial: (&net.Dialer{}).DialContext, Listen: net.Listen}
	if opt.Network != nil {
		ways = daemon.Network{Dial: opt.Network.Dial, Listen: opt.Network.Listen}
	}
	if opt.Listen == nil {
		opt.Listen = func(string) (net.Listener, error) { return ways.Listen("tcp", "127.0.0.1:0") }
	}
	if len(opt.Printers) == 0 && !opt.NoPrinter {
		opt.Printers = map[string]printer.Config{"front": {}}
	}
	s := &Shop{opt: opt, ways: ways, Printers: map[string]*printer.Printer{}, doors: map[string]*door{}, told: map[string]*Told{}, foreign: map[string]bool{}, doubles: map[string]string{}}
	s.Config = daemon.DefaultConfig()
	s.Config.DataDir = opt.Dir
	var err error
	if s.Config.Broker.Listen, err = s.brokerAddress(); err != nil {
		return nil, err
	}
	ports, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	for _, name := range slices.Sorted(maps.Keys(opt.Printers)) {
		address, err := s.plug(ports, name, opt.Printers[name])
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("printer %s: %w", name, err)
		}
		dc := daemon.DeviceConfig{Name: name, Kind: "shtrih-m", Address: address}
		s.Config.Devices = append(s.Config.Devices, dc.WithDefaults())
	}
	if err := s.startClouds(ports); err != nil {
		s.Close()
		return nil, err
	}
	s.Config.Routes = s.defaultRoutes()
	if opt.Config != nil {
		opt.Config(&s.Config)
	}
	if opt.Stopped {
		return s, nil
	}
	if err := s.Start(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// defaultRoutes is the way of sales when there are clouds: printers first.
func (s *Shop) defaultRoutes() []daemon.RouteConfig {
	if s.LifePay == nil && s.BIFIT == nil {
		return nil
	}
	r := daemon.RouteConfig{Name: daemon.DefaultRoute, FallbackAfter: daemon.Duration(fallbackAfter), NoContact: daemon.NoContactSpool}
	for _, d := range s.Config.Devices {
		r.Backends = append(r.Backends, d.Name)
	}
	if s.LifePay != nil {
		r.Backends = append(r.Backends, daemon.CloudLifePay)
	}
	if s.BIFIT != nil {
		r.Backends = append(r.Backends, daemon.CloudBIFIT)
	}
	return []daemon.RouteConfig{r}
}

// Ports below those that the system gives to whoever asks for any.
const (
	steadyFirst = 20_000
	steadyCount = 12_000
	steadyTries = 100

	virtualBroker = "127.0.0.1:1883" // on a network of our own
)

// given are the ports of all shops of this process: one that nobody listens on may
// belong to a shop between two lives.
var given sync.Map

// steadyAddress finds a port that stays free between two lives of a daemon.
func steadyAddress() (address string, err error) {
	err = errors.New("every port that was tried is another shop's")
	for range steadyTries {
		port := steadyFirst + rand.IntN(steadyCount)
		if _, another := given.LoadOrStore(port, true); another {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", err
}

// brokerAddress is where the embedded broker stays, whatever is restarted.
func (s *Shop) brokerAddress() (string, error) {
	if s.opt.Network != nil {
		return virtualBroker, nil
	}
	return steadyAddress()
}

// plug serves a printer and returns its address for the configuration.
func (s *Shop) plug(ctx context.Context, name string, pc printer.Config) (string, error) {
	p := printer.New(pc)
	s.Printers[name] = p
	if s.opt.PTY {
		ready, failed := make(chan string, 1), make(chan error, 1)
		s.group.Go(func() { failed <- p.ListenPTY(ctx, func(path string) { ready <- path }) })
		select {
		case path := <-ready:
			return "serial://" + path + "?baud=115200", nil
		case <-failed: // no pty here: TCP serves as well
		}
	}
	l, err := s.opt.Listen(name)
	if err != nil {
		return "", err
	}
	s.group.Go(func() { p.ServeTCP(ctx, l) })
	return "tcp://" + l.Addr().String(), nil
}

// Start runs the daemon; it must not be running.
func (s *Shop) Start(ctx context.Context) error {
	ready := make(chan string, 1)
	ended, err := s.launch(ctx, func(broker string) { ready <- broker })
	if err != nil {
		return err
	}
	select {
	case a := <-ready:
		s.Broker = a
		if c := s.Daemon().Status().Callback; c != nil {
			s.calls.Store(c.Listen)
		}
		if a != "" {
			s.Config.Broker.Listen = a // the same port after a restart
		}
		return nil
	case err := <-ended:
		ended <- err
		return fmt.Errorf("the daemon ended: %w", err)
	case <-time.After(startTimeout):
		return errors.New("the daemon does not start")
	}
}

// launch begins a life of the daemon and waits for nothing. ended has room for
// the one error that it gets.
func (s *Shop) launch(ctx context.Context, ready func(broker string)) (ended chan error, err error) {
	var host *Host
	var network daemon.Network
	if s.opt.Network != nil {
		host = s.opt.Network.Host()
		network = host.Network()
	}
	var store spool.Options
	if s.opt.Disk != nil {
		store = s.opt.Disk.Options()
	}
	opt := daemon.Options{
		Log: s.opt.Log, Version: "sim", Policy: s.opt.Policy, Ready: ready,
		Open: func(c daemon.DeviceConfig) (fiscal.Backend, error) {
			settings := c.Settings(s.opt.Log)
			settings.Dial = network.Dial
			return devices.Open(settings)
		},
		Network: network, Store: store, KeepMemory: s.opt.Network != nil,
	}
	if s.opt.Life != nil {
		s.opt.Life(&opt)
	}
	d, err := daemon.New(s.Config, opt)
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended = make(chan error, 1)
	go func() {
		err := d.Run(run)
		ended <- errors.Join(err, d.Close())
	}()
	s.mu.Lock()
	s.daemon, s.host, s.stop, s.ended = d, host, stop, ended
	s.mu.Unlock()
	return ended, nil
}

// Kill ends the daemon in the middle of whatever it does. It needs a network of
// the shop's own.
func (s *Shop) Kill() {
	s.Strike()
	_ = s.Stop() // what a dead daemon has to say is of no interest
}

// Strike is the first half of Kill: the daemon does not reach its disk and the
// network any more. The daemon itself may call it; Kill is still to follow.
func (s *Shop) Strike() {
	s.mu.Lock()
	host := s.host
	s.mu.Unlock()
	if s.opt.Disk != nil {
		s.opt.Disk.Kill()
	}
	host.Kill()
}

// Stop ends the daemon politely.
func (s *Shop) Stop() error {
	s.mu.Lock()
	stop, ended := s.stop, s.ended
	s.stop = nil
	s.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	return <-ended
}

// Daemon is the one that runs now.
func (s *Shop) Daemon() *daemon.Daemon {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.daemon
}

// Close ends everything.
func (s *Shop) Close() error {
	s.mu.Lock()
	tills := s.tills
	s.mu.Unlock()
	for _, t := range tills {
		t.link.Close()
	}
	err := s.Stop()
	s.cancel()
	s.group.Wait()
	return err
}

// ForeignSale makes a document behind the daemon's back, as another program on
// the same printer would.
func (s *Shop) ForeignSale(device string, total fiscal.Money) (fd uint32, err error) {
	p := s.Printers[device]
	before := len(p.Storage().Ledger())
	doc, err := p.ForeignSale(int64(total))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range p.Storage().Ledger()[before:] { // a shift may have been opened for it
		s.foreign[docID(p.Storage().Serial(), e.FD)] = true
	}
	return doc.Number, err
}

// Double enters a second document of a command, which the scenario is about.
func (s *Shop) Double(id, storage string, fd uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubles[docID(storage, fd)] = id
}

// SwapStorage puts another fiscal storage into a printer, as a service engineer
// does. What the old one holds stays in the books.
func (s *Shop) SwapStorage(device string, other *fn.Storage) {
	old := s.Printers[device].SwapStorage(other)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = slices.DeleteFunc(append(s.retired, old), func(st *fn.Storage) bool { return st == other })
}

// Books gathers the three accounts. The journal is read from the running
// daemon.
func (s *Shop) Books(ctx context.Context) (Books, error) {
	b, err := s.ledgers()
	if err != nil {
		return b, err
	}
	if b.Journal, err = s.Daemon().Records(); err != nil {
		return b, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.order {
		b.Told = append(b.Told, *s.told[id])
	}
	return b, nil
}

// ledgers is the account of the tax office alone.
func (s *Shop) ledgers() (Books, error) {
	b := Books{Ledgers: map[string][]fn.Entry{}, Foreign: map[string]bool{}, Doubles: map[string]string{}}
	var err error
	if b.Tickets, err = s.tickets(); err != nil {
		return b, err
	}
	s.cloudLedgers(&b)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.foreign {
		b.Foreign[id] = true
	}
	maps.Copy(b.Doubles, s.doubles)
	for _, p := range s.Printers {
		b.Ledgers[p.Storage().Serial()] = p.Storage().Ledger()
	}
	for _, st := range s.retired {
		b.Ledgers[st.Serial()] = st.Ledger()
	}
	return b, nil
}

// url is where terminals find the broker.
func (s *Shop) url() string { return "tcp://" + s.Broker }

// Till opens a terminal.
func (s *Shop) Till(ctx context.Context, name string) (*Till, error) {
	t := &Till{shop: s, name: name}
	var dial func(ctx context.Context, network, address string) (net.Conn, error)
	if s.opt.Network != nil {
		dial = s.ways.Dial
	}
	link, err := mqtt.DialTerminal(ctx, mqtt.TerminalConfig{URL: s.url(), Root: s.Config.Root(), Name: name, Dial: dial}, t.hear)
	if err != nil {
		return nil, err
	}
	t.link = link
	s.mu.Lock()
	s.tills = append(s.tills, t)
	s.mu.Unlock()
	return t, nil
}
