package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"time"

	"kassad/devices/bifit"
	"kassad/devices/lifepay"
	"kassad/devices/web"
	"kassad/fiscal"
)

// Names of the clouds in routes and topics.
const (
	CloudLifePay = "lifepay"
	CloudBIFIT   = "bifit"
)

// CloudConfig is what the sections of all clouds have in common.
type CloudConfig struct {
	BaseURL  string          `toml:"base_url"`
	CAFile   string          `toml:"ca_file"` // authorities to trust beside the system's
	Timeout  Duration        `toml:"timeout"` // of one call
	Taxation fiscal.Taxation `toml:"taxation"`
	Cashier  string          `toml:"cashier"` // when a command names none
	// IdempotencyWindow is how long an unanswered request is repeated under its
	// key. How long a service remembers a key is UNVERIFIED.
	IdempotencyWindow Duration `toml:"idempotency_window"`
	// ConfirmWithin is how long a document that the service has may stay
	// without its word before there is an alert.
	ConfirmWithin Duration `toml:"confirm_within"`
}

// LifePayConfig is the cloud print service of LIFE PAY. What its documents
// leave open is a key here; where a key is empty, the driver's default holds.
type LifePayConfig struct {
	CloudConfig
	Login      string `toml:"login"`
	APIKeyFile string `toml:"apikey_file"`
	Test       bool   `toml:"test"` // the service validates, and makes nothing
	FFD        string `toml:"ffd"`  // 1.05, 1.2: another address and other fields
	Mode       string `toml:"mode"` // print, email, print_email

	TargetSerial  string `toml:"target_serial"`
	TargetService string `toml:"target_service"`
	Rounding      string `toml:"rounding"` // as-one, as-is, refuse
	Agents        string `toml:"agents"`   // refuse, position

	// VAT, TaxSystems and Units replace the service's identifiers.
	VAT        map[string]VATConfig `toml:"vat"`
	TaxSystems map[string]string    `toml:"tax_systems"`
	Units      map[string]string    `toml:"units"`

	CorrectionReason string `toml:"correction_reason"` // tag 1177
	// AutoRetryFailed begins a failed document again under a new key without a
	// person: for who has verified the status values.
	AutoRetryFailed bool                `toml:"auto_retry_failed"`
	Callback        CallbackConfig      `toml:"callback"`
	Fields          LifePayFieldsConfig `toml:"fields"`
}

// VATConfig is the service's identifier of a rate and the days, inclusive, on
// which goods are sold at it.
type VATConfig struct {
	ID    string `toml:"id"`
	From  string `toml:"from"` // 2026-01-01; "": always
	Until string `toml:"until"`
}

// LifePayFieldsConfig are the names and words of the service that no document
// shows. What is empty has the driver's default.
type LifePayFieldsConfig struct {
	BuyerINN         string `toml:"buyer_inn"` // of requests
	Additional       string `toml:"additional"`
	Internet         string `toml:"internet"`
	CorrectionNumber string `toml:"correction_number"`

	Ticket          string   `toml:"ticket"` // of callbacks
	ExtID           string   `toml:"ext_id"`
	Link            string   `toml:"link"`
	ErrorCode       string   `toml:"error_code"`
	ErrorText       string   `toml:"error_text"`
	Status          string   `toml:"status"`
	StatusProcessed []string `toml:"status_processed"`
	StatusWaiting   []string `toml:"status_waiting"`
	StatusError     []string `toml:"status_error"`
	FN              string   `toml:"fn"`
	FD              string   `toml:"fd"`
	FP              string   `toml:"fp"`
	Shift           string   `toml:"shift"`
	Receipt         string   `toml:"receipt"`
	At              string   `toml:"at"`
	RNM             string   `toml:"rnm"`
}

// BIFITConfig is the fiscal processing of BIFIT. What its documents leave open
// is a token of the table, which tokens may replace.
type BIFITConfig struct {
	CloudConfig
	ConnectorTokenFile string            `toml:"connector_token_file"`
	BrokerTokenFile    string            `toml:"broker_token_file"` // "": reload is not available
	ReloadAttempts     *int              `toml:"reload_attempts"`
	Place              string            `toml:"place"`
	StrictUnits        bool              `toml:"strict_units"` // no units but the piece
	Tokens             map[string]string `toml:"tokens"`
}

// Environment variables that hold a secret when no file does.
const (
	envLifePayKey     = "KASSAD_LIFEPAY_APIKEY"
	envConnectorToken = "KASSAD_BIFIT_CONNECTOR_TOKEN"
	envBrokerToken    = "KASSAD_BIFIT_BROKER_TOKEN"
)

// secret reads a secret from its file, or else from the environment. "" means
// that there is none.
func secret(key, file, env string) (string, error) {
	if file == "" {
		return strings.TrimSpace(os.Getenv(env)), nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("%s: %s is empty", key, file)
	}
	return s, nil
}

// Defaults of what every cloud has.
const (
	defaultWindow  = Duration(24 * time.Hour)
	defaultConfirm = Duration(15 * time.Minute)
)

func (c *CloudConfig) fill(base string) {
	c.BaseURL = cmp.Or(c.BaseURL, base)
	c.Timeout = cmp.Or(c.Timeout, Duration(web.DefaultTimeout))
	c.IdempotencyWindow = cmp.Or(c.IdempotencyWindow, defaultWindow)
	c.ConfirmWithin = cmp.Or(c.ConfirmWithin, defaultConfirm)
	c.Cashier = cmp.Or(c.Cashier, bifit.DefaultCashier)
}

func (c *LifePayConfig) fill() {
	if c == nil {
		return
	}
	c.CloudConfig.fill(lifepay.DefaultBaseURL)
	c.FFD = cmp.Or(c.FFD, fiscal.FFD105)
	c.Mode = cmp.Or(c.Mode, lifepay.ModeEmail)
	c.Rounding = cmp.Or(c.Rounding, lifepay.RoundAsOne)
	c.Agents = cmp.Or(c.Agents, lifepay.AgentRefuse)
}

func (c *BIFITConfig) fill() {
	if c != nil {
		c.CloudConfig.fill(bifit.DefaultBaseURL)
	}
}

func (c CloudConfig) validate(section string) []error {
	errs := c.validateDurations(section)
	if c.BaseURL != "" {
		if err := web.CheckBase(c.BaseURL); err != nil {
			errs = append(errs, fmt.Errorf("%s.base_url: %w", section, err))
		}
	}
	return errs
}

var lifePayLogin = regexp.MustCompile(`^7[0-9]{10}$`)

func (c *LifePayConfig) loginFits() bool { return lifePayLogin.MatchString(c.Login) }

func (c *LifePayConfig) validate(all Config) []error {
	if c == nil {
		return nil
	}
	errs := c.CloudConfig.validate("lifepay")
	if !c.loginFits() {
		errs = append(errs, errors.New("lifepay.login: give the phone number of the account, 7 and ten digits"))
	}
	if c.loginFits() { // what only the driver knows; its files are LoadConfig's business
		dry := *c
		dry.CAFile = ""
		if _, err := dry.open("key", nil, nil, slog.New(slog.DiscardHandler)); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, c.Callback.validate()...)
	return append(errs, c.Callback.validateWithin(all)...)
}

func (c *BIFITConfig) validate() []error {
	if c == nil {
		return nil
	}
	errs := c.CloudConfig.validate("bifit")
	if c.Taxation == 0 {
		errs = append(errs, errors.New("bifit.taxation: the service wants it in every receipt, give what the register is registered for"))
	}
	if c.ReloadAttempts != nil && *c.ReloadAttempts < 0 {
		errs = append(errs, errors.New("bifit.reload_attempts is less than 0"))
	}
	if c.Taxation != 0 {
		dry := *c
		dry.CAFile = ""
		if _, err := dry.open("token", "", nil, slog.New(slog.DiscardHandler)); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// checkSecrets reports which secrets of the clouds are missing or cannot be
// read.
func (c Config) checkSecrets() error {
	var errs []error
	need := func(section, key, file, env string) {
		s, err := secret(section+"."+key, file, env)
		if err == nil && s == "" {
			err = fmt.Errorf("%s.%s: name the file with the secret, or set %s", section, key, env)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if c.LifePay != nil {
		need(CloudLifePay, "apikey_file", c.LifePay.APIKeyFile, envLifePayKey)
	}
	if c.BIFIT != nil {
		need(CloudBIFIT, "connector_token_file", c.BIFIT.ConnectorTokenFile, envConnectorToken)
	}
	return errors.Join(errs...)
}
