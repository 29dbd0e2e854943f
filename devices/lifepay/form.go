package lifepay

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"kassad/fiscal"
)

// Paths of the documents below the base address (reference 2, 5).
const (
	pathPrint      = "/cloud-print"
	pathReceipt    = "/create-receipt"
	pathCorrection = "/create-receipt-correction"
	pathShiftOpen  = "/create-session"
	pathShiftClose = "/create-z-report"
	pathXReport    = "/create-x-report"
	pathText       = "/create-non-fiscal-receipt"
	pathCashIn     = "/cash-in"
	pathCashOut    = "/cash-out"
)

// request is the body of every document but the credentials: each has some of
// the fields. Empty ones are left out (reference 1.6).
type request struct {
	Test          int    `json:"test,omitempty"`
	Type          string `json:"type,omitempty"`
	Mode          string `json:"mode,omitempty"`
	TargetSerial  string `json:"target_serial,omitempty"`
	TargetService string `json:"target_service,omitempty"`
	ExtID         string `json:"ext_id"`
	CallbackURL   string `json:"callback_url,omitempty"`
	CallbackData  string `json:"callback_data,omitempty"`

	CashierName  string `json:"cashier_name,omitempty"`
	CashierINN   string `json:"cashier_inn,omitempty"`
	Phone        string `json:"customer_phone,omitempty"`
	Email        string `json:"customer_email,omitempty"`
	CustomerName string `json:"customer_name,omitempty"`
	TaxSystem    string `json:"tax_system,omitempty"`
	Place        string `json:"payment_place,omitempty"`

	Card       fiscal.Money `json:"card_amount,omitzero"`
	Cash       fiscal.Money `json:"cash_amount,omitzero"`
	Prepayment fiscal.Money `json:"prepayment_amount,omitzero"`
	Credit     fiscal.Money `json:"credit_amount,omitzero"`
	Amount     fiscal.Money `json:"amount,omitzero"` // cash-in, cash-out
	Pos        *pos         `json:"pos,omitempty"`

	// A correction of FFD 1.05 (reference 5.1).
	Initiator   string `json:"initiator,omitempty"`
	Description string `json:"description,omitempty"`
	DocDate     string `json:"doc_date,omitempty"`
	DocNumber   string `json:"doc_number,omitempty"`
	Tax         string `json:"tax,omitempty"`
	// A correction of FFD 1.2 (reference 4.1).
	CorrectionDate      string `json:"correction_doc_date,omitempty"`
	CorrectionInitiator string `json:"correction_initiator,omitempty"`

	Purchase *purchase `json:"purchase,omitempty"`
}

// requestFields are the names that a request has already.
func requestFields() map[string]bool {
	used := map[string]bool{"apikey": true, "login": true}
	for f := range reflect.TypeFor[request]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		used[name] = true
	}
	return used
}

// pos tells a printer that is a payment terminal as well to leave the card
// alone: the buyer has paid.
type pos struct {
	Perform   int `json:"perform"`
	SlipCount int `json:"slip_count"`
}

type purchase struct {
	Products []product `json:"products"`
}

// product is a position (reference 2.2).
type product struct {
	Name      string          `json:"name"`
	Price     fiscal.Money    `json:"price"`
	Quantity  fiscal.Quantity `json:"quantity"`
	Unit      string          `json:"unit,omitempty"`
	Tax       string          `json:"tax,omitempty"`
	Method    int             `json:"type,omitempty"`
	Subject   int             `json:"item_type,omitempty"`
	AgentType int             `json:"agent_item_type,omitempty"`
	INN       string          `json:"supplier_inn,omitempty"`
	Supplier  *supplier       `json:"supplier_data,omitempty"`
}

// supplier is tag 1224. Its shape is UNVERIFIED (reference 15.10).
type supplier struct {
	Name   string   `json:"name,omitempty"`
	Phones []string `json:"phones,omitempty"`
}

// form fills in the request of one document. It keeps the first thing of the
// document that the service could not carry unchanged.
type form struct {
	o    Options
	doc  fiscal.Document
	path string
	req  request
	more []field
	err  *fiscal.Error
}

// field is one whose name is configured.
type field struct {
	name  string
	value any
}

func (f *form) fail(code fiscal.Code, field, detail string) {
	if f.err == nil {
		f.err = fiscal.Refuse(code, field, detail)
	}
}

// only refuses a requisite that the document has and the service has not.
func (f *form) only(has bool, field, detail string) {
	if has {
		f.fail(fiscal.CodeUnsupported, field, detail)
	}
}

// named puts a requisite into the field that Names gives it.
func (f *form) named(has bool, name, of string, value any) {
	switch {
	case !has:
	case name == "":
		f.fail(fiscal.CodeUnsupported, of, "the service's field for it is not known")
	default:
		f.more = append(f.more, field{name: name, value: value})
	}
}

// render makes the request of doc under key, which is the same for equal
// arguments and options. It does not use the network.
func (d *Driver) render(doc fiscal.Document, key string) (*fiscal.CloudCall, error) {
	f := &form{o: d.opt, doc: doc}
	f.common(key)
	f.path = pathPrint
	switch doc.Verb {
	case fiscal.VerbSale, fiscal.VerbRefund, fiscal.VerbBuy, fiscal.VerbBuyRefund:
		f.receipt()
	case fiscal.VerbCorrection:
		f.correction()
	case fiscal.VerbShiftOpen, fiscal.VerbShiftClose, fiscal.VerbCashIn, fiscal.VerbCashOut, fiscal.VerbXReport:
		f.other()
	case fiscal.VerbText:
		f.text()
	default:
		f.fail(fiscal.CodeUnsupported, "", "the service has no "+string(doc.Verb))
	}
	if f.err != nil {
		return nil, f.err
	}
	body, err := f.body()
	if err != nil {
		return nil, fiscal.Refuse(fiscal.CodeNotEncodable, "", err.Error())
	}
	return &fiscal.CloudCall{Key: key, Account: d.account(), Path: f.path, Body: body}, nil
}

// common fills what every document has (reference 5, std).
func (f *form) common(key string) {
	f.req = request{
		TargetSerial: f.o.TargetSerial, TargetService: f.o.TargetService,
		ExtID: key, CallbackData: f.doc.ID,
	}
	if f.o.Test {
		f.req.Test = 1
	}
	if f.o.CallbackURL != nil {
		f.req.CallbackURL = f.o.CallbackURL(f.doc)
	}
	if len(f.req.CallbackURL) > callbackMax {
		f.fail(fiscal.CodeTooLong, "callback_url", "the service allows 255 characters")
	}
}

// cashier fills tags 1021 and 1203. cashier_inn is documented for shifts; that
// receipts have it is UNVERIFIED (reference 2.1).
func (f *form) cashier() {
	f.req.CashierName, f.req.CashierINN = or(f.doc.Cashier.Name, f.o.Cashier), f.doc.Cashier.INN
}

// body is the JSON of the request, with the configured fields at its end.
func (f *form) body() ([]byte, error) {
	body, err := encode(f.req)
	for _, m := range f.more {
		value, e := encode(m.value)
		if err == nil {
			err = e
		}
		body = append(body[:len(body)-1], `,"`+m.name+`":`...)
		body = append(append(body, value...), '}')
	}
	return body, err
}

// encode is json.Marshal that leaves < > & alone.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}
