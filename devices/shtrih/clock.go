package shtrih

import (
	"context"
	"time"

	"kassad/fiscal"
)

// SetClock sets date and time (3.4). It is refused while a shift is open, and
// for a time before the last document of the storage, which could not be made
// good again.
func (d *Driver) SetClock(ctx context.Context, wall time.Time) error {
	if err := d.setClock(ctx, wallClock(wall)); err != nil {
		return toFiscal(err)
	}
	return nil
}

func (d *Driver) setClock(ctx context.Context, wall time.Time) error {
	if err := d.connect(ctx); err != nil {
		return err
	}
	full, err := d.fullStatus(ctx)
	if err != nil {
		return err
	}
	if full.mode != modeClosed && full.mode != modeDate {
		return fiscal.Refuse(fiscal.CodePrinterBusy, "", "the clock can be set only while the shift is closed")
	}
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return err
	}
	if wall.Before(fn.lastAt) {
		return fiscal.Refuse(fiscal.CodeClockWrong, "", "the last document is of "+fn.lastAt.Format("2006-01-02 15:04"))
	}
	if full.mode == modeDate { // an earlier setting was interrupted: end it first
		if _, err := d.perform(ctx, encodeDate(cmdConfirmDate, d.opt.Password, full.clock)); err != nil {
			return err
		}
	}
	if !sameDay(full.clock, wall) {
		if _, err := d.perform(ctx, encodeDate(cmdSetDate, d.opt.Password, wall)); err != nil {
			return err
		}
		if _, err := d.perform(ctx, encodeDate(cmdConfirmDate, d.opt.Password, wall)); err != nil {
			return err
		}
	}
	_, err = d.perform(ctx, encodeTime(d.opt.Password, wall))
	return err
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}
