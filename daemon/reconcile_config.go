package daemon

import (
	"fmt"
	"time"

	"kassad/daemon/book"
)

// ReconcileConfig is when the journal is held against devices and clouds, and
// how a book is read.
type ReconcileConfig struct {
	At           string       `toml:"at"` // 15:04 by the computer's clock; "" is never
	OnShiftClose bool         `toml:"on_shift_close"`
	Columns      book.Columns `toml:"import_columns"` // field → title of the column
}

const (
	reconcileClock     = "15:04"
	defaultReconcileAt = "23:30"
)

func defaultReconcile() ReconcileConfig {
	return ReconcileConfig{At: defaultReconcileAt, OnShiftClose: true}
}

func (c ReconcileConfig) validate() []error {
	var errs []error
	if c.At != "" {
		if _, err := time.Parse(reconcileClock, c.At); err != nil {
			errs = append(errs, fmt.Errorf(`reconcile.at = %q: give an hour such as "23:30", or "" for never`, c.At))
		}
	}
	if err := c.Columns.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("reconcile.import_columns: %w", err))
	}
	return errs
}

// next is the next time of At after now. An hour that the day does not have,
// when clocks change, is the hour after it.
func (c ReconcileConfig) next(now time.Time) time.Time {
	clock, err := time.Parse(reconcileClock, c.At)
	if err != nil {
		return now.Add(reconcileDay) // Validate has refused it
	}
	for day := 0; ; day++ {
		at := time.Date(now.Year(), now.Month(), now.Day()+day, clock.Hour(), clock.Minute(), 0, 0, now.Location())
		if at.After(now) {
			return at
		}
	}
}
