package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"kassad/daemon"
	"kassad/daemon/service"
)

// runPlatform is what run has on Windows alone.
type runPlatform struct {
	Service string `name:"service" help:"Serve under the service manager, which has started kassad under this name; kassad service install writes it." placeholder:"NAME"`
}

// hosted runs f in a console, or as a service: then the log goes to a file, and
// warnings and errors to the event log too.
func (p runPlatform) hosted(c *runCommand, e *env, f func(context.Context, host) error) error {
	if p.Service == "" || !service.Managed() {
		return c.console(e, f)
	}
	// A path of its own: the configuration may be what is wrong.
	file := service.LogFile(filepath.Join(daemon.DefaultConfig().DataDir, "logs", "kassad.log"))
	defer file.Close()
	log := func(level string) *slog.Logger {
		own := newLogger(file, level, c.JSONLog)
		events, err := service.OpenEventLog(p.Service)
		if err != nil {
			own.Warn("no event log", "err", err)
			return own
		}
		return slog.New(slog.NewMultiHandler(own.Handler(), service.EventHandler(events)))
	}
	return service.Run(p.Service, func(ctx context.Context) error {
		abort := func(reason string) {
			log("info").Error("the process is ended for the service manager to start it again", "why", reason)
			os.Exit(exitFailed)
		}
		err := f(ctx, host{log: log, tell: (*service.Notifier)(nil), grace: service.StopGrace, abort: abort})
		var h hinted
		switch {
		case errors.As(err, &h):
			log("info").Error("kassad ends", "err", err, "try", h.hint)
		case err != nil:
			log("info").Error("kassad ends", "err", err)
		}
		return err
	}, os.Exit)
}
