package link

import (
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// listPorts reads sysfs itself. The library's enumerator opens and closes every
// ttyS, which as root resets the settings of a port in use and drops its
// exclusive flag.
func listPorts() ([]Port, error) { return scanTTY("/sys/class/tty", "/dev") }

func scanTTY(class, dev string) ([]Port, error) {
	names := regexp.MustCompile(`^(ttyS|ttyHS|ttyUSB|ttyACM|ttyXRUSB|ttyAMA|rfcomm|ttyO|ttymxc)[0-9]+$`)
	entries, err := os.ReadDir(class)
	if err != nil {
		return nil, err
	}
	var out []Port
	for _, e := range entries {
		if !names.MatchString(e.Name()) {
			continue
		}
		dir := filepath.Join(class, e.Name())
		// A ttyS without hardware has UART type 0 ("unknown").
		if line(dir, "type") == "0" {
			continue
		}
		p := Port{Name: filepath.Join(dev, e.Name())}
		if usb := usbParent(filepath.Join(dir, "device")); usb != "" {
			p.VID = strings.ToUpper(line(usb, "idVendor"))
			p.PID = strings.ToUpper(line(usb, "idProduct"))
			p.Serial = line(usb, "serial")
			p.Product = line(usb, "product")
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// usbParent climbs from a tty's device to the USB device that owns it: ttyACM
// hangs on an interface, ttyUSB one level lower.
func usbParent(device string) string {
	const levelsMax = 4
	dir, err := filepath.EvalSymlinks(device)
	if err != nil {
		return ""
	}
	for range levelsMax {
		if line(dir, "idVendor") != "" {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

func line(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
