package bifit

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"kassad/devices/web"
	"kassad/fiscal"
)

// register sends a registration as it is and returns the Ticket. A repeat under
// the same key is the same document (reference 4.1).
func (d *Driver) register(ctx context.Context, c fiscal.CloudCall) (string, error) {
	a, err := d.protected(ctx, web.Call{
		Method: http.MethodPost, Path: c.Path, Body: c.Body,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "Idempotency-Key": {c.Key}},
	})
	if err != nil {
		return "", err
	}
	if success(a.Status) || a.Status == http.StatusConflict {
		id, err := readID(a.Body, d.words.spellings("answer.id"))
		if err == nil {
			if a.Status == http.StatusConflict {
				d.log.Warn("bifit has the key already, with another content by its own words", "key", c.Key, "id", id)
			}
			return ticketOf(id), nil
		}
		if success(a.Status) {
			return "", fiscal.Fail(fiscal.OutcomeUnknown, fiscal.CodeCloudAway, fmt.Errorf("registration answer: %w", err))
		}
	}
	return "", d.refused(a)
}

// protected makes a call with an access token. A refused token is renewed once
// and the call repeated once: 401 is an answer, and nothing was done. No other
// answer is followed by a repeat (reference 3.6, rule 4).
func (d *Driver) protected(ctx context.Context, call web.Call) (web.Answer, error) {
	access, err := d.token.get(ctx)
	if err != nil {
		return web.Answer{}, err
	}
	a, err := d.with(ctx, call, access)
	if err != nil || a.Status != http.StatusUnauthorized {
		return a, err
	}
	d.log.Info("bifit refuses the access token; a new one is asked for")
	d.token.drop(access)
	if access, err = d.token.get(ctx); err == nil {
		a, err = d.with(ctx, call, access)
	}
	switch {
	case err != nil && fiscal.AsError(err, "").Outcome == fiscal.OutcomeUnreachable:
		// The call itself has been sent before and was refused.
		return web.Answer{}, withOutcome(err, fiscal.OutcomeRejected)
	case err != nil:
		return web.Answer{}, err
	case a.Status == http.StatusUnauthorized:
		d.token.forget()
		return web.Answer{}, &fiscal.Error{
			Code: fiscal.CodeCloudAccount, Vendor: "401", Detail: "a new access token is refused, too", Outcome: fiscal.OutcomeRejected,
		}
	}
	return a, nil
}

func (d *Driver) with(ctx context.Context, call web.Call, access string) (web.Answer, error) {
	call.Header = call.Header.Clone()
	call.Header.Set("Authorization", "Bearer "+access)
	a, err := d.do(ctx, call)
	if err != nil {
		return a, err
	}
	if after := a.Header.Get("Retry-After"); after != "" {
		// Our own schedule is slower, and nothing makes it faster.
		d.log.Warn("bifit asks to wait", "status", a.Status, "retry_after", d.show(after))
	}
	return a, nil
}

// refused is the error of an answer to a POST that is no success (reference
// 4.4). What the reference does not name proves nothing.
func (d *Driver) refused(a web.Answer) error {
	e := &fiscal.Error{Vendor: strconv.Itoa(a.Status), Detail: d.said(a)}
	switch a.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		e.Code, e.Outcome = fiscal.CodeDeviceRefused, fiscal.OutcomeRejected
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		e.Code, e.Outcome = fiscal.CodeCloudAccount, fiscal.OutcomeRejected
	case http.StatusConflict:
		e.Code, e.Outcome = fiscal.CodeCloudFault, fiscal.OutcomeUnknown
	default:
		e.Code, e.Outcome = fiscal.CodeCloudAway, fiscal.OutcomeUnknown
	}
	if e.Outcome == fiscal.OutcomeRejected && markup(a) {
		// Something on the way speaks, not the service: it proves nothing.
		e.Code, e.Outcome = fiscal.CodeCloudAway, fiscal.OutcomeUnknown
	}
	return e
}

func success(status int) bool { return status >= 200 && status <= 299 }

// overloaded tells statuses below 500 that say "later".
func overloaded(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}
