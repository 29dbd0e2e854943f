package daemon

import (
	"fmt"
	"net/url"
	"strings"

	"kassad/daemon/relay"
	"kassad/devices/web"
	"kassad/mqtt"
)

// callbackURLMax is the longest callback_url that LIFE PAY takes, in characters
// (reference 2.1).
const callbackURLMax = 255

// CallbackConfig is how LIFE PAY tells what became of a document. Without a url
// nothing is called back.
type CallbackConfig struct {
	// URL is where the service calls: of the listener below or of a proxy in
	// front of it, or of a relay.
	URL string `toml:"url"`
	// Listen is where this daemon takes callbacks itself; "" if only a relay
	// brings them.
	Listen   string `toml:"listen"`
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
	// RelayUser is the name in the users file of the embedded broker under
	// which a relay logs in.
	RelayUser string `toml:"relay_user"`
}

// callback is the section; empty where there is no LIFE PAY.
func (c Config) callback() CallbackConfig {
	if c.LifePay == nil {
		return CallbackConfig{}
	}
	return c.LifePay.Callback
}

// validate tells what is wrong with the section, with the names of the file.
func (c CallbackConfig) validate() (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("lifepay.callback."+format, args...))
	}
	if c.URL == "" {
		if c != (CallbackConfig{}) {
			bad("url: name the address at which LIFE PAY reaches the listener or the relay, for example https://shop.example.ru/lp")
		}
		return errs
	}
	if err := web.CheckBase(c.URL); err != nil {
		bad("url = %q: %w", c.URL, err)
	} else if err := relay.CheckPrefix(c.prefix()); err != nil {
		bad("url = %q: %w", c.URL, err)
	}
	if c.Listen == "" && (c.CertFile != "" || c.KeyFile != "") {
		bad("cert_file and key_file belong to listen")
	}
	if c.Listen != "" {
		if err := relay.CheckListen(c.Listen, c.CertFile, c.KeyFile); err != nil {
			bad("%w", err)
		}
	}
	return errs
}

// validateWithin tells what does not go with the rest of the configuration.
func (c CallbackConfig) validateWithin(whole Config) (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("lifepay.callback."+format, args...))
	}
	if longest := len(c.base(whole.Root())) + mqtt.CallbackPathMax; longest > callbackURLMax {
		bad("url is %d characters too long: with the node's name, the token and an id LIFE PAY takes %d", longest-callbackURLMax, callbackURLMax)
	}
	_, manager := whole.Managers[c.RelayUser]
	_, terminal := whole.Terminals[c.RelayUser]
	switch {
	case c.RelayUser == "":
	case !namePattern.MatchString(c.RelayUser):
		bad("relay_user = %q: a name is 1 to 32 of a-z, 0-9 and -", c.RelayUser)
	case manager || terminal:
		bad("relay_user = %q is a manager or a terminal already: a relay has a name of its own", c.RelayUser)
	case !whole.Broker.Enabled || whole.Broker.UsersFile == "":
		bad("relay_user is a name of broker.users_file, which is not set")
	}
	return errs
}

// base is the address before {edition}/{token}/{id}; "" if nothing is called
// back.
func (c CallbackConfig) base(root string) string {
	if c.URL == "" {
		return ""
	}
	names := strings.Split(root, "/")
	return strings.TrimSuffix(c.URL, "/") + "/" + strings.Join(names[len(names)-3:], "/") + "/"
}

// prefix is the path of the url.
func (c CallbackConfig) prefix() string {
	u, err := url.Parse(strings.TrimSuffix(c.URL, "/"))
	if err != nil {
		return ""
	}
	return u.EscapedPath()
}
