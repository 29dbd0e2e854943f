package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"sync"
	"time"

	"kassad/daemon/sim"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal/ffd"
)

type emulateCommand struct {
	ShtrihM emulateShtrihM `cmd:"" name:"shtrih-m" help:"A Shtrih-M printer over its protocol 1.0, with a fiscal storage (ФН) under it."`
	LifePay emulateLifePay `cmd:"" name:"lifepay" help:"The cloud print service of LIFE PAY."`
	BIFIT   emulateBIFIT   `cmd:"" name:"bifit" help:"The fiscal processing of BIFIT."`
}

// Help ends the help of emulate.
func (emulateCommand) Help() string {
	return `Examples:
  kassad emulate shtrih-m --tcp 127.0.0.1:7778
  kassad emulate lifepay
  kassad emulate bifit --listen 127.0.0.1:8091`
}

type emulateShtrihM struct {
	TCP         string        `name:"tcp" help:"Listen on this TCP address." xor:"line" required:"" placeholder:"ADDR"`
	PTY         bool          `name:"pty" help:"Be a serial port: a pseudo terminal (Linux)." xor:"line" required:""`
	State       string        `help:"Keep the printer and its storage in this file over restarts and kills." placeholder:"FILE"`
	FFD         string        `name:"ffd" help:"Version of the fiscal data format: 1.05, 1.1 or 1.2." enum:"1.05,1.1,1.2" default:"1.2" placeholder:"1.2"`
	Serial      string        `help:"Serial number of the printer, 16 digits." placeholder:"N"`
	FN          string        `name:"fn" help:"Serial number of the fiscal storage, 16 digits." placeholder:"N"`
	Password    uint32        `help:"Password of the administrator." default:"30" placeholder:"30"`
	PrintTime   time.Duration `help:"Time that a line of paper takes; the printer is busy meanwhile." placeholder:"10ms"`
	Baud        int           `help:"Send bytes no faster than a line of this speed." placeholder:"115200"`
	Receipts    bool          `help:"Draw what is printed." default:"true" negatable:""`
	AddressFile string        `help:"Write the address, as it goes into the configuration, to this file when hosts may connect." placeholder:"FILE"`
}

// Help ends the help of emulate shtrih-m.
func (emulateShtrihM) Help() string {
	return `A test tool for drivers, this project's and anybody's: the wire, the commands, the counters and the
documents are those of the vendor's description; nothing of it is fiscal.

Examples:
  kassad emulate shtrih-m --tcp 127.0.0.1:7778
  kassad emulate shtrih-m --pty --state printer.json
  kassad emulate shtrih-m --tcp 127.0.0.1:7778 --ffd 1.05 --print-time 10ms --no-receipts`
}

var serialNumber = regexp.MustCompile(`^[0-9]{16}$`)

// config is the printer that the flags describe.
func (c *emulateShtrihM) config() (printer.Config, error) {
	for name, n := range map[string]string{"--serial": c.Serial, "--fn": c.FN} {
		if n != "" && !serialNumber.MatchString(n) {
			return printer.Config{}, hinted{err: fmt.Errorf("%s %s: not 16 digits", name, n), hint: "for example " + name + " 9999078900000001", status: exitUsage}
		}
	}
	formats := map[string]byte{"1.05": ffd.Version105, "1.1": ffd.Version11, "1.2": ffd.Version12}
	return printer.Config{
		Serial: c.Serial, FNSerial: c.FN, FFD: formats[c.FFD], Password: c.Password,
		Link: printer.LinkOptions{Baud: c.Baud}, Print: printer.PrintOptions{LineTime: c.PrintTime},
	}, nil
}

// Run serves the printer until a signal.
func (c *emulateShtrihM) Run(e *env) error {
	ctx, stop := notified(e.ctx)
	defer stop()
	config, err := c.config()
	if err != nil {
		return err
	}
	p := printer.New(config)
	if c.State != "" {
		failed := func(err error) {
			fmt.Fprintln(e.stderr, "kassad:", err)
			stop()
		}
		if err := p.Keep(c.State, failed); err != nil {
			return hinted{err: err, hint: "move the file away to begin with a new printer"}
		}
	}
	if c.Receipts {
		p.OnPrint((&paper{out: e.stdout}).print)
	}
	return c.listen(ctx, e, p)
}

// listen serves hosts and tells where.
func (c *emulateShtrihM) listen(ctx context.Context, e *env, p *printer.Printer) error {
	var failed error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := func(address string) {
		fmt.Fprintf(e.stderr, "%s\n%s\naddress = %q\n", warningRussian, warningEnglish, address)
		if failed = writeAddress(c.AddressFile, address); failed != nil {
			cancel()
		}
	}
	var err error
	if c.PTY {
		err = p.ListenPTY(ctx, func(path string) { ready(serialAddress(path)) })
	} else {
		err = p.ListenTCP(ctx, c.TCP, func(a net.Addr) { ready("tcp://" + a.String()) })
	}
	switch {
	case failed != nil:
		return failed
	case addressInUse(err):
		return hinted{err: err, hint: "choose another port; port 0 takes any free one"}
	case err != nil && c.PTY:
		return hinted{err: err, hint: "where there is no pseudo terminal, --tcp 127.0.0.1:7778 serves as well"}
	default:
		return err
	}
}

// The warnings stand above everything else that the emulator says.
const (
	warningRussian = "ЭМУЛЯТОР ККТ для проверки программ. Документы НЕ ФИСКАЛЬНЫЕ, в ФНС ничего не передаётся."
	warningEnglish = "EMULATED register for testing programs. Its documents are NOT FISCAL; nothing reaches the tax service."
)

// paper draws what is printed, one document after the other.
type paper struct {
	out io.Writer

	mu sync.Mutex
}

func (p *paper) print(d printer.Printed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sim.Draw(p.out, d)
}
