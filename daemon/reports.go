package daemon

import (
	"strings"

	"kassad/fiscal"
)

// compare puts the journal's opinion beside the device's counters and raises
// an alert that names the figures on which they disagree.
func (w *worker) compare(fn string, c *fiscal.Counters) {
	if c == nil || c.Shift == 0 || fn == "" {
		return
	}
	own, err := w.journal.shiftSums(fn, c.Shift)
	if err != nil {
		w.fail(err)
		return
	}
	c.Journal = fiscal.Compare(*c, own)
	if c.Journal.Agrees {
		w.alerts.clear(w.cfg.Name, fiscal.CodeCountersDiffer)
		return
	}
	var lines []string
	for _, d := range c.Journal.Differences {
		lines = append(lines, d.String())
	}
	w.alerts.raise(w.cfg.Name, fiscal.CodeCountersDiffer, strings.Join(lines, "; "))
}
