package shtrih

import (
	"sync"
	"time"

	"kassad/devices/emul/fn"
)

// Printer is one device. Its state outlives connections. It is safe for
// concurrent use.
type Printer struct {
	cfg Config
	fn  *fn.Storage

	mu          sync.Mutex
	tables      *tables
	st          state
	paper       paper
	tape        tape
	buffer      dataBuffer // FF30..FF33
	pendingTags []byte     // of a report begun by FF41, FF42, FF35 or FF37
	reading     []byte     // what FF3B has still to give; the device is in mode 1
	last        code       // last error, for 6Bh

	lastDocument []string // what 8Ch repeats

	onCommand []func([]byte)
	onPrint   []func(Printed)
	faults    []*armed
	commands  map[uint16]command

	powered bool
	silent  bool               // off, but connections stay open
	pulled  bool               // the cable is out
	shared  map[*port]struct{} // private ports of shared connections
	printed []Printed          // documents to publish when the lock is free
	outage  chan struct{}      // closed when the power goes
	ports   map[string]*port

	keeper *keeper // nil: nothing is written through
}

// state is what a snapshot keeps besides tables and the storage.
type state struct {
	ClockOffset time.Duration
	Mode        byte // forced mode: 6 date confirmation, 9 technological reset; 0 otherwise
	Previous    byte // mode byte before the last change, 10h offset 14
	PendingDate time.Time
	PortRate    byte
	PortTimeout byte
	Receipt     *receipt
	NonFiscal   bool
	Money       map[uint16]int64
	Operational map[byte]uint32
	SkipPrint   bool // table 17 field 7 = 1 was used up by the open document
}

// New returns a printer that is switched on and waits for the first ENQ.
func New(cfg Config) *Printer {
	cfg = cfg.withDefaults()
	p := &Printer{
		cfg: cfg, powered: true, outage: make(chan struct{}), ports: map[string]*port{}, shared: map[*port]struct{}{}, commands: commandTable(),
		st:    state{Money: map[uint16]int64{}, Operational: map[byte]uint32{}},
		paper: paper{left: -1},
	}
	p.fn = cfg.storage(p.clock)
	p.tables = newTables(cfg, p.fn)
	p.st.Money[regDrawer] = cfg.CashDrawer
	return p
}

// Storage is the fiscal storage, with the ledger and the operator's queue.
func (p *Printer) Storage() *fn.Storage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fn
}

// SwapStorage puts another fiscal storage into the device, as a service
// engineer does; an open receipt is lost. It returns the old one.
func (p *Printer) SwapStorage(s *fn.Storage) *fn.Storage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.st.Receipt != nil {
		p.dropReceipt()
	}
	old := p.fn
	p.fn, p.reading, p.pendingTags = s, nil, nil
	p.tables.storageValues(p.cfg, s)
	return old
}

// Config is the configuration with its defaults filled in.
func (p *Printer) Config() Config { return p.cfg }

// OnCommand subscribes to every command that the device accepted from the
// wire, before it is executed. The slice is a copy.
func (p *Printer) OnCommand(f func(cmd []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onCommand = append(p.onCommand, f)
}

// clock is the device's real-time clock.
func (p *Printer) clock() time.Time { return p.cfg.Now().Add(p.st.ClockOffset) }

// Clock is the time that the device believes in.
func (p *Printer) Clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock()
}

// AdvanceClock moves the device clock, backwards too.
func (p *Printer) AdvanceClock(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.st.ClockOffset += by
}

// Mode is the mode byte of 10h (section 4.2): low nibble mode, high nibble kind
// of the open document.
func (p *Printer) Mode() byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode()
}

// Submode is the paper state of 10h (section 4.2).
func (p *Printer) Submode() byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paper.submode(time.Now())
}

// Drawer is the cash that the device counts in its drawer (register 241).
func (p *Printer) Drawer() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.st.Money[regDrawer]
}

const (
	modeData      = 1
	modeOpen      = 2
	modeOver24    = 3
	modeClosed    = 4
	modeDate      = 6
	modeReceipt   = 8
	modeReset     = 9
	nonFiscalHigh = 4 << 4
)

func (p *Printer) mode() byte {
	switch {
	case p.st.Mode != 0:
		return p.st.Mode
	case len(p.reading) > 0:
		return modeData
	case p.st.Receipt != nil:
		return modeReceipt | p.st.Receipt.Type<<4
	case p.st.NonFiscal:
		return modeReceipt | nonFiscalHigh
	case !p.fn.Shift().Open:
		return modeClosed
	case p.fn.Over24(p.clock()):
		return modeOver24
	default:
		return modeOpen
	}
}
