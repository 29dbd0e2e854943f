package main

import (
	"errors"
	"io/fs"

	"kassad/daemon/relay"
	"kassad/mqtt"
)

type relayCommand struct {
	Config      string `short:"c" help:"Configuration file of the relay." env:"KASSAD_RELAY_CONFIG" required:"" placeholder:"FILE"`
	JSONLog     bool   `name:"json-log" help:"Write the log as JSON, an object a line."`
	AddressFile string `name:"address-file" help:"Write the address to this file when callbacks are taken; of use with port 0." placeholder:"FILE"`
}

// Help ends the help of relay.
func (relayCommand) Help() string {
	return `For shops that the internet cannot reach. A callback is answered 200 only when the broker has it, and
503 while the broker is away: the service calls again. GET /healthz answers 200 while every broker is
there. The file: docs/callbacks.md.

Examples:
  kassad relay --config relay.toml
  kassad relay --config relay.toml --json-log`
}

// Run serves until a signal.
func (c *relayCommand) Run(e *env) error {
	ctx, stop := notified(e.ctx)
	defer stop()
	cfg, err := relay.LoadConfig(c.Config)
	if err != nil {
		return hinted{err: err, hint: "docs/callbacks.md shows a file and explains its keys"}
	}
	r, err := relay.New(cfg, newLogger(e.stderr, cfg.LogLevel, c.JSONLog))
	if err != nil {
		return relayHint(err)
	}
	var written error
	err = r.Run(ctx, func(address string) {
		if written = writeAddress(c.AddressFile, address); written != nil {
			stop()
		}
	})
	return errors.Join(written, relayHint(err))
}

// relayHint says what to try when the relay does not start.
func relayHint(err error) error {
	switch {
	case err == nil:
		return nil
	case addressInUse(err):
		return hinted{err: err, hint: "another program has the port: stop it, or set listen to another one"}
	case errors.Is(err, fs.ErrPermission):
		return hinted{err: err, hint: "a port below 1024 and the key file need rights: run behind a proxy on 127.0.0.1:8443, or give this user CAP_NET_BIND_SERVICE and the file"}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, relay.ErrDoor), errors.Is(err, mqtt.ErrLinkConfig):
		return hinted{err: err, hint: "docs/callbacks.md shows a file and explains its keys"}
	default:
		return err
	}
}
