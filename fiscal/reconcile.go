package fiscal

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Report is the outcome of a reconciliation: what the journal says was made,
// held against what somebody else says (design 6).
type Report struct {
	ID     string          `json:"id"` // grows with time
	At     time.Time       `json:"at"`
	Why    ReportReason    `json:"why"`
	By     string          `json:"by,omitempty"`     // the person who asked
	Since  time.Time       `json:"since,omitzero"`   // the period; zero of a shift
	Until  time.Time       `json:"until,omitzero"`   // not included
	Device string          `json:"device,omitempty"` // when only one was asked about
	Shift  uint32          `json:"shift,omitempty"`  // when only one was asked about
	Parts  []ReportSection `json:"parts"`
	Agrees bool            `json:"agrees"` // every section does
}

// ReportReason is what a reconciliation was made for.
type ReportReason string

// Reasons of a reconciliation.
const (
	ReportShiftClose ReportReason = "shift-close"
	ReportTime       ReportReason = "time"
	ReportCommand    ReportReason = "command"
)

// Against is the other side of a section.
type Against string

// Sides that the journal is held against. Only an import is independent of what
// this node was told.
const (
	AgainstDevice    Against = "device"    // counters and documents of the fiscal storage
	AgainstConfirmed Against = "confirmed" // what the service confirmed to us
	AgainstImport    Against = "import"    // a cabinet's or an operator's export
)

// Kinds of backends.
const (
	BackendDevice = "device"
	BackendCloud  = "cloud"
)

// ReportSection is the comparison of one backend: of one shift, or of a period.
// Figures that a side does not have are absent, never zero.
type ReportSection struct {
	Backend string  `json:"backend"` // "" for documents that no backend of this node can have made
	Kind    string  `json:"kind"`    // BackendDevice or BackendCloud
	Storage string  `json:"fn,omitempty"`
	Shift   uint32  `json:"shift,omitempty"`
	Against Against `json:"against"`
	Source  string  `json:"source,omitempty"` // name of the imported file

	Journal *ReportFigures `json:"journal,omitempty"`
	Other   *ReportFigures `json:"other,omitempty"`

	Gaps        []Gap         `json:"gaps,omitempty"`
	Differences []Mismatch    `json:"differences,omitempty"`
	Unconfirmed []Unconfirmed `json:"unconfirmed,omitempty"`
	Late        []LateFound   `json:"late,omitempty"`
	Settled     []Settled     `json:"settled,omitempty"`
	// Notes say what could not be known or proved.
	Notes []string `json:"notes,omitempty"`
	// Incomplete: the other side could not be read, or not all of it.
	Incomplete bool `json:"incomplete,omitempty"`
	// Agrees: the other side was read whole and nothing differs. What is not
	// confirmed yet is no difference.
	Agrees bool `json:"agrees"`
}

// Differs tells whether anything speaks against the journal.
func (s *ReportSection) Differs() bool { return len(s.Differences) > 0 }

// Judge sets Agrees of the report and its sections, and puts the differences in
// order: figures first, then by document. A report of nothing agrees.
func (r *Report) Judge() {
	r.Agrees = true
	for i := range r.Parts {
		s := &r.Parts[i]
		s.Agrees = !s.Incomplete && !s.Differs()
		slices.SortStableFunc(s.Differences, func(a, b Mismatch) int {
			return cmp.Or(cmp.Compare(min(a.FD, 1), min(b.FD, 1)), cmp.Compare(a.FN, b.FN), cmp.Compare(a.FD, b.FD))
		})
		r.Agrees = r.Agrees && s.Agrees
	}
}

// Backends lists the backends of the report, in its order.
func (r *Report) Backends() []string {
	var names []string
	for i := range r.Parts {
		if name := r.Parts[i].Backend; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Of is what the report says of one backend: how many differences, whether all
// of its sections agree, and the first difference.
func (r *Report) Of(backend string) (differences int, agrees bool, first Mismatch) {
	agrees = true
	for i := range r.Parts {
		s := &r.Parts[i]
		if s.Backend != backend {
			continue
		}
		agrees = agrees && s.Agrees
		if differences == 0 && s.Differs() {
			first = s.Differences[0]
		}
		differences += len(s.Differences)
	}
	return differences, agrees, first
}

// Gap is a run of document numbers that no book has.
type Gap struct {
	FN   string `json:"fn"`
	From uint32 `json:"from"`
	To   uint32 `json:"to"`
}

func (g Gap) String() string {
	if g.From == g.To {
		return fmt.Sprintf("FD %d of FN %s", g.From, g.FN)
	}
	return fmt.Sprintf("FD %d to %d of FN %s", g.From, g.To, g.FN)
}

// MismatchCode is a stable name of a kind of difference.
type MismatchCode string

// Differences. Each is about one figure or one document.
const (
	MismatchFigure       MismatchCode = "figure"  // a sum or a count of the whole
	MismatchForeign      MismatchCode = "foreign" // the other side has a document that the journal has not
	MismatchMissing      MismatchCode = "missing" // the journal has a document that the other side has not
	MismatchKind         MismatchCode = "kind"    // sale here, refund there
	MismatchTotal        MismatchCode = "total"
	MismatchPayments     MismatchCode = "payments"
	MismatchVAT          MismatchCode = "vat"
	MismatchSign         MismatchCode = "sign"          // the fiscal signs differ
	MismatchTwoCommands  MismatchCode = "two-commands"  // one document under two commands
	MismatchTwoDocuments MismatchCode = "two-documents" // two documents of one command
	MismatchGap          MismatchCode = "gap"           // a number that no book has
)

// Mismatch is one difference, with the figure or the document that it is
// about.
type Mismatch struct {
	Code    MismatchCode `json:"code"`
	Text    string       `json:"text"` // English, for people
	Figure  string       `json:"figure,omitempty"`
	ID      string       `json:"id,omitempty"` // of the command
	FN      string       `json:"fn,omitempty"`
	FD      uint32       `json:"fd,omitempty"`
	Sign    uint32       `json:"fp,omitempty"`
	Ticket  string       `json:"ticket,omitempty"`
	Journal string       `json:"journal,omitempty"`
	Other   string       `json:"other,omitempty"`
}

// Document names the document of a difference as people do.
func (m Mismatch) Document() string {
	switch {
	case m.FD != 0:
		return fmt.Sprintf("FD %d", m.FD)
	case m.Sign != 0:
		return fmt.Sprintf("FP %d", m.Sign)
	case m.Ticket != "":
		return m.Ticket
	default:
		return m.ID
	}
}

// Unconfirmed is a command whose document is not confirmed.
type Unconfirmed struct {
	ID     string    `json:"id"`
	State  State     `json:"state"`
	Since  time.Time `json:"since"` // acceptance
	Total  *Money    `json:"total,omitempty"`
	Ticket string    `json:"ticket,omitempty"`
}

// UnconfirmedOf tells of a record that has begun and has no final state; false for
// the others.
func UnconfirmedOf(r *Record) (Unconfirmed, bool) {
	switch r.State {
	case Registered, Unknown, Held, Working:
	default:
		return Unconfirmed{}, false
	}
	p := Unconfirmed{ID: r.ID, State: r.State, Since: r.AcceptedAt, Ticket: r.Ticket}
	if r.Verb.Receipt() {
		p.Total = &r.Document.Total
	}
	return p, true
}

// LateFound is a document that an attempt made after it was given up.
type LateFound struct {
	ID     string `json:"id"`
	Device string `json:"device"`
	FN     string `json:"fn,omitempty"`
	FD     uint32 `json:"fd,omitempty"`
	Ticket string `json:"ticket,omitempty"`
	Total  Money  `json:"total"`
	// New tells that this reconciliation found it by asking.
	New bool `json:"new,omitempty"`
}

// LateOf renders a late document of a record.
func LateOf(r *Record, device string, made Receipt, fresh bool) LateFound {
	if made.Device != "" {
		device = made.Device
	}
	return LateFound{ID: r.ID, Device: device, FN: made.Storage, FD: made.FD, Ticket: made.Ticket, Total: made.Total, New: fresh}
}

// Settled is a command that a person ended.
type Settled struct {
	ID     string    `json:"id"`
	Action Action    `json:"action"`
	By     string    `json:"by"`
	FD     uint32    `json:"fd,omitempty"`
	Note   string    `json:"note,omitempty"`
	At     time.Time `json:"at"`
	Total  *Money    `json:"total,omitempty"`
}

// SettledOf tells of a command whose end a person claimed; false for the
// others. A retried one ended by itself.
func SettledOf(r *Record) (Settled, bool) {
	d := r.Resolved
	if d == nil || !r.State.Final() {
		return Settled{}, false
	}
	switch d.Action {
	case ResolveDoneElsewhere, ResolveAsCorrection, ResolveGiveUp:
	default:
		return Settled{}, false
	}
	s := Settled{ID: r.ID, Action: d.Action, By: d.By, FD: d.FD, Note: d.Note, At: d.At}
	if r.Verb.Receipt() {
		s.Total = &r.Document.Total
	}
	return s, true
}
