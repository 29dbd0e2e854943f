package lifepay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"kassad/fiscal"
)

// Where the buyer's receipt goes (reference 2.1, mode).
const (
	ModePrint      = "print"
	ModeEmail      = "email"
	ModePrintEmail = "print_email"
)

// What becomes of a line whose price × quantity is not its sum to the kopeck:
// how the service rounds is not documented (reference 3.3).
const (
	RoundAsOne  = "as-one" // quantity 1 at the line's sum; quantity and price go into the name
	RoundAsIs   = "as-is"  // as it stands: only where the service is known to round half up
	RoundRefuse = "refuse" // unsupported
)

// What becomes of an item sold for somebody else: how the service takes the
// agent's data is known in outline only (reference 2.2, 15.10).
const (
	AgentRefuse   = "refuse"   // unsupported
	AgentPosition = "position" // agent_item_type, supplier_inn, supplier_data; FFD 1.2 only
)

// Options of a driver. Login and APIKey are required; the zero value of each
// other has the default stated. What the reference leaves open is here.
type Options struct {
	BaseURL string        // https://sapi.life-pay.ru
	PathFFD string        // of receipts of FFD 1.2, /cloud-print-ffd1_2 (UNVERIFIED that it is the only one, 15.10)
	CAFile  string        // PEM of authorities to trust beside the system's
	Timeout time.Duration // of a call, web.DefaultTimeout

	Login  string // 11 digits, the first is 7
	APIKey string // of the company

	FFD           string          // "1.05" or "1.2"; "1.05"
	Mode          string          // ModeEmail
	TargetSerial  string          // of the printer; cash-in and cash-out need it
	TargetService string          // "lifepayCloud" for the service's own till
	Taxation      fiscal.Taxation // of documents that name none; 0: the till's own
	Cashier       string          // of documents that name none; "": the service's own word
	Test          bool            // the service checks documents and makes none

	Rounding string // RoundAsOne
	Agents   string // AgentRefuse
	// AnyDepartment lets items of departments other than the first pass without
	// them: a department is a counter of a printer, no requisite of a receipt.
	AnyDepartment bool
	// CorrectionReason is tag 1177 of a correction of FFD 1.05, which the service
	// requires and documents do not have.
	CorrectionReason string
	InitiatorSelf    string // tag 1173 of a seller's own correction, "independently"
	InitiatorOrder   string // and of one by order, "directive"

	// The tables' entries replace the defaults of their keys; an empty identifier
	// takes the key away.
	VAT       map[fiscal.VAT]Rate
	Taxations map[fiscal.Taxation]string
	Units     map[fiscal.Unit]string

	QuantityDecimals int // 4
	NameMax          int // characters of an item's name, 128
	ItemsMax         int // 0: not known

	// Names of request fields that the reference does not show.
	Names Names
	// CallbackURL is where the service shall tell of doc; nil or "": nowhere.
	CallbackURL func(doc fiscal.Document) string
	// Callback is the language of callbacks.
	Callback Callback

	Repeat      []time.Duration // 1, 3, 5, then every 10 minutes (1.4)
	Window      time.Duration   // 24 h
	Overdue     time.Duration   // 15 min
	RetryFailed bool

	Logger *slog.Logger // slog.Default
	// Dial is that of web.Options.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Names are request fields that no source spells, or two sources differently
// (reference 15.9, 15.10). A requisite whose field is "" is refused.
type Names struct {
	BuyerINN         string // tag 1228, "customer_inn"
	Additional       string // tag 1192
	Internet         string // tag 1125, sent as 1
	CorrectionNumber string // tag 1179 of FFD 1.2
}

// Limits of the service (reference 2.1, 2.2, 1.5).
const (
	extIDMax     = 50  // characters of ext_id
	callbackMax  = 255 // of callback_url
	emailMax     = 100 // of customer_email
	apikeyMax    = 255
	nameMax      = 128
	decimalsMax  = 4
	nameMin      = 64 // of Options.NameMax: what as-one writes into a name has to fit
	reasonMax    = 256
	decimalsLast = 6 // kassad's own quantities have no more
)

// Defaults of Options.
const (
	DefaultBaseURL = "https://sapi.life-pay.ru"
	defaultPathFFD = "/cloud-print-ffd1_2"
	defaultReason  = "Расчет без применения ККТ"
	defaultWindow  = 24 * time.Hour
	defaultOverdue = 15 * time.Minute
)

func defaultRepeat() []time.Duration {
	return []time.Duration{time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute}
}

func (o Options) withDefaults() Options {
	o.BaseURL = or(o.BaseURL, DefaultBaseURL)
	o.PathFFD = or(o.PathFFD, defaultPathFFD)
	o.FFD = or(o.FFD, fiscal.FFD105)
	o.Mode = or(o.Mode, ModeEmail)
	o.Rounding = or(o.Rounding, RoundAsOne)
	o.Agents = or(o.Agents, AgentRefuse)
	o.CorrectionReason = or(o.CorrectionReason, defaultReason)
	o.InitiatorSelf = or(o.InitiatorSelf, "independently")
	o.InitiatorOrder = or(o.InitiatorOrder, "directive")
	o.QuantityDecimals = or(o.QuantityDecimals, decimalsMax)
	o.NameMax = or(o.NameMax, nameMax)
	o.Names.BuyerINN = or(o.Names.BuyerINN, "customer_inn")
	o.Window = or(o.Window, defaultWindow)
	o.Overdue = or(o.Overdue, defaultOverdue)
	o.Callback = o.Callback.withDefaults()
	o.VAT = over(DefaultVAT(), o.VAT)
	o.Taxations = over(defaultTaxations(), o.Taxations)
	o.Units = over(defaultUnits(), o.Units)
	if len(o.Repeat) == 0 {
		o.Repeat = defaultRepeat()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// over puts entries over the defaults.
func over[K comparable, V any](defaults, entries map[K]V) map[K]V {
	maps.Copy(defaults, entries)
	return defaults
}

var (
	loginForm = regexp.MustCompile(`^7[0-9]{10}$`)
	fieldForm = regexp.MustCompile(`^[A-Za-z0-9_]*$`)
)

// check tells what of o cannot be used. No value of a credential is shown.
func (o Options) check() error {
	switch {
	case !loginForm.MatchString(o.Login):
		return errors.New("login: 11 digits, the first is 7, without a plus sign")
	case o.APIKey == "" || len(o.APIKey) > apikeyMax:
		return fmt.Errorf("apikey: 1 to %d characters", apikeyMax)
	case o.FFD != fiscal.FFD105 && o.FFD != fiscal.FFD12:
		return fmt.Errorf("ffd %q: 1.05 or 1.2", o.FFD)
	case !slices.Contains([]string{ModePrint, ModeEmail, ModePrintEmail}, o.Mode):
		return fmt.Errorf("mode %q: print, email or print_email", o.Mode)
	case !slices.Contains([]string{RoundAsOne, RoundAsIs, RoundRefuse}, o.Rounding):
		return fmt.Errorf("rounding %q: as-one, as-is or refuse", o.Rounding)
	case o.Agents != AgentRefuse && o.Agents != AgentPosition:
		return fmt.Errorf("agents %q: refuse or position", o.Agents)
	case o.Agents == AgentPosition && o.FFD != fiscal.FFD12:
		return errors.New("agents: the fields of a position belong to FFD 1.2")
	case o.Taxation != 0 && o.Taxations[o.Taxation] == "":
		return fmt.Errorf("taxation %q: the service has no identifier", o.Taxation)
	case o.QuantityDecimals < 0 || o.QuantityDecimals > decimalsLast:
		return fmt.Errorf("quantity decimals: 1 to %d", decimalsLast)
	case o.NameMax < nameMin:
		return fmt.Errorf("length of names: at least %d", nameMin)
	case utf8.RuneCountInString(o.CorrectionReason) > reasonMax:
		return fmt.Errorf("reason of corrections: at most %d characters", reasonMax)
	}
	return o.Names.check()
}

// check sees that no configured field takes the place of another: of two equal
// ones the service would read one.
func (n Names) check() error {
	used := requestFields()
	for _, name := range []string{n.BuyerINN, n.Additional, n.Internet, n.CorrectionNumber} {
		switch {
		case !fieldForm.MatchString(name):
			return fmt.Errorf("field name %q: letters, digits and _", name)
		case used[name]:
			return fmt.Errorf("field name %q: taken", name)
		}
		used[name] = name != ""
	}
	return nil
}

// String and GoString show no credentials.

func (o Options) String() string   { return "lifepay at " + o.BaseURL }
func (o Options) GoString() string { return o.String() }
