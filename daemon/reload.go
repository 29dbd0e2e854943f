package daemon

import (
	"encoding/json"
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
)

// opReload tells BIFIT to try a failed document once more.
const opReload = "bifit-reload"

// bifitReload is a person's word that no fiscal document of a failed command
// exists, and that the service may try it again under the name that it has
// (BIFIT reference 10: the register's answer may have been lost).
func (d *Daemon) bifitReload(by string, body json.RawMessage) (any, error) {
	var req struct {
		ID        string `json:"id"`
		Confirmed bool   `json:"confirmed"`
		Note      string `json:"note"`
	}
	if err := strictly(body, &req); err != nil {
		return nil, err
	}
	if d.cfg.BIFIT == nil || !d.cfg.BIFIT.canReload() {
		return nil, fiscal.Refuse(fiscal.CodeUnsupported, "", "without bifit.broker_token_file the service cannot be told to try again: use its cabinet")
	}
	r, found, err := d.journal.byID(req.ID)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, fiscal.Refuse(fiscal.CodeNotFound, "id", req.ID)
	case r.Device != CloudBIFIT:
		return nil, fiscal.Refuse(fiscal.CodeBadValue, "id", "the command is with "+r.Device+", not with bifit")
	case !req.Confirmed:
		return nil, fiscal.Refuse(fiscal.CodeBadValue, "confirmed", "see in the cabinet and at the OFD that no document exists, and confirm it")
	}
	r, err = d.journal.resolve(req.ID, fiscal.Resolution{Action: fiscal.ResolveReload, By: by, Note: req.Note, At: time.Now()})
	if err != nil {
		return nil, err
	}
	d.handOver(r)
	return json.RawMessage(mqtt.EncodeAnswer(r, false)), nil
}

// canReload tells whether the secret that reloading needs is there.
func (c *BIFITConfig) canReload() bool {
	s, err := secret("bifit.broker_token_file", c.BrokerTokenFile, envBrokerToken)
	return err == nil && s != ""
}
