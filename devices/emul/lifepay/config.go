package lifepay

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// The account of a zero Config.
const (
	DemoAPIKey  = "emulated-apikey"
	DemoLogin   = "70000000000"
	DemoPrinter = "00106304012797"
)

// Config describes the service. The zero value is one company with the account
// above and one printer of FFD 1.2.
type Config struct {
	Accounts []Account
	Options  Options
	Delays   Delays
	// Base is a path before cloud-print/; "" for none.
	Base string
	// Control serves /_control/: ledger, documents and faults over HTTP.
	Control bool
	// Now is the clock of the printers. Waiting is always done with the timers
	// of package time. Default time.Now.
	Now func() time.Time
	// Client sends callbacks; redirects are not followed whatever it says.
	Client *http.Client
	// Seed of uuids, fiscal signs and faults by chance.
	Seed uint64
	Log  *slog.Logger
}

// Account is a company.
type Account struct {
	APIKey       string
	NoCloudPrint bool // code 6080
	Logins       []Login
	Printers     []Printer
}

// Login is a user of a company.
type Login struct {
	Phone    string // 11 digits, 7 first
	Printer  string // serial of the printer of this trade point; "" for an administrator
	NoRights bool   // code 6095
}

// Printer is a virtual fiscal printer.
type Printer struct {
	Serial     string
	FFD        string   // "1.05" or "1.2" (default)
	TaxSystems []string // of the registration: osn usn6 usn15 eshn patent; default all
	DefaultTax string   // VAT of a position that names none; default none
	FNSerial   string   // 16 digits; default by the printer's place in the config
	INN        string
	RNM        string
	UserName   string
	Address    string
	Place      string
	State      PrinterState
	// Storage replaces the storage built from the fields above.
	Storage *fn.Storage
}

// Delays of the service.
type Delays struct {
	Queue time.Duration // from the acceptance to the printer
	Print time.Duration // at the printer
	Retry time.Duration // in the state "waiting for retry"; default 1 min
	// Tries is how often a document is tried before it fails for good. Default
	// 10.
	Tries    int
	Callback time.Duration // from a status to the first callback of it
	// Receiver bounds one callback. Default 10 s.
	Receiver time.Duration
	// Redelivery are the pauses between callbacks; the last one repeats.
	// Default 1, 3, 5, 10 min, then every hour (section 6.3).
	Redelivery []time.Duration
	// Attempts is how often a callback is sent at most. Default 10.
	Attempts int
}

func (d Delays) withDefaults() Delays {
	or(&d.Retry, time.Minute)
	or(&d.Tries, 10)
	or(&d.Receiver, 10*time.Second)
	or(&d.Attempts, 10)
	if len(d.Redelivery) == 0 {
		d.Redelivery = []time.Duration{time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, time.Hour}
	}
	return d
}

func (c Config) withDefaults() Config {
	if len(c.Accounts) == 0 {
		c.Accounts = []Account{{APIKey: DemoAPIKey, Logins: []Login{{Phone: DemoLogin}}, Printers: []Printer{{Serial: DemoPrinter}}}}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Client == nil {
		// No idle connections: they would outlive Close.
		c.Client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Delays = c.Delays.withDefaults()
	c.Options = c.Options.withDefaults()
	return c
}

// check finds words that no part of the emulator knows.
func (c Config) check() error {
	taxes := slices.Clone(c.Options.Taxes)
	for _, a := range c.Accounts {
		for _, p := range a.Printers {
			p = p.withDefaults()
			taxes = append(taxes, p.DefaultTax)
			if p.FFD != "1.05" && p.FFD != "1.2" || !p.State.valid() {
				return fmt.Errorf("printer %q: FFD %q, state %q", p.Serial, p.FFD, p.State)
			}
			for _, name := range p.TaxSystems {
				if taxSystems[name] == 0 {
					return fmt.Errorf("printer %q: tax system %q", p.Serial, name)
				}
			}
		}
	}
	for _, name := range taxes {
		if _, ok := vats[name]; !ok {
			return fmt.Errorf("tax %q", name)
		}
	}
	return nil
}

func (p Printer) withDefaults() Printer {
	or(&p.FFD, "1.2")
	or(&p.DefaultTax, "none")
	or(&p.INN, "7707083893")
	or(&p.RNM, "0000000001062448")
	or(&p.UserName, `ООО "Ромашка"`)
	or(&p.Address, "Москва, ул. Лесная, 1")
	or(&p.Place, "Облачная касса (эмулятор)")
	or(&p.State, PrinterOK)
	if len(p.TaxSystems) == 0 {
		p.TaxSystems = []string{"osn", "usn6", "usn15", "eshn", "patent"}
	}
	return p
}

func (p Printer) storage(seed uint64, now func() time.Time) *fn.Storage {
	if p.Storage != nil {
		return p.Storage
	}
	version := byte(ffd.Version12)
	if p.FFD == "1.05" {
		version = ffd.Version105
	}
	var mask byte
	for _, name := range p.TaxSystems {
		mask |= taxSystems[name]
	}
	return fn.New(fn.Config{
		Serial: p.FNSerial, FFD: version, Seed: seed, Now: now,
		Registration: fn.Registration{
			INN: p.INN, RNM: p.RNM, UserName: p.UserName, Address: p.Address, Place: p.Place, Taxations: mask,
			OFDName: "ЭМУЛЯТОР ОФД", OFDINN: "7704358518", DeviceSerial: p.Serial, Cashier: "СИСТ. АДМИН.",
		},
	})
}

func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}
