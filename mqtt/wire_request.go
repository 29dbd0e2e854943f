package mqtt

import (
	"encoding/json"
	"time"

	"kassad/fiscal"
)

// The requests as Go structs: for schemas, for programs that send commands and
// for tests. The tables of wire_body.go read them; a test holds the two
// together.

// Request is the envelope of every command of cmd/{terminal}/{verb}.
type Request struct {
	// V is the version of the contract: 1.
	V int `json:"v"`
	// ID is unique in the node, over all terminals: 1 to 64 of A-Z a-z 0-9 . _ : -, UUIDv7 advised. A repeat under
	// the same id is answered as the first time.
	ID string `json:"id"`
	// At is when the buyer settled; required for documents.
	At *time.Time `json:"at,omitempty"`
	// Exp bounds acceptance: after it the command is answered expired and leaves no trace.
	Exp *time.Time `json:"exp,omitempty"`
	// Wait bounds how long a condition such as paper-out may hold the command up, like 20s; at most 24h.
	Wait string `json:"wait,omitempty"`
	// Route names a route of the node; receipts go by it.
	Route string `json:"route,omitempty"`
	// Device names a device of the node, which is a route of one; the verbs of a device go by it. Given with route,
	// both are the same name.
	Device string `json:"device,omitempty"`
	// Body is what the verb needs.
	Body any `json:"body,omitempty"`
}

// ReceiptRequest is the body of sale, refund, buy and buy-refund.
type ReceiptRequest struct {
	Cashier *CashierRequest `json:"cashier,omitempty"`
	// Customer is the phone or e-mail that the electronic receipt goes to.
	Customer string `json:"customer,omitempty"`
	// Buyer is the company that buys.
	Buyer *BuyerRequest `json:"buyer,omitempty"`
	// Taxation is one system of the device; its own by default.
	Taxation fiscal.Taxation `json:"taxation,omitempty"`
	// Internet marks a payment over the internet without personal contact; it needs customer.
	Internet bool `json:"internet,omitempty"`
	// Place is the address of the site of an internet sale.
	Place string `json:"place,omitempty"`
	// Items are 1 to 500 items with their list prices.
	Items []ItemRequest `json:"items,omitempty"`
	// Discount is taken off the whole receipt, after the discounts of the items.
	Discount *DiscountRequest `json:"discount,omitempty"`
	// Payments are the amounts as tendered; only cash may exceed the total.
	Payments *PaymentsRequest `json:"payments,omitempty"`
	// Total is the terminal's own total; the command is refused if it differs. A correction without items needs it.
	Total *fiscal.Money `json:"total,omitempty"`
	// Additional is tag 1192, at most 16 characters.
	Additional string `json:"additional,omitempty"`
	// Print is false when no paper is wanted; true by default.
	Print *bool `json:"print,omitempty"`
}

// CorrectionRequest is the body of correction. A register of FFD 1.05 takes
// total, payments and vat in place of items.
type CorrectionRequest struct {
	ReceiptRequest
	Correction CorrectionBase `json:"correction"`
	// VAT are the sums of tax by rate, or of turnover for vat0 and none; only without items.
	VAT map[fiscal.VAT]fiscal.Money `json:"vat,omitempty"`
}

// CorrectionBase is why a correction is made.
type CorrectionBase struct {
	// Kind is the kind of the settlement.
	Kind fiscal.Kind `json:"kind"`
	// By is self, or order for an order of the tax service.
	By string `json:"by"`
	// Date is the day of the settlement.
	Date string `json:"date"`
	// Number is the number of the order.
	Number string `json:"number,omitempty"`
	// FP is the fiscal sign of the wrong document.
	FP string `json:"fp,omitempty"`
}

// CashierRequest is who answers for the document.
type CashierRequest struct {
	// Name is at most 64 characters.
	Name string `json:"name,omitempty"`
	// INN has 12 digits.
	INN string `json:"inn,omitempty"`
}

// BuyerRequest is the buyer of tags 1227 and 1228.
type BuyerRequest struct {
	Name string `json:"name,omitempty"`
	INN  string `json:"inn,omitempty"`
}

// ItemRequest is one item.
type ItemRequest struct {
	// Name is at most 128 characters of CP866; an advance may leave it out.
	Name string `json:"name,omitempty"`
	// Price is the list price of one unit.
	Price fiscal.Money `json:"price"`
	// Quantity has at most six decimals.
	Quantity fiscal.Quantity `json:"quantity"`
	Unit     fiscal.Unit     `json:"unit,omitempty"`
	VAT      fiscal.VAT      `json:"vat"`
	// Method is full-payment by default.
	Method fiscal.Method `json:"method,omitempty"`
	// Subject is a word, or the number of tag 1212; goods by default.
	Subject fiscal.Subject `json:"subject,omitempty"`
	// Discount is taken off the item: a percentage of the price, or an amount off the sum.
	Discount *DiscountRequest `json:"discount,omitempty"`
	// Sum is the terminal's own sum after this discount; the command is refused if it differs by more than a kopeck.
	Sum *fiscal.Money `json:"sum,omitempty"`
	// Department is 1 to 16; 1 by default.
	Department uint8         `json:"department,omitempty"`
	Agent      *AgentRequest `json:"agent,omitempty"`
	// Additional is tag 1191, at most 64 characters.
	Additional string `json:"additional,omitempty"`
}

// DiscountRequest is a percentage or an amount.
type DiscountRequest struct {
	// Percent is 0 to 100 with at most two decimals.
	Percent json.Number `json:"percent,omitempty"`
	// Amount is in roubles.
	Amount *fiscal.Money `json:"amount,omitempty"`
}

// PaymentsRequest are the amounts by kind. One may be "#": the rest of the
// total.
type PaymentsRequest struct {
	Cash       *Tendered `json:"cash,omitempty"`
	Card       *Tendered `json:"card,omitempty"`
	Prepayment *Tendered `json:"prepayment,omitempty"`
	Credit     *Tendered `json:"credit,omitempty"`
	Other      *Tendered `json:"other,omitempty"`
}

// Tendered is an amount, or the rest of the total.
type Tendered struct {
	Amount fiscal.Money
	Rest   bool
}

// MarshalJSON prints a number or "#".
func (t Tendered) MarshalJSON() ([]byte, error) {
	if t.Rest {
		return json.Marshal(restMark)
	}
	return t.Amount.MarshalJSON()
}

// AgentRequest marks an item that is sold for somebody else.
type AgentRequest struct {
	Type     fiscal.AgentType `json:"type"`
	Supplier SupplierRequest  `json:"supplier"`
	// Operation is the operation of a bank agent, at most 24 characters.
	Operation string `json:"operation,omitempty"`
	// Phones are the agent's, + and 9 to 15 digits each.
	Phones []string `json:"phones,omitempty"`
	// Acceptor are the phones of the operator that accepts payments.
	Acceptor []string `json:"acceptor,omitempty"`
	// Transfer is the operator that transfers the money of a bank agent.
	Transfer *TransferRequest `json:"transfer,omitempty"`
}

// SupplierRequest is whose goods are sold.
type SupplierRequest struct {
	Name string `json:"name,omitempty"`
	// INN is 10 or 12 digits; twelve zeros say that there is no Russian INN.
	INN    string   `json:"inn"`
	Phones []string `json:"phones,omitempty"`
}

// TransferRequest is the operator of money transfer.
type TransferRequest struct {
	Name    string   `json:"name,omitempty"`
	INN     string   `json:"inn,omitempty"`
	Address string   `json:"address,omitempty"`
	Phones  []string `json:"phones,omitempty"`
}

// ShiftRequest is the body of shift-open and shift-close.
type ShiftRequest struct {
	Cashier *CashierRequest `json:"cashier,omitempty"`
}

// CashRequest is the body of cash-in and cash-out.
type CashRequest struct {
	Cashier *CashierRequest `json:"cashier,omitempty"`
	Amount  fiscal.Money    `json:"amount"`
}

// TextRequest is the body of text.
type TextRequest struct {
	// Lines are 1 to 200 lines.
	Lines []string `json:"lines"`
	// Cut cuts the paper after the last line.
	Cut bool `json:"cut,omitempty"`
}

// DocumentRequest is the body of document.
type DocumentRequest struct {
	// FD is the number of the document in the fiscal storage.
	FD uint32 `json:"fd"`
}

// TargetRequest is the body of query and cancel.
type TargetRequest struct {
	// ID is the command that is asked about.
	ID string `json:"id"`
}

// SyncRequest is the body of sync.
type SyncRequest struct {
	// Since is an RFC 3339 time, or the number that "next" of the former page gave; 0 for everything.
	Since any `json:"since"`
}

// EmptyRequest is the body of x-report, copy, drawer, counters, status and
// hello.
type EmptyRequest struct{}

// ManagementRequest is the envelope of mgmt/req/{op}.
type ManagementRequest struct {
	// V is the version of the contract: 1.
	V int `json:"v"`
	// ID comes back in the answer.
	ID string `json:"id"`
	// By is the person who asks.
	By  string     `json:"by"`
	Exp *time.Time `json:"exp,omitempty"`
	// Body is what the operation needs.
	Body any `json:"body,omitempty"`
}
