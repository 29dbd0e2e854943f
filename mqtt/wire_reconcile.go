package mqtt

import (
	"strconv"

	"kassad/fiscal"
)

// Reconciliation is node/reconcile and dev/{name}/reconcile: the last
// reconciliation, of all backends and of one.
type Reconciliation struct {
	// ID names the report among those that are kept.
	ID string  `json:"id"`
	At Instant `json:"at"`
	// Why is shift-close, time or command.
	Why fiscal.ReportReason `json:"why"`
	// By is the person who asked.
	By string `json:"by,omitempty"`
	// Since and Until are the period by the node's clock; Until is not included.
	Since Instant `json:"since,omitzero"`
	Until Instant `json:"until,omitzero"`
	// Device and Shift are set when only these were asked about.
	Device string `json:"device,omitempty"`
	Shift  uint32 `json:"shift,omitempty"`
	// Agrees tells that every section does.
	Agrees bool               `json:"agrees"`
	Parts  []ReconciledPart   `json:"parts"`
	Cut    *ReconciliationCut `json:"cut,omitempty"`
}

// ReconciliationCut says how much was left out to fit into a message. The
// whole report is in the journal: kassad reconcile --show.
type ReconciliationCut struct {
	Parts       int `json:"parts,omitempty"`
	Gaps        int `json:"gaps,omitempty"`
	Differences int `json:"differences,omitempty"`
	Unconfirmed int `json:"unconfirmed,omitempty"`
	Late        int `json:"late,omitempty"`
	Settled     int `json:"settled,omitempty"`
	Notes       int `json:"notes,omitempty"`
}

// ReconciledPart is one backend, in one shift or over the period.
type ReconciledPart struct {
	// Backend is the device or cloud; empty for documents of an import that no
	// backend of this node can have made.
	Backend string `json:"backend"`
	// Kind is device or cloud.
	Kind string `json:"kind,omitempty"`
	// FN is the serial number of the fiscal storage.
	FN    string `json:"fn,omitempty"`
	Shift uint32 `json:"shift,omitempty"`
	// Against is the other side: device is its counters and its fiscal storage,
	// confirmed is what the service has told this node, and import is an
	// independent book.
	Against fiscal.Against `json:"against"`
	// Source is the name of the imported file.
	Source string `json:"source,omitempty"`
	// Agrees tells that the other side was read whole and nothing differs.
	Agrees bool `json:"agrees"`
	// Incomplete tells that the other side could not be read whole; notes say why.
	Incomplete bool `json:"incomplete,omitempty"`
	// Journal and Other are the figures of both sides.
	Journal *ReconciledFigures `json:"journal,omitempty"`
	Other   *ReconciledFigures `json:"other,omitempty"`
	// Gaps are numbers that no book has.
	Gaps        []ReconciledGap         `json:"gaps,omitempty"`
	Differences []ReconciledDifference  `json:"differences,omitempty"`
	Unconfirmed []ReconciledUnconfirmed `json:"unconfirmed,omitempty"`
	Late        []ReconciledLate        `json:"late,omitempty"`
	Settled     []ReconciledSettled     `json:"settled,omitempty"`
	// Notes say, in English, what could not be known or proved.
	Notes []string `json:"notes,omitempty"`
}

// ReconciledFigures are the counts and sums of one side. What the side does not
// tell is absent, never zero.
type ReconciledFigures struct {
	FirstFD     uint32                    `json:"first_fd,omitempty"`
	LastFD      uint32                    `json:"last_fd,omitempty"`
	Receipts    uint32                    `json:"receipts"`
	Documents   uint32                    `json:"documents,omitempty"`
	ByKind      map[string]*ReconciledSum `json:"by_kind,omitempty"`
	Corrections map[string]*fiscal.Tally  `json:"corrections,omitempty"`
	CashIn      *fiscal.Tally             `json:"cash_in,omitempty"`
	CashOut     *fiscal.Tally             `json:"cash_out,omitempty"`
}

// ReconciledSum are the figures of one kind of receipt, corrections included.
type ReconciledSum struct {
	Count    uint32                      `json:"count"`
	Total    fiscal.Money                `json:"total"`
	Payments *fiscal.PaymentFigures      `json:"payments,omitempty"`
	VAT      map[string]*fiscal.VATTally `json:"vat,omitempty"`
}

// ReconciledGap is a run of document numbers.
type ReconciledGap struct {
	FN   string `json:"fn"`
	From uint32 `json:"from"`
	To   uint32 `json:"to"`
}

// ReconciledDifference is one figure or one document on which the sides
// disagree.
type ReconciledDifference struct {
	// Code is figure, foreign, missing, kind, total, payments, vat, sign,
	// two-commands, two-documents or gap.
	Code fiscal.MismatchCode `json:"code"`
	// Text says it in English.
	Text string `json:"text"`
	// Figure is which sum or member differs.
	Figure string `json:"figure,omitempty"`
	// ID is the command.
	ID string `json:"id,omitempty"`
	FN string `json:"fn,omitempty"`
	FD uint32 `json:"fd,omitempty"`
	// FP is the fiscal sign, in decimal.
	FP string `json:"fp,omitempty"`
	// Ticket is what a cloud calls the document.
	Ticket string `json:"ticket,omitempty"`
	// Journal and Other are the values of both sides.
	Journal string `json:"journal,omitempty"`
	Other   string `json:"other,omitempty"`
}

// ReconciledUnconfirmed is a command whose document is not confirmed.
type ReconciledUnconfirmed struct {
	ID    string       `json:"id"`
	State fiscal.State `json:"state"`
	// Since is when the command was accepted.
	Since  Instant       `json:"since"`
	Total  *fiscal.Money `json:"total,omitempty"`
	Ticket string        `json:"ticket,omitempty"`
}

// ReconciledLate is a document that an attempt made after it was given up.
type ReconciledLate struct {
	ID     string       `json:"id"`
	Device string       `json:"device"`
	FN     string       `json:"fn,omitempty"`
	FD     uint32       `json:"fd,omitempty"`
	Ticket string       `json:"ticket,omitempty"`
	Total  fiscal.Money `json:"total"`
	// New tells that this reconciliation found it by asking the service.
	New bool `json:"new,omitempty"`
}

// ReconciledSettled is a command that a person ended.
type ReconciledSettled struct {
	Resolved
	ID    string        `json:"id"`
	Total *fiscal.Money `json:"total,omitempty"`
}

// ReconciliationItem is a line of the list of reports.
type ReconciliationItem struct {
	ID     string              `json:"id"`
	At     Instant             `json:"at"`
	Why    fiscal.ReportReason `json:"why"`
	By     string              `json:"by,omitempty"`
	Since  Instant             `json:"since,omitzero"`
	Until  Instant             `json:"until,omitzero"`
	Device string              `json:"device,omitempty"`
	Shift  uint32              `json:"shift,omitempty"`
	Agrees bool                `json:"agrees"`
	// Parts, Differences and Unconfirmed are counts.
	Parts       int `json:"parts"`
	Differences int `json:"differences"`
	Unconfirmed int `json:"unconfirmed"`
}

// NewReconciliation renders a report whole.
func NewReconciliation(r fiscal.Report) Reconciliation {
	out := Reconciliation{
		ID: r.ID, At: Instant(r.At), Why: r.Why, By: r.By, Since: Instant(r.Since), Until: Instant(r.Until),
		Device: r.Device, Shift: r.Shift, Agrees: r.Agrees, Parts: []ReconciledPart{},
	}
	for i := range r.Parts {
		out.Parts = append(out.Parts, newReconciledPart(&r.Parts[i]))
	}
	return out
}

func newReconciledPart(s *fiscal.ReportSection) ReconciledPart {
	p := ReconciledPart{
		Backend: s.Backend, Kind: s.Kind, FN: s.Storage, Shift: s.Shift, Against: s.Against, Source: s.Source,
		Agrees: s.Agrees, Incomplete: s.Incomplete, Journal: newReconciledFigures(s.Journal), Other: newReconciledFigures(s.Other),
		Notes: s.Notes,
	}
	for _, g := range s.Gaps {
		p.Gaps = append(p.Gaps, ReconciledGap(g))
	}
	for _, d := range s.Differences {
		fp := ""
		if d.Sign != 0 {
			fp = strconv.FormatUint(uint64(d.Sign), 10)
		}
		p.Differences = append(p.Differences, ReconciledDifference{
			d.Code, d.Text, d.Figure, d.ID, d.FN, d.FD, fp, d.Ticket, d.Journal, d.Other,
		})
	}
	for _, u := range s.Unconfirmed {
		p.Unconfirmed = append(p.Unconfirmed, ReconciledUnconfirmed{u.ID, u.State, Instant(u.Since), u.Total, u.Ticket})
	}
	for _, l := range s.Late {
		p.Late = append(p.Late, ReconciledLate(l))
	}
	for _, d := range s.Settled {
		p.Settled = append(p.Settled, ReconciledSettled{Resolved{d.Action, d.By, d.FD, d.Note, Instant(d.At)}, d.ID, d.Total})
	}
	return p
}

func newReconciledFigures(f *fiscal.ReportFigures) *ReconciledFigures {
	if f == nil {
		return nil
	}
	return &ReconciledFigures{
		FirstFD: f.FirstFD, LastFD: f.LastFD, Receipts: f.Receipts, Documents: f.Documents, Corrections: byWord(f.Corrections),
		CashIn: f.CashIn, CashOut: f.CashOut,
		ByKind: byWord(mapValues(f.ByKind, func(k *fiscal.KindFigures) *ReconciledSum {
			return &ReconciledSum{Count: k.Count, Total: k.Total, Payments: k.Payments, VAT: byWord(k.VAT)}
		})),
	}
}

// NewReconciliationItem renders a report for a list.
func NewReconciliationItem(r fiscal.Report) ReconciliationItem {
	item := ReconciliationItem{
		ID: r.ID, At: Instant(r.At), Why: r.Why, By: r.By, Since: Instant(r.Since), Until: Instant(r.Until),
		Device: r.Device, Shift: r.Shift, Agrees: r.Agrees, Parts: len(r.Parts),
	}
	for i := range r.Parts {
		item.Differences += len(r.Parts[i].Differences)
		item.Unconfirmed += len(r.Parts[i].Unconfirmed)
	}
	return item
}
