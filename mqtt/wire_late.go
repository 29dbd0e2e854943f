package mqtt

import (
	"time"

	"kassad/fiscal"
)

// EventCloud is the class of what clouds and routes do beside the ends of
// commands.
const EventCloud = "cloud"

// LateEvent tells that an attempt which was over has made a document after
// all: class cloud. A person decides about the proposal.
type LateEvent struct {
	EventHead
	// What is "late".
	What     string      `json:"what"`
	ID       string      `json:"id"`
	Terminal string      `json:"terminal,omitempty"`
	Verb     fiscal.Verb `json:"verb"`
	// Device is the backend that made the late document.
	Device string `json:"device"`
	// Ticket is what the cloud calls it.
	Ticket string `json:"ticket,omitempty"`
	// State is how the command had ended, and Fiscal the document that it ended in.
	State  fiscal.State `json:"state"`
	Fiscal *Fiscal      `json:"fiscal,omitempty"`
	// Late is the document that came late.
	Late *Fiscal `json:"late"`
	// Proposal is the command that would take the late document back.
	Proposal *Proposal `json:"proposal,omitempty"`
}

// Proposal is a command to send after a look at both documents.
type Proposal struct {
	Verb fiscal.Verb `json:"verb"`
	// Device is where to send it.
	Device string `json:"device"`
	// Body is the body of the command.
	Body any `json:"body"`
}

// EncodeLateEvent prints the event of a document that came late.
func EncodeLateEvent(seq uint64, at time.Time, r fiscal.Record, late fiscal.Receipt) []byte {
	other := r
	other.Receipt = &late
	return encode(LateEvent{
		EventHead: EventHead{seq, EventCloud, Instant(at)}, What: "late", ID: r.ID, Terminal: r.Terminal, Verb: r.Verb,
		Device: late.Device, Ticket: late.Ticket, State: r.State, Fiscal: NewFiscal(&r), Late: NewFiscal(&other),
		Proposal: NewProposal(r.Document, late.Device),
	})
}

// takenBack is the verb that takes a receipt back.
var takenBack = map[fiscal.Kind]fiscal.Verb{fiscal.Sale: fiscal.VerbRefund, fiscal.Buy: fiscal.VerbBuyRefund}

// NewProposal is the refund of a receipt, or the correction of what a refund
// cannot take back; nil for what is no receipt.
func NewProposal(doc fiscal.Document, device string) *Proposal {
	if !doc.Verb.Receipt() {
		return nil
	}
	body := receiptOf(doc)
	if verb := takenBack[doc.Kind]; verb != "" && doc.Correction == nil {
		return &Proposal{Verb: verb, Device: device, Body: body}
	}
	opposite := map[fiscal.Kind]fiscal.Kind{
		fiscal.Sale: fiscal.Refund, fiscal.Refund: fiscal.Sale, fiscal.Buy: fiscal.BuyRefund, fiscal.BuyRefund: fiscal.Buy,
	}
	correction := CorrectionRequest{
		ReceiptRequest: body, Correction: CorrectionBase{Kind: opposite[doc.Kind], By: "self", Date: doc.At.Format(time.DateOnly)},
	}
	if doc.Correction != nil {
		correction.VAT = doc.Correction.VAT
	}
	return &Proposal{Verb: fiscal.VerbCorrection, Device: device, Body: correction}
}

// receiptOf writes a document's figures as a request: they are resolved, and
// resolve to themselves.
func receiptOf(doc fiscal.Document) ReceiptRequest {
	r := ReceiptRequest{
		Customer: doc.Customer, Taxation: doc.Taxation, Internet: doc.Internet, Place: doc.Place,
		Total: &doc.Total, Additional: doc.Additional, Payments: paymentsOf(doc.Payments),
	}
	if doc.Cashier != (fiscal.Cashier{}) {
		r.Cashier = &CashierRequest{doc.Cashier.Name, doc.Cashier.INN}
	}
	if doc.Buyer != (fiscal.Buyer{}) {
		r.Buyer = &BuyerRequest{doc.Buyer.Name, doc.Buyer.INN}
	}
	for _, l := range doc.Lines {
		r.Items = append(r.Items, ItemRequest{
			Name: l.Name, Price: l.Price, Quantity: l.Quantity, Unit: l.Unit, VAT: l.VAT, Method: l.Method, Subject: l.Subject,
			Department: l.Department, Additional: l.Additional, Agent: agentOf(l.Agent),
		})
	}
	return r
}

func paymentsOf(p fiscal.Payments) *PaymentsRequest {
	some := func(m fiscal.Money) *Tendered {
		if m == 0 {
			return nil
		}
		return &Tendered{Amount: m}
	}
	return &PaymentsRequest{
		Cash: some(p.Cash), Card: some(p.Card), Prepayment: some(p.Prepayment), Credit: some(p.Credit), Other: some(p.Other),
	}
}

func agentOf(a *fiscal.Agent) *AgentRequest {
	if a == nil {
		return nil
	}
	r := &AgentRequest{
		Type: a.Type, Supplier: SupplierRequest{a.Supplier.Name, a.Supplier.INN, a.Supplier.Phones},
		Operation: a.Operation, Phones: a.Phones, Acceptor: a.Acceptor,
	}
	if t := a.Transfer; t.Name != "" || t.INN != "" {
		r.Transfer = &TransferRequest{t.Name, t.INN, t.Address, t.Phones}
	}
	return r
}
