package fn

// Queue is what still waits for the operator.
type Queue struct {
	Count int
	First Document // zero if Count is 0
	// Counters are the unsent receipts by settlement sign 1..4.
	Counters [5]Correction
}

// Queue reports the documents without a confirmation of the operator.
func (s *Storage) Queue() Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := Queue{Count: s.unsent()}
	if first, ok := s.firstUnsent(); ok {
		q.First = clone(first)
	}
	for _, d := range s.st.Documents[s.st.Confirmed:] {
		if !d.Confirmed && d.Operation > 0 {
			q.Counters[d.Operation].Count++
			q.Counters[d.Operation].Sum += d.Total
		}
	}
	return q
}

// Acknowledge confirms the n oldest unsent documents, as the operator does;
// n < 0 confirms all.
func (s *Storage) Acknowledge(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.st.Confirmed; i < len(s.st.Documents) && n != 0; i++ {
		if !s.st.Documents[i].Confirmed {
			s.st.Documents[i].Confirmed = true
			n--
		}
	}
	s.skipConfirmed()
}

// SetAccumulate switches the operator off (true) or on.
func (s *Storage) SetAccumulate(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Accumulate = on
}

// skipConfirmed moves the mark below which everything is confirmed.
func (s *Storage) skipConfirmed() {
	for s.st.Confirmed < len(s.st.Documents) && s.st.Documents[s.st.Confirmed].Confirmed {
		s.st.Confirmed++
	}
}

func (s *Storage) unsent() int {
	s.skipConfirmed()
	n := 0
	for _, d := range s.st.Documents[s.st.Confirmed:] {
		if !d.Confirmed {
			n++
		}
	}
	return n
}

func (s *Storage) firstUnsent() (Document, bool) {
	s.skipConfirmed()
	for _, d := range s.st.Documents[s.st.Confirmed:] {
		if !d.Confirmed {
			return d, true
		}
	}
	return Document{}, false
}
