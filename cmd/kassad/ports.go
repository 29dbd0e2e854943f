package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"kassad/daemon"
	"kassad/devices/detect"
	"kassad/devices/link"
)

// excludeFlag is shared by the commands that look at ports: what the
// configuration excludes, and more.
type excludeFlag struct {
	configFlag
	Exclude []string `help:"Leave this alone, beside ports.exclude of the configuration: a port, usb:VID:PID, or tcp." placeholder:"WHAT"`
}

// exclusions reads ports.exclude. A computer without a configuration excludes
// nothing; a configuration that cannot be read is an error, since what it
// forbids is not known.
func (f excludeFlag) exclusions() (detect.Exclusions, error) {
	var cfg daemon.Config
	text, err := os.ReadFile(f.Config)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.Config == defaultConfigPath():
	case err != nil:
		return nil, hinted{err: fmt.Errorf("what must be left alone stands in the configuration: %w", err), hint: "ask with the right to read it (sudo), or name a port: kassad probe PORT"}
	default:
		if cfg, err = daemon.ParseConfig(text); err != nil {
			return nil, hinted{err: fmt.Errorf("config %s: %w", f.Config, err), hint: "kassad config check --config " + f.Config}
		}
	}
	cfg.Ports.Exclude = append(cfg.Ports.Exclude, f.Exclude...)
	e, err := cfg.Ports.Exclusions()
	if err != nil {
		return nil, hinted{err: err, hint: `write /dev/ttyS0, COM1, /dev/ttyUSB*, usb:VID, usb:VID:PID, usb:VID:PID:SERIAL or tcp`, status: exitUsage}
	}
	return e, nil
}

type portsCommand struct {
	excludeFlag
	jsonFlag
}

// Help ends the help of ports.
func (portsCommand) Help() string {
	return `No port is opened and nothing is sent, so this is safe while the shop sells. ADDRESS goes into the
configuration as it is; a device with a USB serial number may also be named usb://SERIAL, whatever port
it gets, and address = "auto" finds the printer by its own number. USE tells who has a port open, and
what kassad never asks by itself: what is excluded, modems, consoles, Bluetooth and remote desktops.

Examples:
  kassad ports
  kassad ports --json`
}

// portRow is a port as scripts read it.
type portRow struct {
	Name    string    `json:"name"`
	Address string    `json:"address"`
	ByID    string    `json:"by_id,omitempty"`
	Kind    link.Kind `json:"kind,omitempty"`
	Network string    `json:"network,omitempty"`
	VID     string    `json:"vid,omitempty"`
	PID     string    `json:"pid,omitempty"`
	Serial  string    `json:"serial,omitempty"`
	Product string    `json:"product,omitempty"`
	// Left says why kassad does not ask there by itself; Detail by whom it is
	// used, or by which line it is excluded.
	Left   detect.Why `json:"left,omitempty"`
	Detail string     `json:"detail,omitempty"`
}

func newPortRow(p detect.Place) portRow {
	return portRow{
		Name: p.Name(), Address: p.Address, ByID: p.Port.ByID, Kind: p.Port.Kind, Network: p.Network, VID: p.Port.VID, PID: p.Port.PID,
		Serial: p.Port.Serial, Product: p.Port.Product, Left: p.Left, Detail: p.Detail,
	}
}

// use is how a place is used, for people.
func (r portRow) use() string {
	switch {
	case r.Left == "":
		return "free"
	case r.Detail == "":
		return string(r.Left)
	default:
		return string(r.Left) + ": " + r.Detail
	}
}

// Run lists the ports.
func (c *portsCommand) Run(e *env) error {
	exclude, err := c.exclusions()
	if err != nil {
		return err
	}
	around := detect.System()
	places, err := around.Places(exclude)
	if err != nil {
		return fmt.Errorf("list ports: %w", err)
	}
	around.Use(places)
	rows := []portRow{}
	for _, p := range places {
		rows = append(rows, newPortRow(p))
	}
	if c.JSON {
		return printJSON(e.stdout, rows)
	}
	if len(rows) == 0 {
		fmt.Fprintln(e.stderr, "no serial ports here; is the cable in? A printer on the network has none: kassad probe tcp://HOST:7778")
		return nil
	}
	t := newTable(e.stdout, "PORT", "USE", "USB ID", "USB SERIAL", "PRODUCT", "ADDRESS")
	for _, r := range rows {
		id, product := "", r.Product
		if r.VID != "" {
			id = r.VID + ":" + r.PID
		}
		if r.Network != "" {
			product = "network " + r.Network
		}
		t.row(r.Name, r.use(), id, r.Serial, strings.TrimSpace(product), r.Address)
	}
	return t.flush()
}

// serialAddress is the address of a port at the usual speed.
func serialAddress(name string) string { return "serial://" + name + "?baud=115200" }
