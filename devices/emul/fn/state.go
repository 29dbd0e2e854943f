package fn

import (
	"encoding/json"
	"fmt"
	"time"
)

// state is everything that survives a restart of the program.
type state struct {
	Serial         string
	Phase          Phase
	FFD            byte
	Expires        time.Time
	Registration   Registration
	ExtraWarnings  byte `json:",omitempty"`
	Shift          Shift
	ShiftDocuments uint32
	ShiftCounters  Counters
	TotalCounters  Counters
	Current        current
	Documents      []Document
	Confirmed      int // documents below this index are all confirmed
}

// MarshalJSON is a snapshot of the storage.
func (s *Storage) MarshalJSON() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.st)
}

// UnmarshalJSON brings a snapshot back, the ledger included. Settings that are
// no state, such as the seed, stay as New got them.
func (s *Storage) UnmarshalJSON(b []byte) error {
	return s.restore(b, func([]Document) int { return 0 })
}

// Settled counts the documents from the first on that nothing can change any
// more: the operator has them.
func (s *Storage) Settled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Confirmed
}

// Since is a snapshot without the first n documents, for whoever has them.
func (s *Storage) Since(n int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.st
	st.Documents = st.Documents[min(n, len(st.Documents)):]
	return json.Marshal(st)
}

// Follow brings back what Since wrote, over the documents that are here. It
// refuses a snapshot whose documents do not follow them.
func (s *Storage) Follow(b []byte) error {
	return s.restore(b, func(tail []Document) int {
		if len(tail) == 0 {
			return len(s.st.Documents)
		}
		return int(tail[0].Number) - 1
	})
}

// restore reads a state whose documents come after the first ones of those that
// are here; kept says how many stay.
func (s *Storage) restore(b []byte, kept func(tail []Document) int) error {
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("fiscal storage: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := kept(st.Documents)
	if n < 0 || n > len(s.st.Documents) {
		return fmt.Errorf("fiscal storage: document %d does not follow document %d", n+1, len(s.st.Documents))
	}
	tail := st.Documents
	st.Documents = append(s.st.Documents[:n:n], tail...)
	if st.Confirmed < 0 || st.Confirmed > len(st.Documents) {
		return fmt.Errorf("fiscal storage: %d of %d documents confirmed", st.Confirmed, len(st.Documents))
	}
	for i, d := range tail {
		if d.Number != uint32(n+i)+1 || d.Operation > 4 {
			return fmt.Errorf("fiscal storage: document %d stands at place %d", d.Number, n+i+1)
		}
	}
	s.st = st
	s.ledger = s.ledger[:n:n]
	for _, d := range tail {
		s.ledger = append(s.ledger, s.entry(d))
	}
	return nil
}
