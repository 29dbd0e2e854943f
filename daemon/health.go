package daemon

import (
	"context"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"time"

	"kassad/devices"
	"kassad/fiscal"
	"kassad/mqtt"
)

// rttProbes is how many round trips a health reading makes.
const rttProbes = 5

// publishHealth measures the process and its surroundings.
func (d *Daemon) publishHealth(ctx context.Context) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	s, err := d.summary()
	if err != nil {
		d.fail(err)
		return
	}
	h := mqtt.NodeHealth{
		At: mqtt.Instant(time.Now()), UptimeS: int64(time.Since(d.started).Seconds()), MemoryBytes: mem.Sys - mem.HeapReleased,
		Goroutines: runtime.NumGoroutine(), Queue: s.Queued, Links: d.linkHealth(ctx),
	}
	if median, worst, err := fsyncTime(d.cfg.DataDir); err == nil {
		h.Flush, h.FlushMax = mqtt.Millis(median), mqtt.Millis(worst)
	}
	if free, ok := diskFree(d.cfg.DataDir); ok {
		h.DiskFree = free
	}
	h.StoreBytes = storeBytes(d.cfg.DataDir)
	codes := map[fiscal.Code]bool{}
	for _, a := range d.alerts.list() {
		codes[a.Code] = true
	}
	for code := range codes {
		h.Alerts = append(h.Alerts, code)
	}
	sort.Slice(h.Alerts, func(i, j int) bool { return h.Alerts[i] < h.Alerts[j] })
	d.set(d.topics.NodeHealth(), mqtt.EncodeState(h))
	if !d.opt.KeepMemory {
		debug.FreeOSMemory() // a till's computer is small, and once a minute is rare
	}
}

func (d *Daemon) linkHealth(ctx context.Context) []mqtt.LinkHealth {
	var out []mqtt.LinkHealth
	for _, s := range d.links {
		h := mqtt.LinkHealth{Name: s.name, Role: s.role}
		st := s.link.Status()
		h.Up, h.Reason = st.Up, st.LastError
		if h.Up {
			h.Reason = ""
			if rtt, err := s.link.RTT(ctx, rttProbes); err == nil {
				h.RTT = mqtt.Millis(rtt.P50)
			}
		}
		out = append(out, h)
	}
	return out
}

// Overview is what kassad status shows.
type Overview struct {
	Root     string                      `json:"root"`
	Instance string                      `json:"instance"`
	Version  string                      `json:"version"`
	Since    mqtt.Instant                `json:"since"`
	Devices  map[string]mqtt.DeviceState `json:"devices"`
	Infos    map[string]*fiscal.Info     `json:"infos,omitempty"`
	Printers map[string]devices.Known    `json:"printers,omitempty"` // where each is, by its serial number
	Links    []mqtt.LinkHealth           `json:"links"`
	Spool    mqtt.SpoolState             `json:"spool"`
	Alerts   []mqtt.Alert                `json:"alerts"`
	Callback *CallbackStatus             `json:"callback,omitempty"`
}

// Status tells how the node is.
func (d *Daemon) Status() Overview {
	o := Overview{
		Root: d.topics.Root(), Instance: d.id.Instance, Version: d.opt.Version, Since: mqtt.Instant(d.started),
		Devices: map[string]mqtt.DeviceState{}, Infos: map[string]*fiscal.Info{}, Alerts: []mqtt.Alert{}, Callback: d.callbackStatus(),
		Printers: d.printers(),
	}
	for name := range d.workers {
		o.Devices[name] = d.deviceState(name)
		if info := d.view(name).Info; info != nil {
			o.Infos[name] = info
		}
	}
	for _, s := range d.links {
		h := mqtt.LinkHealth{Name: s.name, Role: s.role}
		st := s.link.Status()
		h.Up, h.Reason = st.Up, st.LastError
		o.Links = append(o.Links, h)
	}
	if s, err := d.summary(); err == nil {
		o.Spool = spoolState(s)
	}
	for _, a := range d.alerts.list() {
		o.Alerts = append(o.Alerts, mqtt.NewAlert(a.Device, a.Code, a.Detail, a.Since))
	}
	sort.Slice(o.Alerts, func(i, j int) bool {
		return o.Alerts[i].Device+string(o.Alerts[i].Code) < o.Alerts[j].Device+string(o.Alerts[j].Code)
	})
	return o
}

// doctor runs the checks of a running daemon. The devices are asked on their
// workers, between documents.
func (d *Daemon) doctor(ctx context.Context) []Check {
	checks := []Check{{Name: "config", OK: true, Detail: d.topics.Root()}, checkDisk(d.cfg.DataDir)}
	for _, s := range d.links {
		var rtt mqtt.RTT
		var err error
		up := s.link.Status().Up
		if up {
			rtt, err = s.link.RTT(ctx, rttProbes)
		}
		checks = append(checks, checkBroker(s.name, up, rtt, err))
	}
	for _, name := range d.cfg.Backends() {
		w := d.workers[name]
		dc := w.cfg
		found, err := ask(ctx, w, func(ctx context.Context) ([]Check, error) {
			if w.cloud != nil {
				return checkCloud(ctx, d.cfg, dc.Name, w.cloud), nil
			}
			return checkDevice(ctx, dc, w.backend), nil
		})
		if err != nil {
			found = []Check{{Name: "device " + dc.Name, Detail: "at work on a document", Hint: "ask again in a moment"}}
		}
		checks = append(checks, found...)
	}
	for _, a := range d.alerts.list() {
		// A device on a wire has told of itself above; a cloud only of the line.
		if w := d.workers[a.Device]; w == nil || w.cloud != nil {
			info := a.Code.Info()
			text := strings.TrimSuffix(string(a.Code)+": "+info.English+": "+a.Detail, ": ")
			checks = append(checks, Check{Name: strings.TrimSuffix("alert "+a.Device, " "), Detail: text, Hint: info.Action})
		}
	}
	return checks
}
