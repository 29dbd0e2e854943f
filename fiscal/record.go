package fiscal

import (
	"crypto/sha256"
	"encoding/base32"
	"time"
)

// State is where a command stands (design 4).
type State string

// States. The first four are not final.
const (
	Accepted   State = "accepted"
	Working    State = "working"    // intent is on disk; the device may have begun
	Registered State = "registered" // a cloud has taken it
	Unknown    State = "unknown"    // being found out
	Held       State = "held"       // a person decides
	Done       State = "done"
	Rejected   State = "rejected"
	Cancelled  State = "cancelled"
	Abandoned  State = "abandoned"

	// Expired answers a command that was never accepted; no record has it.
	Expired State = "expired"
)

// Final tells whether s is the last state of a command.
func (s State) Final() bool {
	switch s {
	case Done, Rejected, Cancelled, Abandoned, Expired:
		return true
	default:
		return false
	}
}

// Record is a command's life: what the journal stores.
type Record struct {
	Seq      uint64   `json:"seq"` // place in the journal and in the queue, given by the spool
	ID       string   `json:"id"`
	Terminal string   `json:"terminal"`        // "" for automatic documents
	Links    []string `json:"links,omitempty"` // where answers go: every link that the command came by
	Verb     Verb     `json:"verb"`
	Device   string   `json:"device"`
	Route    string   `json:"route,omitempty"`
	Hash     string   `json:"hash"` // of verb, device or route and body

	AcceptedAt time.Time     `json:"accepted_at"`
	FinalAt    time.Time     `json:"final_at,omitzero"`
	FinalSeq   uint64        `json:"final_seq,omitempty"` // order of final answers, for sync
	WaitLeft   time.Duration `json:"wait_left,omitempty"` // of the envelope's wait; 0: for ever
	DoubtLeft  time.Duration `json:"doubt_left,omitempty"`

	State    State    `json:"state"`
	N        int      `json:"n"` // answers given to this id
	Attempt  int      `json:"attempt"`
	Document Document `json:"document"`

	Baseline  *Baseline   `json:"baseline,omitempty"`
	Receipt   *Receipt    `json:"receipt,omitempty"`
	Counters  *Counters   `json:"counters,omitempty"`
	Error     *Error      `json:"error,omitempty"`   // why rejected or held
	Waiting   *Error      `json:"waiting,omitempty"` // the condition that holds it up
	Recovered bool        `json:"recovered,omitempty"`
	Printed   string      `json:"printed,omitempty"` // print verbs: "unknown" after a doubt
	Approved  bool        `json:"approved,omitempty"`
	Resolved  *Resolution `json:"resolved,omitempty"`

	Timing Timing `json:"timing"`

	// SavedAt is the wall clock of the last save; the remaining times above and
	// below are as of then.
	SavedAt   time.Time     `json:"saved_at,omitzero"`
	Ticket    string        `json:"ticket,omitempty"`     // what the cloud calls the document
	Asked     int           `json:"asked,omitempty"`      // questions to the cloud in this state
	PauseLeft time.Duration `json:"pause_left,omitempty"` // until the next one
	Reloads   int           `json:"reloads,omitempty"`    // of this attempt, without a person
	ReloadDue bool          `json:"reload_due,omitempty"` // the cloud is still to be told to try once more
	Tried     []Leg         `json:"tried,omitempty"`      // attempts that are over
	Late      []Receipt     `json:"late,omitempty"`       // documents that an attempt made after it was over
}

// Leg is an attempt that is over: nothing of it may be live when the next one
// begins (P4). What its device says of it later is late.
type Leg struct {
	Device string    `json:"device"`
	Key    string    `json:"key,omitempty"`    // under which a cloud was asked
	Ticket string    `json:"ticket,omitempty"` // what the cloud calls the document
	Code   Code      `json:"code"`             // why it is over
	At     time.Time `json:"at"`
	// Baseline is that of an attempt on a wire which was in doubt to the end: the
	// device may have a receipt of it open.
	Baseline *Baseline `json:"baseline,omitempty"`
}

// Timing is where the time of a command went.
type Timing struct {
	Queued  time.Duration `json:"queued,omitempty"`  // acceptance to the worker
	Durable time.Duration `json:"durable,omitempty"` // writing the acceptance
	Device  time.Duration `json:"device,omitempty"`  // Prepare, Submit and Find
	Total   time.Duration `json:"total,omitempty"`
}

// Action is what a person may decide about a held command.
type Action string

// Actions of resolve.
const (
	ResolveRetry         Action = "retry"
	ResolveAsCorrection  Action = "as-correction"
	ResolveDoneElsewhere Action = "done-elsewhere"
	ResolveGiveUp        Action = "give-up"
	ResolveReload        Action = "reload" // the cloud that failed is told to try once more
)

// Resolution is a person's decision about a held command.
type Resolution struct {
	Action Action    `json:"action"`
	By     string    `json:"by"`
	FD     uint32    `json:"fd,omitempty"` // done-elsewhere, as-correction
	Note   string    `json:"note,omitempty"`
	At     time.Time `json:"at"`
}

// Lengths of what is made of an id's hash.
const (
	keyLength  = 16 // of tag 1192
	stemLength = 26
)

// Key is our mark in a document of command id: the same for every attempt, and
// different for the same id under another topic root (design 5.3).
func Key(root, id string) string { return Stem(root, id)[:keyLength] }

// Stem is the part of a cloud's key that every attempt of command id shares. Key
// begins it.
func Stem(root, id string) string {
	sum := sha256.Sum256([]byte(root + "\x00" + id))
	return base32.StdEncoding.EncodeToString(sum[:])[:stemLength]
}
