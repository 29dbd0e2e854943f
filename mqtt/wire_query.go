package mqtt

import (
	"encoding/json"
	"strconv"

	"kassad/fiscal"
)

// answered is the envelope of a request that was carried out at once.
func answered(id string, verb fiscal.Verb, device string) Answer {
	return Answer{V: envelopeVersion, ID: id, N: 1, State: fiscal.Done, Final: true, Verb: verb, Route: device}
}

// EncodeDone prints the answer of a request that has nothing to tell: cancel.
func EncodeDone(id string, verb fiscal.Verb) []byte { return encode(answered(id, verb, "")) }

// EncodeCounters prints the answer to counters.
func EncodeCounters(id, device string, c fiscal.Counters) []byte {
	a := answered(id, fiscal.VerbCounters, device)
	a.Counters = NewCounters(&c)
	return encode(a)
}

// EncodeDocument prints the answer to document.
func EncodeDocument(id, device string, d fiscal.ArchivedDocument) []byte {
	a := answered(id, fiscal.VerbDocument, device)
	a.Document = NewDocument(d)
	return encode(a)
}

// EncodeStatus prints the answer to status.
func EncodeStatus(id, device string, s DeviceState) []byte {
	a := answered(id, fiscal.VerbStatus, device)
	a.Device = &s
	return encode(a)
}

// EncodeQuery prints the answer to query: the present answer of another id, as
// EncodeAnswer printed it.
func EncodeQuery(id string, r fiscal.Record) []byte {
	a := answered(id, fiscal.VerbQuery, "")
	a.Answer = EncodeAnswer(r, true)
	return encode(a)
}

// syncBytesMax keeps a page of answers well below the largest payload.
const syncBytesMax = linkPayloadBytesMax * 3 / 4

// EncodeSync prints a page of final answers: as many as fit into one message.
// next is where the page after all of them begins, 0 if they are the last.
func EncodeSync(id string, finals []fiscal.Record, next uint64) []byte {
	a := answered(id, fiscal.VerbSync, "")
	a.Answers = make([]json.RawMessage, 0, len(finals))
	a.Next = next
	size := 0
	for _, r := range finals {
		answer := EncodeAnswer(r, true)
		if size += len(answer); size > syncBytesMax && len(a.Answers) > 0 {
			a.Next = a.Seq
			break
		}
		a.Answers, a.Seq = append(a.Answers, answer), r.FinalSeq
	}
	return encode(a)
}

// EncodeHello prints the answer to hello.
func EncodeHello(id string, h Hello) []byte {
	a := answered(id, fiscal.VerbHello, "")
	a.Hello = &h
	return encode(a)
}

// Hello tells a terminal where it is.
type Hello struct {
	// Time is the node's clock.
	Time Instant `json:"time"`
	// Version is the version of kassad.
	Version string `json:"version"`
	// Contract lists the versions of the contract that the node understands.
	Contract []int `json:"contract"`
	// Node is the root of the node's topics.
	Node string `json:"node"`
	// Terminal is the name that the terminal is known by.
	Terminal string `json:"terminal"`
	// Rights are the verbs that the terminal may use.
	Rights []string `json:"rights"`
	// Route and Device are the terminal's defaults.
	Route  string `json:"route,omitempty"`
	Device string `json:"device,omitempty"`
	// Limits bound every command.
	Limits NodeLimits `json:"limits"`
}

// NodeLimits are the limits of the contract as this node keeps them.
type NodeLimits struct {
	PayloadBytes int          `json:"payload_bytes"`
	Items        int          `json:"items"`
	NameChars    int          `json:"name_chars"`
	QueueDevice  int          `json:"queue_device,omitempty"`
	Terminals    int          `json:"terminals,omitempty"`
	AmountMax    fiscal.Money `json:"amount_max"`
}

// ContractLimits are the limits that the wire and the domain enforce. The
// caller adds those of the queues.
func ContractLimits() NodeLimits {
	return NodeLimits{PayloadBytes: linkPayloadBytesMax, Items: fiscal.ItemsMax, NameChars: fiscal.NameMaxChars, AmountMax: fiscal.MoneyMax}
}

// Document is a document read back from the fiscal storage.
type Document struct {
	FD      uint32        `json:"fd"`
	FP      string        `json:"fp"`
	Form    uint8         `json:"form"`
	Kind    string        `json:"kind,omitempty"`
	Total   *fiscal.Money `json:"total,omitempty"`
	At      WallTime      `json:"at,omitzero"`
	Shift   uint32        `json:"shift,omitempty"`
	Receipt uint32        `json:"receipt,omitempty"`
	// Key is our mark, if the document carries one.
	Key string `json:"key,omitempty"`
	// Full tells that all tags could be read.
	Full bool         `json:"full"`
	Tags []fiscal.Tag `json:"tags,omitempty"`
}

// NewDocument renders a document of the fiscal storage.
func NewDocument(d fiscal.ArchivedDocument) *Document {
	out := &Document{
		FD: d.FD, FP: strconv.FormatUint(uint64(d.Sign), 10), Form: d.Form, At: WallTime(d.At),
		Shift: d.Shift, Receipt: d.Number, Key: d.Key, Full: d.Full, Tags: d.Tags,
	}
	if d.Kind != 0 {
		out.Kind, out.Total = d.Kind.String(), &d.Total
	}
	return out
}

// Counters are the figures of a shift. What the device does not have is
// absent, never zero.
type Counters struct {
	Shift       uint32                   `json:"shift"`
	OpenedAt    WallTime                 `json:"opened_at,omitzero"`
	ClosedAt    WallTime                 `json:"closed_at,omitzero"`
	FirstFD     uint32                   `json:"first_fd,omitempty"`
	LastFD      uint32                   `json:"last_fd,omitempty"`
	Receipts    uint32                   `json:"receipts"`
	Documents   uint32                   `json:"documents,omitempty"`
	ByKind      map[string]*KindCounters `json:"by_kind,omitempty"`
	Corrections map[string]*fiscal.Tally `json:"corrections,omitempty"`
	CashIn      *fiscal.Tally            `json:"cash_in,omitempty"`
	CashOut     *fiscal.Tally            `json:"cash_out,omitempty"`
	Drawer      *fiscal.Money            `json:"drawer,omitempty"`
	GrandTotals map[string]fiscal.Money  `json:"grand_totals,omitempty"`
	Journal     *fiscal.Agreement        `json:"journal,omitempty"`
}

// KindCounters are the figures of one kind of receipt.
type KindCounters struct {
	Count    uint32                      `json:"count"`
	Total    fiscal.Money                `json:"total"`
	Payments *fiscal.Payments            `json:"payments,omitempty"`
	VAT      map[string]*fiscal.VATTally `json:"vat,omitempty"`
}

// NewCounters renders the figures of a shift; nil stays nil.
func NewCounters(c *fiscal.Counters) *Counters {
	if c == nil {
		return nil
	}
	return &Counters{
		Shift: c.Shift, OpenedAt: WallTime(c.OpenedAt), ClosedAt: WallTime(c.ClosedAt), FirstFD: c.FirstFD, LastFD: c.LastFD,
		Receipts: c.Receipts, Documents: c.Documents, Corrections: byWord(c.Corrections),
		ByKind: byWord(mapValues(c.ByKind, newKindCounters)), CashIn: c.CashIn, CashOut: c.CashOut, Drawer: c.Drawer,
		GrandTotals: byWord(c.GrandTotals), Journal: c.Journal,
	}
}

func newKindCounters(c *fiscal.KindCounters) *KindCounters {
	if c == nil {
		return nil
	}
	return &KindCounters{Count: c.Count, Total: c.Total, Payments: c.Payments, VAT: byWord(c.VAT)}
}

// byWord turns the keys of m into the words of the contract.
func byWord[K interface {
	comparable
	String() string
}, V any](m map[K]V) map[string]V {
	if m == nil {
		return nil
	}
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[k.String()] = v
	}
	return out
}

func mapValues[K comparable, V, W any](m map[K]V, convert func(V) W) map[K]W {
	if m == nil {
		return nil
	}
	out := make(map[K]W, len(m))
	for k, v := range m {
		out[k] = convert(v)
	}
	return out
}
