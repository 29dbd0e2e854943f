package fiscal

import (
	"errors"
	"strings"
)

// Outcome tells what a failed Submit did to the world.
type Outcome uint8

// Outcomes. The zero value is no claim and is treated as OutcomeUnknown.
const (
	OutcomeUnknown     Outcome = iota // the document may exist
	OutcomeRejected                   // nothing happened
	OutcomeUnreachable                // nothing was sent
)

// Error is a refusal or a failure with its stable code.
type Error struct {
	Code    Code    `json:"code"`
	Vendor  string  `json:"vendor,omitempty"` // the device's own code, "0x6B"
	Field   string  `json:"field,omitempty"`  // what of the command is wrong, "items[2].price"
	Detail  string  `json:"detail,omitempty"` // English, for the engineer
	Outcome Outcome `json:"-"`
	cause   error
}

func (e *Error) Error() string {
	parts := []string{string(e.Code)}
	for _, p := range []string{e.Field, e.Detail, e.Vendor} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if e.cause != nil {
		parts = append(parts, e.cause.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns what caused e.
func (e *Error) Unwrap() error { return e.cause }

// Refuse is a refusal of content or condition: nothing happened.
func Refuse(code Code, field, detail string) *Error {
	return &Error{Code: code, Field: field, Detail: detail, Outcome: OutcomeRejected}
}

// Fail is a failure of the way to the device, with its outcome.
func Fail(outcome Outcome, code Code, cause error) *Error {
	return &Error{Code: code, Outcome: outcome, cause: cause}
}

// AsError finds the *Error in err, or makes one of the given code and no claim
// about the outcome.
func AsError(err error, otherwise Code) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: otherwise, cause: err}
}
