//go:build !linux

package link

import "go.bug.st/serial/enumerator"

// listPorts asks the library; on Windows it reads setupapi and opens nothing.
func listPorts() ([]Port, error) {
	list, err := enumerator.GetDetailedPortsList()
	if err != nil {
		return nil, err
	}
	made := deviceNames()
	out := make([]Port, 0, len(list))
	for _, d := range list {
		p := Port{Name: d.Name, VID: d.VID, PID: d.PID, Serial: d.SerialNumber, Product: d.Product}
		p.Kind = kindOfDevice(made[d.Name], d.IsUSB)
		out = append(out, p)
	}
	return out, nil
}
