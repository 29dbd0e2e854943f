package mqtt

// Outgoing is a message that must reach the broker: a result or an event.
type Outgoing struct {
	ID      uint64 // ascending, never 0
	Topic   string
	Payload []byte
	Retain  bool
}

// Outbox keeps outgoing messages until the broker has acknowledged them. The
// daemon's is durable.
type Outbox interface {
	// Next returns up to limit entries with an id above after, in ascending
	// order, without those marked sent. It is called again from 0 after each
	// connect.
	Next(link string, after uint64, limit int) ([]Outgoing, error)
	// Sent marks entries that the broker acknowledged on the connection that
	// sent them. It must not wait for long: it holds up the link.
	Sent(ids ...uint64)
}
