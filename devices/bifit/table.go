package bifit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Mark tells how sure a token is (reference 0).
type Mark string

// Marks.
const (
	Documented  Mark = "documented"  // by the vendor
	ThirdParty  Mark = "third-party" // by somebody who talks to the service
	Inferred    Mark = "inferred"    // from the former two: likely, not confirmed
	Placeholder Mark = "placeholder" // chosen by this project, since no source tells
)

// Token is a row of the table: what we call something, and what the service
// does.
type Token struct {
	Key   string // in Options.Tokens: "payment.card"
	Value string // "": the service has no such thing
	Mark  Mark
}

// Keys that code asks for by name; the others are built of a prefix and a word
// of the contract.
const (
	keyClient       = "oauth.client"
	keyPathToken    = "path.token"
	keyPathRegister = "path.register"
	keyPathDocument = "path.document"
	keyPathReload   = "path.reload"
	keyPlace        = "field.place"
	keyUnit         = "field.unit"
	keyPhone        = "phone.prefix"

	prefixError = "error."
	placeID     = "{id}"
)

// Classes of errors of documents (reference 9): the values of "error." rows.
const (
	classDevice  = "device"
	classData    = "data"
	classLicense = "license"
	classFNLimit = "fn-limit"
	classUnknown = "unknown"
)

// tokens is the table. Values of "status." and "answer." rows may name several
// spellings, separated by commas; names of "answer." rows are paths with dots.
var tokens = []Token{
	{keyClient, "processing-connector-token", Documented},
	{keyPathToken, "/oauth/token", Documented},
	{keyPathRegister, "/protected/documents/registration/receipts", Documented},
	{keyPathDocument, "/protected/documents/" + placeID, Placeholder},
	{keyPathReload, "/protected/documents/reload/token", Documented},

	// Reference 5.1.
	{"type.sale", "SALE", Documented},
	{"type.refund", "SALE_RETURN", Documented},
	{"type.buy", "PURCHASE", Documented},
	{"type.buy-refund", "PURCHASE_RETURN", Documented},

	// Reference 5.2.
	{"taxation.osn", "COMMON", Documented},
	{"taxation.usn-income", "SIMPLIFIED", Documented},
	{"taxation.usn-income-expense", "SIMPLIFIED_WITH_EXPENSE", Inferred}, // its tail is
	{"taxation.eshn", "COMMON_AGRICULTURAL", Inferred},
	{"taxation.patent", "PATENT", Inferred},

	// Reference 5.3.
	{"method.prepayment", "PREPAY_FULL", Documented},
	{"method.partial-prepayment", "PREPAY_PARTIAL", Documented},
	{"method.advance", "AVANS", Documented},
	{"method.full-payment", "FULL_PAY", Documented},
	{"method.partial-payment-and-credit", "PARTIAL_SETTLEMENT_AND_CREDIT", Documented},
	{"method.credit", "TRANSFER_ON_CREDIT", Documented},
	{"method.credit-payment", "CREDIT_PAYMENT", Documented},

	// Reference 5.4. The tokens are documented, the meaning of the last eight
	// follows from their order.
	{"subject.goods", "PRODUCT", Documented},
	{"subject.excise", "EXCISABLE_PRODUCT", Documented},
	{"subject.job", "JOB", Documented},
	{"subject.service", "SERVICE", Documented},
	{"subject.gambling-bet", "GAMBLING_RATE", Documented},
	{"subject.gambling-prize", "GAMBLING_WIN", Documented},
	{"subject.lottery-ticket", "LOTTERY_TICKET", Documented},
	{"subject.lottery-prize", "LOTTERY_WIN", Documented},
	{"subject.intellectual", "PROVISION_RID", Documented},
	{"subject.payment", "PAYMENT", Documented},
	{"subject.agent", "AGENCY", Documented},
	{"subject.award", "COMPOUND_SUBJECT", Inferred},
	{"subject.other", "OTHER_SUBJECT", Inferred},
	{"subject.property-right", "PROPERTY_LAW", Inferred},
	{"subject.non-operating-income", "NON_OPERATING_INCOME", Inferred},
	{"subject.other-contribution", "INSURANCE_CONTRIBUTIONS", Inferred},
	{"subject.trade-fee", "TRADE_FEE", Inferred},
	{"subject.resort-fee", "RESORT_FEE", Inferred},
	{"subject.deposit", "PLEDGE", Inferred},

	// Reference 5.5.
	{"vat.none", "WITHOUT_VAT", ThirdParty},
	{"vat.vat0", "VAT_0", ThirdParty},
	{"vat.vat10", "VAT_10", ThirdParty},
	{"vat.vat20", "VAT_20", Documented},
	{"vat.vat110", "VAT_110", ThirdParty},
	{"vat.vat120", "VAT_120", ThirdParty},
	{"vat.vat5", "VAT_5", Inferred},
	{"vat.vat7", "VAT_7", Inferred},
	{"vat.vat105", "VAT_105", Inferred},
	{"vat.vat107", "VAT_107", Inferred},
	{"vat.vat22", "VAT_22", Inferred},
	{"vat.vat122", "VAT_122", Inferred},

	// Reference 5.6.
	{"payment.cash", "CASH", Documented},
	{"payment.card", "CARD", Placeholder},
	{"payment.prepayment", "PREPAYMENT", Placeholder},
	{"payment.credit", "CREDIT", Placeholder},
	{"payment.other", "CONSIDERATION", Placeholder},

	{keyPlace, "paymentAddress", Inferred}, // reference 4.2
	{keyUnit, "", Placeholder},             // reference 5.7: not known; of an item, a number of tag 2108
	{keyPhone, "+7", Placeholder},          // reference 12.8

	// Reference 8.
	{"status.NEW", statusNew, Placeholder},
	{"status.QUEUED", statusQueued, Placeholder},
	{"status.REGISTERING", statusRegistering, Placeholder},
	{"status.DONE", statusDone, Placeholder},
	{"status.ERROR", statusError, Placeholder},

	// Reference 7.
	{"answer.id", "id", Placeholder},
	{"answer.status", "status", Placeholder},
	{"answer.type", "type", Placeholder},
	{"answer.total", "total", Placeholder},
	{"answer.fn", "fiscal.fnNumber", Placeholder},
	{"answer.fd", "fiscal.fiscalDocumentNumber", Placeholder},
	{"answer.fp", "fiscal.fiscalSign", Placeholder},
	{"answer.shift", "fiscal.shiftNumber", Placeholder},
	{"answer.receipt", "fiscal.receiptNumber", Placeholder},
	{"answer.at", "fiscal.dateTime", Placeholder},
	{"answer.rnm", "fiscal.kktRegistrationNumber", Placeholder},
	{"answer.serial", "fiscal.kktSerialNumber", Placeholder},
	{"answer.error-code", "error.code", Placeholder},
	{"answer.error-text", "error.message", Placeholder},

	// Reference 9: the class of each code. More codes may be added.
	{prefixError + "KKT_FAULT", classDevice, Placeholder},
	{prefixError + "INVALID_DATA", classData, Placeholder},
	{prefixError + "LICENSE_EXPIRED", classLicense, Placeholder},
	{prefixError + "FN_LIMIT_REACHED", classFNLimit, Placeholder},
}

// Tokens lists the table as it is without configuration.
func Tokens() []Token { return slices.Clone(tokens) }

// vocabulary is the table with the configuration's own values, by key.
type vocabulary map[string]string

// newVocabulary replaces rows of the table. It fails on a key that the table
// does not have; "error." keys are open, since the vendor's dictionary is not
// known.
func newVocabulary(own map[string]string) (vocabulary, error) {
	v := vocabulary{}
	for _, t := range tokens {
		v[t.Key] = t.Value
	}
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if _, ok := v[key]; !ok && (!strings.HasPrefix(key, prefixError) || key == prefixError) {
			return nil, fmt.Errorf("token %q: there is no such key", key)
		}
		if err := checkToken(key, own[key]); err != nil {
			return nil, fmt.Errorf("token %q: %w", key, err)
		}
		v[key] = own[key]
	}
	return v, v.checkStatuses()
}

// optional tells which rows may be empty: what the service then does not have
// is refused, or not sent.
func optional(key string) bool {
	switch group, _, _ := strings.Cut(key, "."); group {
	case "type", "taxation", "method", "subject", "vat", "payment", "field":
		return true
	default:
		return false
	}
}

func checkToken(key, value string) error {
	if !visible(value) {
		return errors.New("letters, digits and punctuation of ASCII only")
	}
	group, _, _ := strings.Cut(key, ".")
	switch {
	case value == "" && !optional(key):
		return errors.New("must not be empty")
	case group == "error" && !slices.Contains([]string{classDevice, classData, classLicense, classFNLimit, classUnknown}, value):
		return errors.New("the classes are device, data, license, fn-limit, unknown")
	case group == "path" && !strings.HasPrefix(value, "/"):
		return errors.New("a path begins with /")
	case key == keyPathDocument && strings.Count(value, placeID) != 1:
		return errors.New("the path must hold " + placeID + " once")
	case (group == "status" || group == "answer") && slices.Contains(strings.Split(value, ","), ""):
		return errors.New("an empty spelling between commas")
	}
	return nil
}

// checkStatuses sees that a word of the service means one status.
func (v vocabulary) checkStatuses() error {
	seen := map[string]string{}
	for _, status := range statuses {
		for _, word := range v.spellings("status." + status) {
			if other, ok := seen[word]; ok {
				return fmt.Errorf("token %q: %q already means %s", "status."+status, word, other)
			}
			seen[word] = status
		}
	}
	return nil
}

func (v vocabulary) spellings(key string) []string { return strings.Split(v[key], ",") }

// status is our word for a status of the service, "" if it is not known.
func (v vocabulary) status(word string) string {
	for _, status := range statuses {
		if slices.Contains(v.spellings("status."+status), word) {
			return status
		}
	}
	return ""
}

// class is the class of an error code of the service.
func (v vocabulary) class(code string) string {
	if class, ok := v[prefixError+code]; ok {
		return class
	}
	return classUnknown
}

// visible tells whether s may stand in a header or an address: printable ASCII
// without spaces.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
