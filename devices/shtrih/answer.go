package shtrih

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

var errShortAnswer = errors.New("answer too short")

// answerError splits an answer into its error byte and the data behind it. The
// data of one-byte commands still begins with the operator, where there is one.
func answerError(answer []byte) (byte, []byte) {
	if answer[0] == cmdFN && len(answer) > 2 {
		return answer[2], answer[3:]
	}
	return answer[1], answer[2:]
}

func uintAt(b []byte, at, n int) uint64 {
	var v uint64
	for i := n - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[at+i])
	}
	return v
}

func moneyAt(b []byte, at int) fiscal.Money { return fiscal.Money(uintAt(b, at, moneyBytes)) }

// need fails unless data has n bytes.
func need(what string, data []byte, n int) error {
	if len(data) < n {
		return fmt.Errorf("%s: %w: %d bytes of %d", what, errShortAnswer, len(data), n)
	}
	return nil
}

// wall makes a date and time of a device; impossible ones are the zero time.
func wall(year, month, day, hour, minute, second byte) time.Time {
	if month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}
	}
	return time.Date(2000+int(year), time.Month(month), int(day), int(hour), int(minute), int(second), 0, time.UTC)
}

// minuteAt reads YMDhm, the time of FN commands (2).
func minuteAt(b []byte, at int) time.Time {
	return wall(b[at], b[at+1], b[at+2], b[at+3], b[at+4], 0)
}

// status is what 10h and 11h have in common.
type status struct {
	flags      uint16
	mode       byte // low nibble
	document   byte // high nibble: what is open in mode 8
	submode    byte
	operations int // in the open receipt; -1 from 11h
}

// decodeShortStatus reads the data of 10h, operator first: flags @1, mode @3,
// submode @4, operations low @5 and high @10 (3.1, offsets less two).
func decodeShortStatus(data []byte) (status, error) {
	if err := need("10h", data, 11); err != nil {
		return status{}, err
	}
	return status{
		flags: uint16(uintAt(data, 1, 2)), mode: data[3] & 0x0F, document: data[3] >> 4, submode: data[4],
		operations: int(data[5]) | int(data[10])<<8,
	}, nil
}

// fullStatus is 11h.
type fullStatus struct {
	status
	firmware    string
	clock       time.Time
	serial      uint64 // 0 if not set
	closedShift uint16
	inn         uint64
}

// decodeFullStatus reads the data of 11h (3.1, offsets less two).
func decodeFullStatus(data []byte) (fullStatus, error) {
	if err := need("11h", data, 46); err != nil {
		return fullStatus{}, err
	}
	version := ffd.DecodeText1251(data[1:3])
	if len(version) == 2 {
		version = version[:1] + "." + version[1:]
	}
	s := fullStatus{
		status: status{
			flags: uint16(uintAt(data, 11, 2)), mode: data[13] & 0x0F, document: data[13] >> 4, submode: data[14], operations: -1,
		},
		firmware:    fmt.Sprintf("%s.%d", version, uintAt(data, 3, 2)),
		clock:       wall(data[25], data[24], data[23], data[26], data[27], data[28]),
		serial:      uintAt(data, 30, 4),
		closedShift: uint16(uintAt(data, 34, 2)),
		inn:         uintAt(data, 40, 6),
	}
	if s.serial == 0xFFFFFFFF {
		s.serial = 0
	}
	if len(data) >= 48 && s.serial != 0 {
		s.serial |= uintAt(data, 46, 2) << 32
	}
	if s.inn == 0xFFFFFFFFFFFF {
		s.inn = 0
	}
	return s, nil
}

// fnStatus is FF01.
type fnStatus struct {
	phase     byte
	document  byte // in progress, 0 none (4.5)
	shiftOpen bool
	warnings  byte
	lastAt    time.Time
	serial    string
	lastFD    uint32
}

func decodeFNStatus(data []byte) (fnStatus, error) {
	if err := need("FF01", data, 30); err != nil {
		return fnStatus{}, err
	}
	return fnStatus{
		phase: data[0], document: data[1], shiftOpen: data[3] != 0, warnings: data[4], lastAt: minuteAt(data, 5),
		serial: strings.TrimRight(string(data[10:26]), " \x00"), lastFD: uint32(uintAt(data, 26, 4)),
	}, nil
}

// shiftState is FF40.
type shiftState struct {
	open    bool
	number  uint32
	receipt uint32
}

func decodeShift(data []byte) (shiftState, error) {
	if err := need("FF40", data, 5); err != nil {
		return shiftState{}, err
	}
	return shiftState{open: data[0] != 0, number: uint32(uintAt(data, 1, 2)), receipt: uint32(uintAt(data, 3, 2))}, nil
}

// made is what the answer of a command that made a document says of it. at is
// zero unless the device sends extended answers.
type made struct {
	fd, sign, receipt uint32
	change            fiscal.Money
	at                time.Time
}

// decodeClose reads FF45 and FF76: change, FD, FP and, extended, the time.
func decodeClose(data []byte) (made, error) {
	if err := need("close receipt", data, 13); err != nil {
		return made{}, err
	}
	m := made{change: moneyAt(data, 0), fd: uint32(uintAt(data, 5, 4)), sign: uint32(uintAt(data, 9, 4))}
	if len(data) >= 18 {
		m.at = minuteAt(data, 13)
	}
	return m, nil
}

// decodeCorrection reads FF4A: receipt number, FD, FP and, extended, the time.
func decodeCorrection(data []byte) (made, error) {
	if err := need("FF4A", data, 10); err != nil {
		return made{}, err
	}
	m := made{receipt: uint32(uintAt(data, 0, 2)), fd: uint32(uintAt(data, 2, 4)), sign: uint32(uintAt(data, 6, 4))}
	if len(data) >= 15 {
		m.at = minuteAt(data, 10)
	}
	return m, nil
}

// decodeShiftReport reads E0 and 41, operator first. The plain answer has
// nothing more and yields false.
func decodeShiftReport(data []byte) (made, bool) {
	if len(data) < 14 {
		return made{}, false
	}
	return made{fd: uint32(uintAt(data, 1, 4)), sign: uint32(uintAt(data, 5, 4)), at: minuteAt(data, 9)}, true
}

// archived is FF0A.
type archived struct {
	form  byte
	at    time.Time
	fd    uint32
	sign  uint32
	kind  fiscal.Kind  // receipts and corrections
	total fiscal.Money // receipts and corrections
	shift uint32       // shift reports
}

func (a archived) receipt() bool { return a.form == fiscal.FormReceipt || a.form == fiscal.FormBSO }

func (a archived) correction() bool {
	return a.form == fiscal.FormCorrection || a.form == fiscal.FormBSOCorrect
}

func decodeArchived(data []byte) (archived, error) {
	if err := need("FF0A", data, 15); err != nil {
		return archived{}, err
	}
	a := archived{form: data[0], at: minuteAt(data, 2), fd: uint32(uintAt(data, 7, 4)), sign: uint32(uintAt(data, 11, 4))}
	body := data[15:]
	switch {
	case a.receipt() || a.correction():
		if err := need("FF0A receipt", body, 6); err != nil {
			return archived{}, err
		}
		a.kind, a.total = fiscal.Kind(body[0]), moneyAt(body, 1)
	case a.form == fiscal.FormShiftOpen || a.form == fiscal.FormShiftClose:
		if err := need("FF0A shift", body, 2); err != nil {
			return archived{}, err
		}
		a.shift = uint32(uintAt(body, 0, 2))
	}
	return a, nil
}

// ofdState is FF39.
type ofdState struct {
	unsent uint32
	oldest time.Time
}

func decodeOFD(data []byte) (ofdState, error) {
	if err := need("FF39", data, 13); err != nil {
		return ofdState{}, err
	}
	s := ofdState{unsent: uint32(uintAt(data, 2, 2))}
	if s.unsent > 0 {
		s.oldest = minuteAt(data, 8)
	}
	return s, nil
}

// decodeExpiry reads FF03: a date.
func decodeExpiry(data []byte) (time.Time, error) {
	if err := need("FF03", data, 3); err != nil {
		return time.Time{}, err
	}
	return wall(data[0], data[1], data[2], 0, 0, 0), nil
}

// model is what F7 says of the device; the missing tail is zero (3.1).
type model struct {
	flags                 uint64
	width                 int
	taxModeField          byte
	fnTable               byte
	ffdTable, ffdField    byte
	known                 bool
	coverSensor, cashcore bool
	receiptSensor         bool
}

func decodeModel(data []byte) model {
	full := make([]byte, 36)
	copy(full, data)
	m := model{
		flags: uintAt(full, 0, 8), width: int(full[8]), taxModeField: full[24], fnTable: full[31], ffdTable: full[34],
		ffdField: full[35], known: len(data) >= 8,
	}
	m.receiptSensor = m.flags>>3&1 == 1
	m.coverSensor = m.flags>>4&1 == 1
	m.cashcore = m.flags>>23&1 == 1
	return m
}

// device is FC.
type device struct {
	model byte
	name  string
}

func decodeDevice(data []byte) (device, error) {
	if err := need("FC", data, 6); err != nil {
		return device{}, err
	}
	return device{model: data[4], name: ffd.DecodeText1251(data[6:])}, nil
}

// decodeMoneyRegister reads 1Ah, operator first: u48.
func decodeMoneyRegister(data []byte) (fiscal.Money, error) {
	if err := need("1Ah", data, 7); err != nil {
		return 0, err
	}
	return fiscal.Money(uintAt(data, 1, 6)), nil
}

// decodeOperationRegister reads 1Bh, operator first: u16.
func decodeOperationRegister(data []byte) (uint32, error) {
	if err := need("1Bh", data, 3); err != nil {
		return 0, err
	}
	return uint32(uintAt(data, 1, 2)), nil
}
