package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"kassad/daemon"
	"kassad/daemon/service"
)

// dialTimeout bounds the attempt to reach a broker.
const dialTimeout = 3 * time.Second

type doctorCommand struct {
	configFlag
	jsonFlag
}

// Help ends the help of doctor.
func (doctorCommand) Help() string {
	return `A running daemon checks itself; otherwise the checks are made from here, with the rights of the user
who asks. The computer itself is always looked at from here: who has the printer's port, whose group it is,
power saving of USB, ModemManager, antivirus, clock, certificate. Exit status: 0 if every line is OK, 1 otherwise.

Examples:
  kassad doctor --config kassad.toml
  kassad doctor --json`
}

// Run makes the checks.
func (c *doctorCommand) Run(e *env) error {
	checks, err := c.examine(e)
	if err != nil {
		return err
	}
	bad := 0
	for _, k := range checks {
		if !k.OK {
			bad++
		}
	}
	if c.JSON {
		err = printJSON(e.stdout, checks)
	} else {
		err = printChecks(e, checks)
	}
	if err == nil && bad > 0 {
		return hinted{err: fmt.Errorf("%d of %d checks failed", bad, len(checks)), hint: "follow the hints above from the first one on, then ask again"}
	}
	return err
}

func (c *doctorCommand) examine(e *env) ([]daemon.Check, error) {
	cfg, err := c.load()
	if err != nil {
		return []daemon.Check{{Name: "config", Detail: err.Error(), Hint: configHint(c.Config, err)}}, nil
	}
	raw, err := ask(e, cfg, "doctor", operator(), nil)
	if errors.Is(err, daemon.ErrSilent) {
		checks := append([]daemon.Check{{
			Name: "daemon", Detail: err.Error(), Text: "kassad запущен и не отвечает: он завис.", Hint: "kassad service restart; kassad support first, if somebody is to find out why",
		}}, c.serviceChecks()...)
		return append(checks, daemon.DoctorMachine(daemon.ThisMachine(), cfg)...), nil
	}
	if errors.Is(err, daemon.ErrNotRunning) {
		checks := append([]daemon.Check{{Name: "daemon", OK: true, Detail: "not running; checked from here"}}, c.serviceChecks()...)
		checks = append(checks, daemon.DoctorOffline(e.ctx, cfg, opener(slog.New(slog.DiscardHandler)))...)
		checks = append(checks, brokerChecks(e, cfg)...)
		return append(checks, daemon.DoctorMachine(daemon.ThisMachine(), cfg)...), nil
	}
	if err != nil {
		return nil, err
	}
	checks := append([]daemon.Check{{Name: "daemon", OK: true, Detail: "running"}}, c.serviceChecks()...)
	var answered []daemon.Check
	if err := json.Unmarshal(raw, &answered); err != nil {
		return nil, fmt.Errorf("doctor: %w", err)
	}
	checks = append(checks, answered...)
	return append(checks, daemon.DoctorMachine(daemon.ThisMachine(), cfg)...), nil
}

// serviceChecks looks at the service that serves with the usual configuration,
// if one is installed: a daemon that ends at each start checks nothing itself.
func (c *doctorCommand) serviceChecks() []daemon.Check {
	flag := serviceFlag{Name: service.DefaultName}
	if path, err := filepath.Abs(c.Config); err != nil || path != defaultConfigPath() {
		return nil
	}
	m, err := flag.manager(service.Settings{})
	if err != nil {
		return nil // none that would start it
	}
	s, err := m.Status()
	if err != nil || s.State == service.StateAbsent {
		return nil
	}
	k := daemon.Check{Name: "service", OK: s.State == service.StateRunning, Detail: s.State + serviceDetail(s)}
	if !k.OK {
		k.Text = "Служба установлена, но не обслуживает кассы."
		k.Hint = flag.next(s)
	}
	return []daemon.Check{k}
}

// brokerChecks tries the brokers of a daemon that does not run: whether ours
// could listen, and whether the others are there.
func brokerChecks(e *env, cfg daemon.Config) []daemon.Check {
	var checks []daemon.Check
	if cfg.Broker.Enabled {
		c := daemon.Check{Name: "broker", OK: true, Detail: cfg.Broker.Listen + " is free"}
		l, err := net.Listen("tcp", cfg.Broker.Listen)
		if err != nil {
			c = daemon.Check{Name: "broker", Detail: err.Error(), Hint: "stop the program that has the port, or set broker.listen"}
		} else {
			l.Close()
		}
		checks = append(checks, c)
	}
	for i, link := range cfg.MQTT {
		checks = append(checks, reachable(e, fmt.Sprintf("mqtt[%d]", i), link.URL))
	}
	return checks
}

func reachable(e *env, name, url string) daemon.Check {
	host := hostOf(url)
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(e.ctx, "tcp", host)
	if err != nil {
		return daemon.Check{Name: name, Detail: err.Error(), Hint: "is the broker running, and is the url right?"}
	}
	conn.Close()
	return daemon.Check{Name: name, OK: true, Detail: host + " answers"}
}

func printChecks(e *env, checks []daemon.Check) error {
	t := newTable(e.stdout, "RESULT", "CHECK", "DETAIL")
	for _, k := range checks {
		mark := "OK"
		if !k.OK {
			mark = "FAIL"
		}
		t.row(mark, k.Name, k.Detail)
		if k.Text != "" && k.Hint != "" {
			t.row(" ", " ", k.Text)
		}
		if k.Hint != "" {
			t.row(" ", " ", "try: "+k.Hint)
		}
	}
	return t.flush()
}
