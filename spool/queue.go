package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"kassad/fiscal"
)

// stateLetter is the value of a queue entry, 0 for a final state.
func stateLetter(s fiscal.State) byte {
	switch s {
	case fiscal.Accepted, fiscal.Working, fiscal.Registered, fiscal.Unknown, fiscal.Held:
		return s[0]
	default:
		return 0
	}
}

func (tx *Tx) enqueue(r *fiscal.Record) error {
	return tx.put(bucketQueue, namedNumber(r.Device, r.Seq), []byte{stateLetter(r.State)})
}

func (tx *Tx) dequeue(r *fiscal.Record) error {
	return tx.delete(bucketQueue, namedNumber(r.Device, r.Seq))
}

// requeue follows a record to another state or, along its route, to another
// device. Its place there is still by Seq.
func (tx *Tx) requeue(old, now *fiscal.Record) error {
	if old.Device == now.Device && old.State == now.State {
		return nil
	}
	if old.Device != now.Device {
		if err := tx.dequeue(old); err != nil {
			return err
		}
	}
	return tx.enqueue(now)
}

// queued counts the records that a device has to do something about, up to
// QueueMax: not final, and not with a cloud that has them.
func (tx *Tx) queued(device string) int {
	prefix, n, taken := named(device), 0, stateLetter(fiscal.Registered)
	c := tx.bucket(bucketQueue).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && n < QueueMax; k, v = c.Next() {
		if len(v) != 1 || v[0] != taken {
			n++
		}
	}
	return n
}

// QueueLen is how many records a device has to do something about.
func (tx *Tx) QueueLen(device string) int { return tx.queued(device) }

// Queue lists the records of a device that are not final, in order.
func (tx *Tx) Queue(device string) ([]fiscal.Record, error) {
	var out []fiscal.Record
	prefix := named(device)
	c := tx.bucket(bucketQueue).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		r, err := tx.queuedRecord(k)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (tx *Tx) queuedRecord(key []byte) (fiscal.Record, error) {
	seq := tailNumber(key)
	r, ok, err := tx.Record(seq)
	if err == nil && !ok {
		err = fmt.Errorf("read queue: %w: record %d is gone", ErrDamaged, seq)
	}
	return r, err
}

// tailNumber reads the number that ends a key; 0 if the key is too short.
func tailNumber(key []byte) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// Devices lists the devices that have records that are not final.
func (tx *Tx) Devices() ([]string, error) { return tx.names(bucketQueue), nil }

// InState lists the records of all devices in one state that is not final.
func (tx *Tx) InState(state fiscal.State) ([]fiscal.Record, error) {
	var out []fiscal.Record
	letter := stateLetter(state)
	c := tx.bucket(bucketQueue).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if len(v) != 1 || v[0] != letter {
			continue
		}
		r, err := tx.queuedRecord(k)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Summary is what spool/state tells.
type Summary struct {
	Queued     int       // not final, on all devices, but for those that a cloud has
	Oldest     time.Time // acceptance of the oldest of them
	Unknown    []string  // ids
	Held       []string  // ids
	Registered int       // a cloud has them, and has not said what became of them
	ByDevice   map[string]int
	Outbox     int
}

// Summary counts what is not finished. It reads the records in doubt and one
// more for each device.
func (tx *Tx) Summary() (Summary, error) {
	s := Summary{ByDevice: map[string]int{}}
	var last string
	c := tx.bucket(bucketQueue).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if bytes.Equal(v, []byte{stateLetter(fiscal.Registered)}) {
			s.Registered++
			continue
		}
		s.Queued++
		device := upToZero(k)
		s.ByDevice[device]++
		doubt := bytes.Equal(v, []byte{stateLetter(fiscal.Unknown)}) || bytes.Equal(v, []byte{stateLetter(fiscal.Held)})
		if device == last && s.Queued > 1 && !doubt {
			continue
		}
		last = device
		r, err := tx.queuedRecord(k)
		if err != nil {
			return Summary{}, err
		}
		if s.Oldest.IsZero() || r.AcceptedAt.Before(s.Oldest) {
			s.Oldest = r.AcceptedAt
		}
		switch r.State {
		case fiscal.Unknown:
			s.Unknown = append(s.Unknown, r.ID)
		case fiscal.Held:
			s.Held = append(s.Held, r.ID)
		}
	}
	n, err := tx.OutboxCount()
	s.Outbox = n
	return s, err
}
