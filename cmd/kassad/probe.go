package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"time"

	"kassad/devices/detect"
	"kassad/devices/link"
	"kassad/devices/shtrih"
)

type probeCommand struct {
	excludeFlag
	jsonFlag
	Password uint32 `help:"Password of the printer's administrator, if it is not 30." placeholder:"N"`
	Port     string `arg:"" optional:"" help:"Serial port (/dev/ttyACM0, COM3), host:port, or an address as in the configuration; without it, all."`
}

// Help ends the help of probe.
func (probeCommand) Help() string {
	return `Without PORT every port is asked that is free, not excluded, and not known to the system as a modem, a
console or somebody else's, several at a time; the table tells what was left alone and why. A port gets
one byte, ENQ, at each speed, and questions only if a printer has answered; it takes 3 seconds at most.
No document is made and nothing is printed. Networks are not scanned: of a printer that is a network card
on USB, only its usual address and those heard there are tried.

Examples:
  kassad probe
  kassad probe --exclude /dev/ttyS0 --exclude usb:067B:2303
  kassad probe /dev/ttyACM0
  kassad probe COM3
  kassad probe 192.168.137.111:7778
  kassad probe tcp://192.168.137.111:7778 --json`
}

// kindShtrih is what the configuration calls the family that probe knows.
const kindShtrih = "shtrih-m"

// foundRow is a printer as scripts read it.
type foundRow struct {
	Kind     string `json:"kind"`
	Address  string `json:"address"`
	Model    string `json:"model"`
	Serial   string `json:"serial"`
	Firmware string `json:"firmware"`
}

// Run looks for printers on one port, or on all.
func (c *probeCommand) Run(e *env) error {
	ctx, stop := notified(e.ctx)
	defer stop()
	if c.Port == "" {
		exclude, err := c.exclusions()
		if err != nil {
			return err
		}
		return c.all(ctx, e, detect.System(), detect.Probe, exclude)
	}
	found, err := c.one(ctx)
	if err != nil {
		return hinted{err: fmt.Errorf("probe %s: %w", c.Port, err), hint: probeHint(c.Port, err)}
	}
	row := foundRow{kindShtrih, found.Address, found.Model, found.Serial, found.Firmware}
	if c.JSON {
		return printJSON(e.stdout, row)
	}
	t := newTable(e.stdout, "KIND", "MODEL", "SERIAL", "FIRMWARE", "ADDRESS")
	t.row(row.Kind, row.Model, row.Serial, row.Firmware, row.Address)
	return t.flush()
}

// one takes what people write for a port: with a scheme it is an address, with
// a port number a host, otherwise a serial port. A named port is asked although
// it is excluded; not while somebody has it open.
func (c *probeCommand) one(ctx context.Context) (shtrih.Found, error) {
	ask := shtrih.Asking{Password: c.Password}
	address := c.Port
	if _, number, err := net.SplitHostPort(c.Port); err == nil && number != "" && !strings.Contains(c.Port, "://") {
		address = "tcp://" + c.Port
	}
	if strings.Contains(address, "://") {
		if at, err := netip.ParseAddrPort(strings.TrimPrefix(address, "tcp://")); err == nil && link.Connected(at) {
			return shtrih.Found{}, fmt.Errorf("%w: a program of this computer is connected", link.ErrBusy)
		}
		return shtrih.ProbeAddress(ctx, address, ask)
	}
	port := link.Port{Name: c.Port}
	ports, _ := link.Ports() // a port that is not listed can be asked as well
	for _, p := range ports {
		if strings.EqualFold(p.Name, c.Port) || p.ByID == c.Port {
			port = p
		}
	}
	// Who serves a pseudo terminal, as the emulator does, may hold it by this name.
	if who, used := link.InUse(port.Name); used && !strings.HasPrefix(port.Name, "/dev/pts/") {
		return shtrih.Found{}, fmt.Errorf("%w: %s", link.ErrBusy, who)
	}
	return shtrih.Probe(ctx, port, ask)
}

// probeRow is one place of a search as scripts read it.
type probeRow struct {
	portRow
	Result  detect.Outcome `json:"result"`
	Printer *foundRow      `json:"printer,omitempty"`
	Error   string         `json:"error,omitempty"`
}

// all asks at every place that may be asked.
func (c *probeCommand) all(ctx context.Context, e *env, around detect.Surroundings, probe detect.Prober, exclude detect.Exclusions) error {
	places, err := around.Places(exclude)
	if err != nil {
		return fmt.Errorf("list ports: %w", err)
	}
	around.Use(places)
	began := time.Now()
	tell := func(format string, args ...any) {
		if !c.JSON {
			fmt.Fprintf(e.stderr, format+"\n", args...)
		}
	}
	asked := 0
	for _, p := range places {
		if p.Left == "" {
			asked++
		}
	}
	tell("asking at %d of %d places, at most %.0f s each", asked, len(places), shtrih.ProbeTimeout.Seconds())
	done := 0
	results := detect.Look(ctx, places, probe, shtrih.Asking{Password: c.Password}, func(r detect.Result) {
		done++
		tell("%d/%d %4.1f s %s: %s", done, asked, time.Since(began).Seconds(), r.Name(), r.Outcome)
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	rows := []probeRow{}
	var printers []*foundRow
	for _, r := range results {
		row := newProbeRow(r)
		if row.Printer != nil {
			printers = append(printers, row.Printer)
		}
		rows = append(rows, row)
	}
	if err := c.print(e, rows); err != nil {
		return err
	}
	switch len(printers) {
	case 0:
		return hinted{err: errors.New("no printer found"), hint: "check power and cable; the printer must be set to protocol 1.0; on Ethernet or Wi-Fi it has an address of its own: kassad probe HOST:7778"}
	case 1:
		tell(`in the configuration: address = "auto"`)
	default:
		tell("in the configuration: address = \"auto\" and the serial of each device's printer")
	}
	return nil
}

func newProbeRow(r detect.Result) probeRow {
	row := probeRow{portRow: newPortRow(r.Place), Result: r.Outcome}
	if r.Outcome == detect.Printer {
		row.Address = r.Found.Address
		row.Printer = &foundRow{kindShtrih, r.Found.Address, r.Found.Model, r.Found.Serial, r.Found.Firmware}
	}
	if r.Err != nil {
		row.Error = strings.ReplaceAll(r.Err.Error(), "\n", ": ")
	}
	return row
}

func (c *probeCommand) print(e *env, rows []probeRow) error {
	if c.JSON {
		return printJSON(e.stdout, rows)
	}
	if len(rows) == 0 {
		return nil
	}
	t := newTable(e.stdout, "PORT", "RESULT", "KIND", "MODEL", "SERIAL", "FIRMWARE", "ADDRESS", "WHY")
	for _, r := range rows {
		p, why := foundRow{}, r.Error
		if r.Printer != nil {
			p = *r.Printer
		}
		if r.Result == detect.Left {
			why = r.use()
		}
		t.row(r.Name, string(r.Result), p.Kind, p.Model, p.Serial, p.Firmware, p.Address, why)
	}
	return t.flush()
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
	case errors.Is(err, shtrih.ErrTalks), errors.Is(err, shtrih.ErrOther):
		return "this is another device, or a printer of another family; put it into ports.exclude, and look at the other ports: kassad ports"
	case errors.As(err, &dial) && dial.Op == "dial":
		return "is the printer on and in this network? Its address is on the report that it prints when switched on"
	default:
		return "check power and cable; the printer must be set to protocol 1.0; kassad ports lists the other ports"
	}
}
