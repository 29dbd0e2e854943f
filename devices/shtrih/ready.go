package shtrih

import (
	"context"
	"errors"
	"time"

	"kassad/fiscal"
)

const (
	readyPollFirst   = 20 * time.Millisecond // a line is printed in less
	readyPollMax     = 500 * time.Millisecond
	continueAttempts = 3
	dumpReadsMax     = 4096
)

// ready waits until the device can take a printing command (5.1). first, if
// given, is a status just read. It returns the last status: mode 8, an open
// document, is ready too; the caller decides what that means. It never cancels
// anything.
func (d *Driver) ready(ctx context.Context, first *status) (status, error) {
	limit := time.Now().Add(d.opt.ReadyTimeout)
	continued := 0
	for poll := readyPollFirst; ; poll = min(2*poll, readyPollMax) {
		st, err := d.statusOr(ctx, first)
		if err != nil {
			return status{}, err
		}
		first = nil
		wait := true
		switch st.submode {
		case submodePaperOut, submodePaperEnded:
			return st, fiscal.Refuse(d.paperOrOut(st), "", "the device waits for paper")
		case submodeContinue:
			if continued++; continued > continueAttempts {
				return st, fiscal.Refuse(fiscal.CodePrinterFault, "", "printing does not continue")
			}
			if _, err := d.do(ctx, command(cmdContinue, d.opt.Password)); err != nil && !refusedWith(err, errPrinting) {
				return st, err
			}
		case submodeIdle:
			if wait, err = d.settleMode(ctx, st); err != nil {
				return st, err
			}
		}
		if !wait {
			return st, nil
		}
		if time.Now().After(limit) {
			return st, fiscal.Refuse(fiscal.CodePrinterBusy, "", "the device stays busy")
		}
		if err := pause(ctx, poll); err != nil {
			return st, err
		}
	}
}

func (d *Driver) statusOr(ctx context.Context, first *status) (status, error) {
	if first != nil {
		return *first, nil
	}
	return d.shortStatus(ctx)
}

// paperOrOut is the condition of a device that says by its submode that it
// cannot print; the flags only choose the words, sensor or not (5.1).
func (d *Driver) paperOrOut(st status) fiscal.Code {
	if st.flags&flagCoverOpen != 0 {
		return fiscal.CodeCoverOpen
	}
	return fiscal.CodePaperOut
}

// settleMode deals with modes that hold an idle device up (5.1). It tells
// whether to look again.
func (d *Driver) settleMode(ctx context.Context, st status) (again bool, err error) {
	switch st.mode {
	case modeData:
		return true, d.endData(ctx)
	case modeDate:
		return false, fiscal.Refuse(fiscal.CodeClockWrong, "", "the device waits for its date to be confirmed")
	case modeBlocked:
		return false, fiscal.Refuse(fiscal.CodePrinterFault, "", "the device is blocked by a wrong tax inspector password")
	case modeReset:
		return false, fiscal.Refuse(fiscal.CodePrinterFault, "", "the device wants a technological reset")
	case modeTestRun, modeReport, modePrint, modeSlipPrint:
		return true, nil
	default:
		return false, nil
	}
}

// endData ends an interrupted reading of a document: 03h, or the rest is read
// out (3.8, FF3A).
func (d *Driver) endData(ctx context.Context) error {
	_, err := d.do(ctx, command(cmdEndDump, d.opt.Password))
	var r *refusal
	if err == nil || !errors.As(err, &r) {
		d.reading = err != nil
		return err
	}
	for range dumpReadsMax {
		if _, err = d.do(ctx, fnCommand(fnDocumentPart, d.opt.Password)); err != nil {
			break
		}
	}
	if errors.As(err, &r) {
		d.reading = false
		return nil
	}
	return err
}
