package fiscal

import (
	"fmt"
	"time"
)

// Tally counts documents and their sum.
type Tally struct {
	Count uint32 `json:"count"`
	Total Money  `json:"total"`
}

// Counters are the figures of a shift: what an X or a Z report says. A figure
// that the device does not have is nil or absent, never zero.
type Counters struct {
	Shift       uint32                 `json:"shift"`
	OpenedAt    time.Time              `json:"opened_at,omitzero"`
	ClosedAt    time.Time              `json:"closed_at,omitzero"`
	FirstFD     uint32                 `json:"first_fd,omitempty"`
	LastFD      uint32                 `json:"last_fd,omitempty"`
	Receipts    uint32                 `json:"receipts"`
	Documents   uint32                 `json:"documents,omitempty"`
	ByKind      map[Kind]*KindCounters `json:"by_kind"`
	Corrections map[Kind]*Tally        `json:"corrections,omitempty"`
	CashIn      *Tally                 `json:"cash_in,omitempty"`
	CashOut     *Tally                 `json:"cash_out,omitempty"`
	Drawer      *Money                 `json:"drawer,omitempty"`
	GrandTotals map[Kind]Money         `json:"grand_totals,omitempty"`
	Journal     *Agreement             `json:"journal,omitempty"`
}

// KindCounters are the figures of one kind of receipt, corrections included
// (format reference 5.4).
type KindCounters struct {
	Count    uint32            `json:"count"`
	Total    Money             `json:"total"`
	Payments *Payments         `json:"payments,omitempty"`
	VAT      map[VAT]*VATTally `json:"vat,omitempty"`
}

// VATTally are the turnover and the tax at one rate.
type VATTally struct {
	Base *Money `json:"base,omitempty"`
	Tax  *Money `json:"tax,omitempty"`
}

// Agreement is the comparison of the device's figures with the journal's.
type Agreement struct {
	Agrees      bool         `json:"agrees"`
	Differences []Difference `json:"differences"`
}

// Difference is one figure on which the device and the journal disagree.
type Difference struct {
	Figure  string `json:"figure"` // "by_kind.sale.payments.cash"
	Device  string `json:"device"`
	Journal string `json:"journal"`
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: device %s, journal %s", d.Figure, d.Device, d.Journal)
}
