package daemon

import (
	"fmt"
	"slices"
	"time"
)

// RouteConfig is an ordered list of backends for receipts (design 6).
type RouteConfig struct {
	Name     string   `toml:"name"`
	Backends []string `toml:"backends"`
	// FallbackAfter is how long a backend may be away, or refuse for a
	// condition, before its receipts go to the next one.
	FallbackAfter Duration `toml:"fallback_after"`
	// NoContact says what becomes of a receipt without the buyer's phone or
	// e-mail while only clouds could make it: spool (it waits for a printer) or
	// refuse.
	NoContact string `toml:"no_contact"`
}

// Values of route.no_contact.
const (
	NoContactSpool  = "spool"
	NoContactRefuse = "refuse"
)

const defaultFallback = Duration(30 * time.Second)

func (r *RouteConfig) fill() {
	if r.FallbackAfter == 0 {
		r.FallbackAfter = defaultFallback
	}
	if r.NoContact == "" {
		r.NoContact = NoContactSpool
	}
}

// DefaultRoute is the name of the route that a command without one takes.
const DefaultRoute = "default"

// route finds a route by name. A backend is a route of one under its own name,
// and the only backend is the default route.
func (c Config) route(name string) (RouteConfig, bool) {
	i := slices.IndexFunc(c.Routes, func(r RouteConfig) bool { return r.Name == name })
	if i >= 0 {
		return c.Routes[i], true
	}
	all := c.Backends()
	switch {
	case slices.Contains(all, name):
		return RouteConfig{Name: name, Backends: []string{name}, FallbackAfter: defaultFallback, NoContact: NoContactSpool}, true
	case name == DefaultRoute && len(all) == 1:
		return RouteConfig{Name: name, Backends: all, FallbackAfter: defaultFallback, NoContact: NoContactSpool}, true
	}
	return RouteConfig{}, false
}

// routes are all routes by name, for who asks often.
func (c Config) routes() map[string]RouteConfig {
	all := map[string]RouteConfig{}
	for _, name := range c.Backends() {
		all[name], _ = c.route(name)
	}
	for _, r := range c.Routes {
		all[r.Name] = r
	}
	if r, ok := c.route(DefaultRoute); ok {
		all[DefaultRoute] = r
	}
	return all
}

// Backends are the devices and clouds, in the order of the file.
func (c Config) Backends() []string {
	var names []string
	for _, d := range c.Devices {
		names = append(names, d.Name)
	}
	if c.LifePay != nil {
		names = append(names, CloudLifePay)
	}
	if c.BIFIT != nil {
		names = append(names, CloudBIFIT)
	}
	return names
}

func (c Config) hasBackend(name string) bool { return slices.Contains(c.Backends(), name) }

func (c Config) validateRoutes() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	seen := map[string]bool{}
	for i, r := range c.Routes {
		where := fmt.Sprintf("route[%d] %q", i, r.Name)
		if !namePattern.MatchString(r.Name) || seen[r.Name] {
			bad("%s: a name is 1 to 32 of a-z, 0-9 and -, each once", where)
		}
		seen[r.Name] = true
		if c.hasBackend(r.Name) {
			bad("%s: a device or cloud has this name", where)
		}
		if len(r.Backends) == 0 {
			bad("%s: backends is empty: name the devices and clouds to try, in order", where)
		}
		for j, b := range r.Backends {
			if !c.hasBackend(b) {
				bad("%s: there is no device or cloud %q; a cloud needs its section [lifepay] or [bifit]", where, b)
			}
			if slices.Contains(r.Backends[:j], b) {
				bad("%s: %q stands twice", where, b)
			}
		}
		if r.NoContact != NoContactSpool && r.NoContact != NoContactRefuse {
			bad("%s: no_contact = %q: %s or %s", where, r.NoContact, NoContactSpool, NoContactRefuse)
		}
	}
	return errs
}
