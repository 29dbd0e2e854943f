package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"kassad/devices/bifit"
	"kassad/devices/lifepay"
	"kassad/fiscal"
)

// cloudPoll is how often the way to a service is looked at.
const cloudPoll = Duration(30 * time.Second)

// openClouds prepares the services that the configuration names. Nothing
// connects.
func (c Config) openClouds(callback func(fiscal.Document) string, dial dialFunc, log *slog.Logger) (map[string]fiscal.Cloud, error) {
	clouds := map[string]fiscal.Cloud{}
	if c.LifePay != nil {
		key, err := secret("lifepay.apikey_file", c.LifePay.APIKeyFile, envLifePayKey)
		if err != nil {
			return nil, err
		}
		if clouds[CloudLifePay], err = c.LifePay.open(key, callback, dial, log); err != nil {
			return nil, err
		}
	}
	if c.BIFIT != nil {
		connector, err := secret("bifit.connector_token_file", c.BIFIT.ConnectorTokenFile, envConnectorToken)
		if err != nil {
			return nil, err
		}
		broker, err := secret("bifit.broker_token_file", c.BIFIT.BrokerTokenFile, envBrokerToken)
		if err != nil {
			return nil, err
		}
		if clouds[CloudBIFIT], err = c.BIFIT.open(connector, broker, dial, log); err != nil {
			return nil, err
		}
	}
	return clouds, nil
}

func (c *LifePayConfig) open(key string, callback func(fiscal.Document) string, dial dialFunc, log *slog.Logger) (fiscal.Cloud, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	o.APIKey, o.CallbackURL, o.Dial, o.Logger = key, callback, dial, log.With("device", CloudLifePay)
	cloud, err := lifepay.New(o)
	if err != nil {
		return nil, fmt.Errorf("lifepay: %w", err)
	}
	return cloud, nil
}

func (c *BIFITConfig) open(connector, broker string, dial dialFunc, log *slog.Logger) (fiscal.Cloud, error) {
	o := c.options()
	o.ConnectorToken, o.BrokerToken, o.Dial, o.Logger = connector, broker, dial, log.With("device", CloudBIFIT)
	cloud, err := bifit.New(o)
	if err != nil {
		return nil, fmt.Errorf("bifit: %w", err)
	}
	return cloud, nil
}

// dialFunc is Network.Dial.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// cloudTimeout bounds one HTTP call to a service; a call of its driver makes a
// few.
func (c Config) cloudTimeout(name string) time.Duration {
	switch {
	case name == CloudLifePay && c.LifePay != nil:
		return time.Duration(c.LifePay.Timeout)
	case name == CloudBIFIT && c.BIFIT != nil:
		return time.Duration(c.BIFIT.Timeout)
	default:
		return 0
	}
}

// addClouds gives each service a worker of its own.
func (d *Daemon) addClouds() error {
	clouds, err := d.cfg.openClouds(d.callbackURL, d.opt.Network.Dial, d.log)
	if err != nil {
		return err
	}
	for name, cloud := range clouds {
		w := d.newWorker(DeviceConfig{Name: name, Kind: name, Address: d.cfg.cloudAddress(name), Poll: cloudPoll}, cloud)
		info, err := cloud.Info(context.Background()) // of the driver's own knowledge
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), cloud.Close())
		}
		w.info, w.patience = &info, 4*d.cfg.cloudTimeout(name)
		d.workers[name] = w
		d.views.Store(name, deviceView{Info: &info})
	}
	return nil
}

// cloudAddress is where a service is, for people.
func (c Config) cloudAddress(name string) string {
	if name == CloudLifePay {
		return c.LifePay.BaseURL
	}
	return c.BIFIT.BaseURL
}

func (c *LifePayConfig) options() (lifepay.Options, error) {
	f := c.Fields
	o := lifepay.Options{
		BaseURL: c.BaseURL, CAFile: c.CAFile, Timeout: time.Duration(c.Timeout), Login: c.Login,
		FFD: c.FFD, Mode: c.Mode, TargetSerial: c.TargetSerial, TargetService: c.TargetService, Taxation: c.Taxation,
		Cashier: c.Cashier, Test: c.Test, Rounding: c.Rounding, Agents: c.Agents, AnyDepartment: true,
		CorrectionReason: c.CorrectionReason, Window: time.Duration(c.IdempotencyWindow), Overdue: time.Duration(c.ConfirmWithin),
		RetryFailed: c.AutoRetryFailed,
		Names: lifepay.Names{
			BuyerINN: f.BuyerINN, Additional: f.Additional, Internet: f.Internet, CorrectionNumber: f.CorrectionNumber,
		},
		Callback: lifepay.Callback{
			TicketField: f.Ticket, ExtIDField: f.ExtID, URLField: f.Link, ErrorCodeField: f.ErrorCode, ErrorTextField: f.ErrorText,
			StatusField: f.Status, StatusDone: f.StatusProcessed, StatusWaiting: f.StatusWaiting, StatusError: f.StatusError,
			StorageField: f.FN, FDField: f.FD, FPField: f.FP, ShiftField: f.Shift, NumberField: f.Receipt, AtField: f.At,
			RegistrationField: f.RNM,
		},
	}
	var err error
	if o.VAT, err = c.rates(); err != nil {
		return o, err
	}
	if o.Taxations, err = words[fiscal.Taxation]("lifepay.tax_systems", c.TaxSystems); err != nil {
		return o, err
	}
	o.Units, err = words[fiscal.Unit]("lifepay.units", c.Units)
	return o, err
}

// rates puts the configured identifiers and days into the driver's table.
func (c *LifePayConfig) rates() (map[fiscal.VAT]lifepay.Rate, error) {
	out := map[fiscal.VAT]lifepay.Rate{}
	for word, v := range c.VAT {
		var rate fiscal.VAT
		if err := rate.UnmarshalText([]byte(word)); err != nil {
			return nil, fmt.Errorf("lifepay.vat: %w", err)
		}
		row := lifepay.Rate{ID: v.ID}
		for text, day := range map[string]*time.Time{v.From: &row.From, v.Until: &row.Until} {
			if text == "" {
				continue
			}
			at, err := time.Parse(time.DateOnly, text)
			if err != nil {
				return nil, fmt.Errorf("lifepay.vat.%s: %q is not a day such as 2026-01-31", word, text)
			}
			*day = at
		}
		out[rate] = row
	}
	return out, nil
}

// words turns a table whose keys are words of the contract into the driver's.
func words[K comparable, P interface {
	*K
	UnmarshalText([]byte) error
}](section string, table map[string]string) (map[K]string, error) {
	out := map[K]string{}
	for word, id := range table {
		var key K
		if err := P(&key).UnmarshalText([]byte(word)); err != nil {
			return nil, fmt.Errorf("%s: %w", section, err)
		}
		out[key] = id
	}
	return out, nil
}

func (c *BIFITConfig) options() bifit.Options {
	o := bifit.Options{
		BaseURL: c.BaseURL, CAFile: c.CAFile, Timeout: time.Duration(c.Timeout),
		Taxation: c.Taxation, Cashier: c.Cashier, Place: c.Place, StrictUnits: c.StrictUnits, Tokens: c.Tokens,
		Window: time.Duration(c.IdempotencyWindow), Overdue: time.Duration(c.ConfirmWithin),
	}
	if n := c.ReloadAttempts; n != nil {
		o.Reloads = *n
		if *n == 0 {
			o.Reloads = -1 // never
		}
	}
	return o
}
