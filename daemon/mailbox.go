package daemon

import (
	"sync"

	"kassad/fiscal"
)

// mailbox hands records to a worker. It never makes the sender wait: a worker
// may be at its device for a minute, and every till shares the intake. The
// queue is bounded at acceptance; a command that is cancelled as fast as it is
// sent again leaves letters about records that are final, which the worker
// drops.
type mailbox struct {
	mu      sync.Mutex
	records []fiscal.Record
	some    chan struct{} // holds a token while there are records
}

func newMailbox() *mailbox { return &mailbox{some: make(chan struct{}, 1)} }

func (m *mailbox) put(r fiscal.Record) {
	m.mu.Lock()
	m.records = append(m.records, r)
	m.mu.Unlock()
	m.nudge()
}

// nudge wakes the worker.
func (m *mailbox) nudge() {
	select {
	case m.some <- struct{}{}:
	default: // the worker has been told already
	}
}

// take empties the box.
func (m *mailbox) take() []fiscal.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	records := m.records
	m.records = nil
	return records
}
