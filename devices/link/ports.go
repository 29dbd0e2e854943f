package link

import (
	"fmt"
	"strings"
)

// Port is a serial port found on this computer. VID and PID are upper-case
// hex; they, Serial and Product are empty for ports that are not USB.
type Port struct {
	Name    string `json:"name"`
	VID     string `json:"vid,omitempty"`
	PID     string `json:"pid,omitempty"`
	Serial  string `json:"serial,omitempty"`
	Product string `json:"product,omitempty"`
}

// Ports lists serial ports without opening any of them, so that it may be
// called while a port is in use.
func Ports() ([]Port, error) { return listPorts() }

// Resolve finds the name of the port whose USB serial number is serial. More
// than one is an error: some adapters all carry the same number.
func Resolve(serial string) (string, error) {
	ports, err := Ports()
	if err != nil {
		return "", fmt.Errorf("list ports: %w", err)
	}
	return resolve(ports, serial)
}

func resolve(ports []Port, serial string) (string, error) {
	var found []string
	for _, p := range ports {
		if p.Serial != "" && strings.EqualFold(p.Serial, serial) {
			found = append(found, p.Name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: USB serial number %s", ErrNoPort, serial)
	case 1:
		return found[0], nil
	default:
		return "", fmt.Errorf("%w: USB serial number %s is on %s", ErrAddress, serial, strings.Join(found, ", "))
	}
}
