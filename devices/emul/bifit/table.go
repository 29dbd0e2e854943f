package bifit

import "slices"

// Mark tells how sure the reference is of a word (section 0).
type Mark byte

// Marks of the reference.
const (
	Documented Mark = 'D'
	ThirdParty Mark = 'T'
	Inferred   Mark = 'I'
	Convention Mark = 'C' // of this project; no source has the real word
)

// Term is a word of the interface and what it stands for: a tag, the value of
// a tag, or a constant of this package.
type Term struct {
	Token string
	Value int
	Mark  Mark
}

// Terms is a list of words.
type Terms []Term

// Token is the word for a value, "" if there is none.
func (t Terms) Token(value int) string {
	if i := slices.IndexFunc(t, func(w Term) bool { return w.Value == value }); i >= 0 {
		return t[i].Token
	}
	return ""
}

// Value is what a word stands for.
func (t Terms) Value(token string) (int, bool) {
	if i := slices.IndexFunc(t, func(w Term) bool { return w.Token == token }); i >= 0 {
		return t[i].Value, true
	}
	return 0, false
}

// Rename puts another word in the place of the one for value.
func (t Terms) Rename(value int, token string) {
	for i := range t {
		if t[i].Value == value {
			t[i].Token = token
		}
	}
}

// Table holds every word of the interface. Change a copy of DefaultTable.
type Table struct {
	Types      Terms // ReceiptType, tag 1054
	TaxSystems Terms // TaxSystem, tag 1055
	Methods    Terms // CalculationMethod, tag 1214
	Subjects   Terms // PaymentSubject, tag 1212
	VAT        Terms // tag 1199
	Payments   Terms // PaymentType: the tag of the amount
	Statuses   Terms // Status
	Causes     Terms // Cause
	Refusals   Terms // Refusal: "error" in the body of a refused call
	Fields     Terms // Field: path in the document by id
	// DocumentPath is where a document is, below the prefix. [C]
	DocumentPath string
	// PaymentAddress is the key of tag 1187 in a receipt. [I]
	PaymentAddress string
}

// Paths below the prefix that the vendor documents (section 2).
const (
	TokenPath    = "/oauth/token"
	RegisterPath = "/protected/documents/registration/receipts"
	ReloadPath   = "/protected/documents/reload/token"
)

// Status is the state of a document (section 8).
type Status int

// States of a document.
const (
	StatusNew Status = iota + 1
	StatusQueued
	StatusRegistering
	StatusDone
	StatusError
)

// Cause is why a document is in StatusError (section 9).
type Cause int

// Causes of errors.
const (
	CauseNone Cause = iota
	CauseFault
	CauseData
	CauseLicence
	CauseStorage // the storage takes no more documents
)

// Refusal is why a call is refused (sections 3.5 and 14.4).
type Refusal int

// Refusals.
const (
	RefusalRequest Refusal = iota + 1 // of a token request that lacks something
	RefusalGrant
	RefusalClient
	RefusalGrantType
	RefusalUnauthorized // no token
	RefusalToken        // unknown or expired
	RefusalAccess
	RefusalBody
	RefusalMissing
	RefusalConflict
)

// Field is a field of the document by id (section 7).
type Field int

// Fields of the document by id.
const (
	FieldID Field = iota + 1
	FieldStatus
	FieldType
	FieldTotal
	FieldCreated
	FieldChanged
	FieldFN
	FieldFD
	FieldFP
	FieldShift
	FieldReceipt
	FieldTime
	FieldRNM
	FieldSerial
	FieldOFDName
	FieldOFDINN
	FieldSite
	FieldErrorCode
	FieldErrorText
)

// DefaultTable is the reference's, sections 3.5, 5, 7, 8 and 9.
func DefaultTable() Table {
	return Table{
		Types:      listed(Documented, 1, "SALE", "SALE_RETURN", "PURCHASE", "PURCHASE_RETURN"),
		TaxSystems: taxSystems(),
		Methods: listed(Documented, 1, "PREPAY_FULL", "PREPAY_PARTIAL", "AVANS", "FULL_PAY",
			"PARTIAL_SETTLEMENT_AND_CREDIT", "TRANSFER_ON_CREDIT", "CREDIT_PAYMENT"),
		Subjects: listed(Documented, 1, "PRODUCT", "EXCISABLE_PRODUCT", "JOB", "SERVICE", "GAMBLING_RATE", "GAMBLING_WIN",
			"LOTTERY_TICKET", "LOTTERY_WIN", "PROVISION_RID", "PAYMENT", "AGENCY", "COMPOUND_SUBJECT", "OTHER_SUBJECT",
			"PROPERTY_LAW", "NON_OPERATING_INCOME", "INSURANCE_CONTRIBUTIONS", "TRADE_FEE", "RESORT_FEE", "PLEDGE"),
		VAT: vat(),
		Payments: Terms{
			{"CASH", 1031, Documented}, {"CARD", 1081, Convention}, {"PREPAYMENT", 1215, Convention},
			{"CREDIT", 1216, Convention}, {"CONSIDERATION", 1217, Convention},
		},
		Statuses: listed(Convention, int(StatusNew), "NEW", "QUEUED", "REGISTERING", "DONE", "ERROR"),
		Causes:   listed(Convention, int(CauseFault), "KKT_FAULT", "INVALID_DATA", "LICENSE_EXPIRED", "FN_LIMIT_REACHED"),
		Refusals: refusals(),
		Fields: listed(Convention, int(FieldID), "id", "status", "type", "total", "created", "changed", "fiscal.fnNumber",
			"fiscal.fiscalDocumentNumber", "fiscal.fiscalSign", "fiscal.shiftNumber", "fiscal.receiptNumber", "fiscal.dateTime",
			"fiscal.kktRegistrationNumber", "fiscal.kktSerialNumber", "fiscal.ofdName", "fiscal.ofdInn", "fiscal.fnsSite",
			"error.code", "error.message"),
		DocumentPath:   "/protected/documents/{id}",
		PaymentAddress: "paymentAddress",
	}
}

// listed gives the words consecutive values.
func listed(mark Mark, first int, tokens ...string) Terms {
	out := make(Terms, len(tokens))
	for i, token := range tokens {
		out[i] = Term{token, first + i, mark}
	}
	return out
}

func taxSystems() Terms {
	return Terms{
		{"COMMON", 1, Documented}, {"SIMPLIFIED", 2, Documented}, {"SIMPLIFIED_WITH_EXPENSE", 4, Inferred},
		{"COMMON_AGRICULTURAL", 16, Inferred}, {"PATENT", 32, Inferred},
	}
}

// vat leaves the rates of 18 % out: they ended in 2018 (section 5.5).
func vat() Terms {
	return Terms{
		{"WITHOUT_VAT", 6, ThirdParty}, {"VAT_0", 5, ThirdParty}, {"VAT_10", 2, ThirdParty}, {"VAT_20", 1, Documented},
		{"VAT_110", 4, ThirdParty}, {"VAT_120", 3, ThirdParty}, {"VAT_5", 7, Inferred}, {"VAT_7", 8, Inferred},
		{"VAT_105", 9, Inferred}, {"VAT_107", 10, Inferred}, {"VAT_22", 11, Inferred}, {"VAT_122", 12, Inferred},
	}
}

func refusals() Terms {
	return Terms{
		{"invalid_request", int(RefusalRequest), Inferred}, {"invalid_grant", int(RefusalGrant), Inferred},
		{"invalid_client", int(RefusalClient), Inferred}, {"unsupported_grant_type", int(RefusalGrantType), Inferred},
		{"unauthorized", int(RefusalUnauthorized), Inferred}, {"invalid_token", int(RefusalToken), Inferred},
		{"access_denied", int(RefusalAccess), Inferred}, {"bad_request", int(RefusalBody), Convention},
		{"not_found", int(RefusalMissing), Convention}, {"conflict", int(RefusalConflict), Convention},
	}
}
