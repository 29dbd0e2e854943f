package lifepay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"

	"kassad/fiscal"
)

// Limits of a callback.
const (
	callbackBodyMax = 64 << 10 // bytes
	urlMax          = 1024     // of a link to the receipt
	partsMax        = 32       // of a form
)

// formField holds the JSON of a callback in a form (reference 6.2).
const formField = "data"

// Callback is the language of callbacks. Only uuid, ofd_url and error_code are
// attested (reference 6.2); what the others are called is UNVERIFIED, and a
// field without a name is not read. The words are compared without case, and
// with "_" and "-" as spaces.
type Callback struct {
	TicketField    string // "uuid"
	ExtIDField     string // "ext_id", the echo of the document's key
	URLField       string // "ofd_url"
	ErrorCodeField string // "error_code"
	ErrorTextField string // "error_message"

	StatusField   string   // "status"
	StatusDone    []string // "processed"
	StatusWaiting []string // "waiting for retry", "waiting retry", "waiting"
	StatusError   []string // "error"

	// Fiscal data; "": not read.
	StorageField      string // FN serial
	FDField           string
	FPField           string
	ShiftField        string
	NumberField       string // in the shift
	AtField           string // the till's wall clock
	RegistrationField string // RNM
}

func (c Callback) withDefaults() Callback {
	c.TicketField = or(c.TicketField, "uuid")
	c.ExtIDField = or(c.ExtIDField, "ext_id")
	c.URLField = or(c.URLField, "ofd_url")
	c.ErrorCodeField = or(c.ErrorCodeField, "error_code")
	c.ErrorTextField = or(c.ErrorTextField, "error_message")
	c.StatusField = or(c.StatusField, "status")
	if len(c.StatusDone) == 0 {
		c.StatusDone = []string{"processed"}
	}
	if len(c.StatusWaiting) == 0 {
		c.StatusWaiting = []string{"waiting for retry", "waiting retry", "waiting"}
	}
	if len(c.StatusError) == 0 {
		c.StatusError = []string{"error"}
	}
	return c
}

var (
	errCallbackLong = errors.New("lifepay: the callback is longer than 64 KiB")
	errCallback     = errors.New("lifepay: the callback is no JSON object, nor a form with one in its field data")
)

// ReadCallback reads what became of a document. It takes a form of either kind
// or bare JSON, whatever contentType says (reference 6.2). The error shows
// nothing of the body.
func (d *Driver) ReadCallback(contentType string, body []byte) (fiscal.Verdict, error) {
	if len(body) > callbackBodyMax {
		return fiscal.Verdict{}, errCallbackLong
	}
	fields, ok := d.callbackFields(contentType, bytes.TrimSpace(body))
	if !ok {
		return fiscal.Verdict{}, errCallback
	}
	return d.told(fields), nil
}

// callbackFields finds the JSON object in body.
func (d *Driver) callbackFields(contentType string, body []byte) (map[string]json.RawMessage, bool) {
	if fields, ok := object(body); ok {
		return d.unwrap(fields), true
	}
	if bytes.HasPrefix(body, []byte("--")) {
		if data, ok := multipartField(boundaries(contentType, body), body); ok {
			return object(data)
		}
	}
	// Forms are read as far as they go: JSON that was not escaped breaks the
	// rules of forms only after the field.
	form, _ := url.ParseQuery(string(body))
	return object([]byte(form.Get(formField)))
}

// unwrap takes the object out of a JSON body that has the form's field.
func (d *Driver) unwrap(fields map[string]json.RawMessage) map[string]json.RawMessage {
	raw, ok := fields[formField]
	if _, direct := fields[d.opt.Callback.TicketField]; !ok || direct {
		return fields
	}
	if inner, ok := object(raw); ok {
		return inner
	}
	if inner, ok := object([]byte(text(raw))); ok {
		return inner
	}
	return fields
}

// boundaries are the two places that tell a form's boundary: the header, and
// the first line.
func boundaries(contentType string, body []byte) []string {
	line, _, _ := bytes.Cut(body, []byte("\n"))
	list := []string{strings.TrimRight(string(line[len("--"):]), "\r \t")}
	if _, params, err := mime.ParseMediaType(contentType); err == nil && params["boundary"] != "" {
		list = append([]string{params["boundary"]}, list...)
	}
	return list
}

func multipartField(boundaries []string, body []byte) ([]byte, bool) {
	for _, boundary := range boundaries {
		if boundary == "" {
			continue
		}
		form := multipart.NewReader(bytes.NewReader(body), boundary)
		for range partsMax {
			part, err := form.NextPart()
			if err != nil {
				break
			}
			if part.FormName() != formField {
				continue
			}
			data, err := io.ReadAll(part)
			return data, err == nil
		}
	}
	return nil, false
}

// says tells whether status is one of words.
func says(words []string, status string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return word(w) == word(status) })
}

func word(s string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '_' || r == '-' || r == ' ' }), " "))
}
