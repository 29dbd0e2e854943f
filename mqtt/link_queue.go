package mqtt

import (
	"bytes"
	"context"
	"hash/maphash"
	"sync"
)

// Incoming is a message from the broker.
type Incoming struct {
	Link      string
	Topic     string
	Payload   []byte // may be larger than the contract allows
	Retained  bool
	Duplicate bool

	ack        func()
	generation uint64 // of the connection that brought it, and takes its acknowledgement
	sum        uint64 // of topic and payload
}

// Ack tells the broker that the message is taken care of. Call it after the
// commit; a message that is not acknowledged comes again with a later
// connection. It never waits, and does nothing once the connection that
// brought the message is gone.
func (in Incoming) Ack() {
	if in.ack != nil {
		in.ack()
	}
}

// queue holds incoming messages in order, bounded by count and bytes. It never
// makes the producer wait: that is the library's goroutine, which also reads
// the acknowledgements of what we publish.
type queue struct {
	messagesMax int
	seed        maphash.Seed

	mu       sync.Mutex
	items    []Incoming
	bytes    int
	missed   uint64 // generation of the connection whose messages were refused; 0: none
	total    uint64 // refused ever
	ready    chan struct{}
	finished bool
}

func newQueue(messagesMax int) *queue {
	return &queue{messagesMax: messagesMax, seed: maphash.MakeSeed(), ready: make(chan struct{}, 1)}
}

// push is told the generation of the connection. first is true for the first
// message that a generation loses.
func (q *queue) push(in Incoming, generation uint64) (ok, first bool) {
	in.generation, in.sum = generation, q.sum(in)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.renew(in) {
		return true, false
	}
	if len(q.items) >= q.messagesMax || q.bytes+len(in.Payload) > linkQueueBytesMax {
		first = q.missed != generation
		q.missed = generation
		q.total++
		return false, first
	}
	q.items = append(q.items, in)
	q.bytes += len(in.Payload)
	q.signal()
	return true, false
}

// renew gives a message that still waits here the acknowledgement of the
// connection that has brought it again. Its own is worth nothing any more, and
// a daemon that is slow against what the broker has kept would be busy with
// such ones for ever, and acknowledge nothing.
func (q *queue) renew(in Incoming) bool {
	if !in.Duplicate {
		return false
	}
	for i := range q.items {
		old := &q.items[i]
		if old.generation != in.generation && old.sum == in.sum && old.Topic == in.Topic && bytes.Equal(old.Payload, in.Payload) {
			*old = in
			return true
		}
	}
	return false
}

func (q *queue) sum(in Incoming) uint64 {
	var h maphash.Hash
	h.SetSeed(q.seed)
	_, _ = h.WriteString(in.Topic)
	_, _ = h.Write(in.Payload)
	return h.Sum64()
}

// pop waits for the next message. After finish it hands out what is left, then
// ErrClosed.
func (q *queue) pop(ctx context.Context) (Incoming, error) {
	for {
		q.mu.Lock()
		if len(q.items) > 0 {
			in := q.items[0]
			q.items[0] = Incoming{} // frees the payload
			q.items = q.items[1:]
			q.bytes -= len(in.Payload)
			if len(q.items) > 0 {
				q.signal()
			}
			q.mu.Unlock()
			return in, nil
		}
		finished := q.finished
		if finished {
			q.signal() // for the next reader
		}
		q.mu.Unlock()
		if finished {
			return Incoming{}, ErrClosed
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return Incoming{}, ctx.Err()
		}
	}
}

// recovered tells, once, that messages of this generation were refused and all
// others are handed out. What an earlier one lost, this one has brought. What
// was still here could not be acknowledged by the next connection: it would come
// again, take the room of those behind it, and so for ever.
func (q *queue) recovered(generation uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.missed != generation || len(q.items) > 0 {
		return false
	}
	q.missed = 0
	return true
}

func (q *queue) finish() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finished = true
	q.signal()
}

func (q *queue) figures() (messages int, refused uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items), q.total
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
