package bifit

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"kassad/devices/web"
	"kassad/fiscal"
)

// device is how the service is named where a register's serial number stands.
const device = "bifit"

// Driver makes receipts at the service. Nothing is kept between calls but the
// access token.
type Driver struct {
	opt   Options
	words vocabulary
	http  caller
	pace  *pace
	away  atomic.Bool // the last call got no answer
	token *tokenStore
	log   *slog.Logger
}

// caller makes one call, see web.Client.
type caller interface {
	Do(ctx context.Context, call web.Call) (web.Answer, error)
}

var (
	_ fiscal.Cloud    = (*Driver)(nil)
	_ fiscal.Reloader = (*Driver)(nil)
)

// New makes a driver; nothing connects. Errors name what of o is wrong.
func New(o Options) (*Driver, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	words, err := newVocabulary(o.Tokens)
	if err != nil {
		return nil, err
	}
	client, err := web.New(web.Options{BaseURL: o.BaseURL, CAFile: o.CAFile, Timeout: o.Timeout, Agent: "kassad", Dial: o.Dial})
	if err != nil {
		return nil, err
	}
	d := &Driver{opt: o, words: words, http: client, pace: newPace(o.Rate), log: o.Logger}
	d.token = &tokenStore{connector: o.ConnectorToken, client: words[keyClient], path: words[keyPathToken], do: d.do}
	return d, nil
}

// do makes one call at the allowed rate.
func (d *Driver) do(ctx context.Context, call web.Call) (web.Answer, error) {
	if err := d.pace.wait(ctx); err != nil {
		return web.Answer{}, fiscal.Fail(fiscal.OutcomeUnreachable, fiscal.CodeCloudAway, err)
	}
	a, err := d.http.Do(ctx, call)
	d.away.Store(err != nil)
	return a, err
}

// Info tells what the service can carry; the registers behind it are not known.
func (d *Driver) Info(context.Context) (fiscal.Info, error) { return d.info(), nil }

func (d *Driver) info() fiscal.Info {
	return fiscal.Info{Model: "BIFIT Online", Serial: device, Limits: fiscal.Limits{
		ItemsMax: fiscal.ItemsMax, NameMax: fiscal.NameMaxChars, QuantityDecimals: 3, Contact: true,
	}}
}

// Verbs are the four receipts; the service has nothing else.
func (d *Driver) Verbs() []fiscal.Verb {
	return []fiscal.Verb{fiscal.VerbSale, fiscal.VerbRefund, fiscal.VerbBuy, fiscal.VerbBuyRefund}
}

// Delays are the schedules of design 5 and reference 7.
func (d *Driver) Delays() fiscal.CloudPolicy {
	return fiscal.CloudPolicy{
		Repeat: []time.Duration{time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute},
		Window: d.opt.Window,
		Poll: []time.Duration{
			3 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
		},
		Overdue: d.opt.Overdue, Reloads: d.opt.Reloads,
		// A licence is paid and a storage replaced in hours, not in seconds.
		ReloadAfter: []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour},
	}
}

// Prepare renders the request; it does not use the network.
func (d *Driver) Prepare(_ context.Context, doc fiscal.Document) (fiscal.Baseline, error) {
	if err := d.Check(doc); err != nil {
		return fiscal.Baseline{}, err
	}
	if doc.Stem == "" { // its key would be every such document's
		return fiscal.Baseline{}, fiscal.Refuse(fiscal.CodeBadValue, "id", "the document has no stem to make a key of")
	}
	body, err := d.render(doc)
	if err != nil {
		return fiscal.Baseline{}, fiscal.Fail(fiscal.OutcomeRejected, fiscal.CodeBadValue, err)
	}
	return fiscal.Baseline{
		Device: device,
		Cloud:  &fiscal.CloudCall{Key: doc.CloudKey(), Account: d.account(), Path: d.words[keyPathRegister], Body: body},
	}, nil
}

// account is the connector: a key through another one is another document
// (reference 14.4).
func (d *Driver) account() string { return fiscal.AccountMark(d.opt.BaseURL, d.opt.ConnectorToken) }

// own tells whether the document was prepared for this service and connector.
func (d *Driver) own(base fiscal.Baseline) bool {
	return base.Device == device && base.Cloud != nil && base.Cloud.Account == d.account()
}

// Submit registers the document. The receipt has the Ticket and nothing else.
func (d *Driver) Submit(ctx context.Context, _ fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	if !d.own(base) {
		return fiscal.Receipt{}, fiscal.Refuse(fiscal.CodeOtherStorage, "", "the document was prepared for another register")
	}
	ticket, err := d.register(ctx, *base.Cloud)
	if err != nil {
		return fiscal.Receipt{}, err
	}
	return fiscal.Receipt{Ticket: ticket}, nil
}

// Status tells whether the service lets us in: a token is there or can be had.
// While the last call got no answer it is asked for a new one, for there is no
// other harmless question. What else there is to know of the registers is the service's business.
func (d *Driver) Status(ctx context.Context) (fiscal.Status, error) {
	if d.away.Load() {
		d.token.drop(d.token.cached())
	}
	if _, err := d.token.get(ctx); err != nil {
		return fiscal.Status{}, err
	}
	return fiscal.Status{Paper: true, Cover: true}, nil
}

// Close has nothing to give up.
func (d *Driver) Close() error { return nil }

// hide takes our secrets out of a text that the service wrote.
func (d *Driver) hide(s string) string {
	for _, secret := range append(d.token.secrets(), d.opt.ConnectorToken, d.opt.BrokerToken) {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	return s
}

func ticketOf(id uint64) string { return strconv.FormatUint(id, 10) }
