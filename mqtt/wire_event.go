package mqtt

import (
	"encoding/json"
	"time"

	"kassad/fiscal"
)

// Classes of events.
const (
	EventReceipt = "receipt"
	EventShift   = "shift"
	EventCash    = "cash"
	EventDevice  = "device"
	EventAlert   = "alert"
	EventAudit   = "audit"
)

// EventHead begins every event of evt/{class}. Seq has no gaps over all
// classes.
type EventHead struct {
	Seq   uint64  `json:"seq"`
	Class string  `json:"class"`
	At    Instant `json:"at"`
}

// RecordEvent tells that a command has ended: classes receipt, shift, cash and
// cloud.
type RecordEvent struct {
	EventHead
	ID        string       `json:"id"`
	Terminal  string       `json:"terminal,omitempty"` // absent for automatic documents
	Verb      fiscal.Verb  `json:"verb"`
	Device    string       `json:"device"`
	State     fiscal.State `json:"state"`
	Recovered bool         `json:"recovered,omitempty"`
	SettledAt Instant      `json:"settled_at,omitzero"`
	Fiscal    *Fiscal      `json:"fiscal,omitempty"`
	// Correction tells that the receipt is a correction.
	Correction bool             `json:"correction,omitempty"`
	Payments   *fiscal.Payments `json:"payments,omitempty"`
	Counters   *Counters        `json:"counters,omitempty"`
	Error      *Problem         `json:"error,omitempty"`
	Resolved   *Resolved        `json:"resolved,omitempty"`
}

// DeviceEvent tells that a device came, went or changed: class device.
type DeviceEvent struct {
	EventHead
	Device string `json:"device"`
	// What is up or down.
	What   string      `json:"what"`
	Code   fiscal.Code `json:"code,omitempty"`
	Detail string      `json:"detail,omitempty"`
}

// AlertEvent tells that an alert came or went: class alert.
type AlertEvent struct {
	EventHead
	Stands bool `json:"stands"`
	Alert
}

// AuditEvent tells who did what: class audit.
type AuditEvent struct {
	EventHead
	Op      string          `json:"op"`
	By      string          `json:"by"`
	Via     string          `json:"via"` // the link, or "control" for the local socket
	Outcome string          `json:"outcome"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// EncodeRecordEvent prints the event of a record that has become final.
func EncodeRecordEvent(seq uint64, class string, r fiscal.Record) []byte {
	a := NewAnswer(r, false)
	e := RecordEvent{
		EventHead: EventHead{seq, class, Instant(r.FinalAt)}, ID: r.ID, Terminal: r.Terminal, Verb: r.Verb, Device: r.Device,
		State: r.State, Recovered: r.Recovered, SettledAt: Instant(r.Document.At), Fiscal: a.Fiscal,
		Correction: r.Verb == fiscal.VerbCorrection, Counters: a.Counters, Error: a.Error, Resolved: a.Resolved,
	}
	if r.Verb.Receipt() {
		e.Payments = &r.Document.Payments
	}
	return encode(e)
}

// EncodeDeviceEvent prints an event of class device.
func EncodeDeviceEvent(seq uint64, at time.Time, e DeviceEvent) []byte {
	e.EventHead = EventHead{seq, EventDevice, Instant(at)}
	return encode(e)
}

// EncodeAlertEvent prints an event of class alert.
func EncodeAlertEvent(seq uint64, at time.Time, a Alert, stands bool) []byte {
	return encode(AlertEvent{EventHead{seq, EventAlert, Instant(at)}, stands, a})
}

// EncodeAuditEvent prints an event of class audit.
func EncodeAuditEvent(seq uint64, at time.Time, e AuditEvent) []byte {
	e.EventHead = EventHead{seq, EventAudit, Instant(at)}
	return encode(e)
}
