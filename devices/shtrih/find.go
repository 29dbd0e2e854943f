package shtrih

import (
	"context"
	"errors"
	"fmt"

	"kassad/fiscal"
)

// scanMax bounds the documents looked at between the baseline and now. More
// than this means that much else has happened: a person decides.
const scanMax = 1000

// Find tells whether the document of ref exists (5.8 R1–R6). It asks the
// fiscal storage, never the link. What Submit left open and is provably ours is
// cancelled; nothing else is.
func (d *Driver) Find(ctx context.Context, ref fiscal.Ref) (fiscal.Verdict, error) {
	v, err := d.find(ctx, ref)
	if err == nil && (v.Finding == fiscal.Foreign || v.Finding == fiscal.OtherStorage) {
		v, err = d.confirmDoubt(ctx, ref, v)
	}
	if errors.Is(err, errExecuting) {
		return fiscal.Verdict{Finding: fiscal.Busy}, nil
	}
	if err != nil {
		return fiscal.Verdict{}, toFiscal(err)
	}
	return v, nil
}

// confirmDoubt looks once more before a person is called: the LRC of one byte
// lets some damaged answers pass.
func (d *Driver) confirmDoubt(ctx context.Context, ref fiscal.Ref, was fiscal.Verdict) (fiscal.Verdict, error) {
	is, err := d.find(ctx, ref)
	if err == nil && (is.Finding != was.Finding || is.Code != was.Code || len(is.Documents) != len(was.Documents)) {
		return fiscal.Verdict{Finding: fiscal.Busy}, nil
	}
	return is, err
}

func (d *Driver) find(ctx context.Context, ref fiscal.Ref) (fiscal.Verdict, error) {
	if err := d.connect(ctx); err != nil { // R1; pending answers are taken on the way
		return fiscal.Verdict{}, err
	}
	fn, err := d.fnStatus(ctx) // R3; R6 leaves here as an error
	if err != nil {
		return fiscal.Verdict{}, err
	}
	base := ref.Baseline
	switch {
	case fn.serial != base.Storage || d.id.serial != base.Device:
		return fiscal.Verdict{Finding: fiscal.OtherStorage, Code: fiscal.CodeOtherStorage}, nil
	case fn.lastFD < base.LastFD:
		return fiscal.Verdict{Finding: fiscal.Foreign, Code: fiscal.CodeNeedsPerson}, nil
	case fn.lastFD-base.LastFD > scanMax:
		return fiscal.Verdict{Finding: fiscal.Foreign, Code: fiscal.CodeNeedsPerson}, nil
	}
	if v, done, err := d.search(ctx, ref, fn.lastFD); err != nil || done {
		return v, err
	}
	if ref.StorageFailed { // 5.8 fact 7: not repeated, not cancelled
		return fiscal.Verdict{}, fiscal.Refuse(fiscal.CodeFNFault, "", "the storage failed in the middle of the document")
	}
	return d.absent(ctx, ref, fn.lastFD)
}

// search looks for the document after the baseline. done is false if it is not
// there, which does not prove yet that it will not be.
func (d *Driver) search(ctx context.Context, ref fiscal.Ref, last uint32) (v fiscal.Verdict, done bool, err error) {
	switch ref.Document.Verb {
	case fiscal.VerbShiftOpen:
		return d.searchShift(ctx, ref, last, fiscal.FormShiftOpen, ref.Baseline.Shift+1)
	case fiscal.VerbShiftClose:
		return d.searchShift(ctx, ref, last, fiscal.FormShiftClose, ref.Baseline.Shift)
	case fiscal.VerbCashIn, fiscal.VerbCashOut:
		return d.searchCash(ctx, ref)
	default:
		return d.searchReceipt(ctx, ref, last)
	}
}

// searchReceipt is R4: a document is ours if key, kind and total agree. One
// that agrees in all but the key may be ours without its key, and one with the
// key and another total may be anything: both need a person. Without a key in
// our documents so does any receipt of another program beside ours.
func (d *Driver) searchReceipt(ctx context.Context, ref fiscal.Ref, last uint32) (fiscal.Verdict, bool, error) {
	doc := ref.Document
	marked := d.opt.Mark != MarkNone && doc.Key != ""
	var ours, doubtful []fiscal.ArchivedDocument
	keys := 0 // documents with our key
	for fd := ref.Baseline.LastFD + 1; fd <= last; fd++ {
		a, err := d.archivedDocument(ctx, fd)
		if err != nil {
			return fiscal.Verdict{}, false, fmt.Errorf("document %d: %w", fd, err)
		}
		if !a.receipt() && !a.correction() {
			continue
		}
		same := a.kind == doc.Kind && a.total == doc.Total && a.correction() == (doc.Correction != nil)
		full, err := d.withTags(ctx, a)
		if err != nil {
			return fiscal.Verdict{}, false, fmt.Errorf("document %d: %w", fd, err)
		}
		keyed := marked && full.Key == doc.Key
		if keyed {
			keys++
		}
		switch {
		case same && (keyed || !marked):
			ours = append(ours, full)
		case same || keyed || !marked || !full.Full:
			doubtful = append(doubtful, full)
		}
	}
	switch {
	case len(ours) == 1 && (keys == 1 || len(doubtful) == 0): // with the key, a twin of another program is no doubt
		if keys == 0 {
			if v, open, err := d.anyOpen(ctx, ours[0]); err != nil || open {
				return v, true, err
			}
		}
		return fiscal.Verdict{Finding: fiscal.Made, Receipt: d.foundReceipt(ctx, ref, ours[0])}, true, nil
	case len(ours)+len(doubtful) > 0:
		return fiscal.Verdict{
			Finding: fiscal.Foreign, Code: fiscal.CodeClosedByOther, Documents: append(ours, doubtful...),
		}, true, nil
	}
	return fiscal.Verdict{}, false, nil
}

// anyOpen is asked before a document is believed that only kind and total call
// ours. A receipt that is open on the device may be ours still, and the document
// another program's twin of it: that is for a person.
func (d *Driver) anyOpen(ctx context.Context, found fiscal.ArchivedDocument) (v fiscal.Verdict, open bool, err error) {
	st, err := d.shortStatus(ctx)
	switch {
	case err != nil || st.mode != modeDocument:
		return fiscal.Verdict{}, false, err
	case !settled(st): // a close may still be executing
		return fiscal.Verdict{Finding: fiscal.Busy}, true, d.unblock(ctx, st)
	}
	return fiscal.Verdict{Finding: fiscal.Foreign, Code: fiscal.CodeClosedByOther, Documents: []fiscal.ArchivedDocument{found}}, true, nil
}

func (d *Driver) foundReceipt(ctx context.Context, ref fiscal.Ref, a fiscal.ArchivedDocument) fiscal.Receipt {
	r := d.receiptBase(ref.Document, ref.Baseline)
	r.FD, r.Sign, r.At = a.FD, a.Sign, a.At
	if a.Shift != 0 {
		r.Shift = a.Shift
	}
	r.Number = a.Number
	if r.Number == 0 {
		r.Number = ref.Baseline.Receipt + 1
	}
	r.Unprinted = d.finishPrint(ctx)
	return r
}

// finishPrint continues an interrupted print, now that it is decided whose it
// is (5.8 R2), and tells whether paper is still owed.
func (d *Driver) finishPrint(ctx context.Context) bool {
	st, err := d.shortStatus(ctx)
	if err != nil {
		return false
	}
	if st.submode == submodeContinue {
		if _, err := d.do(ctx, command(cmdContinue, d.opt.Password)); err != nil {
			d.log.Warn("continue printing", "err", err)
			return true
		}
		return false
	}
	return st.submode == submodePaperOut || st.submode == submodePaperEnded
}

// searchShift looks for the report of the shift in question. Whoever made it,
// the state is reached.
func (d *Driver) searchShift(ctx context.Context, ref fiscal.Ref, last uint32, form byte, shift uint32) (fiscal.Verdict, bool, error) {
	for fd := ref.Baseline.LastFD + 1; fd <= last; fd++ {
		a, err := d.archivedDocument(ctx, fd)
		if err != nil {
			return fiscal.Verdict{}, false, fmt.Errorf("document %d: %w", fd, err)
		}
		if a.form != form || a.shift != shift {
			continue
		}
		r := d.receiptBase(ref.Document, ref.Baseline)
		r.FD, r.Sign, r.At, r.Shift = a.fd, a.sign, a.at, a.shift
		if fd != ref.Baseline.LastFD+1 {
			r.By = "other" // documents stand between the baseline and this report
		}
		r.Unprinted = d.finishPrint(ctx)
		return fiscal.Verdict{Finding: fiscal.Made, Receipt: r}, true, nil
	}
	return fiscal.Verdict{}, false, nil
}

// searchCash compares the drawer's counters with the baseline (5.8, table): one
// more and our sum more is done; unchanged is not done; anything else, or
// another shift, is for a person.
func (d *Driver) searchCash(ctx context.Context, ref fiscal.Ref) (fiscal.Verdict, bool, error) {
	shift, err := d.shiftState(ctx)
	if err != nil {
		return fiscal.Verdict{}, false, err
	}
	foreign := fiscal.Verdict{Finding: fiscal.Foreign, Code: fiscal.CodeClosedByOther}
	if shift.number != ref.Baseline.Shift || shift.open != ref.Baseline.ShiftOpen {
		return foreign, true, nil
	}
	var now fiscal.Baseline
	if err := d.cashCounters(ctx, &now); err != nil {
		return fiscal.Verdict{}, false, err
	}
	was, is, otherWas, otherIs := ref.Baseline.CashIn, now.CashIn, ref.Baseline.CashOut, now.CashOut
	if ref.Document.Verb == fiscal.VerbCashOut {
		was, is, otherWas, otherIs = otherWas, otherIs, was, is
	}
	switch {
	case otherWas != otherIs:
		return foreign, true, nil
	case is.Count == was.Count+1 && is.Total == was.Total+ref.Document.Amount:
		r := d.cashReceipt(ctx, ref.Document, ref.Baseline)
		r.Drawer = &now.Drawer
		r.Unprinted = d.finishPrint(ctx)
		return fiscal.Verdict{Finding: fiscal.Made, Receipt: r}, true, nil
	case is == was:
		return fiscal.Verdict{}, false, nil
	default:
		return foreign, true, nil
	}
}

// absent is R5: nothing of ours stands in the storage up to last. That becomes
// a proof only when the device has been seen idle twice and the storage, read
// again, has not moved: a close still executing shows the old number.
func (d *Driver) absent(ctx context.Context, ref fiscal.Ref, last uint32) (fiscal.Verdict, error) {
	busy := fiscal.Verdict{Finding: fiscal.Busy}
	first, err := d.shortStatus(ctx)
	if err != nil {
		return fiscal.Verdict{}, err
	}
	if !settled(first) {
		return busy, d.unblock(ctx, first)
	}
	if err := pause(ctx, d.opt.QuietTime); err != nil {
		return fiscal.Verdict{}, err
	}
	second, err := d.shortStatus(ctx)
	if err != nil {
		return fiscal.Verdict{}, err
	}
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return fiscal.Verdict{}, err
	}
	if !settled(second) || second.mode != first.mode || fn.serial != ref.Baseline.Storage || fn.lastFD != last {
		return busy, nil // something happens: look again from the beginning
	}
	if isCash(ref.Document.Verb) { // the counters are cash's storage
		if v, done, err := d.searchCash(ctx, ref); err != nil || done {
			return v, err
		}
	}
	if second.mode == modeDocument || fn.document != 0 {
		if v, err := d.clear(ctx, ref, second, fn); err != nil || v.Finding != 0 {
			return v, err
		}
	}
	if ref.Document.NoPrint {
		d.id.skipping = true // perhaps: take it back
		if err := d.skipPrint(ctx, false); err != nil {
			return fiscal.Verdict{}, err
		}
	}
	return fiscal.Verdict{Finding: fiscal.Absent}, nil
}

func isCash(v fiscal.Verb) bool { return v == fiscal.VerbCashIn || v == fiscal.VerbCashOut }

// settled tells whether nothing is being executed or printed. Paper missing
// while nothing prints is as idle as it gets.
func settled(st status) bool {
	if st.submode != submodeIdle && st.submode != submodePaperOut {
		return false
	}
	switch st.mode {
	case modeShift, modeExpired, modeClosed, modeDocument:
		return true
	default:
		return false
	}
}

// unblock helps a device out of a state in which nothing can be decided: paper
// that is back is printed on, an interrupted reading is ended. Missing paper is
// reported, so that the cashier knows what to do.
func (d *Driver) unblock(ctx context.Context, st status) error {
	switch {
	case st.submode == submodeContinue:
		_, err := d.do(ctx, command(cmdContinue, d.opt.Password))
		if refusedWith(err, errPrinting) {
			return nil
		}
		return err
	case st.submode == submodePaperEnded:
		return fiscal.Refuse(d.paperOrOut(st), "", "the device waits for paper")
	case st.submode == submodeIdle && st.mode == modeData:
		return d.endData(ctx)
	case st.submode == submodeIdle && (st.mode == modeDate || st.mode == modeBlocked || st.mode == modeReset):
		_, err := d.settleMode(ctx, st)
		return err
	}
	return nil
}

// clear cancels what Submit has left open. The zero Verdict means that nothing
// is open any more and the storage has not moved.
func (d *Driver) clear(ctx context.Context, ref fiscal.Ref, st status, fn fnStatus) (fiscal.Verdict, error) {
	ours, err := d.provablyOurs(ctx, ref.Document, st, fn)
	if err != nil {
		return fiscal.Verdict{}, err
	}
	if !ours {
		return fiscal.Verdict{Finding: fiscal.Foreign, Code: fiscal.CodeForeignReceipt}, nil
	}
	base := ref.Baseline
	base.LastFD = fn.lastFD // other documents may stand between, all looked at
	err = d.undo(ctx, base)
	switch {
	case err == nil:
		return fiscal.Verdict{}, nil
	case errors.Is(err, errMoved):
		return fiscal.Verdict{Finding: fiscal.Busy}, nil
	case refusedWith(err, errOtherOperator):
		return fiscal.Verdict{Finding: fiscal.Foreign, Code: fiscal.CodeForeignReceipt}, nil
	default:
		return fiscal.Verdict{}, err
	}
}

// provablyOurs tells whether the open document can only be the one that Submit
// began: the baseline found nothing open, and kind, number of lines and
// subtotal are those of our first lines.
func (d *Driver) provablyOurs(ctx context.Context, doc fiscal.Document, st status, fn fnStatus) (bool, error) {
	if st.mode != modeDocument {
		// Begun in the storage only: a report's or a plain correction's begin.
		switch doc.Verb {
		case fiscal.VerbShiftOpen:
			return fn.document == 0x02, nil
		case fiscal.VerbShiftClose:
			return fn.document == 0x08, nil
		case fiscal.VerbCorrection:
			return fn.document == 0x14 && d.plainCorrection(doc), nil
		default:
			// A receipt in the storage whose device part is gone (power, 5.8
			// fact 1) has no content to compare; it cannot be closed any more.
			return fn.document == 0x04 && doc.Verb.Receipt(), nil
		}
	}
	if !doc.Verb.Receipt() || d.plainCorrection(doc) {
		return false, nil
	}
	// UNVERIFIED: the mode byte of a correction receipt (7.8); its type bits
	// are compared without the 80h.
	if st.document&0x03 != receiptType(doc.Kind) || st.document >= documentNonFiscal && doc.Correction == nil {
		return false, nil
	}
	if st.operations > len(doc.Lines) {
		return false, nil
	}
	var want fiscal.Money
	for _, l := range doc.Lines[:st.operations] {
		want += l.Sum
	}
	sum, err := d.subtotal(ctx)
	var r *refusal
	if errors.As(err, &r) {
		return false, nil
	}
	return err == nil && sum == want, err
}
