package lifepay

import (
	"context"
	"log/slog"
	"net/http"

	"kassad/devices/web"
	"kassad/fiscal"
)

// device is what stands for the register's serial in journals: which till of
// the account makes a document, the service does not tell.
const device = "lifepay"

// agent is the User-Agent of calls.
const agent = "kassad"

// Driver hands documents to LIFE PAY. It keeps no state: what was sent is in
// the baselines of the journal. ReadCallback may be called beside the other
// methods.
type Driver struct {
	opt Options
	log *slog.Logger
	web *web.Client
}

var (
	_ fiscal.Cloud       = (*Driver)(nil)
	_ fiscal.Teller      = (*Driver)(nil)
	_ fiscal.XReporter   = (*Driver)(nil)
	_ fiscal.TextPrinter = (*Driver)(nil)
)

// New makes a driver; it does not use the network. The error tells which option
// cannot be used, and shows no credential.
func New(o Options) (*Driver, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	c, err := web.New(web.Options{BaseURL: o.BaseURL, CAFile: o.CAFile, Timeout: o.Timeout, Agent: agent, Dial: o.Dial})
	if err != nil {
		return nil, err
	}
	return &Driver{opt: o, log: o.Logger, web: c}, nil
}

// String and GoString show no credentials.

func (d *Driver) String() string   { return d.opt.String() }
func (d *Driver) GoString() string { return d.opt.String() }

// Close does nothing: every call has a connection of its own.
func (d *Driver) Close() error { return nil }

// Info tells what the configuration says; the service cannot be asked.
func (d *Driver) Info(context.Context) (fiscal.Info, error) {
	return fiscal.Info{
		Model: "LIFE PAY", Serial: device, FFD: d.opt.FFD,
		Limits: fiscal.Limits{
			ItemsMax: d.opt.ItemsMax, NameMax: d.opt.NameMax, QuantityDecimals: d.opt.QuantityDecimals,
			Contact: d.opt.Mode == ModeEmail,
		},
	}, nil
}

// Verbs are the commands that have a request (reference 2, 5).
func (d *Driver) Verbs() []fiscal.Verb {
	return []fiscal.Verb{
		fiscal.VerbSale, fiscal.VerbRefund, fiscal.VerbBuy, fiscal.VerbBuyRefund, fiscal.VerbCorrection,
		fiscal.VerbShiftOpen, fiscal.VerbShiftClose, fiscal.VerbCashIn, fiscal.VerbCashOut, fiscal.VerbXReport, fiscal.VerbText,
	}
}

// Delays are the schedules of reference 1.4. There is no Poll: no request asks
// what became of a document, callbacks tell.
func (d *Driver) Delays() fiscal.CloudPolicy {
	return fiscal.CloudPolicy{Repeat: d.opt.Repeat, Window: d.opt.Window, Overdue: d.opt.Overdue, RetryFailed: d.opt.RetryFailed}
}

// Check tells whether the service can carry doc unchanged. It finds what the
// service would refuse by the limits that are known; the error is an *Error of
// OutcomeRejected.
func (d *Driver) Check(doc fiscal.Document) error {
	_, err := d.render(doc, "")
	return err
}

// Status tells whether the service answers: its address is called without a
// request, and any answer will do: what lies behind it cannot be asked
// (reference 5.2). The error is cloud-away.
func (d *Driver) Status(ctx context.Context) (fiscal.Status, error) {
	if _, err := d.web.Do(ctx, web.Call{Method: http.MethodGet, Path: "/"}); err != nil {
		return fiscal.Status{}, err
	}
	return fiscal.Status{}, nil
}
