package bifit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"kassad/devices/web"
	"kassad/fiscal"
)

// Statuses of a document, by our words (reference 8).
const (
	statusNew         = "NEW"
	statusQueued      = "QUEUED"
	statusRegistering = "REGISTERING"
	statusDone        = "DONE"
	statusError       = "ERROR"
)

var statuses = []string{statusNew, statusQueued, statusRegistering, statusDone, statusError}

// Find repeats the registration while there is no Ticket, and asks for the
// document when there is one.
func (d *Driver) Find(ctx context.Context, ref fiscal.Ref) (fiscal.Verdict, error) {
	if !d.own(ref.Baseline) {
		return fiscal.Verdict{Finding: fiscal.OtherStorage, Code: fiscal.CodeOtherStorage}, nil
	}
	if ref.Ticket == "" {
		ticket, err := d.register(ctx, *ref.Baseline.Cloud)
		if err != nil {
			return fiscal.Verdict{}, err
		}
		return pending(ticket, nil), nil
	}
	s, verdict, err := d.look(ctx, ref)
	if err != nil || verdict.Finding != 0 {
		return verdict, err
	}
	return d.judge(ref, s), nil
}

// pending is a document that has no end yet; why is what stands in the way.
func pending(ticket string, why *fiscal.Error) fiscal.Verdict {
	return fiscal.Verdict{Finding: fiscal.Pending, Receipt: fiscal.Receipt{Ticket: ticket}, Err: why}
}

func waits(vendor, detail string) *fiscal.Error {
	return &fiscal.Error{Code: fiscal.CodeCloudPending, Vendor: vendor, Detail: detail}
}

// look asks for the document of ref. Where the answer is no state of this very
// document, the verdict says what it is instead.
func (d *Driver) look(ctx context.Context, ref fiscal.Ref) (state, fiscal.Verdict, error) {
	id, err := strconv.ParseUint(ref.Ticket, 10, 64)
	if err != nil {
		return state{}, fiscal.Verdict{}, fiscal.Refuse(fiscal.CodeNeedsPerson, "", "the ticket is no number of bifit: "+d.show(ref.Ticket))
	}
	a, err := d.protected(ctx, web.Call{
		Method: http.MethodGet, Path: strings.Replace(d.words[keyPathDocument], placeID, ticketOf(id), 1),
		Header: http.Header{"Accept": {"application/json"}},
	})
	switch {
	case err != nil:
		return state{}, fiscal.Verdict{}, err
	case a.Status == http.StatusNotFound:
		// A fresh number may not be there yet (reference 7), and the address is a
		// placeholder; when it stays so, the alert for overdue documents tells.
		return state{}, pending(ref.Ticket, waits("404", "not found (yet): the number, or the address of the token "+keyPathDocument)), nil
	case !success(a.Status):
		return state{}, fiscal.Verdict{}, d.notTold(a)
	}
	s, err := readState(a.Body, d.words)
	if err != nil {
		return state{}, fiscal.Verdict{}, fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodeCloudAway, fmt.Errorf("document answer: %w", err))
	}
	if why := d.alien(ref, s); why != nil {
		return state{}, pending(ref.Ticket, why), nil
	}
	return s, fiscal.Verdict{}, nil
}

// notTold is the error of a question that was not answered.
func (d *Driver) notTold(a web.Answer) error {
	e := &fiscal.Error{
		Code: fiscal.CodeCloudAway, Vendor: strconv.Itoa(a.Status), Detail: d.said(a), Outcome: fiscal.OutcomeUnreachable,
	}
	switch a.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity:
		e.Code, e.Outcome = fiscal.CodeCloudAccount, fiscal.OutcomeRejected
	}
	return e
}

// alien tells why s is not of our document. Its fiscal data, or its failure,
// must not become ours; and since the service did take ours, nothing ends by
// it either: a person is told, and the question is asked again.
func (d *Driver) alien(ref fiscal.Ref, s state) *fiscal.Error {
	fault := func(detail string) *fiscal.Error {
		return &fiscal.Error{Code: fiscal.CodeCloudFault, Detail: "the service shows another document under " + ref.Ticket + ": " + detail}
	}
	if s.id != "" && s.id != ref.Ticket {
		return fault("its number is " + d.show(s.id))
	}
	if ours := d.words["type."+string(ref.Document.Verb)]; s.kind != "" && ours != "" && s.kind != ours {
		return fault("its type is " + d.show(s.kind))
	}
	if s.total == "" {
		return nil
	}
	if total, err := money(s.total); err != nil || total != ref.Document.Total {
		return fault("its total is " + d.show(s.total) + ", ours " + ref.Document.Total.String())
	}
	return nil
}

// judge is the verdict on our own document.
func (d *Driver) judge(ref fiscal.Ref, s state) fiscal.Verdict {
	switch d.words.status(s.status) {
	case statusNew, statusQueued, statusRegistering:
		return pending(ref.Ticket, nil)
	case statusDone:
		return d.done(ref, s)
	case statusError:
		return d.failed(ref, s)
	default:
		return pending(ref.Ticket, waits(d.show(s.status), "a status that the configuration does not know"))
	}
}

// failed tells why no document was made. Only what is mended without touching
// the register or the receipt may be tried again by itself: after a fault of
// the register the document may exist (reference 10).
func (d *Driver) failed(ref fiscal.Ref, s state) fiscal.Verdict {
	class := d.words.class(s.errorCode)
	mends := class == classLicense || class == classFNLimit
	detail := class + ": " + s.errorText
	if mends && d.opt.BrokerToken == "" {
		detail = "reload is not available without a broker token, see the cabinet; " + detail
	}
	return fiscal.Verdict{
		Finding: fiscal.Failed, Receipt: fiscal.Receipt{Ticket: ref.Ticket},
		Err: &fiscal.Error{
			Code: fiscal.CodeCloudFailed, Vendor: d.show(s.errorCode), Detail: d.show(detail),
		},
		Reload: mends && d.opt.BrokerToken != "",
	}
}

// done is Made if the fiscal storage, the document's number and its sign are
// there; until then the document counts as not done yet (reference 7).
func (d *Driver) done(ref fiscal.Ref, s state) fiscal.Verdict {
	if s.fn == "" || s.fd == "" || s.fp == "" {
		return pending(ref.Ticket, nil)
	}
	fd, errFD := number(s.fd)
	fp, errFP := number(s.fp)
	if err := errors.Join(checkFN(s.fn), errFD, errFP); err != nil || fd == 0 {
		return pending(ref.Ticket, waits("", "done, but with fiscal data that cannot be read: FN "+d.show(s.fn)+
			", FD "+d.show(s.fd)+", sign "+d.show(s.fp)))
	}
	// The lesser figures are stored as far as they can be read.
	shift, _ := number(s.shift)
	receipt, _ := number(s.receipt)
	r := fiscal.Receipt{
		Kind: string(ref.Document.Verb), Device: device, Storage: s.fn, FD: fd, Sign: fp, Shift: shift, Number: receipt,
		At: wallTime(s.at), Total: ref.Document.Total, Change: ref.Document.Change, Registration: bounded(s.rnm), Ticket: ref.Ticket,
	}
	if s.serial != "" {
		r.Device = bounded(s.serial)
	}
	return fiscal.Verdict{Finding: fiscal.Made, Receipt: r}
}

// fnMax is the length of a fiscal storage's number, tag 1041.
const fnMax = 16

func checkFN(s string) error {
	if len(s) > fnMax || strings.Trim(s, "0123456789") != "" {
		return errors.New("not a number of a fiscal storage")
	}
	return nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}
