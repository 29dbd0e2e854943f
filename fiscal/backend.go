package fiscal

import (
	"context"
	"time"
)

// Backend makes fiscal documents: a printer on a wire or a cloud register.
// Calls are made by one goroutine at a time.
//
// Errors are *Error with an Outcome; any other error counts as
// OutcomeUnreachable from Prepare and Find, and as OutcomeUnknown from Submit.
type Backend interface {
	// Prepare makes the register ready and reads what Find will need. It
	// changes nothing on the device. An error with a condition's code means
	// that the document has to wait.
	Prepare(ctx context.Context, doc Document) (Baseline, error)
	// Submit makes the document: the first byte that matters. After an error
	// with OutcomeUnknown the document may exist, and only Find tells.
	// OutcomeRejected means that nothing happened and nothing is left open;
	// OutcomeUnreachable that nothing was sent.
	Submit(ctx context.Context, doc Document, base Baseline) (Receipt, error)
	// Find tells whether the document of ref exists, from the device's own
	// memory. It may close what Submit left open, and it never makes a document.
	Find(ctx context.Context, ref Ref) (Verdict, error)
	// Status reads the state of the device.
	Status(ctx context.Context) (Status, error)
	// Close gives up the wire. The document in hand, if any, becomes unknown.
	Close() error
}

// What not every register can do is an interface of its own. daemon asks once,
// when it opens the device, and publishes the list.
type (
	// Informer tells who the device is.
	Informer interface {
		Info(ctx context.Context) (Info, error)
	}
	// CounterReader reads the counters of the current shift without printing.
	CounterReader interface {
		Counters(ctx context.Context) (Counters, error)
	}
	// XReporter prints an X report.
	XReporter interface {
		PrintXReport(ctx context.Context) error
	}
	// Copier prints a copy of the last document.
	Copier interface {
		PrintCopy(ctx context.Context) error
	}
	// TextPrinter prints lines outside any receipt.
	TextPrinter interface {
		PrintText(ctx context.Context, lines []string, cut bool) error
	}
	// DrawerOpener opens the cash drawer.
	DrawerOpener interface {
		OpenDrawer(ctx context.Context) error
	}
	// DocumentReader reads a document of the fiscal storage by its number. A
	// number that the storage does not have fails with CodeNotFound.
	DocumentReader interface {
		ReadDocument(ctx context.Context, fd uint32) (ArchivedDocument, error)
	}
	// ClockSetter sets the clock of the device; refused while a shift is open.
	ClockSetter interface {
		SetClock(ctx context.Context, wall time.Time) error
	}
)

// Baseline is what the device said just before a document, saved before Submit
// may be called.
type Baseline struct {
	Device    string    `json:"device"`  // register serial
	Storage   string    `json:"storage"` // FN serial
	LastFD    uint32    `json:"last_fd"`
	Shift     uint32    `json:"shift"` // the open shift, or the last closed one
	ShiftOpen bool      `json:"shift_open"`
	Receipt   uint32    `json:"receipt"` // last receipt number in the shift
	CashIn    Tally     `json:"cash_in"`
	CashOut   Tally     `json:"cash_out"`
	Drawer    Money     `json:"drawer"`
	Clock     time.Time `json:"clock"`              // the device's wall clock, as UTC
	Counters  *Counters `json:"counters,omitempty"` // whole, for a shift close
	// Cloud is what goes to a cloud register; nil for a device on a wire.
	Cloud *CloudCall `json:"cloud,omitempty"`
	// Already is set when the state that the document would bring about is
	// there: a shift found open for shift-open, closed for shift-close. Then
	// nothing is submitted.
	Already *Receipt `json:"already,omitempty"`
}

// Ref points at a document whose fate is unknown.
type Ref struct {
	Document Document
	Baseline Baseline
	// StorageFailed: the fiscal storage reported a failure of its own in the
	// middle of the document. Then nothing may be cancelled, and only Made is
	// an answer.
	StorageFailed bool
	// Ticket is what the cloud calls the document; "" while it has not answered.
	Ticket string
}

// Finding is the kind of a Verdict.
type Finding uint8

// Findings. Only Made and Absent end a doubt without a person.
const (
	Made         Finding = iota + 1 // the document exists: Receipt
	Absent                          // proved not to exist, device idle
	Busy                            // cannot be told yet, ask again
	Foreign                         // somebody else's documents make it undecidable
	OtherStorage                    // another register or another FN answers
	Pending                         // a cloud has it: Receipt.Ticket; fiscal data will come
	Failed                          // a cloud had it and says that no document was made: Err
)

func (f Finding) String() string {
	return [...]string{"none", "made", "absent", "busy", "foreign", "other-storage", "pending", "failed"}[f]
}

// Verdict is the answer of Find.
type Verdict struct {
	Finding   Finding
	Receipt   Receipt            // Made; of Pending and Failed only the Ticket
	Documents []ArchivedDocument // Foreign: what was found instead
	Code      Code               // why a person is needed: Foreign, OtherStorage
	Err       *Error             // Failed: why; Pending: what it waits for, nil if for nothing special
	Reload    bool               // Failed: of a cause for which Reloader may be used without a person
}

// Receipt is what a register gave for a document.
type Receipt struct {
	Kind         string    `json:"kind"` // sale … shift-close, cash-in
	Device       string    `json:"device"`
	Storage      string    `json:"fn"`
	FD           uint32    `json:"fd,omitempty"`
	Sign         uint32    `json:"fp,omitempty"` // fiscal sign
	Shift        uint32    `json:"shift"`
	Number       uint32    `json:"receipt,omitempty"` // in the shift
	At           time.Time `json:"at"`                // the device's wall clock, as UTC
	Total        Money     `json:"total"`
	Change       Money     `json:"change,omitempty"`
	Registration string    `json:"rnm,omitempty"`
	FFD          string    `json:"ffd,omitempty"`       // "1.05", "1.2"
	Key          string    `json:"key,omitempty"`       // our mark in the document, or the cloud's key of it
	By           string    `json:"by,omitempty"`        // "other": the state was brought about by somebody else
	Unprinted    bool      `json:"unprinted,omitempty"` // made, but the paper is still owed
	Drawer       *Money    `json:"drawer,omitempty"`
	Ticket       string    `json:"ticket,omitempty"` // what the cloud calls the document
	URL          string    `json:"url,omitempty"`    // of the receipt at the operator of fiscal data
}

// Document forms of the fiscal storage (format reference 1.2).
const (
	FormRegistration = 1
	FormShiftOpen    = 2
	FormReceipt      = 3
	FormBSO          = 4
	FormShiftClose   = 5
	FormCorrection   = 31
	FormBSOCorrect   = 41
)

// ArchivedDocument is a document read back from the fiscal storage.
type ArchivedDocument struct {
	FD     uint32    `json:"fd"`
	Sign   uint32    `json:"fp"`
	Form   uint8     `json:"form"`
	Kind   Kind      `json:"kind,omitempty"`
	Total  Money     `json:"total,omitempty"`
	At     time.Time `json:"at"` // the device's wall clock, as UTC
	Shift  uint32    `json:"shift,omitempty"`
	Number uint32    `json:"receipt,omitempty"`
	Key    string    `json:"key,omitempty"` // ours, if the document carries one
	Full   bool      `json:"full"`          // all tags were there to read; a short form cannot disprove a key
	Tags   []Tag     `json:"tags,omitempty"`
}

// Tag is one requisite of an archived document.
type Tag struct {
	Tag   uint16 `json:"tag"`
	Value string `json:"value,omitempty"`
	Tags  []Tag  `json:"tags,omitempty"`
}

// Info is who the device is; it changes only with the device.
type Info struct {
	Model        string `json:"model"`
	Serial       string `json:"serial"`
	Firmware     string `json:"firmware"`
	FFD          string `json:"ffd"`
	Registration string `json:"rnm"`
	INN          string `json:"inn"`
	Owner        string `json:"owner,omitempty"`
	Address      string `json:"address,omitempty"`
	Storage      string `json:"fn"`
	Taxations    uint8  `json:"taxations,omitempty"` // registered systems, mask 1062; 0: not known
	Limits       Limits `json:"limits"`
}

// Versions of the format, as Info.FFD and Receipt.FFD name them.
const (
	FFD105 = "1.05"
	FFD11  = "1.1"
	FFD12  = "1.2"
)

// Limits are what the device can carry.
type Limits struct {
	ItemsMax         int `json:"items"`
	NameMax          int `json:"name"`              // characters of an item's name
	QuantityDecimals int `json:"quantity_decimals"` // of a printer 3 or 6
	// Contact tells that a receipt needs the buyer's phone or e-mail: there is
	// no paper.
	Contact bool `json:"contact,omitempty"`
}

// Status is the state of the device at one moment.
type Status struct {
	Busy  bool        `json:"busy"`
	Shift ShiftStatus `json:"shift"`
	Paper bool        `json:"paper"` // present
	Cover bool        `json:"cover"` // closed
	FN    FNStatus    `json:"fn"`
	OFD   OFDStatus   `json:"ofd"`
	Clock time.Time   `json:"clock"` // the device's wall clock, as UTC
	// Conditions stand in the way of a document now; each heals by itself.
	Conditions []Code `json:"conditions,omitempty"`
	// Warnings do not stand in the way yet.
	Warnings []Code `json:"warnings,omitempty"`
}

// ShiftStatus tells of the current shift.
type ShiftStatus struct {
	Open      bool      `json:"open"`
	Expired   bool      `json:"expired,omitempty"`
	Number    uint32    `json:"number"`
	Receipts  uint32    `json:"receipts"`
	OpenedAt  time.Time `json:"opened_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// FNStatus tells of the fiscal storage.
type FNStatus struct {
	Serial   string `json:"serial"`
	LastFD   uint32 `json:"last_fd"`
	DaysLeft int    `json:"days_left"`
	Fill     string `json:"fill,omitempty"` // "ok", "90%", "99%"
	Phase    uint8  `json:"phase"`
}

// OFDStatus tells what the operator has not confirmed yet.
type OFDStatus struct {
	Unsent uint32    `json:"unsent"`
	Oldest time.Time `json:"oldest,omitzero"`
}
