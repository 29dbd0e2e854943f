package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"kassad/devices/link"
	"kassad/devices/shtrih"
)

// probeTimeout bounds the search over all speeds of one port.
const probeTimeout = time.Minute

type portsCommand struct{ jsonFlag }

// Help ends the help of ports.
func (portsCommand) Help() string {
	return `No port is opened, so this is safe while the shop sells. ADDRESS goes into the configuration as it is;
a device with a USB serial number may also be named usb://SERIAL, whatever port it gets.

Examples:
  kassad ports
  kassad ports --json`
}

// portRow is a port as scripts read it.
type portRow struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	VID     string `json:"vid,omitempty"`
	PID     string `json:"pid,omitempty"`
	Serial  string `json:"serial,omitempty"`
	Product string `json:"product,omitempty"`
}

// Run lists the ports.
func (c *portsCommand) Run(e *env) error {
	ports, err := link.Ports()
	if err != nil {
		return fmt.Errorf("list ports: %w", err)
	}
	rows := []portRow{}
	for _, p := range ports {
		rows = append(rows, portRow{p.Name, serialAddress(p.Name), p.VID, p.PID, p.Serial, p.Product})
	}
	if c.JSON {
		return printJSON(e.stdout, rows)
	}
	if len(rows) == 0 {
		fmt.Fprintln(e.stderr, "no serial ports here; is the cable in? A printer on the network has none: kassad probe tcp://HOST:7778")
		return nil
	}
	t := newTable(e.stdout, "PORT", "USB ID", "USB SERIAL", "PRODUCT", "ADDRESS")
	for _, r := range rows {
		id := ""
		if r.VID != "" {
			id = r.VID + ":" + r.PID
		}
		t.row(r.Name, id, r.Serial, r.Product, r.Address)
	}
	return t.flush()
}

// serialAddress is the address of a port at the usual speed.
func serialAddress(name string) string { return "serial://" + name + "?baud=115200" }

type probeCommand struct {
	jsonFlag
	Port string `arg:"" help:"Serial port (/dev/ttyACM0, COM3), host:port, or an address as in the configuration."`
}

// Help ends the help of probe.
func (probeCommand) Help() string {
	return `A serial port is tried at every speed. What is there is asked who it is, nothing more: no document is
made and nothing is printed. Stop the daemon first if it has the port.

Examples:
  kassad probe /dev/ttyACM0
  kassad probe COM3
  kassad probe 192.168.137.111:7778
  kassad probe tcp://192.168.137.111:7778 --json`
}

// foundRow is a printer as scripts read it.
type foundRow struct {
	Kind     string `json:"kind"`
	Address  string `json:"address"`
	Model    string `json:"model"`
	Serial   string `json:"serial"`
	Firmware string `json:"firmware"`
}

// Run looks for a printer on one port.
func (c *probeCommand) Run(e *env) error {
	ctx, stop := notified(e.ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	found, err := probe(ctx, c.Port)
	if err != nil {
		return hinted{err: fmt.Errorf("probe %s: %w", c.Port, err), hint: probeHint(c.Port, err)}
	}
	row := foundRow{"shtrih-m", found.Address, found.Model, found.Serial, found.Firmware}
	if c.JSON {
		return printJSON(e.stdout, row)
	}
	t := newTable(e.stdout, "KIND", "MODEL", "SERIAL", "FIRMWARE", "ADDRESS")
	t.row(row.Kind, row.Model, row.Serial, row.Firmware, row.Address)
	return t.flush()
}

// probe takes what people write for a port: with a scheme it is an address,
// with a port number a host, otherwise a serial port.
func probe(ctx context.Context, port string) (shtrih.Found, error) {
	if strings.Contains(port, "://") {
		return shtrih.ProbeAddress(ctx, port, nil)
	}
	if _, number, err := net.SplitHostPort(port); err == nil && number != "" {
		return shtrih.ProbeAddress(ctx, "tcp://"+port, nil)
	}
	return shtrih.Probe(ctx, port, nil)
}

func probeHint(port string, err error) string {
	var dial *net.OpError
	switch {
	case errors.Is(err, link.ErrAddress):
		return "give /dev/ttyACM0, COM3, host:7778, serial://… or tcp://…"
	case errors.Is(err, link.ErrBusy):
		return "another program has the port: stop the running kassad, or the vendor's driver, and probe again"
	case errors.Is(err, fs.ErrPermission):
		return "no right to open " + port + ": add your user to the group that owns it (dialout on Debian), then log in again"
	case errors.Is(err, link.ErrNoPort), errors.Is(err, fs.ErrNotExist):
		return "kassad ports lists the ports of this computer"
	case errors.As(err, &dial):
		return "is the printer on and in this network? Its address is on the report that it prints when switched on"
	default:
		return "check power and cable; the printer must be set to protocol 1.0; kassad ports lists the other ports"
	}
}
