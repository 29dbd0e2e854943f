package lifepay

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"

	"kassad/devices/web"
	"kassad/fiscal"
)

// Prepare renders the request of doc, all but the credentials. It does not use
// the network.
func (d *Driver) Prepare(_ context.Context, doc fiscal.Document) (fiscal.Baseline, error) {
	key := doc.CloudKey()
	switch {
	case doc.Stem == "": // it would be the key of every such document
		return fiscal.Baseline{}, fiscal.Refuse(fiscal.CodeBadValue, "id", "the document has no key")
	case len(key) > extIDMax:
		return fiscal.Baseline{}, fiscal.Refuse(fiscal.CodeTooLong, "id", "the service allows an ext_id of 50 characters")
	}
	call, err := d.render(doc, key)
	if err != nil {
		return fiscal.Baseline{}, err
	}
	return fiscal.Baseline{Device: device, Cloud: call}, nil
}

// Submit sends the request of base. Success means that the service has queued
// the document (reference 2.6); callbacks tell the rest.
func (d *Driver) Submit(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	ticket, err := d.send(ctx, base.Cloud)
	if err != nil {
		return fiscal.Receipt{}, err
	}
	r := fiscal.Receipt{Kind: string(doc.Verb), Device: device, Ticket: ticket, Key: base.Cloud.Key}
	if doc.Verb.Receipt() {
		r.Total, r.Change = doc.Total, doc.Change
	}
	return r, nil
}

// Find sends the same request under the same key while the service has not
// named the document: it answers with the first one's name (reference 1.5).
// Then nothing can be asked (5.2), and the network is not used.
func (d *Driver) Find(ctx context.Context, ref fiscal.Ref) (fiscal.Verdict, error) {
	ticket := ref.Ticket
	if ticket == "" {
		if call := ref.Baseline.Cloud; call == nil || call.Account != d.account() {
			return fiscal.Verdict{Finding: fiscal.OtherStorage, Code: fiscal.CodeOtherStorage}, nil
		}
		var err error
		if ticket, err = d.send(ctx, ref.Baseline.Cloud); err != nil {
			return fiscal.Verdict{}, err
		}
	}
	return fiscal.Verdict{Finding: fiscal.Pending, Receipt: fiscal.Receipt{Ticket: ticket}}, nil
}

// account is the company as the service knows it: the same ext_id of another
// one is another document (reference 1.5).
func (d *Driver) account() string { return fiscal.AccountMark(d.opt.BaseURL, d.opt.Login) }

// PrintXReport orders an X report, once: under a key of its own, which nobody
// repeats.
func (d *Driver) PrintXReport(ctx context.Context) error {
	return d.once(ctx, fiscal.Document{Verb: fiscal.VerbXReport})
}

// PrintText orders a non-fiscal receipt of the lines, once. The printer cuts
// after it in any case, and empty lines are left out.
func (d *Driver) PrintText(ctx context.Context, lines []string, cut bool) error {
	return d.once(ctx, fiscal.Document{Verb: fiscal.VerbText, Text: lines, Cut: cut})
}

func (d *Driver) once(ctx context.Context, doc fiscal.Document) error {
	call, err := d.render(doc, "kx-"+rand.Text())
	if err != nil {
		return err
	}
	_, err = d.send(ctx, call)
	return err
}

// send makes one call and returns the service's name of the document.
func (d *Driver) send(ctx context.Context, call *fiscal.CloudCall) (ticket string, err error) {
	body, err := d.sign(call)
	if err != nil {
		return "", fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodeNeedsPerson, err)
	}
	a, err := d.web.Do(ctx, web.Call{
		Method: http.MethodPost, Path: call.Path, Body: body, Header: http.Header{"Content-Type": {"application/json"}},
	})
	if err == nil {
		ticket, err = d.judge(a, asksForTest(call.Body))
	}
	if err != nil {
		d.log.Debug("lifepay: no document taken", "path", call.Path, "key", call.Key, "err", err)
		return "", err
	}
	d.log.Debug("lifepay: document taken", "path", call.Path, "key", call.Key, "ticket", ticket)
	return ticket, nil
}

// sign puts the credentials before the saved fields, which stay as they are.
func (d *Driver) sign(call *fiscal.CloudCall) ([]byte, error) {
	if call == nil || len(call.Body) < len(`{"":0}`) || call.Body[0] != '{' {
		return nil, errors.New("there is no saved request")
	}
	credentials, err := encode(struct {
		APIKey string `json:"apikey"`
		Login  string `json:"login"`
	}{d.opt.APIKey, d.opt.Login})
	if err != nil {
		return nil, errors.New("the credentials are no text") // err might show them
	}
	body := append(credentials[:len(credentials)-1], ',')
	return append(body, call.Body[1:]...), nil
}

// asksForTest tells whether a request asked for test mode: the saved one counts,
// not today's configuration.
func asksForTest(body []byte) bool {
	var r struct {
		Test int `json:"test"`
	}
	return json.Unmarshal(body, &r) == nil && r.Test != 0
}
