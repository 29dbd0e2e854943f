package mqtt

import (
	"encoding/json"
	"strconv"

	"kassad/fiscal"
)

// Answer is every state of a command, as published on res/{terminal}/{verb},
// on last/{terminal} and on mgmt/res/{op}.
type Answer struct {
	// V is the version of the contract.
	V int `json:"v"`
	// ID is the id of the command; empty if none could be read.
	ID string `json:"id"`
	// N counts the answers to this id.
	N int `json:"n"`
	// State is where the command stands.
	State fiscal.State `json:"state"`
	// Final tells that no other answer follows.
	Final bool `json:"final"`
	// Dup tells that the command is a repeat and this its former answer.
	Dup bool `json:"dup,omitempty"`
	// Recovered tells that the document was found by asking the device after a doubt.
	Recovered bool `json:"recovered,omitempty"`
	// Verb is the verb of the command, or the operation of a management request.
	Verb fiscal.Verb `json:"verb"`
	// Route is the device or cloud that has the command.
	Route string `json:"route,omitempty"`
	// Fiscal is the document that was made.
	Fiscal *Fiscal `json:"fiscal,omitempty"`
	// Counters are the figures of the shift.
	Counters *Counters `json:"counters,omitempty"`
	// Waiting is the condition that holds the command up.
	Waiting *Problem `json:"waiting,omitempty"`
	// Error is why the command was refused or is held.
	Error *Problem `json:"error,omitempty"`
	// Printed is "unknown" when nobody knows whether paper came out, and "owed"
	// when the document exists and its paper is still to come.
	Printed string `json:"printed,omitempty"`
	// Resolved is the decision of the person who ended the command.
	Resolved *Resolved `json:"resolved,omitempty"`
	// Timing is where the time went.
	Timing *Timing `json:"timing_ms,omitempty"`

	// Document is the answer to document.
	Document *Document `json:"document,omitempty"`
	// Device is the answer to status.
	Device *DeviceState `json:"device,omitempty"`
	// Answer is the last answer of the id that query asks about.
	Answer json.RawMessage `json:"answer,omitempty"`
	// Answers are the final answers that sync asks for, in order.
	Answers []json.RawMessage `json:"answers,omitzero"`
	// Seq is the number of the last of Answers: what a later sync may ask since.
	Seq uint64 `json:"seq,omitempty"`
	// Next is where to continue a sync; absent at its end.
	Next uint64 `json:"next,omitempty"`
	// Hello is the answer to hello.
	Hello *Hello `json:"hello,omitempty"`
	// Result is the answer to a management request.
	Result json.RawMessage `json:"result,omitempty"`
}

// Fiscal is a document in the fiscal storage, or a cash movement.
type Fiscal struct {
	// Kind is sale, refund, buy, buy-refund, shift-open, shift-close, cash-in or cash-out.
	Kind string `json:"kind"`
	// FN is the serial number of the fiscal storage.
	FN string `json:"fn,omitempty"`
	// FD is the number of the document in the fiscal storage.
	FD uint32 `json:"fd,omitempty"`
	// FP is the fiscal sign, in decimal.
	FP string `json:"fp,omitempty"`
	// Shift is the number of the shift.
	Shift uint32 `json:"shift,omitempty"`
	// Receipt is the number of the receipt in the shift.
	Receipt uint32 `json:"receipt,omitempty"`
	// At is the time of the document by the clock of the device.
	At WallTime `json:"at,omitzero"`
	// Total is the total of a receipt or the amount of a cash movement.
	Total *fiscal.Money `json:"total,omitempty"`
	// Change is what goes back to the buyer in cash.
	Change *fiscal.Money `json:"change,omitempty"`
	// RNM is the registration number of the register.
	RNM string `json:"rnm,omitempty"`
	// FFD is the version of the fiscal data format.
	FFD string `json:"ffd,omitempty"`
	// Key is our mark in the document.
	Key string `json:"key,omitempty"`
	// QR is the text of the code that is printed on the receipt.
	QR string `json:"qr,omitempty"`
	// By is "other" when somebody else had opened or closed the shift.
	By string `json:"by,omitempty"`
	// Ticket is what the cloud calls the document.
	Ticket string `json:"ticket,omitempty"`
	// URL is the receipt at the operator of fiscal data, if the cloud has told it.
	URL string `json:"url,omitempty"`
	// Drawer is the cash in the drawer by the device's counter.
	Drawer *fiscal.Money `json:"drawer,omitempty"`
}

// Problem is an error or a condition.
type Problem struct {
	// Code is stable; programs decide by it.
	Code fiscal.Code `json:"code"`
	// Vendor is the device's own code.
	Vendor string `json:"vendor,omitempty"`
	// Field is what of the command is wrong.
	Field string `json:"field,omitempty"`
	// Text is for the cashier, in Russian.
	Text string `json:"text,omitempty"`
	// Message is for the engineer, in English.
	Message string `json:"message,omitempty"`
	// Detail is what is special about this case.
	Detail string `json:"detail,omitempty"`
	// Action is what to try.
	Action string `json:"action,omitempty"`
}

// Resolved is a person's decision about a held command.
type Resolved struct {
	Action fiscal.Action `json:"action"`
	By     string        `json:"by"`
	FD     uint32        `json:"fd,omitempty"`
	Note   string        `json:"note,omitempty"`
	At     Instant       `json:"at"`
}

// Timing is where the time of a command went, in milliseconds.
type Timing struct {
	// Queued is the time from acceptance to the device's turn.
	Queued Millis `json:"queued"`
	// Durable is the time that writing the acceptance took.
	Durable Millis `json:"durable"`
	// Device is the time spent on the device.
	Device Millis `json:"device"`
	// Total is the time from arrival to this answer.
	Total Millis `json:"total"`
}

// NewProblem renders e with what the table of codes says of it.
func NewProblem(e *fiscal.Error) *Problem {
	if e == nil {
		return nil
	}
	info := e.Code.Info()
	detail := e.Detail
	if cause := e.Unwrap(); cause != nil && detail == "" {
		detail = cause.Error()
	}
	return &Problem{Code: e.Code, Vendor: e.Vendor, Field: e.Field, Text: info.Russian, Message: info.English, Detail: detail, Action: info.Action}
}

// NewFiscal renders the document of a record, or nil if there is none.
func NewFiscal(r *fiscal.Record) *Fiscal {
	rc := r.Receipt
	if rc == nil {
		return nil
	}
	f := &Fiscal{
		Kind: rc.Kind, FN: rc.Storage, FD: rc.FD, Shift: rc.Shift, Receipt: rc.Number, At: WallTime(rc.At),
		RNM: rc.Registration, FFD: rc.FFD, Key: rc.Key, By: rc.By, Ticket: rc.Ticket, URL: rc.URL, Drawer: rc.Drawer,
	}
	if rc.FD != 0 {
		f.FP = strconv.FormatUint(uint64(rc.Sign), 10)
	}
	if r.Verb.Receipt() {
		f.Total, f.Change, f.QR = &rc.Total, &rc.Change, rc.QR(r.Document.Kind)
	} else if r.Verb.Class() == fiscal.ClassRecord {
		f.Total = &r.Document.Amount
	}
	return f
}

// NewAnswer renders the present state of a record.
func NewAnswer(r fiscal.Record, dup bool) Answer {
	a := Answer{
		V: envelopeVersion, ID: r.ID, N: r.N, State: r.State, Final: r.State.Final(), Dup: dup, Recovered: r.Recovered,
		Verb: r.Verb, Route: r.Device, Fiscal: NewFiscal(&r), Counters: NewCounters(r.Counters),
		Waiting: NewProblem(r.Waiting), Error: NewProblem(r.Error), Printed: r.Printed,
		Timing: &Timing{Millis(r.Timing.Queued), Millis(r.Timing.Durable), Millis(r.Timing.Device), Millis(r.Timing.Total)},
	}
	if a.Route == "" {
		a.Route = r.Route
	}
	if r.Receipt != nil && r.Receipt.Unprinted {
		a.Printed = "owed"
	}
	if r.Resolved != nil {
		a.Resolved = &Resolved{r.Resolved.Action, r.Resolved.By, r.Resolved.FD, r.Resolved.Note, Instant(r.Resolved.At)}
	}
	return a
}

// EncodeAnswer prints the answer of a journalled command. dup marks the answer
// to a repeat.
func EncodeAnswer(r fiscal.Record, dup bool) []byte { return encode(NewAnswer(r, dup)) }

// EncodeRefusal prints the refusal of a request that no record has: it was not
// accepted and binds no id.
func EncodeRefusal(id string, verb fiscal.Verb, why *fiscal.Error) []byte {
	a := Answer{V: envelopeVersion, ID: id, N: 1, State: fiscal.Rejected, Final: true, Verb: verb, Error: NewProblem(why)}
	if why.Code == fiscal.CodeExpired {
		a.State = fiscal.Expired
	}
	return encode(a)
}
