package detect

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"kassad/devices/link"
)

// Exclusions are the places that nobody may look at: lines of ports.exclude.
type Exclusions []rule

// rule is one line. Exactly one of its fields says what it is about.
type rule struct {
	text    string
	pattern string   // of a port's name or lasting name, lower case
	usb     []string // VID, PID, serial number, as many as were given
	network bool
}

// ErrExclusion: a line of ports.exclude cannot be understood.
var ErrExclusion = errors.New("bad exclusion")

// excludeNetwork is the line that forbids to look for printers on networks.
const excludeNetwork = "tcp"

const exclusionBytesMax = 256

var usbID = regexp.MustCompile(`^[0-9A-F]{4}$`)

// ParseExclusions reads lines of these forms:
//
//	/dev/ttyS0, COM1             a port
//	/dev/ttyUSB*                 ports, as a shell writes them
//	/dev/serial/by-id/usb-X*     a lasting name
//	usb:VID, usb:VID:PID         USB devices of a maker, or of a model, in hex
//	usb:VID:PID:SERIAL           one of them
//	tcp                          no networks
func ParseExclusions(lines []string) (Exclusions, error) {
	var out Exclusions
	var errs []error
	for _, l := range lines {
		r, err := parseRule(l)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, r)
	}
	return out, errors.Join(errs...)
}

func parseRule(text string) (rule, error) {
	r := rule{text: text}
	bad := func(want string) (rule, error) { return r, fmt.Errorf("%w %q: want %s", ErrExclusion, text, want) }
	if len(text) > exclusionBytesMax {
		return rule{}, fmt.Errorf("%w: longer than %d bytes", ErrExclusion, exclusionBytesMax)
	}
	if rest, ok := strings.CutPrefix(text, "usb:"); ok {
		r.usb = strings.SplitN(rest, ":", 3)
		for i := range min(len(r.usb), 2) {
			if r.usb[i] = strings.ToUpper(r.usb[i]); !usbID.MatchString(r.usb[i]) {
				return bad("usb:VID, usb:VID:PID or usb:VID:PID:SERIAL with four hex digits each, as kassad ports shows them")
			}
		}
		if len(r.usb) == 3 && r.usb[2] == "" {
			return bad("a serial number after the last colon, or no colon")
		}
		return r, nil
	}
	if text == excludeNetwork {
		r.network = true
		return r, nil
	}
	r.pattern = strings.ToLower(text)
	_, err := path.Match(r.pattern, "")
	if err != nil || !strings.HasPrefix(r.pattern, "/dev/") && !strings.HasPrefix(r.pattern, "com") {
		return bad("a port (/dev/ttyS0, COM1, /dev/ttyUSB*), usb:VID:PID or tcp")
	}
	return r, nil
}

// Port returns the line that excludes p.
func (e Exclusions) Port(p link.Port) (line string, excluded bool) {
	for _, r := range e {
		if r.excludes(p) {
			return r.text, true
		}
	}
	return "", false
}

func (r rule) excludes(p link.Port) bool {
	if len(r.usb) > 0 {
		have := []string{p.VID, p.PID, p.Serial}
		for i, want := range r.usb {
			if p.VID == "" || !strings.EqualFold(have[i], want) {
				return false
			}
		}
		return true
	}
	for _, name := range []string{p.Name, p.ByID} {
		if ok, _ := path.Match(r.pattern, strings.ToLower(name)); ok && r.pattern != "" && name != "" {
			return true
		}
	}
	return false
}

// Networks returns the line that forbids networks.
func (e Exclusions) Networks() (line string, excluded bool) {
	for _, r := range e {
		if r.network {
			return r.text, true
		}
	}
	return "", false
}
