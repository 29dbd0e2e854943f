package mqtt

import (
	"time"

	"kassad/fiscal"
)

// The retained documents of the node and its devices.

// NodeState is node/state. Offline is the will of the connection.
type NodeState struct {
	// State is online, draining or offline.
	State string `json:"state"`
	// Instance is made at first start and bound to the machine.
	Instance string `json:"instance"`
	// Boot is made at every start of the process.
	Boot string `json:"boot"`
	// Epoch counts the starts.
	Epoch uint64  `json:"epoch"`
	At    Instant `json:"at"`
}

// States of a node.
const (
	NodeOnline   = "online"
	NodeDraining = "draining"
	NodeOffline  = "offline"
)

// NodeInfo is node/info: what does not change while the process runs.
type NodeInfo struct {
	Version   string               `json:"version"`
	Contract  []int                `json:"contract"`
	Go        string               `json:"go,omitempty"`
	OS        string               `json:"os,omitempty"`
	StartedAt Instant              `json:"started_at"`
	Devices   map[string]NodeBacks `json:"devices"`
	Routes    map[string][]string  `json:"routes,omitempty"`
	Terminals []string             `json:"terminals,omitempty"`
	Limits    NodeLimits           `json:"limits"`
	// Config is the SHA-256 of the configuration in use.
	Config string `json:"config"`
}

// NodeBacks is what a device or cloud of the node can do.
type NodeBacks struct {
	Kind string `json:"kind"`
	// Can lists the verbs beyond receipts that it has.
	Can    []string       `json:"can,omitempty"`
	Limits *fiscal.Limits `json:"limits,omitempty"`
}

// NodeHealth is node/health.
type NodeHealth struct {
	At          Instant `json:"at"`
	UptimeS     int64   `json:"uptime_s"`
	MemoryBytes uint64  `json:"memory_bytes"`
	DiskFree    uint64  `json:"disk_free_bytes,omitempty"`
	StoreBytes  int64   `json:"store_bytes,omitempty"`
	Goroutines  int     `json:"goroutines,omitempty"`
	// Flush is the time of the last disk transactions: median and worst.
	Flush    Millis        `json:"flush_ms"`
	FlushMax Millis        `json:"flush_max_ms"`
	Queue    int           `json:"queue"`
	Links    []LinkHealth  `json:"links,omitempty"`
	Alerts   []fiscal.Code `json:"alerts,omitempty"`
}

// LinkHealth is one broker.
type LinkHealth struct {
	Name string `json:"name"`
	Role string `json:"role,omitempty"`
	Up   bool   `json:"up"`
	// RTT is the round trip of the last probe.
	RTT    Millis `json:"rtt_ms,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// SpoolState is spool/state.
type SpoolState struct {
	// Queued is the number of commands that are not final, but for those that a cloud has.
	Queued int `json:"queued"`
	// ByDevice is their number for each device or cloud that has any.
	ByDevice map[string]int `json:"by_device,omitempty"`
	// Registered is the number of documents that a cloud has and has not confirmed.
	Registered int `json:"registered,omitempty"`
	// Oldest is when the oldest queued command was accepted.
	Oldest Instant `json:"oldest,omitzero"`
	// Unknown and Held are the ids of commands in these states.
	Unknown IDs `json:"unknown"`
	Held    IDs `json:"held"`
	// Outbox is the number of messages that no broker has acknowledged yet.
	Outbox int `json:"outbox"`
}

// DeviceState is dev/{name}/state.
type DeviceState struct {
	// Link tells whether the device answers.
	Link bool `json:"link"`
	// Why is the code that says why it does not.
	Why        fiscal.Code   `json:"why,omitempty"`
	Busy       bool          `json:"busy"`
	Shift      *ShiftState   `json:"shift,omitempty"`
	Paper      bool          `json:"paper"`
	Cover      bool          `json:"cover"`
	FN         *FNState      `json:"fn,omitempty"`
	OFD        *OFDState     `json:"ofd,omitempty"`
	Clock      WallTime      `json:"clock,omitzero"`
	Conditions []fiscal.Code `json:"conditions,omitempty"`
	Warnings   []fiscal.Code `json:"warnings,omitempty"`
	// Queued is the number of commands that wait for the device.
	Queued int `json:"queued"`
}

// ShiftState is the shift by the device's clock.
type ShiftState struct {
	Open      bool     `json:"open"`
	Expired   bool     `json:"expired,omitempty"`
	Number    uint32   `json:"number"`
	Receipts  uint32   `json:"receipts"`
	OpenedAt  WallTime `json:"opened_at,omitzero"`
	ExpiresAt WallTime `json:"expires_at,omitzero"`
}

// FNState is the fiscal storage.
type FNState struct {
	Serial   string `json:"serial"`
	DaysLeft int    `json:"days_left"`
	Fill     string `json:"fill,omitempty"`
	LastFD   uint32 `json:"last_fd"`
}

// OFDState is what the operator has not confirmed.
type OFDState struct {
	Unsent uint32   `json:"unsent"`
	Oldest WallTime `json:"oldest,omitzero"`
}

// NewDeviceState renders a status. A device that does not answer keeps what was
// last known of it.
func NewDeviceState(link bool, why fiscal.Code, s fiscal.Status, queued int) DeviceState {
	d := DeviceState{
		Link: link, Why: why, Busy: s.Busy, Paper: s.Paper, Cover: s.Cover, Clock: WallTime(s.Clock),
		Conditions: s.Conditions, Warnings: s.Warnings, Queued: queued,
	}
	if s.FN.Serial != "" || link {
		d.Shift = &ShiftState{s.Shift.Open, s.Shift.Expired, s.Shift.Number, s.Shift.Receipts, WallTime(s.Shift.OpenedAt), WallTime(s.Shift.ExpiresAt)}
		d.FN = &FNState{s.FN.Serial, s.FN.DaysLeft, s.FN.Fill, s.FN.LastFD}
		d.OFD = &OFDState{s.OFD.Unsent, WallTime(s.OFD.Oldest)}
	}
	return d
}

// DeviceReport is dev/{name}/x and dev/{name}/z: the last X and Z report.
type DeviceReport struct {
	At       Instant   `json:"at"`
	Fiscal   *Fiscal   `json:"fiscal,omitempty"`
	Counters *Counters `json:"counters"`
}

// Alert is node/alert/{code} and dev/{name}/alert/{code}. It stands while the
// condition stands.
type Alert struct {
	Problem
	Device string  `json:"device,omitempty"`
	Since  Instant `json:"since"`
}

// NewAlert renders a condition that stands.
func NewAlert(device string, code fiscal.Code, detail string, since time.Time) Alert {
	return Alert{Problem: *NewProblem(fiscal.Refuse(code, "", detail)), Device: device, Since: Instant(since)}
}

// EncodeState prints a retained document: NodeState, NodeInfo, NodeHealth,
// SpoolState, DeviceState, fiscal.Info, DeviceReport or Alert.
func EncodeState[T NodeState | NodeInfo | NodeHealth | SpoolState | DeviceState | fiscal.Info | DeviceReport | Alert](doc T) []byte {
	return encode(doc)
}
