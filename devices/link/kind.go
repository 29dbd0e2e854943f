package link

import "strings"

// kindOfDevice reads what Windows calls the device of a port. The names are
// those of Microsoft's drivers; an unknown one is a line of unknown kind.
func kindOfDevice(device string, usb bool) Kind {
	device = strings.ToLower(device)
	switch {
	case strings.Contains(device, "rdpdr"), strings.Contains(device, "tsclient"):
		return KindRemote
	case strings.Contains(device, "bthmodem"):
		return KindBluetooth
	case strings.Contains(device, "usbser"):
		return KindUSB
	case usb:
		return KindAdapter
	default:
		return KindLine
	}
}
