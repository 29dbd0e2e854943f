package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"kassad/daemon"
)

// ask puts a question to the running daemon. The error is daemon.ErrNotRunning
// if there is none.
func ask(e *env, cfg daemon.Config, op, by string, body any) (json.RawMessage, error) {
	raw, err := daemon.Control(e.ctx, cfg, op, by, body)
	if errors.Is(err, fs.ErrPermission) {
		// A daemon that may not be asked is not one that does not run.
		return nil, hinted{
			err:  fmt.Errorf("no right to ask the daemon: %w", errors.Unwrap(err)),
			hint: "run this as the service's user or as root: sudo -u kassad kassad …",
		}
	}
	if errors.Is(err, daemon.ErrSilent) {
		return nil, hinted{err: err, hint: "kassad service restart; what is in hand is found out after the start"}
	}
	return raw, err
}

// mustRun says what to try when only a running daemon can answer.
func mustRun(cfg daemon.Config, err error) error {
	if errors.Is(err, daemon.ErrNotRunning) {
		return hinted{
			err:  fmt.Errorf("%w (data_dir %s)", daemon.ErrNotRunning, cfg.DataDir),
			hint: "kassad service status tells how the service is, kassad service start starts it; or start it with kassad run, or name the configuration of the running one with --config",
		}
	}
	return err
}
