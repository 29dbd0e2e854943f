package shtrih

import (
	"context"
	"fmt"

	"kassad/fiscal"
)

// shiftTags are the requisites of an opening or closing report.
func (d *Driver) shiftTags(doc fiscal.Document) ([][]byte, error) {
	t := cashierTags(doc.Cashier)
	return t.commands(fnSendTags, d.opt.Password, d.separateTags())
}

// submitShift opens or closes the shift (5.3, 5.6). The begin command is needed
// only to attach requisites; firmware without it takes none.
func (d *Driver) submitShift(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	begin, finish, form := byte(fnBeginShiftOpen), byte(cmdOpenShift), byte(fiscal.FormShiftOpen)
	if doc.Verb == fiscal.VerbShiftClose {
		begin, finish, form = fnBeginShiftEnd, cmdCloseShift, fiscal.FormShiftClose
	}
	tags, err := d.shiftTags(doc)
	if err != nil {
		return fiscal.Receipt{}, untouched(err)
	}
	if len(tags) > 0 {
		_, err := d.perform(ctx, fnCommand(begin, d.opt.Password))
		switch {
		case refusedWith(err, errUnsupported):
			tags = nil
		case err != nil:
			return fiscal.Receipt{}, d.refine(ctx, err)
		}
	}
	for _, t := range tags {
		if _, err := d.perform(ctx, t); err != nil {
			return fiscal.Receipt{}, d.abandon(ctx, err, base)
		}
	}
	data, err := d.simple(ctx, finish)
	if err != nil {
		return fiscal.Receipt{}, d.abandon(ctx, err, base)
	}
	r, err := d.completeShift(ctx, doc, base, data, form)
	if err != nil { // reported, and not told by what number: unknown, whatever failed
		e := *toFiscal(err)
		e.Outcome = fiscal.OutcomeUnknown
		return fiscal.Receipt{}, &e
	}
	return r, nil
}

// completeShift finds out what the plain answer does not say.
func (d *Driver) completeShift(ctx context.Context, doc fiscal.Document, base fiscal.Baseline, data []byte, form byte) (fiscal.Receipt, error) {
	r := d.receiptBase(doc, base)
	if form == fiscal.FormShiftOpen {
		r.Shift = base.Shift + 1
	}
	m, extended := decodeShiftReport(data)
	if extended && m.fd == base.LastFD+1 {
		r.FD, r.Sign, r.At = m.fd, m.sign, m.at
	}
	if r.FD == 0 || r.At.IsZero() || form == fiscal.FormShiftOpen {
		a, err := d.lastShiftReport(ctx, base, form)
		if err != nil {
			return fiscal.Receipt{}, err
		}
		r.FD, r.Sign, r.At, r.Shift = a.fd, a.sign, a.at, a.shift
	}
	if form == fiscal.FormShiftOpen {
		d.opened = shiftOpening{storage: base.Storage, shift: r.Shift, fd: r.FD, at: r.At}
	}
	r.Unprinted = d.unprinted(ctx)
	return r, nil
}

// lastShiftReport reads the report just made. It normally is the last document;
// a few more are looked at, should the device have added one.
func (d *Driver) lastShiftReport(ctx context.Context, base fiscal.Baseline, form byte) (archived, error) {
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return archived{}, err
	}
	for fd := fn.lastFD; fd > base.LastFD; fd-- {
		a, err := d.archivedDocument(ctx, fd)
		if err != nil {
			return archived{}, err
		}
		if a.form == form {
			return a, nil
		}
	}
	return archived{}, fmt.Errorf("report of form %d: not among the documents after %d", form, base.LastFD)
}
