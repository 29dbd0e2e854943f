package sim

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// The messages of the contract as a foreign integrator would write them down:
// from the page, not from package mqtt.

// roubles is an amount, which prints as a number with two decimals.
type roubles string

var roublesForm = regexp.MustCompile(`^-?\d+\.\d\d$`)

func (r *roubles) UnmarshalJSON(b []byte) error {
	if !roublesForm.Match(b) {
		return fmt.Errorf("amount %s: want a number with two decimals", b)
	}
	*r = roubles(b)
	return nil
}

// millis has one decimal.
type millis string

var millisForm = regexp.MustCompile(`^\d+\.\d$`)

func (m *millis) UnmarshalJSON(b []byte) error {
	if !millisForm.Match(b) {
		return fmt.Errorf("milliseconds %s: want a number with one decimal", b)
	}
	*m = millis(b)
	return nil
}

type wireAnswer struct {
	V         int
	ID        string
	N         int
	State     string
	Final     *bool
	Dup       bool
	Recovered bool
	Verb      string
	Route     string
	Fiscal    *wireFiscal
	Waiting   *wireProblem
	Error     *wireProblem
	Timing    *struct{ Queued, Durable, Device, Total millis } `json:"timing_ms"`
	Counters  *wireCounters
	Document  *wireDocument
	Device    *wireDevice
	Answer    *wireAnswer
	Answers   []wireAnswer
	Seq       uint64
	Next      uint64
	Hello     *wireHello
	Printed   string
	Resolved  json.RawMessage
	Result    json.RawMessage
}

type wireFiscal struct {
	Kind, FN, FP, At, RNM, FFD, Key, QR, By string
	FD, Shift, Receipt                      uint32
	Total, Change, Drawer                   roubles
}

type wireProblem struct {
	Code, Vendor, Field, Text, Message, Detail, Action string
}

type wireTally struct {
	Count uint32
	Total roubles
}

type wirePayments struct{ Cash, Card, Prepayment, Credit, Other roubles }

type wireKind struct {
	wireTally
	Payments *wirePayments
	VAT      map[string]struct{ Base, Tax roubles }
}

type wireCounters struct {
	Shift       uint32
	OpenedAt    string `json:"opened_at"`
	ClosedAt    string `json:"closed_at"`
	FirstFD     uint32 `json:"first_fd"`
	LastFD      uint32 `json:"last_fd"`
	Receipts    uint32
	Documents   uint32
	ByKind      map[string]wireKind `json:"by_kind"`
	Corrections map[string]wireTally
	CashIn      *wireTally `json:"cash_in"`
	CashOut     *wireTally `json:"cash_out"`
	Drawer      roubles
	GrandTotals map[string]roubles `json:"grand_totals"`
	Journal     *struct {
		Agrees      bool
		Differences []struct{ Figure, Device, Journal string }
	}
}

type wireDocument struct {
	FD, Shift, Receipt uint32
	FP, Kind, At, Key  string
	Form               int
	Total              roubles
	Full               bool
	Tags               []json.RawMessage
}

type wireDevice struct {
	Link, Busy, Paper, Cover bool
	Why, Clock               string
	Shift                    *struct {
		Open, Expired    bool
		Number, Receipts uint32
		OpenedAt         string `json:"opened_at"`
		ExpiresAt        string `json:"expires_at"`
	}
	FN *struct {
		Serial   string
		DaysLeft int `json:"days_left"`
		Fill     string
		LastFD   uint32 `json:"last_fd"`
	}
	OFD *struct {
		Unsent uint32
		Oldest string
	}
	Conditions, Warnings []string
	Queued               int
}

type wireLimits struct {
	PayloadBytes int `json:"payload_bytes"`
	Items        int
	NameChars    int     `json:"name_chars"`
	QueueDevice  int     `json:"queue_device"`
	Terminals    int     `json:"terminals"`
	AmountMax    roubles `json:"amount_max"`
}

type wireHello struct {
	Time, Version, Node, Terminal, Route, Device string
	Contract                                     []int
	Rights                                       []string
	Limits                                       wireLimits
}

type wireState struct {
	State, Instance, Boot, At string
	Epoch                     uint64
}

type wireInfo struct {
	Version   string
	Contract  []int
	Go, OS    string
	StartedAt string `json:"started_at"`
	Devices   map[string]struct {
		Kind   string
		Can    []string
		Limits json.RawMessage
	}
	Routes    map[string][]string
	Terminals []string
	Limits    wireLimits
	Config    string
}

type wireHealth struct {
	At          string
	UptimeS     int64  `json:"uptime_s"`
	MemoryBytes uint64 `json:"memory_bytes"`
	DiskFree    uint64 `json:"disk_free_bytes"`
	StoreBytes  int64  `json:"store_bytes"`
	Goroutines  int
	Flush       millis `json:"flush_ms"`
	FlushMax    millis `json:"flush_max_ms"`
	Queue       int
	Links       []struct {
		Name, Role, Reason string
		Up                 bool
		RTT                millis `json:"rtt_ms"`
	}
	Alerts []string
}

type wireSpool struct {
	Queued  int
	Oldest  string
	Unknown []string
	Held    []string
	Outbox  int
}

type wireReport struct {
	At       string
	Fiscal   *wireFiscal
	Counters *wireCounters
}

type wireAlert struct {
	wireProblem
	Device, Since string
}

type wireEvent struct {
	Seq   uint64
	Class string
	At    string
}
