package lifepay

import (
	"encoding/json"
	"math"
	"net/url"
	"strings"
	"time"

	"kassad/fiscal"
)

// told makes the verdict of a callback. Callbacks are not signed and come
// repeated and out of order (reference 6.3): who asked knows which one counts.
func (d *Driver) told(fields map[string]json.RawMessage) fiscal.Verdict {
	names := d.opt.Callback
	v := fiscal.Verdict{Finding: fiscal.Pending}
	if ticket := text(fields[names.TicketField]); validTicket(ticket) {
		v.Receipt.Ticket = ticket
	}
	if key := text(fields[names.ExtIDField]); len(key) <= extIDMax {
		v.Receipt.Key = key // who asked compares it with the key that the address stands for
	}
	vendor := d.errorCode(fields[names.ErrorCodeField])
	status := text(fields[names.StatusField])
	problem := &fiscal.Error{Code: fiscal.CodeCloudPending, Vendor: vendor, Detail: d.plain(text(fields[names.ErrorTextField]), detailMax)}
	switch {
	case says(names.StatusError, status):
		problem.Code, problem.Outcome = fiscal.CodeCloudFailed, fiscal.OutcomeRejected
		v.Finding, v.Err = fiscal.Failed, problem
	case vendor != "", says(names.StatusWaiting, status):
		// An error code without the word for it may be one that is tried again;
		// beside the word for success it is a contradiction. Neither is an end.
		v.Err = problem
	case says(names.StatusDone, status), status == "" && text(fields[names.URLField]) != "":
		v.Finding, v.Receipt = fiscal.Made, d.made(fields, v.Receipt)
	case status != "":
		problem.Detail = "the status " + d.plain(status, vendorMax) + " is not known"
		v.Err = problem
	}
	return v
}

// errorCode is the vendor's code, or "" for what is none in the languages of
// the known receivers: null, false, 0, "", "0" and empty collections.
func (d *Driver) errorCode(raw json.RawMessage) string {
	switch s := strings.TrimSpace(string(raw)); s {
	case "", "null", "false", "0", "[]", "{}":
		return ""
	default:
		if s[0] != '"' {
			return d.plain(s, vendorMax)
		}
	}
	if s := strings.TrimSpace(text(raw)); s != "0" {
		return d.plain(s, vendorMax)
	}
	return ""
}

// made is the receipt with the fiscal data that are there. A value that cannot
// be one is left out: the document exists all the same.
func (d *Driver) made(fields map[string]json.RawMessage, known fiscal.Receipt) fiscal.Receipt {
	names := d.opt.Callback
	get := func(name string) json.RawMessage {
		if name == "" {
			return nil
		}
		return fields[name]
	}
	return fiscal.Receipt{
		Device: device, Ticket: known.Ticket, Key: known.Key, URL: link(text(get(names.URLField))),
		Storage: digits(text(get(names.StorageField))), Registration: digits(text(get(names.RegistrationField))),
		FD: count(get(names.FDField)), Sign: count(get(names.FPField)),
		Shift: count(get(names.ShiftField)), Number: count(get(names.NumberField)), At: wall(text(get(names.AtField))),
	}
}

// count reads a number of a document, or a fiscal sign.
func count(raw json.RawMessage) uint32 {
	n, ok := number(raw)
	if !ok || n < 0 || n > math.MaxUint32 {
		return 0
	}
	return uint32(n)
}

// serialMax is the length of a serial number (format reference 6.4).
const serialMax = 20

func digits(s string) string {
	if len(s) > serialMax || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > urlMax || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return s
}

// wall reads the clock of a till, and keeps its figures whatever the zone.
func wall(s string) time.Time {
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04",
		"02.01.2006 15:04:05", "02.01.2006 15:04",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
		}
	}
	return time.Time{}
}
