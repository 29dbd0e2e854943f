package shtrih

import (
	"context"
	"errors"

	"kassad/fiscal"
)

// Prepare makes the device ready and reads what Find will need. It cancels
// nothing: a receipt found open is somebody else's, since a document of ours in
// doubt goes through Find first.
func (d *Driver) Prepare(ctx context.Context, doc fiscal.Document) (fiscal.Baseline, error) {
	base, err := d.prepare(ctx, doc)
	if err == nil {
		return base, nil
	}
	e := *toFiscal(err)
	var r *refusal
	if errors.As(err, &r) && e.Code.Info().Nature == fiscal.Content { // only questions were asked: it is not the document that was refused
		e.Code = fiscal.CodePrinterFault
	}
	return fiscal.Baseline{}, &e
}

func (d *Driver) prepare(ctx context.Context, doc fiscal.Document) (fiscal.Baseline, error) {
	if err := d.connect(ctx); err != nil {
		return fiscal.Baseline{}, err
	}
	full, err := d.fullStatus(ctx)
	if err != nil {
		return fiscal.Baseline{}, err
	}
	st, err := d.ready(ctx, &full.status)
	if err != nil {
		return fiscal.Baseline{}, err
	}
	if st.mode == modeDocument {
		return fiscal.Baseline{}, fiscal.Refuse(fiscal.CodeForeignReceipt, "", "a document that is not ours is open on the device")
	}
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return fiscal.Baseline{}, err
	}
	if err := d.allows(st, full, fn); err != nil {
		return fiscal.Baseline{}, err
	}
	shift, err := d.shiftState(ctx)
	if err != nil {
		return fiscal.Baseline{}, err
	}
	base := fiscal.Baseline{
		Device: d.id.serial, Storage: fn.serial, LastFD: fn.lastFD, Shift: shift.number, Receipt: shift.receipt,
		ShiftOpen: st.mode == modeShift || st.mode == modeExpired, Clock: full.clock,
	}
	if err := d.prepareVerb(ctx, doc, st, fn, &base); err != nil {
		return fiscal.Baseline{}, err
	}
	return base, nil
}

// allows checks what stands in the way of any document.
func (d *Driver) allows(st status, full fullStatus, fn fnStatus) error {
	if c := d.paperCode(st); c != "" {
		return fiscal.Refuse(c, "", "the device reports it")
	}
	if c := phaseCode(fn.phase); c != "" {
		return fiscal.Refuse(c, "", "the fiscal storage is not in fiscal mode")
	}
	if fn.document != 0 {
		return fiscal.Refuse(fiscal.CodeForeignReceipt, "", "a document that is not ours is open in the fiscal storage")
	}
	if d.clockOff(full.clock) {
		return fiscal.Refuse(fiscal.CodeClockWrong, "", "device clock "+full.clock.Format("2006-01-02 15:04:05"))
	}
	return nil
}

// prepareVerb checks the shift and reads what only some verbs need.
func (d *Driver) prepareVerb(ctx context.Context, doc fiscal.Document, st status, fn fnStatus, base *fiscal.Baseline) error {
	switch doc.Verb {
	case fiscal.VerbShiftOpen:
		switch st.mode {
		case modeExpired:
			return fiscal.Refuse(fiscal.CodeShiftExpired, "", "an expired shift is open")
		case modeShift:
			return d.already(ctx, doc, fn, base, fiscal.FormShiftOpen)
		}
		_, err := d.shiftTags(doc)
		return err
	case fiscal.VerbShiftClose:
		if st.mode == modeClosed {
			return d.already(ctx, doc, fn, base, fiscal.FormShiftClose)
		}
		if _, err := d.shiftTags(doc); err != nil {
			return err
		}
		return d.prepareClose(ctx, fn, base)
	case fiscal.VerbCashIn, fiscal.VerbCashOut:
		if st.mode == modeClosed {
			return fiscal.Refuse(fiscal.CodeShiftClosed, "", "no shift is open")
		}
		if err := d.drawerAllows(ctx, doc); err != nil {
			return err
		}
		return d.cashCounters(ctx, base)
	default:
		switch st.mode {
		case modeExpired:
			return fiscal.Refuse(fiscal.CodeShiftExpired, "", "the shift is older than 24 hours")
		case modeClosed:
			return fiscal.Refuse(fiscal.CodeShiftClosed, "", "no shift is open")
		}
		if err := d.encodable(ctx, doc); err != nil {
			return err
		}
		return d.drawerAllows(ctx, doc)
	}
}

// encodable refuses a document of which some requisite has no form on this
// device, before anything is begun.
func (d *Driver) encodable(ctx context.Context, doc fiscal.Document) error {
	if d.plainCorrection(doc) {
		_, _, err := d.planCorrection(doc)
		return err
	}
	_, err := d.planReceipt(ctx, doc)
	return err
}

// closeReadings bounds how often the figures of a shift are read while another
// program sells.
const closeReadings = 3

// prepareClose reads the whole counters, which the close will zero. They take
// many commands: a document that another program makes meanwhile would be in
// some of them only.
func (d *Driver) prepareClose(ctx context.Context, fn fnStatus, base *fiscal.Baseline) error {
	var c fiscal.Counters
	for i := 0; ; i++ {
		var err error
		if c, err = d.readCounters(ctx, fn, shiftState{open: true, number: base.Shift, receipt: base.Receipt}); err != nil {
			return err
		}
		if fn, err = d.fnStatus(ctx); err != nil {
			return err
		}
		if fn.lastFD == base.LastFD {
			break
		}
		shift, err := d.shiftState(ctx)
		if err != nil {
			return err
		}
		if i == closeReadings || !shift.open || shift.number != base.Shift || fn.serial != base.Storage {
			return fiscal.Refuse(fiscal.CodePrinterBusy, "", "another program makes documents while the figures are read")
		}
		base.LastFD, base.Receipt = fn.lastFD, shift.receipt
	}
	base.Counters = &c
	if c.CashIn != nil {
		base.CashIn = *c.CashIn
	}
	if c.CashOut != nil {
		base.CashOut = *c.CashOut
	}
	if c.Drawer != nil {
		base.Drawer = *c.Drawer
	}
	return nil
}

// already fills in the state that the document would bring about. Whose doing
// it was is not known here; the report of it tells more, if it is found.
func (d *Driver) already(ctx context.Context, doc fiscal.Document, fn fnStatus, base *fiscal.Baseline, form byte) error {
	r := d.receiptBase(doc, *base)
	r.By, r.At = "other", base.Clock
	from := fn.lastFD
	if form == fiscal.FormShiftOpen {
		if _, err := d.openedAt(ctx, fn, shiftState{open: true, number: base.Shift, receipt: base.Receipt}); err != nil {
			return err
		}
		if from = 0; d.opened.storage == fn.serial && d.opened.shift == base.Shift {
			from = d.opened.fd
		}
	}
	for i, fd := 0, from; i < openingSearch && fd > 0; i, fd = i+1, fd-1 {
		a, err := d.archivedDocument(ctx, fd)
		if optional(err) {
			break
		}
		if err != nil {
			return err
		}
		if a.form == form && a.shift == base.Shift {
			r.FD, r.Sign, r.At = a.fd, a.sign, a.at
			break
		}
	}
	base.Already = &r
	return nil
}

// receiptBase is a receipt with what is known before the document exists.
func (d *Driver) receiptBase(doc fiscal.Document, base fiscal.Baseline) fiscal.Receipt {
	r := fiscal.Receipt{
		Kind: string(doc.Verb), Device: base.Device, Storage: base.Storage, Shift: base.Shift, Registration: d.id.rnm,
		FFD: ffdName(d.id.ffd),
	}
	if doc.Verb.Receipt() {
		r.Total, r.Change = doc.Total, doc.Change
		if d.opt.Mark != MarkNone {
			r.Key = doc.Key
		}
	}
	return r
}
