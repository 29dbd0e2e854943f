package daemon

import (
	"log/slog"

	"kassad/devices"
	"kassad/spool"
)

// printerMemory keeps in the journal which printer belongs to a device with
// address = "auto". There it is flushed, copied and mended with everything else,
// and is lost only together with what was printed by that printer; a file of
// its own could be forgotten in a backup, and the configuration belongs to the
// technician, who pins a printer there by serial, which wins.
type printerMemory struct {
	spool *spool.Spool
	log   *slog.Logger
}

const metaPrinter = "printer/" // and the device's name

// Recall implements devices.Memory.
func (m printerMemory) Recall(device string) (k devices.Known, ok bool) {
	err := m.spool.View(func(tx *spool.Tx) (err error) {
		ok, err = tx.Meta(metaPrinter+device, &k)
		return err
	})
	if err != nil { // it is learned again, if only one printer is there
		m.log.Warn("the printer's serial number could not be read", "device", device, "err", err)
		return devices.Known{}, false
	}
	return k, ok
}

// Remember implements devices.Memory.
func (m printerMemory) Remember(device string, k devices.Known) error {
	return m.spool.Update(func(tx *spool.Tx) error { return tx.PutMeta(metaPrinter+device, k) })
}

// newFinder makes the finder of a configuration over the seams of who tests.
func newFinder(c Config, seams devices.FinderOptions, memory devices.Memory, log *slog.Logger) (*devices.Finder, error) {
	var err error
	seams.Memory, seams.Log = memory, log
	if seams.Exclude, err = c.Ports.Exclusions(); err != nil {
		return nil, err
	}
	return devices.NewFinder(seams), nil
}

// printers tells what is known of the printers of all devices.
func (d *Daemon) printers() map[string]devices.Known {
	known := map[string]devices.Known{}
	for _, dc := range d.cfg.Devices {
		if k, ok := d.finder.Where(dc.Name); ok {
			known[dc.Name] = k
		}
	}
	return known
}
