package fn

import (
	"strconv"
	"sync"
	"time"

	"kassad/fiscal/ffd"
)

// Phase is the life phase (format reference 4.1).
type Phase byte

// Life phases.
const (
	PhaseReady    Phase = 0x01
	PhaseFiscal   Phase = 0x03
	PhaseSending  Phase = 0x07
	PhaseArchived Phase = 0x0F
)

// Kind is the "current document" code of a storage, which differs from the
// form code (Shtrih-M reference 4.5).
type Kind byte

// Documents in progress.
const (
	KindNone         Kind = 0x00
	KindRegistration Kind = 0x01
	KindShiftOpen    Kind = 0x02
	KindReceipt      Kind = 0x04
	KindShiftClose   Kind = 0x08
	KindStorageClose Kind = 0x10
	KindCorrection   Kind = 0x14
	KindStateReport  Kind = 0x17
)

// Form is the code of a document form (format reference 1.2).
type Form byte

// Document forms.
const (
	FormRegistration   Form = 1
	FormShiftOpen      Form = 2
	FormReceipt        Form = 3
	FormShiftClose     Form = 5
	FormStorageClose   Form = 6
	FormReregistration Form = 11
	FormStateReport    Form = 21
	FormCorrection     Form = 31
)

func (k Kind) form() Form {
	switch k {
	case KindShiftOpen:
		return FormShiftOpen
	case KindReceipt:
		return FormReceipt
	case KindShiftClose:
		return FormShiftClose
	case KindStorageClose:
		return FormStorageClose
	case KindStateReport:
		return FormStateReport
	case KindCorrection:
		return FormCorrection
	default:
		return FormRegistration
	}
}

// Limits of the model, Shtrih-M reference 2.1 and format reference 4.2.
const (
	ReceiptBytesMax   = 30 * 1024
	ReportBytesMax    = 1024
	ItemBytesMax      = 1024
	ItemsMax          = 1000
	ShiftMax          = 24 * time.Hour
	UnsentMax         = 30 * 24 * time.Hour
	OFDOverdueAfter   = 48 * time.Hour
	FullDocumentsKept = 30 * 24 * time.Hour
	gapDefault        = 5 * time.Minute
	archiveDefault    = 230_000
	lifeMonthsDefault = 15
)

// Registration is what the storage was registered with.
type Registration struct {
	INN          string // tag 1018
	RNM          string // tag 1037
	UserName     string // tag 1048
	Address      string // tag 1009
	Place        string // tag 1187
	Taxations    byte   // tag 1062, mask
	OFDName      string // tag 1046
	OFDINN       string // tag 1017
	DeviceSerial string // tag 1013
	Cashier      string // tag 1021
	Mode         byte   // work mode bits, Shtrih-M reference 4.9
	ExtendedMode byte
}

// Config describes a storage. The zero value of each field has a default but
// for Serial and Registration.
type Config struct {
	Serial       string // 16 digits
	Registration Registration
	FFD          byte   // tag 1209; default 4 (FFD 1.2)
	Seed         uint64 // of the pseudo fiscal signs
	// Expires is the end of the keys; default 15 months after registration.
	Expires time.Time
	// ArchiveMax is the number of documents that fills the archive.
	ArchiveMax uint32
	// Accumulate keeps documents unsent until Acknowledge; by default the
	// operator confirms each document at once.
	Accumulate bool
	// Gap is the longest time from begin to commit, default 5 min; negative
	// turns the rule off.
	Gap time.Duration
	// Unregistered leaves the storage in PhaseReady without the report FD 1.
	Unregistered bool
	// Now is asked once, for the date of the registration report. Default
	// time.Now.
	Now func() time.Time
}

// Storage is one fiscal storage. It is safe for concurrent use.
type Storage struct {
	mu     sync.Mutex
	cfg    Config
	st     state
	ledger []Entry
}

// New returns a storage that is registered and ready for the first shift,
// unless the config says otherwise.
func New(cfg Config) *Storage {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.FFD == 0 {
		cfg.FFD = ffd.Version12
	}
	if cfg.ArchiveMax == 0 {
		cfg.ArchiveMax = archiveDefault
	}
	if cfg.Gap == 0 {
		cfg.Gap = gapDefault
	}
	now := minute(cfg.Now())
	if cfg.Expires.IsZero() {
		cfg.Expires = now.AddDate(0, lifeMonthsDefault, 0)
	}
	s := &Storage{cfg: cfg, st: state{Serial: cfg.Serial, Phase: PhaseReady, Registration: cfg.Registration, FFD: cfg.FFD, Expires: cfg.Expires}}
	if !cfg.Unregistered {
		if _, err := s.Register(now); err != nil {
			panic("fn: fresh storage refuses registration: " + err.Error())
		}
	}
	return s
}

// Status is the answer to the status question (format reference 4.1).
type Status struct {
	Phase        Phase
	Current      Kind
	HasData      bool
	ShiftOpen    bool
	Warnings     byte
	LastTime     time.Time // of the last document
	Serial       string
	LastDocument uint32
}

// Status reports the state; at is the device clock, for the warnings.
func (s *Storage) Status(at time.Time) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.st
	return Status{
		Phase: st.Phase, Current: st.Current.Kind, HasData: len(st.Current.Data) > 0, ShiftOpen: st.Shift.Open,
		Warnings: s.warnings(at), LastTime: s.lastTime(), Serial: st.Serial, LastDocument: uint32(len(st.Documents)),
	}
}

// Shift is the current or last shift.
type Shift struct {
	Open     bool
	Number   uint16
	Receipts uint16 // number of the last receipt or correction
	OpenedAt time.Time
}

// Shift reports the shift.
func (s *Storage) Shift() Shift {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Shift
}

// Over24 tells whether an open shift is 24 hours old at the given time.
func (s *Storage) Over24(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over24(at)
}

// Serial is the number of the storage, 16 digits.
func (s *Storage) Serial() string { return s.st.Serial }

// FFD is the format version, tag 1209.
func (s *Storage) FFD() byte { return s.st.FFD }

// Expires is the end of the keys.
func (s *Storage) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Expires
}

// SetExpires moves the end of the keys, so that warnings and the refusal 05h
// can be shown.
func (s *Storage) SetExpires(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Expires = t
}

// Registration is what the storage was registered with.
func (s *Storage) Registration() Registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Registration
}

// SetPhase forces a life phase.
func (s *Storage) SetPhase(p Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Phase = p
}

// QR is the text of tag 1196 for a document (format reference 5.1).
func (s *Storage) QR(d Document) string {
	return "t=" + d.Time.Format("20060102T1504") + "&s=" + kopecks(d.Total) + "&fn=" + s.st.Serial +
		"&i=" + strconv.FormatUint(uint64(d.Number), 10) + "&fp=" + strconv.FormatUint(uint64(d.Sign), 10) +
		"&n=" + strconv.Itoa(int(d.Operation))
}

func kopecks(v int64) string {
	s := strconv.FormatInt(v, 10)
	for len(s) < 3 {
		s = "0" + s
	}
	return s[:len(s)-2] + "." + s[len(s)-2:]
}

// minute drops seconds: the storage takes dates as five bytes, year to minute.
func minute(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, t.Location())
}
