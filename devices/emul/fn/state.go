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
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("fiscal storage: %w", err)
	}
	if st.Confirmed < 0 || st.Confirmed > len(st.Documents) {
		return fmt.Errorf("fiscal storage: %d of %d documents confirmed", st.Confirmed, len(st.Documents))
	}
	for i, d := range st.Documents {
		if d.Number != uint32(i)+1 || d.Operation > 4 {
			return fmt.Errorf("fiscal storage: document %d stands at place %d", d.Number, i+1)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = st
	s.ledger = nil
	for _, d := range st.Documents {
		s.ledger = append(s.ledger, s.entry(d))
	}
	return nil
}
