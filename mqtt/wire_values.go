package mqtt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// How values print. Money prints itself, as a number with two decimals.

// Instant is a moment with its zone: RFC 3339, whole seconds.
type Instant time.Time

// MarshalJSON prints an RFC 3339 time.
func (t Instant) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, time.Time(t).Format(time.RFC3339)), nil
}

// UnmarshalJSON reads what MarshalJSON prints, for programs that read answers.
func (t *Instant) UnmarshalJSON(b []byte) error { return (*time.Time)(t).UnmarshalJSON(b) }

// IsZero serves the omitzero tag.
func (t Instant) IsZero() bool { return time.Time(t).IsZero() }

// WallTime is what the clock of a device shows; it has no zone (format
// reference 1.1).
type WallTime time.Time

const wallLayout = "2006-01-02T15:04:05"

// MarshalJSON prints 2026-11-22T12:04:31.
func (t WallTime) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, time.Time(t).Format(wallLayout)), nil
}

// UnmarshalJSON reads what MarshalJSON prints, as UTC.
func (t *WallTime) UnmarshalJSON(b []byte) error {
	at, err := time.Parse(strconv.Quote(wallLayout), string(b))
	*t = WallTime(at)
	return err
}

// IsZero serves the omitzero tag.
func (t WallTime) IsZero() bool { return time.Time(t).IsZero() }

// Millis is a duration in milliseconds with one decimal.
type Millis time.Duration

// MarshalJSON prints 812.0. Half of the last place rounds up.
func (d Millis) MarshalJSON() ([]byte, error) {
	const tenth = 100 * time.Microsecond
	n := (max(time.Duration(d), 0) + tenth/2) / tenth
	return fmt.Appendf(nil, "%d.%d", int64(n/10), int64(n%10)), nil
}

// UnmarshalJSON reads what MarshalJSON prints; its digits are text, never a
// float.
func (d *Millis) UnmarshalJSON(b []byte) error {
	v, err := time.ParseDuration(string(b) + "ms")
	*d = Millis(v)
	return err
}

// IDs is a list of ids; it is never null.
type IDs []string

// MarshalJSON prints an array.
func (ids IDs) MarshalJSON() ([]byte, error) {
	if ids == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(ids))
}

// encode prints v as one line of JSON. The types of this package always
// marshal; one that does not is a mistake in the program.
func encode(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // the QR text has & in it
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("mqtt: encode %T: %v", v, err))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
