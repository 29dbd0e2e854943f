package bifit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"kassad/devices/emul/fn"
)

// What the registration reports say.
const (
	ofdName       = "ЭМУЛЯТОР ОФД"      // tag 1046
	ofdINN        = "7704358518"        // tag 1017
	fnsSite       = "www.nalog.gov.ru"  // tag 1060
	fnAge         = 30 * 24 * time.Hour // of a storage when the service starts
	storageDigits = 16                  // of its number
)

// register is a Register at work.
type register struct {
	Register
	storage *fn.Storage
	current *document // being registered
	freeAt  time.Time // since when it can begin the next one
}

// clock is the register's own time.
func (r *register) clock(at time.Time) time.Time { return at.Add(r.ClockOff).In(r.Zone) }

// insertStorage gives a register a storage that was registered at a time.
func (s *Service) insertStorage(r *register, at time.Time) {
	if r.storage == nil {
		// A clock that is hours behind must not be before the registration.
		at = at.Add(-fnAge)
	}
	r.storage = fn.New(fn.Config{
		Serial: r.FN, FFD: r.FFD, Seed: s.cfg.Seed, ArchiveMax: r.FNLimit, Now: func() time.Time { return r.clock(at) },
		Registration: fn.Registration{
			INN: r.INN, RNM: r.RNM, UserName: r.UserName, Address: r.Address, Place: r.Place, Taxations: r.Taxations,
			OFDName: ofdName, OFDINN: ofdINN, DeviceSerial: r.Serial,
		},
	})
	s.st.storages = append(s.st.storages, r.storage)
}

// replaceStorage closes the storage and registers the next one.
func (s *Service) replaceStorage(r *register, at time.Time) {
	if r.storage.Shift().Open {
		_, _ = r.report(fn.KindShiftClose, at) // a full or expired storage may refuse, and is taken out all the same
	}
	_, _ = r.report(fn.KindStorageClose, at)
	r.FN = s.nextStorage(r.FN)
	s.insertStorage(r, at)
}

// nextStorage is the number after n that no storage has.
func (s *Service) nextStorage(n string) string {
	v, _ := strconv.ParseUint(n, 10, 64)
	for {
		v++
		next := fmt.Sprintf("%0*d", storageDigits, v)
		if !slices.ContainsFunc(s.st.storages, func(x *fn.Storage) bool { return x.Serial() == next }) {
			return next
		}
	}
}

// report makes a document without content.
func (r *register) report(kind fn.Kind, at time.Time) (fn.Document, error) {
	now := r.clock(at)
	if err := r.storage.Begin(kind, now); err != nil {
		return fn.Document{}, err
	}
	return r.storage.Commit(fn.Closing{At: now})
}

// obstacle is why the register would not make a document (section 14.5).
func (r *register) obstacle(d *document, at time.Time) Cause {
	switch {
	case r.State == RegisterFault:
		return CauseFault
	case !at.Before(r.LicenceEnd):
		return CauseLicence
	case d.taxation&^r.Taxations != 0:
		return CauseData
	case r.storage.Room() == 0:
		return CauseStorage
	default:
		return CauseNone
	}
}

// fiscalize makes the document in the storage, with the shift documents that
// it needs.
func (s *Service) fiscalize(d *document, r *register, at time.Time) Cause {
	data, err := d.receipt.tags(&s.cfg.Table, &r.Register)
	operation, ok := s.cfg.Table.Types.Value(d.receipt.kind)
	if err != nil || !ok {
		return CauseData
	}
	if err := r.openShift(at); err != nil {
		return causeOf(err)
	}
	doc, err := r.receipt(data, operation, int64(d.receipt.total), r.clock(at))
	if err != nil {
		return causeOf(err)
	}
	d.made = append(d.made, made{r.storage, doc, r.Serial})
	return CauseNone
}

// openShift makes the shift ready: shifts are the service's affair (section
// 14.5).
func (r *register) openShift(at time.Time) error {
	if r.storage.Over24(r.clock(at)) {
		if _, err := r.report(fn.KindShiftClose, at); err != nil {
			return err
		}
	}
	if r.storage.Shift().Open {
		return nil
	}
	_, err := r.report(fn.KindShiftOpen, at)
	return err
}

func (r *register) receipt(data []byte, operation int, total int64, now time.Time) (fn.Document, error) {
	if err := r.storage.Begin(fn.KindReceipt, now); err != nil {
		return fn.Document{}, err
	}
	doc, err := r.storage.Commit(fn.Closing{At: now, Operation: byte(operation), Total: total, Data: data})
	if err != nil {
		_ = r.storage.Cancel() // cannot fail: the receipt is in progress
	}
	return doc, err
}

// causeOf sorts a refusal of the storage into the causes of section 9.
func causeOf(err error) Cause {
	var code fn.Error
	if !errors.As(err, &code) {
		return CauseFault
	}
	switch code {
	case fn.ErrExhausted, fn.ErrLifetime, fn.ErrBlocked:
		return CauseStorage
	case fn.ErrFormat, fn.ErrParameter, fn.ErrForbidden, fn.ErrDuplicate, fn.ErrMissing, fn.ErrMissingTags, fn.ErrItems, fn.ErrTLVSize:
		return CauseData
	default:
		return CauseFault
	}
}
