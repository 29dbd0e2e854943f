package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"kassad/daemon"
	"kassad/daemon/relay"
	"kassad/daemon/service"
	"kassad/devices"
	"kassad/fiscal"
	"kassad/mqtt/broker"
	"kassad/owner"
	"kassad/spool"
)

type runCommand struct {
	configFlag
	runPlatform
	JSONLog     bool   `name:"json-log" help:"Write the log as JSON, an object a line."`
	AddressFile string `name:"address-file" help:"Write the address of the embedded broker to this file when commands are taken; of use with port 0." placeholder:"FILE"`
}

// Help ends the help of run.
func (runCommand) Help() string {
	return `SIGINT or SIGTERM lets the receipt in hand end; a second one ends the process at once, and what was in
hand is found out at the next start. KASSAD_ORG, KASSAD_STORE, KASSAD_NODE, KASSAD_DATA_DIR,
KASSAD_LOG_LEVEL and KASSAD_BROKER_LISTEN win over the file.

Examples:
  kassad run --config kassad.toml
  kassad run --config kassad.toml --json-log`
}

// Run serves until a signal, or until the service manager says stop.
func (c *runCommand) Run(e *env) error { return c.hosted(c, e, c.lives) }

// lives serves one life after another: after a restart that the office asked
// for, the configuration is read again; a broken one must not keep the shop
// closed.
func (c *runCommand) lives(ctx context.Context, h host) error {
	if err := checkFloor(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		err = c.loadHint(err)
		(&service.Guard{Tell: h.tell, Log: h.log("")}).Failed(err)
		return err
	}
	log, signs := h.log(cfg.LogLevel), &lifeSigns{}
	if user, guest := owner.Guest(cfg.DataDir); guest {
		log.Warn("this is root over the data of another user; what is made there becomes that user's", "data_dir", cfg.DataDir, "user", user, "instead", "sudo kassad service start")
	}
	signs.begins()
	guard := &service.Guard{Tell: h.tell, Log: log, Stalled: signs.stalled, Sentence: signs.sentence, Abort: h.abort}
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx)) // also while it stops
	var watching sync.WaitGroup
	watching.Go(func() { guard.Run(watched) })
	defer func() { unwatch(); watching.Wait() }()
	defer context.AfterFunc(ctx, guard.Stopping)()
	for {
		err := c.serve(ctx, cfg, h, guard, signs)
		if !errors.Is(err, daemon.ErrRestart) {
			if err = startHint(cfg, err); err != nil {
				guard.Failed(err)
			}
			return err
		}
		if next, err := c.load(); err != nil {
			log.Error("restart with the configuration from before", "err", err)
		} else {
			cfg = next
		}
	}
}

// loadHint is for a service: sudo is no help to it.
func (c *runCommand) loadHint(err error) error {
	if service.Managed() && runtime.GOOS != "windows" && errors.Is(err, fs.ErrPermission) {
		return hinted{err: err, hint: "sudo kassad service restart lets the service read it"}
	}
	return err
}

// serve is one life of the daemon.
func (c *runCommand) serve(ctx context.Context, cfg daemon.Config, h host, guard *service.Guard, signs *lifeSigns) error {
	log := h.log(cfg.LogLevel)
	signs.begins()
	defer signs.begins()
	d, err := daemon.New(cfg, daemon.Options{
		Open: opener(log), Log: log, Version: version, StopGrace: h.grace,
		Ready: func(broker string) {
			log.Info("ready", "version", version, "root", cfg.Root(), "broker", broker, "backends", strings.Join(cfg.Backends(), " "))
			signs.takesCommands()
			guard.Ready()
			if err := writeAddress(c.AddressFile, broker); err != nil {
				log.Error("ready", "err", err)
			}
		},
	})
	if err != nil {
		return err
	}
	signs.lives(d)
	err = d.Run(ctx)
	signs.begins() // the journal that is closed answers nothing
	if cerr := d.Close(); cerr != nil {
		log.Error("close", "err", cerr)
		if err == nil || errors.Is(err, daemon.ErrRestart) {
			err = cerr
		}
	}
	return err
}

// opener opens the registers of a configuration.
func opener(log *slog.Logger) func(daemon.DeviceConfig) (fiscal.Backend, error) {
	return func(dc daemon.DeviceConfig) (fiscal.Backend, error) { return devices.Open(dc.Settings(log)) }
}

// newLogger writes to w from a level that the configuration has checked.
func newLogger(w io.Writer, level string, asJSON bool) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	opt := &slog.HandlerOptions{Level: l}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// startHint says what to try when the daemon does not start or go on.
func startHint(cfg daemon.Config, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, spool.ErrLocked):
		return hinted{err: err, hint: fmt.Sprintf("another kassad serves data_dir %s: stop it, or give this one a data_dir of its own", cfg.DataDir)}
	case errors.Is(err, spool.ErrNewer):
		return hinted{err: err, hint: newerHint}
	case spool.NoRoom(err):
		return hinted{err: err, hint: fmt.Sprintf("make room on the disk of %s: nothing in it was changed", cfg.DataDir)}
	case errors.Is(err, relay.ErrDoor):
		return hinted{err: err, hint: "set lifepay.callback.listen to a port that is free, and its certificate files; docs/callbacks.md"}
	case addressInUse(err):
		return hinted{err: err, hint: fmt.Sprintf("another program, perhaps another broker, has %s: stop it, set broker.listen to another port, or set broker.enabled = false and name that broker in [[mqtt]]", cfg.Broker.Listen)}
	case errors.Is(err, syscall.EROFS):
		return hinted{err: err, hint: daemon.HintReadOnly}
	case errors.Is(err, fs.ErrPermission):
		return hinted{err: err, hint: ownerHint(cfg)}
	case errors.Is(err, broker.ErrConfig):
		return hinted{err: err, hint: "kassad config check tells what is wrong with [broker] and its files"}
	case errors.Is(err, spool.ErrStore):
		return hinted{err: err, hint: "look at the disk (full? failing?), then start again: nothing accepted is lost"}
	default:
		return err
	}
}

// ownerHint is for who may not read or write what the daemon needs.
func ownerHint(cfg daemon.Config) string {
	if user, names := owner.Strange(cfg.DataDir); len(names) > 0 {
		return fmt.Sprintf("%d files in data_dir are not %s's, as %s: sudo chown -R %s: %s", len(names), user, names[0], user, cfg.DataDir)
	}
	if runtime.GOOS == "windows" {
		return fmt.Sprintf("%s; data_dir %s is for the system and administrators", withRights(), cfg.DataDir)
	}
	return fmt.Sprintf("sudo kassad service start, which lets the service read what it needs; or run kassad as the user that owns data_dir %s, or set data_dir (KASSAD_DATA_DIR) to a directory of yours", cfg.DataDir)
}

// windowsAddressInUse is WSAEADDRINUSE; package syscall has an invented number
// under the usual name there.
const windowsAddressInUse syscall.Errno = 10048

func addressInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, windowsAddressInUse)
}
