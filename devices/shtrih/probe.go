package shtrih

import (
	"context"
	"errors"
	"log/slog"

	"kassad/devices/link"
)

// Found is a printer that answered Probe.
type Found struct {
	Address  string // for link.Open
	Model    string
	Serial   string
	Firmware string
}

// ErrNotFound: no Shtrih-M printer answers there.
var ErrNotFound = errors.New("no Shtrih-M printer answers")

// probeSpeeds are the rates of a port, the usual ones of USB first, then the
// vendor's order (1.5).
func probeSpeeds() []int { return []int{115200, 4800, 9600, 19200, 38400, 57600, 2400} }

// Probe looks for a printer on a serial port. It sends ENQ, and questions only
// to what answered it: nothing that a foreign device could take amiss.
func Probe(ctx context.Context, portName string, log *slog.Logger) (Found, error) {
	for _, baud := range probeSpeeds() {
		address := link.Address{Scheme: "serial", Name: portName, Baud: baud}.String()
		f, err := ProbeAddress(ctx, address, log)
		if err == nil || errors.Is(err, link.ErrBusy) || errors.Is(err, link.ErrNoPort) || ctx.Err() != nil {
			return f, err
		}
	}
	return Found{}, ErrNotFound
}

// ProbeAddress asks who answers at one address.
func ProbeAddress(ctx context.Context, address string, log *slog.Logger) (Found, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l, err := link.Open(ctx, address)
	if err != nil {
		return Found{}, err
	}
	f, err := probeLink(ctx, l, log)
	f.Address = address
	return f, err
}

func probeLink(ctx context.Context, l link.Link, log *slog.Logger) (Found, error) {
	d := New(Options{Logger: log, Dial: func(context.Context) (link.Link, error) { return l, nil }})
	d.c = newConn(l, log)
	d.c.enqLimit = probeENQ
	defer d.Close()
	data, err := d.do(ctx, []byte{cmdDevice})
	if err != nil {
		return Found{}, errors.Join(ErrNotFound, err)
	}
	dev, err := decodeDevice(data)
	if err != nil {
		return Found{}, errors.Join(ErrNotFound, err)
	}
	full, err := d.fullStatus(ctx)
	if err != nil {
		return Found{}, err
	}
	f := Found{Model: dev.name, Firmware: full.firmware}
	f.Serial, err = d.tableText(ctx, tableFN, fieldFNSerial)
	if optional(err) {
		err = nil
	}
	return f, err
}
