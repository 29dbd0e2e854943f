package bifit

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
	"unicode/utf8"

	"kassad/fiscal"
)

// Options of a driver. The zero value of each has the default stated.
type Options struct {
	// BaseURL of the service: https://fp.bifit.com/processing-api. The test
	// host is fp-test.bifit.com (reference 2).
	BaseURL string
	// ConnectorToken is the merchant's secret, and decides which register makes
	// the receipts. Required.
	ConnectorToken string
	// BrokerToken is needed to try failed documents again (reference 10). Only
	// merchants with a fiscal broker of their own have one. "": no reloading.
	BrokerToken string
	CAFile      string        // see web.Options
	Timeout     time.Duration // of one call; see web.Options

	// Taxation is the system of documents that name none. The service needs
	// one: without it such documents are refused.
	Taxation fiscal.Taxation
	// Cashier of documents that name none: "Кассир" (reference 12.8).
	Cashier string
	// Place of settlement, tag 1187; "" leaves it to the register's setting.
	Place string
	// StrictUnits refuses lines whose unit is not the piece, as long as no
	// field is known to carry it; see the package comment.
	StrictUnits bool
	// Tokens replaces rows of the table, see Tokens.
	Tokens map[string]string

	// Window is for how long a key is repeated: 24 h. How long the service
	// knows a key is UNVERIFIED.
	Window time.Duration
	// Overdue is after how long a document without an end is told of: 15 min.
	Overdue time.Duration
	// Reloads is how often a failed document is tried again without a person:
	// 3, and never without a broker token; negative: never.
	Reloads int
	// Rate is the number of requests in a second: 5 (reference 11: a
	// convention); negative: no limit.
	Rate int
	// Logger, or slog.Default.
	Logger *slog.Logger
	// Dial is that of web.Options.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Defaults of Options.
const (
	DefaultBaseURL = "https://fp.bifit.com/processing-api"
	DefaultCashier = "Кассир"

	defaultWindow  = 24 * time.Hour
	defaultOverdue = 15 * time.Minute
	defaultReloads = 3
	defaultRate    = 5
)

func (o Options) withDefaults() Options {
	o.BaseURL = cmp.Or(o.BaseURL, DefaultBaseURL)
	o.Cashier = cmp.Or(o.Cashier, DefaultCashier)
	o.Window = cmp.Or(o.Window, defaultWindow)
	o.Overdue = cmp.Or(o.Overdue, defaultOverdue)
	o.Rate = cmp.Or(o.Rate, defaultRate)
	o.Reloads = max(cmp.Or(o.Reloads, defaultReloads), 0)
	if o.BrokerToken == "" {
		o.Reloads = 0
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// check tells what is wrong with o, and never shows a secret.
func (o Options) check() error {
	switch {
	case o.ConnectorToken == "":
		return errors.New("the connector token is missing")
	case !visible(o.ConnectorToken):
		return errors.New("the connector token has spaces or letters outside ASCII")
	case !visible(o.BrokerToken):
		return errors.New("the broker token has spaces or letters outside ASCII")
	case utf8.RuneCountInString(o.Cashier) > fiscal.CashierMaxChars:
		return errors.New("the cashier's name is too long")
	case utf8.RuneCountInString(o.Place) > fiscal.PlaceMaxChars:
		return errors.New("the place of settlement is too long")
	}
	return nil
}
