package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"kassad/devices/emul/bifit"
	"kassad/devices/emul/lifepay"
)

// emulateCloudFlags are common to the emulated services.
type emulateCloudFlags struct {
	Listen      string        `help:"Serve HTTP on this address; port 0 takes any free one." default:"127.0.0.1:8090" placeholder:"ADDR"`
	Delay       time.Duration `help:"Time that a document takes from the service's queue to its fiscal storage." default:"1s" placeholder:"1s"`
	Control     bool          `help:"Serve /_control/ as well: ledger, documents, requests and faults over HTTP, without a password."`
	AddressFile string        `help:"Write the base address to this file when clients may connect." placeholder:"FILE"`
}

type emulateLifePay struct {
	emulateCloudFlags
	FFD string `name:"ffd" help:"Version of the fiscal data format of its printer: 1.05 or 1.2." enum:"1.05,1.2" default:"1.2" placeholder:"1.2"`
}

// Help ends the help of emulate lifepay.
func (emulateLifePay) Help() string {
	return `A test tool: what the vendor's documents say and what they leave open is in docs/lifepay.md. Its documents
are not fiscal. With --control, for example:
  curl http://127.0.0.1:8090/_control/ledger
  curl -d '{"kind":"cut-after","times":1}' http://127.0.0.1:8090/_control/fault

Examples:
  kassad emulate lifepay
  kassad emulate lifepay --listen 127.0.0.1:8090 --delay 3s --control`
}

// Run serves LIFE PAY until a signal.
func (c *emulateLifePay) Run(e *env) error {
	config := lifepay.Config{
		Accounts: []lifepay.Account{{
			APIKey: lifepay.DemoAPIKey, Logins: []lifepay.Login{{Phone: lifepay.DemoLogin}},
			Printers: []lifepay.Printer{{Serial: lifepay.DemoPrinter, FFD: c.FFD}},
		}},
		Options: lifepay.Options{ExpiredShift: lifepay.ExpiredReopens},
		Delays:  lifepay.Delays{Print: c.Delay}, Control: c.Control, Log: emulatorLog(e),
	}
	s := lifepay.New(config)
	return c.serve(e, s, s.Close, func(base string) string {
		return fmt.Sprintf("[lifepay]\nbase_url = %q\nlogin = %q\n# apikey_file holds: %s\n", base, lifepay.DemoLogin, lifepay.DemoAPIKey)
	})
}

type emulateBIFIT struct {
	emulateCloudFlags
}

// Help ends the help of emulate bifit.
func (emulateBIFIT) Help() string {
	return `A test tool: what the vendor's documents say and what they leave open is in docs/bifit.md. Its documents
are not fiscal. With --control, for example:
  curl http://127.0.0.1:8091/_control/documents
  curl -X POST 'http://127.0.0.1:8091/_control/fault?do=cut&on=register&times=2'

Examples:
  kassad emulate bifit --listen 127.0.0.1:8091
  kassad emulate bifit --listen 127.0.0.1:8091 --delay 100ms --control`
}

// Run serves BIFIT until a signal.
func (c *emulateBIFIT) Run(e *env) error {
	s := bifit.New(bifit.Config{Delays: bifit.Delays{New: -1, Queued: -1, Registering: c.Delay}, Log: emulatorLog(e)})
	handler := http.NewServeMux()
	handler.Handle("/", s)
	if c.Control {
		handler.Handle(bifit.ControlPath, s.Control())
	}
	return c.serve(e, handler, s.Close, func(base string) string {
		return fmt.Sprintf("[bifit]\nbase_url = %q\ntaxation = \"usn-income\"\n# connector_token_file holds: %s\n# broker_token_file holds: %s\n",
			base+bifit.PrefixDefault, bifit.ConnectorTokenDefault, bifit.BrokerTokenDefault)
	})
}

func emulatorLog(e *env) *slog.Logger { return slog.New(slog.NewTextHandler(e.stderr, nil)) }

// emulatorHeaderTimeout is for clients that never finish a request.
const emulatorHeaderTimeout = 10 * time.Second

// serve answers clients until a signal, and tells what goes into a
// configuration. release lets go of requests that hang.
func (c *emulateCloudFlags) serve(e *env, h http.Handler, release func(), section func(base string) string) error {
	ctx, stop := notified(e.ctx)
	defer stop()
	defer release()
	l, err := net.Listen("tcp", c.Listen)
	switch {
	case addressInUse(err):
		return hinted{err: err, hint: "choose another port; port 0 takes any free one"}
	case err != nil:
		return err
	}
	base := "http://" + l.Addr().String()
	fmt.Fprintf(e.stderr, "%s\n%s\n%s", warningCloudRussian, warningEnglish, section(base))
	if err := writeAddress(c.AddressFile, base); err != nil {
		return errors.Join(err, l.Close())
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: emulatorHeaderTimeout}
	defer context.AfterFunc(ctx, func() {
		release()
		server.Close()
	})()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

const warningCloudRussian = "ЭМУЛЯТОР облачной кассы для проверки программ. Документы НЕ ФИСКАЛЬНЫЕ, в ФНС ничего не передаётся."
