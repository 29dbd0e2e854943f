package bifit

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"kassad/fiscal/ffd"
)

// Defaults of Config.
const (
	PrefixDefault = "/processing-api"
	// ConnectorTokenDefault and BrokerTokenDefault open the connector that a
	// Config without connectors has.
	ConnectorTokenDefault = "EmulatedConnectorToken0000000000000000000000000001"
	BrokerTokenDefault    = "EmulatedBrokerToken00000000000000000000000000000001"
	// FirstIDDefault is the id of the section 4.3 example.
	FirstIDDefault = 254934
	// FirstIDWide shows who reads ids as 32 bits (section 14.4).
	FirstIDWide = 1<<31 + 254934

	accessLifeDefault  = time.Hour      // section 3.3
	refreshLifeDefault = 24 * time.Hour // section 14.2 [C]
	newDefault         = 500 * time.Millisecond
	queuedDefault      = 500 * time.Millisecond
	registeringDefault = time.Second
	licenceDefault     = 10 * 365 * 24 * time.Hour
	taxationsDefault   = 0x01 | 0x02 | 0x04 | 0x10 | 0x20
	moscowOffset       = 3 * 60 * 60
	firstStorage       = 9999078900100001
	firstRNM           = 1062450
	firstSerial        = 550101000001
)

// Config describes a service. The zero value is one connector with one
// register and all checks on.
type Config struct {
	Prefix     string // of all paths; default PrefixDefault
	Connectors []Connector
	Delays     Delays
	// AccessLife and RefreshLife are the lives of tokens; default 1 h and 24 h.
	AccessLife, RefreshLife time.Duration
	// Clock is the time of the service, to which Advance adds. Default time.Now.
	Clock   func() time.Time
	Seed    uint64 // of tokens, fiscal signs and the chances of faults
	FirstID uint64 // default FirstIDDefault
	// Table are the words of the interface; default DefaultTable.
	Table    Table
	Tolerate Tolerate
	Rules    Rules
	Log      *slog.Logger // default: none
}

// Delays are how long a document stays in each state at least. Zero is the
// default, negative is none.
type Delays struct{ New, Queued, Registering time.Duration }

// Connector is an entry point of a merchant, with registers of its own.
type Connector struct {
	Name        string // in Documents and Requests; default "connector-n"
	Token       string // connector token
	BrokerToken string // "" for none: reload is refused (section 10)
	Registers   []Register
}

// State is the state of a register.
type State int

// States of a register.
const (
	RegisterOK    State = iota
	RegisterFault       // documents end in an error
	RegisterBusy        // documents wait in the queue
)

// Register is a cloud register with its fiscal storage.
type Register struct {
	Serial    string // tag 1013, unique in the service
	FN        string // tag 1041, 16 digits
	RNM       string // tag 1037, 16 digits
	Taxations byte   // tag 1062, mask; default all five
	FFD       byte   // tag 1209; default 1.05, under which items need no unit (section 5.7)
	// FNLimit is the number of documents, reports included, that fills the
	// storage; 0 is the default of package fn.
	FNLimit uint32
	// LicenceEnd is when the rent ends; default in ten years.
	LicenceEnd time.Time
	State      State
	ClockOff   time.Duration  // of the register's clock
	Zone       *time.Location // of the register; default UTC+3
	Place      string         // tag 1187, unless the receipt names one

	INN, UserName, Address string // tags 1018, 1048, 1009
}

// Tolerate turns checks of a registration off, each for itself (section 14.4).
// What cannot be made a document then fails later, with INVALID_DATA.
type Tolerate struct {
	NoKey         bool // a request without Idempotency-Key is always a new document
	KeyForm       bool // longer than 64 or with other signs than A-Za-z0-9_- [C]
	ContentType   bool
	UnknownFields bool // ignored, not refused
	NoItems       bool
	NoPayments    bool
	Cashier       bool // blank name
	CashierINN    bool
	Tokens        bool
	Quantity      bool // zero, negative, more than three decimals
	Price         bool // negative
	Lines         bool // price × quantity far from the total of the line
	Sum           bool // lines and total differ
	Paid          bool // payments and total differ
	Lengths       bool
}

// Rules are what the service does where the reference leaves a choice.
type Rules struct {
	// SingleSession makes every new token end the earlier ones of its
	// connector (section 3.3 does not tell).
	SingleSession bool
	// Conflict answers 409 to a known key with another body; by default it is
	// 200 with the first id.
	Conflict bool
	// BrokerUnauthorized answers 401 to a wrong Broker-token instead of 403.
	BrokerUnauthorized bool
	// SkipUnknown leaves unknown ids of a reload out; by default the whole call
	// is refused with 404.
	SkipUnknown bool
	// QuotedIDs lets a reload name ids as strings; by default that is 400.
	QuotedIDs bool
	// Extensions accepts the invented fields of section 14.7.
	Extensions bool
}

func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

func (c Config) withDefaults() Config {
	or(&c.Prefix, PrefixDefault)
	c.Prefix = "/" + strings.Trim(c.Prefix, "/")
	or(&c.AccessLife, accessLifeDefault)
	or(&c.RefreshLife, refreshLifeDefault)
	or(&c.FirstID, FirstIDDefault)
	or(&c.Delays.New, newDefault)
	or(&c.Delays.Queued, queuedDefault)
	or(&c.Delays.Registering, registeringDefault)
	c.Delays = Delays{max(c.Delays.New, 0), max(c.Delays.Queued, 0), max(c.Delays.Registering, 0)}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Table.DocumentPath == "" {
		c.Table = DefaultTable()
	}
	if len(c.Connectors) == 0 {
		c.Connectors = []Connector{{Token: ConnectorTokenDefault, BrokerToken: BrokerTokenDefault}}
	}
	connectors, n := make([]Connector, len(c.Connectors)), 0
	for i, k := range c.Connectors {
		or(&k.Name, fmt.Sprintf("connector-%d", i+1))
		if len(k.Registers) == 0 {
			k.Registers = make([]Register, 1)
		}
		registers := make([]Register, len(k.Registers))
		for j, r := range k.Registers {
			registers[j] = r.withDefaults(n, c.Clock())
			n++
		}
		k.Registers = registers
		connectors[i] = k
	}
	c.Connectors = connectors
	return c
}

// withDefaults fills in the register number n of the service.
func (r Register) withDefaults(n int, now time.Time) Register {
	or(&r.Serial, fmt.Sprintf("%016d", firstSerial+int64(n)))
	or(&r.FN, fmt.Sprintf("%016d", firstStorage+1000*int64(n)))
	or(&r.RNM, fmt.Sprintf("%016d", firstRNM+int64(n)))
	or(&r.Taxations, taxationsDefault)
	or(&r.FFD, ffd.Version105)
	or(&r.INN, "7707083893")
	or(&r.UserName, `ООО "Ромашка"`)
	or(&r.Address, "Москва, ул. Лесная, 1")
	or(&r.Place, "ЭМУЛЯТОР, НЕ ФИСКАЛЬНЫЙ")
	if r.Zone == nil {
		r.Zone = time.FixedZone("MSK", moscowOffset)
	}
	if r.LicenceEnd.IsZero() {
		r.LicenceEnd = now.Add(licenceDefault)
	}
	return r
}
