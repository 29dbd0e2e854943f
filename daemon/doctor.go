package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sort"
	"syscall"
	"time"

	"kassad/devices"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/owner"
	"kassad/spool"
)

// Limits of what doctor calls good.
const (
	fsyncSlow   = 50 * time.Millisecond
	fsyncProbes = 5
	diskFreeLow = 200 << 20
)

// Check is one line of doctor.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Text   string `json:"text,omitempty"` // the same in Russian, of checks that have it
	Hint   string `json:"hint,omitempty"` // what to try
}

// HintReadOnly is what to try with a file system that nobody can write.
const HintReadOnly = "the file system is read-only, as a failing disk makes it: look into dmesg, mend it, mount it for writing"

// diskHint says what to try when nothing can be written.
func diskHint(dir string, err error) string {
	switch {
	case spool.NoRoom(err):
		return "make room on the disk of " + dir + ": sales are refused meanwhile"
	case errors.Is(err, syscall.EROFS):
		return HintReadOnly
	}
	return "give the service's user the right to write in " + dir
}

// checkDisk measures how long the data directory takes to keep a promise. One
// slow flush of several is no slow disk: something else was written.
func checkDisk(dir string) Check {
	median, worst, err := fsyncTime(dir)
	if err != nil {
		return Check{Name: "disk", Detail: err.Error(), Hint: diskHint(dir, err)}
	}
	c := Check{Name: "disk", OK: median < fsyncSlow, Detail: fmt.Sprintf("%s: flush %s, slowest %s", dir, millis(median), millis(worst))}
	if !c.OK {
		c.Hint = "every sale waits for the disk: move data_dir to an SSD, or look for what keeps the disk busy"
	}
	if free, ok := diskFree(dir); ok && free < diskFreeLow {
		c.OK, c.Detail, c.Hint = false, fmt.Sprintf("%s: %d MB free", dir, free>>20), "free some space: with a full disk sales are refused"
	}
	return c
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// fsyncTime is the median and the slowest of a few small durable writes.
func fsyncTime(dir string) (median, worst time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	owner.Inherit(f)
	var took []time.Duration
	for range fsyncProbes {
		begin := time.Now()
		if _, err := f.Write(make([]byte, 512)); err != nil {
			return 0, 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)-1], nil
}

// checkDevice asks the device itself.
func checkDevice(ctx context.Context, dc DeviceConfig, backend fiscal.Backend) []Check {
	name, address := dc.Name, dc.Address
	st, err := backend.Status(ctx)
	if k, ok := dc.finder.Where(name); ok && k.Address != "" {
		address = k.Address
	}
	if err != nil {
		e := fiscal.AsError(err, fiscal.CodePrinterAway)
		return []Check{{Name: "device " + name, Detail: address + ": " + e.Error(), Hint: portHint(address, e)}}
	}
	detail := address
	if informer, ok := backend.(fiscal.Informer); ok {
		if info, err := informer.Info(ctx); err == nil {
			detail = fmt.Sprintf("%s %s, firmware %s, FFD %s, FN %s", info.Model, info.Serial, info.Firmware, info.FFD, info.Storage)
			if dc.Address == devices.AddressAuto {
				detail += ", found at " + address
			}
		}
	}
	checks := []Check{{Name: "device " + name, OK: true, Detail: detail}, checkClock(name, st)}
	stands := standing(st, time.Now())
	codes := make([]string, 0, len(stands))
	for code := range stands {
		codes = append(codes, string(code))
	}
	sort.Strings(codes)
	for _, code := range codes {
		info := fiscal.Code(code).Info()
		checks = append(checks, Check{Name: "device " + name, Detail: code + ": " + info.English, Hint: info.Action})
	}
	return checks
}

func portHint(address string, e *fiscal.Error) string {
	if e.Vendor != "" {
		return e.Code.Info().Action
	}
	if errors.Is(e, devices.ErrOtherPrinter) {
		return "connect the printer of this device, or set its serial to the new one's after a change of printers"
	}
	if address == devices.AddressAuto {
		return "is the printer on and plugged in? kassad probe tells what is at each port and what was left alone"
	}
	path, isFile := serialPath(address)
	if !isFile {
		return "is the printer on, and is the address right? kassad probe asks it"
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case os.IsNotExist(err):
		return path + " does not exist: kassad ports lists what does"
	case os.IsPermission(err):
		return "no right to open " + path + ": add the user to the group that owns it (dialout on Debian)"
	case err != nil:
		return err.Error()
	}
	f.Close()
	return "the port opens but nothing answers: check the cable, the power and the speed; kassad probe finds the speed"
}

func checkClock(name string, st fiscal.Status) Check {
	drift := st.Clock.Sub(wallClock(time.Now()))
	c := Check{Name: "clock " + name, OK: drift.Abs() <= clockAlert, Detail: fmt.Sprintf("device is %+d s from this computer", int(drift.Seconds()))}
	if !c.OK {
		c.Hint = "set the computer's clock, then the device's with set-time while the shift is closed"
	}
	return c
}

// checkBroker judges a link by its round trip.
func checkBroker(name string, up bool, trip mqtt.RTT, err error) Check {
	c := Check{Name: "broker " + name, OK: up && err == nil}
	switch {
	case !up:
		c.Detail, c.Hint = "not connected", "is the broker running, and do url, user and password fit?"
	case err != nil:
		c.Detail, c.Hint = "round trip: "+err.Error(), "the broker takes messages and does not deliver them: look at its access rules"
	default:
		c.Detail = fmt.Sprintf("round trip %.2f ms", float64(trip.P50.Microseconds())/1000)
		if trip.Delayed() {
			c.OK, c.Hint = false, "40 ms is the mark of delayed acknowledgements: set set_tcp_nodelay true in mosquitto.conf"
		}
	}
	return c
}

// DoctorOffline checks what can be checked while no daemon runs.
func DoctorOffline(ctx context.Context, cfg Config, open func(DeviceConfig) (fiscal.Backend, error)) []Check {
	checks := []Check{{Name: "config", OK: true, Detail: cfg.Root()}}
	if err := os.MkdirAll(cfg.DataDir, dataDirMode); err != nil {
		checks = append(checks, Check{Name: "disk", Detail: err.Error(), Hint: "create " + cfg.DataDir + " or set data_dir"})
	} else {
		checks = append(checks, checkDisk(cfg.DataDir))
	}
	finder, err := newFinder(cfg, devices.FinderOptions{}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return append(checks, Check{Name: "ports", Detail: err.Error(), Hint: "kassad config check explains the keys"})
	}
	for _, d := range cfg.Devices {
		d.finder = finder
		backend, err := open(d)
		if err != nil {
			checks = append(checks, Check{Name: "device " + d.Name, Detail: err.Error(), Hint: "kassad config check explains the keys"})
			continue
		}
		checks = append(checks, checkDevice(ctx, d, backend)...)
		backend.Close()
	}
	return append(checks, offlineClouds(ctx, cfg)...)
}

func offlineClouds(ctx context.Context, cfg Config) (checks []Check) {
	clouds, err := cfg.openClouds(nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return []Check{{Name: "clouds", Detail: err.Error(), Hint: "kassad config check explains the keys"}}
	}
	for _, name := range cfg.Backends() {
		if cloud := clouds[name]; cloud != nil {
			checks = append(checks, checkCloud(ctx, cfg, name, cloud)...)
		}
	}
	return checks
}

// checkCloud sees whether the service answers, and whether it can call back.
func checkCloud(ctx context.Context, cfg Config, name string, cloud fiscal.Cloud) []Check {
	c := Check{Name: "device " + name, OK: true, Detail: cfg.cloudAddress(name) + " answers"}
	if _, err := cloud.Status(ctx); err != nil {
		e := fiscal.AsError(err, fiscal.CodeCloudAway)
		c = Check{Name: c.Name, Detail: cfg.cloudAddress(name) + ": " + e.Error(), Hint: e.Code.Info().Action}
	}
	if c.OK && name == CloudBIFIT && !cfg.BIFIT.canReload() {
		c.Detail += "; without broker_token_file failed documents cannot be tried again from here"
	}
	checks := []Check{c}
	if name == CloudLifePay && cfg.LifePay.Callback.URL == "" {
		checks = append(checks, Check{
			Name: "device " + name, Detail: "no callback url: documents stay registered, nobody tells what became of them",
			Hint: "set [lifepay.callback], see docs/callbacks.md",
		})
	}
	return checks
}

// StorePath is the journal's file of cfg, for who reads it while no daemon runs.
func StorePath(cfg Config) string { return storePath(cfg.DataDir) }

// dataDirMode keeps receipts from other users of the computer.
const dataDirMode = 0o700
