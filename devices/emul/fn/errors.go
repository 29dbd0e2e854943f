package fn

import "fmt"

// Error is an answer code of the storage (format reference 4.1).
type Error byte

// Codes that the model gives.
const (
	ErrFormat      Error = 0x01
	ErrState       Error = 0x02
	ErrFailure     Error = 0x03
	ErrCrypto      Error = 0x04
	ErrLifetime    Error = 0x05
	ErrTime        Error = 0x07
	ErrNoData      Error = 0x08
	ErrParameter   Error = 0x09
	ErrMode        Error = 0x0A
	ErrForbidden   Error = 0x0B
	ErrDuplicate   Error = 0x0C
	ErrMissing     Error = 0x0D
	ErrItems       Error = 0x0E
	ErrTLVSize     Error = 0x10
	ErrExhausted   Error = 0x12
	ErrBlocked     Error = 0x14
	ErrShift24     Error = 0x16
	ErrGap         Error = 0x17
	ErrMissingTags Error = 0x3C // devices show it as A4h
)

func (e Error) Error() string { return fmt.Sprintf("fiscal storage: %02Xh %s", byte(e), e.text()) }

func (e Error) text() string {
	switch e {
	case ErrFormat:
		return "bad format"
	case ErrState:
		return "wrong state"
	case ErrFailure:
		return "storage failure"
	case ErrCrypto:
		return "crypto failure"
	case ErrLifetime:
		return "keys expired"
	case ErrTime:
		return "date or time earlier than the last document"
	case ErrNoData:
		return "no such data"
	case ErrParameter:
		return "bad parameter value"
	case ErrMode:
		return "not allowed in this mode"
	case ErrForbidden:
		return "tag not allowed from outside"
	case ErrDuplicate:
		return "duplicate tag"
	case ErrMissing, ErrMissingTags:
		return "required tag missing"
	case ErrItems:
		return "too many items"
	case ErrTLVSize:
		return "document data too large"
	case ErrExhausted:
		return "resource exhausted"
	case ErrBlocked:
		return "documents unsent for 30 days"
	case ErrShift24:
		return "shift longer than 24 hours"
	case ErrGap:
		return "begin and commit too far apart"
	default:
		return "unknown"
	}
}
