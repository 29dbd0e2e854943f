package shtrih

import (
	"context"
	"time"

	"kassad/fiscal"
)

// Modes, section 4.2.
const (
	modeData      = 1
	modeShift     = 2
	modeExpired   = 3
	modeClosed    = 4
	modeBlocked   = 5
	modeDate      = 6
	modeDocument  = 8
	modeReset     = 9
	modeTestRun   = 10
	modeReport    = 11
	modePrint     = 12
	modeSlipPrint = 14

	documentNonFiscal = 4 // high nibble of mode 8
)

// Submodes, section 4.2.
const (
	submodeIdle       = 0
	submodePaperOut   = 1
	submodePaperEnded = 2
	submodeContinue   = 3
	submodeReport     = 4
	submodePrinting   = 5
)

// Flags of 10h and 11h, section 4.3.
const (
	flagReceiptPaper = 1 << 7
	flagCoverOpen    = 1 << 10
)

// FN phases and warnings, section 4.5.
const (
	phaseFiscal = 0x03
	phaseClosed = 0x04 // bit: fiscal mode closed

	warnUrgent  = 1 << 0
	warnMonth   = 1 << 1
	warnFull    = 1 << 2
	warnOFD     = 1 << 3
	shiftLength = 24 * time.Hour
)

func (d *Driver) shortStatus(ctx context.Context) (status, error) {
	data, err := d.read(ctx, command(cmdShortStatus, d.opt.Password))
	if err != nil {
		return status{}, err
	}
	return decodeShortStatus(data)
}

func (d *Driver) fullStatus(ctx context.Context) (fullStatus, error) {
	data, err := d.read(ctx, command(cmdFullStatus, d.opt.Password))
	if err != nil {
		return fullStatus{}, err
	}
	return decodeFullStatus(data)
}

func (d *Driver) fnStatus(ctx context.Context) (fnStatus, error) {
	data, err := d.read(ctx, fnCommand(fnStatusQuery, d.opt.Password))
	if err != nil {
		return fnStatus{}, err
	}
	return decodeFNStatus(data)
}

func (d *Driver) shiftState(ctx context.Context) (shiftState, error) {
	if d.id != nil && d.id.noShiftQuery {
		return d.shiftByRegisters(ctx)
	}
	data, err := d.read(ctx, fnCommand(fnShift, d.opt.Password))
	if d.id != nil && refusedWith(err, errUnsupported) {
		d.id.noShiftQuery = true
		return d.shiftByRegisters(ctx)
	}
	if err != nil {
		return shiftState{}, err
	}
	return decodeShift(data)
}

// shiftByRegisters is FF40 on a device that lacks it (5.1: "37h: use the
// fallback"): the storage says whether the shift is open, 11h which one was
// closed last, and the receipts are counted by type, corrections apart (3.2).
func (d *Driver) shiftByRegisters(ctx context.Context) (shiftState, error) {
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return shiftState{}, err
	}
	full, err := d.fullStatus(ctx)
	if err != nil {
		return shiftState{}, err
	}
	s := shiftState{open: fn.shiftOpen, number: uint32(full.closedShift)}
	if s.open {
		s.number++
	}
	for _, n := range []byte{
		countReceipts, countReceipts + 1, countReceipts + 2, countReceipts + 3, countSaleCorrections, countBuyCorrections,
	} {
		count, err := d.operationRegister(ctx, n)
		if err != nil && !optional(err) {
			return shiftState{}, err
		}
		s.receipt += count
	}
	return s, nil
}

// paperState tells paper and cover from the flags as far as the model has the
// sensors (4.3), and from the submode, which every model has.
func (d *Driver) paperState(st status) (paper, coverClosed bool) {
	m := d.id.model
	coverClosed = st.flags&flagCoverOpen == 0 || m.known && !m.coverSensor
	paper = st.submode != submodePaperOut && st.submode != submodePaperEnded
	if m.known && m.receiptSensor && st.flags&flagReceiptPaper == 0 {
		paper = false
	}
	return paper, coverClosed
}

// paperCode is the condition in the way of printing, or "".
func (d *Driver) paperCode(st status) fiscal.Code {
	paper, cover := d.paperState(st)
	switch {
	case !cover:
		return fiscal.CodeCoverOpen
	case !paper:
		return fiscal.CodePaperOut
	default:
		return ""
	}
}

// phaseCode is the condition of an FN that is not in fiscal mode, or "".
func phaseCode(phase byte) fiscal.Code {
	switch {
	case phase == phaseFiscal:
		return ""
	case phase&phaseClosed != 0:
		return fiscal.CodeFNExpired
	default:
		return fiscal.CodeFNMissing
	}
}

// Status reads the state of the device. An interrupted print is continued if
// paper is back: that never makes a document (5.8 fact 4).
func (d *Driver) Status(ctx context.Context) (fiscal.Status, error) {
	s, err := d.readStatus(ctx)
	if err != nil {
		return fiscal.Status{}, toFiscal(err)
	}
	return s, nil
}

func (d *Driver) readStatus(ctx context.Context) (fiscal.Status, error) {
	if err := d.connect(ctx); err != nil {
		return fiscal.Status{}, err
	}
	full, err := d.fullStatus(ctx)
	if err != nil {
		return fiscal.Status{}, err
	}
	if full.submode == submodeContinue && full.mode != modeDocument {
		if _, err := d.do(ctx, command(cmdContinue, d.opt.Password)); err != nil {
			d.log.Warn("continue printing", "err", err)
		}
	}
	fn, err := d.fnStatus(ctx)
	if err != nil {
		return fiscal.Status{}, err
	}
	shift, err := d.shiftState(ctx)
	if err != nil {
		return fiscal.Status{}, err
	}
	s := fiscal.Status{
		Busy:  full.submode == submodePrinting || full.submode == submodeReport,
		Clock: full.clock,
		Shift: fiscal.ShiftStatus{
			Open: full.mode == modeShift || full.mode == modeExpired || shift.open, Expired: full.mode == modeExpired,
			Number: shift.number, Receipts: shift.receipt,
		},
		FN: fiscal.FNStatus{Serial: fn.serial, LastFD: fn.lastFD, Phase: fn.phase},
	}
	s.Paper, s.Cover = d.paperState(full.status)
	if err := d.readStorageState(ctx, &s, fn); err != nil {
		return fiscal.Status{}, err
	}
	if s.Shift.Open {
		if s.Shift.OpenedAt, err = d.openedAt(ctx, fn, shift); err != nil {
			return fiscal.Status{}, err
		}
		if !s.Shift.OpenedAt.IsZero() {
			s.Shift.ExpiresAt = s.Shift.OpenedAt.Add(shiftLength)
		}
	}
	s.Conditions = d.conditions(full, fn)
	s.Warnings = warnings(full, fn)
	return s, nil
}

// readStorageState adds the expiry of the FN and the exchange with the OFD.
func (d *Driver) readStorageState(ctx context.Context, s *fiscal.Status, fn fnStatus) error {
	data, err := d.read(ctx, fnCommand(fnExpiry, d.opt.Password))
	if err != nil && !optional(err) {
		return err
	}
	if err == nil {
		until, err := decodeExpiry(data)
		if err != nil {
			return err
		}
		if !until.IsZero() && !s.Clock.IsZero() {
			s.FN.DaysLeft = int(until.Sub(s.Clock) / (24 * time.Hour))
		}
	}
	s.FN.Fill = "ok"
	if fn.warnings&warnFull != 0 {
		s.FN.Fill = "99%"
	}
	if d.id.noOFDQuery {
		return d.readUnsent(ctx, s)
	}
	data, err = d.read(ctx, fnCommand(fnOFD, d.opt.Password))
	if err != nil {
		if !optional(err) {
			return err
		}
		d.id.noOFDQuery = refusedWith(err, errUnsupported)
		return d.readUnsent(ctx, s)
	}
	ofd, err := decodeOFD(data)
	if err != nil {
		return err
	}
	s.OFD = fiscal.OFDStatus{Unsent: ofd.unsent, Oldest: ofd.oldest}
	return nil
}

// readUnsent is FF3F, for devices that do not tell more of the exchange.
func (d *Driver) readUnsent(ctx context.Context, s *fiscal.Status) error {
	data, err := d.read(ctx, fnCommand(fnUnsent, d.opt.Password))
	if err != nil {
		if optional(err) {
			return nil
		}
		return err
	}
	if err := need("FF3F", data, 2); err != nil {
		return err
	}
	s.OFD.Unsent = uint32(uintAt(data, 0, 2))
	return nil
}

// conditions are what stands in the way of a document.
func (d *Driver) conditions(full fullStatus, fn fnStatus) []fiscal.Code {
	var out []fiscal.Code
	add := func(c fiscal.Code) {
		if c != "" {
			out = append(out, c)
		}
	}
	add(d.paperCode(full.status))
	add(phaseCode(fn.phase))
	switch full.mode {
	case modeExpired:
		add(fiscal.CodeShiftExpired)
	case modeClosed:
		add(fiscal.CodeShiftClosed)
	case modeDate:
		add(fiscal.CodeClockWrong)
	case modeBlocked, modeReset:
		add(fiscal.CodePrinterFault)
	}
	if full.mode != modeDate && d.clockOff(full.clock) {
		add(fiscal.CodeClockWrong)
	}
	return out
}

// clockOff tells whether the device's clock is too far from the host's. The
// shop's zone is the host's.
func (d *Driver) clockOff(device time.Time) bool {
	if d.opt.ClockLimit < 0 {
		return false
	}
	return device.IsZero() || device.Sub(wallClock(time.Now())).Abs() > d.opt.ClockLimit
}

func warnings(full fullStatus, fn fnStatus) []fiscal.Code {
	var out []fiscal.Code
	if fn.warnings&(warnUrgent|warnMonth) != 0 {
		out = append(out, fiscal.CodeFNExpiresSoon)
	}
	if fn.warnings&warnFull != 0 {
		out = append(out, fiscal.CodeFNNearlyFull)
	}
	if fn.warnings&warnOFD != 0 {
		out = append(out, fiscal.CodeOFDBacklog)
	}
	if full.mode != modeDocument && (full.submode == submodePaperEnded || full.submode == submodeContinue) {
		out = append(out, fiscal.CodePaperOwed)
	}
	return out
}

// shiftOpening is the opening document of a shift.
type shiftOpening struct {
	storage string
	shift   uint32
	fd      uint32
	at      time.Time
}

// openingSearch is how many documents are looked at for the opening of a shift
// beyond where the receipt count says that it is.
const openingSearch = 24

// openedAt finds when the current shift was opened. No command tells: the
// opening document stands as many numbers back as there are receipts, or a few
// more if other documents came between.
func (d *Driver) openedAt(ctx context.Context, fn fnStatus, shift shiftState) (time.Time, error) {
	if d.opened.storage == fn.serial && d.opened.shift == shift.number {
		return d.opened.at, nil
	}
	if fn.lastFD <= shift.receipt {
		return time.Time{}, nil
	}
	for i, fd := 0, fn.lastFD-shift.receipt; i < openingSearch && fd > 0; i, fd = i+1, fd-1 {
		a, err := d.archivedDocument(ctx, fd)
		if optional(err) {
			return time.Time{}, nil
		}
		if err != nil {
			return time.Time{}, err
		}
		if a.form == fiscal.FormShiftOpen && a.shift == shift.number {
			d.opened = shiftOpening{storage: fn.serial, shift: shift.number, fd: fd, at: a.at}
			break
		}
		if a.form == fiscal.FormShiftClose {
			break
		}
	}
	if d.opened.storage == fn.serial && d.opened.shift == shift.number {
		return d.opened.at, nil
	}
	return time.Time{}, nil
}
