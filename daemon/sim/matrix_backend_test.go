package sim

import (
	"slices"
	"strings"
	"time"

	"kassad/daemon"
	"kassad/devices/emul/fn"
	printer "kassad/devices/emul/shtrih"
	"kassad/fiscal"
)

// matrixOrder is a command of the matrix.
type matrixOrder struct {
	verb   fiscal.Verb
	body   func() obj
	form   fn.Form // of its document; 0: it is none, but moves the drawer
	total  int64   // of its document
	drawer int64   // what it adds to the drawer of a printer
	open   bool    // wants an open shift
}

// matrixBackend is what the matrix knows of a backend.
type matrixBackend struct {
	name    string
	device  string // in commands
	orders  []matrixOrder
	faults  []matrixFault
	options func(b *matrixBench) Options
	late    time.Duration        // longer than the driver waits for anything
	bound   time.Duration        // in which everything is over
	power   func(b *matrixBench) // goes, and comes again

	again  func(b *matrixBench) error          // what is known of it is asked again; nil: the line is reset
	made   func(s *Shop) int                   // documents of a cloud, those that are in no ledger among them
	ledger func(s *Shop) map[string][]fn.Entry // of a cloud
}

// matrixFault is a fault with the places where it happens.
type matrixFault struct {
	name   string
	places []string
}

// matrixBackendOf finds a backend by its name; nil if there is none.
func matrixBackendOf(name string) *matrixBackend {
	for _, b := range matrixBackends() {
		if b.name == name {
			return b
		}
	}
	return nil
}

// Times of the matrix, virtual.
const (
	matrixOutage = 5 * time.Second // without power
	matrixRepeat = 20 * time.Second
	matrixRevive = 2 * time.Second // from the death of the daemon to its next start
	matrixHeld   = time.Minute     // held for so long is held
	matrixTail   = time.Second     // in which what follows the final answer is sent
)

// matrixPrinter is the printer of the matrix by its name in the configuration.
const matrixPrinter = "front"

func matrixBackends() []*matrixBackend {
	return []*matrixBackend{
		shtrihMatrix(), lifePayMatrix(false), bifitMatrix(false), lifePayMatrix(true), bifitMatrix(true),
	}
}

func matrixCorrection(body obj) obj {
	body["correction"] = obj{"kind": "sale", "by": "self", "date": virtualStart.Format(time.DateOnly)}
	return body
}

// matrixReceipts are the receipts that every backend can do.
func matrixReceipts() []matrixOrder {
	full := func() obj {
		return mailed(receipt(obj{"cash": 500}, item("Кофе", "250.00", "1", "vat22", nil), item("Пирог", "99.90", "1", "vat10", nil)))
	}
	exact := func() obj { return mailed(receipt(obj{"cash": "#"}, item("Кофе", "250.00", "1", "vat22", nil))) }
	return []matrixOrder{
		{verb: fiscal.VerbSale, body: full, form: fiscal.FormReceipt, total: 34990, drawer: 34990, open: true},
		{verb: fiscal.VerbRefund, body: exact, form: fiscal.FormReceipt, total: 25000, drawer: -25000, open: true},
		{verb: fiscal.VerbBuy, body: exact, form: fiscal.FormReceipt, total: 25000, drawer: -25000, open: true},
		{verb: fiscal.VerbBuyRefund, body: exact, form: fiscal.FormReceipt, total: 25000, drawer: 25000, open: true},
	}
}

func shtrihMatrix() *matrixBackend {
	orders := append(matrixReceipts(),
		matrixOrder{verb: fiscal.VerbCorrection, form: fiscal.FormCorrection, total: 25000, open: true, body: func() obj {
			return matrixCorrection(receipt(obj{"card": "#"}, item("Кофе", "250.00", "1", "vat22", nil)))
		}},
		matrixOrder{verb: fiscal.VerbShiftOpen, body: func() obj { return obj{"cashier": cashier} }, form: fiscal.FormShiftOpen},
		matrixOrder{verb: fiscal.VerbShiftClose, body: func() obj { return obj{"cashier": cashier} }, form: fiscal.FormShiftClose, open: true},
		matrixOrder{verb: fiscal.VerbCashIn, body: func() obj { return obj{"amount": 1000, "cashier": cashier} }, drawer: 100_000, open: true},
		matrixOrder{verb: fiscal.VerbCashOut, body: func() obj { return obj{"amount": 700, "cashier": cashier} }, drawer: -70_000, open: true},
	)
	wire := []string{placeOut, placeIn, placeAgainOut, placeAgainIn}
	return &matrixBackend{
		name: "shtrih-m", device: matrixPrinter, orders: orders,
		options: func(b *matrixBench) Options {
			return Options{
				Printers: map[string]printer.Config{matrixPrinter: {CashDrawer: 100_000_000}},
				Config: func(c *daemon.Config) {
					c.Reconcile.OnShiftClose = false
					b.line = b.network.Line(strings.TrimPrefix(c.Devices[0].Address, "tcp://"))
					for i := range c.Devices {
						c.Devices[i].Poll = daemon.Duration(time.Hour)
					}
				},
			}
		},
		late:  70 * time.Second,
		bound: 10 * time.Minute,
		power: func(b *matrixBench) { b.shop.Printers[matrixPrinter].PowerCycle(matrixOutage) },
		faults: []matrixFault{
			{faultCut, wire}, {faultDrop, wire}, {faultDouble, wire}, {faultFlip, wire}, {faultTurn, wire}, {faultLate, wire}, {faultPower, wire},
			{faultKill, append(slices.Clone(wire), placeBrokerOut, placeBrokerIn, placeDisk)},
		},
	}
}
