package link

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	consoles := strings.Fields(line(filepath.Join(class, "console"), "active"))
	lasting := byID(filepath.Join(dev, "serial", "by-id"))
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
		p := Port{Name: filepath.Join(dev, e.Name()), Kind: kindOfName(e.Name())}
		p.ByID = lasting[p.Name]
		if usb := usbParent(filepath.Join(dir, "device")); usb != "" {
			p.VID = strings.ToUpper(line(usb, "idVendor"))
			p.PID = strings.ToUpper(line(usb, "idProduct"))
			p.Serial = line(usb, "serial")
			p.Product = line(usb, "product")
			if isModem(usb) {
				p.Foreign = "modem"
			}
		}
		if slices.Contains(consoles, e.Name()) {
			p.Foreign = "console"
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

func kindOfName(name string) Kind {
	switch {
	case strings.HasPrefix(name, "ttyACM"):
		return KindUSB
	case strings.HasPrefix(name, "ttyUSB"), strings.HasPrefix(name, "ttyXRUSB"):
		return KindAdapter
	case strings.HasPrefix(name, "rfcomm"):
		return KindBluetooth
	default:
		return KindLine
	}
}

// byID reads udev's names of ports that stay with the device.
func byID(dir string) map[string]string {
	names := map[string]string{}
	entries, _ := os.ReadDir(dir) // none: no USB port, or no udev
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if target, err := os.Readlink(path); err == nil {
			names[filepath.Join(dir, target)] = path
		}
	}
	return names
}

// modemDrivers are drivers of the kernel that serve cellular modems only. A USB
// device with one of them on any of its interfaces is a modem, whatever its
// serial ports look like.
var modemDrivers = []string{"option", "sierra", "sierra_net", "qcserial", "qmi_wwan", "cdc_mbim", "cdc_wdm", "huawei_cdc_ncm", "hso", "ipw"}

func isModem(usb string) bool {
	drivers, _ := filepath.Glob(filepath.Join(usb, "*:*", "driver")) // the pattern is good
	return slices.ContainsFunc(drivers, func(link string) bool {
		target, err := os.Readlink(link)
		return err == nil && slices.Contains(modemDrivers, filepath.Base(target))
	})
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
