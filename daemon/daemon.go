package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sort"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kassad/daemon/relay"
	"kassad/devices"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/mqtt/broker"
	"kassad/spool"
)

// Limits of stopping.
const (
	// stopGrace is how long the receipt in hand may take to end after a stop
	// was asked for; what is not done by then is found out at the next start.
	stopGrace = 20 * time.Second
	// closeGrace is how long a link may take to say goodbye.
	closeGrace = 2 * time.Second
	// stateInterval is the least time between two publications of one state.
	stateInterval = 200 * time.Millisecond
)

// ErrRestart is what Run returns after a restart was asked for.
var ErrRestart = errors.New("restart requested")

// Options are what the binary and the emulated shop give a daemon beside its
// configuration.
type Options struct {
	Open    func(DeviceConfig) (fiscal.Backend, error)
	Log     *slog.Logger
	Version string
	// Policy are the delays of recovery; nil is fiscal.DefaultPolicy with the
	// configured unknown_after.
	Policy *fiscal.Policy
	// Health is how often the process and its surroundings are measured; 0 is
	// every minute.
	Health time.Duration
	// Links tunes every link to a broker; zero is the product's.
	Links mqtt.LinkTuning
	// Network replaces the network of this computer.
	Network Network
	// Ready, if not nil, is called once when the first link takes commands,
	// with the address of the embedded broker.
	Ready func(broker string)
	// StopGrace is how long the receipt in hand may take to end after a stop was
	// asked for; 0 is 20 s. Then it is given up: it is in doubt, and the device is
	// asked after the next start.
	StopGrace time.Duration
	// Store are the settings of the journal; zero is the product's.
	Store spool.Options
	// Finder are the seams of looking for printers; zero is this computer.
	Finder devices.FinderOptions
	// KeepMemory leaves unused memory to the garbage collector. In virtual time
	// a minute passes too often to give it back each time.
	KeepMemory bool
}

// Network is how a daemon reaches others and is reached. What is nil is this
// computer's.
type Network struct {
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Listen func(network, address string) (net.Listener, error)
}

// Daemon is one node.
type Daemon struct {
	cfg     Config
	opt     Options
	log     *slog.Logger
	ring    *logRing
	topics  mqtt.Topics
	id      identity
	started time.Time

	spool   *spool.Spool
	journal *journal
	router  *router
	alerts  *alertBook
	rivals  *rivals
	denied  *trespassers
	finder  *devices.Finder
	state   *mqtt.State
	broker  *broker.Broker
	links   []*station
	workers map[string]*worker
	views   sync.Map   // device name → deviceView
	telling sync.Mutex // one at a time makes a retained message and sets it: an older one must not come last

	reconciler *reconciler
	pulses     pulses

	callbacks *callbacks  // nil: nothing is called back
	door      *relay.Door // for callbacks; nil: only relays bring them

	untold                 untold
	lasts                  lasts
	away                   awayLinks
	old                    oldAlerts
	stopping               chan struct{} // closed: begin nothing new
	restart                chan struct{}
	fatal                  chan error
	readyOnce, restartOnce sync.Once
}

// New opens the store and the devices of cfg. Nothing is begun before Run.
func New(cfg Config, opt Options) (*Daemon, error) {
	if err := os.MkdirAll(cfg.DataDir, dataDirMode); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	topics, err := mqtt.NewTopics(cfg.Org, cfg.Store, cfg.Node)
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		cfg: cfg, opt: opt, topics: topics, ring: &logRing{}, started: time.Now(), workers: map[string]*worker{},
		stopping: make(chan struct{}), restart: make(chan struct{}), fatal: make(chan error, 1),
	}
	d.log = ringLogger(opt.Log, d.ring)
	d.state = mqtt.NewState(stateInterval)
	if d.spool, err = openStore(cfg.DataDir, d.opt.Store, d.fail); err != nil {
		return nil, err
	}
	if backup := d.spool.Recovery().Backup; backup != "" {
		d.log.Info("the journal is of an older kassad and was taken over; it is kept as it was", "backup", backup)
	}
	if err := d.build(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.noteLoss(d.spool.Recovery()); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Daemon) build() (err error) {
	if d.id, err = establish(d.spool, d.started); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if err := d.clearOldAlerts(); err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	d.alerts = newAlertBook(d.alertChanged)
	d.rivals = newRivals(d.id.Instance, d.alerts)
	d.denied = newTrespassers(d.alerts)
	d.reconciler = newReconciler(d)
	info := func(name string) *fiscal.Info { return d.view(name).Info }
	d.journal = &journal{
		spool: d.spool, topics: d.topics, kick: d.kick, moved: d.spoolChanged, told: d.told, policies: map[string]fiscal.Policy{}, info: info,
		ending: d.reconciler.noteDue,
	}
	d.journal.backends = func(route string) []string { return slices.Clone(d.router.routes[route].Backends) }
	d.router = &router{routes: d.cfg.routes(), workers: d.workers, alerts: d.alerts, info: info}
	if err := d.buildLinks(); err != nil {
		return err
	}
	for _, l := range d.links {
		d.journal.links = append(d.journal.links, l.name)
	}
	if d.finder, err = newFinder(d.cfg, d.opt.Finder, printerMemory{d.spool, d.log}, d.log); err != nil {
		return err
	}
	for _, dc := range d.cfg.Devices {
		dc.finder = d.finder
		backend, err := d.opt.Open(dc)
		if err != nil {
			return fmt.Errorf("device %s: %w", dc.Name, err)
		}
		d.workers[dc.Name] = d.newWorker(dc, backend)
		d.journal.printers = append(d.journal.printers, dc.Name)
	}
	if err := d.addClouds(); err != nil {
		return err
	}
	return d.addCallbacks()
}

func (d *Daemon) newWorker(dc DeviceConfig, backend fiscal.Backend) *worker {
	policy := fiscal.DefaultPolicy()
	policy.Unknown = time.Duration(d.cfg.UnknownAfter)
	if d.opt.Policy != nil {
		policy = *d.opt.Policy
	}
	cloud, _ := backend.(fiscal.Cloud)
	if cloud != nil {
		own := policy.Cloud
		if policy.Cloud = cloud.Delays(); own.Repeat != nil { // of who tests
			policy.Cloud.Repeat, policy.Cloud.ReloadAfter = own.Repeat, own.ReloadAfter
			if policy.Cloud.Poll != nil { // a service that calls is not asked
				policy.Cloud.Poll = own.Poll
			}
		}
	}
	d.journal.policies[dc.Name] = policy
	return &worker{
		cfg: dc, backend: backend, cloud: cloud, router: d.router, can: capabilities(backend), journal: d.journal, alerts: d.alerts, log: d.log, policy: policy,
		pulse: d.pulses.join("worker " + dc.Name), began: d.started, late: time.Duration(d.cfg.LateAfter), paused: d.rivals.paused, stopping: d.stopping,
		arrivals: newMailbox(), requests: make(chan func(context.Context)),
		onStatus: func(v deviceView) { d.deviceChanged(dc.Name, v) },
		fail:     d.fail,
	}
}

// fail ends the daemon: the store cannot be trusted any more.
func (d *Daemon) fail(err error) {
	if spool.NoRoom(err) { // it heals, and an end would answer nobody
		d.log.Error("the disk is full", "err", err)
		return
	}
	select {
	case d.fatal <- err:
	default: // one reason is enough
	}
}

// Run serves until ctx ends, a restart is asked for, or the store fails. The
// receipt in hand is finished first.
func (d *Daemon) Run(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := d.openBroker(hard); err != nil {
		return err
	}
	control, err := d.listenControl()
	if err != nil {
		return err
	}
	if err := d.openDoor(); err != nil {
		return errors.Join(err, control.Close())
	}
	workers, hard2 := errgroup.WithContext(hard)
	for _, w := range d.workers {
		workers.Go(func() error { return w.run(hard2) })
	}
	// Not under hard2, which ends with the workers: the links stay to tell how
	// the last receipt ended, and to say goodbye.
	serving, stopServing := context.WithCancel(hard)
	defer stopServing()
	services, serving := errgroup.WithContext(serving)
	services.Go(func() error { return d.serveControl(serving, control) })
	if d.door != nil {
		services.Go(func() error { return d.door.Serve(serving) })
	}
	d.serve(services, serving)
	reason := d.wait(ctx, hard2, serving)
	d.log.Info("stopping", "why", fmt.Sprint(reason))
	d.publishNode(mqtt.NodeDraining)
	close(d.stopping)
	grace := time.AfterFunc(cmp.Or(d.opt.StopGrace, stopGrace), func() {
		d.log.Warn("the receipt in hand does not end: the device is asked for it after the next start")
		cancel()
	})
	err = workers.Wait()
	grace.Stop()
	d.sayGoodbye()
	stopServing()
	err = errors.Join(err, services.Wait())
	if err == nil || errors.Is(err, context.Canceled) {
		err = reason
	}
	return err
}

// wait returns why the daemon stops; nil when its context ended.
func (d *Daemon) wait(ctx, workers, services context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.restart:
		return ErrRestart
	case err := <-d.fatal:
		return fmt.Errorf("store: %w", err)
	case <-workers.Done():
		return context.Cause(workers)
	case <-services.Done():
		return context.Cause(services)
	}
}

// serve starts everything that talks MQTT: the links and the intake.
func (d *Daemon) serve(group *errgroup.Group, ctx context.Context) {
	d.publishAll()
	for _, l := range d.links {
		l.link.Start(ctx)
		group.Go(func() error { return d.receive(ctx, l) })
	}
	group.Go(func() error { return d.watch(ctx) })
	group.Go(func() error { return d.reconciler.run(ctx) })
	group.Go(func() error { return d.watchAbandoned(ctx) })
}

// ready tells once that commands are taken.
func (d *Daemon) ready() {
	d.readyOnce.Do(func() {
		if d.opt.Ready == nil {
			return
		}
		addr := ""
		if d.broker != nil {
			addr = d.broker.Addr()
		}
		d.opt.Ready(addr)
	})
}

// Close gives up the devices and the store. Run must have ended.
func (d *Daemon) Close() error {
	var errs []error
	for _, w := range d.workers {
		errs = append(errs, w.backend.Close())
	}
	if d.broker != nil {
		errs = append(errs, d.broker.Close())
	}
	return errors.Join(append(errs, d.spool.Close())...)
}

// requestRestart makes Run return ErrRestart.
func (d *Daemon) requestRestart() { d.restartOnce.Do(func() { close(d.restart) }) }

func (d *Daemon) handOver(r fiscal.Record) { d.router.handOver(r) }

func (d *Daemon) workerOf(name string) (*worker, error) {
	if all := d.cfg.Backends(); name == "" && len(all) == 1 {
		name = all[0]
	}
	if w := d.workers[name]; w != nil {
		return w, nil
	}
	return nil, fiscal.Refuse(fiscal.CodeUnknownDevice, "device", fmt.Sprintf("%q is none of %v", name, d.deviceNames()))
}

func (d *Daemon) deviceNames() []string {
	var names []string
	for name := range d.workers {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (d *Daemon) kick() {
	for _, l := range d.links {
		if l.link != nil { // the embedded broker has no address before it runs
			l.link.Kick()
		}
	}
}
