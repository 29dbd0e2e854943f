package lifepay

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"kassad/devices/web"
	"kassad/fiscal"
)

// Codes of an answer (reference 1.3).
const (
	codeAccepted     = 0
	codeData         = 400
	codeTooMany      = 429
	codeMalformed    = 6000
	codeNoLogin      = 6009
	codeNoPair       = 6010
	codeNotAllowed   = 6080
	codeAccessDenied = 6095
)

// fieldSerial is the field of a data error that is no fault of the document:
// the configured printer is not in the account (reference 1.2).
const fieldSerial = "target_serial"

// Bounds of what an answer may put into errors and journals.
const (
	ticketMax  = 64  // characters of a uuid; documented ones have 36
	detailMax  = 300 // characters of vendor text
	vendorMax  = 40  // of a vendor's code
	fieldsMax  = 16  // of a data error
	messageMax = 8   // texts of a field
)

// reply is the envelope of reference 1.2.
type reply struct {
	code    int64
	message string
	data    map[string]json.RawMessage // nil for [], null and the like
}

var errShape = errors.New("the answer is not the service's JSON")

// readReply reads an envelope as tolerantly as reference 1.6 asks: only a code
// must be there.
func readReply(body []byte) (reply, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	top, ok := object(body)
	if !ok {
		return reply{}, errShape
	}
	code, ok := number(top["code"])
	if !ok {
		return reply{}, errShape
	}
	data, _ := object(top["data"])
	return reply{code: code, message: text(top["message"]), data: data}, nil
}

// object reads a JSON object; of a name that comes twice the last one counts.
func object(raw []byte) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil, false
	}
	return m, m != nil
}

// number reads a whole number, or text of one.
func number(raw json.RawMessage) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text(raw)), 10, 64)
	return n, err == nil
}

// text is a string as it is and a number as it is written; all else is "".
func text(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	var s string
	switch {
	case len(raw) == 0:
		return ""
	case raw[0] == '"':
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		return string(raw)
	}
	return ""
}

// judge tells what an answer says of the request before it: the service's name
// of the document, or an *Error. Rejected is only what the service has refused
// in its own words (reference 1.2).
func (d *Driver) judge(a web.Answer, test bool) (string, error) {
	if a.Status != http.StatusOK {
		return "", &fiscal.Error{Code: fiscal.CodeCloudAway, Vendor: httpVendor(a.Status), Detail: "not the service's own answer"}
	}
	r, err := readReply(a.Body)
	if err != nil {
		return "", fiscal.Fail(fiscal.OutcomeUnknown, fiscal.CodeCloudAway, err)
	}
	if r.code != codeAccepted {
		return "", d.refused(r)
	}
	ticket := text(r.data["uuid"])
	switch {
	case validTicket(ticket):
		return ticket, nil
	case test:
		return "", fiscal.Refuse(fiscal.CodeTestMode, "", "the service found nothing wrong and made no document")
	}
	return "", &fiscal.Error{Code: fiscal.CodeCloudFault, Vendor: "0", Detail: "accepted without a uuid"}
}

// refused makes the error of a code other than 0. What the table does not tell
// to be a refusal is unknown: devices name faults of their own (3896, 3975).
func (d *Driver) refused(r reply) *fiscal.Error {
	e := &fiscal.Error{Vendor: strconv.FormatInt(r.code, 10), Detail: d.detail(r), Outcome: fiscal.OutcomeRejected}
	switch r.code {
	case codeData:
		e.Code = fiscal.CodeDeviceRefused
		if _, ok := r.data[fieldSerial]; ok {
			e.Code = fiscal.CodeCloudAccount
		}
	case codeMalformed:
		e.Code = fiscal.CodeDeviceRefused
	case codeNoLogin, codeNoPair, codeNotAllowed, codeAccessDenied:
		e.Code = fiscal.CodeCloudAccount
	case codeTooMany:
		e.Code = fiscal.CodeCloudAway
	default: // 500, which does not tell (1.3), and what nobody has heard of
		e.Code, e.Outcome = fiscal.CodeCloudFault, fiscal.OutcomeUnknown
	}
	return e
}

// detail is what the service says is wrong, by field in their order.
func (d *Driver) detail(r reply) string {
	var parts []string
	if r.message != "" {
		parts = append(parts, r.message)
	}
	for i, name := range slices.Sorted(maps.Keys(r.data)) {
		if i == fieldsMax {
			break
		}
		parts = append(parts, strings.Join(append([]string{name + ":"}, texts(r.data[name])...), " "))
	}
	return d.plain(strings.Join(parts, "; "), detailMax)
}

// texts reads the texts of one field: an array of strings, or one.
func texts(raw json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	var out []string
	for _, one := range list[:min(len(list), messageMax)] {
		if s := text(one); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// plain bounds a foreign text and takes out what must not reach a journal:
// control characters, and credentials that the service might echo.
func (d *Driver) plain(s string, limit int) string {
	for _, secret := range []string{d.opt.APIKey, d.opt.Login} {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "…")
		}
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return cut(s, limit)
}

// validTicket tells whether s can be a name: printable ASCII without spaces.
func validTicket(s string) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) <= ticketMax
}

func httpVendor(status int) string { return "HTTP " + strconv.Itoa(status) }
