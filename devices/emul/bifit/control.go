package bifit

import (
	"time"
)

// registerOf finds a register by its serial number.
func (s *Service) registerOf(serial string) (*register, error) {
	for _, c := range s.st.connectors {
		for _, r := range c.registers {
			if r.Serial == serial {
				return r, nil
			}
		}
	}
	return nil, ErrNoRegister
}

// change does something to a register at the present time.
func (s *Service) change(serial string, do func(r *register, now time.Time)) error {
	now := s.lock()
	defer s.mu.Unlock()
	r, err := s.registerOf(serial)
	if err == nil {
		do(r, now)
	}
	return err
}

// SetRegister puts a register into a state. It fails with ErrNoRegister, as all
// that name one do.
func (s *Service) SetRegister(serial string, state State) error {
	return s.change(serial, func(r *register, now time.Time) {
		if r.State == RegisterBusy {
			r.freeAt = latest(r.freeAt, now) // what waited begins now, not in the past
		}
		r.State = state
	})
}

// SetLicence moves the end of the rent of a register.
func (s *Service) SetLicence(serial string, end time.Time) error {
	return s.change(serial, func(r *register, _ time.Time) { r.LicenceEnd = end })
}

// SetTaxations changes the tax systems of a register, tag 1062.
func (s *Service) SetTaxations(serial string, mask byte) error {
	return s.change(serial, func(r *register, _ time.Time) { r.Taxations = mask })
}

// SetClock puts the clock of a register off by so much.
func (s *Service) SetClock(serial string, off time.Duration) error {
	return s.change(serial, func(r *register, _ time.Time) { r.ClockOff = off })
}

// SetFNLimit changes how many documents fill the storage of a register.
func (s *Service) SetFNLimit(serial string, documents uint32) error {
	return s.change(serial, func(r *register, _ time.Time) {
		r.FNLimit = documents
		r.storage.SetArchiveMax(documents)
	})
}

// ReplaceFN closes the storage of a register and puts an empty one in. It
// returns the new number.
func (s *Service) ReplaceFN(serial string) (number string, err error) {
	err = s.change(serial, func(r *register, now time.Time) {
		s.replaceStorage(r, now)
		number = r.storage.Serial()
	})
	return number, err
}

// Repair takes away what a fault has put upon a document: a forced error and
// the sticking in the queue. The document is not reloaded by it.
func (s *Service) Repair(id uint64) error {
	now := s.lock()
	defer s.mu.Unlock()
	d := s.byID(id)
	if d == nil {
		return ErrNoDocument
	}
	if d.plan.stuck {
		d.plan.stuck, d.nextAt = false, latest(d.nextAt, now)
	}
	d.plan.cause, d.plan.failures = CauseNone, 0
	return nil
}

// Finish ends the attempt of a document at once, past its delays and past the
// queue. A document that is done or has failed stays as it is. It fails with
// ErrBusy if no register is free for it.
func (s *Service) Finish(id uint64) error {
	now := s.lock()
	defer s.mu.Unlock()
	d := s.byID(id)
	switch {
	case d == nil:
		return ErrNoDocument
	case d.status == StatusDone || d.status == StatusError:
		return nil
	}
	d.plan.stuck, d.plan.backwards = false, 0
	if d.status != StatusRegistering {
		d.nextAt = now
		reg := d.owner.pick(d)
		if reg == nil {
			return ErrBusy
		}
		s.begin(d, reg, now)
	}
	s.finish(d, now)
	return nil
}

// Advance moves the clock of the service on.
func (s *Service) Advance(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved += max(by, 0)
	s.settle(s.now())
}

// ExpireTokens ends all access tokens; refresh tokens stay.
func (s *Service) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.st.access)
}
