package bifit

import (
	"time"

	"kassad/devices/emul/fn"
	"kassad/fiscal"
)

// Ledger is what the tax office sees, by the number of the storage; storages
// that were replaced are in it.
func (s *Service) Ledger() map[string][]fn.Entry {
	s.lock()
	defer s.mu.Unlock()
	out := map[string][]fn.Entry{}
	for _, storage := range s.st.storages {
		out[storage.Serial()] = append(out[storage.Serial()], storage.Ledger()...)
	}
	return out
}

// Document is what the service knows of a registered receipt.
type Document struct {
	ID        uint64
	Key       string // Idempotency-Key
	Connector string
	Created   time.Time
	Changed   time.Time
	Status    Status
	Cause     Cause // with StatusError
	Type      byte  // tag 1054; 0 if the word is unknown
	Total     fiscal.Money
	Payments  map[int]fiscal.Money // by tag
	Reloads   int
	Fiscal    Fiscal   // what the answer shows; zero unless done
	Made      []Fiscal // in truth: an error may have one, and two are a sale sold twice
}

// Fiscal names a fiscal document.
type Fiscal struct {
	FN      string
	FD, FP  uint32
	Shift   uint16
	Receipt uint16 // number in shift
	Time    time.Time
}

// Documents lists the registered receipts by id.
func (s *Service) Documents() []Document {
	s.lock()
	defer s.mu.Unlock()
	out := make([]Document, len(s.st.documents))
	for i, d := range s.st.documents {
		out[i] = s.public(d)
	}
	return out
}

func (s *Service) public(d *document) Document {
	kind, _ := s.cfg.Table.Types.Value(d.receipt.kind)
	v := Document{
		ID: d.id, Key: d.key, Connector: d.owner.Name, Created: d.created, Changed: d.changed, Status: d.status, Cause: d.cause,
		Type: byte(kind), Total: d.receipt.total, Payments: map[int]fiscal.Money{}, Reloads: d.reloads,
	}
	for _, p := range d.receipt.payments {
		tag, _ := s.cfg.Table.Payments.Value(p.token)
		v.Payments[tag] += p.amount
	}
	for _, m := range d.made {
		v.Made = append(v.Made, m.public())
	}
	if m, ok := d.final(); ok {
		v.Fiscal = m.public()
	}
	return v
}

func (m made) public() Fiscal {
	return Fiscal{m.storage.Serial(), m.doc.Number, m.doc.Sign, m.doc.Shift, m.doc.Receipt, m.doc.Time}
}
