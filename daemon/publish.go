package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// Rhythms of what is published.
const (
	healthEvery = time.Minute
	spoolEvery  = 500 * time.Millisecond
	pruneEvery  = 10 * time.Minute
	pruneBatch  = 500
)

// untold are the documents that have to be told again; watch does it.
type untold struct {
	spool  atomic.Bool // spool/state
	health atomic.Bool // node/health
}

// nodeState is the node's birth, and its will.
func (d *Daemon) nodeState(state string) []byte {
	return mqtt.EncodeState(mqtt.NodeState{
		State: state, Instance: d.id.Instance, Boot: d.id.boot, Epoch: d.id.Epoch, At: mqtt.Instant(time.Now()),
	})
}

func (d *Daemon) set(topic string, payload []byte) {
	if err := d.state.Set(topic, payload); err != nil {
		d.log.Error("state not published", "topic", topic, "err", err)
	}
}

func (d *Daemon) publishNode(state string) { d.set(d.topics.NodeState(), d.nodeState(state)) }

// publishAll makes the whole retained tree from the journal: a broker that was
// away may have lost it.
func (d *Daemon) publishAll() {
	d.publishNode(mqtt.NodeOnline)
	d.publishInfo()
	d.publishSpool()
	for name := range d.workers {
		d.publishDevice(name)
	}
	d.publishLasts()
	d.publishReports()
}

func (d *Daemon) publishLasts() {
	var lasts []fiscal.Record
	err := d.spool.View(func(tx *spool.Tx) error {
		lasts = nil
		terminals, err := tx.Terminals()
		for _, t := range terminals {
			r, ok, err := tx.Last(t)
			if err != nil {
				return err
			}
			if ok && t != "" {
				lasts = append(lasts, r)
			}
		}
		return err
	})
	if err != nil {
		d.fail(err)
		return
	}
	for _, r := range lasts {
		d.publishLast(r)
	}
}

// lasts keeps last/{terminal} from going back: workers of two devices may come
// to tell of their ends in the other order than they committed them.
type lasts struct {
	mu   sync.Mutex
	seen map[string]uint64 // terminal → FinalSeq
}

func (d *Daemon) publishLast(r fiscal.Record) {
	d.lasts.mu.Lock()
	defer d.lasts.mu.Unlock()
	if d.lasts.seen == nil {
		d.lasts.seen = map[string]uint64{}
	}
	if r.FinalSeq >= d.lasts.seen[r.Terminal] {
		d.lasts.seen[r.Terminal] = r.FinalSeq
		d.set(d.topics.Last(r.Terminal), mqtt.EncodeAnswer(r, false))
	}
}

// told follows a record that has become final.
func (d *Daemon) told(r fiscal.Record) {
	d.reconciler.closed(r)
	if r.Terminal != "" {
		d.publishLast(r)
	}
	if r.Doubled() {
		d.alerts.raise(r.Late[0].Device, fiscal.CodeLateDocument, r.ID)
	}
	if r.Counters != nil {
		what := map[fiscal.Verb]string{fiscal.VerbXReport: "x", fiscal.VerbShiftClose: "z"}[r.Verb]
		if what != "" {
			d.report(r.Device, what, mqtt.DeviceReport{
				At: mqtt.Instant(r.FinalAt), Fiscal: mqtt.NewFiscal(&r), Counters: mqtt.NewCounters(r.Counters),
			})
		}
	}
}

// report publishes the last X or Z of a device, and keeps it for the next
// start.
func (d *Daemon) report(device, what string, r mqtt.DeviceReport) {
	payload := mqtt.EncodeState(r)
	d.set(d.topics.Device(device, what), payload)
	err := d.spool.Update(func(tx *spool.Tx) error { return tx.PutMeta(reportMeta(device, what), json.RawMessage(payload)) })
	if err != nil {
		d.fail(err)
	}
}

func reportMeta(device, what string) string { return "report " + device + " " + what }

func (d *Daemon) publishInfo() {
	d.telling.Lock()
	defer d.telling.Unlock()
	info := mqtt.NodeInfo{
		Version: d.opt.Version, Contract: []int{1}, Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		StartedAt: mqtt.Instant(d.started), Devices: map[string]mqtt.NodeBacks{}, Routes: map[string][]string{}, Limits: d.limits(), Config: d.cfg.Fingerprint(),
	}
	for name := range d.cfg.Terminals {
		info.Terminals = append(info.Terminals, name)
	}
	sort.Strings(info.Terminals)
	for name, w := range d.workers {
		back := mqtt.NodeBacks{Kind: w.cfg.Kind}
		for v, can := range w.can {
			if can {
				back.Can = append(back.Can, string(v))
			}
		}
		sort.Strings(back.Can)
		if i := d.view(name).Info; i != nil {
			back.Limits = &i.Limits
		}
		info.Devices[name] = back
		info.Routes[name] = []string{name} // a device is a route of one
	}
	for _, r := range d.cfg.Routes {
		info.Routes[r.Name] = r.Backends
	}
	if r, ok := d.cfg.route(DefaultRoute); ok {
		info.Routes[DefaultRoute] = r.Backends
	}
	d.set(d.topics.NodeInfo(), mqtt.EncodeState(info))
}

func (d *Daemon) limits() mqtt.NodeLimits {
	l := mqtt.ContractLimits()
	l.QueueDevice, l.Terminals = spool.QueueMax, deskShards
	return l
}

// view is what is known of a device.
func (d *Daemon) view(name string) deviceView {
	v, _ := d.views.Load(name)
	view, _ := v.(deviceView)
	return view
}

// deviceChanged takes a new reading of a device.
func (d *Daemon) deviceChanged(name string, v deviceView) {
	old := d.view(name)
	d.views.Store(name, v)
	d.publishDevice(name)
	if v.Info != nil && (old.Info == nil || *old.Info != *v.Info) {
		d.publishInfo()
	}
	if v.Link != old.Link {
		what := map[bool]string{true: "up", false: "down"}[v.Link]
		d.event(mqtt.EventDevice, func(seq uint64) []byte {
			return mqtt.EncodeDeviceEvent(seq, time.Now(), mqtt.DeviceEvent{Device: name, What: what, Code: v.Why})
		})
	}
}

func (d *Daemon) publishDevice(name string) {
	d.telling.Lock()
	defer d.telling.Unlock()
	v := d.view(name)
	d.set(d.topics.Device(name, "state"), mqtt.EncodeState(d.deviceState(name)))
	if v.Info != nil {
		d.set(d.topics.Device(name, "info"), mqtt.EncodeState(*v.Info))
	}
	if v.Link {
		return
	}
	for _, what := range []string{"x", "z"} { // at start: the last ones known
		if d.state.Get(d.topics.Device(name, what)) != nil {
			continue
		}
		var payload json.RawMessage
		err := d.spool.View(func(tx *spool.Tx) error {
			_, err := tx.Meta(reportMeta(name, what), &payload)
			return err
		})
		if err == nil && payload != nil {
			d.set(d.topics.Device(name, what), payload)
		}
	}
}

// deviceState renders what is known of a device.
func (d *Daemon) deviceState(name string) mqtt.DeviceState {
	v, queued := d.view(name), 0
	err := d.spool.View(func(tx *spool.Tx) error {
		queued = tx.QueueLen(name)
		return nil
	})
	if err != nil {
		d.fail(err)
	}
	state := mqtt.NewDeviceState(v.Link, v.Why, v.Status, queued)
	if w := d.workers[name]; w != nil && w.cloud != nil { // its registers are the service's own
		state.Paper, state.Cover, state.Shift, state.FN, state.OFD = true, true, nil, nil, nil
	}
	return state
}

func (d *Daemon) spoolChanged() { d.untold.spool.Store(true) }

// publishSpool is called by one at a time: at start, then by watch alone. No
// lock is held, for alerts are entered into the journal.
func (d *Daemon) publishSpool() {
	s, err := d.summary()
	if err != nil {
		d.fail(err)
		return
	}
	d.set(d.topics.SpoolState(), mqtt.EncodeState(spoolState(s)))
	for code, of := range map[fiscal.Code][]string{
		fiscal.CodeUnknownPending: s.Unknown, fiscal.CodeHeldPending: s.Held, fiscal.CodeUnknownDevice: d.withoutDevice(s),
	} {
		if len(of) > 0 {
			d.alerts.raise("", code, of[0])
		} else {
			d.alerts.clear("", code)
		}
	}
}

// withoutDevice tells, in one entry or none, of commands whose device was taken out
// of the configuration: nobody moves them.
func (d *Daemon) withoutDevice(s spool.Summary) []string {
	var gone []string
	for device, n := range s.ByDevice {
		if d.workers[device] == nil {
			gone = append(gone, fmt.Sprintf("%s (%d)", device, n))
		}
	}
	if gone == nil {
		return nil
	}
	slices.Sort(gone)
	return []string{"commands wait for what is configured no more: " + strings.Join(gone, ", ")}
}

func spoolState(s spool.Summary) mqtt.SpoolState {
	return mqtt.SpoolState{
		Queued: s.Queued, ByDevice: s.ByDevice, Registered: s.Registered, Oldest: mqtt.Instant(s.Oldest),
		Unknown: append([]string{}, s.Unknown...), Held: append([]string{}, s.Held...), Outbox: s.Outbox,
	}
}

func (d *Daemon) summary() (s spool.Summary, err error) {
	err = d.spool.View(func(tx *spool.Tx) error {
		s, err = tx.Summary()
		return err
	})
	return s, err
}

// event appends to the stream; a failure of the store ends the daemon.
func (d *Daemon) event(class string, encode func(seq uint64) []byte) {
	if err := d.journal.publishEvent(class, encode); err != nil && !errors.Is(err, spool.ErrClosed) {
		d.fail(err)
	}
}

func (d *Daemon) audit(e mqtt.AuditEvent) {
	d.event(mqtt.EventAudit, func(seq uint64) []byte { return mqtt.EncodeAuditEvent(seq, time.Now(), e) })
}

// alertChanged publishes an alert that came or went.
func (d *Daemon) alertChanged(a Alert, stands bool) {
	wire := mqtt.NewAlert(a.Device, a.Code, a.Detail, a.Since)
	topic := d.alertTopic(a)
	level := d.log.Warn
	if !stands {
		level = d.log.Info
	}
	level("alert", "code", string(a.Code), "device", a.Device, "stands", stands, "detail", a.Detail)
	if stands {
		d.noteAlert(topic)
		d.set(topic, mqtt.EncodeState(wire))
	} else if err := d.state.Delete(topic); err != nil {
		d.log.Error("alert not cleared", "topic", topic, "err", err)
	}
	d.event(mqtt.EventAlert, func(seq uint64) []byte { return mqtt.EncodeAlertEvent(seq, time.Now(), wire, stands) })
}

func (d *Daemon) alertTopic(a Alert) string {
	if a.Device == "" {
		return d.topics.NodeAlert(string(a.Code))
	}
	return d.topics.DeviceAlert(a.Device, string(a.Code))
}

// watch publishes what changes by itself, and keeps the journal small.
func (d *Daemon) watch(ctx context.Context) error {
	spoolTick, healthTick, pruneTick := time.NewTicker(spoolEvery), time.NewTicker(cmp.Or(d.opt.Health, healthEvery)), time.NewTicker(pruneEvery)
	defer spoolTick.Stop()
	defer healthTick.Stop()
	defer pruneTick.Stop()
	d.publishHealth(ctx)
	if err := d.trimEvents(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-spoolTick.C:
			d.watchRoom()
			d.denied.settle(time.Now())
			if d.untold.spool.Swap(false) {
				d.publishSpool()
			}
			if d.untold.health.Swap(false) {
				d.publishHealth(ctx)
			}
		case <-healthTick.C:
			d.publishHealth(ctx)
		case <-pruneTick.C:
			if _, err := d.spool.Prune(time.Now(), pruneBatch); err != nil {
				return err
			}
			if err := d.trimEvents(); err != nil {
				return err
			}
		}
	}
}

// eventsKept is how many messages may wait for one link before its oldest
// events are given up: a broker that never comes back must not fill the disk.
// Results are never given up. The numbers of the events show the gap, and the
// journal has what they told.
const eventsKept = 20_000

// trimEvents keeps the outbox of a link that does not connect bounded.
func (d *Daemon) trimEvents() error {
	for _, link := range d.journal.links {
		dropped, err := d.spool.TrimOutbox(link, eventsKept, d.isEvent)
		if err != nil {
			return err
		}
		if dropped > 0 {
			d.log.Warn("oldest events given up", "link", link, "events", dropped)
		}
	}
	return nil
}

func (d *Daemon) isEvent(m spool.Message) bool {
	topic, err := d.topics.Parse(m.Topic)
	return err == nil && topic.Kind == mqtt.TopicEvent
}

func loopbackURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && isLoopback(u.Hostname())
}
