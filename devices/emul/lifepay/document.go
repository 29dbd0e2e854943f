package lifepay

import (
	"encoding/json"
	"slices"
	"time"
)

// State is where a document stands (section 6.4).
type State string

// States.
const (
	StateAccepted  State = "accepted"
	StateQueued    State = "queued"
	StatePrinting  State = "printing"
	StateWaiting   State = "waiting_retry"
	StateProcessed State = "processed" // final
	StateError     State = "error"     // final
)

// Document is an accepted document, with what became of it.
type Document struct {
	UUID     string
	ExtID    string
	Path     string
	Kind     Kind
	Type     string // as sent: payment, sell_correction …; "" for reports
	Login    string
	Printer  string // serial
	State    State
	States   []State // all since the acceptance
	Accepted time.Time
	Requests int // how many requests got this uuid

	Total    Kopecks
	Payments Payments // "#" is computed; cash is what was given
	Change   Kopecks
	Lines    []Kopecks // net, by position
	Mode     string
	Sent     []string // "email:…", "sms:…": what would go to the buyer
	Order    string   // order_number

	FN      string
	FD, FP  uint32
	Shift   uint16
	Receipt uint16
	At      time.Time // of the fiscal document

	ErrorCode int
	ErrorText string
}

// document is a Document in the works.
type document struct {
	Document
	draft draft
	key   string // in byExtID; "" without ext_id

	due      time.Time
	tries    int
	stuck    bool // until Finish
	failCode int  // fault: the device answers this
	failText string

	callbackFaults []FaultKind
	heard          chan struct{} // closed after the first attempt at a callback, or when there will be none
	known          bool          // heard is closed
}

func (d *document) copy() Document {
	c := d.Document
	c.States, c.Lines, c.Sent = slices.Clone(d.States), slices.Clone(d.Lines), slices.Clone(d.Sent)
	return c
}

func (d *document) fiscal() bool { return d.FD != 0 }

func (d *document) final() bool { return d.State == StateProcessed || d.State == StateError }

// create stores a checked request and queues it (step 9 of section 2.7). The
// caller holds s.mu.
func (s *Service) create(dr draft, path, key string, who identity) *document {
	d := &document{draft: dr, key: key, heard: make(chan struct{})}
	d.Document = Document{
		UUID: s.newUUID(), ExtID: dr.extID, Path: path, Kind: dr.kind, Type: dr.vendor, Login: who.login.Phone,
		Accepted: time.Now(), Printer: dr.printer.cfg.Serial, Total: dr.total, Payments: dr.payments, Mode: dr.mode, Order: dr.order,
		Change: max(dr.payments.Sum()-dr.total, 0),
	}
	if dr.kind == KindCashIn || dr.kind == KindCashOut {
		d.Change = 0
	}
	for _, l := range dr.lines {
		d.Lines = append(d.Lines, l.net)
	}
	s.documents = append(s.documents, d)
	s.byUUID[d.UUID] = d
	if key != "" {
		s.byExtID[key] = d
	}
	s.afflict(d)
	s.move(d, StateAccepted)
	s.move(d, StateQueued)
	d.due = time.Now().Add(s.cfg.Delays.Queue)
	dr.printer.queue = append(dr.printer.queue, d)
	dr.printer.poke()
	return d
}

// move changes the state; three of them are told (section 6.1).
func (s *Service) move(d *document, to State) {
	d.State = to
	d.States = append(d.States, to)
	s.touch()
	s.cfg.Log.Debug("document", "uuid", d.UUID, "ext_id", d.ExtID, "state", to, "error", d.ErrorCode)
	if to == StateError && s.opt.FailedForgets && d.key != "" && s.byExtID[d.key] == d {
		delete(s.byExtID, d.key)
	}
	switch to {
	case StateProcessed, StateWaiting, StateError:
		s.tell(d)
	}
}

// sendToBuyer notes what e-mail or SMS would go out.
func (d *document) sendToBuyer() {
	if d.Mode != "email" && d.Mode != "print_email" {
		return
	}
	if d.draft.email != "" {
		d.Sent = append(d.Sent, "email:"+d.draft.email)
	}
	if d.draft.phone != "" {
		d.Sent = append(d.Sent, "sms:"+d.draft.phone)
	}
}

// payload is the content of a callback (section 6.2).
func (s *Service) payload(d *document, state State) map[string]any {
	o := s.opt.Callback
	p := map[string]any{"uuid": d.UUID, "error_code": nil}
	switch {
	case state == StateError || state == StateWaiting && o.WaitingCode && d.ErrorCode != 0:
		p["error_code"] = d.ErrorCode
	case !o.NullError:
		p["error_code"] = 0
	}
	if state == StateProcessed && d.fiscal() {
		p["ofd_url"] = o.OFDBase + "/" + d.FN + "/" + number(d.FD) + "/" + number(d.FP)
	}
	put := func(key string, v any) {
		if key != "-" {
			p[key] = v
		}
	}
	if d.draft.data != nil {
		put(o.Keys.Data, json.RawMessage(d.draft.data))
	}
	if o.Bare {
		return p
	}
	put(o.Keys.Status, o.word(state))
	put(o.Keys.Error, nil)
	if d.ErrorText != "" && state != StateProcessed {
		put(o.Keys.Error, d.ErrorText)
	}
	if d.ExtID != "" {
		put(o.Keys.ExtID, d.ExtID)
	}
	if state == StateProcessed && d.fiscal() {
		fiscal := func(v uint32) any {
			if o.FiscalAsText {
				return number(v)
			}
			return v
		}
		put(o.Keys.FN, d.FN)
		put(o.Keys.FD, fiscal(d.FD))
		put(o.Keys.FP, fiscal(d.FP))
		put(o.Keys.Shift, fiscal(uint32(d.Shift)))
		put(o.Keys.Receipt, fiscal(uint32(d.Receipt)))
		put(o.Keys.At, d.At.Format(time.RFC3339))
	}
	return p
}

func (o CallbackOptions) word(s State) string {
	switch s {
	case StateProcessed:
		return o.Statuses.Processed
	case StateWaiting:
		return o.Statuses.Waiting
	default:
		return o.Statuses.Error
	}
}
