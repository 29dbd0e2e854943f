package shtrih

import (
	"context"
	"errors"
	"fmt"

	"kassad/fiscal"
)

// Submit makes the document. Up to the last command everything can be undone
// and is: then the error is a proven rejection. After the last command was sent,
// only an answer or the fiscal storage may tell.
func (d *Driver) Submit(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	r, err := d.submit(ctx, doc, base)
	if err != nil {
		return fiscal.Receipt{}, toFiscal(err)
	}
	return r, nil
}

func (d *Driver) submit(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	if err := d.connect(ctx); err != nil {
		e := toFiscal(err)
		e.Outcome = fiscal.OutcomeUnreachable // only questions were asked so far
		return fiscal.Receipt{}, e
	}
	if d.id.serial != base.Device {
		return fiscal.Receipt{}, &fiscal.Error{
			Code: fiscal.CodeOtherStorage, Detail: "register " + d.id.serial + " answers, " + base.Device + " was asked before",
			Outcome: fiscal.OutcomeUnreachable,
		}
	}
	for {
		r, err := d.submitVerb(ctx, doc, base)
		if !errors.Is(err, errAgain) {
			return r, err
		}
	}
}

func (d *Driver) submitVerb(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	switch {
	case doc.Verb == fiscal.VerbShiftOpen || doc.Verb == fiscal.VerbShiftClose:
		return d.submitShift(ctx, doc, base)
	case doc.Verb == fiscal.VerbCashIn || doc.Verb == fiscal.VerbCashOut:
		return d.submitCash(ctx, doc, base)
	case d.plainCorrection(doc):
		return d.submitCorrection(ctx, doc, base)
	case doc.Verb.Receipt():
		return d.submitReceipt(ctx, doc, base)
	default:
		return fiscal.Receipt{}, fiscal.Refuse(fiscal.CodeUnsupported, "", "no document verb: "+string(doc.Verb))
	}
}

// submitReceipt is 5.4.
func (d *Driver) submitReceipt(ctx context.Context, doc fiscal.Document, base fiscal.Baseline) (fiscal.Receipt, error) {
	p, err := d.planReceipt(ctx, doc)
	if err != nil {
		return fiscal.Receipt{}, untouched(err)
	}
	if err := d.skipPrint(ctx, doc.NoPrint); err != nil {
		return fiscal.Receipt{}, untouched(err)
	}
	if _, err := d.perform(ctx, p.open); err != nil {
		return fiscal.Receipt{}, d.unopened(ctx, err)
	}
	keyed, err := d.sendKey(ctx, p.key)
	if err == nil {
		err = d.fill(ctx, p)
	}
	if err != nil {
		return fiscal.Receipt{}, d.abandon(ctx, err, base)
	}
	data, err := d.closeReceipt(ctx, p.close)
	if err != nil {
		return fiscal.Receipt{}, d.abandon(ctx, err, base)
	}
	m, err := decodeClose(data)
	if err != nil {
		return fiscal.Receipt{}, err // closed, but not told: unknown
	}
	d.id.skipping = false // the device has used it up
	r := d.receiptBase(doc, base)
	r.Change = m.change
	if !keyed {
		r.Key = ""
	}
	return d.complete(ctx, doc, r, m, base)
}

// unopened is the end of a receipt whose opening was refused. It has opened
// nothing: what is open, if the refusal says so, is not ours. But a damaged answer
// may read as any other refusal; then what is open is looked at by Find.
func (d *Driver) unopened(ctx context.Context, cause error) error {
	e := *toFiscal(d.refine(ctx, cause))
	if e.Outcome == fiscal.OutcomeRejected && e.Code != fiscal.CodeForeignReceipt && e.Code != fiscal.CodePrinterBusy {
		if st, err := d.shortStatus(ctx); err != nil || st.mode == modeDocument {
			d.log.Warn("a refusal is not believed", "because", cause, "err", err)
			e.Outcome = fiscal.OutcomeUnknown
		}
	}
	return &e
}

// sendKey sends our key where it is a requisite of its own. A device or a
// storage that refuses it gets the document without: then a doubt about this
// document is for a person, no more.
func (d *Driver) sendKey(ctx context.Context, commands [][]byte) (keyed bool, err error) {
	for _, m := range commands {
		_, err := d.perform(ctx, m)
		var r *refusal
		if errors.As(err, &r) && vendorErrorOf(r.Code).Code == fiscal.CodeDeviceRefused {
			d.log.Warn("the device does not take our key", "err", err)
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// fill registers everything and compares the subtotal with ours: the last
// chance to notice that the device has understood something else.
func (d *Driver) fill(ctx context.Context, p plan) error {
	for _, step := range p.steps {
		if _, err := d.perform(ctx, step); err != nil {
			return err
		}
	}
	sum, err := d.subtotal(ctx)
	if err != nil {
		return err
	}
	if sum != p.total {
		return fiscal.Refuse(fiscal.CodeDeviceRefused, "total", fmt.Sprintf("the device counts %s, the document says %s", sum, p.total))
	}
	return nil
}

func (d *Driver) subtotal(ctx context.Context) (fiscal.Money, error) {
	data, err := d.perform(ctx, command(cmdSubtotal, d.opt.Password))
	if err != nil {
		return 0, err
	}
	if err := need("89h", data, 1+moneyBytes); err != nil {
		return 0, err
	}
	return moneyAt(data, 1), nil
}

// closeReceipt sends FF76, or FF45 where the device says that it does not know
// FF76: "unknown command" is without effect.
func (d *Driver) closeReceipt(ctx context.Context, c closing) ([]byte, error) {
	if !d.id.oldClose {
		data, err := d.perform(ctx, encodeClose3(d.opt.Password, c))
		if !refusedWith(err, errUnsupported) {
			return data, err
		}
		d.id.oldClose = true
	}
	return d.perform(ctx, encodeClose(d.opt.Password, c))
}

// complete adds what the closing answer did not say. The document exists, and
// the one error is that the answer names another: an LRC of one byte lets two
// damaged bytes pass, and an answer of before may come late. Then the storage is
// asked as after any doubt.
func (d *Driver) complete(ctx context.Context, doc fiscal.Document, r fiscal.Receipt, m made, base fiscal.Baseline) (fiscal.Receipt, error) {
	r.FD, r.Sign, r.At = m.fd, m.sign, m.at
	if r.At.IsZero() || m.fd != base.LastFD+1 { // documents of another program may stand between
		a, err := d.archivedDocument(ctx, m.fd)
		switch {
		case err == nil && m.fd > base.LastFD && a.sign == m.sign && a.total == doc.Total && a.kind == doc.Kind:
			r.At = a.at
		case err == nil || m.fd != base.LastFD+1:
			return fiscal.Receipt{}, fmt.Errorf("the device names document %d with sign %d, which is not the one that it has made after %d", m.fd, m.sign, base.LastFD)
		default:
			d.log.Warn("time of the document", "fd", r.FD, "err", err)
			r.At = base.Clock
		}
	}
	r.Shift, r.Number = base.Shift, base.Receipt+1
	if m.receipt != 0 {
		r.Number = m.receipt
	}
	if s, err := d.shiftState(ctx); err == nil {
		r.Shift, r.Number = s.number, s.receipt
	} else {
		d.log.Warn("shift and receipt number after the document", "fd", r.FD, "err", err)
	}
	r.Unprinted = d.unprinted(ctx)
	return r, nil
}

// unprinted tells whether paper is owed.
func (d *Driver) unprinted(ctx context.Context) bool {
	st, err := d.shortStatus(ctx)
	if err != nil {
		return false
	}
	return st.submode == submodePaperOut || st.submode == submodePaperEnded || st.submode == submodeContinue
}

// untouched makes err an error that proves that nothing was begun.
func untouched(err error) error {
	e := *toFiscal(err)
	if e.Outcome == fiscal.OutcomeUnknown {
		e.Outcome = fiscal.OutcomeUnreachable
	}
	return &e
}

// refine looks at the mode after a refusal that says no more than "not now",
// which has many reasons (4.1, 72h and 73h).
func (d *Driver) refine(ctx context.Context, err error) error {
	if !refusedWith(err, errSubmode, errMode, errReceiptClosed, 0x02, 0x0A) {
		return err
	}
	st, e := d.shortStatus(ctx)
	if e != nil {
		return err
	}
	f := *toFiscal(err)
	switch {
	case st.submode == submodePaperOut || st.submode == submodePaperEnded:
		f.Code = d.paperOrOut(st)
	case st.mode == modeExpired:
		f.Code = fiscal.CodeShiftExpired
	case st.mode == modeClosed:
		f.Code = fiscal.CodeShiftClosed
	case st.mode == modeDocument:
		f.Code = fiscal.CodeForeignReceipt
	case st.mode == modeDate:
		f.Code = fiscal.CodeClockWrong
	}
	return &f
}

// abandon undoes the receipt that this call has opened and proves that no
// document was made. If that cannot be done, the error says unknown and Find
// will tell. errAgain says that the same document may be sent another way.
func (d *Driver) abandon(ctx context.Context, cause error, base fiscal.Baseline) error {
	e := *toFiscal(cause)
	var lost *linkError
	if errors.As(cause, &lost) || e.Outcome == fiscal.OutcomeUnknown {
		// Something may still be executing, or the storage itself has failed:
		// then nothing may be cancelled (4.1, 03h).
		e.Outcome = fiscal.OutcomeUnknown
		return &e
	}
	if refusedWith(cause, errSubmode, errMode) {
		if refined := toFiscal(d.refine(ctx, cause)); refined.Code != fiscal.CodeForeignReceipt {
			e.Code = refined.Code // an open receipt here is our own
		}
	}
	if err := d.undo(ctx, base); err != nil {
		d.log.Warn("own receipt not cancelled", "err", err, "because", cause)
		e.Outcome = fiscal.OutcomeUnknown
		return &e
	}
	if d.adapt(cause) {
		return errAgain
	}
	e.Outcome = fiscal.OutcomeRejected
	return &e
}

var errMoved = errors.New("the last document number has changed")

// undo cancels the receipt and what is begun in the storage, and reads back
// that the last document is still the one before.
func (d *Driver) undo(ctx context.Context, base fiscal.Baseline) error {
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return err
	}
	if fn.serial != base.Storage || fn.lastFD != base.LastFD {
		return errMoved
	}
	st, err := d.shortStatus(ctx)
	if err != nil {
		return err
	}
	if st.mode == modeDocument {
		if _, err := d.perform(ctx, command(cmdCancel, d.opt.Password)); err != nil && !refusedWith(err, errReceiptClosed, errMode) {
			return fmt.Errorf("cancel receipt: %w", err)
		}
	}
	if fn, err = d.fnStatus(ctx); err != nil {
		return err
	}
	if fn.document != 0 {
		if _, err := d.perform(ctx, fnCommand(fnCancel, d.opt.Password)); err != nil {
			return fmt.Errorf("cancel document: %w", err)
		}
		if fn, err = d.fnStatus(ctx); err != nil {
			return err
		}
	}
	if st, err = d.shortStatus(ctx); err != nil {
		return err
	}
	switch {
	case st.mode == modeDocument || fn.document != 0:
		return errors.New("a document is still open")
	case fn.serial != base.Storage || fn.lastFD != base.LastFD:
		return errMoved
	}
	return nil
}

// skipPrint makes the device keep the next document to itself (table 17 "do not
// print": 1 is one document), or takes that back if a receipt that was to be
// skipped was not made. A device without such a field prints: paper too many
// harms nobody.
func (d *Driver) skipPrint(ctx context.Context, skip bool) error {
	if skip == d.id.skipping {
		return nil
	}
	if d.id.noPrint == nil {
		field, err := d.findField(ctx, tableRegional, fieldNoPrint, isNoPrintName)
		if err != nil {
			return err
		}
		d.id.noPrint = &field
	}
	if *d.id.noPrint == 0 {
		return nil
	}
	value := byte(0)
	if skip {
		value = 1
	}
	_, err := d.perform(ctx, encodeWriteTable(d.opt.Password, tableRegional, 1, *d.id.noPrint, []byte{value}))
	if optional(err) {
		d.log.Warn("printing cannot be suppressed", "err", err)
		return nil
	}
	if err == nil {
		d.id.skipping = skip
	}
	return err
}
