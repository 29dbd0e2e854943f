package fn

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"kassad/fiscal/ffd"
)

// current is the document in progress. It dies with the power.
type current struct {
	Kind    Kind
	BegunAt time.Time
	Data    []byte
}

// Document is a finished document: the facts that the archive keeps for the
// life of the storage, and the whole data.
type Document struct {
	Number    uint32 // ФД, tag 1040
	Sign      uint32 // ФПД, tag 1077
	Form      Form
	Time      time.Time
	Shift     uint16
	Receipt   uint16 // number in shift, tag 1042
	Operation byte   // tag 1054; 0 unless a receipt or a correction
	Total     int64  // tag 1020, kopecks
	Confirmed bool   // the operator has it
	Data      []byte // TLV, with the tags of the storage
}

// Closing is what a device adds when it commits a document.
type Closing struct {
	At        time.Time
	Operation byte   // 1..4 for receipts and corrections
	Total     int64  // kopecks, likewise
	Data      []byte // TLV to append before the commit
}

// Begin starts a document.
func (s *Storage) Begin(k Kind, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = minute(at)
	if err := s.mayBegin(k, at); err != nil {
		return err
	}
	s.st.Current = current{Kind: k, BegunAt: at}
	return nil
}

// Write adds data to the document in progress. A refusal leaves the document
// as it was.
func (s *Storage) Write(tlv []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := s.joined(tlv)
	if err == nil {
		s.st.Current.Data = data
	}
	return err
}

// Check says what Write would answer, without writing.
func (s *Storage) Check(tlv []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.joined(tlv)
	return err
}

func (s *Storage) joined(tlv []byte) ([]byte, error) {
	c := s.st.Current
	if c.Kind == KindNone {
		return nil, ErrState
	}
	data := append(slices.Clone(c.Data), tlv...)
	fields, err := ffd.Decode(data)
	if err != nil {
		return nil, ErrFormat
	}
	limit := ReportBytesMax
	if c.Kind == KindReceipt || c.Kind == KindCorrection {
		limit = ReceiptBytesMax
	}
	items := 0
	for _, f := range fields {
		if f.Tag == ffd.TagItem {
			items++
		}
	}
	switch {
	case len(data) > limit:
		return nil, ErrTLVSize
	case items > ItemsMax:
		return nil, ErrItems
	}
	return data, s.checkFields(fields, true)
}

// Cancel drops the document in progress. No number is used up.
func (s *Storage) Cancel() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.st.Current.Kind == KindNone {
		return ErrState
	}
	s.st.Current = current{}
	return nil
}

// PowerLoss forgets the document in progress (Shtrih-M reference 5.8, fact 1).
func (s *Storage) PowerLoss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Current = current{}
}

// Current is the kind of the document in progress.
func (s *Storage) Current() Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Current.Kind
}

// Commit finishes the document in progress. From here on it exists forever; a
// refusal leaves it in progress and changes nothing.
func (s *Storage) Commit(c Closing) (Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.At = minute(c.At)
	kind := s.st.Current.Kind
	if kind == KindNone {
		return Document{}, ErrState
	}
	if err := s.mayCommit(c.At); err != nil {
		return Document{}, err
	}
	data, err := s.joined(c.Data)
	if err != nil {
		return Document{}, err
	}
	if err := s.complete(kind, c, data); err != nil {
		return Document{}, err
	}
	s.st.Current = current{}
	return s.append(kind, c, data), nil
}

// complete checks that what the storage counts with is there.
func (s *Storage) complete(kind Kind, c Closing, data []byte) error {
	if kind != KindReceipt && kind != KindCorrection {
		return nil
	}
	if c.Operation < 1 || c.Operation > 4 || c.Total < 0 {
		return ErrParameter
	}
	fields, _ := ffd.Decode(data)
	var paid int64
	for _, t := range []ffd.Tag{ffd.TagCash, ffd.TagCard, ffd.TagPrepaid, ffd.TagCredit, ffd.TagProvision} {
		f, ok := ffd.Find(fields, t)
		if !ok {
			return ErrMissing
		}
		paid += number(f)
	}
	if paid != c.Total {
		return ErrParameter
	}
	if !agentsComplete(fields) {
		return s.missing()
	}
	_, hasItems := ffd.Find(fields, ffd.TagItem)
	_, hasBasis := ffd.Find(fields, ffd.TagCorrectionBasis)
	_, hasType := ffd.Find(fields, ffd.TagCorrectionType)
	modern := s.st.FFD >= ffd.Version12
	switch {
	case !hasItems && (kind == KindReceipt || modern):
		return s.missing()
	case kind == KindCorrection && !(hasBasis && hasType):
		return s.missing()
	case kind == KindCorrection && !modern && s.st.FFD == ffd.Version105 && c.Operation%2 == 0:
		return ErrParameter // FFD 1.05 corrections know 1 and 3 only (format reference 1.5)
	}
	return nil
}

// agentsComplete: the agent sign of an item and the INN of its supplier come
// together (Shtrih-M reference 2.1).
func agentsComplete(fields []ffd.Field) bool {
	for _, f := range fields {
		_, agent := ffd.Find(f.Fields, ffd.TagItemAgent)
		_, supplier := ffd.Find(f.Fields, ffd.TagSupplierINN)
		if f.Tag == ffd.TagItem && agent != supplier {
			return false
		}
	}
	return true
}

func (s *Storage) missing() error {
	if s.st.FFD >= ffd.Version12 {
		return ErrMissingTags
	}
	return ErrMissing
}

// Register makes the registration report, FD 1.
func (s *Storage) Register(at time.Time) (Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = minute(at)
	if err := s.mayBegin(KindRegistration, at); err != nil {
		return Document{}, err
	}
	s.st.Phase = PhaseFiscal
	return s.append(KindRegistration, Closing{At: at}, nil), nil
}

// append numbers, signs and files a document.
func (s *Storage) append(kind Kind, c Closing, data []byte) Document {
	st := &s.st
	if kind == KindShiftOpen {
		st.Shift = Shift{Open: true, Number: st.Shift.Number + 1, OpenedAt: c.At}
		st.ShiftCounters = Counters{}
		st.ShiftDocuments = 0
	}
	d := Document{Number: uint32(len(st.Documents)) + 1, Form: kind.form(), Time: c.At, Shift: st.Shift.Number, Operation: c.Operation, Total: c.Total}
	if kind == KindReceipt || kind == KindCorrection {
		st.Shift.Receipts++
		d.Receipt = st.Shift.Receipts
		fields, _ := ffd.Decode(data)
		st.ShiftCounters.add(kind, c, fields)
		st.TotalCounters.add(kind, c, fields)
	}
	st.ShiftDocuments++
	d.Data = s.withOwnTags(kind, d, data)
	d.Sign = s.sign(d)
	d.Data = ffd.Append(d.Data, ffd.TagFiscalSign, binary.BigEndian.AppendUint32([]byte{0x31, 0x04}, d.Sign))
	d.Confirmed = !s.cfg.Accumulate
	if kind == KindShiftClose {
		st.Shift.Open = false
	}
	if kind == KindStorageClose {
		st.Phase = PhaseSending
	}
	st.Documents = append(st.Documents, d)
	s.ledger = append(s.ledger, s.entry(d))
	return clone(d)
}

func clone(d Document) Document {
	d.Data = slices.Clone(d.Data)
	return d
}

// sign is a stand-in for the crypto processor: a fixed function of the seed and
// the document, so that a run can be repeated.
func (s *Storage) sign(d Document) uint32 {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, s.cfg.Seed))
	h.Write([]byte(s.st.Serial))
	h.Write(binary.LittleEndian.AppendUint32(nil, d.Number))
	h.Write(d.Data)
	v := h.Sum64()
	return max(uint32(v>>32)^uint32(v), 1)
}

// withOwnTags puts the tags that only the storage may form around the data.
func (s *Storage) withOwnTags(kind Kind, d Document, data []byte) []byte {
	r := s.st.Registration
	var b []byte
	b = padded(b, ffd.TagStorage, s.st.Serial, 16)
	b = padded(b, ffd.TagRegistration, r.RNM, 20)
	b = padded(b, ffd.TagUserINN, r.INN, 12)
	b = ffd.AppendUint32(b, ffd.TagDocument, d.Number)
	b = ffd.AppendTime(b, ffd.TagDateTime, d.Time)
	b = ffd.AppendByte(b, ffd.TagFFDVersion, s.st.FFD)
	b = text(b, ffd.TagUserName, r.UserName)
	if kind != KindRegistration && d.Shift > 0 {
		b = ffd.AppendUint32(b, ffd.TagShift, uint32(d.Shift))
	}
	switch kind {
	case KindReceipt, KindCorrection:
		b = ffd.AppendUint32(b, ffd.TagReceipt, uint32(d.Receipt))
		b = ffd.AppendByte(b, ffd.TagSettlementSign, d.Operation)
		b = ffd.AppendVLN(b, ffd.TagTotal, uint64(d.Total))
	case KindRegistration:
		b = s.registrationTags(b)
	case KindShiftClose:
		b = s.closeTags(b)
	case KindStateReport:
		b = s.unsentTags(b)
	}
	return append(b, data...)
}

func (s *Storage) registrationTags(b []byte) []byte {
	r := s.st.Registration
	b = ffd.AppendByte(b, ffd.TagTaxationsAllowed, r.Taxations)
	b = padded(b, 1017, r.OFDINN, 12)
	b = text(b, 1046, r.OFDName)
	b = text(b, ffd.TagDeviceSerial, r.DeviceSerial)
	b = text(b, ffd.TagSettlementAddress, r.Address)
	b = text(b, ffd.TagSettlementPlace, r.Place)
	b = ffd.AppendByte(b, 1189, s.st.FFD)
	b = ffd.AppendByte(b, 1190, s.st.FFD)
	return text(b, ffd.TagCashier, r.Cashier)
}

func (s *Storage) closeTags(b []byte) []byte {
	b = ffd.AppendUint32(b, ffd.TagShiftReceipts, uint32(s.st.Shift.Receipts))
	b = ffd.AppendUint32(b, ffd.TagShiftDocuments, s.st.ShiftDocuments)
	b = s.unsentTags(b)
	if s.st.FFD > ffd.Version105 { // format reference 1.5: counters are new in 1.1
		b = ffd.Append(b, 1194, s.st.ShiftCounters.tlv())
		b = ffd.Append(b, 1157, s.st.TotalCounters.tlv())
	}
	return b
}

func (s *Storage) unsentTags(b []byte) []byte {
	first, ok := s.firstUnsent()
	b = ffd.AppendUint32(b, ffd.TagUnsentCount, uint32(s.unsent()))
	if ok {
		y, m, d := first.Time.Date()
		b = ffd.AppendTime(b, ffd.TagUnsentSince, time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
	}
	return b
}

// text and padded skip what CP866 cannot hold: registration data comes from the
// config of an emulator, where a bad character is no reason to fail.
func text(b []byte, t ffd.Tag, v string) []byte {
	if v == "" {
		return b
	}
	out, _ := ffd.AppendText(b, t, v)
	return out
}

func padded(b []byte, t ffd.Tag, v string, size int) []byte {
	out, _ := ffd.AppendPadded(b, t, v, size)
	return out
}

func number(f ffd.Field) int64 {
	v, err := f.Uint()
	if err != nil || v > 1<<62 {
		return 0
	}
	return int64(v)
}
