package shtrih

import (
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal/ffd"
)

// Clients says what a port does with a second connection while the first one
// lives (section 7, question 10).
type Clients int

// Policies for a second connection.
const (
	// TakeOver closes the older connection. It suits hosts that reconnect
	// before the device has noticed the loss.
	TakeOver Clients = iota
	// Refuse closes the newer one.
	Refuse
	// Share serves both, each with link state of its own.
	Share
)

// Config describes a printer. The zero value is a registered Shtrih-M-01F with
// FFD 1.2, password 30, and quirks off.
type Config struct {
	Model     byte   // FCh; default 250, ШТРИХ-М-01Ф
	ModelName string // default by the model
	Serial    string // 16 digits, table 18 field 1
	FNSerial  string // 16 digits
	RNM       string
	INN       string
	UserName  string
	Address   string
	Place     string
	OFDName   string
	FFD       byte // tag 1209: 2 = 1.05, 3 = 1.1, 4 = 1.2 (default)
	Taxations byte // mask of section 4.9; default all six but the abolished one
	Password  uint32
	Header    []string // table 4, printed above every receipt

	// Storage replaces the storage built from the fields above.
	Storage *fn.Storage
	// Accumulate keeps documents unsent (see fn.Config).
	Accumulate bool
	// Seed of the pseudo fiscal signs.
	Seed uint64
	// Now is the clock of the shop; the device adds its own offset. Default
	// time.Now.
	Now func() time.Time

	Link  LinkOptions
	Print PrintOptions

	AutoOpenShift     bool // a receipt in mode 4 opens the shift instead of 73h
	AutoCancelOnPower bool // an open receipt does not survive a power loss (F7 bit 53)
	TaxOnTurnover     bool // VAT from the turnover of a rate, not summed by item
	ShortFFErrors     bool // refusals of FF commands are two bytes, FF err (section 2)
	LastPrintResult   bool // 10h answers 17 bytes (F7 bit 34)
	ExtendedAnswers   bool // initial value of table 17 field 36
	// RefuseReadingInReceipt answers FF3A with 73h in mode 8. The reference is
	// silent; by default a document can be read there and mode 8 comes back.
	RefuseReadingInReceipt bool
	CancelNothing          byte // error of 88h with nothing open: 55h (default) or 73h
	PaperOutError          byte // error of printing without paper: 6Bh (default) or 72h
	CashDrawer             int64
}

// LinkOptions are the choices that section 1 leaves to the model.
type LinkOptions struct {
	// ByteTimeout bounds the pause inside a frame. Default 100 ms.
	ByteTimeout time.Duration
	// ConfirmTimeout bounds the wait for the host's ACK. Default 1 s.
	ConfirmTimeout time.Duration
	// QueueWhileBusy leaves bytes that come during execution in the buffer
	// instead of answering ENQ with ACK at once.
	QueueWhileBusy bool
	// RefuseZero answers 00 before STX with NAK; by default it is skipped.
	RefuseZero bool
	// TrailingFF sends FF after the host's ACK, as TCP devices do. ListenTCP
	// turns it on unless NoTrailingFF is set.
	TrailingFF, NoTrailingFF bool
	// DropPendingOnClose forgets an unconfirmed answer with the connection.
	DropPendingOnClose bool
	// Baud paces the device's bytes, 10 bits a byte. 0 is no pacing.
	Baud int
	// Clients is the policy for a second connection.
	Clients Clients
}

// PrintOptions simulate the mechanics.
type PrintOptions struct {
	LineTime  time.Duration // of one line; meanwhile submode 5 and 50h
	Width     int           // characters a line, default 42
	TapeLines int           // kept on the tape, default 5000
}

// Defaults of Config.
const (
	passwordDefault       = 30
	modelDefault          = 250
	byteTimeoutDefault    = 100 * time.Millisecond
	confirmTimeoutDefault = time.Second
	widthDefault          = 42
	tapeLinesDefault      = 5000
	taxationsDefault      = 0x01 | 0x02 | 0x04 | 0x10 | 0x20
)

func (c Config) withDefaults() Config {
	or(&c.Model, modelDefault)
	or(&c.ModelName, "ШТРИХ-М-01Ф")
	or(&c.Serial, "0000000000000001")
	or(&c.FNSerial, "9999078900000001")
	or(&c.RNM, "0000000001062448")
	or(&c.INN, "7707083893")
	or(&c.UserName, `ООО "Ромашка"`)
	or(&c.Address, "Москва, ул. Лесная, 1")
	or(&c.Place, "Магазин")
	or(&c.OFDName, "ЭМУЛЯТОР ОФД")
	or(&c.FFD, ffd.Version12)
	or(&c.Taxations, taxationsDefault)
	or(&c.Password, passwordDefault)
	or(&c.CancelNothing, errReceiptClosed)
	or(&c.PaperOutError, errNoPaper)
	or(&c.Link.ByteTimeout, byteTimeoutDefault)
	or(&c.Link.ConfirmTimeout, confirmTimeoutDefault)
	or(&c.Print.Width, widthDefault)
	or(&c.Print.TapeLines, tapeLinesDefault)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

func (c Config) storage(now func() time.Time) *fn.Storage {
	if c.Storage != nil {
		return c.Storage
	}
	return fn.New(fn.Config{
		Serial: c.FNSerial, FFD: c.FFD, Seed: c.Seed, Accumulate: c.Accumulate, Now: now,
		Registration: fn.Registration{
			INN: c.INN, RNM: c.RNM, UserName: c.UserName, Address: c.Address, Place: c.Place, Taxations: c.Taxations,
			OFDName: c.OFDName, OFDINN: "7704358518", DeviceSerial: c.Serial, Cashier: "СИСТ. АДМИН.", Mode: 0x20,
		},
	})
}
