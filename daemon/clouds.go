package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kassad/devices/bifit"
	"kassad/devices/lifepay"
	"kassad/fiscal"
)

// cloudPoll is how often the way to a service is looked at.
const cloudPoll = Duration(30 * time.Second)

// openClouds prepares the services that the configuration names. Nothing
// connects.
func (d *Daemon) openClouds() (map[string]fiscal.Cloud, error) {
	clouds := map[string]fiscal.Cloud{}
	if c := d.cfg.LifePay; c != nil {
		o, err := c.options()
		if err != nil {
			return nil, err
		}
		o.CallbackURL, o.Logger = d.callbackURL, d.log.With("device", CloudLifePay)
		cloud, err := lifepay.New(o)
		if err != nil {
			return nil, fmt.Errorf("lifepay: %w", err)
		}
		clouds[CloudLifePay] = cloud
	}
	if c := d.cfg.BIFIT; c != nil {
		o, err := c.options()
		if err != nil {
			return nil, err
		}
		o.Logger = d.log.With("device", CloudBIFIT)
		cloud, err := bifit.New(o)
		if err != nil {
			return nil, fmt.Errorf("bifit: %w", err)
		}
		clouds[CloudBIFIT] = cloud
	}
	return clouds, nil
}

// addClouds gives each service a worker of its own.
func (d *Daemon) addClouds() error {
	clouds, err := d.openClouds()
	if err != nil {
		return err
	}
	for name, cloud := range clouds {
		w := d.newWorker(DeviceConfig{Name: name, Kind: name, Poll: cloudPoll}, cloud)
		info, err := cloud.Info(context.Background()) // of the driver's own knowledge
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), cloud.Close())
		}
		w.info = &info
		d.workers[name] = w
		d.views.Store(name, deviceView{Info: &info})
	}
	return nil
}

func (c *LifePayConfig) options() (lifepay.Options, error) {
	key, err := secret("lifepay.apikey_file", c.APIKeyFile, envLifePayKey)
	if err != nil {
		return lifepay.Options{}, err
	}
	f := c.Fields
	o := lifepay.Options{
		BaseURL: c.BaseURL, CAFile: c.CAFile, Timeout: time.Duration(c.Timeout), Login: c.Login, APIKey: key,
		FFD: c.FFD, Mode: c.Mode, TargetSerial: c.TargetSerial, TargetService: c.TargetService, Taxation: c.Taxation,
		Cashier: c.Cashier, Test: c.Test, Rounding: c.Rounding, Agents: c.Agents, AnyDepartment: true,
		CorrectionReason: c.CorrectionReason, Window: time.Duration(c.IdempotencyWindow), Overdue: time.Duration(c.ConfirmWithin),
		RetryFailed: c.AutoRetryFailed,
		Names: lifepay.Names{
			BuyerINN: f.BuyerINN, Additional: f.Additional, Internet: f.Internet, CorrectionNumber: f.CorrectionNumber,
		},
		Callback: lifepay.Callback{
			TicketField: f.Ticket, URLField: f.Link, ErrorCodeField: f.ErrorCode, ErrorTextField: f.ErrorText,
			StatusField: f.Status, StatusDone: f.StatusProcessed, StatusWaiting: f.StatusWaiting, StatusError: f.StatusError,
			StorageField: f.FN, FDField: f.FD, FPField: f.FP, ShiftField: f.Shift, NumberField: f.Receipt, AtField: f.At,
			RegistrationField: f.RNM,
		},
	}
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

func (c *BIFITConfig) options() (bifit.Options, error) {
	connector, err := secret("bifit.connector_token_file", c.ConnectorTokenFile, envConnectorToken)
	if err != nil {
		return bifit.Options{}, err
	}
	broker, err := secret("bifit.broker_token_file", c.BrokerTokenFile, envBrokerToken)
	if err != nil {
		return bifit.Options{}, err
	}
	o := bifit.Options{
		BaseURL: c.BaseURL, ConnectorToken: connector, BrokerToken: broker, CAFile: c.CAFile, Timeout: time.Duration(c.Timeout),
		Taxation: c.Taxation, Cashier: c.Cashier, Place: c.Place, StrictUnits: c.StrictUnits, Tokens: c.Tokens,
		Window: time.Duration(c.IdempotencyWindow), Overdue: time.Duration(c.ConfirmWithin),
	}
	if n := c.ReloadAttempts; n != nil {
		o.Reloads = *n
		if *n == 0 {
			o.Reloads = -1 // never
		}
	}
	return o, nil
}
