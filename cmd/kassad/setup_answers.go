package main

import (
	"fmt"
	"net"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"kassad/daemon"
	"kassad/devices"
	"kassad/mqtt"
)

// hostName is a name or an address under which a computer is reached.
var hostName = regexp.MustCompile(`^[\pL\pN]([\pL\pN.-]*[\pL\pN])?$`)

// tidy brings answers into the form of the configuration, and refuses what would
// be found out only when half is written.
func (a *setupAnswers) tidy() error {
	unfit := func(flag, value, hint string) error {
		return hinted{err: fmt.Errorf("--%s %q does not fit", flag, value), hint: hint, status: exitUsage}
	}
	a.Address = asAddress(a.Address)
	for _, h := range a.Host {
		if net.ParseIP(h) == nil && !hostName.MatchString(h) {
			return unfit("host", h, "a name or an address of this computer, without a port: till-pc, 192.168.1.5")
		}
	}
	var once []string
	for _, name := range a.Terminal {
		if !mqtt.ValidName(name) {
			return unfit("terminal", name, "a name is 1 to 32 of a-z, 0-9 and -")
		}
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	a.Terminal = once
	return nil
}

// asAddress takes what people write for a port, as kassad probe does.
func asAddress(port string) string {
	switch _, number, err := net.SplitHostPort(port); {
	case port == "", port == devices.AddressAuto, strings.Contains(port, "://"):
		return port
	case err == nil && number != "":
		return "tcp://" + port
	case strings.HasPrefix(port, "/dev/"), runtime.GOOS == "windows" && strings.HasPrefix(strings.ToUpper(port), "COM"):
		return "serial://" + port
	}
	return port
}

// otherThan names the answers that a configuration contradicts.
func (a setupAnswers) otherThan(cfg daemon.Config) (flags []string) {
	differs := func(flag, answer, is string) {
		if answer != "" && answer != is {
			flags = append(flags, fmt.Sprintf("--%s %s (%s)", flag, answer, is))
		}
	}
	differs("org", a.Org, cfg.Org)
	differs("store", a.Store, cfg.Store)
	differs("node", a.Node, cfg.Node)
	differs("data-dir", a.DataDir, cfg.DataDir)
	differs("listen", a.Listen, cfg.Broker.Listen)
	reach := reachLAN
	if isLoopbackListen(cfg.Broker.Listen) {
		reach = reachHere
	}
	differs("reach", a.Reach, reach)
	var d daemon.DeviceConfig
	if len(cfg.Devices) > 0 {
		d = cfg.Devices[0]
	}
	differs("address", a.Address, d.Address)
	differs("serial", a.Serial, d.Serial)
	if a.Taxation != "-" && a.Taxation != d.Taxation.String() {
		differs("taxation", a.Taxation, d.Taxation.String())
	}
	if a.Password != 0 && a.Password != d.Password {
		flags = append(flags, "--password") // what it is nobody reads over a shoulder
	}
	return flags
}
