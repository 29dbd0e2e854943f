package bifit

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"kassad/devices/web"
	"kassad/fiscal"
)

// Reload tells the service to try the failed document of ref once more, under
// the number that it has (reference 10). What became of it is Find's question.
// Without a broker token it fails with CodeUnsupported and calls nobody.
func (d *Driver) Reload(ctx context.Context, ref fiscal.Ref) error {
	if d.opt.BrokerToken == "" {
		return unsupported("", "trying a document again needs a broker token")
	}
	if ref.Ticket == "" || !d.own(ref.Baseline) {
		return unsupported("", "the service has no such document")
	}
	s, verdict, err := d.look(ctx, ref)
	switch {
	case err != nil:
		return err
	case verdict.Err != nil: // not there yet, or not ours
		return verdict.Err
	case d.words.status(s.status) != statusError:
		return nil
	}
	id, err := strconv.ParseUint(ref.Ticket, 10, 64)
	if err != nil {
		return unsupported("", "the ticket is no number")
	}
	body, err := json.Marshal([]uint64{id}) // numbers, in an array also for a single one
	if err != nil {
		return err
	}
	a, err := d.protected(ctx, web.Call{
		Method: http.MethodPost, Path: d.words[keyPathReload], Body: body,
		Header: http.Header{"Content-Type": {"application/json"}, "Broker-Token": {d.opt.BrokerToken}},
	})
	if err != nil {
		return err
	}
	if !success(a.Status) {
		return d.refused(a)
	}
	d.log.Info("bifit tries a document again", "id", id, "answer", d.said(a)) // its form is not known
	return nil
}
