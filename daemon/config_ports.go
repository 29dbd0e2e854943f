package daemon

import (
	"fmt"
	"regexp"

	"kassad/devices"
	"kassad/devices/detect"
)

// PortsConfig is what kassad may look at when it looks for a printer.
type PortsConfig struct {
	Exclude []string `toml:"exclude"` // see detect.ParseExclusions
}

// Exclusions are the places that are never looked at.
func (c PortsConfig) Exclusions() (detect.Exclusions, error) {
	e, err := detect.ParseExclusions(c.Exclude)
	if err != nil {
		return nil, fmt.Errorf("ports.exclude: %w", err)
	}
	return e, nil
}

// printerSerial is the form of a printer's own number.
var printerSerial = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)

// validatePrinters wants every device to know its printer: with two that look
// for any, chance would decide which till prints where.
func (c Config) validatePrinters() []error {
	var errs []error
	if _, err := c.Ports.Exclusions(); err != nil {
		errs = append(errs, err)
	}
	owners, seeker := map[string]string{}, ""
	for i, d := range c.Devices {
		where := fmt.Sprintf("device[%d] %q", i, d.Name)
		switch {
		case d.Serial != "" && !printerSerial.MatchString(d.Serial):
			errs = append(errs, fmt.Errorf("%s: serial = %q: the printer's own number, as kassad probe shows it", where, d.Serial))
		case d.Serial != "" && owners[d.Serial] != "":
			errs = append(errs, fmt.Errorf("%s: serial = %q is that of %q already", where, d.Serial, owners[d.Serial]))
		case d.Serial == "" && d.Address == devices.AddressAuto && seeker != "":
			errs = append(errs, fmt.Errorf("%s: address = \"auto\" stands at %q too: set the serial of each, kassad probe shows them", where, seeker))
		}
		if d.Serial != "" {
			owners[d.Serial] = d.Name
		} else if d.Address == devices.AddressAuto {
			seeker = d.Name
		}
	}
	return errs
}
