package lifepay

import "time"

// Options are the open questions of section 15, each with the default that the
// reference states. Numbers in comments are of that section.
type Options struct {
	Callback CallbackOptions // 1

	RequireJSON bool // 2: another Content-Type is code 6000
	FormBodies  bool // 2: form-encoded bodies work

	NullMessage   bool   // 3: message is null on success, not ""
	TestData      string // 3: data of an accepted test: {} (default), [] or null
	ErrorData     string // 3: data of a refusal without fields: {} (default), [] or null
	EscapeUnicode bool   // replies are ASCII with \uXXXX (section 14.1)

	ExtIDScope    ExtIDScope    // 4
	ExtIDAnyCase  bool          // 4: ABC and abc are one ext_id
	ExtIDLifetime time.Duration // 4: default 0: for ever
	ExtIDFirst    bool          // a known ext_id is answered before the fields are checked (section 2.7)
	FailedForgets bool          // 4: a document that failed in processing frees its ext_id

	Rounding         Rounding // 5
	QuantityDecimals int      // 5; default 4
	PriceDecimals    int      // default 2
	NameMax          int      // 5: characters of a name; default 128
	PositionsMax     int      // 5; default 0: what the storage takes

	NoPaymentIsCash bool        // 6: no payment field at all means cash
	NonCashOver     NonCashOver // 7

	// Taxes are the identifiers that the service knows (8). Default all of
	// [KnownTaxes]; [AttestedTaxes] are those that a source names.
	Taxes []string

	InitiatorRequired  bool     // section 5.1: a correction must name its initiator
	CorrectionTypes    []string // 9; default sell_correction, buy_correction
	CorrectionTaxField string   // 9: VAT of a correction without positions; default "tax"

	CustomerINNField string // 10: customer_inn, customier_inn or "" for both
	AllPathsFFD12    bool   // 10: cloud-print-ffd1_2/ has all paths, not create-receipt alone

	EmptyIsValue bool // "" in an optional field is checked as a value, not taken as absent (section 1.6)
	NoBuy        bool // buy and buy_refund are refused on receipts (section 2.1)

	ExpiredShift ExpiredShift // section 5
	// ShiftAsIs takes opening an open shift and closing a closed one as done;
	// by default the document fails.
	ShiftAsIs bool
}

// ExtIDScope says where an ext_id is unique (section 1.5).
type ExtIDScope string

// Scopes.
const (
	ScopeAPIKey ExtIDScope = "apikey" // the company, all documents; default
	ScopeLogin  ExtIDScope = "login"
	ScopeType   ExtIDScope = "type" // the company and the document's type: payment, refund …
	ScopePath   ExtIDScope = "path" // the company and the endpoint
)

// NonCashOver says who finds that non-cash payments exceed the total.
type NonCashOver string

// Places of error 3896.
const (
	NonCashByDevice NonCashOver = "device" // accepted, then error_code 3896; default
	NonCashByCode   NonCashOver = "code"   // code 3896
	NonCashByField  NonCashOver = "field"  // code 400
)

// ExpiredShift says what a printer does with a receipt when its shift is older
// than 24 hours.
type ExpiredShift string

// Ways.
const (
	ExpiredWaits   ExpiredShift = "wait"   // waiting for retry until somebody makes a Z report; default
	ExpiredReopens ExpiredShift = "reopen" // closes and opens by itself
	ExpiredFails   ExpiredShift = "error"
)

// CallbackForm is the encoding of a callback.
type CallbackForm string

// Encodings (section 6.2).
const (
	FormMultipart  CallbackForm = "multipart" // default
	FormURLEncoded CallbackForm = "urlencoded"
	FormJSON       CallbackForm = "json"      // the payload is the body
	FormJSONData   CallbackForm = "json-data" // {"data": "payload as text"}
)

// CallbackOptions shape callbacks. Only uuid, ofd_url and error_code are
// attested (section 6.2); all other names are inventions of this emulator.
type CallbackOptions struct {
	Form     CallbackForm
	Keys     CallbackKeys
	Statuses CallbackStatuses
	// NullError makes error_code null on success, not 0.
	NullError bool
	// WaitingCode puts the trouble's number into error_code while the document
	// waits for retry; by default that is as on success, since receivers take any
	// number for a failure.
	WaitingCode bool
	// FiscalAsText quotes FD number, fiscal sign, shift and receipt number.
	FiscalAsText bool
	// Bare sends the attested keys and callback_data alone.
	Bare bool
	// OFDBase is the beginning of ofd_url. Default https://ofd.example/r.
	OFDBase string
}

// CallbackKeys name what has no attested name; "-" leaves a key out.
type CallbackKeys struct {
	Status, Error, ExtID, Data, FN, FD, FP, Shift, Receipt, At string
}

// CallbackStatuses are the words for the three statuses that are told (section
// 6.1).
type CallbackStatuses struct{ Processed, Waiting, Error string }

// KnownTaxes are all identifiers that the emulator can compute with. Those for
// 5, 7 and 22 % are unconfirmed (section 2.3).
func KnownTaxes() []string {
	return append(AttestedTaxes(), "vat118", "vat5", "vat7", "vat105", "vat107", "vat22", "vat122")
}

// AttestedTaxes are the identifiers that a source names for cloud print.
func AttestedTaxes() []string {
	return []string{"none", "vat0", "vat10", "vat18", "vat20", "vat110", "vat120"}
}

func (o Options) withDefaults() Options {
	o.Callback = o.Callback.withDefaults()
	or(&o.TestData, "{}")
	or(&o.ErrorData, "{}")
	or(&o.ExtIDScope, ScopeAPIKey)
	or(&o.Rounding, HalfUp)
	or(&o.QuantityDecimals, 4)
	or(&o.PriceDecimals, 2)
	or(&o.NameMax, 128)
	or(&o.NonCashOver, NonCashByDevice)
	or(&o.CorrectionTaxField, "tax")
	or(&o.ExpiredShift, ExpiredWaits)
	if o.Taxes == nil {
		o.Taxes = KnownTaxes()
	}
	if o.CorrectionTypes == nil {
		o.CorrectionTypes = []string{"sell_correction", "buy_correction"}
	}
	return o
}

func (c CallbackOptions) withDefaults() CallbackOptions {
	or(&c.Form, FormMultipart)
	or(&c.OFDBase, "https://ofd.example/r")
	k := &c.Keys
	for _, v := range []struct {
		key  *string
		name string
	}{
		{&k.Status, "status"}, {&k.Error, "error_message"}, {&k.ExtID, "ext_id"}, {&k.Data, "callback_data"}, {&k.FN, "fn"},
		{&k.FD, "fd"}, {&k.FP, "fp"}, {&k.Shift, "shift"}, {&k.Receipt, "receipt"}, {&k.At, "at"},
	} {
		or(v.key, v.name)
	}
	or(&c.Statuses.Processed, string(StateProcessed))
	or(&c.Statuses.Waiting, string(StateWaiting))
	or(&c.Statuses.Error, string(StateError))
	return c
}
